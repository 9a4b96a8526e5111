"""ATIF documents -> runs: a document with those of its sub-agents, embedded or in files of their own.

A step of an agent holds its words, its calls and what they brought; a call and a result each become a step here. A
sub-agent's trajectory is joined by the reference in the result of the call that started it: by the id of an embedded
one (1.7), by the path of a file before. A result that names no call is paired by position. What `tracer show --format
atif` wrote comes back as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tracer.collectors.atif_own import restored
from tracer.collectors.chat import child, where
from tracer.collectors.conversation import stated_outcome
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, normalise
from tracer.collectors.threads import Thread, weave
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Span, Step, content_hash, run_id

NAME = "atif"
DOCUMENT = "document"
"""Name of the span that holds a document."""


class Source(NamedTuple):
    """A document with its place."""

    value: Mapping[str, Any]
    at: Pointer
    span: str
    """The id of the span that brought it."""
    file: str
    """The absolute path by which other documents refer to it."""


class _Trajectory(NamedTuple):
    """A trajectory, and the place of its own in the tree of agents."""

    value: Mapping[str, Any]
    at: Pointer
    source: Source
    key: str
    """"" for the root document's own."""
    parent: str | None
    names: frozenset[str]
    """By which references know it."""


def runs_from_documents(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """One run for each document that no other one refers to, with those that it refers to."""
    found = {span.trace_id: _source(span) for span in spans if span.name == DOCUMENT}
    files = {source.file: source for source in found.values()}
    wholes = {trace: list(trajectories(source, files)) for trace, source in found.items()}
    traces = {source.span: trace for trace, source in found.items()}
    parts = {trace: {traces[each.source.span] for each in whole} for trace, whole in wholes.items()}
    inside = {part for trace, own in parts.items() for part in own - {trace}}
    told: set[str] = set()
    made = []
    for trace in sorted(found, key=lambda trace: (trace in inside, trace)):
        if trace not in told:  # documents that refer to each other in a ring have no root: the first is taken for it
            told |= parts[trace]
            made.append((_recording(wholes[trace]), tuple(sorted(parts[trace]))))
    return [(recording, ids) for recording, ids in made if recording.steps]


def _source(span: Span) -> Source:
    attributes = span.attributes
    return Source(attributes["document"], span.pointer or Pointer(file=""), span.span_id, attributes["file"])


def _recording(found: Sequence[_Trajectory]) -> Recording:
    root = found[0].source
    references = [reference for each in found for reference in references_of(each)]
    said = {_said(step) for step in found[0].value["steps"]}
    threads = [_thread(each, references, said) for each in found]
    steps = restored(root.value, weave(threads, by_time=False))  # a result has no time of its own
    return Recording(_run(root, found, references, steps), steps)


def trajectories(root: Source, files: Mapping[str, Source]) -> Iterator[_Trajectory]:
    """The document's trajectory, then those embedded in it or in the files that it refers to, at any depth."""
    waiting = [_Trajectory(root.value, root.at, root, "", None, frozenset())]
    taken, opened = {""}, {root.file}
    while waiting:
        each = waiting.pop(0)
        steps = each.value.get("steps") if isinstance(each.value, Mapping) else None
        if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
            raise BadInputError(f"{where(each.at)}: 'steps' is not a list of objects")
        yield each
        embedded = each.value.get("subagent_trajectories")
        for number, inner in enumerate(embedded if isinstance(embedded, list) else []):
            name = str(inner.get("trajectory_id") or "") if isinstance(inner, Mapping) else ""
            at = child(child(each.at, "subagent_trajectories"), str(number))
            names = frozenset({name} - {""})
            waiting.append(_Trajectory(inner, at, each.source, _new(name, taken), each.key, names))
        for file in (name for reference in references_of(each) for name in reference.names):
            if file in files and file not in opened:
                opened.add(file)
                other = files[file]
                key = _new(os.path.basename(file), taken)  # noqa: PTH119
                waiting.append(_Trajectory(other.value, other.at, other, key, each.key, frozenset({file})))


def _new(name: str, taken: set[str]) -> str:
    """A key that no other trajectory has."""
    key = name if name and name not in taken else f"{name} {len(taken)}"
    taken.add(key)
    return key


def file_of(path: str, source: str) -> str:
    """The absolute path of a file that a document in `source` refers to. It is compared, never opened."""
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(source)), path))  # noqa: PTH100, PTH118, PTH120


class _Reference(NamedTuple):
    """A result that refers to a sub-agent's trajectory."""

    holder: str
    call: str | None
    names: tuple[str, ...]
    """The id of an embedded one, the absolute path of a file."""
    stated: str


def references_of(trajectory: _Trajectory) -> Iterator[_Reference]:
    """What the results of a trajectory refer to."""
    for number, step in enumerate(trajectory.value["steps"]):
        for place, result in enumerate(_results(step)):
            listed = result.get("subagent_trajectory_ref")
            for each in listed if isinstance(listed, list) else [listed]:
                if isinstance(each, Mapping):
                    name, path = (str(each.get(key) or "") for key in ("trajectory_id", "trajectory_path"))
                    paths = [file_of(path, trajectory.source.at.file)] if path else []
                    call = _call_id(step, place, number)
                    yield _Reference(trajectory.key, call, (*([name] if name else []), *paths), path or name)


def _thread(trajectory: _Trajectory, references: Sequence[_Reference], said: set[str]) -> Thread:
    """One agent's messages, and the call whose result refers to it."""
    agent = trajectory.value.get("agent")
    agent = agent if isinstance(agent, Mapping) else {}
    name, model = str(agent.get("name") or "agent"), agent.get("model_name")
    at, messages = child(trajectory.at, "steps"), list[Message]()
    for number, step in enumerate(trajectory.value["steps"]):
        if not (trajectory.key and step.get("is_copied_context") and _said(step) in said):
            messages += _messages(step, number, name, model, child(at, str(number)))
    messages = [message._replace(span_id=trajectory.source.span) for message in messages]
    own = [each for each in references if trajectory.names & set(each.names) and each.holder == trajectory.parent]
    call = next((each.call for each in own), None)
    answered = frozenset({call} if call else ())
    return Thread(trajectory.key, name, messages, call, answered, trajectory.parent)


def _said(step: Mapping[str, Any]) -> str:
    """What a step says, to know a copy of it."""
    return content_hash([step.get(key) for key in ("source", "message", "tool_calls")])


def _messages(step: Mapping[str, Any], number: int, agent: str, model: Any, at: Pointer) -> Iterator[Message]:
    """The words and calls of a step, then what came back."""
    source = step.get("source")
    started = utc(step.get("timestamp"))
    calls = _calls(step, number)
    results = tuple(_result(each, _call_id(step, place, number)) for place, each in enumerate(_results(step)))
    message = Message(source if source in {"user", "system"} else "assistant")
    if source == "agent":
        message = _reply(step, agent, model)
    else:
        message = normalise({"role": message.role, "content": step.get("message")})._replace(agent=None)
    message = message._replace(calls=calls, started=started, pointer=at)
    if message.text.strip() or calls or message.reasoning_state != "absent" or not results:
        yield message
    if results and (calls or source == "agent"):
        yield Message("tool", results=results, started=started, pointer=at)
    elif results:
        told = [each for each, raw in zip(results, _results(step), strict=True) if each.content or not _refers(raw)]
        yield from (Message("system", each.content, started=started, pointer=at) for each in told)


def _refers(result: Mapping[str, Any]) -> bool:
    return bool(result.get("subagent_trajectory_ref"))


def _reply(step: Mapping[str, Any], agent: str, model: Any) -> Message:
    """An agent's words with their reasoning and tokens; a step that no model took has no model."""
    said = {"role": "assistant", "content": step.get("message"), "reasoning_content": step.get("reasoning_content")}
    named = step.get("model_name") or (None if step.get("llm_call_count") == 0 else model)
    metrics = step.get("metrics")
    counts = [
        metrics.get(key) if isinstance(metrics, Mapping) else None for key in ("prompt_tokens", "completion_tokens")
    ]
    read, wrote = (each if isinstance(each, int) and not isinstance(each, bool) else None for each in counts)
    message = normalise(said)
    extra = metrics.get("extra") if isinstance(metrics, Mapping) else None
    thought = extra.get("reasoning_tokens") if isinstance(extra, Mapping) else None
    if message.reasoning_state == "absent" and isinstance(thought, int) and thought > 0:
        message = message._replace(reasoning_state="unreadable", reasoning_origin="metrics: reasoning tokens")
    return message._replace(
        agent=agent, model=named if isinstance(named, str) else None, input_tokens=read, output_tokens=wrote
    )


def _listed(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    calls = step.get("tool_calls")
    return [each for each in calls if isinstance(each, Mapping)] if isinstance(calls, list) else []


def _calls(step: Mapping[str, Any], number: int) -> tuple[Call, ...]:
    return tuple(
        Call(
            str(call.get("function_name") or "tool"),
            arguments_text(call.get("arguments")),
            str(call.get("tool_call_id") or _made_id(number, place)),
            _handed_to(step, place, number),
        )
        for place, call in enumerate(_listed(step))
    )


def _made_id(number: int, place: int) -> str:
    """For a call that has no id: its place."""
    return f"step {number + 1}, call {place + 1}"


def _call_id(step: Mapping[str, Any], place: int, number: int) -> str | None:
    """The call that a result answers: as it says, else the one in the same place."""
    stated = _results(step)[place].get("source_call_id")
    if isinstance(stated, str) and stated:
        return stated
    calls = _calls_ids(step, number)
    if len(calls) == 1:
        return calls[0]
    return calls[place] if place < len(calls) else None


def _calls_ids(step: Mapping[str, Any], number: int) -> list[str]:
    return [str(call.get("tool_call_id") or _made_id(number, place)) for place, call in enumerate(_listed(step))]


def _handed_to(step: Mapping[str, Any], place: int, number: int) -> str | None:
    """A call whose result refers to a sub-agent hands the work over; the thread gives the name."""
    own = _calls_ids(step, number)[place]
    for where_in, result in enumerate(_results(step)):
        if result.get("subagent_trajectory_ref") and _call_id(step, where_in, number) == own:
            return "sub-agent"
    return None


def _results(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    observation = step.get("observation")
    results = observation.get("results") if isinstance(observation, Mapping) else None
    return [each for each in results if isinstance(each, Mapping)] if isinstance(results, list) else []


def _result(result: Mapping[str, Any], call_id: str | None) -> Result:
    """What came back. The format has no flag for errors: producers put theirs into `extra`."""
    extra = result.get("extra")
    extra = extra if isinstance(extra, Mapping) else {}
    flag, status = extra.get("is_error"), extra.get("status")
    code = next(
        (extra[key] for key in ("exit_code", "returncode", "return_code") if isinstance(extra.get(key), int)), None
    )
    content = normalise({"role": "user", "content": result.get("content")}).text
    outcome = tool_outcome(
        content,
        status=status if isinstance(status, str) else None,
        is_error=flag if isinstance(flag, bool) else None,
        exit_code=code,
    )
    return Result(content, call_id, None, outcome.status, outcome.rule)


def _run(root: Source, found: Sequence[_Trajectory], references: Sequence[_Reference], steps: Sequence[Step]) -> Run:
    value = root.value
    digest = content_hash(value)
    times = [step.started for step in steps if step.started]
    agent = value.get("agent")
    name = agent.get("name") if isinstance(agent, Mapping) else None
    extra = value.get("extra")
    own = extra.get("tracer") if isinstance(extra, Mapping) else None
    outcome, said_by = stated_outcome(extra) if isinstance(extra, Mapping) else ("unknown", None)
    if isinstance(own, Mapping) and own.get("outcome") in ("success", "failure"):
        outcome, said_by = own["outcome"], str(own.get("outcome_source") or "extra.tracer")
    asked = [step.content for step in steps if step.role == "user" and step.content.strip()]
    spoken = [step for step in steps if step.role == "assistant" and step.content.strip()]
    framework = own.get("framework") if isinstance(own, Mapping) else name
    return Run(
        id=run_id(digest),
        content_hash=digest,
        source=root.at.file,
        format=NAME,
        framework=framework if isinstance(framework, str) else None,
        task=asked[0] if asked else "",
        outcome=outcome,
        outcome_source=said_by,
        answer=next(
            (each.content for each in reversed(spoken) if isinstance(own, Mapping) or each.agent == name), None
        ),
        started=min(times, default=None),
        ended=max(times, default=None),
        notes=_notes(value, found, references),
    )


def _notes(value: Mapping[str, Any], found: Sequence[_Trajectory], references: Sequence[_Reference]) -> tuple[str, ...]:
    """What stands in other files, and what the document says of itself."""
    here = {name for each in found for name in each.names}
    elsewhere = sorted({each.stated for each in references if not here & set(each.names)})
    notes = [f"trajectories of sub-agents that are not here: {', '.join(elsewhere)}"] if elsewhere else []
    if value.get("continued_trajectory_ref"):
        notes.append(f"goes on in {value['continued_trajectory_ref']}")
    if isinstance(value.get("notes"), str) and value["notes"]:
        notes.append(value["notes"])
    return tuple(notes)
