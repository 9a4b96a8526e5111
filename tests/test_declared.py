"""Declared edges: what the log itself says, worked out by hand on runs of a few steps."""

from typing import Any

import pytest

from tracer.declared import declared_edges, next_to_each_other
from tracer.records import Step


def said(*texts: str, agents: str = "abcdefghij") -> list[Step]:
    """Steps by different agents, one for each text."""
    return [Step(index=i, agent=agents[i % 10], kind="message", content=text) for i, text in enumerate(texts)]


def test_declared_parents_share_the_weight() -> None:
    """An answer names its call; a step that was given three others gets a third from each."""
    steps = said("call", "result", "more", "sum")
    steps[1] = steps[1].model_copy(update={"parents": (0,), "call_id": "c1"})
    steps[3] = steps[3].model_copy(update={"parents": (0, 1, 2)})
    found = {(each.source, each.target): (each.weight, each.reason) for each in declared_edges(steps)}
    third = (pytest.approx(1 / 3), "was given it, says the log")
    assert found == {(0, 1): (1.0, "answers call c1"), (0, 3): third, (1, 3): third, (2, 3): third}


@pytest.mark.parametrize("kind", ["tool_call", "handoff"])
def test_a_call_answers_no_call_though_it_has_an_id(kind: Any) -> None:
    """The id is its own; what it was given is where it comes from."""
    steps = said("found 417", "")
    steps[1] = steps[1].model_copy(update={"kind": kind, "parents": (0,), "call_id": "c1"})
    assert [each.reason for each in declared_edges(steps)] == ["was given it, says the log"]


def test_a_parent_in_the_future_or_itself_makes_no_edge() -> None:
    """Edges point forward in time, whatever a log claims."""
    steps = said("one", "two")
    steps[0] = steps[0].model_copy(update={"parents": (0, 1, 7, -1)})
    assert declared_edges(steps) == []


def test_a_hand_off_reaches_the_next_step_of_the_one_addressed() -> None:
    """Whatever the case of the name; a later instruction replaces an earlier one; a step to oneself is none."""
    steps = said("go", "go on", "wait", "done", agents="abcabcabca")
    steps[0] = steps[0].model_copy(update={"recipient": "C"})
    steps[1] = steps[1].model_copy(update={"recipient": "b"})
    assert [(each.source, each.target, each.reason) for each in declared_edges(steps)] == [(0, 2, "hands on to c")]


def test_naming_another_agent_refers_to_its_latest_step() -> None:
    """Only a name of four letters or more with a capital, as a whole word, and only one that has spoken."""
    steps = [
        Step(index=0, agent="Planner", kind="message", content="Coder shall begin"),
        Step(index=1, agent="Planner", kind="message", content="I am the Planner"),
        Step(index=2, agent="Coder", kind="message", content="as Planner said; Planners differ"),
        Step(index=3, agent="tool", kind="message", content="a planner and a Coder_2"),
    ]
    found = declared_edges(steps)
    assert [(each.source, each.target, each.weight, each.reason) for each in found] == [(1, 2, 0.5, "mentions Planner")]


def test_the_surest_declaration_wins() -> None:
    """A result that answers a call and mentions its maker is one edge, the answer."""
    steps = [
        Step(index=0, agent="Planner", kind="tool_call", call_id="c1"),
        Step(index=1, agent="shell", kind="tool_result", content="Planner, done", call_id="c1", parents=(0,)),
    ]
    assert [each.reason for each in declared_edges(steps)] == ["answers call c1"]


def test_every_step_of_a_task_rests_on_what_was_asked() -> None:
    """The second call follows from the first one's result, and still works on the request."""
    steps = [
        Step(index=0, agent="user", kind="message", content="two please"),
        Step(index=1, agent="a", kind="tool_call", call_id="c1", parents=(0,)),
        Step(index=2, agent="t", kind="tool_result", call_id="c1", parents=(1,)),
        Step(index=3, agent="a", kind="tool_call", call_id="c2", parents=(2,)),
    ]
    found = {(each.source, each.target): each.reason for each in declared_edges(steps)}
    assert found.pop((0, 3)) == "works on what user asked"
    assert found == {(each.source, each.target): each.reason for each in next_to_each_other(steps)}
    assert set(found) == {(0, 1), (1, 2), (2, 3)}


def test_nothing_is_handed_on_to_a_prompt_and_to_speak_to_somebody_is_no_mention() -> None:
    """Coder's prompt stands between what was said to it and its answer; the answer begins with an address."""
    steps = [
        Step(index=0, agent="Planner", kind="message", content="go", recipient="Coder"),
        Step(index=1, agent="Coder", kind="system", role="system", content="You work for Planner."),
        Step(index=2, agent="Coder", kind="message", content="to Planner: done"),
    ]
    assert [(each.source, each.target, each.reason) for each in declared_edges(steps)] == [(0, 2, "hands on to Coder")]
