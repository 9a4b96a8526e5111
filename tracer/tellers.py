"""Who told an agent a value: the last step that it was handed, else the last it may have heard, else its own.

A step was handed to its recipient, and to every agent whose steps the log says follow from it; a system message to its
own agent alone, and it takes nothing from anybody. What a log does not say, as in most group chats, everybody may have
heard. A tool hears nothing but what calls put before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracer.records import Step
from tracer.values import Value


class Teller(NamedTuple):
    """A step that says a value, and where."""

    step: Step
    value: Value


class Told:
    """Who said one value so far; asking and adding cost the same however often it was said."""

    def __init__(self) -> None:
        self.first: int | None = None
        """The step that brought it into the run."""
        self._handed: dict[str, Teller] = {}
        self._own: dict[str, Teller] = {}
        self._around: list[Teller] = []
        """The last ones of two agents, the latest last."""
        self._call: Teller | None = None

    def add(self, teller: Teller, hearers: set[str]) -> None:
        """A later step says it, and was handed to these agents."""
        step, agent = teller.step, _name(teller.step)
        self.first = step.index if self.first is None else self.first
        self._handed |= dict.fromkeys(hearers if is_prompt(step) else hearers - {agent}, teller)
        if is_prompt(step):
            return
        self._own[agent] = teller
        self._around = [*(each for each in self._around if _name(each.step) != agent), teller][-2:]
        if step.kind == "tool_call":
            self._call = teller

    def source(self, target: Step, *, thought: bool = False) -> Teller | None:
        """Who told it to the agent of a step; None where nobody did.

        A thought may work out what others worked out, too: of what only stands there (`thought`), nothing counts but
        what the agent was handed.
        """
        if target.kind == "tool_result" or is_prompt(target):
            return self._call if target.kind == "tool_result" else None
        agent = _name(target)
        if thought or agent in self._handed:
            return self._handed.get(agent)
        others = [each for each in self._around if _name(each.step) != agent]
        own = self._own.get(agent)
        return others[-1] if others else own


def hearers(steps: Sequence[Step]) -> list[set[str]]:
    """The agents that each step was handed to, as far as the log says."""
    heard: list[set[str]] = [{step.recipient.casefold()} if step.recipient else set() for step in steps]
    for step in steps:
        if is_prompt(step):
            heard[step.index].add(_name(step))
            continue
        for parent in step.parents:
            if 0 <= parent < step.index:
                heard[parent].add(_name(step))
    return heard


def is_prompt(step: Step) -> bool:
    """Whether a step is what an agent was set up with; the notices of an environment are none."""
    return step.kind == "system" and (step.role or "").lower() in {"system", "developer"}


def _name(step: Step) -> str:
    return step.agent.casefold()
