"""OpenHands: files, folders and rows of events, of both versions; what says how a run ended."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.records import Recording

Event = dict[str, Any]
V1: list[Event] = [
    {"kind": "MessageEvent", "id": "a", "source": "user", "timestamp": "2026-01-01T00:00:01",
     "llm_message": {"role": "user", "content": [{"type": "text", "text": "Fix it."}]}},
    {"kind": "ActionEvent", "id": "b", "source": "agent", "timestamp": "2026-01-01T00:00:02", "thought": [],
     "action": {"command": "ls", "kind": "TerminalAction"}, "tool_name": "terminal", "tool_call_id": "c1"},
    {"kind": "ObservationEvent", "id": "c", "source": "environment", "timestamp": "2026-01-01T00:00:03",
     "observation": {"content": [{"type": "text", "text": "a.py"}], "is_error": False}, "action_id": "b",
     "tool_name": "terminal", "tool_call_id": "c1"},
]  # fmt: skip
V0: list[Event] = [
    {"id": 0, "timestamp": "2025-01-01T00:00:01", "source": "user", "action": "message",
     "args": {"content": "Fix it."}},
    {"id": 1, "timestamp": "2025-01-01T00:00:02", "source": "agent", "action": "run",
     "args": {"command": "ls", "thought": "I look."}},
    {"id": 2, "timestamp": "2025-01-01T00:00:03", "source": "agent", "observation": "run", "content": "a.py",
     "cause": 1, "extras": {"metadata": {"exit_code": 0}}},
]  # fmt: skip


def read(path: Path, value: Any) -> list[Recording]:
    path.write_text(json.dumps(value), encoding="utf-8")
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "openhands"
    return list(collector.read(container).recordings)


@pytest.mark.parametrize("events", [V1, V0], ids=["V1", "V0"])
def test_a_list_and_lines_are_the_same_run(tmp_path: Path, events: list[Event]) -> None:
    """And its address is the same, too."""
    [listed] = read(tmp_path / "a.json", events)
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, events)))
    [lined] = read_recordings([tmp_path / "b.jsonl"])[0]
    assert [step.model_copy(update={"pointer": None}) for step in listed.steps] == [
        step.model_copy(update={"pointer": None}) for step in lined.steps
    ]
    assert listed.run.id == lined.run.id
    assert listed.run.task == "Fix it."
    assert [(step.agent, step.kind) for step in listed.steps][:2] == [("user", "message"), ("openhands", "tool_call")]
    assert (listed.steps[2].content, listed.steps[2].tool_status, listed.steps[2].parents) == ("a.py", "ok", (1,))


def test_a_folder_of_events_is_one_run(tmp_path: Path) -> None:
    """In the order of their numbers, with the file of each as its member; a stray file is told."""
    folder = tmp_path / "events"
    folder.mkdir()
    for number, event in reversed(list(enumerate(V1))):
        (folder / f"event-{number:05}-{event['id']}.json").write_text(json.dumps(event))
    [(run, steps)] = read_recordings([tmp_path])[0]
    assert [step.content for step in steps] == ["Fix it.", "", "a.py"]
    assert (run.source, steps[0].pointer and steps[0].pointer.member) == (str(folder), "event-00000-a.json")
    (folder / "notes.txt").write_text("Hello there.")
    recordings, skipped = read_recordings([tmp_path])
    assert len(recordings) == 1
    assert [Path(each.source).name for each in skipped] == ["notes.txt"]


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"test_result": {"report": {"resolved": True}}}, ("success", "resolved")),
        ({"test_result": {"report": {"resolved": False}}}, ("failure", "resolved")),
        ({"error": "ran out of steps"}, ("failure", "error")),
        ({"error": None}, ("unknown", None)),
    ],
)
def test_a_row_of_an_evaluation_says_how_the_run_ended(
    tmp_path: Path, facts: Event, outcome: tuple[str, str | None]
) -> None:
    """The oldest rows hold pairs."""
    row = {"instance_id": "i", "history": [[V0[0], {**V0[2], "id": 9, "cause": 8}], [V0[1], V0[2]]], **facts}
    [(run, steps)] = read(tmp_path / "output.jsonl", row)
    assert (run.outcome, run.outcome_source, run.group) == (*outcome, "i")
    assert [step.content for step in steps] == ["Fix it.", "a.py", "I look.", "a.py"]
    assert steps[0].pointer is not None
    assert steps[0].pointer.path == "/history/0/0"


def test_several_rows_are_several_runs(tmp_path: Path) -> None:
    """One line each."""
    rows = [{"instance_id": str(n), "history": V0} for n in range(3)]
    (tmp_path / "output.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recordings, _ = read_recordings([tmp_path / "output.jsonl"])
    assert [run.group for run, _ in recordings] == ["0", "1", "2"]


def test_what_is_no_event_is_counted(tmp_path: Path) -> None:
    """A number among events, and a kind that is not known."""
    odd = [5, {"kind": "HologramEvent", "source": "agent", "id": "x"}]
    [(run, steps)] = read(tmp_path / "a.json", [*V1, *odd])
    assert len(steps) == 3
    assert run.notes == ("events that are no steps: ? 1, HologramEvent 1",)


def test_the_real_events(real_logs: Path) -> None:
    """By jq: 5 states, 2 actions, 3 observations of which one answers an action that is not in the file."""
    [(run, steps)] = read_recordings([real_logs / "samples/openhands"])[0]
    assert Counter(step.kind for step in steps) == {"tool_call": 2, "tool_result": 3}
    assert {step.agent for step in steps} == {"openhands", "terminal"}
    assert [step.tool_rule for step in steps if step.tool_status == "error"] == ["is_error", "is_error", "exit code 1"]
    assert [step.parents for step in steps if step.kind == "tool_result"] == [(0,), (), (3,)]
    calls = [step for step in steps if step.kind == "tool_call"]
    assert [step.reasoning_state for step in calls] == ["present", "present"]
    assert calls[1].reasoning == "Let me chain these properly with && and ;\n"
    assert calls[0].content.startswith("I'll help you review PR #3745")
    assert calls[1].content == ""
    assert sum(step.input_tokens or 0 for step in steps) == 107_458
    assert sum(step.output_tokens or 0 for step in steps) == 1_347
    assert {step.model for step in calls} == {"litellm_proxy/minimax-m2.7"}
    assert (run.outcome, run.notes) == ("unknown", ("events that are no steps: ConversationStateUpdateEvent 5",))
