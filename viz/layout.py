"""Where a run's steps stand on a page: one lane per agent, time downwards, dependencies as curves.

Layout is plain arithmetic in one pass over steps and edges (2,000 steps in well under 0.1 s). All lengths are CSS
pixels. Steps that matter get tall rows, the others recede into short ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tracer.records import Edge, Step

MAX_LANES: Final = 10
"""With more agents than this, the quieter ones share the last lane: thinner lanes could not be told apart."""
MAX_CURVES: Final = 1_500
"""Curves beyond this number, weakest first, are left to the evidence lists: the eye sees a grey block by then."""
_LANES_WIDTH: Final = 190.0
_WIDEST, _NARROWEST = 44.0, 18.0
_LONG = 480.0
_TALL, _SHORT, _SHORTEST = 54, 30, 24


class Lane(NamedTuple):
    """One agent's column, or the shared column of the quieter agents."""

    agent: str
    x: float
    others: int
    """How many agents share the lane; 0 for a lane of one agent."""


class Row(NamedTuple):
    """One step's place."""

    step: int
    x: float
    y: float
    """Centre of the row."""
    tall: bool


class Curve(NamedTuple):
    """One drawn dependency."""

    source: int
    target: int
    origin: str
    d: str
    """SVG path data."""
    main: bool
    """Drawn always: the strongest of its origin into its target, unless it is long. The others show when one of
    their ends is chosen."""


class Layout(NamedTuple):
    """A run on the page."""

    lanes: tuple[Lane, ...]
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    route: tuple[Curve, ...]
    """The hops from the cause to the symptom, drawn above everything else."""
    undrawn: int
    """Edges for which there was no room."""
    width: float
    height: float
    short: int
    """Height of a row that recedes."""


def layout(steps: Sequence[Step], edges: Sequence[Edge], tall: Collection[int], route: Sequence[int] = ()) -> Layout:
    """Place every step and the strongest edges; `tall` steps stand out, `route` is the way from cause to symptom."""
    agents, others = _agents(steps, tall)
    spacing = max(_NARROWEST, min(_WIDEST, _LANES_WIDTH / max(1, len(agents))))
    lane = {agent: (position + 0.5) * spacing for position, agent in enumerate(agents)}
    shared = lane[agents[-1]] if agents else spacing / 2
    short = _SHORT if len(steps) <= 40 else _SHORTEST
    rows, top = [], 0.0
    for step in steps:
        height = _TALL if step.index in tall else short
        rows.append(Row(step.index, lane.get(step.agent, shared), top + height / 2, step.index in tall))
        top += height
    place = {row.step: row for row in rows}
    drawable = [edge for edge in edges if edge.source in place and edge.target in place and edge.source != edge.target]
    curves = tuple(_curves(drawable, place, spacing))
    known = [step for step in route if step in place]
    hops = tuple(Curve(a, b, "route", _bow(place[a], place[b], spacing), True) for a, b in pairwise(known))
    lanes = tuple(Lane(agent, lane[agent], others if agent == agents[-1] else 0) for agent in agents)
    return Layout(lanes, tuple(rows), curves, hops, len(drawable) - len(curves), spacing * len(agents), top, short)


def _agents(steps: Sequence[Step], tall: Collection[int]) -> tuple[list[str], int]:
    """The agents that get a lane, in order of first appearance, and how many share the last one (0: nobody)."""
    said = Counter(step.agent for step in steps)
    if len(said) <= MAX_LANES:
        return list(said), 0
    matter = {step.agent for step in steps if step.index in tall}
    ranked = sorted(said, key=lambda agent: (agent not in matter, -said[agent]))
    alone = set(ranked[: MAX_LANES - 1])
    return [*(agent for agent in said if agent in alone), ranked[MAX_LANES - 1]], len(said) - len(alone)


def _curves(edges: Sequence[Edge], place: dict[int, Row], spacing: float) -> Iterator[Curve]:
    """The strongest edges. Long ones are never main: in a long run they pile up into a wall that says nothing."""
    seen: set[tuple[int, str]] = set()
    for edge in sorted(edges, key=lambda edge: (-edge.weight, edge.target - edge.source))[:MAX_CURVES]:
        source, target = place[edge.source], place[edge.target]
        main = (edge.target, edge.origin) not in seen and abs(target.y - source.y) <= _LONG
        yield Curve(edge.source, edge.target, edge.origin, _bow(source, target, spacing), main)
        seen.add((edge.target, edge.origin))


def _bow(source: Row, target: Row, spacing: float) -> str:
    """Leave and arrive vertically between lanes; within one lane, bulge to the right so as not to cover its steps."""
    drop = target.y - source.y
    bend = max(-60.0, min(60.0, drop / 2))
    bulge = 0.9 * spacing * abs(drop) / (abs(drop) + 300) if source.x == target.x else 0.0
    return (
        f"M{source.x:.1f} {source.y:.1f}C{source.x + bulge:.1f} {source.y + bend:.1f} "
        f"{target.x + bulge:.1f} {target.y - bend:.1f} {target.x:.1f} {target.y:.1f}"
    )
