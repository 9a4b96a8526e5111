"""AG2 and AutoGen 0.2 histories: speakers by name, code joined to its output, calls joined to their results."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import ag2
from tracer.collectors.container import Container, open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording, Step

HISTORY: list[dict[str, Any]] = [
    {"content": "How many?", "role": "assistant", "name": "user_proxy"},
    {"content": "Plan: count them.", "role": "user", "name": "planner"},
    {"content": "```python\na = 1\n```\nand\n```sh\nls\n```", "role": "user", "name": "coder"},
    {"content": "exitcode: 1 (execution failed)\nCode output: boom", "role": "user", "name": "executor"},
    {"content": "", "role": "user", "name": "executor"},
    {"content": "TERMINATE", "role": "user", "name": "planner"},
]
CALLS: list[dict[str, Any]] = [
    {"content": "What is the weather?", "role": "user", "name": "user_proxy"},
    {
        "content": None,
        "role": "assistant",
        "name": "agent",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
            {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
        ],
    },
    {
        "content": "rain\n\nError: no clock",
        "role": "tool",
        "name": "user_proxy",
        "tool_responses": [
            {"tool_call_id": "c1", "role": "tool", "content": "rain"},
            {"tool_call_id": "c2", "role": "tool", "content": "Error: no clock"},
        ],
    },
    {"content": "It rains.", "role": "assistant", "name": "agent"},
]


def opened(folder: Path, value: Any, name: str = "chat.json") -> Container:
    """A value as a JSON file, opened."""
    (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return open_containers(folder / name)[0]


def read(folder: Path, value: Any) -> Recording:
    """The run of a file, through the cascade."""
    container = opened(folder, value)
    collector = recognise(container)
    assert collector.name == "ag2"
    [recording] = collector.read(container).recordings
    return recording


def told(steps: tuple[Step, ...]) -> list[tuple[str, str, tuple[int, ...]]]:
    """Agent, kind and parents of each step."""
    return [(step.agent, step.kind, step.parents) for step in steps]


def test_the_speaker_is_the_name_whatever_the_role(tmp_path: Path) -> None:
    """The role is one agent's view of the others; the output belongs to the code before it."""
    run, steps = read(tmp_path, HISTORY)
    assert told(steps) == [
        ("user_proxy", "message", ()),
        ("planner", "plan", ()),
        ("coder", "tool_call", ()),
        ("executor", "tool_result", (2,)),
        ("executor", "message", ()),
        ("planner", "termination", ()),
    ]
    assert (steps[2].tool, steps[2].arguments) == ("code", "a = 1\n\n\nls\n")
    assert (steps[3].tool, steps[3].tool_status, steps[3].tool_rule) == ("code", "error", "text: exit code 1")
    assert (run.task, run.framework, run.format, run.outcome) == ("How many?", "ag2", "ag2", "unknown")


def test_a_plan_with_code_stays_a_plan(tmp_path: Path) -> None:
    """It is the plan that matters about it; the output still names it as its parent."""
    history = [
        {"content": "Plan: run this\n```\nx\n```", "role": "user", "name": "a"},
        {"content": "exitcode: 0 (execution succeeded)\nCode output: 7", "role": "user", "name": "b"},
        {"content": "exitcode: 0 (execution succeeded)\nCode output: 8", "role": "user", "name": "b"},
    ]
    assert told(read(tmp_path, history).steps) == [
        ("a", "plan", ()),
        ("b", "tool_result", (0,)),
        ("b", "tool_result", ()),
    ]


def test_a_thought_between_tags_is_reasoning_and_not_said(tmp_path: Path) -> None:
    """Models that think aloud are driven by AG2 too: the others never saw the thought, so it is no content."""
    history = [
        *HISTORY[:2],
        {"content": "<think> 3 plus 5 = 11. </think>\nIt is 11.", "role": "user", "name": "solver"},
    ]
    step = read(tmp_path, history).steps[2]
    assert (step.content, step.reasoning, step.reasoning_origin) == ("It is 11.", " 3 plus 5 = 11. ", "<think>")


def test_an_entry_with_several_calls_is_several_steps(tmp_path: Path) -> None:
    """Each result is joined to its call by id; who executed it is the entry's name; its tool is the call's."""
    _, steps = read(tmp_path, CALLS)
    assert told(steps) == [
        ("user_proxy", "message", ()),
        ("agent", "tool_call", ()),
        ("agent", "tool_call", ()),
        ("user_proxy", "tool_result", (1,)),
        ("user_proxy", "tool_result", (2,)),
        ("agent", "message", ()),
    ]
    assert [step.tool for step in steps[1:5]] == ["weather", "time", "weather", "time"]
    assert [step.tool_status for step in steps[3:5]] == ["ok", "error"]
    assert [step.index for step in steps] == list(range(6))
    assert json.loads(steps[1].arguments or "") == {"city": "Oslo"}
    assert steps[4].pointer is not None
    assert steps[4].pointer.path == "/2"


def test_a_result_without_its_call_has_no_parent(tmp_path: Path) -> None:
    """A history that was cut at the front is read as far as it goes."""
    _, steps = read(tmp_path, [*CALLS[2:], {"content": "thanks", "role": "user", "name": "user_proxy"}])
    assert [step.parents for step in steps] == [(), (), (), ()]
    assert steps[0].call_id == "c1"


@pytest.mark.parametrize("key", ["chat_history", "messages", "history"])
def test_the_history_may_stand_in_an_object(tmp_path: Path, key: str) -> None:
    """As in a ChatResult; the pointer leads there, and the run is the same as that of the bare list."""
    bare = read(tmp_path, HISTORY)
    held = read(tmp_path, {"chat_id": None, key: HISTORY, "cost": {}, "summary": "x"})
    assert held.run.id == bare.run.id
    assert held.steps[1].pointer is not None
    assert held.steps[1].pointer.path == f"/{key}/1"


def test_one_entry_a_line_is_a_history_too(tmp_path: Path) -> None:
    """JSON Lines, as some loggers write it."""
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, HISTORY)), encoding="utf-8")
    [container] = open_containers(tmp_path / "chat.jsonl")
    assert recognise(container).name == "ag2"
    assert len(recognise(container).read(container).recordings[0].steps) == 6


def test_a_system_text_needs_no_name_and_is_not_the_task(tmp_path: Path) -> None:
    """The task is what is asked first."""
    run, steps = read(tmp_path, [{"role": "system", "content": "Be kind."}, *HISTORY])
    assert (steps[0].agent, steps[0].kind) == ("system", "system")
    assert run.task == "How many?"


def named(*names: str | None) -> list[dict[str, Any]]:
    """A chat with these speakers."""
    return [{"role": "user", "content": "x"} | ({"name": name} if name is not None else {}) for name in names]


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ([], "no list of messages"),
        ({}, "no list of messages"),
        ({"chat_history": "none"}, "no list of messages"),
        (["a", "b"], "no list of messages"),
        (named("a", "a"), "speakers are not named"),
        (named("a", None), "speakers are not named"),
        (named("a", "b", ""), "speakers are not named"),
        ([{"role": "narrator", "name": "a", "content": "x"}], "no list of {content, role, name}"),
        ([{"role": "user", "name": "a"}], "no list of {content, role, name}"),
        ({"messages": HISTORY, "mistake_agent": "coder"}, "no list of messages"),
        ({"messages": HISTORY, "choices": []}, "no list of messages"),
    ],
)
def test_other_lists_are_left_to_other_formats(tmp_path: Path, value: Any, refusal: str) -> None:
    """Two named speakers at least; a file that says more belongs to the format that knows the rest."""
    assert ag2.detect(opened(tmp_path, value)) == refusal


def test_a_file_without_a_history_is_one_clear_line(tmp_path: Path) -> None:
    """Should anybody ask for it to be read all the same."""
    with pytest.raises(BadInputError, match=r"chat\.json: no chat history$"):
        ag2.read(opened(tmp_path, {"a": 1}))


def test_truncated_entries_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    """Empty lists, responses that are no objects, content of other types."""
    history = [
        *HISTORY[:2],
        {"content": ["x", {"text": "y"}], "role": "user", "name": "coder", "tool_calls": []},
        {"content": "z", "role": "tool", "name": "executor", "tool_responses": ["?", {"content": "4"}]},
    ]
    _, steps = read(tmp_path, history)
    assert [step.content for step in steps[2:]] == ["x\ny", "4"]
