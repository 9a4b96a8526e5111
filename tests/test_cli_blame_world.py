"""Blame on runs of the agent world, by every tier: what a label says changes nothing, for nobody reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("torch")

from tracer.analyses.truth import labelled
from tracer.analyses.world_labels import read_labels
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_runs import shipped

Call = Callable[..., Any]
TIERS = ((), ("--lm", "pocket"), ("--lm", "pocket", "--replay", "--with", "world", "--budget", "30"))


def test_labels_in_the_database_change_no_finding(call: Call, tmp_path: Path) -> None:
    """The two shortest labelled runs, with their true labels, with the labels of each other, and with none."""
    runs, labels = shipped()
    recordings = sorted(labelled(read_recordings([runs])[0], read_labels(labels)), key=lambda each: len(each.steps))[:2]
    assert call("ingest", runs, "--json").code == 0
    true = [each.run.labels[0].model_dump_json() for each in recordings]
    found = []
    for given in (true, true[::-1], None):
        with duckdb.connect(str(tmp_path / "t.duckdb")) as database:
            for k, each in enumerate(recordings):
                value = "[]" if given is None else f"[{given[k]}]"
                database.execute("UPDATE runs SET labels = ? WHERE id = ?", [value, each.run.id])
                database.execute("DELETE FROM findings")
        found.append([call("blame", each.run.id, *tier, "--json").json for each in recordings for tier in TIERS])
    assert found[0] == found[1] == found[2]
    assert {each["method"] for each in found[0]} == {"ranker", "white-box", "replay"}
