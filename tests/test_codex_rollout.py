"""The lines of Codex rollouts: what is said once, how calls ended, and whose tokens were spent."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.ingest import read_recordings
from tracer.records import Recording

Line = dict[str, Any]


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


def test_events_add_no_words_and_injected_text_is_not_the_users(tmp_path: Path) -> None:
    """The instructions of a repository come as a user's message."""
    lines = [
        enveloped(0, "session_meta", id="p"),
        said(1, "user", "# AGENTS.md instructions for /x"),
        said(2, "user", "Hi"),
        event(2, "user_message", message="Hi"),
        enveloped(3, "response_item", type="reasoning", summary=[], content=None, encrypted_content="gAAA"),
        said(4, "assistant", "Hello."),
        event(4, "agent_message", message="Hello."),
        event(5, "turn_aborted", reason="interrupted"),
        enveloped(6, "response_item", type="ghost_snapshot"),
        enveloped(7, "hologram"),
        5,
    ]
    run, steps = read(tmp_path / "a.jsonl", lines)
    assert [(step.agent, step.content, step.reasoning_state) for step in steps] == [
        ("system", "# AGENTS.md instructions for /x", "absent"),
        ("user", "Hi", "absent"),
        ("codex", "Hello.", "unreadable"),
        ("system", "turn_aborted: interrupted", "absent"),
    ]
    assert run.task == "Hi"
    assert run.notes == ("lines that are no steps: ? 1, ghost_snapshot 1, hologram 1",)


@pytest.mark.parametrize(
    ("output", "events", "outcome"),
    [
        ("Wall time: 1\nProcess exited with code 2\nOutput:\nrg: no", [], ("error", "exit code 2")),
        ("Wall time: 1\nProcess exited with code 0\nOutput:\nfine", [], ("ok", "exit code 0")),
        ("Wall time: 1\nProcess exited with code 0\nOutput:\n", [], ("empty", "text: blank")),
        ('{"output": "no such file", "metadata": {"exit_code": 1}}', [], ("error", "exit code 1")),
        ({"content": "no", "success": False}, [], ("error", "success: false")),
        ("some text", [event(3, "exec_command_end", call_id="c1", exit_code=7)], ("error", "exit code 7")),
        ("some text", [event(3, "patch_apply_end", call_id="c1", success=False)], ("error", "patch_apply_end")),
        ("Process running with session ID 5", [], ("unknown", "still running")),
        (
            "Process running with session ID 5",
            [event(3, "exec_command_end", call_id="c1", exit_code=7)],
            ("error", "exit code 7"),
        ),
        ("write_stdin failed: stdin is closed", [], ("error", "text: the tool says it failed")),
    ],
)
def test_how_a_call_ended_and_which_rule_said_so(
    tmp_path: Path, output: Any, events: list[Line], outcome: tuple[str, str]
) -> None:
    """The result's own words, then the event of its call."""
    lines = [enveloped(0, "session_meta", id="p"), called(1, "c1", "shell", cmd="x"), brought(2, "c1", output), *events]
    step = read(tmp_path / "a.jsonl", lines).steps[1]
    assert (step.tool_status, step.tool_rule) == outcome


def test_a_failure_that_a_later_result_reports_is_told_once(tmp_path: Path) -> None:
    """There, and not on the call that only started the process."""
    lines = [
        enveloped(0, "session_meta", id="p"),
        called(1, "c1", "exec_command", cmd="x"),
        brought(2, "c1", "Process running with session ID 5\nOutput:\n"),
        called(3, "c2", "write_stdin", session_id=5, chars=""),
        event(4, "exec_command_end", call_id="c1", exit_code=2),
        brought(5, "c2", "Process exited with code 2\nOutput:\nno"),
    ]
    steps = read(tmp_path / "a.jsonl", lines).steps
    assert [step.tool_rule for step in steps if step.kind == "tool_result"] == ["still running", "exit code 2"]


def test_tokens_sum_to_the_sessions_own_total(tmp_path: Path) -> None:
    """A count that is repeated counts once; a call that did nothing is charged to what was done before."""

    def count(second: int, last: int, total: int) -> Line:
        info = {
            "last_token_usage": {"input_tokens": last, "output_tokens": 1},
            "total_token_usage": {"input_tokens": total},
        }
        return event(second, "token_count", info=info)

    lines = [
        enveloped(0, "session_meta", id="p"),
        event(0, "token_count", info=None),
        said(1, "assistant", "A"),
        count(2, 10, 10),
        count(2, 10, 10),
        count(3, 5, 15),
        said(4, "assistant", "B"),
        count(5, 20, 35),
    ]
    steps = read(tmp_path / "a.jsonl", lines).steps
    assert [(step.input_tokens, step.output_tokens) for step in steps] == [(15, 2), (20, 1)]
