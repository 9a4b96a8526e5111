"""`tracer gate` as CI calls it: exit codes, JSON, Markdown and JUnit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tracer.fleet import Gate

Call = Callable[..., Any]
HOSTILE = "rea\x1b[2Jder <script>|` \x00\ufffe"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A failed run whose agent has a hostile name, and one that succeeded."""
    history = [
        {"role": "user", "name": "planner", "content": "Plan: count the whales."},
        {"role": "user", "name": HOSTILE, "content": "I assume that it saw 4711 whales."},
        {"role": "user", "name": "writer", "content": "The answer is 4711."},
    ]
    (tmp_path / "logs").mkdir()
    for name, correct in (("failed", False), ("fine", True)):
        value = {"question": name, "history": history, "is_correct": correct}
        value |= {"mistake_agent": "x", "mistake_step": "1"}
        (tmp_path / "logs" / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return tmp_path / "logs"


def test_the_exit_code_says_whether_logs_pass(call: Call, logs: Path) -> None:
    """1 when a failure is blamed above P, 0 when not; the report says why."""
    closed = call("gate", logs, "--above", "0.1")
    assert closed.code == 1
    assert closed.out.startswith("gate closed: 1 of 1 failed run blamed above 0.1\n")
    assert "2 runs: 1 failed, 1 succeeded, 0 unknown" in closed.out
    assert "\x1b" not in closed.out
    opened = call("gate", logs, "--above", "1")
    assert (opened.code, opened.err) == (0, "")
    assert opened.out.startswith("gate open\n")


def test_the_json_has_runs_and_failures(call: Call, logs: Path) -> None:
    """The published form, whatever the exit code; nothing else on standard output."""
    done = call("gate", logs, "--above", "0.1", "--json")
    assert done.code == 1
    found = Gate.model_validate(done.json)
    assert (done.json["runs"], len(done.json["failures"]), found.passed) == (2, 1, False)
    assert done.json["failures"][0]["above"] is True


def test_markdown_and_junit_hold_hostile_names_as_text(call: Call, logs: Path, tmp_path: Path) -> None:
    """No markup of the log's own; the XML can be parsed, and counts one failure."""
    markdown, junit = tmp_path / "gate.md", tmp_path / "gate.xml"
    assert call("gate", logs, "--above", "0.1", "--markdown", markdown, "--junit", junit).code == 1
    text = markdown.read_text()
    assert text.startswith("### tracer: gate closed")
    assert "<script>" not in text.replace("`` ", "").split("|")[0]
    row = next(line for line in text.splitlines() if "❌" in line)
    assert row.replace("\\|", "").count("|") == 6
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    [failure] = suite.iter("failure")
    assert "above 0.1" in (failure.get("message") or "")


def test_a_baseline_is_written_and_compared_with(call: Call, logs: Path, tmp_path: Path) -> None:
    """The same logs are not worse than themselves."""
    baseline = tmp_path / "baseline.json"
    assert call("gate", logs, "--above", "1", "--write-baseline", baseline).code == 0
    done = call("gate", logs, "--above", "1", "--baseline", baseline)
    assert done.code == 0
    assert "compared with the baseline: none is worse by more than chance" in done.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["LOGS", "--above", "2"], 2),
        (["LOGS", "--above", "x"], 2),
        ([], 2),
        (["nowhere"], 3),
        (["LOGS", "--baseline", "nowhere.json"], 3),
        (["LOGS", "--write-baseline", "no/such/b.json"], 2),
        (["LOGS", "--junit", "."], 2),
    ],
)
def test_a_mistake_never_looks_like_a_verdict(call: Call, logs: Path, arguments: list[str], code: int) -> None:
    """Neither 0 nor 1; nothing on standard output, and the last line says what is wrong."""
    done = call("gate", *(str(logs) if word == "LOGS" else word for word in arguments))
    assert (done.code, done.out) == (code, "")
    assert "rror" in done.err
    assert "Traceback" not in done.err


def test_an_open_gate_says_when_it_judged_nothing(call: Call, logs: Path) -> None:
    """Runs of unknown outcome alone pass, and nobody can take that for a success."""
    for path in logs.iterdir():
        value = json.loads(path.read_text())
        path.write_text(json.dumps({key: value[key] for key in ("question", "history")}))
    done = call("gate", logs)
    assert done.code == 0
    assert done.out.startswith("gate open, but no run says how it ended\n")
    assert "of unknown outcome passed unread: --assume failed blames them, too" in done.out


def test_files_that_cannot_be_read_are_told_and_do_not_close_the_gate(call: Call, logs: Path) -> None:
    """In one line, with the first reason."""
    (logs / "broken.json").write_text("{")
    done = call("gate", logs, "--above", "1")
    assert done.code == 0
    assert "1 file not read; " in done.out
    assert "broken.json" in done.out


def test_logs_of_which_none_can_be_read_are_counted_by_reason(call: Call, tmp_path: Path) -> None:
    """One line, and not what each of the formats looked for."""
    (tmp_path / "junk").mkdir()
    for name, text in (("a", "hello"), ("b", "world"), ("c", "")):
        (tmp_path / "junk" / f"{name}.txt").write_text(text)
    done = call("gate", tmp_path / "junk")
    assert (done.code, done.out) == (3, "")
    told = "none of 3 files is a log that can be read (2 × not a format we know; 1 × the file is empty)"
    assert done.err == f"error: nothing was loaded: {told}\n"
