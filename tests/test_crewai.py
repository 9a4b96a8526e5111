"""CrewAI's log of tasks in both forms. Those under data/crewai are of crewai 1.15.30, by scripts/capture_crewai.py."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import crewai
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording

DATA = Path(__file__).parent / "data" / "crewai"


def read(path: Path) -> list[Recording]:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "crewai"
    return list(collector.read(container).recordings)


def row(task: str, agent: str, status: str, output: str | None = None, name: str | None = None) -> dict[str, Any]:
    found = {"timestamp": "2026-01-05 09:00:00", "task_name": name, "task": task, "agent": agent, "status": status}
    return found | ({} if output is None else {"output": output})


@pytest.mark.parametrize("name", ["crew_log.json", "crew_log.txt"])
def test_both_forms_hold_the_same_run(name: str) -> None:
    """The text escapes nothing: quotes, a comma and a line break stand in the first output."""
    [(run, steps)] = read(DATA / name)
    assert [(step.agent, step.kind, step.recipient, step.content, step.parents) for step in steps] == [
        ("crew", "handoff", "Price Researcher", "Find the price of a widget.", ()),
        (
            "Price Researcher",
            "message",
            None,
            'Article "W-7", a widget, costs 12.5 EUR.\nSource: catalogue, page 3',
            (0,),
        ),
        ("crew", "handoff", "Writer", "Say what three widgets cost.", ()),
        ("Writer", "message", None, "Three widgets cost 35 EUR.", (2,)),
    ]
    assert (run.task, run.outcome, run.framework, run.notes) == (
        "Find the price of a widget.", "unknown", "crewai", (),
    )  # fmt: skip
    assert all(step.reasoning_state == "absent" and step.tool is None for step in steps)
    assert steps[3].pointer is not None
    assert (steps[3].pointer.path, steps[3].pointer.line) == (("/3", None) if name.endswith("json") else (None, 5))


def test_local_times_keep_their_text(tmp_path: Path) -> None:
    """They name no zone."""
    (tmp_path / "a.json").write_text(json.dumps([row("Do it.", "A", "started")]))
    [(run, [step])] = read(tmp_path / "a.json")
    assert (step.started, step.raw_time) == (datetime(2026, 1, 5, 9, tzinfo=UTC), "2026-01-05 09:00:00")
    assert run.notes == ("a task was started and never completed: Do it. (A)",)


def test_a_file_that_was_appended_to_holds_several_runs(tmp_path: Path) -> None:
    """Tasks that run side by side join by name; a second kick-off has other words for the same named task."""
    rows = [
        row("Find cats.", "A", "started", name="find"),
        row("Count cats.", "B", "started", name="count"),
        row("Count cats.", "B", "completed", "2", name="count"),
        row("Find cats.", "A", "completed", "Tom", name="find"),
        row("Find dogs.", "A", "started", name="find"),
        row("Find dogs.", "A", "completed", "Rex", name="find"),
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    first, second = read(tmp_path / "a.json")
    assert [step.parents for step in first.steps] == [(), (), (1,), (0,)]
    assert (second.run.task, len(second.steps)) == ("Find dogs.", 2)


def test_a_thought_before_the_final_answer_is_reasoning(tmp_path: Path) -> None:
    """Without a final answer it is all there is, and stays."""
    rows = [
        row("Add.", "A", "completed", "Thought: one and one\nis two\nFinal Answer: 2"),
        row("Add.", "A", "completed", "Thought: hm"),
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    [(_, steps)] = read(tmp_path / "a.json")
    assert [(step.content, step.reasoning) for step in steps] == [("2", "one and one\nis two"), ("Thought: hm", None)]


def test_text_that_looks_like_an_entry_inside_an_output(tmp_path: Path) -> None:
    """A quoted time alone begins no entry, and a cut-off last entry is kept."""
    text = (DATA / "crew_log.txt").read_text().replace("Source:", "2026-01-05 09:00:00: Source:")
    (tmp_path / "a.txt").write_text(text[: text.index("costs 12.5 EUR") + 38])
    [(_, steps)] = read(tmp_path / "a.txt")
    assert [step.content for step in steps] == [
        "Find the price of a widget.", 'Article "W-7", a widget, costs 12.5 EUR.\n2026-01-05 09:00:00: S',
    ]  # fmt: skip


def test_a_row_that_is_none_says_where(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "a.json").write_text(json.dumps([row("x", "A", "started"), {"task": 1}]))
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(BadInputError, match=r"a\.json, at /1: no task that was started or completed"):
        crewai.read(container)


@pytest.mark.parametrize("text", ["[]", "[1]", '[{"task": 1, "agent": 1, "status": "done", "timestamp": 1}]', "notes"])
def test_other_values_are_none_of_ours(tmp_path: Path, text: str) -> None:
    """A word says why."""
    (tmp_path / "a").write_text(text)
    [container] = open_containers(tmp_path / "a")
    assert crewai.detect(container)
