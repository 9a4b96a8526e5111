"""The information dependency graph of a run: steps as nodes, and an edge where a later step used an earlier one.

Every edge says how it is known. `declared`: the log itself says so (a result answers its call, a reply its instruction,
a hand-off, the request that an agent works on, a mention by name). `reused`: what the source told the target's agent
stands in the target; of several that told it, the last one counts.

The quantities on the graph follow GraphTracer (arXiv 2510.10581, withdrawn; used as a source of ideas): ancestors of
the failure node, impact = alpha * out-degree + (1 - alpha) * betweenness, both scaled to [0, 1] within the run, and a
propagation path from the cause to the symptom. They explain a verdict; they are not where its accuracy comes from.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tracer.declared import declared_edges, next_to_each_other
from tracer.records import Edge, PathStep, Step
from tracer.reuse import first_mentions, reused_edges

if TYPE_CHECKING:
    import networkx as nx

ALPHA = 0.5
"""Share of out-degree in the impact. The paper's value is not known; a half favours neither."""
_EXACT_BETWEENNESS = 400
"""Up to so many nodes betweenness is exact; above, it is estimated from fewer sources, drawn with a fixed seed."""
_BETWEENNESS_WORK = 2_000_000
"""How many edges that estimate may look at, a few seconds' worth: one source looks at each edge once."""


def dependency_graph(steps: Sequence[Step], task: str = "") -> list[Edge]:
    """All edges of a run, ordered by target, then source; an edge always points forward in time."""
    return _ordered(*declared_edges(steps), *reused_edges(steps, task))


def origin_graph(steps: Sequence[Step], task: str = "") -> list[Edge]:
    """The graph in which a value comes from who said it first, and a step from what it followed at once.

    It says where information entered the run, not by whom it was passed on. The ranker was fitted on it.
    """
    return _ordered(*next_to_each_other(steps), *first_mentions(steps, task))


def _ordered(*edges: Edge) -> list[Edge]:
    return sorted(edges, key=lambda edge: (edge.target, edge.source, edge.origin))


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
