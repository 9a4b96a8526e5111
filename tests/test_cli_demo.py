"""`tracer demo` as a stranger calls it: one command, from shipped logs to a report, with what was planted beside it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.cli import main
from tracer.data.demo import DEMO_RUNS
from tracer.store import Store

Demo = Any
"""What the demo left behind: see the fixture."""


def test_every_shipped_run_is_loaded_with_its_outcome(shown: Demo) -> None:
    """Those whose log does not say how they ended are marked."""
    with Store.open(shown.folder / "demo.duckdb", read_only=True) as store:
        runs = {Path(run.source).name: run for run in store.runs()}
        assert store.verify() == []
    assert set(runs) == {run.file for run in DEMO_RUNS}
    assert {name: run.outcome for name, run in runs.items()} == {run.file: run.outcome for run in DEMO_RUNS}
    assert {runs[run.file].outcome_source == "user" for run in DEMO_RUNS if not run.outcome_in_log} == {True}


def test_what_was_planted_stands_beside_what_was_found(shown: Demo) -> None:
    """Each planted fault with the rank that blame gave it; the truth is read only after blame is done."""
    for run in DEMO_RUNS:
        if run.planted_agent:
            assert f"the {run.planted_agent} {run.planted_step}" in " ".join(shown.out.split())


def test_the_first_run_shown_is_one_whose_fault_is_found(shown: Demo) -> None:
    """A stranger sees it work before seeing where it does not."""
    first = DEMO_RUNS[0]
    [line] = [line for line in shown.out.splitlines() if f"{first.planted_agent} {first.planted_step}" in line]
    assert line.endswith("ranked 1")


def test_the_report_is_one_file_that_needs_no_network(shown: Demo) -> None:
    """Its path is printed last; it asks for nothing from elsewhere."""
    report = shown.folder / "report.html"
    assert shown.out.splitlines()[-1] == f"HTML report: {report.resolve()}"
    text = report.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text) is None


def test_the_next_command_is_told(shown: Demo) -> None:
    """For logs of one's own."""
    assert shown.err.startswith("next: `tracer ingest YOUR_LOGS`, then `tracer blame`")


def test_it_can_be_run_again_in_the_same_folder_and_speak_json(shown: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is loaded twice; JSON tells the same ranks."""
    assert main(["demo", "--folder", str(shown.folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["file"] for row in document["runs"]} == {run.file for run in DEMO_RUNS if run.planted_agent}
    assert document["runs"][0]["rank"] == 1
    assert document["report"] == str((shown.folder / "report.html").resolve())
    with Store.open(shown.folder / "demo.duckdb", read_only=True) as store:
        assert len(store.runs()) == len(DEMO_RUNS)


def test_the_ranks_are_those_of_blame(shown: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault that is not found is shown as not found: the demo makes nothing better than it is."""
    main(["demo", "--folder", str(shown.folder), "--json"])
    for row in json.loads(capsys.readouterr().out)["runs"]:
        found = tracer.blame(row["run"], shown.folder / "demo.duckdb")
        ranks = {each.step: each.rank for each in found.finding.candidates}
        assert row["rank"] == ranks.get(row["planted_step"])
        assert found.steps[row["planted_step"]].agent == row["agent"]
