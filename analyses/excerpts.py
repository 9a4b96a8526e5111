"""Long steps cut to a room, around the words that later steps reuse; and a room shared among steps.

Of a step that is too long there stay its beginning, its end, and a little around each span that an edge of the graph
carries on, heaviest edges first. What is cut is counted, and the prompt says how much stood there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tracer.records import Edge

AROUND = 80
"""Characters kept on each side of a reused span."""
ENDS = 0.5
"""Share of the room for the beginning and the end where spans are reused; without any they get all of it."""
TOKEN = 3.0
"""Characters of plain text to a token, on the low side; any other character counts as a token of its own."""

Range = tuple[int, int]


class Excerpt(NamedTuple):
    """What is left of a text."""

    parts: tuple[Range, ...]
    """Kept ranges, ascending and apart."""
    cut: int
    """Characters that are left out."""


def tokens(text: str) -> float:
    """About how many tokens a text takes at most: ASCII characters / 3, and every other character one."""
    plain = sum(map(str.isascii, text))
    return plain / TOKEN + (len(text) - plain)


def excerpt(length: int, room: int, spans: Iterable[Range] = ()) -> Excerpt:
    """The ranges of a text of `length` characters to keep in `room`; `spans` are wanted in their order."""
    if length <= room:
        return Excerpt(((0, length),) if length else (), 0)
    wanted = list(spans)
    ends = int(room * ENDS) if wanted else room
    kept = [(0, ends - ends // 3), (length - ends // 3, length)]
    for start, end in wanted:
        tried = _merged([*kept, (max(0, start - AROUND), min(length, end + AROUND))])
        if sum(high - low for low, high in tried) <= room:
            kept = tried
    kept = [each for each in _merged(kept) if each[1] > each[0]]
    return Excerpt(tuple(kept), length - sum(high - low for low, high in kept))


def _merged(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def reused(edges: Iterable[Edge], index: int) -> list[Range]:
    """The spans of a step that later steps took over, and those that it took over itself, heaviest edges first."""
    found = [
        (edge.weight, (span.start, span.end))
        for edge in edges
        for spans, step in ((edge.source_spans, edge.source), (edge.target_spans, edge.target))
        if step == index
        for span in spans
    ]
    return [span for _, span in sorted(found, key=lambda pair: -pair[0])]


def shares(sizes: Sequence[float], weights: Sequence[float], room: float) -> list[float]:
    """Room for each: all of it where it fits, else the same level per weight for those that are cut (water-filling)."""
    given = [0.0] * len(sizes)
    open_, left = sorted(range(len(sizes)), key=lambda k: sizes[k] / weights[k]), room
    total = sum(weights)
    for k in open_:
        given[k] = min(sizes[k], max(0.0, left) * weights[k] / total)
        left -= given[k]
        total -= weights[k]
    return given


def by_step(edges: Iterable[Edge]) -> Mapping[int, list[Edge]]:
    """The edges that touch each step."""
    found: dict[int, list[Edge]] = {}
    for edge in edges:
        for step in (edge.source, edge.target):
            found.setdefault(step, []).append(edge)
    return found
