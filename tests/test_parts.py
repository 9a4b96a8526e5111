"""Large files of JSON Lines, part by part: the same as read whole, for every place at which they may be cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.collectors import parts
from tracer.store import Store


def chat(number: int, turns: int = 2) -> dict[str, Any]:
    """A conversation like no other."""
    roles = ("user", "assistant") * turns
    return {"messages": [{"role": role, "content": f"{number} {k}"} for k, role in enumerate(roles[:turns])]}


def otlp(number: int) -> dict[str, Any]:
    """A request with one span of a trace of two."""
    said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": f"part {number}"}]}])
    attributes = [{"key": "gen_ai.output.messages", "value": {"stringValue": said}}]
    span = {"traceId": f"{number // 2 + 1:032x}", "spanId": f"{number + 1:016x}", "attributes": attributes}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span | {"startTimeUnixNano": str(number + 1)}]}]}]}


def write(path: Path, values: list[Any]) -> Path:
    """One value a line, with an empty line in between."""
    lines = [json.dumps(value) for value in values]
    path.write_text("\n".join([*lines[:3], "", *lines[3:]]), encoding="utf-8")
    return path


def content(db: Path) -> list[tuple[Any, ...]]:
    """Every run with its steps, in the order of their addresses."""
    with Store.open(db, read_only=True) as store:
        assert store.verify() == []
        query = "SELECT run, index, agent, content, pointer FROM steps ORDER BY run, index"
        return store.database.all(query)


def cut(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Take every file for a large one, and read so many bytes at a time."""
    monkeypatch.setattr(parts, "LARGE", 1)
    monkeypatch.setattr(parts, "PART", size)


GROWING = [chat(1, turns) for turns in (2, 4, 6)]
"""One conversation as three calls of a model hold it: one run, whose last form counts."""


@pytest.mark.parametrize("size", [1, 60, 150, 400, 10**6])
@pytest.mark.parametrize(
    ("values", "runs"),
    [([chat(0), *GROWING, chat(2), chat(3), chat(2)], 4), ([otlp(number) for number in range(9)], 5)],
    ids=["chat", "otlp"],
)
def test_cut_anywhere_it_is_the_same_as_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, values: list[Any], runs: int
) -> None:
    """Runs, steps and their places; a history that grows over a cut is one run; and it counts as one file."""
    log = write(tmp_path / "log.jsonl", values)
    whole = tracer.ingest([log], tmp_path / "whole.duckdb")
    cut(monkeypatch, size)
    assert parts.can_be_cut(log)
    found = tracer.ingest([log], tmp_path / "cut.duckdb")
    assert content(tmp_path / "cut.duckdb") == content(tmp_path / "whole.duckdb")
    assert found[:3] == whole[:3]
    assert found.runs == runs
    again = tracer.ingest([log], tmp_path / "cut.duckdb")
    assert again[:3] == (0, 0, 0)
    assert [each._replace(new=0) for each in found.sources] == again.sources
    with Store.open(tmp_path / "cut.duckdb", read_only=True) as store:
        assert store.database.all("SELECT count(*) FROM sources") == [(1,)]


def test_a_line_that_is_no_json_is_named_and_what_stood_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that was killed leaves half a line; once it is mended, the rest is added, and nothing twice."""
    log = tmp_path / "log.jsonl"
    lines = [json.dumps(chat(number)) for number in range(6)]
    log.write_text("\n".join([*lines[:5], lines[5][:20]]))
    cut(monkeypatch, 150)
    found = tracer.ingest([log], tmp_path / "t.duckdb")
    assert found.runs >= 3
    assert [each.reason for each in found.skipped] == [f"{log}, line 6: no JSON value"]
    assert len(found.sources) == 1
    log.write_text("\n".join(lines))
    assert tracer.ingest([log], tmp_path / "t.duckdb").runs == 6 - found.runs
    assert len({run for run, *_ in content(tmp_path / "t.duckdb")}) == 6


@pytest.mark.parametrize(
    "values",
    [
        [{"role": "user", "content": str(number)} for number in range(5)],  # one conversation, a message a line
        [{"weather": "fine"}] * 5,
    ],
    ids=["messages", "unknown"],
)
def test_what_must_be_read_whole_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[Any]) -> None:
    """It is opened as ever, with its own refusal."""
    log = write(tmp_path / "log.jsonl", values)
    whole = tracer.ingest([log], tmp_path / "whole.duckdb")
    cut(monkeypatch, 60)
    found = tracer.ingest([log], tmp_path / "cut.duckdb")
    assert found[:3] == whole[:3]
    assert found.skipped == whole.skipped


def test_a_file_beyond_the_size_limit_is_read_when_it_can_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is on what must be held at once: a file with one endless line is still refused in one line."""
    monkeypatch.setenv("TRACER_MAX_BYTES", "2000")
    cut(monkeypatch, 400)
    log = write(tmp_path / "log.jsonl", [chat(number) for number in range(40)])
    assert log.stat().st_size > 2000
    assert tracer.ingest([log], tmp_path / "t.duckdb").runs == 40
    endless = tmp_path / "endless.jsonl"
    endless.write_text(json.dumps(chat(1, 200)))
    [skipped] = tracer.ingest([endless], tmp_path / "t.duckdb").skipped
    assert "the limit is 2,000" in skipped.reason
