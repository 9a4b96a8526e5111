"""OpenHands: the events of a conversation, of V1 (`kind` ends in Event) and V0 (`action` or `observation`).

V1 as a list, by lines, or as a folder of `event-*.json`; V0 as a list, by lines, or as the `history` in the rows of an
evaluation's `output.jsonl`. Bookkeeping (states, recalls) makes no steps; V1 repeats the thought inside the content and
counts tokens over the whole conversation, so the differences are charged to what the agent did next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tracer.collectors import openhands_v0, openhands_v1
from tracer.collectors.chat import child
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording, stated_outcome
from tracer.collectors.message import Message
from tracer.records import Outcome, Pointer, Recording, Step

NAME = "openhands"
_SAMPLE = 20
_VERSIONS = (openhands_v1, openhands_v0)
Event = tuple[Any, Pointer]


def detect(container: Container) -> str | None:
    """Ours when one of the first values, or of those in a history, is an event of either version."""
    if not container.documents:
        return "not JSON"
    lines = [each.value for each in container.documents[:_SAMPLE]]
    inside = [event for event, _ in _events(lines[0], Pointer(file=""))][:_SAMPLE]
    if any(version.is_event(value) for value in (lines if _by_line(container) else inside) for version in _VERSIONS):
        return None
    return "no events with 'kind' and 'source', nor with 'action' or 'observation', 'source' and 'id'"


def _by_line(container: Container) -> bool:
    """Is each line one event, and not a whole history?"""
    return len(container.documents) > 1 and not _row(container.documents[0].value)


def _row(value: Any) -> Mapping[str, Any]:
    """The row of an evaluation, in which a history stands beside its result; empty where it is none."""
    return value if isinstance(value, Mapping) and "history" in value else {}


def read(container: Container) -> Batch:
    """One run for each list of events; lines of events are one."""
    at = Pointer(file=container.source)
    if _by_line(container):
        events = [(each.value, at.model_copy(update={"line": each.line})) for each in container.documents]
        return Batch((_recording([event for event, _ in events], {}, events, container.source),))
    found = []
    for document in container.documents:
        place = at.model_copy(update={"line": document.line})
        events = list(_events(document.value, place))
        found.append(_recording(document.value, _row(document.value), events, container.source))
    return Batch(tuple(found))


def _events(value: Any, at: Pointer) -> Iterator[Event]:
    """The events in a value: a list of them, one alone, a history, or the files of a folder in their order."""
    if isinstance(value, Mapping) and isinstance(value.get("history"), list):
        yield from _events(value["history"], child(at, "history"))
    elif isinstance(value, Mapping) and value and all(name.startswith("event-") for name in value):
        yield from ((value[name], at.model_copy(update={"member": name})) for name in sorted(value))
    elif isinstance(value, list):
        for number, event in enumerate(value):
            place = child(at, str(number))
            if isinstance(event, list):  # the oldest histories hold pairs of action and observation
                yield from ((each, child(place, str(n))) for n, each in enumerate(event))
            else:
                yield event, place
    else:
        yield value, at


def _recording(raw: Any, facts: Mapping[str, Any], events: list[Event], source: str) -> Recording:
    objects = [(event, at) for event, at in events if isinstance(event, Mapping)]
    version = openhands_v1 if any(openhands_v1.is_event(event) for event, _ in objects[:_SAMPLE]) else openhands_v0
    left_out = Counter[str]({"?": len(events) - len(objects)}) if len(objects) < len(events) else Counter[str]()
    messages: list[Message] = version.messages(objects, left_out)
    others = ", ".join(f"{kind} {count}" for kind, count in sorted(left_out.items()))
    notes = (f"events that are no steps: {others}",) if others else ()
    made = recording(Conversation(raw, tuple(messages), notes=notes), source, NAME, framework="openhands")
    outcome, said_by = _outcome(facts, version.status(objects))
    times = [step.started for step in made.steps if step.started]
    group, task = facts.get("instance_id"), facts.get("instruction")
    update = {
        "outcome": outcome,
        "outcome_source": said_by,
        "answer": _answer(made.steps),
        "ended": max(times, default=None),
        "group": group if isinstance(group, str) else None,
        "task": made.run.task or (task if isinstance(task, str) else ""),
    }
    return Recording(made.run.model_copy(update=update), made.steps)


def _answer(steps: tuple[Step, ...]) -> str | None:
    """The last words of the agent, spoken or as it finished."""
    said = [
        s.content for s in steps if s.role == "assistant" and s.content and (s.kind == "message" or s.tool == "finish")
    ]
    return said[-1] if said else None


def _outcome(facts: Mapping[str, Any], status: str | None) -> tuple[Outcome, str | None]:
    """A benchmark's word in the row, else an end in error; that a run finished says nothing."""
    tested = facts.get("test_result")
    inner = [tested, tested.get("report")] if isinstance(tested, Mapping) else []
    for holder in (facts, facts.get("report"), *inner):
        outcome, said_by = stated_outcome(holder) if isinstance(holder, Mapping) else ("unknown", None)
        if said_by:
            return outcome, said_by
    if isinstance(facts.get("error"), str) and facts["error"]:
        return "failure", "error"
    return ("failure", f"status: {status}") if status else ("unknown", None)


COLLECTOR = Collector(NAME, detect, read)
