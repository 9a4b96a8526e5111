"""An agent's conversation and those of the agents that it started -> the steps of one run.

The threads are woven by time; where some message tells none, a thread stands behind the call that started it. A call
is declared the parent of the words that open the thread it started; that thread's last word, of the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Any, NamedTuple

from tracer.collectors.message import Message
from tracer.collectors.steps import steps_from_messages
from tracer.records import Step


class Thread(NamedTuple):
    """The messages of one agent."""

    key: str
    """"" for the agent that the run begins with."""
    agent: str
    messages: Sequence[Message]
    started_by: str | None = None
    """The id of the call that started it."""
    answered_by: frozenset[str] = frozenset()
    """The ids of the calls whose results bring what it found."""
    parent: str | None = None
    """The thread of these calls; None where any may hold them."""


class _Chunk(NamedTuple):
    """The steps of one message."""

    thread: int
    steps: list[Step]


def weave(threads: Sequence[Thread], *, by_time: bool = True) -> tuple[Step, ...]:
    """The steps of all threads, numbered from 0; each thread keeps its order. Times count only where all are told."""
    chunks = [_chunks(number, thread) for number, thread in enumerate(threads)]
    timed = by_time and all(message.started for thread in threads for message in thread.messages)
    ordered = _by_time(chunks) if timed else _spliced(threads, chunks)
    places = {(chunk.thread, step.index): place for place, (chunk, step) in enumerate(_each(ordered))}
    steps = [_moved(chunk.thread, step, places) for chunk, step in _each(ordered)]
    return tuple(_declared(threads, [chunk.thread for chunk, _ in _each(ordered)], steps))


def _each(chunks: Iterable[_Chunk]) -> Iterable[tuple[_Chunk, Step]]:
    return ((chunk, step) for chunk in chunks for step in chunk.steps)


def _chunks(number: int, thread: Thread) -> list[_Chunk]:
    """A thread's steps by message: ids of calls mean nothing outside their thread."""
    numbered = [message._replace(span_id=str(place)) for place, message in enumerate(thread.messages)]
    found = [_Chunk(number, []) for _ in numbered]
    for step in steps_from_messages(numbered):
        place = int(step.span_id or 0)
        found[place].steps.append(step.model_copy(update={"span_id": thread.messages[place].span_id}))
    return [chunk for chunk in found if chunk.steps]


def _by_time(chunks: Sequence[Sequence[_Chunk]]) -> list[_Chunk]:
    return [chunk for _, chunk in merge(*(_clocked(each) for each in chunks), key=lambda pair: pair[0])]


def _clocked(chunks: Sequence[_Chunk]) -> Iterable[tuple[tuple[float, int], _Chunk]]:
    """Each message at its time, or at that of the one before where its own is earlier."""
    now = 0.0
    for chunk in chunks:
        started = chunk.steps[0].started
        now = max(now, started.timestamp() if started else now)
        yield (now, chunk.thread), chunk


def _spliced(threads: Sequence[Thread], chunks: Sequence[Sequence[_Chunk]]) -> list[_Chunk]:
    """Each thread behind the message that started it; one that nothing here started, at the end.

    The last of several goes in first, so that those of one message stand in their order.
    """
    order = [chunk for number, thread in enumerate(threads) if not thread.key for chunk in chunks[number]]
    waiting = [number for number, thread in enumerate(threads) if thread.key]
    while waiting:
        place, number = next(
            ((at + 1, n) for n in reversed(waiting) if (at := _start(threads, n, order)) is not None),
            (len(order), waiting[0]),
        )
        order[place:place] = chunks[number]
        waiting.remove(number)
    return order


def _start(threads: Sequence[Thread], number: int, order: Sequence[_Chunk]) -> int | None:
    """Where the call stands that started a thread."""
    return next(
        (
            place
            for place, chunk in enumerate(order)
            if any(_starts(threads, number, chunk.thread, step) for step in chunk.steps)
        ),
        None,
    )


def _starts(threads: Sequence[Thread], number: int, holder: int, step: Step) -> bool:
    thread = threads[number]
    held = holder != number and thread.parent in {None, threads[holder].key}
    return (
        held
        and step.kind in {"tool_call", "handoff"}
        and step.call_id is not None
        and step.call_id == thread.started_by
    )


def _moved(thread: int, step: Step, places: dict[tuple[int, int], int]) -> Step:
    parents = tuple(places[thread, parent] for parent in step.parents)
    return step.model_copy(update={"index": places[thread, step.index], "parents": parents})


def _declared(threads: Sequence[Thread], owners: Sequence[int], steps: list[Step]) -> list[Step]:
    """Join each thread to the call that started it and to the results that bring its word."""
    for number, thread in enumerate(threads):
        own = [step for owner, step in zip(owners, steps, strict=True) if owner == number]
        if not thread.key or not own:
            continue
        call = next((s for o, s in zip(owners, steps, strict=True) if _starts(threads, number, o, s)), None)
        if call is not None:
            _change(steps, call.index, recipient=thread.agent)
        if own[0].role == "user" and own[0].kind == "message":
            asker = call.agent if call else own[0].agent
            _change(steps, own[0].index, recipient=thread.agent, agent=asker)
        if call is not None:
            _add_parent(steps, own[0].index, call.index)
        last = max((step.index for step in own if step.kind != "tool_result"), default=None)
        for owner, step in zip(owners, list(steps), strict=True):
            if _answers(threads, number, owner, step) and last is not None:
                _change(steps, step.index, agent=thread.agent)
                _add_parent(steps, step.index, last)
    return steps


def _answers(threads: Sequence[Thread], number: int, holder: int, step: Step) -> bool:
    thread = threads[number]
    held = holder != number and thread.parent in {None, threads[holder].key}
    return held and step.kind == "tool_result" and step.call_id is not None and step.call_id in thread.answered_by


def _change(steps: list[Step], index: int, **update: Any) -> None:
    steps[index] = steps[index].model_copy(update=update)


def _add_parent(steps: list[Step], index: int, parent: int) -> None:
    """A parent stands before; an answer that came before its agent was done declares nothing."""
    if parent < index:
        _change(steps, index, parents=tuple(sorted({*steps[index].parents, parent})))
