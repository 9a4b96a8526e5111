"""The two routes of an OpenAI-compatible server: what is sent to each, and what its answers hold.

    /completions        a text is continued; log-probabilities of what is drawn, and of the text itself (`echo`)
    /chat/completions   messages are answered

Of an answer nothing is taken on trust: what has another type than it should counts as not there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracer.lm import Sample
from tracer.lm.endpoint_pool import Request
from tracer.lm.endpoint_reply import EndpointError

COMPLETIONS, CHAT = "/completions", "/chat/completions"
TOP = 20
"""Alternatives of each token that are asked for: the most that vLLM gives unless it is told otherwise."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which a broken log may hold and JSON cannot; its replacement has the same length."""

SAMPLING: dict[str, dict[str, Any]] = {
    "top_k": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "generation_config": {"generation_config": '{"do_sample": true, "top_k": 0}'},
    "plain": {},
}
"""How servers are told to draw among all tokens, whatever the model's own settings say: vLLM, SGLang and llama.cpp;
`transformers serve`, which without it takes the likeliest token at any temperature; and all others."""


class Draw(NamedTuple):
    """How to draw."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


class Choice(NamedTuple):
    """One continuation."""

    text: str
    finish: str
    tokens: tuple[str, ...] | None
    """As text; with `echo` those of the prompt first. None where the server does not say."""
    logprobs: tuple[float, ...] | None
    """ln p of each, nan for the first of a text."""
    top: tuple[Mapping[str, float], ...] | None
    """ln p of the likeliest tokens at each place, by their text."""


class Answer(NamedTuple):
    """What came back."""

    choices: tuple[Choice, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    """Of all choices together."""


def sane(text: str) -> str:
    """The text without halves of characters."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def completion(model: str, prompt: str, draw: Draw, n: int = 1, **more: Any) -> Request:
    """Continue a text."""
    return Request(COMPLETIONS, {"model": model, "prompt": sane(prompt), **_drawing(draw, n), **more})


def answering(model: str, messages: Sequence[Mapping[str, str]], draw: Draw, n: int = 1, **more: Any) -> Request:
    """Answer messages: only text goes out, so nothing that a log names is ever fetched."""
    told = [{"role": each["role"], "content": sane(each["content"])} for each in messages]
    return Request(CHAT, {"model": model, "messages": told, **_drawing(draw, n), **more})


def _drawing(draw: Draw, n: int) -> dict[str, Any]:
    body: dict[str, Any] = {"max_tokens": draw.max_tokens, "temperature": draw.temperature, "seed": draw.seed}
    if draw.temperature > 0:
        body["top_p"] = draw.top_p
    if n > 1:
        body["n"] = n
    if draw.stop:
        body["stop"] = list(draw.stop)
    return body


def parsed(found: Mapping[str, Any], where: str) -> Answer:
    """An answer of either route."""
    given = found.get("choices")
    choices = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    if not choices:
        raise EndpointError(f"{where} answers without a choice: is it an OpenAI-compatible server?")
    usage = found.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Answer(
        tuple(_choice(each) for each in sorted(choices, key=_index)),
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
    )


def _index(choice: Mapping[str, Any]) -> int:
    return _count(choice.get("index")) or 0


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else None


def _choice(given: Mapping[str, Any]) -> Choice:
    message = given.get("message")
    text = message.get("content") if isinstance(message, dict) else given.get("text")
    finish = given.get("finish_reason")
    return Choice(text if isinstance(text, str) else "", finish if isinstance(finish, str) else "", *_scores(given))


def _scores(
    given: Mapping[str, Any],
) -> tuple[tuple[str, ...] | None, tuple[float, ...] | None, tuple[Mapping[str, float], ...] | None]:
    """Tokens, their log-probabilities and the alternatives: all of them have the same length, or are None."""
    found = given.get("logprobs")
    found = found if isinstance(found, dict) else {}
    tokens, values, top = (found.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not (isinstance(tokens, list) and tokens and all(isinstance(each, str) for each in tokens)):
        return None, None, None
    if not (isinstance(values, list) and len(values) == len(tokens)):
        return tuple(tokens), None, None
    numbers = tuple(_logprob(each) for each in values)
    if not isinstance(top, list) or len(top) != len(tokens):
        return tuple(tokens), numbers, None
    return tuple(tokens), numbers, tuple(_alternatives(each) for each in top)


def _logprob(value: Any) -> float:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and value <= 1e-6  # float32 rounds
    return min(0.0, float(value)) if ok else math.nan


def _alternatives(given: Any) -> Mapping[str, float]:
    if not isinstance(given, dict):
        return {}
    return {text: number for text, each in given.items() if not math.isnan(number := _logprob(each))}


def samples(answer: Answer, draw: Draw) -> list[Sample]:
    """The choices as samples: cut before the first stop string, whether or not the server did so."""
    counts = _tokens(answer)
    return [_sample(each, count, draw) for each, count in zip(answer.choices, counts, strict=True)]


def _sample(choice: Choice, tokens: int, draw: Draw) -> Sample:
    cut = min((at for each in draw.stop if (at := choice.text.find(each)) >= 0), default=None)
    ended = cut is not None or (choice.finish != "length" and not (not choice.finish and tokens >= draw.max_tokens))
    return Sample(choice.text[:cut], "stop" if ended else "length", tokens)


def _tokens(answer: Answer) -> list[int]:
    """How many tokens each choice took. Where only their sum is told it is shared out by the lengths of the texts."""
    known = [None if each.tokens is None else len(each.tokens) for each in answer.choices]
    if all(each is not None for each in known):
        return [each or 0 for each in known]
    total = answer.completion_tokens
    if total is None:
        return [max(1, round(len(each.text) / 4)) for each in answer.choices]
    if len(answer.choices) == 1:
        return [total]
    lengths = [len(each.text) + 1 for each in answer.choices]
    ends = [round(total * sum(lengths[: k + 1]) / sum(lengths)) for k in range(len(lengths))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
