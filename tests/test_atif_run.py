"""ATIF documents: steps that hold calls and results, sub-agents, results that name no call."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.registry import derive, recognise
from tracer.errors import BadInputError
from tracer.records import Recording

Entry = dict[str, Any]


def document(*steps: Any, **more: Any) -> Entry:
    agent = {"name": "lead", "version": "1", "model_name": "m"}
    return {"schema_version": "ATIF-v1.7", "session_id": "s", "agent": agent, "steps": list(steps), **more}


def step(source: str, message: Any = "", **more: Any) -> Entry:
    return {"step_id": 1, "source": source, "message": message, **more}


def call(name: str, identifier: str | None = None) -> Entry:
    made: Entry = {"function_name": name, "arguments": {"a": 1}}
    return made | ({"tool_call_id": identifier} if identifier else {})


def observed(*results: Entry) -> Entry:
    return {"results": list(results)}


def read(tmp_path: Path, value: Any) -> Recording:
    (tmp_path / "a.json").write_text(json.dumps(value))
    [container] = open_containers(tmp_path / "a.json")
    collector = recognise(container)
    assert collector.name == "atif"
    [(recording, _)] = derive(collector.read(container).spans)
    return recording


def test_a_step_of_an_agent_is_its_call_and_what_it_brought(tmp_path: Path) -> None:
    """With reasoning, model and tokens on the call."""
    metrics = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_token_ids": [1] * 50}
    acted = step(
        "agent",
        "I act.",
        reasoning_content="Let me see.",
        tool_calls=[call("ls", "c1")],
        observation=observed({"source_call_id": "c1", "content": "a.py"}),
        metrics=metrics,
    )
    run, steps = read(tmp_path, document(step("user", "Fix it."), acted))
    assert [(each.agent, each.kind, each.content, each.parents) for each in steps] == [
        ("user", "message", "Fix it.", ()),
        ("lead", "tool_call", "I act.", ()),
        ("ls", "tool_result", "a.py", (1,)),
    ]
    assert (steps[1].reasoning, steps[1].model, steps[1].arguments) == ("Let me see.", "m", '{"a":1}')
    assert (steps[1].input_tokens, steps[1].output_tokens) == (9, 3)
    assert (run.task, run.framework, run.format) == ("Fix it.", "lead", "atif")


def test_results_that_name_no_call_are_paired_by_position(tmp_path: Path) -> None:
    """As Terminus writes them; a single call takes them all."""
    two = step("agent", tool_calls=[call("a"), call("b")], observation=observed({"content": "1"}, {"content": "2"}))
    one = step("agent", tool_calls=[call("c")], observation=observed({"content": "3"}, {"content": "4"}))
    steps = read(tmp_path, document(two, one)).steps
    assert [(each.tool, each.parents) for each in steps if each.kind == "tool_result"] == [
        ("a", (0,)),
        ("b", (1,)),
        ("c", (4,)),
        ("c", (4,)),
    ]


def test_call_ids_may_come_again_in_a_later_step(tmp_path: Path) -> None:
    """Each result answers the call before it."""
    acted = step("agent", tool_calls=[call("a", "c")], observation=observed({"source_call_id": "c", "content": "x"}))
    steps = read(tmp_path, document(acted, acted)).steps
    assert [each.parents for each in steps] == [(), (0,), (), (2,)]


@pytest.mark.parametrize(
    ("extra", "outcome"),
    [
        ({"is_error": True}, ("error", "is_error")),
        ({"exit_code": 2}, ("error", "exit code 2")),
        ({"returncode": 0}, ("ok", "exit code 0")),
        ({"status": "failed"}, ("error", "status: failed")),
        (None, ("ok", "text")),
    ],
)
def test_errors_stand_in_what_a_producer_added(tmp_path: Path, extra: Any, outcome: tuple[str, str]) -> None:
    """The format itself has no flag."""
    brought = {"source_call_id": "c", "content": "x", "extra": extra}
    steps = read(tmp_path, document(step("agent", tool_calls=[call("a", "c")], observation=observed(brought)))).steps
    assert (steps[1].tool_status, steps[1].tool_rule) == outcome


def test_a_system_steps_observation_is_told_and_answers_nothing(tmp_path: Path) -> None:
    """A compaction, say."""
    steps = read(tmp_path, document(step("system", "Compacted.", observation=observed({"content": "So far."})))).steps
    assert [(each.agent, each.kind, each.content) for each in steps] == [
        ("system", "system", "Compacted."),
        ("system", "system", "So far."),
    ]


def test_reasoning_that_is_only_counted_cannot_be_read(tmp_path: Path) -> None:
    """And message parts are joined; an image leaves its place."""
    parts = [{"type": "text", "text": "Look:"}, {"type": "image", "source": {"media_type": "image/png", "path": "x"}}]
    metrics = {"completion_tokens": 5, "extra": {"reasoning_tokens": 4}}
    [made] = read(tmp_path, document(step("agent", parts, metrics=metrics))).steps
    assert (made.content, made.reasoning_state) == ("Look:\n[image]", "unreadable")


def test_sub_agents_stand_between_their_call_and_its_result(tmp_path: Path) -> None:
    """Two of them, one with its own; the copy of what the parent said is not told twice."""

    def child(name: str, *steps: Entry, **more: Any) -> Entry:
        return {"trajectory_id": name, "agent": {"name": name, "version": "1"}, "steps": list(steps), **more}

    def refers(identifier: str, name: str) -> Entry:
        return {"source_call_id": identifier, "content": name, "subagent_trajectory_ref": [{"trajectory_id": name}]}

    asked = step("user", "Fix it.")
    deep = child("deep", step("agent", "I dig."))
    digs = step("agent", tool_calls=[call("dig", "c1")], observation=observed(refers("c1", "deep")))
    left = child(
        "left", {**asked, "is_copied_context": True}, step("user", "Go left."), digs, subagent_trajectories=[deep]
    )
    right = child("right", step("agent", "I go right."))
    lead = step(
        "agent",
        tool_calls=[call("go", "c1"), call("go", "c2")],
        observation=observed(refers("c1", "left"), refers("c2", "right")),
    )
    run, steps = read(tmp_path, document(asked, lead, subagent_trajectories=[left, right]))
    assert [(each.agent, each.kind, each.content, each.parents) for each in steps] == [
        ("user", "message", "Fix it.", ()),
        ("lead", "handoff", "", ()),
        ("lead", "handoff", "", ()),
        ("lead", "message", "Go left.", (1,)),
        ("left", "handoff", "", ()),
        ("deep", "message", "I dig.", (4,)),
        ("deep", "tool_result", "deep", (4, 5)),
        ("right", "message", "I go right.", (2,)),
        ("left", "tool_result", "left", (1, 4)),
        ("right", "tool_result", "right", (2, 7)),
    ]
    assert [each.recipient for each in steps[1:5]] == ["left", "right", "left", "deep"]
    assert run.notes == ()


def test_what_stands_in_other_files_is_noted(tmp_path: Path) -> None:
    """A sub-agent by path, as before 1.7, and a continuation."""
    refers = {"content": "x", "subagent_trajectory_ref": [{"session_id": "t", "trajectory_path": "sub.json"}]}
    acted = step("agent", tool_calls=[call("go", "c")], observation=observed(refers))
    run, _ = read(tmp_path, document(acted, continued_trajectory_ref="next.json", notes="Cut."))
    assert run.notes == (
        "trajectories of sub-agents that are not here: sub.json",
        "goes on in next.json",
        "Cut.",
    )


@pytest.mark.parametrize("steps", ["x", [5], None])
def test_steps_that_are_none_say_where(tmp_path: Path, steps: Any) -> None:
    """Also those of a sub-agent."""
    with pytest.raises(BadInputError, match="'steps' is not a list of objects"):
        read(tmp_path, document() | {"steps": steps})
    with pytest.raises(BadInputError, match="at /subagent_trajectories/0: 'steps' is not"):
        read(tmp_path, document(subagent_trajectories=[{"trajectory_id": "t", "steps": steps}]))
