"""`tracer bench world-runs` and `world-labels`, as a user calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("opentelemetry.sdk")

from tracer.cli import main
from tracer.schemas import WorldLabels, WorldRuns

if TYPE_CHECKING:
    from pathlib import Path


def test_runs_are_written_and_their_causes_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One failed run and one successful one; the label goes beside them, and the second call does nothing again."""
    path = tmp_path / "world.jsonl.gz"
    assert (
        main(["bench", "world-runs", "-o", str(path), "--failed", "1", "--successful", "1", "--jobs", "1", "--json"])
        == 0
    )
    assert WorldRuns.model_validate_json(capsys.readouterr().out).failed == 1
    assert main(["ingest", str(path), "--db", str(tmp_path / "world.duckdb")]) == 0
    assert "2 runs" in capsys.readouterr().out
    assert main(["bench", "world-labels", str(path), "--jobs", "1", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert WorldLabels.model_validate(first).runs == 1
    assert first["labels"].endswith("world.labels.jsonl")
    written = (tmp_path / "world.labels.jsonl").read_bytes()
    assert main(["bench", "world-labels", str(path), "--jobs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert (tmp_path / "world.labels.jsonl").read_bytes() == written


def test_runs_of_somebody_else_have_no_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed run without a roster ends in one line."""
    path = tmp_path / "other.jsonl"
    message = {"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}
    span = {
        "name": "chat", "context": {"trace_id": "0x" + "1" * 32, "span_id": "0x" + "2" * 16}, "parent_id": None,
        "attributes": {
            "gen_ai.operation.name": "chat", "gen_ai.agent.name": "a", "gen_ai.output.messages": json.dumps([message]),
        },
        "events": [{"name": "gen_ai.evaluation.result", "attributes": {"gen_ai.evaluation.score.label": "fail"}}],
    }  # fmt: skip
    path.write_text(json.dumps(span) + "\n", encoding="utf-8")
    assert main(["bench", "world-labels", str(path), "--jobs", "1"]) == 3
    assert "none of the agent world" in capsys.readouterr().err


def test_where_nothing_can_be_written_it_says_so_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is not there."""
    assert main(["bench", "world-runs", "-o", str(tmp_path / "none" / "world.jsonl.gz")]) == 2
    assert "there is no folder" in capsys.readouterr().err
