"""A message's reasoning, wherever its producer put it: gathered once, taken out of the text, its origin kept.

The reasoning is byte for byte what stood there, white space at its ends too: sentences of it are addressed by position.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tracer.records import ReasoningState

FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Message fields that hold reasoning as text: DeepSeek and Qwen; Groq, OpenRouter and vLLM; Ollama."""

_OPEN = re.compile(r"(?:\A\s*|^)<(think|thinking)>", re.MULTILINE)
"""Only at the start of a line: prose about the tag is no thought."""
_CLOSE = re.compile(r"(?<!`)</(?:think|thinking)>")
_MIN_ECHO = 40
"""A reasoning text at least this long that also opens the content is an echo, not a coincidence."""


class Fragment(NamedTuple):
    """One piece of reasoning as found. Text None: it is there, but nobody can read it."""

    text: str | None
    origin: str


class Reasoning(NamedTuple):
    """All of a message's reasoning."""

    text: str | None = None
    state: ReasoningState = "absent"
    origin: str | None = None


def split_think(text: str) -> tuple[str, list[Fragment]]:
    """Take inline <think>...</think> out of a text.

    The opening tag may stand in the prompt, so a text that closes a tag it never opened starts mid-thought. A tag
    never closed means that the answer was cut off while thinking: all the rest is reasoning.
    """
    if "think" not in text:  # nearly every text; much faster than two patterns
        return text, []
    found: list[Fragment] = []
    opened, closed = _OPEN.search(text), _CLOSE.search(text)
    if closed and (opened is None or closed.start() < opened.start()) and "<think" not in text[: closed.start()]:
        found.append(Fragment(text[: closed.start()], "<think> opened in the prompt"))
        text = text[closed.end() :].lstrip()
    rest, position = [], 0
    while (opened := _OPEN.search(text, position)) is not None:
        closed = _CLOSE.search(text, opened.end())
        if closed is None and text[: opened.start()].strip():
            break  # an opening tag late in an answer, never closed: prose, not a cut-off thought
        rest.append(text[position : opened.start()])
        found.append(Fragment(text[opened.end() : closed.start() if closed else len(text)], "<think>"))
        position = closed.end() if closed else len(text)
    rest.append(text[position:])
    return ("".join(rest).strip() if position else text), [fragment for fragment in found if _filled(fragment)]


def _filled(fragment: Fragment) -> bool:
    return bool(fragment.text and fragment.text.strip())


def from_fields(message: Mapping[str, Any]) -> list[Fragment]:
    """Reasoning in the message's own fields. Only the first field that is filled counts: the others repeat it."""
    for field in FIELDS:
        if field in message and (found := list(_from_value(message[field], field))):
            return found
    details = message.get("reasoning_details")
    return list(_from_value(details, "reasoning_details")) if isinstance(details, list) else []


def from_item(item: Mapping[str, Any], origin: str) -> list[Fragment]:
    """A reasoning item or block: readable content before its summary; only ciphertext is unreadable."""
    for key in ("content", "text", "thinking", "reasoning", "summary"):
        if found := list(_from_value(item.get(key), origin)):
            return found
    sealed = any(item.get(key) for key in ("encrypted_content", "data", "signature", "id"))
    return [Fragment(None, origin)] if sealed else []


def _from_value(value: Any, origin: str) -> Iterable[Fragment]:
    if isinstance(value, str):
        if value.strip():
            yield Fragment(value, origin)
    elif isinstance(value, Mapping):
        yield from from_item(value, origin)
    elif isinstance(value, list):
        for item in value:
            yield from _from_value(item, origin)


def gather(text: str, fragments: list[Fragment]) -> tuple[str, Reasoning]:
    """Join the fragments of each origin, drop an origin that only repeats another, take an echo out of the text."""
    by_origin: dict[str, list[str]] = {}
    for fragment in fragments:
        if fragment.text:
            by_origin.setdefault(fragment.origin, []).append(fragment.text)
    kept: dict[str, str] = {}
    for origin, joined in ((origin, "\n\n".join(texts)) for origin, texts in by_origin.items()):
        if not any(_squeeze(joined) in _squeeze(other) for other in kept.values()):
            kept = {key: other for key, other in kept.items() if _squeeze(other) not in _squeeze(joined)}
            kept[origin] = joined
    if not kept:
        sealed = next((fragment.origin for fragment in fragments), None)
        return text, Reasoning(None, "unreadable", sealed) if sealed else Reasoning()
    reasoning = "\n\n".join(kept.values())
    echo = reasoning.strip()
    if len(echo) >= _MIN_ECHO and text.startswith(echo) and text.strip() != echo:
        text = text[len(echo) :].lstrip()
    return text, Reasoning(reasoning, "present", ", ".join(kept))


def _squeeze(text: str) -> str:
    return " ".join(text.split())
