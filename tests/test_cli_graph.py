"""`tracer graph` as a user calls it: the list, JSON, and GraphML that other programs read."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from tracer.schemas import GraphReport

Call = Callable[..., Any]
HISTORY = [
    {"role": "user", "name": "Planner\x1b[31m\x00<b>", "content": "It weighs 4711."},
    {"role": "user", "name": "Coder", "content": "So 4711 it is."},
    {"role": "user", "name": "Critic", "content": "Krill."},
]


@pytest.fixture
def run(call: Call, tmp_path: Path) -> str:
    """The address of a run in which step 1 takes a number from step 0."""
    value = {"question": "q", "history": HISTORY, "mistake_agent": "Coder", "mistake_step": "1"}
    (tmp_path / "log.json").write_text(json.dumps(value), encoding="utf-8")
    assert call("ingest", tmp_path / "log.json").code == 0
    return str(call("runs", "--json").json[0]["run"])


def test_the_list_says_who_used_what_from_whom(call: Call, run: str) -> None:
    """Origin, weight and words of each edge; the last run is the default."""
    done = call("graph")
    assert done.code == 0
    assert run in done.out
    assert "← 0 reused 1.00" in done.out
    assert "4711" in done.out
    assert done.err == f"next: `tracer blame {run}` ranks the steps that could be the cause\n"
    assert "\x1b" not in done.out
    assert call("graph", run).out == done.out


def test_json_has_the_published_form(call: Call, run: str) -> None:
    """Nodes with impact, edges with the exact spans on both sides."""
    done = call("graph", run, "--json")
    report = GraphReport.model_validate(done.json)
    assert (report.run, [node.step for node in report.nodes]) == (run, [0, 1, 2])
    assert [node.impact for node in report.nodes] == [0.5, 0.0, 0.0]
    [edge] = report.edges
    assert (edge.source, edge.target, edge.origin, edge.weight) == (0, 1, "reused", 1.0)
    assert [(span.start, span.end, span.text) for span in edge.target_spans] == [(3, 7, "4711")]


def test_graphml_is_read_by_other_programs(call: Call, run: str, tmp_path: Path) -> None:
    """By an XML parser and by networkx; what XML forbids is replaced, and the list is not printed."""
    path = tmp_path / "run.graphml"
    done = call("graph", run, "--graphml", path)
    assert (done.code, done.out) == (0, "")
    assert done.err == f"next: open {path} in Gephi or yEd\n"
    assert ET.parse(path).getroot().tag.endswith("graphml")
    graph = nx.read_graphml(path, node_type=int)
    assert graph.nodes[0]["agent"] == "Planner\ufffd[31m\ufffd<b>"
    assert list(graph.edges(data="origin")) == [(0, 1, "reused")]


def test_graphml_and_json_go_together(call: Call, run: str, tmp_path: Path) -> None:
    """The file and the document."""
    done = call("graph", run, "--json", "--graphml", tmp_path / "run.graphml")
    assert done.json["run"] == run
    assert (tmp_path / "run.graphml").exists()


def test_a_file_that_cannot_be_written_is_one_line(call: Call, run: str, tmp_path: Path) -> None:
    """It says where."""
    path = tmp_path / "no" / "run.graphml"
    done = call("graph", run, "--graphml", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: cannot write {path} (there is no folder {path.parent})")
    assert done.err.count("\n") == 1


def test_a_run_without_edges_says_so(call: Call, tmp_path: Path) -> None:
    """A legend of nothing would be a blank line."""
    (tmp_path / "log.json").write_text('[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]')
    call("ingest", tmp_path / "log.json")
    assert call("graph").out.splitlines()[-1] == "no step is seen to use another"


def test_an_unknown_run_is_one_line(call: Call, run: str) -> None:
    """The names are those of `tracer runs`."""
    done = call("graph", "ffffffffffff" if run[0] != "f" else "000000000000")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
