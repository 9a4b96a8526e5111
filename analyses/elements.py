"""What a run is made of, as far as runs can be compared by it: agents, tools, how they failed, what was dropped.

Each kind of element is one function in KINDS, the narrowest kind first. An element says nothing of what a run is about:
numbers, names and identifiers in the texts of failures are made alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from tracer.analyses.fields import fields
from tracer.analyses.signatures import signature
from tracer.analyses.view import View
from tracer.records import Step

_FAILED = {"error": "fails", "empty": "brings nothing"}


class Element(NamedTuple):
    """Something that a run may have."""

    kind: str
    """A name in KINDS."""
    names: tuple[str, ...]


class Failure(NamedTuple):
    """A tool's call that did not succeed."""

    tool: str
    how: str
    """fails, or brings nothing."""
    text: str
    """Its signature."""
    caller: str
    before: str | None
    """Which agent had acted before the caller did; None where it was the first."""


class Turn(NamedTuple):
    """What an agent said and did before another one did."""

    agent: str
    first: int
    fields: frozenset[str]


class Made:
    """A run's steps, and what the kinds of elements ask of them, each computed once."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.view = View(steps)
        self.steps = steps

    @cached_property
    def acting(self) -> list[Step]:
        """The steps of the agents of the system: neither of those who pose the task nor of terminals and tools."""
        apart = self.view.users | self.view.executors
        return [step for step in self.steps if step.agent not in apart and step.kind != "system"]

    @cached_property
    def turns(self) -> list[Turn]:
        """Everybody's turns, tools included."""
        turns: list[Turn] = []
        for step in self.steps:
            if step.kind == "system":
                continue
            said = frozenset() if step.tool_status in _FAILED else fields(step.spoken)
            if turns and turns[-1].agent == step.agent:
                turns[-1] = turns[-1]._replace(fields=turns[-1].fields | said)
            else:
                turns.append(Turn(step.agent, step.index, said))
        return turns

    @cached_property
    def own(self) -> dict[str, set[str]]:
        """The fields that each agent of the system fills in, in any of its turns."""
        acting = {step.agent for step in self.acting}
        found: dict[str, set[str]] = {}
        for turn in self.turns:
            if turn.agent in acting:
                found.setdefault(turn.agent, set()).update(turn.fields)
        return found

    @cached_property
    def given(self) -> list[tuple[str, str]]:
        """Each agent of the system with each field that the turn before one of its turns filled in."""
        pairs = [(turn.agent, name) for before, turn in pairwise(self.turns) for name in sorted(before.fields)]
        return [pair for pair in dict.fromkeys(pairs) if pair[0] in self.own]

    @cached_property
    def filled(self) -> list[tuple[str, str]]:
        """Each tool with each argument that all of its calls have."""
        calls: dict[str, list[frozenset[str]]] = {}
        for step in self.steps:
            if step.kind == "tool_call" and step.tool:
                calls.setdefault(step.tool, []).append(fields(step.arguments or ""))
        return [(tool, name) for tool, held in calls.items() for name in sorted(frozenset.intersection(*held))]

    @cached_property
    def tools(self) -> list[tuple[str, str]]:
        """Caller and tool of every call."""
        calls = [(step.agent, step.tool) for step in self.steps if step.kind in {"tool_call", "handoff"} and step.tool]
        return list(dict.fromkeys(calls))

    @cached_property
    def failures(self) -> list[Failure]:
        """The calls that did not succeed, in order."""
        found = []
        for step in self.steps:
            if step.tool_status in _FAILED:
                caller = self._caller(step)
                tool = step.tool or (caller.tool if caller else None) or _nameless(step)
                who = caller.agent if caller else step.agent
                before = self._before(caller.index if caller else step.index, who)
                found.append(Failure(tool, _FAILED[step.tool_status], signature(step.content), who, before))
        return found

    def _caller(self, result: Step) -> Step | None:
        """The step that a result answers: the last one that the log names, else the last one of an agent."""
        if result.kind != "tool_result":
            return result
        named = [self.steps[parent] for parent in result.parents if 0 <= parent < result.index]
        earlier = named or [step for step in self.acting if step.index < result.index]
        return earlier[-1] if earlier else None

    def _before(self, index: int, agent: str) -> str | None:
        earlier = [step.agent for step in self.acting if step.index < index and step.agent != agent]
        return earlier[-1] if earlier else None


def _nameless(step: Step) -> str:
    """What did not succeed, where the log names no tool: who returned it, or what the agent itself did."""
    return step.agent if step.kind == "tool_result" else "action"


Names = Iterable[tuple[str, ...]]


class Kind(NamedTuple):
    """A kind of element."""

    words: str | None
    """How one is told, with its names in the places; None where only the lack of it is."""
    find: Callable[[Made], Names]
    trouble: bool = False
    """Whether it is a sign of trouble by itself, whatever successful runs are like."""


class Lack(NamedTuple):
    """That a run has not what others have."""

    kind: str
    words: str
    within: tuple[str, int] | None = None
    """Counted among the runs that have the element of this kind with so many of the names; None for all runs."""
    trouble: bool = False


def _agents(made: Made) -> Names:
    return [(agent,) for agent in dict.fromkeys(step.agent for step in made.acting)]


def _turns(made: Made) -> Names:
    order = [step.agent for step in made.acting]
    return [(one, other) for one, other in pairwise(order) if one != other]


KINDS: dict[str, Kind] = {
    "failure": Kind("{0} {1}: {2}", lambda m: [(f.tool, f.how, f.text) for f in m.failures if f.text], True),
    "failing tool after an agent": Kind(
        "{0} {1} for {2} after {3}",
        lambda m: [(f.tool, f.how, f.caller, f.before) for f in m.failures if f.before],
        True,
    ),
    "failing tool of an agent": Kind(
        "{0} {1} for {2}", lambda m: [(f.tool, f.how, f.caller) for f in m.failures], True
    ),
    "given field": Kind(None, lambda m: m.given),
    "kept field": Kind(None, lambda m: [pair for pair in m.given if pair[1] in m.own[pair[0]]]),
    "argument": Kind(None, lambda m: m.filled),
    "field": Kind(None, lambda m: [(agent, name) for agent, names in m.own.items() for name in names]),
    "failing tool": Kind("{0} {1}", lambda m: [(f.tool, f.how) for f in m.failures], True),
    "tool of an agent": Kind("{0} calls {1}", lambda m: m.tools),
    "hand-off": Kind("{0} → {1}", _turns),
    "tool": Kind("{0} is called", lambda m: [(tool,) for _, tool in m.tools]),
    "step kind of an agent": Kind("{1} of {0}", lambda m: [(step.agent, step.kind) for step in m.acting]),
    "agent": Kind("{0} takes part", _agents),
    "step kind": Kind("a {0}", lambda m: [(step.kind,) for step in m.steps]),
}
"""Every kind of element, the narrowest first."""
LACKS: dict[str, Lack] = {
    "kept field": Lack("dropped field", "{0} drops “{1}”", ("given field", 2), True),
    "argument": Lack("missing argument", "{0} is called without “{1}”", ("tool", 1)),
    "field": Lack("missing field", "{0} fills in no “{1}”", ("agent", 1)),
    "tool": Lack("missing tool", "{0} is not called"),
    "agent": Lack("missing agent", "{0} takes no part"),
}
"""Of these kinds it counts that a run has none although others have."""
USUAL = 0.25
"""A field or an argument is missed where at least so many of the runs that could have it have it."""
_OF_LACK = {lack.kind: (name, lack) for name, lack in LACKS.items()}
_NARROWNESS = {name: place for place, name in enumerate(KINDS)} | {
    kind: list(KINDS).index(name) + 0.5 for kind, (name, _) in _OF_LACK.items()
}


def spectrum(steps: Sequence[Step]) -> frozenset[Element]:
    """The elements of one run."""
    made = Made(steps)
    return frozenset(Element(name, names) for name, kind in KINDS.items() for names in kind.find(made))


def lack_of(element: Element) -> Element | None:
    """The element that runs have which have not this one; None where that says nothing."""
    lack = LACKS.get(element.kind)
    return Element(lack.kind, element.names) if lack else None


def room_for(element: Element) -> Element | None:
    """What a run must have for its lack of an element to count; None where every run could have it."""
    within = LACKS[element.kind].within
    return Element(within[0], element.names[: within[1]]) if within else None


def is_told(element: Element) -> bool:
    """Whether the element itself is a suspect."""
    return element.kind in _OF_LACK or KINDS[element.kind].words is not None


def is_trouble(element: Element) -> bool:
    """Whether it is a sign of trouble by itself."""
    return _OF_LACK[element.kind][1].trouble if element.kind in _OF_LACK else KINDS[element.kind].trouble


def narrowness(element: Element) -> tuple[float, tuple[str, ...]]:
    """Smaller for an element that says more; a complete order."""
    return _NARROWNESS[element.kind], element.names


def words(element: Element) -> str:
    """An element in words, verbatim from the log: whoever shows it makes it safe."""
    told = _OF_LACK[element.kind][1].words if element.kind in _OF_LACK else KINDS[element.kind].words
    return (told or "{0}").format(*element.names)
