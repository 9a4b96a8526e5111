"""The information dependency graph of a run: steps as nodes, and an edge where a later step used an earlier one.

Every edge says how it is known. `declared`: the log itself says so (a result answers its call, a reply its instruction,
a hand-off, a mention by name). `reused`: a value that was first seen in the source stands in the target.

The reused edge from u to v has the weight

    w(u, v) = sum of weight(t) * idf(t) over the values t of v that u introduced
              / sum of weight(t) * idf(t) over all values of v that any earlier step introduced        in (0, 1],

with idf(t) = ln((N + 1) / (df(t) + 1)) over the N steps of the run. A value belongs to the step that wrote it first;
what the task itself contains belongs to nobody.

The quantities on the graph follow GraphTracer (arXiv 2510.10581, withdrawn; used as a source of ideas): ancestors of
the failure node, impact = alpha * out-degree + (1 - alpha) * betweenness, both scaled to [0, 1] within the run, and a
propagation path from the cause to the symptom. They explain a verdict; they are not where its accuracy comes from.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tracer.records import Edge, PathStep, Step, TextSpan
from tracer.values import Value, values

if TYPE_CHECKING:
    import networkx as nx

ALPHA = 0.5
"""Share of out-degree in the impact. The paper's value is not known; a half favours neither."""
MIN_WEIGHT = 0.05
"""Reused edges lighter than this are not kept: on long pages nearly every pair of steps shares some word."""
SPANS_PER_EDGE = 8
"""Of the shared values, this many of the heaviest are kept as text spans."""
_EXACT_BETWEENNESS = 400
"""Up to so many nodes betweenness is exact; above, it is estimated from fewer sources, drawn with a fixed seed."""
_BETWEENNESS_WORK = 2_000_000
"""How many edges that estimate may look at, a few seconds' worth: one source looks at each edge once."""


class Shared(NamedTuple):
    """One value that an edge carries."""

    source: Value
    target: Value
    mass: float


def dependency_graph(steps: Sequence[Step], task: str = "") -> list[Edge]:
    """All edges of a run, ordered by target, then source; an edge always points forward in time."""
    edges = [*declared_edges(steps), *reused_edges(steps, task)]
    return sorted(edges, key=lambda edge: (edge.target, edge.source, edge.origin))


def declared_edges(steps: Sequence[Step]) -> list[Edge]:
    """Edges that the log states: parents (call ids, replies, links), hand-offs, mentions of an agent by name."""
    found: dict[tuple[int, int], Edge] = {}
    for source, target, weight, reason in [*_parents(steps), *_handoffs(steps), *_mentions(steps)]:
        found.setdefault(
            (source, target), Edge(source=source, target=target, origin="declared", weight=weight, reason=reason)
        )
    return list(found.values())


def _parents(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """A step that was given a whole history declares many parents; they share its weight."""
    for step in steps:
        for parent in step.parents:
            if 0 <= parent < step.index:
                yield parent, step.index, 1 / len(step.parents), _why_parent(step)


def _why_parent(step: Step) -> str:
    if step.call_id and step.kind not in {"tool_call", "handoff"}:  # a call names itself, and answers none
        return f"answers call {step.call_id}"
    return "is its result" if step.kind == "tool_result" else "was given it, says the log"


def _handoffs(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """From a step that addresses an agent to that agent's next step."""
    waiting: dict[str, int] = {}
    for step in steps:
        if (source := waiting.pop(step.agent.casefold(), None)) is not None:
            yield source, step.index, 1.0, f"hands on to {step.agent}"
        if step.recipient and step.recipient.casefold() != step.agent.casefold():
            waiting[step.recipient.casefold()] = step.index


def _mentions(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """From the latest step of an agent to a later step of another agent that names it."""
    names = {step.agent for step in steps if len(step.agent) >= 4 and not step.agent.islower()}
    if not names:
        return
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")(?!\w)")
    latest: dict[str, int] = {}
    for step in steps:
        for name in {found[0] for found in pattern.finditer(step.content)} - {step.agent}:
            if name in latest:
                yield latest[name], step.index, 0.5, f"mentions {name}"
        latest[step.agent] = step.index


def reused_edges(steps: Sequence[Step], task: str = "") -> list[Edge]:
    """Edges from the first introducer of a value to every later step in which the value stands."""
    occurrences = [_first_occurrences(step.spoken) for step in steps]
    frequency = Counter(key for found in occurrences for key in found)
    known = {value.key for value in values(task)} | _opening_values(steps)
    introduced: dict[str, tuple[int, Value]] = {}
    edges: list[Edge] = []
    for step, found in zip(steps, occurrences, strict=True):
        edges += _edges_into(step, found, introduced, frequency, steps)
        for key, value in found.items():
            if key not in known:
                introduced.setdefault(key, (step.index, value))
    return edges


def _opening_values(steps: Sequence[Step]) -> set[str]:
    """Values of the leading user and system messages: they are the task, too."""
    opening: set[str] = set()
    for step in steps:
        if (
            step.kind != "system"
            and (step.role or "").lower() not in {"system", "developer", "human"}
            and step.agent != "user"
        ):
            break
        opening |= {value.key for value in values(step.content)}
    return opening


def _first_occurrences(text: str) -> dict[str, Value]:
    first: dict[str, Value] = {}
    for value in values(text):
        first.setdefault(value.key, value)
    return first


def _edges_into(
    target: Step,
    found: dict[str, Value],
    introduced: dict[str, tuple[int, Value]],
    frequency: Counter[str],
    steps: Sequence[Step],
) -> list[Edge]:
    shared: dict[int, list[Shared]] = defaultdict(list)
    for key, value in found.items():
        if key in introduced:
            source, origin = introduced[key]
            mass = value.weight * math.log((len(steps) + 1) / (frequency[key] + 1))
            if mass > 0:
                shared[source].append(Shared(origin, value, mass))
    total = sum(item.mass for items in shared.values() for item in items)
    return [
        _reused_edge(steps[source], target, items, weight)
        for source, items in shared.items()
        if (weight := sum(item.mass for item in items) / total) >= MIN_WEIGHT
    ]


def _reused_edge(source: Step, target: Step, items: list[Shared], weight: float) -> Edge:
    items = sorted(items, key=lambda item: (-item.mass, item.target.start))[:SPANS_PER_EDGE]
    sources, targets = source.spoken, target.spoken
    words = [targets[item.target.start : item.target.end] for item in items[:3]]
    return Edge(
        source=source.index,
        target=target.index,
        origin="reused",
        weight=min(1.0, weight),
        reason="reuses " + ", ".join(text if len(text) <= 40 else text[:39] + "…" for text in words),
        source_spans=tuple(_span(sources, item.source) for item in items),
        target_spans=tuple(_span(targets, item.target) for item in items),
    )


def _span(text: str, value: Value) -> TextSpan:
    return TextSpan(start=value.start, end=value.end, text=text[value.start : value.end])


def as_networkx(steps: Sequence[Step], edges: Iterable[Edge]) -> nx.DiGraph[int]:
    """The graph as a networkx DiGraph; parallel edges of several origins become one, with the largest weight."""
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    for step in steps:
        graph.add_node(step.index, agent=step.agent, kind=step.kind)
    for edge in edges:
        held = graph.get_edge_data(edge.source, edge.target)
        if held is None or held["weight"] < edge.weight:
            graph.add_edge(edge.source, edge.target, weight=edge.weight, origin=edge.origin, reason=edge.reason)
    return graph


def ancestors(edges: Iterable[Edge], node: int) -> set[int]:
    """All steps from which information could have come to `node`."""
    sources: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        sources[edge.target].add(edge.source)
    reached: set[int] = set()
    frontier = [node]
    while frontier:
        for source in sources[frontier.pop()] - reached:
            reached.add(source)
            frontier.append(source)
    return reached


def impact(steps: Sequence[Step], edges: Sequence[Edge], alpha: float = ALPHA) -> dict[int, float]:
    """alpha * out-degree + (1 - alpha) * betweenness of each step, each divided by its largest value in the run."""
    import networkx as nx

    graph = as_networkx(steps, edges)
    between: dict[int, float] = nx.betweenness_centrality(graph, k=_sources(graph), seed=0)
    degree = {node: float(count) for node, count in graph.out_degree()}
    top_degree, top_between = max(degree.values(), default=0) or 1.0, max(between.values(), default=0) or 1.0
    return {node: alpha * degree[node] / top_degree + (1 - alpha) * between[node] / top_between for node in graph}


def _sources(graph: nx.DiGraph[int]) -> int | None:
    """From how many nodes betweenness is measured; None means all."""
    if len(graph) <= _EXACT_BETWEENNESS:
        return None
    edges: int = graph.number_of_edges()
    return max(32, min(_EXACT_BETWEENNESS, _BETWEENNESS_WORK // max(1, edges)))


def propagation_path(steps: Sequence[Step], edges: Sequence[Edge], cause: int, symptom: int) -> tuple[PathStep, ...]:
    """The likeliest way from the cause to the symptom: the path with the largest product of edge weights.

    Without a connecting path only the two ends are given: then nothing that we can see was carried over.
    """
    best = _best_predecessors(edges, cause, symptom)
    if cause == symptom:
        return (PathStep(step=cause, agent=steps[cause].agent, text=""),)
    if symptom not in best:
        ends = (cause, symptom)
        return tuple(PathStep(step=node, agent=steps[node].agent, text="") for node in ends)
    hops: list[PathStep] = []
    node = symptom
    while node != cause:
        edge = best[node]
        text = ", ".join(span.text for span in edge.target_spans[:3]) or edge.reason
        hops.append(PathStep(step=node, agent=steps[node].agent, text=text, origin=edge.origin))
        node = edge.source
    return (PathStep(step=cause, agent=steps[cause].agent, text=""), *reversed(hops))


def _best_predecessors(edges: Sequence[Edge], cause: int, symptom: int) -> dict[int, Edge]:
    """For each step, the last edge of its best path from the cause. Edges point forward, so one sweep suffices."""
    score, best = {cause: 1.0}, dict[int, Edge]()
    for edge in sorted(edges, key=lambda edge: (edge.target, edge.source)):
        if edge.source in score and edge.target <= symptom:
            reached = score[edge.source] * max(edge.weight, 1e-9)
            if reached > score.get(edge.target, 0.0):
                score[edge.target], best[edge.target] = reached, edge
    return best


def pagerank_back(
    steps: Sequence[Step], edges: Sequence[Edge], seeds: dict[int, float], damping: float = 0.85
) -> list[float]:
    """Personalised PageRank on the reversed graph: how much of what reached the seeds came through each step.

    r = (1 - d) * s + d * (W^T r + dangling mass * s), with the edge weights into each step scaled to sum to 1 and the
    seeds s scaled to sum to 1. Edges point forward in time, so one sweep from the last step to the first solves it
    without iterating; the dangling mass goes back to the seeds by the final scaling.
    """
    total = sum(seeds.values()) or 1.0
    rank = [(1 - damping) * seeds.get(step.index, 0.0) / total for step in steps]
    into: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        into[edge.target].append(edge)
    for node in range(len(steps) - 1, -1, -1):
        mass = sum(edge.weight for edge in into[node])
        for edge in into[node]:
            rank[edge.source] += damping * rank[node] * edge.weight / mass
    scale = sum(rank) or 1.0
    return [value / scale for value in rank]


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_graphml(steps: Sequence[Step], edges: Iterable[Edge]) -> bytes:
    """The graph as GraphML; characters that XML forbids become U+FFFD."""
    import io

    import networkx as nx

    graph = as_networkx(steps, edges)
    for _, attributes in [*graph.nodes(data=True), *((None, data) for *_, data in graph.edges(data=True))]:
        attributes.update(
            {key: _NOT_XML.sub("\ufffd", value) for key, value in attributes.items() if isinstance(value, str)}
        )
    buffer = io.BytesIO()
    nx.write_graphml_xml(graph, buffer)  # the lxml writer is not used: it is not among our dependencies
    return buffer.getvalue()
