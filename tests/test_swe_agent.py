"""SWE-agent trajectories of both lines: thoughts, actions, refusals, and ends without a patch."""

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
PROMPTS: list[Entry] = [
    {"role": "system", "content": "You program.", "agent": "main", "message_type": "system_prompt"},
    {"role": "user", "content": "A demonstration.", "agent": "main", "is_demo": True},
    {"role": "user", "content": "Fix the bug.", "agent": "main", "message_type": "observation"},
]


def step(action: str, observation: str = "fine", **more: Any) -> Entry:
    return {"action": action, "observation": observation, "thought": "I act.", "response": "I act.\n```", **more}


def read(tmp_path: Path, steps: list[Any], history: Any = None, **info: Any) -> Recording:
    value = {"trajectory": steps, "history": PROMPTS if history is None else history, "info": info}
    (tmp_path / "a.traj").write_text(json.dumps(value))
    [container] = open_containers(tmp_path / "a.traj")
    collector = recognise(container)
    assert collector.name == "swe_agent"
    [recording] = collector.read(container).recordings
    return recording


def test_a_step_is_a_call_and_its_result(tmp_path: Path) -> None:
    """Demonstrations are no steps; own commands are tools, all else is the shell."""
    run, steps = read(tmp_path, [step("ls -F\n"), step("open setup.py")])
    assert [(each.agent, each.kind, each.tool, each.content) for each in steps] == [
        ("system", "system", None, "You program."),
        ("user", "message", None, "Fix the bug."),
        ("main", "tool_call", "bash", "I act."),
        ("bash", "tool_result", "bash", "fine"),
        ("main", "tool_call", "open", "I act."),
        ("open", "tool_result", "open", "fine"),
    ]
    assert [each.parents for each in steps if each.kind == "tool_result"] == [(2,), (4,)]
    assert (run.task, run.notes) == ("Fix the bug.", ("1 messages of demonstrations are left out",))


def test_a_model_that_calls_functions_keeps_its_calls(tmp_path: Path) -> None:
    """1.x logs the call in the history, with thinking blocks."""
    called = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    thinking = [{"type": "thinking", "thinking": "Which files?", "signature": "s"}]
    reply = {"role": "assistant", "content": "x", "action": "ls", "tool_calls": [called], "thinking_blocks": thinking}
    steps = read(tmp_path, [step("ls")], [*PROMPTS, {**reply, "agent": "main"}]).steps
    assert (steps[2].tool, steps[2].arguments, steps[2].call_id) == ("bash", '{"command": "ls"}', "c1")
    assert (steps[2].reasoning, steps[2].content) == ("Which files?", "I act.")
    assert (steps[3].call_id, steps[3].parents) == ("c1", (2,))


def test_prompts_come_from_the_first_step_where_there_is_no_history(tmp_path: Path) -> None:
    """1.x repeats the prompt in each step."""
    query = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    steps = read(tmp_path, [step("ls", query=query)], []).steps
    assert [each.content for each in steps] == ["S", "U", "I act.", "fine"]


@pytest.mark.parametrize(
    ("observation", "outcome"),
    [
        ("Your proposed edit has introduced new syntax error(s).", ("error", "text: refused by the tool")),
        ("", ("empty", "text: blank")),
        ("bash: foo: command not found", ("error", "text: starts as an error")),
        ("345\n", ("ok", "text")),
    ],
)
def test_how_an_action_ended_is_read_from_the_text(tmp_path: Path, observation: str, outcome: tuple[str, str]) -> None:
    """SWE-agent states no exit codes."""
    result = read(tmp_path, [step("x", observation)]).steps[-1]
    assert (result.tool_status, result.tool_rule) == outcome


@pytest.mark.parametrize(
    ("info", "outcome"),
    [
        ({"exit_status": "submitted", "submission": "diff"}, ("unknown", None, "diff")),
        ({"exit_status": "submitted (exit_cost)", "submission": "diff"}, ("unknown", None, "diff")),
        ({"exit_status": "exit_cost", "submission": None}, ("failure", "exit_status: exit_cost", None)),
        ({}, ("unknown", None, None)),
    ],
)
def test_an_end_without_a_patch_is_a_failure_and_a_patch_is_no_success(
    tmp_path: Path, info: Entry, outcome: tuple[str, str | None, str | None]
) -> None:
    """Whether it is right, only the benchmark's report says."""
    run, _ = read(tmp_path, [step("x")], **info)
    assert (run.outcome, run.outcome_source, run.answer) == outcome


@pytest.mark.parametrize(("steps", "words"), [([5], "at /trajectory/0: a step is int"), ("x", "not a list of steps")])
def test_a_broken_trajectory_says_where(tmp_path: Path, steps: Any, words: str) -> None:
    """In one line."""
    with pytest.raises(BadInputError, match=words):
        read(tmp_path, steps)


def test_the_real_run(real_logs: Path) -> None:
    """By jq: 14 steps, two prompts, one refused edit, one command that printed nothing."""
    path = real_logs / "samples/swe_agent/marshmallow_default_thought_action.traj"
    [container] = open_containers(path)
    [(run, steps)] = recognise(container).read(container).recordings
    assert Counter(each.kind for each in steps) == {"tool_call": 14, "tool_result": 14, "system": 1, "message": 1}
    assert Counter(each.tool for each in steps if each.kind == "tool_call") == {
        "bash": 6,
        "edit": 3,
        "open": 2,
        "create": 1,
        "find_file": 1,
        "submit": 1,
    }
    assert {each.agent for each in steps if each.kind == "tool_call"} == {"primary"}
    assert [each.index for each in steps if each.tool_status == "error"] == [21]
    assert [each.index for each in steps if each.tool_status == "empty"] == [27]
    assert all(each.parents == (each.index - 1,) for each in steps if each.kind == "tool_result")
    assert {each.reasoning_state for each in steps} == {"absent"}
    assert run.outcome == "unknown"
    assert (run.answer or "").startswith("\ndiff --git a/src/marshmallow/fields.py")
