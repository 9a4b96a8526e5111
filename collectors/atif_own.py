"""What our own export adds to ATIF, given back to the steps: whose each was, in which order, and who used what.

ATIF has one agent for a trajectory, and no place for a result that comes late or for how a call ended. The export
keeps these under `extra.tracer` of steps, calls and results. They are foreign text all the same: what does not fit the
records is left, and the steps stay as the standard part tells them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tracer.collectors.fields import items
from tracer.records import Step

KEY = "tracer"
FIELDS = frozenset(
    {
        "content",
        "index",
        "agent",
        "kind",
        "role",
        "recipient",
        "tool",
        "arguments",
        "call_id",
        "tool_status",
        "tool_rule",
        "marks",
        "model",
        "reasoning",
        "reasoning_state",
        "reasoning_origin",
        "input_tokens",
        "output_tokens",
        "started",
        "ended",
        "raw_time",
        "parents",
    }
)
"""Of a step; its words and reasoning stand in the standard part, and are taken from there as they are."""

KEPT = ("pointer", "span_id", "model", "input_tokens", "output_tokens")


def restored(trajectory: Mapping[str, Any], steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with what the export added, in their own order; unchanged where it added nothing, or nonsense."""
    added = list(_added(trajectory))
    if len(added) != len(steps) or any("index" not in more for more in added):
        return tuple(steps)
    try:
        found = [_merged(step, more) for step, more in zip(steps, added, strict=True)]
    except ValidationError:
        return tuple(steps)
    found.sort(key=lambda step: step.index)
    sound = all(step.index == place for place, step in enumerate(found))
    sound = sound and all(0 <= parent < step.index for step in found for parent in step.parents)
    return tuple(found) if sound else tuple(steps)


def _merged(step: Step, more: Mapping[str, Any]) -> Step:
    """What was added, and of what was read only the fields of the standard part: nothing that we derived."""
    read = {key: getattr(step, key) for key in KEPT}
    return Step.model_validate(read | {key: value for key, value in more.items() if key in FIELDS})


def _added(trajectory: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The additions, in the order in which the steps are read: a step's calls or words, then its results."""
    for step in trajectory["steps"]:
        calls, observation = step.get("tool_calls"), step.get("observation")
        results = observation.get("results") if isinstance(observation, Mapping) else None
        words = {"content": step.get("message"), "reasoning": step.get("reasoning_content")}
        holders = [] if calls or (results and not step.get("message")) else [step]
        yield from (words | _own(each) for each in (*holders, *items(calls)))
        yield from ({"content": each.get("content")} | _own(each) for each in items(results) if _own(each))


def _own(holder: Any) -> dict[str, Any]:
    extra = holder.get("extra") if isinstance(holder, Mapping) else None
    own = extra.get(KEY) if isinstance(extra, Mapping) else None
    return dict(own) if isinstance(own, Mapping) else {}
