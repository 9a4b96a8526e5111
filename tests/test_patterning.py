"""From logs to patterns: 200 generated runs with two planted faults, and stores in which something is missing."""

from collections.abc import Callable
from pathlib import Path

import pytest

import tracer
from tracer.errors import NoSuchRunError, TracerError
from tracer.patterning import patterns
from tracer.store import Mark, Store

Office = Callable[..., Path]
PLANTED = ("lookup fails", "pricer drops “currency”")


@pytest.mark.parametrize("seed", range(4))
def test_planted_faults_come_first(office: Office, tmp_path: Path, seed: int) -> None:
    """A tool that fails in one branch and an agent that drops a field, among 200 runs with innocent variation.

    Of the seeds 0 to 59 all have the two in front, and 59 name the branch; these four were not chosen.
    """
    db = tmp_path / "t.duckdb"
    tracer.ingest([office(seed)], db)
    found = patterns(db)
    first, second = found.suspects[:2]
    assert {first.status, second.status} == {"pattern"}
    words = sorted([first.words, second.words])
    assert words[0].startswith("lookup fails for export")
    assert words[1] == PLANTED[1]
    assert found.failed + found.succeeded == 200
    causes = {each.agent: each for each in found.causes[:2]}
    assert set(causes) == {"export", "pricer"}
    assert (causes["export"].tool, causes["export"].sign) == ("lookup", "Error: no customer for order #")


@pytest.mark.parametrize("measure", ["tarantula", "dstar", "explained"])
def test_they_come_first_by_every_measure(office: Office, tmp_path: Path, measure: str) -> None:
    """The order in which suspects are looked at is the user's to choose."""
    db = tmp_path / "t.duckdb"
    tracer.ingest([office(0)], db)
    found = tracer.patterns(db=db, measure=measure)
    assert found.measure == measure
    assert sorted(each.words[:12] for each in found.suspects[:2]) == ["lookup fails", "pricer drops"]


def test_runs_without_faults_have_no_pattern(office: Office, tmp_path: Path) -> None:
    """One run in twelve fails, of nothing in particular."""
    db = tmp_path / "t.duckdb"
    tracer.ingest([office(0, faults=False)], db)
    assert "pattern" not in {each.status for each in patterns(db).suspects}


def test_runs_of_unknown_outcome_are_left_out_and_counted(office: Office, tmp_path: Path) -> None:
    """Three failed runs are made unknown, and the rest is told; only failed ones leave nothing to compare with."""
    db = tmp_path / "t.duckdb"
    tracer.ingest([office(0, count=40)], db)
    with Store.open(db) as store:
        failed = [run.id for run in store.runs() if run.outcome == "failure"]
        store.mark_all([Mark(run, "unknown") for run in failed[:3]])
    found = patterns(db)
    assert (found.failed, found.succeeded, found.unknown) == (len(failed) - 3, 40 - len(failed), 3)
    assert found.notes == ("3 runs do not say how they ended and are left out: `tracer mark` says it",)
    only = patterns(db, [*failed[3:], failed[3]])
    assert (only.failed, only.succeeded, only.tested) == (len(failed) - 3, 0, 0)
    assert only.notes == (
        "no run succeeded, so nothing sets the failed ones apart: tarantula and explained need successful runs",
    )
    assert {each.status for each in only.suspects} <= {"untested"}
    assert sum(each.runs for each in only.causes) == only.failed


def test_where_nothing_failed_there_is_one_line_that_says_what_to_do(office: Office, tmp_path: Path) -> None:
    """And no measure of that name, and no runs at all."""
    db = tmp_path / "t.duckdb"
    with Store.open(db):
        pass
    with pytest.raises(NoSuchRunError, match="the database holds no runs"):
        patterns(db)
    tracer.ingest([office(0, count=12, faults=False)], db)
    with Store.open(db) as store:
        store.mark_all([Mark(run.id, "success") for run in store.runs()])
    with pytest.raises(
        NoSuchRunError, match=r"no run is known to have failed \(12 in all, 0 of unknown outcome\): say so"
    ):
        patterns(db)
    with pytest.raises(TracerError, match="no measure 'x'; there are: ochiai, tarantula, dstar, explained"):
        patterns(db, measure="x")


def test_findings_are_kept_in_the_store(office: Office, tmp_path: Path) -> None:
    """As `tracer blame --all` keeps them."""
    db = tmp_path / "t.duckdb"
    tracer.ingest([office(0, count=20)], db)
    found = patterns(db)
    run, _, step = found.causes[0].examples[0].partition(":")
    with Store.open(db, read_only=True) as store:
        [finding] = store.findings(run)
    assert finding.candidates[0].step == int(step)


def test_all_real_tau_bench_runs(real_logs: Path, tmp_path: Path) -> None:
    """116 failed and 84 successful runs, counted in the raw file; nothing is lost."""
    db = tmp_path / "t.duckdb"
    tracer.ingest([real_logs / "samples/tau_bench/gpt-4o-airline.json"], db)
    found = patterns(db)
    assert (found.failed, found.succeeded, found.unknown) == (116, 84, 0)
    assert sum(each.runs for each in found.causes) == 116
