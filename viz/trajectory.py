"""A run as an ATIF trajectory (Agent Trajectory Interchange Format, version 1.7), for other tools.

A call and what it brought are one step of ATIF, by call id; words are a step of their own. ATIF knows one agent per
trajectory: here the one that spoke most. What it has no place for (who else acted, how a call ended and by which rule,
who used what) is kept under `extra.tracer`, from which our own collector reads it back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from tracer.records import Run, Step

VERSION: Final = "ATIF-v1.7"
_PEOPLE: Final = frozenset({"user", "human"})
_SYSTEM: Final = frozenset({"system", "developer"})
_CALLS: Final = frozenset({"tool_call", "handoff"})
_ADDED: Final = (
    "index",
    "agent",
    "kind",
    "role",
    "recipient",
    "tool",
    "call_id",
    "tool_status",
    "tool_rule",
    "marks",
    "model",
    "reasoning_state",
    "reasoning_origin",
    "raw_time",
    "parents",
)
"""Fields of a step that go into `extra.tracer` as they are."""
_TOLD: Final = frozenset({"call_id", "model", "tool"})
"""Fields that are told though they are empty: ATIF demands something in their place."""


def trajectory(run: Run, steps: Sequence[Step]) -> dict[str, Any]:
    """The trajectory as JSON values; steps of ATIF are numbered from 1."""
    grouped = [_merged(group) for group in _groups(steps)]
    found = [{"step_id": number, **step} for number, step in enumerate(grouped, start=1)]
    metrics = {
        "total_prompt_tokens": sum(step.input_tokens or 0 for step in steps),
        "total_completion_tokens": sum(step.output_tokens or 0 for step in steps),
        "total_steps": len(found),
    }
    own = {
        "run": run.id,
        "format": run.format,
        "framework": run.framework,
        "outcome": run.outcome,
        "outcome_source": run.outcome_source,
    }
    return {
        "schema_version": VERSION,
        "session_id": run.id,
        "trajectory_id": run.id,
        "agent": {"name": _agent(run, steps), "version": "unknown"},
        "steps": found,
        "final_metrics": metrics,
        "extra": {"tracer": own},
    }


def _agent(run: Run, steps: Sequence[Step]) -> str:
    """Who spoke most; of a run in which nobody did, its framework or format."""
    counted = Counter(step.agent for step in steps if _source(step) == "agent" and step.kind != "tool_result")
    return counted.most_common(1)[0][0] if counted else run.framework or run.format


def _source(step: Step) -> str:
    if step.kind in _CALLS:
        return "agent"
    if step.kind == "system" or step.role in _SYSTEM:
        return "system"
    return "user" if step.agent.lower() in _PEOPLE else "agent"


def _groups(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps that make one step of ATIF: words, or a call, with the results that name it."""
    groups: list[list[Step]] = []
    by_call: dict[str, list[Step]] = {}
    for step in steps:
        if step.kind == "tool_result" and step.call_id in by_call:
            by_call[step.call_id].append(step)
            continue
        groups.append([step])
        if step.kind in _CALLS and step.call_id:
            by_call[step.call_id] = groups[-1]
    return groups


def _merged(group: Sequence[Step]) -> dict[str, Any]:
    """One step of ATIF. Only an agent's may hold a model, reasoning, calls and metrics."""
    first = group[0]
    results = [step for step in group if step.kind == "tool_result"]
    source = "system" if first.kind == "tool_result" else _source(first)
    made: dict[str, Any] = {
        "source": source,
        "timestamp": _time(first.started),
        "message": "" if first.kind == "tool_result" else first.content,
    }
    if source == "agent":
        made["model_name"] = first.model
        made["reasoning_content"] = first.reasoning
        made["metrics"] = _metrics(first)
    if first.kind in _CALLS:
        made["tool_calls"] = [_call(first)]
    elif first.kind != "tool_result":
        made["extra"] = {"tracer": _added(first, source)}
    if results:
        called = first.kind in _CALLS
        made["observation"] = {"results": [_result(step, first if called else None) for step in results]}
    return {key: value for key, value in made.items() if value is not None}


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _metrics(step: Step) -> dict[str, int] | None:
    found = {"prompt_tokens": step.input_tokens, "completion_tokens": step.output_tokens}
    return {key: value for key, value in found.items() if value is not None} or None


def _call(step: Step) -> dict[str, Any]:
    """Arguments are an object in ATIF: what is none goes under `input`, and stays as it was in `extra`."""
    try:
        arguments = orjson.loads(step.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = step.arguments
    if not isinstance(arguments, Mapping):
        arguments = {"input": arguments}
    return {
        "tool_call_id": step.call_id or f"call-{step.index}",
        "function_name": step.tool or "tool",
        "arguments": dict(arguments),
        "extra": {"tracer": {**_added(step, "agent"), "arguments": step.arguments}},
    }


def _result(step: Step, call: Step | None) -> dict[str, Any]:
    made = {"content": step.content, "extra": {"tracer": _added(step, "system")}}
    return {"source_call_id": call.call_id, **made} if call else made


def _added(step: Step, source: str) -> dict[str, Any]:
    """What ATIF has no place for; of a step that is no agent's, also what only an agent's may hold."""
    made = {name: getattr(step, name) for name in _ADDED}
    made |= {"started": _time(step.started), "ended": _time(step.ended)}
    if source != "agent":
        made |= {name: getattr(step, name) for name in ("reasoning", "input_tokens", "output_tokens")}
    return {name: value for name, value in made.items() if value not in (None, ()) or name in _TOLD}
