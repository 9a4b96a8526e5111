"""tau2-bench results: an agent and a simulated user, who both have tools, and a reward (arXiv 2506.07982).

`results.json` holds the simulations, or in the newer layout names their experiment while each stands in a file of its
own under `simulations/`. Either file finds the other, so both may be given; the simulations' files are part of the
results. A voice simulation has ticks in the place of messages: a turn is a row of ticks in which somebody speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container, open_containers
from tracer.collectors.message import Message, Result
from tracer.collectors.messages import json_text, normalise
from tracer.collectors.steps import steps_from_messages
from tracer.collectors.tau2_voice import AUDIO, turns
from tracer.collectors.times import stated, utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Outcome, Pointer, Recording, Run, content_hash, run_id

NAME = "tau2_bench"
RESULTS, SIMULATIONS = "results.json", "simulations"
_FULL = 1 - 1e-6
"""tau2 itself calls a reward within 1e-6 of 1 a success."""
_ORDERLY = frozenset({"user_stop", "agent_stop"})


class _Experiment(NamedTuple):
    """What the results say of all their simulations."""

    domain: str | None = None
    models: Mapping[str, str | None] = {}
    """Role -> model."""


def detect(container: Container) -> str | None:
    """Ours: the results, with or without simulations in them, or one simulation."""
    if container.kind != "json" or not isinstance(container.documents[0].value, Mapping):
        return "no JSON object"
    value = container.documents[0].value
    if _is_simulation(value):
        return None
    if not isinstance(value.get("info"), Mapping) or "agent_info" not in value["info"]:
        return "no key 'info.agent_info', and no 'termination_reason' with messages or ticks"
    return None if "tasks" in value else "no key 'tasks'"


def _is_simulation(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and "task_id" in value
        and "termination_reason" in value
        and any(isinstance(value.get(key), list) for key in ("messages", "ticks"))
    )


def read(container: Container) -> Batch:
    """One run for each simulation."""
    value, at = container.documents[0].value, Pointer(file=container.source)
    if _is_simulation(value):
        results = _results_beside(container.source)
        experiment = _experiment(results[1]) if results else _Experiment()
        return Batch((_recording(value, at, experiment),), part_of=results[0] if results else None)
    experiment = _experiment(value)
    inside = value.get("simulations")
    found = [
        (item, child(child(at, "simulations"), str(position)))
        for position, item in enumerate(inside if isinstance(inside, list) else [])
    ] or list(_simulations_beside(container.source))
    if not found:
        raise BadInputError(
            f"{container.source}: tau2 results without simulations: none inside, under {SIMULATIONS}/ or beside"
        )
    return Batch(tuple(_recording(item, where_, experiment) for item, where_ in found))


def _simulations_beside(source: str) -> Iterator[tuple[Any, Pointer]]:
    """The simulations of the split layout: under `simulations/`, else in the results' own folder."""
    folder = Path(source).parent
    nested = folder / SIMULATIONS
    if Path(source).is_file():
        for path in sorted((nested if nested.is_dir() else folder).glob("*.json")):
            if path.is_file() and not path.samefile(source) and _is_simulation(value := _value(path)):
                yield value, Pointer(file=str(path))


def _results_beside(source: str) -> tuple[str, Mapping[str, Any]] | None:
    """The results that a simulation belongs to: in the folder above `simulations/`, else in its own."""
    folder = Path(source).parent
    path = (folder.parent if folder.name == SIMULATIONS else folder) / RESULTS
    if not Path(source).is_file() or not path.is_file():
        return None
    try:
        value = _value(path)
    except BadInputError:  # told when that file itself is read
        return None
    return (str(path), value) if isinstance(value, Mapping) and isinstance(value.get("info"), Mapping) else None


def _value(path: Path) -> Any:
    """The one JSON value of a file; None for a file that is something else."""
    [container, *more] = open_containers(path)
    return container.documents[0].value if container.kind == "json" and not more else None


def _experiment(results: Mapping[str, Any]) -> _Experiment:
    info = results["info"]
    environment, agent, user = (_mapping(info.get(f"{key}_info")) for key in ("environment", "agent", "user"))
    return _Experiment(
        domain=_text(environment.get("domain_name")),
        models={"assistant": _text(agent.get("llm")), "user": _text(user.get("llm"))},
    )


def _recording(value: Any, at: Pointer, experiment: _Experiment) -> Recording:
    if not _is_simulation(value):
        raise BadInputError(f"{where(at)}: not a simulation: no list 'messages' or 'ticks'")
    listed = value.get("messages")
    messages = (
        turns(value["ticks"], child(at, "ticks"))
        if not listed and value.get("ticks")
        else _messages(listed, child(at, "messages"))
    )
    steps = steps_from_messages([_with_model(message, experiment) for message in messages])
    digest, reward = content_hash(value), _mapping(value.get("reward_info")).get("reward")
    outcome = _outcome(reward)
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=at.file,
        format=NAME,
        framework="tau2",
        task=next((each.text for each in messages if each.role == "user" and each.text not in {"", AUDIO}), ""),
        outcome=outcome,
        outcome_source=None if outcome == "unknown" else "reward",
        group=f"{experiment.domain}/{value['task_id']}" if experiment.domain else str(value["task_id"]),
        started=utc(value.get("start_time")),
        ended=utc(value.get("end_time")),
        notes=tuple(_notes(value)),
    )
    return Recording(run, steps)


def _messages(values: Sequence[Any], at: Pointer) -> list[Message]:
    """Each message; several answers of tools that were packed as one are taken apart."""
    found = []
    for position, value in enumerate(values):
        here = child(at, str(position))
        if not isinstance(value, Mapping):
            raise BadInputError(f"{where(here)}: a message is {type(value).__name__}, not an object")
        packed = value.get("tool_messages")
        if isinstance(packed, list):
            inner = child(here, "tool_messages")
            found += [message(each, child(inner, str(n))) for n, each in enumerate(packed) if isinstance(each, Mapping)]
        else:
            found.append(message(value, here))
    return found


def message(value: Mapping[str, Any], at: Pointer) -> Message:
    """tau2's message in the common shape, with the reasoning that only the provider's raw reply holds."""
    times = stated(value.get("timestamp"))
    if value.get("role") == "tool":
        return Message("tool", results=(result(value),), pointer=at, **times)
    raw = _mapping(_mapping(value.get("raw_data")).get("message"))
    thought = {key: raw[key] for key in ("reasoning_content", "reasoning", "reasoning_details") if raw.get(key)}
    usage = _mapping(value.get("usage"))
    made = normalise({**value, **thought}, at)
    return made._replace(
        input_tokens=_count(usage.get("prompt_tokens")), output_tokens=_count(usage.get("completion_tokens")), **times
    )


def result(value: Mapping[str, Any]) -> Result:
    """A tool's answer, which states whether it is an error."""
    content, error = value.get("content"), value.get("error")
    text = content if isinstance(content, str) else "" if content is None else json_text(content)
    is_error = error if isinstance(error, bool) else None
    return Result(text, _text(value.get("id")), None, *tool_outcome(text, is_error=is_error))


def _with_model(message: Message, experiment: _Experiment) -> Message:
    return message._replace(model=experiment.models.get(message.role))


def _outcome(reward: Any) -> Outcome:
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        return "unknown"
    return "success" if reward >= _FULL else "failure"


def _notes(value: Mapping[str, Any]) -> Iterator[str]:
    """A stop that nobody chose, what is missing, and tau2's own review, which is a model's word and so no label."""
    if value["termination_reason"] not in _ORDERLY:
        yield f"the simulation was stopped: {value['termination_reason']}"
    if value.get("ticks") and not value.get("messages"):
        yield "spoken: each turn is a row of ticks with speech; a turn without a transcript reads [audio]"
    errors = _mapping(value.get("review")).get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, Mapping):
            said = ", ".join(str(error[key]) for key in ("source", "error_type", "severity") if error.get(key))
            turn = error.get("turn_idx", error.get("tick_id"))
            yield f"tau2's review, by a model, sees an error in turn {turn}: {said}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


COLLECTOR = Collector(NAME, detect, read)
