"""Where a run's steps stand on a page: one lane per agent, time downwards, dependencies as curves.

Layout is plain arithmetic in one pass over steps and edges (2,000 steps in well under 0.1 s). All lengths are CSS
pixels. Steps that matter get tall rows, the others recede into short ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from tracer.records import Edge, Step

MAX_LANES: Final = 10
"""With more agents than this, the quieter ones share the last lane: thinner lanes could not be told apart."""
MAX_CURVES: Final = 1_500
"""Curves beyond this number, weakest first, are left to the evidence lists: the eye sees a grey block by then."""
_LANES_WIDTH: Final = 190.0
_WIDEST, _NARROWEST = 44.0, 18.0
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
    strongest = sorted(drawable, key=lambda edge: -edge.weight)[:MAX_CURVES]
    curves = tuple(_curve(place[edge.source], place[edge.target], edge.origin, spacing) for edge in strongest)
    known = [step for step in route if step in place]
    hops = tuple(_curve(place[a], place[b], "route", spacing) for a, b in zip(known, known[1:], strict=False))
    lanes = tuple(Lane(agent, lane[agent], others if agent == agents[-1] else 0) for agent in agents)
    return Layout(lanes, tuple(rows), curves, hops, len(drawable) - len(curves), spacing * len(agents), top, short)


def _agents(steps: Sequence[Step], tall: Collection[int]) -> tuple[list[str], int]:
    """The agents that get a lane, in order of first appearance, and how many share the last one (0: nobody)."""
    said = Counter(step.agent for step in steps)
    if len(said) <= MAX_LANES:
        return list(said), 0
    matter = {step.agent for step in steps if step.index in tall}
    kept = set(sorted(said, key=lambda agent: (agent not in matter, -said[agent]))[:MAX_LANES])
    order = [agent for agent in said if agent in kept]
    return order, len(said) - MAX_LANES + 1


def _curve(source: Row, target: Row, origin: str, spacing: float) -> Curve:
    """Leave and arrive vertically between lanes; within one lane, bulge to the right so as not to cover its steps."""
    drop = target.y - source.y
    bend = drop / 2 if abs(drop) < 120 else 60.0 if drop > 0 else -60.0
    bulge = min(spacing * 0.45, 5 + abs(drop) / 10) if source.x == target.x else 0.0
    d = (
        f"M{source.x:.1f} {source.y:.1f}C{source.x + bulge:.1f} {source.y + bend:.1f} "
        f"{target.x + bulge:.1f} {target.y - bend:.1f} {target.x:.1f} {target.y:.1f}"
    )
    return Curve(source.step, target.step, origin, d)
