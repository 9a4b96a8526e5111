"""What state a run is in at each look, and that each failure is blamed once, or again when it grew."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.spans import runs_from_spans
from tracer.explanation import DEFAULTS
from tracer.records import Outcome, Recording, Run, Span, Step, content_hash, run_id
from tracer.store import Store
from tracer.watching import Watch, look

START = 1_700_000_000_000_000_000
NOW = datetime(2023, 11, 14, 22, 13, 30, tzinfo=UTC)
"""Ten seconds after the start of every span below."""


def span(trace: str, number: int, parent: str | None = "root", **fields: Any) -> Span:
    """A model call of an agent that says its number."""
    said = [{"role": "assistant", "parts": [{"type": "text", "content": f"step {number} of {trace}"}]}]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": f"agent{number % 2}"}
    attributes["gen_ai.output.messages"] = json.dumps(said)
    given: dict[str, Any] = {
        "attributes": attributes,
        "started_ns": START + number * 10**9,
        "ended_ns": START + (number + 1) * 10**9,
    }
    return Span(trace_id=trace, span_id=f"{trace}{number}", parent_id=parent, name="chat", **given | fields)


def root(trace: str, **fields: Any) -> Span:
    """The outermost span, which ends last."""
    return Span(trace_id=trace, span_id="root", name="run", started_ns=START, ended_ns=START + 9 * 10**9, **fields)


def add(path: Path, digest: str, *spans: Span) -> None:
    """Load spans as one file."""
    with Store.open(path) as store:
        store.add(digest, digest, "spans", (), spans, runs_from_spans)


def states(path: Path, now: datetime = NOW) -> list[str]:
    """The state of every run."""
    found = look(path, now)
    assert found is not None
    return [each.state for each in found]


def test_a_run_is_running_until_its_outermost_span_has_come(tmp_path: Path) -> None:
    """And then it has ended, failed or is ok, as its spans say; without a root, after a minute of silence."""
    path = tmp_path / "t.duckdb"
    add(path, "a", span("t1", 1), span("t2", 1))
    assert states(path) == ["running", "running"]
    assert states(path, NOW + timedelta(seconds=51)) == ["running", "running"]  # 59 s after the end of the last span
    assert states(path, NOW + timedelta(seconds=54)) == ["ended", "ended"]
    add(path, "b", root("t1"), root("t2", status="error"))
    assert states(path) == ["ended", "failed"]


def test_a_run_that_came_from_a_file_has_ended_or_says_how(tmp_path: Path) -> None:
    """It has no spans that could still come."""
    path = tmp_path / "t.duckdb"
    with Store.open(path) as store:
        outcomes: tuple[Outcome, ...] = ("success", "failure", "unknown")
        for name, outcome in zip("abc", outcomes, strict=True):
            digest = content_hash(name)
            run = Run(id=run_id(digest), content_hash=digest, source=name, format="test", outcome=outcome)
            steps = (Step(index=0, agent="a", kind="message", content=name),)
            store.add(name, name, "test", [Recording(run, steps)], (), runs_from_spans)
    assert states(path) == ["ok", "failed", "ended"]


def test_no_database_yet_is_no_run_and_a_held_one_is_no_answer(tmp_path: Path) -> None:
    """Watching may begin before the first run; nothing is made by it."""
    path = tmp_path / "t.duckdb"
    assert look(path) == []
    assert not path.exists()
    with Store.open(path):
        assert look(path, wait=0.1) is None


def test_each_failure_is_blamed_once_and_again_when_the_run_grew(tmp_path: Path) -> None:
    """A late span changes what there is to explain."""
    path = tmp_path / "t.duckdb"
    watch = Watch(path, DEFAULTS)
    add(path, "a", span("t1", 1), span("t1", 2))
    assert [(each.state, each.steps) for each in watch.changes(NOW)] == [("running", 2)]
    assert watch.changes(NOW) == []
    add(path, "b", root("t1", status="error"))
    changed = watch.changes(NOW)
    assert [each.state for each in changed] == ["failed"]
    assert [each.run.id for each in watch.blame(changed)] == [changed[0].run.id]
    assert watch.blame(changed) == []
    add(path, "c", span("t1", 3))
    changed = watch.changes(NOW)
    assert [len(each.steps) for each in watch.blame(changed)] == [3]


def test_what_had_failed_before_is_not_blamed_unless_asked(tmp_path: Path, call: Callable[..., Any]) -> None:
    """Plain lines where there is no terminal; the JSON of a blame is that of `tracer blame`."""
    path = tmp_path / "t.duckdb"
    add(path, "a", span("t1", 1), span("t1", 2), root("t1", status="error"))
    assert call("watch", "--for", 0).out == "1 run so far\n"
    lines = call("watch", "--for", 0, "--all").out.splitlines()
    assert len(lines) == 3
    assert " failed  2 steps, 2 agents" in lines[1]
    assert " blame   " in lines[2]
    run, blame = [json.loads(line) for line in call("watch", "--for", 0, "--all", "--json").out.splitlines()]
    assert run == {"run": blame["run"], "state": "failed", "steps": 2, "agents": 2, "task": ""}
    assert blame["outcome"] == "failure"


@pytest.mark.parametrize("attack", ["\x1b]0;owned\x07", "[/bold]", "\x9b2J", "\u202eevil"])
def test_a_hostile_run_stays_on_its_line(tmp_path: Path, call: Callable[..., Any], attack: str) -> None:
    """No control character of a log reaches the terminal, and no markup is read."""
    path = tmp_path / "t.duckdb"
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"{attack} task"}]}])
    add(path, "a", span("t1", 1, attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": said}))
    for arguments in (("--all",), ("--all", "--json")):
        out = call("watch", "--for", 0, *arguments).out
        assert "task" in out
        assert not set(out) & set("\x1b\x07\x9b\u202e")
