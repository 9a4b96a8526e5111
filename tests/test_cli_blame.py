"""`tracer blame` as a user calls it: what is printed, what is written, and how each mistake ends."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.analyses.blame import METHODS
from tracer.analyses.failure import shipped as shipped_failure
from tracer.analyses.ranker import shipped
from tracer.schemas import BlameReport

Call = Callable[..., Any]
FAILED = [
    {"role": "user", "name": "planner", "content": "Plan: count the whales."},
    {"role": "user", "name": "reader", "content": "I assume that it saw 4711 whales.\x1b[2J"},
    {"role": "user", "name": "writer", "content": "The answer is 4711."},
]


@pytest.fixture
def loaded(call: Call, tmp_path: Path) -> dict[str, str]:
    """A failed run, one of unknown outcome and one that succeeded; their addresses by name."""
    label = {"mistake_agent": "reader", "mistake_step": "1"}
    files = {
        "failed": {"question": "How many whales?", "history": FAILED, **label},
        "unknown": FAILED[:2],
        "fine": {"question": "How many?", "history": FAILED[1:], "is_correct": True, **label},
    }
    for name, value in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    assert call("ingest", *tmp_path.glob("*.json")).code == 0
    return {Path(each["source"]).stem: each["run"] for each in call("runs", "--json").json}


def test_without_an_address_the_last_failed_run_is_explained(call: Call, loaded: dict[str, str]) -> None:
    """Run, leading step, its agent and its cue on standard output; the next command beside it."""
    done = call("blame")
    assert done.code == 0
    assert loaded["failed"] in done.out
    assert "reader" in done.out
    assert "assumes something or uses made-up data" in done.out
    run = loaded["failed"]
    assert done.err == f"next: `tracer show {run}:1` prints that step, `tracer report {run}` draws the graph\n"
    assert "\x1b" not in done.out


def test_json_has_the_published_form(call: Call, loaded: dict[str, str]) -> None:
    """With rank, step, agent, probability, cues and path of each candidate; nothing else is printed."""
    done = call("blame", loaded["failed"], "--json")
    report = BlameReport.model_validate(done.json)
    assert (report.run, report.verdict, report.method) == (loaded["failed"], done.json["verdict"], "ranker")
    assert report.symptom is not None
    assert report.symptom.step == 2
    first = done.json["candidates"][0]
    assert (first["rank"], first["step"], first["agent"]) == (1, 1, "reader")
    assert [hop["step"] for hop in first["path"]] == [1, 2]
    assert 0 < sum(each["probability"] for each in done.json["candidates"]) <= 1 + 1e-9
    assert report.probability_basis == "out-of-domain"
    assert report.basis_reason == "trained on runs of 5-10 steps; this one has 3"
    assert done.err == ""


def test_a_run_that_succeeded_has_nothing_to_blame(call: Call, loaded: dict[str, str]) -> None:
    """Exit 0: finding no failure is an answer. Assuming failure gives candidates after all."""
    done = call("blame", loaded["fine"], "--json")
    assert (done.code, done.json["verdict"], done.json["candidates"]) == (0, "no_failure", [])
    assert "label" in call("blame", loaded["fine"]).out
    assert call("blame", loaded["fine"], "--assume", "failed", "--json").json["candidates"]
    assert call("blame", loaded["failed"], "--assume", "ok", "--json").json["verdict"] == "no_failure"


def test_an_unknown_outcome_is_told_with_its_probability(call: Call, loaded: dict[str, str]) -> None:
    """Until the user says how it ended."""
    done = call("blame", loaded["unknown"])
    chance = call("blame", loaded["unknown"], "--json").json["p_failed"]
    assert 0 < chance < 1
    assert "outcome unknown" in done.out
    assert f"{chance:.2f}" in done.out or f"{100 * chance:.0f} %" in done.out
    assert call("mark", loaded["unknown"], "--failed").code == 0
    assert call("blame", loaded["unknown"], "--json").json["p_failed"] is None


def test_all_is_one_line_or_one_object_for_each_run(call: Call, loaded: dict[str, str]) -> None:
    """Successes are left out, unless assumed to have failed."""
    rows = [json.loads(line) for line in call("blame", "--all", "--json").out.splitlines()]
    assert {row["run"] for row in rows} == {loaded["failed"], loaded["unknown"]}
    table = call("blame", "--all").out
    assert loaded["failed"] in table
    assert loaded["fine"] not in table
    assert len(call("blame", "--all", "--assume", "failed", "--json").out.splitlines()) == 3
    assert call("blame", "--all", "--assume", "ok", "--json").out.count('"no_failure"') == 2


def test_all_without_a_run_says_so(call: Call, tmp_path: Path) -> None:
    """Nothing failed: that is no mistake."""
    value = {"question": "q", "history": FAILED, "mistake_agent": "a", "mistake_step": "1", "is_correct": True}
    (tmp_path / "fine.json").write_text(json.dumps(value), encoding="utf-8")
    call("ingest", tmp_path / "fine.json")
    assert call("blame", "--all")[:2] == (0, "no run to explain: none failed, and none is of unknown outcome\n")
    assert call("blame", "--all", "--json")[:2] == (0, "")
    alone = call("blame")
    assert alone.code == 2
    assert alone.err.startswith("error: no run failed; name one to ask about it anyway, or mark one:")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_asked_by_its_name(call: Call, loaded: dict[str, str], method: str) -> None:
    """As a report and as JSON; the help names each."""
    done = call("blame", loaded["failed"], "--method", method, "--json")
    assert (done.code, done.json["method"]) == (0, method)
    assert call("blame", loaded["failed"], "--method", method).code == 0
    assert method in re.sub(r"-\s+", "-", call("blame", "--help").out)  # a line may break behind a hyphen


def test_top_bounds_the_candidates(call: Call, loaded: dict[str, str]) -> None:
    """At least one must be listed."""
    assert len(call("blame", loaded["failed"], "--top", "2", "--json").json["candidates"]) == 2
    assert call("blame", loaded["failed"], "--top", "0").code == 2


def test_the_report_is_written_as_one_html_file(call: Call, loaded: dict[str, str], tmp_path: Path) -> None:
    """Whole, the finding readable without a script; the path is told."""
    path = tmp_path / "report.html"
    done = call("blame", loaded["failed"], "--html", path)
    assert done.code == 0
    assert str(path) in done.err
    written = path.read_text(encoding="utf-8")
    assert written.startswith("<!doctype html>")
    assert f"run {loaded['failed']}" in written
    assert "\x1b" not in written


def test_a_models_file_of_the_users_is_used(call: Call, loaded: dict[str, str], tmp_path: Path) -> None:
    """A ranker that is never sure; a P(failed) of one half."""
    ranker, failure = tmp_path / "ranker.json", tmp_path / "failure.json"
    ranker.write_text(shipped().model_copy(update={"threshold": 1.0}).model_dump_json(), encoding="utf-8")
    even = shipped_failure().model_copy(update={"intercept": 0.0, "weights": {}})
    failure.write_text(even.model_dump_json(), encoding="utf-8")
    done = call("blame", loaded["failed"], "--ranker", ranker, "--json")
    assert done.json["verdict"] == "inconclusive"
    assert "compare step" in done.json["verdict_reason"]
    assert call("blame", loaded["unknown"], "--failure-model", failure, "--json").json["p_failed"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--method", "magic"], 2, "error: no method 'magic'; there are: ranker, rule-r, graphtracer"),
        (["ffff"], 2, "error: "),
        (["--all", "@last"], 2, "error: --all explains every run: leave out RUN"),
        (["--all", "--html", "x.html"], 2, "error: --all explains every run: leave out --html"),
        (["--ranker", "nowhere.json"], 3, "error: nowhere.json: cannot be read: No such file or directory"),
        (["--failure-model", "nowhere.json"], 3, "error: nowhere.json: cannot be read: No such file or directory"),
        (["--html", "no/such/folder/x.html"], 2, "error: cannot write no/such/folder/x.html"),
    ],
)
def test_each_mistake_is_one_line_with_its_exit_code(
    call: Call, loaded: dict[str, str], arguments: list[str], code: int, message: str
) -> None:
    """Nothing on standard output, no traceback."""
    done = call("blame", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1


def test_a_missing_database_is_told(call: Call, tmp_path: Path) -> None:
    """And not made."""
    for arguments in (["blame"], ["blame", "--all"], ["graph"]):
        done = call(*arguments)
        assert done.code == 3
        assert "run `tracer ingest LOGS` first" in done.err
    assert list(tmp_path.iterdir()) == []
