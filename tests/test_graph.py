"""The information dependency graph: who used what from whom, worked out by hand on runs of a few steps."""

import math
import time
import xml.etree.ElementTree as ET
from io import BytesIO

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.graph import (
    ancestors,
    as_networkx,
    dependency_graph,
    impact,
    origin_graph,
    pagerank_back,
    propagation_path,
    to_graphml,
)
from tracer.records import Edge, EdgeOrigin, Step


def said(*texts: str, agents: str = "abcdefghij") -> list[Step]:
    """Steps by different agents, one for each text."""
    return [Step(index=i, agent=agents[i % 10], kind="message", content=text) for i, text in enumerate(texts)]


def edge(source: int, target: int, weight: float = 1.0, origin: EdgeOrigin = "declared") -> Edge:
    """An edge between two steps."""
    return Edge(source=source, target=target, origin=origin, weight=weight, reason="")


def ends(edges: list[Edge]) -> list[tuple[int, int]]:
    """Source and target of each edge."""
    return [(each.source, each.target) for each in edges]


DIAMOND = [edge(0, 1, 0.5), edge(0, 2, 0.9), edge(1, 3, 0.9), edge(2, 3, 0.4)]
"""0 -> 1 -> 3 has the product 0.45, 0 -> 2 -> 3 only 0.36."""


def test_declared_and_reused_stand_side_by_side_in_order() -> None:
    """By target, then source: the log's word is never mixed up with what text suggests."""
    steps = said("found 417", "krill", "took 417", "from krill")
    steps[2] = steps[2].model_copy(update={"parents": (0, 1)})
    found = dependency_graph(steps)
    assert [(each.source, each.target, each.origin) for each in found] == [
        (0, 2, "declared"),
        (0, 2, "reused"),
        (1, 2, "declared"),
        (1, 3, "reused"),
    ]


def test_where_a_value_came_from_and_who_told_it_are_two_graphs() -> None:
    """0 brings 417 and 1 passes it on to 2: the way is 0, 1, 2, the origin of both is 0."""
    steps = said("found 417", "took 417", "used 417", "krill")
    assert ends(dependency_graph(steps)) == [(0, 1), (1, 2)]
    assert ends(origin_graph(steps)) == [(0, 1), (0, 2)]


@pytest.mark.parametrize("steps", [[], said("alone")])
def test_runs_without_edges(steps: list[Step]) -> None:
    """Nothing to draw, nothing to break."""
    assert dependency_graph(steps) == []
    assert impact(steps, []) == {step.index: 0 for step in steps}
    assert sum(pagerank_back(steps, [], {0: 1.0})) == len(steps)


def test_ancestors_are_all_from_whom_a_step_can_be_reached() -> None:
    """Through any number of steps; the step itself is none."""
    edges = [*DIAMOND, edge(4, 5)]
    assert ancestors(edges, 3) == {0, 1, 2}
    assert ancestors(edges, 5) == {4}
    assert ancestors(edges, 0) == set()


def test_the_path_is_the_one_with_the_largest_product() -> None:
    """0.5 * 0.9 beats 0.9 * 0.4; each hop says what was carried and how we know."""
    path = propagation_path(said("a", "b", "c", "d"), DIAMOND, 0, 3)
    assert [(hop.step, hop.agent, hop.origin) for hop in path] == [
        (0, "a", None),
        (1, "b", "declared"),
        (3, "d", "declared"),
    ]


def test_the_path_tells_the_words_that_were_carried() -> None:
    """The first hop carries nothing yet."""
    steps = said("found 417", "took 417", "krill")
    path = propagation_path(steps, dependency_graph(steps), 0, 1)
    assert [(hop.step, hop.text, hop.origin) for hop in path] == [(0, "", None), (1, "417", "reused")]


def test_without_a_path_only_the_ends_are_told() -> None:
    """And from a step to itself there is one end."""
    steps = said("a", "b", "c")
    assert [hop.step for hop in propagation_path(steps, [edge(0, 1)], 0, 2)] == [0, 2]
    assert [hop.step for hop in propagation_path(steps, [edge(0, 1)], 1, 1)] == [1]


def test_the_best_path_of_a_random_graph_is_the_one_networkx_finds() -> None:
    """The largest product is the smallest sum of -ln."""
    generator = np.random.default_rng(2)
    steps = said(*["x"] * 25)
    pairs = [(s, t) for t in range(25) for s in range(t) if generator.random() < 0.2]
    edges = [edge(s, t, float(generator.uniform(0.05, 1))) for s, t in pairs]
    graph = nx.DiGraph()
    graph.add_weighted_edges_from((e.source, e.target, -math.log(e.weight)) for e in edges)
    reached = [target for target in range(1, 25) if graph.has_node(0) and nx.has_path(graph, 0, target)]
    assert reached
    for target in reached:
        path = [hop.step for hop in propagation_path(steps, edges, 0, target)]
        assert path == nx.dijkstra_path(graph, 0, target)


def test_impact_is_half_out_degree_and_half_betweenness() -> None:
    """On the diamond 0 has two ways out, 1 and 2 one way and half of the one pair between them, 3 nothing."""
    assert impact(said("a", "b", "c", "d"), DIAMOND) == {0: 0.5, 1: 0.75, 2: 0.75, 3: 0.0}
    assert impact(said("a", "b", "c", "d"), DIAMOND, alpha=1) == {0: 1.0, 1: 0.5, 2: 0.5, 3: 0.0}


def test_pagerank_is_that_of_the_power_iteration() -> None:
    """One sweep over a graph without loops gives what networkx iterates to on the reversed graph."""
    generator = np.random.default_rng(4)
    steps = said(*["x"] * 12)
    edges = [
        edge(s, t, float(generator.uniform(0.1, 1))) for t in range(12) for s in range(t) if generator.random() < 0.4
    ]
    seeds = {11: 1.0, 8: 3.0}
    matrix = np.zeros((12, 12))  # from a step to its sources
    for each in edges:
        matrix[each.target, each.source] = each.weight
    start = np.zeros(12)
    start[11], start[8] = 0.25, 0.75
    rank = start.copy()
    for _ in range(500):
        out = matrix.sum(axis=1)
        walk = (rank[out > 0, None] * matrix[out > 0] / out[out > 0, None]).sum(axis=0)
        rank = 0.15 * start + 0.85 * (walk + rank[out == 0].sum() * start)
    assert pagerank_back(steps, edges, seeds) == pytest.approx(list(rank))


def test_pagerank_follows_the_stronger_edge() -> None:
    """With one seed at 2 and edges of 3/4 and 1/4 into it: shares 1, 0.85 * 3/4, 0.85 / 4 of a whole of 1.85."""
    found = pagerank_back(said("a", "b", "c"), [edge(0, 2, 0.75), edge(1, 2, 0.25)], {2: 1.0})
    assert found == pytest.approx([0.85 * 0.75 / 1.85, 0.85 * 0.25 / 1.85, 1 / 1.85])


def test_parallel_edges_become_one_with_the_largest_weight() -> None:
    """networkx knows nothing of our origins."""
    graph = as_networkx(said("a", "b"), [edge(0, 1, 0.2), edge(0, 1, 0.7, "reused"), edge(0, 1, 0.1, "similar")])
    assert dict(graph.edges[0, 1]) == {"weight": 0.7, "origin": "reused", "reason": ""}
    assert graph.nodes[1] == {"agent": "b", "kind": "message"}


def test_graphml_is_xml_that_networkx_reads_whatever_the_log_holds() -> None:
    """Control characters, lone surrogates and mark-up in names and reasons."""
    steps = said("one", "two")
    steps[0] = steps[0].model_copy(update={"agent": 'a\x00\x1b\ud800<b>&"\ufffe'})
    written = to_graphml(steps, [edge(0, 1).model_copy(update={"reason": "\x08]]>"})])
    assert ET.fromstring(written).tag.endswith("graphml")
    graph = nx.read_graphml(BytesIO(written), node_type=int, force_multigraph=False)
    assert graph.nodes[0]["agent"] == 'a\ufffd\ufffd\ufffd<b>&"\ufffd'
    assert graph.edges[0, 1]["reason"] == "\ufffd]]>"


@given(st.lists(st.text('4719 AaBbé,."`_/\n\U0001f40b', max_size=40), max_size=6))
def test_any_run_gives_edges_forward_whose_spans_are_exact(texts: list[str]) -> None:
    """Slices of what was spoken, weights in (0, 1], and at most a whole into each step."""
    steps = said(*texts)
    into = [0.0] * len(steps)
    for each in dependency_graph(steps):
        assert each.source < each.target
        assert 0 < each.weight <= 1
        into[each.target] += each.weight if each.origin == "reused" else 0
        for step, spans in ((each.source, each.source_spans), (each.target, each.target_spans)):
            assert all(steps[step].spoken[span.start : span.end] == span.text for span in spans)
    assert all(mass < 1 + 1e-9 for mass in into)


def test_a_long_run_is_drawn_quickly() -> None:
    """500 steps that each bring ten values and take ten of the step before."""
    texts = [" ".join(str(1_000_000 + 10 * i + k) for k in range(-10, 10)) for i in range(500)]
    steps = said(*texts)
    began = time.process_time()
    edges = dependency_graph(steps)
    scored = impact(steps, edges)
    assert time.process_time() - began < 5
    assert ends(edges) == [(i, i + 1) for i in range(499)]
    assert len(scored) == 500
