"""smolagents' memory: an action is its calls and one observation; the file knows agents only by what they were told.

The files under data/smolagents are of smolagents 1.26.0, made by scripts/capture_smolagents.py, whose script says who
says what.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import smolagents
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.records import Recording

DATA = Path(__file__).parent / "data" / "smolagents"
MANAGER = [
    ("user", "message", None, None, ()),
    ("assistant", "plan", None, None, ()),
    ("assistant", "tool_call", "python_interpreter", None, ()),
    ("python_interpreter", "tool_result", "python_interpreter", "ok", (2,)),
    ("assistant", "tool_call", "python_interpreter", None, ()),
    ("python_interpreter", "tool_result", "python_interpreter", "error", (4,)),
    ("assistant", "tool_call", "python_interpreter", None, ()),
    ("python_interpreter", "tool_result", "python_interpreter", "ok", (6,)),
]


def read(path: Path) -> Recording:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "smolagents"
    [recording] = collector.read(container).recordings
    return recording


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "path"), [("manager.json", "/2"), ("result.json", "/steps/2")])
def test_a_manager_who_writes_code(name: str, path: str) -> None:
    """A plan, three programs of which one stops; four calls of 100 and 10 tokens, as the RunResult's total says."""
    run, steps = read(DATA / name)
    assert [(step.agent, step.kind, step.tool, step.tool_status, step.parents) for step in steps] == MANAGER
    assert steps[2].arguments == "print(searcher('What does a widget cost?'))"
    assert steps[2].content.startswith("Thought: I ask for the price.\n")
    assert steps[5].content.endswith("The variable `total` is not defined.")
    assert steps[5].tool_rule == "error.type: AgentExecutionError"
    assert [step.index for step in steps if step.marks == ("final_answer",)] == [6]
    total = json.loads((DATA / "result.json").read_text())["token_usage"]
    assert sum(step.input_tokens or 0 for step in steps) == total["input_tokens"] == 400
    assert sum(step.output_tokens or 0 for step in steps) == total["output_tokens"] == 40
    assert (run.task, run.answer, run.outcome) == (
        "What do three widgets cost, in EUR?", "Three widgets cost 35 EUR.", "unknown",
    )  # fmt: skip
    assert run.notes == ("what managed agents did is not in this file: searcher",)
    assert steps[2].pointer is not None
    assert steps[2].pointer.path == path
    assert steps[2].started is not None
    assert steps[2].started.year == 2026


def test_a_managed_agent_is_known_by_its_task() -> None:
    """Its first tool failed, so that only the model's reply knows the call."""
    run, steps = read(DATA / "searcher.json")
    assert [(step.agent, step.kind, step.tool_status) for step in steps] == [
        ("user", "message", None),
        ("searcher", "tool_call", None),
        ("price", "tool_result", "error"),
        ("searcher", "tool_call", None),
        ("price", "tool_result", "ok"),
        ("searcher", "tool_call", None),
        ("final_answer", "tool_result", "ok"),
    ]
    assert (steps[1].arguments, steps[2].tool_rule) == ('{"article":"widget"}', "error.type: AgentToolExecutionError")
    assert run.answer == "A widget (W-7) costs 12.5 EUR."


def test_the_memories_of_a_team_are_told_in_time(tmp_path: Path) -> None:
    """The searcher works while the manager's first program runs."""
    team = {name: json.loads((DATA / f"{name}.json").read_text()) for name in ("manager", "searcher")}
    run, steps = read(write(tmp_path / "team.json", team))
    assert [step.agent for step in steps] == [
        "user", "manager", "manager",
        "user", "searcher", "price", "searcher", "price", "searcher", "final_answer",
        "python_interpreter", "manager", "python_interpreter", "manager", "python_interpreter",
    ]  # fmt: skip
    assert (run.task, run.notes) == ("What do three widgets cost, in EUR?", ())


def action(**fields: Any) -> dict[str, Any]:
    found = {"step_number": 1, "timing": {"start_time": 1.0, "end_time": 2.0}, "tool_calls": [], "error": None}
    return found | {"model_output": None, "observations": None, "action_output": None} | fields


def call(name: str, number: int) -> dict[str, Any]:
    return {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": {}}}


def test_other_actions(tmp_path: Path) -> None:
    """Calls side by side, a managed agent called as a tool, an error before any call, a cut-off run, older times."""
    answer = "Here is the final answer from your managed agent 'helper':\nfour"
    steps = [
        {"system_prompt": "You are kind.", "step_type": "SystemPromptStep"},
        {"task": "Count.", "task_images": None},
        action(tool_calls=[call("one", 1), call("two", 2)], observations="1\n2"),
        action(tool_calls=[call("helper", 3)], observations=answer, start_time=5.0),
        action(model_output="<think>Hm.</think>no code", error={"type": "AgentParsingError", "message": "no code"}),
        {
            "step_number": 4,
            "start_time": 1767603600.5,
            "model_output": "It is",
            "tool_calls": None,
            "observations": None,
        },
    ]
    run, found = read(write(tmp_path / "a.json", {"state": "max_steps_error", "output": None, "steps": steps}))
    assert [(step.agent, step.kind, step.tool, step.parents) for step in found] == [
        ("system", "system", None, ()),
        ("user", "message", None, ()),
        ("assistant", "tool_call", "one", ()),
        ("assistant", "tool_call", "two", ()),
        ("two", "tool_result", "two", (2, 3)),
        ("assistant", "handoff", "helper", ()),
        ("helper", "tool_result", "helper", (5,)),
        ("assistant", "message", None, ()),
        ("assistant", "system", None, ()),
        ("assistant", "message", None, ()),
    ]
    assert (found[5].recipient, found[7].reasoning, found[7].content) == ("helper", "Hm.", "no code")
    assert found[8].content == "AgentParsingError: no code"
    assert found[9].started is not None
    assert found[9].started.isoformat() == "2026-01-05T09:00:00.500000+00:00"
    assert run.notes == (
        "the agent was stopped at its limit of steps",
        "what managed agents did is not in this file: helper",
    )


def test_the_layout_of_early_2025(tmp_path: Path) -> None:
    """As smolagents 1.10 dumps it: `step` for the number, times beside it, facts before the plan, a reply as text."""
    steps = [
        {"task": "Add.", "task_images": None},
        {"model_input_messages": [], "facts": "Two numbers.", "plan": "Add them.", "model_output_message_plan": {}},
        {
            "step": 1,
            "tool_calls": [call("python_interpreter", 1)],
            "start_time": 1767603600.0,
            "end_time": 1767603601.0,
            "error": {"type": "AgentExecutionError", "message": "no such name"},
            "model_output_message": "ChatMessage(role='assistant')",
            "model_output": "Thought: add.",
            "observations": None,
            "action_output": None,
        },
    ]
    _, found = read(write(tmp_path / "a.json", steps))
    assert [(step.kind, step.content, step.tool_status) for step in found] == [
        ("message", "Add.", None),
        ("plan", "Two numbers.\n\nAdd them.", None),
        ("tool_call", "Thought: add.", None),
        ("tool_result", "no such name", "error"),
    ]
    assert found[2].ended is not None
    assert found[2].ended.second == 1


def test_steps_one_per_line(tmp_path: Path) -> None:
    """As a callback for each step writes them; cut off in the middle."""
    lines = [json.dumps(step) for step in json.loads((DATA / "manager.json").read_text())]
    (tmp_path / "a.jsonl").write_text("\n".join(lines[:4]))
    assert [step.kind for step in read(tmp_path / "a.jsonl").steps] == [kind for _, kind, *_ in MANAGER[:6]]


@pytest.mark.parametrize(
    "value",
    [[], [1], {}, [{"step_number": 1}], [{"step_number": "1", "observations": "x"}], {"steps": "x", "state": 1}],
)
def test_other_values_are_none_of_ours(tmp_path: Path, value: Any) -> None:
    """A word says why."""
    [container] = open_containers(write(tmp_path / "a.json", value))
    assert smolagents.detect(container)
