"""Which request each step works on: the calls and returns among agents, as their parents in the log show them.

A step follows from its last parent p. Where p is a tool's result, or the agent's own step, the agent goes on with what
it was at. Where p is another agent's step, made for a request of this agent's, it is an answer: the agent goes on with
what it was at when it asked. Any other words of somebody else are a new request.

    1 User     What is Ana?                      -
    2 Planner  to North: Ana?        after 1     works on 1
    3 North    calls Files           after 2     works on 2
    4 Files    Ana: Hal +5.          after 3     works on 3
    5 North    to Planner: Hal +5.   after 4     works on 2, as 3 did
    6 Planner  to South: Hal?        after 5     works on 1: 5 answers 2, and 2 worked on 1
"""

from __future__ import annotations

from collections.abc import Sequence

from tracer.records import Step


def requests(steps: Sequence[Step]) -> list[int | None]:
    """The step that holds the request of each step; None where the log names no parent. One pass."""
    found: list[int | None] = []
    for step in steps:
        parents = [parent for parent in step.parents if 0 <= parent < step.index]
        found.append(_request(steps, step, max(parents), found) if parents else None)
    return found


def _request(steps: Sequence[Step], step: Step, parent: int, found: Sequence[int | None]) -> int | None:
    before = steps[parent]
    if step.kind == "tool_result":
        return parent
    if before.agent == step.agent:
        return found[parent]
    asked = found[parent]
    if asked is None or steps[asked].agent != step.agent:
        return None if before.kind == "tool_result" else parent
    return found[asked]
