"""The view of a run: who may be blamed, what followed each step, where the failure shows."""

from typing import Any

import pytest

from tracer.analyses.view import View
from tracer.records import Edge, Step, StepKind


def step(index: int, agent: str, kind: StepKind = "message", content: str = "says so", **more: Any) -> Step:
    """One step."""
    return Step(index=index, agent=agent, kind=kind, content=content, **more)


CHAT = View(
    [
        step(0, "user", content="how many?"),
        step(1, "planner", "plan"),
        step(2, "coder", "tool_call", "```python\nprint(1)\n```"),
        step(3, "terminal", "tool_result", "exitcode: 1", tool_status="error", tool_rule="exit code", parents=(2,)),
        step(4, "terminal", "system", "nothing to run"),
        step(5, "coder", content="41"),
        step(6, "planner", "termination", "TERMINATE"),
    ]
)
TEAM = View(
    [
        step(0, "human", content="find it"),
        step(1, "Boss", "plan"),
        step(2, "Boss", "thought", marks=("ledger",)),
        step(3, "Boss", "thought", marks=("next_speaker",)),
        step(4, "Boss", "handoff", marks=("instruction",), recipient="Web"),
        step(5, "Web", tool_status="empty", tool_rule="text: nothing found"),
        step(6, "Boss", "thought", marks=("ledger", "no_progress")),
        step(7, "Boss", "thought", marks=("stall",)),
        step(8, "Boss", "termination", "FINAL ANSWER: 7", marks=("final_answer",)),
    ]
)


def test_users_and_executors_are_never_blamed() -> None:
    """Nor notices and the end of the run."""
    assert CHAT.executors == {"terminal"}
    assert CHAT.users == {"user"}
    assert CHAT.candidates == [1, 2, 5]


def test_an_agent_that_also_speaks_is_no_executor() -> None:
    """Its results are no decisions, its words are."""
    view = View([step(0, "coder", "tool_call"), step(1, "coder", "tool_result"), step(2, "coder")])
    assert view.executors == frozenset()
    assert view.candidates == [0, 2]


def test_an_orchestrators_notices_are_never_blamed() -> None:
    """Next-speaker and stall notices say nothing of their own; plans, ledgers and instructions do."""
    assert TEAM.candidates == [1, 2, 4, 5, 6]


@pytest.mark.parametrize(
    ("steps", "candidates"),
    [
        ([step(0, "user")], [0]),
        ([step(0, "user"), step(1, "human")], [0, 1]),
        ([step(0, "tool", "tool_result")], [0]),
        ([step(0, "system", "system"), step(1, "tool", "tool_result")], [1]),
        ([step(0, "system", "system")], [0]),
    ],
)
def test_a_run_always_has_a_candidate(steps: list[Step], candidates: list[int]) -> None:
    """Where nobody may be blamed, everybody may, notices last."""
    assert View(steps).candidates == candidates


def test_a_run_is_orchestrated_by_ledgers_or_by_instructions() -> None:
    """Two ledgers do; so do instructions before every fourth step, but at least two."""
    assert TEAM.orchestrated
    assert not CHAT.orchestrated
    one = [step(0, "Boss", "handoff", marks=("instruction",)), step(1, "Web")]
    assert not View(one).orchestrated
    two = [*one, step(2, "Boss", "handoff", marks=("instruction",)), step(3, "Web")]
    assert View(two).orchestrated
    long = [*two, *(step(i, "Web") for i in range(4, 9))]
    assert not View(long).orchestrated


def test_in_an_orchestrated_run_the_members_act() -> None:
    """Everyone acts in a chat; with an orchestrator alone, its own steps count."""
    assert TEAM.actors == [5]
    assert CHAT.actors == CHAT.candidates
    alone = View([step(i, "Boss", "thought", marks=("ledger",)) for i in range(3)])
    assert alone.actors == [0, 1, 2]


def test_a_result_belongs_to_the_step_that_asked_for_it() -> None:
    """By the declared parent; a step that reports on itself is its own result; only the first counts."""
    assert {index: result.index for index, result in CHAT.results.items()} == {2: 3}
    assert [CHAT.result_status(i) for i in (1, 2, 5)] == [None, "error", None]
    assert TEAM.result_status(5) == "empty"
    twice = View(
        [
            step(0, "a", "tool_call"),
            step(1, "t", "tool_result", tool_status="ok", parents=(0,)),
            step(2, "t", "tool_result", tool_status="error", parents=(0,)),
        ]
    )
    assert twice.result_status(0) == "ok"


def test_code_is_a_fenced_block() -> None:
    """Of any language, closed or not."""
    assert [CHAT.has_code(i) for i in range(7)] == [False, False, True, False, False, False, False]


def test_the_failure_shows_in_the_marked_answer_or_the_last_substantive_message() -> None:
    """Not in a termination, a notice, an empty text or the user's words."""
    assert CHAT.symptom == 5
    assert TEAM.symptom == 8
    assert View([step(0, "a"), step(1, "b", content=" "), step(2, "user")]).symptom == 0
    assert View([step(0, "user"), step(1, "user")]).symptom == 1


def test_a_given_graph_is_used_as_it_is() -> None:
    """Else it is computed from the steps and the task."""
    edge = Edge(source=0, target=1, origin="declared", weight=1, reason="")
    steps = [step(0, "a", content="417"), step(1, "b", content="417"), step(2, "c", content="krill")]
    assert View(steps, edges=[edge]).edges == [edge]
    assert [(each.source, each.target) for each in View(steps).edges] == [(0, 1)]
    assert View(steps, task="why 417?").edges == []
