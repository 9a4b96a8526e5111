"""ATIF, the Agent Trajectory Interchange Format of Harbor: versions 1.0 to 1.8, with embedded sub-agents.

A step of an agent holds its words, its calls and what they brought; a call and a result each become a step here. A
sub-agent's trajectory is joined by the reference in the result of the call that started it. Where a result names no
call, it is paired by position. What `tracer show --format atif` wrote comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tracer.collectors.atif_own import restored
from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import stated_outcome
from tracer.collectors.json_values import Document
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, normalise
from tracer.collectors.threads import Thread, weave
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

NAME = "atif"
_PREFIX = "ATIF-"


class _Trajectory(NamedTuple):
    """A trajectory of the document, and the place of its own in the tree of agents."""

    value: Mapping[str, Any]
    at: Pointer
    key: str
    """"" for the document's own."""
    parent: str | None


def detect(container: Container) -> str | None:
    """Ours when the first value names a version of the format and has steps."""
    if not container.documents or not isinstance(value := container.documents[0].value, Mapping):
        return "no JSON object"
    version = value.get("schema_version")
    if not isinstance(version, str) or not version.startswith(_PREFIX):
        return f"no 'schema_version' that starts with {_PREFIX}"
    return None if "steps" in value else "no key 'steps'"


def read(container: Container) -> Batch:
    """One run for each document."""
    return Batch(tuple(_recording(document, container.source) for document in container.documents))


def _recording(document: Document, source: str) -> Recording:
    found = list(_trajectories(document.value, Pointer(file=source, line=document.line)))
    references = [reference for each in found for reference in _references(each)]
    said = {_said(step) for each in found if not each.key for step in each.value["steps"]}
    threads = [_thread(each, references, said) for each in found]
    steps = restored(document.value, weave(threads, by_time=False))  # a result has no time of its own
    return Recording(_run(document.value, source, found, references, steps), steps)


def _trajectories(value: Any, root: Pointer) -> Iterator[_Trajectory]:
    """The document's trajectory, then those embedded in it, at any depth."""
    waiting: list[tuple[Any, Pointer, str, str | None]] = [(value, root, "", None)]
    taken = {""}
    while waiting:
        trajectory, at, key, parent = waiting.pop(0)
        steps = trajectory.get("steps") if isinstance(trajectory, Mapping) else None
        if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
            raise BadInputError(f"{where(at)}: 'steps' is not a list of objects")
        yield _Trajectory(trajectory, at, key, parent)
        embedded = trajectory.get("subagent_trajectories")
        for number, inner in enumerate(embedded if isinstance(embedded, list) else []):
            name = str(inner.get("trajectory_id") or "") if isinstance(inner, Mapping) else ""
            name = name if name and name not in taken else f"{name} at {key}/{number}".strip()
            taken.add(name)
            waiting.append((inner, child(child(at, "subagent_trajectories"), str(number)), name, key))


class _Reference(NamedTuple):
    """A result that refers to a sub-agent's trajectory."""

    holder: str
    call: str | None
    trajectory: str
    path: str


def _references(trajectory: _Trajectory) -> Iterator[_Reference]:
    for number, step in enumerate(trajectory.value["steps"]):
        for place, result in enumerate(_results(step)):
            listed = result.get("subagent_trajectory_ref")
            for each in listed if isinstance(listed, list) else [listed]:
                if isinstance(each, Mapping):
                    names = [str(each.get(key) or "") for key in ("trajectory_id", "trajectory_path")]
                    yield _Reference(trajectory.key, _call_id(step, place, number), *names)


def _thread(trajectory: _Trajectory, references: Sequence[_Reference], said: set[str]) -> Thread:
    """One agent's messages, and the call whose result refers to it."""
    agent = trajectory.value.get("agent")
    agent = agent if isinstance(agent, Mapping) else {}
    name, model = str(agent.get("name") or "agent"), agent.get("model_name")
    at, messages = child(trajectory.at, "steps"), list[Message]()
    for number, step in enumerate(trajectory.value["steps"]):
        if not (trajectory.key and step.get("is_copied_context") and _said(step) in said):
            messages += _messages(step, number, name, model, child(at, str(number)))
    own = [each for each in references if trajectory.key and each.trajectory == trajectory.value.get("trajectory_id")]
    call = next((each.call for each in own if each.holder == trajectory.parent), None)
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
        yield from (Message("system", each.content, started=started, pointer=at) for each in results)


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


def _run(
    value: Mapping[str, Any],
    source: str,
    found: Sequence[_Trajectory],
    references: Sequence[_Reference],
    steps: Sequence[Step],
) -> Run:
    digest = content_hash(value)
    times = [step.started for step in steps if step.started]
    agent = value.get("agent")
    name = agent.get("name") if isinstance(agent, Mapping) else None
    extra = value.get("extra")
    own = extra.get("tracer") if isinstance(extra, Mapping) else None
    outcome, said_by = stated_outcome(extra) if isinstance(extra, Mapping) else ("unknown", None)
    if isinstance(own, Mapping) and own.get("outcome") in {"success", "failure"}:
        outcome, said_by = own["outcome"], str(own.get("outcome_source") or "extra.tracer")
    asked = [step.content for step in steps if step.role == "user" and step.content.strip()]
    spoken = [step for step in steps if step.role == "assistant" and step.content.strip()]
    framework = own.get("framework") if isinstance(own, Mapping) else name
    return Run(
        id=run_id(digest),
        content_hash=digest,
        source=source,
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
    here = {each.value.get("trajectory_id") for each in found}
    elsewhere = sorted({each.path or each.trajectory for each in references if each.trajectory not in here})
    notes = [f"trajectories of sub-agents that are not in this file: {', '.join(elsewhere)}"] if elsewhere else []
    if value.get("continued_trajectory_ref"):
        notes.append(f"goes on in {value['continued_trajectory_ref']}")
    if isinstance(value.get("notes"), str) and value["notes"]:
        notes.append(value["notes"])
    return tuple(notes)


COLLECTOR = Collector(NAME, detect, read)
