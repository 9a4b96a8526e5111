"""Edges on fresh runs of the agent world, all origins together: precision and recall at least 0.9."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("opentelemetry.sdk")

from tracer.analyses.bench_world import _edges
from tracer.analyses.hiding import measured_edges
from tracer.analyses.world_labels import true_edges
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_replay import voices
from tracer.data.agent_runs import runs
from tracer.data.agent_steps import seed_of, turns_of
from tracer.data.agent_telemetry import write
from tracer.data.agents import world
from tracer.graph import dependency_graph

if TYPE_CHECKING:
    from pathlib import Path


def test_edges_of_fresh_runs_are_right_and_complete(tmp_path: Path) -> None:
    """12 failed and 4 good runs that nobody looked at; they are read from their telemetry, as anybody's."""
    path = tmp_path / "fresh.jsonl.gz"
    write(runs(7, 12, 4, jobs=1), path)
    counts = [0, 0, 0, 0]
    for run, steps in read_recordings([path])[0]:
        made = world(seed_of(steps) or 0)
        graph = [*dependency_graph(steps, run.task), *measured_edges(voices().lm, steps)]
        found = _edges(graph, true_edges(made, turns_of(made, steps)))["together"]
        counts = [one + other for one, other in zip(counts, found, strict=True)]
    right, found_, true, _ = counts
    assert true > 300
    assert right / found_ >= 0.9
    assert right / true >= 0.9
