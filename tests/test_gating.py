"""The gate: what closes it, what does not, and what a baseline is worth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.baseline import Baseline
from tracer.errors import BadInputError, TracerError
from tracer.gating import Options, gate

Office = Callable[..., Path]


def log(folder: Path, name: str, *, correct: bool | None, words: str = "I assume 4711 whales.") -> Path:
    """One run of three steps in the form of Who&When; of unknown outcome without `correct`."""
    history = [("planner", "Plan: count the whales."), ("reader", words), ("writer", "The answer is 4711.")]
    value: dict[str, Any] = {
        "question": f"How many whales, {name}?",
        "history": [{"role": "user", "name": agent, "content": content} for agent, content in history],
    }
    if correct is not None:
        value |= {"is_correct": correct, "mistake_agent": "reader", "mistake_step": "1"}
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_a_failure_that_is_blamed_above_the_limit_closes_the_gate(tmp_path: Path) -> None:
    """Strictly above: at the very probability it stays open."""
    path = log(tmp_path / "logs", "one", correct=False)
    found = gate([path], Options(limit=0.0))
    [blamed] = found.failures
    assert (found.passed, found.runs, found.failed, blamed.above) == (False, 1, 1, True)
    assert (blamed.step, blamed.agent, blamed.outcome) == (1, "reader", "failure")
    assert blamed.probability is not None
    exactly = gate([path], Options(limit=blamed.probability))
    assert (exactly.passed, exactly.failures[0].above) == (True, False)


def test_runs_of_unknown_outcome_pass_unless_they_are_taken_as_failed(tmp_path: Path) -> None:
    """They are counted; what a log does say stays."""
    log(tmp_path / "logs", "unknown", correct=None)
    log(tmp_path / "logs", "fine", correct=True)
    found = gate([tmp_path / "logs"], Options(limit=0.0))
    assert (found.passed, found.failed, found.succeeded, found.unknown) == (True, 0, 1, 1)
    taken = gate([tmp_path / "logs"], Options(limit=0.0, assume="failed"))
    assert (taken.passed, taken.failed, taken.succeeded, taken.unknown) == (False, 1, 1, 0)
    assert gate([tmp_path / "logs"], Options(limit=0.0, assume="ok")).succeeded == 2


def test_the_library_call_does_the_same(tmp_path: Path) -> None:
    """From Python, with plain paths."""
    path = log(tmp_path / "logs", "one", correct=False)
    assert tracer.gate([str(path)], above=0.1) == gate([path], Options(limit=0.1))
    assert tracer.gate([path], above=1, write_baseline=tmp_path / "b.json").passed
    assert tracer.gate([path], above=1, baseline=str(tmp_path / "b.json")).compared == 1


def test_the_users_database_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the one in the folder nor the one that the environment names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACER_DB", str(tmp_path / "mine.duckdb"))
    gate([log(tmp_path / "logs", "one", correct=False)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs"]


def test_the_same_runs_are_not_worse_than_themselves(office: Office, tmp_path: Path) -> None:
    """Nor are others of the same office, with as many faults."""
    baseline = tmp_path / "b.json"
    gate([office(0)], Options(limit=1, keep=baseline))
    assert gate([office(0)], Options(limit=1, baseline=baseline)).passed
    other = gate([office(1, name="other")], Options(limit=1, baseline=baseline))
    assert (other.passed, other.worse) == (True, ())
    assert other.compared is not None
    assert other.compared > 3


def test_new_faults_are_worse_than_a_baseline_without_them(office: Office, tmp_path: Path) -> None:
    """The rate, the tool in its branch and the dropped field; what only fails along with them is less sure."""
    baseline = tmp_path / "b.json"
    gate([office(0, faults=False)], Options(limit=1, keep=baseline))
    found = gate([office(1, name="other")], Options(limit=1, baseline=baseline))
    assert not found.passed
    worse = [each.words for each in found.worse]
    planted = {"runs that fail", "lookup fails for export", "pricer drops “currency”"}
    assert planted <= set(worse)
    alongside = [place for place, words in enumerate(worse) if "inland" in words]
    assert max(map(worse.index, planted)) < min(alongside, default=len(worse))
    assert all(each.q <= 0.05 for each in found.worse)


def test_one_failed_run_more_is_no_alarm(office: Office, tmp_path: Path) -> None:
    """9 of 40 after 8 of 40 is chance; the counts in the file are those of the logs."""
    baseline = tmp_path / "b.json"
    found = gate([office(0, count=40)], Options(limit=1, keep=baseline))
    held = Baseline.load(baseline)
    assert (held.runs, held.failed) == (40, found.failed)
    fewer = held.model_copy(update={"failed": held.failed - 1})
    fewer.save(baseline)
    assert gate([office(0, count=40)], Options(limit=1, baseline=baseline)).passed


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Beside a good log in `skipped`; alone in one line; so is a file that is no baseline."""
    good = log(tmp_path / "logs", "one", correct=True)
    bad = tmp_path / "logs" / "broken.json"
    bad.write_text('{"history": [')
    assert [source for source, _ in gate([tmp_path / "logs"]).skipped] == [str(bad)]
    for paths in ([bad], [tmp_path / "nowhere"]):
        with pytest.raises(BadInputError, match=str(paths[0])):
            gate(paths)
    spans = tmp_path / "spans.json"
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "GET /"}
    spans.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    with pytest.raises(BadInputError, match="the logs hold no run"):
        gate([spans])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="there is no file"):
        gate([tmp_path / "empty"])
    for baseline in (bad, tmp_path / "nowhere"):
        with pytest.raises(BadInputError, match="--write-baseline FILE` makes one"):
            gate([good], Options(baseline=baseline))
    for limit in (-0.1, 1.5, float("nan")):
        with pytest.raises(TracerError, match="--above is a probability"):
            gate([good], Options(limit=limit))


def test_logs_without_failures_pass_whatever_the_limit(tmp_path: Path) -> None:
    """And make a baseline of no failures."""
    baseline = tmp_path / "b.json"
    found = gate([log(tmp_path / "logs", "one", correct=True)], Options(limit=0, keep=baseline))
    assert (found.passed, found.failures) == (True, ())
    assert Baseline.load(baseline) == Baseline(runs=1, failed=0)


PLACE: dict[str, Any] = {"agent": "reader", "kind": "message", "tool": None, "sign": ""}


@pytest.mark.parametrize(
    "counts",
    [
        {"runs": 5, "failed": 9},
        {"runs": -5, "failed": -9},
        {"runs": 60, "failed": 3, "troubles": [{"kind": "failing tool", "names": ["db", "fails"], "failed": 61}]},
        {"runs": 60, "failed": 3, "places": [PLACE | {"failed": -1}]},
        {"runs": 60, "failed": 3, "places": 2 * [PLACE | {"failed": 40}]},
    ],
)
def test_a_baseline_whose_counts_cannot_be_is_none(tmp_path: Path, counts: dict[str, Any]) -> None:
    """Of 9 failures in 5 runs everything would be an improvement, and the gate would stay open."""
    baseline = tmp_path / "b.json"
    baseline.write_text(json.dumps({"format": "blametrace baseline 1", **counts}))
    with pytest.raises(BadInputError, match="no baseline"):
        gate([log(tmp_path / "logs", "one", correct=True)], Options(baseline=baseline))
