"""The benchmark's own arithmetic: what counts as right, what an edge is held to, and what the JSON holds."""

from collections import Counter, defaultdict
from typing import Any

import pytest

pytest.importorskip("torch")

from tracer.analyses.bench_world import LEVELS, NAMES, Named, _edges, _scored, summary
from tracer.analyses.world_labels import true_edges
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_runs import shipped
from tracer.data.agent_steps import seed_of, turns_of
from tracer.data.agents import world
from tracer.graph import dependency_graph
from tracer.records import Edge, Step
from tracer.schemas import WorldBench
from tracer.viz.bench_world import falls_report, world_report

STEPS = [
    Step(index=0, agent="user", kind="message", content="What is Ana?"),
    Step(index=1, agent="North", kind="tool_call", tool="Files", arguments='{"query":"Ana?"}', call_id="c"),
    Step(index=2, agent="Files", kind="tool_result", content="Error.", call_id="c", tool="Files"),
    Step(index=3, agent="North", kind="message", content="Ana: 3."),
    Step(index=4, agent="Solver", kind="message", content="Ana is 3."),
]
LABEL = {"step": 2, "agent": "North", "edges": [(0, 1), (1, 2), (2, 3), (3, 4)], "sentence": None}


def edge(source: int, target: int, origin: str = "declared") -> Edge:
    return Edge(source=source, target=target, origin=origin, weight=1, reason="test")  # type: ignore[arg-type]


CHAIN = [edge(1, 2), edge(2, 3), edge(3, 4)]


def test_the_labelled_step_is_right_at_every_level() -> None:
    """A tool's answer is blamed on its caller; the way 2, 3, 4 is true."""
    found = _scored(Named(2, 7, True), STEPS, CHAIN, LABEL)
    assert found == dict.fromkeys(("named", "agent", "step", "sentence", "source", "path"), True) | {"forks": 7}


def test_the_call_behind_the_answer_is_its_source_and_no_more() -> None:
    found = _scored(Named(1), STEPS, CHAIN, LABEL)
    assert (found["source"], found["step"], found["path"], found["agent"]) == (True, False, False, True)


def test_a_way_that_nobody_took_is_no_path() -> None:
    """From 2 straight to 4 is a true dependency through 3; from 2 to nowhere is none."""
    assert _scored(Named(2), STEPS, [edge(2, 4)], LABEL)["path"]
    assert not _scored(Named(2), STEPS, [], LABEL)["path"]


def test_a_step_that_leads_without_being_decisive_is_scored_and_not_named() -> None:
    """As the ranker's first step is, whatever its verdict; in runs without a decisive step `named` is what counts."""
    found = _scored(Named(2, 7, None, sure=False), STEPS, CHAIN, LABEL)
    assert (found["named"], found["step"]) == (False, True)


def test_edges_are_counted_by_origin_and_together_without_the_similar_ones() -> None:
    """Declared: three of three. Measured: (2, 4) is true through 3 only. Similar: (0, 4) stays out of `together`."""
    found = _edges([*CHAIN, edge(2, 4, "measured"), edge(0, 4, "similar")], LABEL["edges"])  # type: ignore[arg-type]
    assert found["declared"] == [3, 3, 4, 3]
    assert found["measured"] == [0, 1, 4, 1]
    assert found["reused"] == [0, 0, 4, 0]
    assert found["together"] == [3, 4, 4, 4]


def test_what_the_shipped_logs_say_is_nearly_all_true_and_nearly_all_of_the_truth() -> None:
    """Declared and reused edges against the construction: .9 / .9 is wanted, in each topology."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for run, steps in read_recordings([shipped()[0]])[0]:
        made = world(seed_of(steps) or 0)
        true = true_edges(made, turns_of(made, steps))
        found = _edges(dependency_graph(steps, run.task), true)["together"]
        counts[made.team.topology].update(dict(zip(("right", "found", "true"), found, strict=False)))
    assert set(counts) == {"chain", "star", "group"}
    assert all(each["right"] > 0.9 * max(each["found"], each["true"]) for each in counts.values())


def row(status: str, right: bool, steps: int = 12) -> dict[str, Any]:
    told = {"named": right, "agent": right, "step": right, "sentence": None, "source": right, "path": False, "forks": 8}
    return {
        "status": status, "topology": "star", "fault": "slip", "kind": "agent", "forks": 600, "steps": steps,
        "methods": dict.fromkeys(NAMES, told), "curve": [[6, False], [12, right]],
        "edges": _edges(CHAIN, LABEL["edges"]),  # type: ignore[arg-type]
    }  # fmt: skip


def test_the_summary_has_the_published_keys_and_leaves_diffuse_runs_out() -> None:
    """Two decisive runs, one named rightly, and a diffuse one that was named: it counts in its own row."""
    found = summary([row("decisive", True), row("decisive", False, 20), row("diffuse", True)])
    assert set(found["methods"]) == set(NAMES)
    assert set(found["methods"]["replay"]) == {*LEVELS, "forks"}
    assert (found["methods"]["replay"]["step"], found["methods"]["replay"]["sentence"]) == (0.5, None)
    assert found["edges"]["together"]["precision"] == 1.0
    assert found["edges"]["together"]["recall"] == 0.75
    low, high = found["edges"]["together"]["recall_interval"]  # Wilson's, 9 of 12
    assert (low, high) == (pytest.approx(0.4677, abs=1e-4), pytest.approx(0.9111, abs=1e-4))
    assert found["edges"]["measured"]["precision_interval"] is None
    assert found["diffuse"] == {"n": 1, "named": 1}
    assert found["by"]["length"]["8-15"]["replay"] == 1.0
    assert [point["step"] for point in found["budget"][:2]] == [0.0, 0.5]
    assert (found["label_forks"], found["intervals"]["replay"]["sentence"]) == (600, None)


def test_tables_are_drawn_from_the_json() -> None:
    from rich.console import Console

    result = {"n": 1, **summary([row("decisive", True)])}
    assert WorldBench.model_validate({"seed": 0} | result).methods.keys() == result["methods"].keys()
    result["passing"] = {"n": 0, "false_root_cause": None, "interval": [0.0, 1.0]}
    points = {"sharp": {"search": [{"forks": 20.0, "step": 0.9, "interval": [0.8, 1.0]}]}}
    console = Console(width=140, record=True, file=None)
    with console.capture() as captured:
        console.print(world_report(result))
        console.print(falls_report(points))
    assert "replay" in captured.get()
    assert "90% at 20" in captured.get()
