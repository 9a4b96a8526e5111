"""LangChain and LangGraph: dumped messages and states, and the event streams of `astream_events`.

A dump may be a message list, a state, a snapshot or a history of snapshots: every list of messages in it is a
conversation, and one that another repeats and continues is the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from tracer.collectors.chat import child
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, collapse, recordings
from tracer.collectors.langchain_events import is_event, read_events
from tracer.collectors.langchain_messages import Plain, message, plain
from tracer.errors import BadInputError
from tracer.records import Pointer

NAME = "langchain"
_LOOK = 2_000
"""So many values are looked at to tell a dump."""
_TELLING = frozenset({"human", "ai"})
"""`tool` and `system` messages alone might be anybody's."""


def detect(container: Container) -> str | None:
    """Ours: a stream of events, or a document with dumped messages."""
    if not container.documents or container.kind not in {"json", "jsonl"}:
        return "not JSON"
    if _is_stream(container):
        return None
    values = (value for each in container.documents[:20] for value, _ in _walk(each.value, Pointer(file="")))
    for value in islice(values, _LOOK):
        if any(
            (found := plain(each)) and found.kind in _TELLING
            for each in (value if isinstance(value, list) else [value])
        ):
            return None
    return "no event with 'run_id', and no dumped message of type 'human' or 'ai'"


def read(container: Container) -> Batch:
    """The runs of a stream of events, or one run for each conversation of a dump."""
    if _is_stream(container):
        return Batch(read_events(container, NAME))
    found = _conversations(container)
    if not found:
        raise BadInputError(f"{container.source}: no list of messages")
    forward, back = collapse(found), collapse(reversed(found))  # LangGraph tells a history newest first
    kept = forward if len(forward) <= len(back) else back
    return Batch(recordings(kept, container.source, NAME, framework=NAME))


def _is_stream(container: Container) -> bool:
    first = container.documents[0].value
    return is_event(first[0] if isinstance(first, list) and first else first)


def _conversations(container: Container) -> list[Conversation]:
    """Every list of messages; a file of single messages, one per line or under keys, is one conversation."""
    lists: list[Conversation] = []
    single: list[tuple[Plain, Pointer]] = []
    for document in container.documents:
        at = Pointer(file=container.source, line=document.line)
        for value, here in _walk(document.value, at):
            if isinstance(value, list) and value and all(plain(each) for each in value):
                told = tuple(
                    message(found, child(here, str(position)))
                    for position, each in enumerate(value)
                    if (found := plain(each))
                )
                lists.append(Conversation(value, told))
            elif found := plain(value):
                single.append((found, here))
    if lists or not single:
        return lists
    return [Conversation([dict(found.fields) for found, _ in single], tuple(message(*each) for each in single))]


def _walk(value: Any, at: Pointer) -> Iterator[tuple[Any, Pointer]]:
    """Values from the outside in; nothing inside a message, and no member of a list of messages."""
    yield value, at
    if isinstance(value, list) and value and all(plain(each) for each in value):
        return
    if plain(value):
        return
    pairs = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, Mapping) else ()
    for key, inner in pairs:
        if isinstance(inner, list | Mapping):
            yield from _walk(inner, child(at, str(key)))


COLLECTOR = Collector(NAME, detect, read)
