"""A run as the methods see it: who may be blamed, what followed each step, and where the failure shows.

No method sees a label or the right answer: a View is built from the steps and the task alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from tracer.analyses.others import Others
from tracer.graph import dependency_graph, origin_graph
from tracer.records import Edge, Step

USER_ROLES = frozenset({"human", "user", "user_proxy", "userproxy"})
"""Names of those who pose the task."""
CODE = re.compile(r"```")


class View:
    """Derived facts about a run, each computed once, at first use."""

    def __init__(self, steps: Sequence[Step], task: str = "", edges: Sequence[Edge] | None = None) -> None:
        self.steps = steps
        self.task = task
        self._edges = edges

    @cached_property
    def edges(self) -> Sequence[Edge]:
        """The information dependency graph."""
        return self._edges if self._edges is not None else dependency_graph(self.steps, self.task)

    @cached_property
    def origins(self) -> Sequence[Edge]:
        """Where information entered the run: what ranks steps was fitted on this graph, and on no other."""
        return origin_graph(self.own, self.task)

    @cached_property
    def others(self) -> Others:
        """Who tells of whom."""
        return Others(self.steps)

    @cached_property
    def own(self) -> Sequence[Step]:
        """The steps without what they tell of other agents' steps."""
        return [self.others.own(step) for step in self.steps]

    @cached_property
    def executors(self) -> frozenset[str]:
        """Agents that only ever return results: terminals and tools. They act on orders and are never blamed."""
        by_agent: dict[str, set[str]] = {}
        for step in self.steps:
            by_agent.setdefault(step.agent, set()).add(step.kind)
        return frozenset(
            agent
            for agent, kinds in by_agent.items()
            if "tool_result" in kinds and kinds <= {"tool_result", "system", "termination"}
        )

    @cached_property
    def users(self) -> frozenset[str]:
        """Those who pose the task: they are not part of the system that failed."""
        return frozenset(step.agent for step in self.steps if step.agent.lower() in USER_ROLES)

    @cached_property
    def candidates(self) -> list[int]:
        """Steps that may be blamed: what an agent of the system decided or did."""
        kept = [step.index for step in self.steps if self._blameable(step)]
        return (
            kept or [step.index for step in self.steps if step.kind != "system"] or [step.index for step in self.steps]
        )

    def _blameable(self, step: Step) -> bool:
        if step.agent in self.executors or step.agent in self.users:
            return False
        if step.kind in {"system", "termination", "tool_result"}:
            return False
        return "next_speaker" not in step.marks and "stall" not in step.marks

    @cached_property
    def orchestrated(self) -> bool:
        """True when an orchestrator keeps a ledger, or instructs the others before at least every fourth step."""
        ledgers = sum("ledger" in step.marks for step in self.steps)
        orders = sum("instruction" in step.marks for step in self.steps)
        return ledgers >= 2 or orders >= max(2, len(self.steps) / 4)

    @cached_property
    def actors(self) -> list[int]:
        """Candidates that act on the task: in an orchestrated run the members' own steps, else every candidate."""
        if not self.orchestrated:
            return self.candidates
        books = {step.agent for step in self.steps if {"ledger", "instruction"} & set(step.marks)}
        return [i for i in self.candidates if self.steps[i].agent not in books] or self.candidates

    @cached_property
    def results(self) -> dict[int, Step]:
        """The first result of each step: of its call or code, or the step itself where it reports its own action."""
        found: dict[int, Step] = {}
        for step in self.steps:
            if step.tool_status is None:
                continue
            if step.kind != "tool_result":
                found.setdefault(step.index, step)
            for parent in step.parents if step.kind == "tool_result" else ():
                found.setdefault(parent, step)
        return found

    def result_status(self, index: int) -> str | None:
        """ok, error, empty or unknown, for a step whose action has a known result."""
        result = self.results.get(index)
        return result.tool_status if result is not None else None

    def has_code(self, index: int) -> bool:
        """True when the step holds code of its own."""
        return bool(CODE.search(self.own[index].content))

    @cached_property
    def symptom(self) -> int:
        """The step at which the failure shows: the last substantive message, unless the log marks a final answer.

        Substantive: said by an agent of the system, not a bare termination, a notice or an empty text.
        """
        for step in reversed(self.steps):
            if "final_answer" in step.marks:
                return step.index
        for step in reversed(self.steps):
            if (
                step.agent not in self.users
                and step.kind not in {"system", "termination"}
                and len(step.content.strip()) > 1
            ):
                return step.index
        return len(self.steps) - 1
