"""Codex's files: both eras of rollouts, the stream of `codex exec --json`, and the rollouts of sub-agents."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.ingest import ingest, read_recordings
from tracer.collectors.registry import recognise
from tracer.records import Recording
from tracer.store import Store

Line = dict[str, Any]
ROLLOUT = "rollout-2026-05-11T11-26-55-019e1625-789d-76c0-80ab-3724b5ddb799.jsonl"


def enveloped(second: int, kind: str, **payload: Any) -> Line:
    return {"timestamp": f"2026-05-01T10:00:{second:02}.000Z", "type": kind, "payload": payload}


def said(second: int, role: str, text: str) -> Line:
    return enveloped(
        second, "response_item", type="message", role=role, content=[{"type": "output_text", "text": text}]
    )


def called(second: int, call: str, name: str, **arguments: Any) -> Line:
    return enveloped(
        second, "response_item", type="function_call", call_id=call, name=name, arguments=json.dumps(arguments)
    )


def brought(second: int, call: str, output: Any) -> Line:
    return enveloped(second, "response_item", type="function_call_output", call_id=call, output=output)


def event(second: int, kind: str, **more: Any) -> Line:
    return enveloped(second, "event_msg", type=kind, **more)


def written(path: Path, lines: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(each) for each in lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, lines: list[Any]) -> Recording:
    [recording] = read_recordings([written(path, lines)])[0]
    return recording


def family(folder: Path) -> tuple[Path, Path]:
    """A thread, and the one that it starts with a copy of its own history."""
    parent = [
        enveloped(0, "session_meta", id="p-1", source="cli"),
        said(1, "user", "Fix it."),
        called(2, "c1", "spawn_agent", agent_type="explorer", message="Look."),
        event(3, "collab_agent_spawn_end", call_id="c1", new_thread_id="k-2", new_agent_role="explorer"),
        brought(3, "c1", '{"agent_id": "k-2"}'),
        called(4, "c2", "wait_agent", ids=["k-2"]),
        brought(9, "c2", '{"status": "completed"}'),
        said(10, "assistant", "Fixed."),
    ]
    child = [
        enveloped(3, "session_meta", id="k-2", source={"subagent": {"thread_spawn": {"parent_thread_id": "p-1"}}}),
        parent[1],
        parent[2],
        said(4, "user", "Look."),
        said(5, "assistant", "It is broken."),
    ]
    return written(folder / "parent.jsonl", parent), written(folder / "child.jsonl", child)


@pytest.mark.parametrize("first", [0, 1])
def test_a_sub_agents_rollout_joins_the_thread_that_started_it(tmp_path: Path, first: int) -> None:
    """In either order, without the history that was copied into it."""
    files = family(tmp_path)
    with Store.open(tmp_path / "t.duckdb") as store:
        result = ingest([files[first], files[1 - first]], store)
        [run] = store.runs()
        steps = store.steps(run.id)
    assert {each.source: each.part_of for each in result.sources} == {str(files[0]): None, str(files[1]): str(files[0])}
    assert [(step.agent, step.content or step.tool, step.parents) for step in steps] == [
        ("user", "Fix it.", ()),
        ("codex", "spawn_agent", ()),
        ("spawn_agent", '{"agent_id": "k-2"}', (1,)),
        ("codex", "wait_agent", ()),
        ("codex", "Look.", (1,)),
        ("explorer", "It is broken.", ()),
        ("explorer", '{"status": "completed"}', (3, 5)),
        ("codex", "Fixed.", ()),
    ]
    assert (steps[1].kind, steps[1].recipient, run.task) == ("handoff", "explorer", "Fix it.")


def test_a_fork_that_the_user_made_is_another_run(tmp_path: Path) -> None:
    """It names the thread that it came from, but no one started it."""
    written(tmp_path / "a.jsonl", [enveloped(0, "session_meta", id="p", source="cli"), said(1, "user", "A")])
    head = enveloped(0, "session_meta", id="q", source="cli", forked_from_id="p")
    written(tmp_path / "b.jsonl", [head, said(1, "user", "A"), said(2, "user", "B")])
    recordings, _ = read_recordings([tmp_path])
    assert sorted(len(steps) for _, steps in recordings) == [1, 2]


BARE: list[Line] = [
    {"id": "s-1", "timestamp": "2025-06-01T10:00:00.000Z", "instructions": None},
    {"record_type": "state"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List."}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I list."}]},
    {"type": "function_call", "id": "fc", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "c1"},
    {"type": "function_call_output", "call_id": "c1", "output": '{"output":"a","metadata":{"exit_code":0}}'},
]


def test_rollouts_before_the_envelope(tmp_path: Path) -> None:
    """Bare items behind a head; and, before that, one object."""
    old = read(tmp_path / "a.jsonl", BARE)
    (tmp_path / "b.json").write_text(json.dumps({"session": BARE[0], "items": BARE[2:]}, indent=1))
    [older] = read_recordings([tmp_path / "b.json"])[0]
    for run, steps in (old, older):
        assert run.format == "codex_cli"
        assert [(step.agent, step.content, step.tool_status) for step in steps] == [
            ("user", "List.", None),
            ("codex", "", None),
            ("shell", "a", "ok"),
        ]
        assert (steps[1].reasoning, steps[1].reasoning_state) == ("I list.", "present")


def test_a_turn_that_failed_fails_the_stream_unless_a_later_one_ends(tmp_path: Path) -> None:
    """And every kind of item that acts is a call with its result."""
    lines = [
        {"type": "thread.started", "thread_id": "t"},
        {"type": "item.completed", "item": {"id": "i0", "type": "todo_list", "items": []}},
        {"type": "item.started", "item": {"id": "i1", "type": "command_execution", "command": "x"}},
        {
            "type": "item.completed",
            "item": {
                "id": "i1",
                "type": "command_execution",
                "command": "x",
                "aggregated_output": "no",
                "exit_code": 1,
                "status": "failed",
            },
        },
        {
            "type": "item.completed",
            "item": {"id": "i2", "type": "file_change", "changes": [{"path": "a"}], "status": "completed"},
        },
        {"type": "turn.failed", "error": {"message": "out of tokens"}},
    ]
    run, steps = read(tmp_path / "a.jsonl", lines)
    assert (run.outcome, run.outcome_source) == ("failure", "turn.failed")
    assert [(step.kind, step.tool, step.tool_status) for step in steps] == [
        ("tool_call", "shell", None),
        ("tool_result", "shell", "error"),
        ("tool_call", "apply_patch", None),
        ("tool_result", "apply_patch", "ok"),
        ("system", None, None),
    ]
    assert run.notes == ("lines that are no steps: todo_list 1",)
    again, _ = read(tmp_path / "b.jsonl", [*lines, {"type": "turn.completed", "usage": {}}])
    assert again.outcome == "unknown"


def test_the_real_stream(real_logs: Path) -> None:
    """Two thoughts, one command, one answer, one usage: read in the file."""
    [container] = open_containers(real_logs / "samples/codex_cli/stream-output-5.jsonl")
    assert recognise(container).name == "codex_cli"
    [(run, steps)] = read_recordings([real_logs / "samples/codex_cli/stream-output-5.jsonl"])[0]
    assert [(step.agent, step.kind, step.tool_status) for step in steps] == [
        ("codex", "tool_call", None),
        ("shell", "tool_result", "ok"),
        ("codex", "message", None),
    ]
    assert [step.reasoning for step in steps] == [
        "**Listing files in directory**",
        None,
        "**Preparing summary with caution**",
    ]
    assert sum(step.input_tokens or 0 for step in steps) == 6_086
    assert sum(step.output_tokens or 0 for step in steps) == 223
    assert (run.outcome, steps[1].tool_rule) == ("unknown", "exit code 0")


def test_the_real_rollout(real_logs: Path) -> None:
    """By grep: 99 + 3 calls with results, 3 searches, 13 answers, 25 sealed thoughts, 4 failed commands, 1 refusal."""
    [(run, steps)] = read_recordings([real_logs / "samples/codex_cli" / ROLLOUT])[0]
    assert Counter(step.kind for step in steps) == {
        "tool_call": 105,
        "tool_result": 102,
        "message": 15,
        "system": 2,
    }
    assert Counter(step.tool for step in steps if step.kind == "tool_call") == {
        "write_stdin": 54,
        "exec_command": 43,
        "apply_patch": 3,
        "web_search": 3,
        "update_plan": 2,
    }
    assert Counter(step.reasoning_state for step in steps) == {"absent": 199, "unreadable": 25}
    assert all(len(step.parents) == 1 for step in steps if step.kind == "tool_result")
    assert Counter(step.tool_rule for step in steps if step.tool_status == "error") == {
        "exit code 1": 3,
        "exit code 2": 1,
        "text: the tool says it failed": 1,
    }
    assert sum(step.input_tokens or 0 for step in steps) == 6_055_836
    assert sum(step.output_tokens or 0 for step in steps) == 9_118
    assert (run.task, run.outcome, run.notes) == ("show tools", "unknown", ())
    assert {step.model for step in steps if step.agent == "codex"} == {"gpt-5.5"}
