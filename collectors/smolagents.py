"""smolagents' memory: what `get_full_steps()` or `get_succinct_steps()` gives, alone or in a RunResult.

A step's kind is told by its keys. An action is one reply, its calls, and one observation that answers all of them. The
file names no agent, except in the task that a manager gave; a mapping of names to such lists is a team.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tracer.collectors.activity import as_text, whole
from tracer.collectors.chat import child
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import normalise
from tracer.collectors.steps import steps_from_messages
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

NAME = "smolagents"
_ACTION_KEYS = ("model_input_messages", "model_output_message", "code_action", "action_output", "observations")
"""An action has a number and most of these; one will do."""
_LOOK = 20
"""So many steps are looked at for an action."""
_MANAGED = re.compile(r"\AYou're a helpful agent named '([^'\n]{1,80})'")
_ANSWERED = re.compile(r"Here is the final answer from your managed agent '([^'\n]{1,80})'")


class _Memory(NamedTuple):
    """One agent's steps."""

    agent: str | None
    steps: Sequence[Mapping[str, Any]]
    places: Sequence[Pointer]


def detect(container: Container) -> str | None:
    """Ours when the first steps hold an action."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    return None if list(_memories(container)) else "no 'step_number' with what an action holds"


def read(container: Container) -> Batch:
    """One run; several agents' steps are told in the order in which they began."""
    memories = list(_memories(container))
    if not memories:
        raise BadInputError(f"{container.source}: no steps of smolagents")
    steps = _finished(steps_from_messages(_woven(memories)), memories)
    actions = [step for memory in memories for step in memory.steps]
    digest = content_hash([list(memory.steps) for memory in memories])
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=container.source,
        format=NAME,
        framework=NAME,
        task=next((str(step["task"]) for step in actions if isinstance(step.get("task"), str)), ""),
        answer=_answer(memories[0].steps),
        started=next((step.started for step in steps if step.started), None),
        ended=max((step.ended for step in steps if step.ended), default=None),
        notes=tuple(_notes(container, memories, steps)),
    )
    return Batch((Recording(run, steps),))


def _memories(container: Container) -> Iterator[_Memory]:
    """The lists of steps: the file itself, one step per line, a RunResult's, or one for each name."""
    at = Pointer(file=container.source)
    if container.kind == "jsonl":
        steps = [each.value for each in container.documents]
        if _are_steps(steps):
            places = [at.model_copy(update={"line": each.line}) for each in container.documents]
            yield _Memory(_named(steps), steps, places)
        return
    value = container.documents[0].value
    held: dict[str | None, Any] = {None: value}
    if isinstance(value, Mapping):
        key = next((key for key in ("steps", "messages") if "state" in value and key in value), None)
        held = {key: value[key]} if key else dict(value)
    for name, steps in held.items():
        if _are_steps(steps):
            place = at if name is None else child(at, name)
            places = [child(place, str(position)) for position in range(len(steps))]
            agent = None if "state" in value else name
            yield _Memory(agent or _named(steps), steps, places)


def _are_steps(steps: Any) -> bool:
    """Is this a list of objects, and one of the first an action?"""
    if not isinstance(steps, list) or not any(isinstance(step, Mapping) and _is_action(step) for step in steps[:_LOOK]):
        return False
    return all(isinstance(step, Mapping) for step in steps)


def _named(steps: Sequence[Mapping[str, Any]]) -> str | None:
    """A managed agent, by what its task says."""
    return next((found[1] for step in steps if (found := _MANAGED.match(str(step.get("task") or "")))), None)


def _is_action(step: Mapping[str, Any]) -> bool:
    number = step.get("step_number")
    if number is None and "tool_calls" in step:
        number = step.get("step")  # its name in early 2025, and much else's
    return isinstance(number, int) and any(key in step for key in (*_ACTION_KEYS, "model_output"))


def _woven(memories: Sequence[_Memory]) -> list[Message]:
    """Several agents' messages in the order in which they came about; in the file's, where some have no time."""
    timed: list[tuple[datetime | None, Message]] = []
    for memory in memories:
        following = None
        told = []
        for each in reversed(list(_messages(memory))):  # a task has no time of its own, but that of what it led to
            following = (each.ended if each.results else each.started) or following
            told.append((following, each))
        timed += reversed(told)
    if len(memories) > 1 and all(time for time, _ in timed):
        timed.sort(key=lambda pair: pair[0].timestamp() if pair[0] else 0)
    return [each for _, each in timed]


def _messages(memory: _Memory) -> Iterator[Message]:
    for step, at in zip(memory.steps, memory.places, strict=True):
        timing = step["timing"] if isinstance(step.get("timing"), Mapping) else step  # older dumps: in the step
        started, ended = utc(timing.get("start_time")), utc(timing.get("end_time"))
        for each in _step(step, at, memory.agent):
            yield each._replace(pointer=at, started=started, ended=ended)


def _step(step: Mapping[str, Any], at: Pointer, agent: str | None) -> Iterator[Message]:
    """The messages of one step: a task, a prompt, a plan, a final answer, or an action."""
    if _is_action(step):
        yield from _action(step, at, agent)
    elif "plan" in step:
        parts = [as_text(step[key]) for key in ("facts", "plan") if step.get(key)]
        yield _with_tokens(Message("assistant", "\n\n".join(parts), agent), step)
    elif "task" in step:
        yield Message("user", as_text(step["task"]))
    elif "system_prompt" in step:
        yield Message("system", as_text(step["system_prompt"]))
    elif "output" in step:
        yield Message("assistant", as_text(step["output"]), agent)


def _action(step: Mapping[str, Any], at: Pointer, agent: str | None) -> Iterator[Message]:
    """A reply with its calls; then what came of them, or the error that kept them from being made."""
    said = step.get("model_output_message")
    said = said if isinstance(said, Mapping) else {}
    listed = step.get("tool_calls") or said.get("tool_calls")  # of a tool that failed only the reply knows
    content = step.get("model_output") or said.get("content")
    raw = said.get("raw")
    thought = {key: raw[key] for key in ("reasoning_content", "reasoning") if isinstance(raw, Mapping) and raw.get(key)}
    spoken = {"role": "assistant", "content": content, "tool_calls": listed, **thought}
    made = normalise(spoken, at)
    observed, error = as_text(step.get("observations")), step.get("error")
    helpers = set(_ANSWERED.findall(observed))
    calls = tuple(call._replace(handoff_to=call.name) if call.name in helpers else call for call in made.calls)
    yield _with_tokens(made._replace(agent=agent, calls=calls), step)
    if calls and (error or step.get("observations") is not None or step.get("action_output") is not None):
        yield _observation(step, calls, observed or as_text(step.get("action_output")), error)
    elif error:
        yield Message("system", ": ".join(_error(error)), agent or "assistant")


def _observation(step: Mapping[str, Any], calls: Sequence[Call], observed: str, error: Any) -> Message:
    last = calls[-1]
    content, kind = observed, None
    if error:
        kind, said = _error(error)
        content = f"{observed}\n{said}" if observed else said
    outcome = tool_outcome(content, error_type=kind)
    return Message("tool", agent=last.handoff_to, results=(Result(content, last.id, last.name, *outcome),))


def _error(error: Any) -> tuple[str, str]:
    """Its type and what it says."""
    if isinstance(error, Mapping):
        return str(error.get("type") or "error"), str(error.get("message") or "")
    return "error", str(error)


def _with_tokens(message: Message, step: Mapping[str, Any]) -> Message:
    usage = step["token_usage"] if isinstance(step.get("token_usage"), Mapping) else {}
    return message._replace(
        input_tokens=whole(usage.get("input_tokens")), output_tokens=whole(usage.get("output_tokens"))
    )


def _finished(steps: Sequence[Step], memories: Sequence[_Memory]) -> tuple[Step, ...]:
    """An observation answers all the calls of its action; a plan is a plan, and a final answer is marked."""
    values = {_place(at): step for memory in memories for step, at in zip(memory.steps, memory.places, strict=True)}
    calls: dict[Any, list[int]] = {}
    found = []
    for step in steps:
        place = _place(step.pointer)
        value = values.get(place, {})
        update: dict[str, Any] = {}
        if step.kind in {"tool_call", "handoff"}:
            calls.setdefault(place, []).append(step.index)
            update = {"marks": ("final_answer",)} if value.get("is_final_answer") else {}
        elif step.kind == "tool_result" and place in calls:
            update = {"parents": tuple(calls[place])}
        elif "plan" in value:
            update = {"kind": "plan"}
        found.append(step.model_copy(update=update))
    return tuple(found)


def _place(at: Pointer | None) -> tuple[int | None, str | None]:
    return (at.line, at.path) if at else (None, None)


def _answer(steps: Sequence[Mapping[str, Any]]) -> str | None:
    for step in reversed(steps):
        if step.get("is_final_answer"):
            found = step.get("action_output")
            return as_text(step.get("observations") if found is None else found).strip() or None
    return None


def _notes(container: Container, memories: Sequence[_Memory], steps: Sequence[Step]) -> Iterator[str]:
    value = container.documents[0].value
    if isinstance(value, Mapping) and value.get("state") == "max_steps_error":
        yield "the agent was stopped at its limit of steps"
    told = {memory.agent for memory in memories}
    helpers = {name for step in steps for name in _ANSWERED.findall(step.content)} - told
    if helpers:
        yield f"what managed agents did is not in this file: {', '.join(sorted(helpers))}"


COLLECTOR = Collector(NAME, detect, read)
