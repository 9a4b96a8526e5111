"""Every method on small runs, with the step that it must name worked out by hand."""

from typing import Any

import pytest

from tracer.analyses.blame import METHODS
from tracer.analyses.features import Features
from tracer.analyses.view import View
from tracer.records import Step, StepKind

TASK = "Which whale did the station count, the humpback or the narwhal?"


def step(index: int, agent: str, kind: StepKind = "message", content: str = "so be it", **more: Any) -> Step:
    """One step."""
    return Step(index=index, agent=agent, kind=kind, content=content, **more)


def result(index: int, of: int, status: str) -> Step:
    """What a terminal returned to a step."""
    return step(index, "terminal", "tool_result", "-", tool_status=status, tool_rule="r", parents=(of,))


CODED = [
    step(0, "user", content=TASK),
    step(1, "planner", content="first look"),
    step(2, "coder", "tool_call", "```\nx\n```", tool="code", arguments="x"),
    result(3, 2, "ok"),
    step(4, "coder", "tool_call", "```\ny\n```", tool="code", arguments="y"),
    result(5, 4, "error"),
    step(6, "critic", content="the humpback"),
]
"""Candidates 1, 2, 4, 6: code at 2 and 4, of which 4 fails."""
SPOKEN = [
    step(0, "user", content=TASK),
    step(1, "reader", content="the log holds 4711 and 519"),
    step(2, "writer", content="krill"),
    step(3, "writer", content="so it is 4711 and 519"),
]
"""Candidates 1, 2, 3: no code, no plan, no result; 1 brings what the symptom 3 says."""
STRAYED = [
    step(0, "planner", "plan", "Plan: debug the error."),
    step(1, "coder", content="```\nx\n```"),
    step(2, "coder", content="done"),
]
"""The plan has no word of the task."""
TEAM = [
    step(0, "Boss", "plan", f"Plan: {TASK}"),
    step(1, "Boss", "handoff", marks=("instruction",), recipient="Web"),
    step(2, "Web", tool_status="ok", tool_rule="r"),
    step(3, "Boss", "handoff", marks=("instruction",), recipient="Web"),
    step(4, "Web", tool_status="empty", tool_rule="r"),
    step(5, "Boss", "thought", "FINAL ANSWER: 7", marks=("final_answer",)),
]
"""Orchestrated: only Web acts, and its second action brings nothing."""


@pytest.mark.parametrize(
    ("method", "steps", "order"),
    [
        ("first-code", CODED, (2, 4, 1, 6)),
        ("first-code", SPOKEN, (1, 2, 3)),
        ("first-code", STRAYED, (1, 0, 2)),
        ("first-code", TEAM, (1, 0, 2, 3, 4, 5)),
        ("first-error", CODED, (4, 1, 2, 6)),
        ("first-error", SPOKEN, (2, 1, 3)),
        ("first-error", TEAM, (4, 0, 1, 2, 3, 5)),
        ("second-actor", CODED, (2, 1, 4, 6)),
        ("second-actor", SPOKEN, (2, 1, 3)),
        ("second-actor", STRAYED, (1, 0, 2)),
        ("second-actor", TEAM, (4, 0, 1, 2, 3, 5)),
        ("last-actor", CODED, (6, 4, 2, 1)),
        ("last-actor", TEAM, (4, 2, 5, 3, 1, 0)),
        ("rule-r", CODED, (4, 6, 1, 2)),
        ("rule-r", SPOKEN, (1, 3, 2)),
        ("rule-r", STRAYED, (0, 2, 1)),
        ("rule-r", TEAM, (4, 2, 0, 1, 3, 5)),
        ("graphtracer", SPOKEN, (1, 2, 3)),
    ],
)
def test_the_order_worked_out_by_hand(method: str, steps: list[Step], order: tuple[int, ...]) -> None:
    """Every candidate once, the named step first."""
    assert METHODS[method](Features(View(steps, TASK))).order == order


def test_rule_r_gives_each_of_its_three_reasons() -> None:
    """A plan about something else, an action that failed, the source of the answer."""
    words = [METHODS["rule-r"](Features(View(steps, TASK))).words for steps in (STRAYED, CODED, SPOKEN)]
    assert words == [
        "the plan is about something else than the task",
        "the first action that failed or brought nothing",
        "most of the answer's information came through it",
    ]


def test_rule_r_leaves_a_plan_alone_that_keeps_to_the_task() -> None:
    """And any plan, where the task is not known: then nothing can be strayed from."""
    kept = [step(0, "planner", "plan", f"Plan: {TASK}"), *STRAYED[1:]]
    assert METHODS["rule-r"](Features(View(kept, TASK))).order[0] != 0
    assert METHODS["rule-r"](Features(View(STRAYED, ""))).order[0] != 0


def test_graphtracer_ranks_ancestors_of_the_symptom_before_the_others_whatever_their_impact() -> None:
    """2 and 3 hang on 1, which has the largest impact, but only 0 leads to the symptom 4."""
    steps = [
        step(0, "a", content="4711"),
        step(1, "b", content="519"),
        step(2, "c", content="519"),
        step(3, "d", content="519"),
        step(4, "e", content="4711"),
    ]
    assert METHODS["graphtracer"](Features(View(steps))).order == (0, 1, 2, 3, 4)
    swapped = [steps[1].model_copy(update={"index": 0}), steps[0].model_copy(update={"index": 1}), *steps[2:]]
    assert METHODS["graphtracer"](Features(View(swapped))).order == (1, 0, 2, 3, 4)


def test_ties_go_to_the_earlier_step() -> None:
    """Three steps that nothing tells apart: in time order, the symptom aside."""
    same = Features(View([step(i, f"agent{i}") for i in range(3)]))
    assert METHODS["ranker"](same).order == (2, 0, 1)
    assert METHODS["graphtracer"](same).order == (0, 1, 2)
    assert METHODS["rule-r"](same).order == (2, 0, 1)


EDGES = {
    "one step": [step(0, "a")],
    "one empty step": [step(0, "a", content="")],
    "only the user": [step(0, "user"), step(1, "user")],
    "only results": [step(0, "t", "tool_result", tool_status="error", tool_rule="r")],
    "only notices": [step(0, "s", "system"), step(1, "s", "system")],
    "a parent outside": [step(0, "a"), step(1, "t", "tool_result", tool_status="error", tool_rule="r", parents=(9,))],
}


@pytest.mark.parametrize("steps", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_whatever_the_run(method: str, steps: list[Step]) -> None:
    """Every candidate once; probabilities, where there are any, for every step.

    Only first-code may name a step that is no candidate: its second step is the second step, whoever made it.
    """
    features = Features(View(steps, ""))
    ranking = METHODS[method](features)
    assert sorted({*ranking.order, *features.view.candidates}) == sorted(ranking.order)
    if method != "first-code":
        assert sorted(ranking.order) == features.view.candidates
    if ranking.probability is not None:
        assert set(ranking.probability) == set(range(len(steps)))
        assert sum(ranking.probability.values()) == pytest.approx(1)


def test_only_the_ranker_states_probabilities() -> None:
    """The others only rank, and say why in words."""
    for name, method in METHODS.items():
        ranking = method(Features(View(CODED, TASK)))
        assert (ranking.probability is not None) == (name == "ranker")
        assert bool(ranking.words) == (name != "ranker")
