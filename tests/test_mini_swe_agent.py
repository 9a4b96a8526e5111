"""mini-swe-agent: fences and return codes, tool calls and `extra`, and the bare list that could be any chat."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording

Entry = dict[str, Any]
TASK: list[Entry] = [{"role": "system", "content": "You program."}, {"role": "user", "content": "Fix it."}]


def fenced(command: str, tag: str = "bash") -> Entry:
    return {"role": "assistant", "content": f"THOUGHT: I act.\n\n```{tag}\n{command}\n```"}


def printed(code: int, output: str) -> Entry:
    return {"role": "user", "content": f"<returncode>{code}</returncode>\n<output>\n{output}</output>"}


def named(tmp_path: Path, value: Any, name: str = "a.json") -> str:
    (tmp_path / name).write_text(json.dumps(value))
    [container] = open_containers(tmp_path / name)
    return recognise(container).name


def read(tmp_path: Path, messages: Any, version: str = "mini-swe-agent-1", **info: Any) -> Recording:
    value = {"trajectory_format": version, "messages": messages, "info": info, "instance_id": "i"}
    assert named(tmp_path, value) == "mini_swe_agent"
    [container] = open_containers(tmp_path / "a.json")
    [recording] = recognise(container).read(container).recordings
    return recording


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (printed(0, "a\n"), ("ok", "returncode 0")),
        (printed(0, ""), ("empty", "returncode 0")),
        (printed(2, "a\n"), ("error", "returncode 2")),
        (printed(-9, ""), ("error", "returncode -9")),
        (printed(0, "error: not really\n"), ("ok", "returncode 0")),
        ({"role": "user", "content": "The last command <command>x</command> timed out."}, ("error", "text: timed out")),
        ({"role": "user", "content": "diff --git a/x b/x"}, ("ok", "text")),
    ],
)
def test_the_return_code_says_how_a_command_ended(tmp_path: Path, answer: Entry, outcome: tuple[str, str]) -> None:
    """Whatever was printed; the message that submits has none."""
    call, result = read(tmp_path, [*TASK, fenced("ls"), answer]).steps[2:]
    assert (call.agent, call.tool, call.arguments) == ("mini-swe-agent", "bash", "ls")
    assert (result.tool_status, result.tool_rule, result.parents) == (*outcome, (2,))
    assert result.content == answer["content"]


def test_a_reply_with_two_fences_calls_nothing_and_is_told_off(tmp_path: Path) -> None:
    """What follows is then no result."""
    two = {"role": "assistant", "content": fenced("ls")["content"] + "\n" + fenced("pwd")["content"]}
    steps = read(tmp_path, [*TASK, two, {"role": "user", "content": "EXACTLY ONE action, please."}]).steps
    assert [step.kind for step in steps] == ["system", "message", "message", "message"]


def test_version_two_calls_a_tool_and_keeps_codes_and_times(tmp_path: Path) -> None:
    """The reasoning and the tokens stand in the provider's reply."""
    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    response = {
        "model": "m",
        "choices": [{"message": {"role": "assistant", "reasoning_content": "Which files?"}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    extra = {"actions": [{"command": "ls", "tool_call_id": "c1"}], "response": response, "timestamp": 1_763_510_516.5}
    answer = {
        "role": "tool",
        "tool_call_id": "c1",
        "content": "no",
        "extra": {"returncode": 1, "timestamp": 1763510517},
    }
    end = {"role": "exit", "content": "diff", "extra": {"exit_status": "Submitted"}}
    run, steps = read(tmp_path, [*TASK, {**said, "extra": extra}, answer, end], "mini-swe-agent-1.1")
    assert [(step.agent, step.kind) for step in steps[2:]] == [
        ("mini-swe-agent", "tool_call"),
        ("bash", "tool_result"),
        ("system", "system"),
    ]
    assert (steps[2].reasoning, steps[2].model, steps[2].input_tokens, steps[2].output_tokens) == (
        "Which files?",
        "m",
        7,
        3,
    )
    assert (steps[3].tool_status, steps[3].tool_rule, steps[3].parents) == ("error", "returncode 1", (2,))
    assert (run.group, str(run.started)) == ("i", "2025-11-19 00:01:56.500000+00:00")


def test_version_two_by_responses_items(tmp_path: Path) -> None:
    """A reply is then an object with `output`, and a result an item."""
    reply = {
        "object": "response",
        "output": [
            {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x"},
            {"type": "function_call", "name": "bash", "arguments": '{"command":"ls"}', "call_id": "c1"},
        ],
        "usage": {"input_tokens": 5, "output_tokens": 2},
        "extra": {"actions": [{"command": "ls", "tool_call_id": "c1"}]},
    }
    answer = {"type": "function_call_output", "call_id": "c1", "output": "a", "extra": {"returncode": 0}}
    steps = read(tmp_path, [*TASK, reply, answer], "mini-swe-agent-1.1").steps
    assert (steps[2].kind, steps[2].reasoning_state, steps[2].input_tokens) == ("tool_call", "unreadable", 5)
    assert (steps[3].tool_status, steps[3].parents) == ("ok", (2,))


def test_thought_that_was_paid_for_and_not_shown_cannot_be_read(tmp_path: Path) -> None:
    """The usage gives it away."""
    usage = {"prompt_tokens": 1, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 8}}
    steps = read(tmp_path, [*TASK, {**fenced("ls"), "extra": {"response": {"usage": usage}}}]).steps
    assert (steps[2].reasoning, steps[2].reasoning_state) == (None, "unreadable")


def test_a_bare_list_is_told_by_its_name_or_by_its_fence(tmp_path: Path) -> None:
    """Any other list of messages is chat."""
    assert named(tmp_path, [*TASK, fenced("ls")]) == "chat"
    assert named(tmp_path, [*TASK, fenced("ls")], "x.traj.json") == "mini_swe_agent"
    assert named(tmp_path, [*TASK, fenced("ls", "mswea_bash_command")]) == "mini_swe_agent"


@pytest.mark.parametrize(
    ("info", "outcome"),
    [
        ({"exit_status": "Submitted", "submission": "diff"}, ("unknown", None)),
        ({"exit_status": "LimitsExceeded", "submission": ""}, ("failure", "exit_status: LimitsExceeded")),
    ],
)
def test_an_end_without_a_patch_is_a_failure(tmp_path: Path, info: Entry, outcome: tuple[str, str | None]) -> None:
    """A patch may still be wrong."""
    run, _ = read(tmp_path, TASK, **info)
    assert (run.outcome, run.outcome_source) == outcome


def test_a_message_that_is_no_object_says_where(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(BadInputError, match="at /messages/2: a message is int"):
        read(tmp_path, [*TASK, 5])


def test_the_real_envelope(real_logs: Path) -> None:
    """By jq: 20 commands, 19 return codes of 0 (four without output) and a submission; one reasoning; the tokens."""
    [container] = open_containers(real_logs / "samples/mini_swe_agent/astropy__astropy-12907.traj.json")
    [(run, steps)] = recognise(container).read(container).recordings
    assert Counter(step.kind for step in steps) == {"tool_call": 20, "tool_result": 20, "system": 1, "message": 1}
    assert Counter((step.tool_status, step.tool_rule) for step in steps if step.kind == "tool_result") == {
        ("ok", "returncode 0"): 15,
        ("empty", "returncode 0"): 4,
        ("ok", "text"): 1,
    }
    assert Counter(step.reasoning_state for step in steps) == {"absent": 41, "present": 1}
    assert sum(step.input_tokens or 0 for step in steps) == 258_532
    assert sum(step.output_tokens or 0 for step in steps) == 5_083
    assert {step.model for step in steps if step.agent == "mini-swe-agent"} == {"google/gemini-3-pro-preview"}
    assert (run.outcome, run.group, run.framework) == ("unknown", "astropy__astropy-12907", "mini-swe-agent")
    assert (run.answer or "").startswith("diff --git a/astropy/modeling/separable.py")


def test_the_real_bare_list(real_logs: Path) -> None:
    """Ten commands; the first and the division by zero return 1, two print nothing."""
    [container] = open_containers(real_logs / "samples/mini_swe_agent/github_issue.traj.json")
    collector = recognise(container)
    assert collector.name == "mini_swe_agent"
    [(_, steps)] = collector.read(container).recordings
    assert Counter(step.kind for step in steps) == {"tool_call": 10, "tool_result": 10, "system": 1, "message": 1}
    assert [step.index for step in steps if step.tool_status == "error"] == [3, 17]
    assert {step.tool_rule for step in steps if step.tool_status == "error"} == {"returncode 1"}
    assert sum(step.tool_status == "empty" for step in steps) == 2
