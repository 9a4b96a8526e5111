"""The information dependency graph: who used what from whom, worked out by hand on runs of a few steps."""

import math
import time
import xml.etree.ElementTree as ET
from io import BytesIO
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.graph import (
    SPANS_PER_EDGE,
    ancestors,
    as_networkx,
    declared_edges,
    dependency_graph,
    impact,
    pagerank_back,
    propagation_path,
    reused_edges,
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


def test_a_value_flows_from_its_first_writer_to_whoever_uses_it() -> None:
    """Step 1 repeats what 0 brought; step 2 takes it from 0, not from 1."""
    found = reused_edges(said("found 417", "took 417", "used 417", "nothing new here"))
    assert ends(found) == [(0, 1), (0, 2)]
    first = found[0]
    assert (first.origin, first.weight, first.reason) == ("reused", 1.0, "reuses 417")
    assert [(span.start, span.end, span.text) for span in first.source_spans] == [(6, 9, "417")]
    assert [(span.start, span.end, span.text) for span in first.target_spans] == [(5, 8, "417")]


def test_the_weight_is_the_share_of_the_idf_mass() -> None:
    """Two sources: a number in 2 of 4 steps and a rare word in 2 of 4 steps, weights 2 and 1/2 at equal idf."""
    found = reused_edges(said("417", "plankton", "417 plankton", "krill"))
    assert {each.source: each.weight for each in found} == {0: pytest.approx(0.8), 1: pytest.approx(0.2)}


def test_a_rarer_value_weighs_more() -> None:
    """417 stands in 2 of 5 steps, 519 in 3 of 5: ln(6/3) against ln(6/4)."""
    found = reused_edges(said("417", "519", "519", "417 519", "krill"))
    into = {each.source: each.weight for each in found if each.target == 3}
    rare, common = math.log(6 / 3), math.log(6 / 4)
    assert into == {0: pytest.approx(rare / (rare + common)), 1: pytest.approx(common / (rare + common))}


def test_a_value_in_every_step_carries_nothing() -> None:
    """Its idf is ln 1 = 0."""
    assert reused_edges(said("417", "417", "417")) == []


def test_what_the_task_says_belongs_to_nobody() -> None:
    """Neither the task's values nor those of the opening user and system messages."""
    steps = said("look at 417", "took 417", "and Blue Whale", "the Blue Whale", "krill")
    assert ends(reused_edges(steps, "what is 417?")) == [(2, 3)]
    asked = [steps[0].model_copy(update={"role": "human"}), *steps[1:]]
    assert ends(reused_edges(asked)) == [(2, 3)]


def test_a_user_that_speaks_later_brings_values() -> None:
    """Only what opens the run is the task."""
    steps = said("begin", "it is 417", "so 417", "krill")
    steps[1] = steps[1].model_copy(update={"role": "user", "agent": "user"})
    assert ends(reused_edges(steps)) == [(1, 2)]


def test_arguments_of_a_call_carry_values_too() -> None:
    """The span counts from the start of content, newline, arguments."""
    steps = said("the id is user_417", "I look it up", "krill")
    steps[1] = steps[1].model_copy(update={"arguments": '{"id": "user_417"}'})
    [found] = reused_edges(steps)
    span = found.target_spans[0]
    assert steps[1].spoken[span.start : span.end] == span.text
    assert "user_417" in span.text


def test_light_edges_are_left_out() -> None:
    """A word of 1/2 against fifty numbers of 2 is 0.5 %: below the 5 % that are kept."""
    numbers = " ".join(str(2000 + i) for i in range(50))
    found = reused_edges(said(numbers, "plankton", f"{numbers} plankton", "krill"))
    assert ends(found) == [(0, 2)]
    assert len(found[0].source_spans) == len(found[0].target_spans) == SPANS_PER_EDGE


def test_an_edge_names_its_heaviest_words_and_cuts_long_ones() -> None:
    """Three at most, 40 characters each."""
    quote = '"' + "x y " * 20 + 'z"'
    [found] = reused_edges(said(f"{quote} 417 519 krill", f"krill 519, 417, {quote}", "none"))
    assert found.reason == f"reuses 519, 417, {quote[:39]}…"


def test_declared_parents_share_the_weight() -> None:
    """An answer names its call; a step that was given three others gets a third from each."""
    steps = said("call", "result", "more", "sum")
    steps[1] = steps[1].model_copy(update={"parents": (0,), "call_id": "c1"})
    steps[3] = steps[3].model_copy(update={"parents": (0, 1, 2)})
    found = {(each.source, each.target): (each.weight, each.reason) for each in declared_edges(steps)}
    third = (pytest.approx(1 / 3), "was given it, says the log")
    assert found == {(0, 1): (1.0, "answers call c1"), (0, 3): third, (1, 3): third, (2, 3): third}


@pytest.mark.parametrize("kind", ["tool_call", "handoff"])
def test_a_call_answers_no_call_though_it_has_an_id(kind: Any) -> None:
    """The id is its own; what it was given is where it comes from."""
    steps = said("found 417", "")
    steps[1] = steps[1].model_copy(update={"kind": kind, "parents": (0,), "call_id": "c1"})
    assert [each.reason for each in declared_edges(steps)] == ["was given it, says the log"]


def test_a_parent_in_the_future_or_itself_makes_no_edge() -> None:
    """Edges point forward in time, whatever a log claims."""
    steps = said("one", "two")
    steps[0] = steps[0].model_copy(update={"parents": (0, 1, 7, -1)})
    assert declared_edges(steps) == []


def test_a_hand_off_reaches_the_next_step_of_the_one_addressed() -> None:
    """Whatever the case of the name; a later instruction replaces an earlier one; a step to oneself is none."""
    steps = said("go", "go on", "wait", "done", agents="abcabcabca")
    steps[0] = steps[0].model_copy(update={"recipient": "C"})
    steps[1] = steps[1].model_copy(update={"recipient": "b"})
    assert [(each.source, each.target, each.reason) for each in declared_edges(steps)] == [(0, 2, "hands on to c")]


def test_naming_another_agent_refers_to_its_latest_step() -> None:
    """Only a name of four letters or more with a capital, as a whole word, and only one that has spoken."""
    steps = [
        Step(index=0, agent="Planner", kind="message", content="Coder shall begin"),
        Step(index=1, agent="Planner", kind="message", content="I am the Planner"),
        Step(index=2, agent="Coder", kind="message", content="as Planner said; Planners differ"),
        Step(index=3, agent="tool", kind="message", content="a planner and a Coder_2"),
    ]
    found = declared_edges(steps)
    assert [(each.source, each.target, each.weight, each.reason) for each in found] == [(1, 2, 0.5, "mentions Planner")]


def test_the_surest_declaration_wins() -> None:
    """A result that answers a call and mentions its maker is one edge, the answer."""
    steps = [
        Step(index=0, agent="Planner", kind="tool_call", call_id="c1"),
        Step(index=1, agent="shell", kind="tool_result", content="Planner, done", call_id="c1", parents=(0,)),
    ]
    assert [each.reason for each in declared_edges(steps)] == ["answers call c1"]


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
