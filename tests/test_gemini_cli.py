"""Gemini CLI sessions: thoughts that are shown or only counted, calls with their results, both layouts."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import gemini_cli
from tracer.collectors.container import open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording

HEAD = {"sessionId": "s", "projectHash": "h", "startTime": "2026-01-01T00:00:00Z"}


def entry(identifier: str, kind: str, content: Any = "", **more: Any) -> dict[str, Any]:
    return {"id": identifier, "type": kind, "content": content, "timestamp": "2026-01-01T00:00:01.5Z", **more}


def call(status: str, response: Any) -> dict[str, Any]:
    answer = None if response is None else [{"functionResponse": {"id": "c1", "name": "ls", "response": response}}]
    return {"id": "c1", "name": "ls", "args": {"dir": "."}, "result": answer, "status": status}


def read(tmp_path: Path, messages: list[Any]) -> Recording:
    (tmp_path / "a.json").write_text(json.dumps({**HEAD, "messages": messages}))
    [container] = open_containers(tmp_path / "a.json")
    [recording] = recognise(container).read(container).recordings
    return recording


def test_thoughts_are_the_reasoning_and_tokens_sum_to_the_total(tmp_path: Path) -> None:
    """Subject and description of each."""
    tokens = {"input": 100, "output": 7, "cached": 90, "thoughts": 20, "tool": 3, "total": 130}
    thoughts = [{"subject": "Plan", "description": "I look."}, {"subject": "Act", "description": "I list."}]
    [step] = read(tmp_path, [entry("1", "gemini", "Done.", thoughts=thoughts, tokens=tokens, model="g")]).steps
    assert (step.reasoning, step.reasoning_state) == ("Plan\nI look.\n\nAct\nI list.", "present")
    assert (step.agent, step.content, step.model) == ("gemini", "Done.", "g")
    assert (step.input_tokens or 0) + (step.output_tokens or 0) == 130


def test_thoughts_that_are_only_counted_cannot_be_read(tmp_path: Path) -> None:
    """And none are absent."""
    steps = read(
        tmp_path,
        [entry(str(n), "gemini", "x", thoughts=[], tokens={"input": 1, "thoughts": n}) for n in (5, 0)],
    ).steps
    assert [step.reasoning_state for step in steps] == ["unreadable", "absent"]


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (call("success", {"output": "a.txt"}), ("a.txt", "ok", "status: success")),
        (call("success", {"output": ""}), ("", "empty", "text: blank")),
        (call("error", {"error": "no such folder"}), ("no such folder", "error", "status: error")),
        (call("cancelled", None), ("", "error", "status: cancelled")),
        (call("success", {"error": "no such folder"}), ("no such folder", "error", "error.type: response.error")),
    ],
)
def test_how_a_call_ended(tmp_path: Path, made: dict[str, Any], outcome: tuple[str, str, str]) -> None:
    """The status first; an error in the response counts though the status claims success."""
    first, second = read(tmp_path, [entry("1", "gemini", toolCalls=[made])]).steps
    assert (first.kind, first.tool, first.arguments) == ("tool_call", "ls", '{"dir":"."}')
    assert (second.content, second.tool_status, second.tool_rule) == outcome
    assert (second.agent, second.parents) == ("ls", (0,))


def test_a_call_that_waits_has_no_result(tmp_path: Path) -> None:
    """The session ended before the user agreed."""
    steps = read(tmp_path, [entry("1", "gemini", toolCalls=[call("awaiting_approval", None)])]).steps
    assert [step.kind for step in steps] == ["tool_call"]


def test_notices_are_steps_and_unknown_types_are_counted(tmp_path: Path) -> None:
    """Parts of a message are joined."""
    run, steps = read(
        tmp_path,
        [entry("1", "user", [{"text": "a"}, {"text": "b"}]), entry("2", "error", "quota"), entry("3", "hologram", "x")],
    )
    assert [(step.agent, step.kind, step.content) for step in steps] == [
        ("user", "message", "a\nb"),
        ("system", "system", "quota"),
    ]
    assert (run.task, run.notes) == ("a\nb", ("messages that are no steps: hologram 1",))


def test_a_session_by_lines_replaces_and_rewinds(tmp_path: Path) -> None:
    """The head, then messages; one is written again, two are taken back."""
    lines = [
        HEAD,
        entry("1", "user", "Hi"),
        {"$set": {"lastUpdated": "2026-01-01T00:00:02Z"}},
        entry("2", "gemini", "Hel"),
        entry("2", "gemini", "Hello."),
        entry("3", "user", "Delete it."),
        entry("4", "gemini", "Deleted."),
        {"$rewindTo": "3"},
        entry("5", "user", "Keep it."),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    [(run, steps)] = read_recordings([tmp_path / "a.jsonl"])[0]
    assert run.format == "gemini_cli"
    assert [step.content for step in steps] == ["Hi", "Hello.", "Keep it."]
    assert steps[1].pointer is not None
    assert steps[1].pointer.line == 5


def test_a_message_that_is_no_object_says_where(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(BadInputError, match="at /messages/1: a message is int"):
        read(tmp_path, [entry("1", "user", "Hi"), 5])


def test_a_head_alone_is_no_session(tmp_path: Path) -> None:
    """Nor is a list of messages without its head."""
    (tmp_path / "a.json").write_text(json.dumps(HEAD))
    [container] = open_containers(tmp_path / "a.json")
    assert gemini_cli.detect(container) == "no list 'messages', and no lines behind the head"


def test_the_real_session(real_logs: Path) -> None:
    """By jq: 5 prompts, 9 replies, 14 calls that succeeded; six replies count thoughts that none shows."""
    [(run, steps)] = read_recordings([real_logs / "samples/gemini_cli"])[0]
    assert Counter(step.agent for step in steps if step.kind != "tool_result") == {"user": 5, "gemini": 19}
    assert Counter(step.kind for step in steps) == {"tool_result": 14, "tool_call": 13, "handoff": 1, "message": 10}
    assert {step.tool_rule for step in steps if step.kind == "tool_result"} == {"status: success"}
    assert all(len(step.parents) == 1 for step in steps if step.kind == "tool_result")
    assert Counter(step.reasoning_state for step in steps) == {"absent": 32, "unreadable": 6}
    assert sum((step.input_tokens or 0) + (step.output_tokens or 0) for step in steps) == 91_773
    assert (run.format, run.task, run.outcome) == ("gemini_cli", "show tools", "unknown")
    assert run.answer == "I have removed the 2nd and 3rd lines from `hello.md`."
