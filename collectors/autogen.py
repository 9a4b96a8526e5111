"""AutoGen 0.4: a TaskResult, its messages alone, a team's saved state, and the events of `autogen_core`'s logger.

A team's messages stand in all four; the events repeat each in several payloads, so there they are told by their id.
Where the events hold no such messages (an application on the core alone) calls of models and tools are the steps, and
what agents sent each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tracer.collectors.autogen_chat import is_chat_message, steps_from_chat
from tracer.collectors.autogen_events import is_core_event, read_core
from tracer.collectors.chat import child
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.json_values import loads
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

NAME = "autogen"
_LOGGED = re.compile(r"autogen_core\.events\b[^{\n]{0,80}(\{.*\})\s*$", re.MULTILINE)
"""A line of the logger, whatever its formatter puts before it."""


def detect(container: Container) -> str | None:
    """Ours: messages with `source` and `type`, or events of the core."""
    if _events(container, most=5):
        return None
    found = _thread(container)
    return None if found else "no messages with 'source' and a 'type' of AutoGen's, and no events of autogen_core"


def read(container: Container) -> Batch:
    """One run."""
    events = _events(container)
    if events:
        steps, raw, notes = read_core(events)
    else:
        found = _thread(container)
        if found is None:
            raise BadInputError(f"{container.source}: no messages of AutoGen's")
        raw, places = found
        steps, notes = steps_from_chat(raw, places), _stop(container)
    digest = content_hash(raw)
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=container.source,
        format=NAME,
        framework=NAME,
        task=_task(steps),
        started=next((step.started for step in steps if step.started), None),
        ended=next((step.started for step in reversed(steps) if step.started), None),
        notes=tuple(notes),
    )
    return Batch((Recording(run, steps),))


def _task(steps: tuple[Step, ...]) -> str:
    return next((step.content.strip() for step in steps if step.kind != "system" and step.content.strip()), "")


def _stop(container: Container) -> list[str]:
    """Why the team stopped, which is no verdict on what it did."""
    value = container.documents[0].value
    reason = value.get("stop_reason") if isinstance(value, Mapping) else None
    return [f"the team stopped: {reason}"] if reason else []


def _events(container: Container, most: int | None = None) -> list[tuple[Mapping[str, Any], Pointer]]:
    """The core's events, as JSON Lines or behind what a log formatter wrote."""
    if container.kind == "text":
        return _logged(container, most)
    documents = container.documents[:most]
    if not documents or not all(is_core_event(each.value) for each in documents):
        return []
    return [(each.value, Pointer(file=container.source, line=each.line)) for each in documents]


def _logged(container: Container, most: int | None) -> list[tuple[Mapping[str, Any], Pointer]]:
    found: list[tuple[Mapping[str, Any], Pointer]] = []
    for number, line in enumerate(container.text.split("\n"), start=1):
        if most is not None and len(found) >= most:
            break
        logged = _LOGGED.search(line) if "autogen_core.events" in line[:500] else None
        try:
            value = loads(logged[1]) if logged else None
        except ValueError:
            continue
        if isinstance(value, Mapping) and is_core_event(value):
            found.append((value, Pointer(file=container.source, line=number)))
    return found


def _thread(container: Container) -> tuple[list[Mapping[str, Any]], list[Pointer]] | None:
    """A team's messages with their places: a list, one per line, a TaskResult's, or the longest thread of a state."""
    if container.kind not in {"json", "jsonl"}:
        return None
    at = Pointer(file=container.source)
    if container.kind == "jsonl":
        values = [each.value for each in container.documents]
        if not is_chat_message(values[0]):
            return None
        keep = [n for n, value in enumerate(values) if is_chat_message(value)]
        result = values[-1] if isinstance(values[-1], Mapping) and "stop_reason" in values[-1] else None
        # run_stream yields the messages, and then all of them again as a TaskResult
        whole = len(keep) == len(values) - (1 if result else 0)
        if not keep or not whole:
            return None
        return [values[n] for n in keep], [at.model_copy(update={"line": container.documents[n].line}) for n in keep]
    value = container.documents[0].value
    threads = [("", value)] if isinstance(value, list) else _threads(value)
    good = [(path, each) for path, each in threads if each and all(is_chat_message(one) for one in each)]
    if not good:
        return None
    path, messages = max(good, key=lambda pair: len(pair[1]))
    root = at.model_copy(update={"path": path or None})
    return messages, [child(root, str(position)) for position in range(len(messages))]


def _threads(value: Any) -> list[tuple[str, list[Any]]]:
    """The lists that may be a thread: `messages`, also of a Studio's result, or `agent_states.*.message_thread`."""
    if not isinstance(value, Mapping):
        return []
    for key in ("team_result", "task_result"):
        if isinstance(value.get(key), Mapping):
            return [(f"/{key}{path}", thread) for path, thread in _threads(value[key])]
    if isinstance(value.get("messages"), list):
        return [("/messages", value["messages"])]
    states = value.get("agent_states")
    found = []
    for name, state in states.items() if isinstance(states, Mapping) else ():
        inner = state.get("agent_state", state) if isinstance(state, Mapping) else None
        thread = inner.get("message_thread") if isinstance(inner, Mapping) else None
        if isinstance(thread, list):
            place = child(child(Pointer(file=""), "agent_states"), str(name))
            found.append((str(child(place, "message_thread").path), thread))
    return found


COLLECTOR = Collector(NAME, detect, read)
