"""Chat messages without an envelope of their own: the form that everything can export and much else contains.

An array of messages, one message per line, or `{"messages": [...]}` (also one per line, an array of them, or rows of a
Parquet file); `{"input": [...]}` holds Responses items. Last in the cascade but for nothing: it asks for least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, collapse, recordings
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import decode, is_message, normalise
from tracer.collectors.tool_outcome import from_text
from tracer.errors import BadInputError
from tracer.records import Pointer

LIST_KEYS = ("messages", "input")
FOREIGN_KEYS = {
    "trajectory_format": "a mini-swe-agent trajectory",
    "simulations": "tau2 results",
    "mas_name": "a MAST trace",
    "trajectory": "a SWE-agent trajectory",
    "projectHash": "a Gemini CLI session",
    "mistake_agent": "a Who&When run",
    "epoch": "an Inspect sample",
}
"""Keys that say whose log it really is: read as plain chat, its outcome and structure would be lost."""
_SAMPLE = 20
"""So many values are looked at to tell a format."""
_ACTION = re.compile(r"```(?:mswea_bash_command|bash|sh)[ \t]*\n(.*?)\n?```", re.DOTALL)
_OBSERVATION = re.compile(r"\A\s*<returncode>")


def detect(container: Container) -> str | None:
    """Ours when every value is a message or holds a list of messages."""
    values = [document.value for document in container.documents[:_SAMPLE]]
    if not values:
        return "not JSON"
    if len(container.documents) == 1 and isinstance(values[0], list):
        values = values[0][:_SAMPLE]
        if not values:
            return "an empty list"
    for value in values:
        if not is_message(value) and (refusal := _not_a_conversation(value)):
            return refusal
    return None


def _not_a_conversation(value: Any) -> str | None:
    """None for a list of messages, or an object that holds one; else why not."""
    if isinstance(value, Mapping):
        if foreign := next((key for key in FOREIGN_KEYS if key in value), None):
            return f"key {foreign!r}: {FOREIGN_KEYS[foreign]}"
        key = _list_key(value)
        if key is None:
            return "no 'role' with 'content', and no list 'messages'"
        value = decode(value[key])
    if not isinstance(value, list) or not value:
        return "no list of messages"
    odd = next((each for each in value[:_SAMPLE] if not is_message(each)), None)
    return None if odd is None else "a message without 'role' and 'content'"


def _list_key(value: Mapping[str, Any]) -> str | None:
    return next((key for key in LIST_KEYS if isinstance(decode(value.get(key)), list)), None)


def read(container: Container) -> Batch:
    """One run per conversation; consecutive snapshots of one growing history are one run."""
    found = collapse(_conversations(container))
    return Batch(recordings(found, container.source, "chat"))


def divide(container: Container) -> int:
    """All but the last conversation and those that it repeats; -1 where the lines are the messages of one."""
    values = [document.value for document in container.documents]
    if not values or is_message(values[0]):
        return -1
    count = len(values) - 1
    while count and _repeats(_said(values[count - 1]), _said(values[count])):
        count -= 1
    return count


def _said(value: Any) -> list[Any]:
    """Who says what in a conversation."""
    listed = value if isinstance(value, list) else decode(value.get(_list_key(value) or "")) if value else []
    return [(each.get("role"), each.get("content")) if isinstance(each, Mapping) else each for each in listed or ()]


def _repeats(before: list[Any], after: list[Any]) -> bool:
    return before == after[: len(before)]


def _conversations(container: Container) -> Iterator[Conversation]:
    documents = container.documents
    if documents and is_message(documents[0].value):
        pointers = [Pointer(file=container.source, line=document.line) for document in documents]
        values = [document.value for document in documents]
        yield Conversation(values, tuple(with_text_actions(_messages(values, pointers))))
        return
    for document in documents:
        at = Pointer(file=container.source, line=document.line)
        value = document.value
        if isinstance(value, list) and value and not is_message(value[0]):
            for position, item in enumerate(value):
                yield conversation(item, at.model_copy(update={"path": f"/{position}"}))
        else:
            yield conversation(value, at)


def conversation(value: Any, at: Pointer) -> Conversation:
    """A list of messages, or an object that holds one under `messages` or `input`."""
    if not isinstance(value, Mapping):
        return Conversation(value, tuple(with_text_actions(listed(value, at))))
    key = _list_key(value)
    if key is None:
        raise BadInputError(f"{where(at)}: no list of messages here, unlike in the values before")
    return Conversation(
        value, tuple(with_text_actions([*preamble(value, at), *listed(decode(value[key]), child(at, key))])), value
    )


def preamble(value: Mapping[str, Any], at: Pointer) -> list[Message]:
    """Providers that keep the system prompt out of the messages: Anthropic `system`, Responses `instructions`."""
    for key in ("system", "instructions"):
        if isinstance(value.get(key), str | list) and value[key]:
            return [normalise({"role": "system", "content": value[key]}, child(at, key))]
    return []


def listed(values: Any, at: Pointer) -> list[Message]:
    """The messages of a list, each with its place in the file."""
    if not isinstance(values, list):
        raise BadInputError(f"{where(at)}: not a list of messages")
    return _messages(values, _children(at, len(values)))


def _messages(values: Sequence[Any], pointers: Sequence[Pointer]) -> list[Message]:
    found = []
    for value, pointer in zip(values, pointers, strict=True):
        if type(value) is not dict and not isinstance(value, Mapping):  # an abstract type takes long to ask
            raise BadInputError(f"{where(pointer)}: a message is {type(value).__name__}, not an object")
        found.append(normalise(value, pointer))
    return found


def child(at: Pointer, key: str) -> Pointer:
    """One level deeper in the JSON pointer."""
    escaped = key if key.isdecimal() else key.replace("~", "~0").replace("/", "~1")
    path = f"{at.path or ''}/{escaped}"
    return Pointer.trusted({"file": at.file, "member": at.member, "line": at.line, "path": path})


def _children(at: Pointer, count: int) -> list[Pointer]:
    """The items of a list."""
    shared, path = {"file": at.file, "member": at.member, "line": at.line}, at.path or ""
    return [Pointer.trusted({**shared, "path": f"{path}/{position}"}) for position in range(count)]


def where(at: Pointer) -> str:
    """A pointer in words, for an error's one line."""
    line = f", line {at.line}" if at.line else ""
    return f"{at.file}{line}{f', at {at.path}' if at.path else ''}"


def with_text_actions(messages: Sequence[Message]) -> list[Message]:
    """Agents that act by text (mini-swe-agent): a fenced command, answered by a "user" who reports a return code."""
    found = list(messages)
    for position, (before, after) in enumerate(pairwise(messages), start=1):
        if after.role != "user" or before.role != "assistant" or before.calls or not _OBSERVATION.match(after.text):
            continue
        if command := _ACTION.search(before.text):
            outcome = from_text(after.text)
            found[position - 1] = before._replace(calls=(Call("bash", command[1]),))
            found[position] = after._replace(text="", results=(Result(after.text, None, "bash", *outcome),))
    return found


COLLECTOR = Collector("chat", detect, read, divide=divide)
