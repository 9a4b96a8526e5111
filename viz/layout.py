"""Where a run's steps stand on a page: one lane per agent, time downwards, phases to fold.

Plain arithmetic in one pass over steps and edges (2,000 steps in well under 0.1 s). What is measured in pixels is left
to the page, which knows its window, its zoom and what is folded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tracer.records import Edge, Step

MAX_LANES: Final = 10
"""With more agents than this, the quieter ones share the last lane: thinner lanes could not be told apart."""
MAX_MAIN: Final = 1_500
"""Edges beyond this number, weakest first, show only when one of their ends is chosen: the eye sees a grey block."""
_FAR: Final = 20
"""Longer edges, in steps, are never main: in a long run they pile up into a wall that says nothing."""
_SWEEPS: Final = 12


class Lane(NamedTuple):
    """One agent's column, or the shared column of the quieter agents."""

    agent: str
    others: int
    """How many agents share the lane; 0 for a lane of one agent."""


class Phase(NamedTuple):
    """A stretch of steps that one plan, order or hand-off opened."""

    first: int
    """Position of its first step in the run."""
    last: int
    opens: str
    """Why it begins there: "plan", "replan", "instruction", "hand-off", "user", or "" for the beginning."""


class Layout(NamedTuple):
    """A run on the page."""

    lanes: tuple[Lane, ...]
    lane: tuple[int, ...]
    """Lane of each step."""
    phases: tuple[Phase, ...]
    main: frozenset[int]
    """Edges, by position, that are drawn always: the strongest of its origin into its target, unless it is long."""


def layout(steps: Sequence[Step], edges: Sequence[Edge], keep: Collection[int] = ()) -> Layout:
    """Place every step; agents of the steps in `keep` get a lane of their own whatever they say."""
    agents, others = _agents(steps, keep)
    agents = _ordered(agents, steps, edges) if not others else agents
    place = {agent: position for position, agent in enumerate(agents)}
    lane = tuple(place.get(step.agent, len(agents) - 1) for step in steps)
    lanes = tuple(Lane(agent, others if place[agent] == len(agents) - 1 else 0) for agent in agents)
    return Layout(lanes, lane, phases(steps), _main(edges))


def phases(steps: Sequence[Step]) -> tuple[Phase, ...]:
    """Cut the run where a plan, an order, a hand-off or the user opens something new; one phase where nothing does."""
    if not steps:
        return ()
    starts = [(0, "")]
    for place, (before, step) in enumerate(pairwise(steps), start=1):
        opens = _opens(step)
        if opens and opens != _opens(before):
            starts.append((place, opens))
    ends = [first - 1 for first, _ in starts[1:]] + [len(steps) - 1]
    return tuple(Phase(first, last, opens) for (first, opens), last in zip(starts, ends, strict=True))


def _opens(step: Step) -> str:
    for mark in ("replan", "instruction"):
        if mark in step.marks:
            return mark
    if step.kind == "plan":
        return "plan"
    if step.kind == "handoff":
        return "hand-off"
    return "user" if step.role == "user" and step.kind == "message" else ""


def _agents(steps: Sequence[Step], keep: Collection[int]) -> tuple[list[str], int]:
    """The agents that get a lane, in order of first appearance, and how many share the last one (0: nobody)."""
    said = Counter(step.agent for step in steps)
    if len(said) <= MAX_LANES:
        return list(said), 0
    matter = {step.agent for step in steps if step.index in keep}
    ranked = sorted(said, key=lambda agent: (agent not in matter, -said[agent]))
    alone = set(ranked[: MAX_LANES - 1])
    return [*(agent for agent in said if agent in alone), ranked[MAX_LANES - 1]], len(said) - len(alone)


def _ordered(agents: list[str], steps: Sequence[Step], edges: Sequence[Edge]) -> list[str]:
    """Neighbouring lanes change places while that shortens the edges; who opens the run stays on the left."""
    who = {step.index: step.agent for step in steps}
    traffic: Counter[tuple[str, str]] = Counter()
    for edge in edges:
        if edge.source in who and edge.target in who:
            traffic[who[edge.source], who[edge.target]] += 1
    order = list(agents)
    for _ in range(_SWEEPS):
        swaps = [_swapped(order, k) for k in range(1, len(order) - 1)]
        best = min(swaps, key=lambda each: _length(each, traffic), default=order)
        if _length(best, traffic) >= _length(order, traffic):
            break
        order = best
    return order


def _swapped(order: list[str], k: int) -> list[str]:
    return [*order[:k], order[k + 1], order[k], *order[k + 2 :]]


def _length(order: list[str], traffic: Counter[tuple[str, str]]) -> int:
    at = {agent: place for place, agent in enumerate(order)}
    return sum(count * abs(at[a] - at[b]) for (a, b), count in traffic.items())


def _main(edges: Sequence[Edge]) -> frozenset[int]:
    seen: set[tuple[int, str]] = set()
    chosen: list[int] = []
    for k in sorted(range(len(edges)), key=lambda k: (-edges[k].weight, edges[k].target - edges[k].source)):
        edge = edges[k]
        if (edge.target, edge.origin) not in seen and abs(edge.target - edge.source) <= _FAR:
            chosen.append(k)
        seen.add((edge.target, edge.origin))
    return frozenset(chosen[:MAX_MAIN])
