"""Runs of the agent world with what broke them as their label, so that they train and test like labelled logs.

The labels lie beside the runs: RUNS.jsonl.gz and RUNS.labels.jsonl (`tracer bench world-labels`). Runs without one
decisive step teach no step, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer.records import Label, Recording

TEAM = "intervention"
"""In the place of the people who labelled a log."""


def beside(runs: Path) -> Path:
    """Where the labels of a file of runs lie."""
    return runs.with_name(f"{runs.name.partition('.')[0]}.labels.jsonl")


def labelled(recordings: Sequence[Recording], labels: Sequence[Mapping[str, Any]]) -> list[Recording]:
    """The runs that have a decisive step, labelled with it."""
    known = {each["run"]: each for each in labels if each["status"] == "decisive"}
    return [_with(each, known[each.run.id]) for each in recordings if each.run.id in known]


def _with(recording: Recording, found: Mapping[str, Any]) -> Recording:
    label = Label(team=TEAM, agent=found["agent"], step=found["step"], stated=str(found["step"]), reason=found["fault"])
    return recording._replace(run=recording.run.model_copy(update={"labels": (label,)}))
