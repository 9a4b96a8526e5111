"""Reused edges: a value that one step says stands in a later one.

The edge from u to v has the weight

    w(u, v) = sum of weight(t) * idf(t) over the values t of v whose source is u
              / sum of weight(t) * idf(t) over all values of v that have a source        in (0, 1],

with idf(t) = ln((N + 1) / (df(t) + 1)) over the N steps of the run. What the task itself contains belongs to nobody.
Two readings of "source":

    reused_edges     who told the step's agent the value last (`tellers`), in what it says or in its reasoning; pairs of
                     a name and what is said of it (`statements`) are values, too. Who said it first is in the reason.
                     A call that its agent makes again, word for word, is its own words again, and takes nothing.
    first_mentions   the step that said it first, whoever heard it. The ranker was fitted on these.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tracer.records import Edge, Step, TextSpan
from tracer.statements import statements
from tracer.tellers import Teller, Told, hearers
from tracer.values import Value, values

MIN_WEIGHT = 0.05
"""Reused edges lighter than this are not kept: on long pages nearly every pair of steps shares some word."""
SPANS_PER_EDGE = 8
"""Of the shared values, this many of the heaviest are kept as text spans."""
_ARGUMENT_NAME = re.compile(r'"((?:[^"\\\n]|\\.){1,80})"(?=[ \t]{0,2}:)')
Found = dict[str, Value]
"""The values of a text by their keys, each where it stands first."""


class Shared(NamedTuple):
    """One value that an edge carries."""

    source: Value
    target: Value | None
    """None where it stands in the reasoning alone."""
    mass: float
    first: int
    """The step that said it first."""


def reused_edges(steps: Sequence[Step], task: str = "") -> list[Edge]:
    """Edges into every step from those that told its agent what it says and thinks."""
    said = [_said(step) for step in steps]
    frequency = Counter(key for found in said for key in found)
    known = {*_first(task, _all), *_opening(steps, _all)}
    heard = hearers(steps)
    told: dict[str, Told] = defaultdict(Told)
    calls: set[tuple[str, str | None, str | None]] = set()
    edges: list[Edge] = []
    for step, found in zip(steps, said, strict=True):
        shared: dict[int, list[Shared]] = defaultdict(list)
        call = (step.agent, step.tool, step.arguments)
        again = step.kind == "tool_call" and call in calls
        calls.add(call)
        for key, value in _used(step, {} if again else found).items():
            source = told[key].source(step, thought=value is None) if key in told else None
            if source is not None and (mass := _mass(source.value, len(steps), frequency[key])) > 0:
                first = told[key].first
                shared[source.step.index].append(Shared(source.value, value, mass, first or 0))
        edges += _edges(steps, step, shared)
        for key, value in found.items():
            if key not in known:
                told[key].add(Teller(step, value), heard[step.index])
    return edges


def first_mentions(steps: Sequence[Step], task: str = "") -> list[Edge]:
    """Edges from the first step that says a value to every later one in which it stands."""
    said = [_first(step.spoken, values) for step in steps]
    frequency = Counter(key for found in said for key in found)
    known = {*_first(task, values), *_opening(steps, values)}
    first: dict[str, tuple[int, Value]] = {}
    edges: list[Edge] = []
    for step, found in zip(steps, said, strict=True):
        shared: dict[int, list[Shared]] = defaultdict(list)
        for key, value in found.items():
            if key in first and (mass := _mass(value, len(steps), frequency[key])) > 0:
                source, origin = first[key]
                shared[source].append(Shared(origin, value, mass, source))
        edges += _edges(steps, step, shared)
        for key, value in found.items():
            if key not in known:
                first.setdefault(key, (step.index, value))
    return edges


def _mass(value: Value, steps: int, frequency: int) -> float:
    return value.weight * math.log((steps + 1) / (frequency + 1))


def _all(text: str) -> Iterable[Value]:
    yield from values(text)
    yield from statements(text)


def _first(text: str, read: Callable[[str], Iterable[Value]]) -> Found:
    first: Found = {}
    for value in read(text):
        first.setdefault(value.key, value)
    return first


def _said(step: Step) -> Found:
    """The values that a step gives to others. The names of a call's arguments are the tool's, and none."""
    if not step.arguments or step.arguments in step.content:
        return _first(step.spoken, _all)
    behind = len(step.content) + 1
    names = [found.span(1) for found in _ARGUMENT_NAME.finditer(step.arguments)]
    inside = {behind + place for start, end in names for place in range(start - 1, end)}
    said = _first(step.spoken, _all)
    return {key: each for key, each in said.items() if each.start not in inside or key.startswith("statement ")}


def _used(step: Step, said: Found) -> Mapping[str, Value | None]:
    """The values in what a step says and, as None, those that stand in its reasoning alone."""
    return {**dict.fromkeys(_first(step.reasoning or "", _all)), **said}


def _opening(steps: Sequence[Step], read: Callable[[str], Iterable[Value]]) -> set[str]:
    """Values of the leading user and system messages: they are the task, too."""
    opening: set[str] = set()
    for step in steps:
        if (
            step.kind != "system"
            and (step.role or "").lower() not in {"system", "developer", "human"}
            and step.agent != "user"
        ):
            break
        opening |= {value.key for value in read(step.content)}
    return opening


def _edges(steps: Sequence[Step], target: Step, shared: Mapping[int, list[Shared]]) -> list[Edge]:
    total = sum(item.mass for items in shared.values() for item in items)
    return [
        _edge(steps[source], target, items, weight)
        for source, items in shared.items()
        if (weight := sum(item.mass for item in items) / total) >= MIN_WEIGHT
    ]


def _edge(source: Step, target: Step, items: list[Shared], weight: float) -> Edge:
    items = sorted(items, key=lambda item: (-item.mass, item.target.start if item.target else 0))[:SPANS_PER_EDGE]
    targets = [item.target for item in items if item.target]
    return Edge(
        source=source.index,
        target=target.index,
        origin="reused",
        weight=min(1.0, weight),
        reason=f"reuses {', '.join(_word(source, target, item) for item in items[:3])}{_brought(source, items)}",
        source_spans=tuple(_span(source.spoken, item.source) for item in items),
        target_spans=tuple(_span(target.spoken, value) for value in targets),
    )


def _word(source: Step, target: Step, item: Shared) -> str:
    step, value = (target, item.target) if item.target else (source, item.source)
    text = step.spoken[value.start : value.end]
    return text if len(text) <= 40 else text[:39] + "…"


def _brought(source: Step, items: Sequence[Shared]) -> str:
    """Which step said the heaviest of the values first, where the source did not."""
    first = items[0].first
    return "" if first == source.index else f", first said in step {first}"


def _span(text: str, value: Value) -> TextSpan:
    return TextSpan(start=value.start, end=value.end, text=text[value.start : value.end])
