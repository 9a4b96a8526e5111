"""Asking a model until its answer has the form that was asked for, and counting what that takes.

A JSON schema binds some servers and is passed over by others, so every answer is read as text: what stands behind
the last closed thought, the last JSON object in it that has the form. One that has none is asked again with the
mistake named, at most `AGAIN` times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from tracer.analyses.excerpts import TOKEN, tokens
from tracer.analyses.fence import escaped
from tracer.analyses.judgement import Cost
from tracer.lm import Chat

AGAIN = 2
WINDOW = 8192
"""Tokens that are taken for the model's window where its server does not say."""
SLACK = 64
"""Tokens for the chat template."""
_LONGEST_ECHO = 2000
"""Characters of a wrong answer that are shown to the model again."""
_TRIES = 200
"""Opening braces of an answer that are tried."""

Messages = Sequence[Mapping[str, str]]
Reply = TypeVar("Reply", bound=BaseModel)


class Asking(NamedTuple):
    """Who is asked, and how."""

    lm: Chat
    samples: int = 5
    seed: int = 0
    temperature: float = 0.7
    max_tokens: int = 1024
    progress: Callable[[int, int], None] | None = None
    """Told how many questions of how many are done, where that is known."""

    @property
    def room(self) -> float:
        """Tokens for a prompt; an answer must fit in beside it, and a wrong one with what is wrong about it."""
        window = self.lm.window or WINDOW
        return max(0.0, window - self.max_tokens - _LONGEST_ECHO / TOKEN - 2 * SLACK)


class Form(NamedTuple, Generic[Reply]):
    """What an answer must look like."""

    reply: type[Reply]
    wrong: Callable[[Reply], str] = lambda _: ""
    """What is wrong with an answer of the right form, in words for the model; "" when nothing is."""
    narrowed: Mapping[str, Any] = {}
    """Properties of the schema that hold for this question only."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        whole = self.reply.model_json_schema()
        whole["properties"] = {**whole["properties"], **self.narrowed}
        return {**whole, "additionalProperties": False, "required": list(whole["properties"])}


class Heard(NamedTuple, Generic[Reply]):
    """The answer, or None where none could be read; and what it took."""

    reply: Reply | None
    cost: Cost


def ask(asking: Asking, prompt: str, form: Form[Reply], seed: int, temperature: float | None = None) -> Heard[Reply]:
    """One answer to one prompt."""
    messages: list[Mapping[str, str]] = [{"role": "user", "content": prompt}]
    spent = Cost()
    for _ in range(1 + AGAIN):
        began = time.monotonic()
        [sample] = asking.lm.chat(
            messages,
            max_tokens=asking.max_tokens,
            temperature=asking.temperature if temperature is None else temperature,
            seed=seed,
            schema=form.schema,
        )
        spent += Cost(
            requests=1,
            read=round(sum(tokens(each["content"]) for each in messages)),
            written=sample.tokens,
            seconds=time.monotonic() - began,
        )
        reply, complaint = read(sample.text, form)
        if reply is not None:
            return Heard(reply, spent)
        if sample.finish == "length":
            complaint = "your answer was cut off because it was too long; answer in fewer words"
        messages = [
            *messages[:1],
            {"role": "assistant", "content": escaped(sample.text[-_LONGEST_ECHO:]) or "(nothing)"},
            {"role": "user", "content": f"That is no valid answer: {complaint}. Answer with one JSON object only."},
        ]
    return Heard(None, spent)


def read(text: str, form: Form[Reply]) -> tuple[Reply | None, str]:
    """The last JSON object of a text that has the form; or what is wrong with the last one that has not."""
    complaint = "there is no JSON object in it"
    found: Reply | None = None
    for value in objects(text.rpartition("</think>")[2]):
        try:
            reply = form.reply.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            complaint = f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
            continue
        if wrong := form.wrong(reply):
            complaint = wrong
        else:
            found = reply
    return found, complaint


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Every outermost JSON object in a text."""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(_TRIES):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, dict):
            yield value
