"""Verdicts: what is claimed, how surely, on what ground, and when nothing is claimed at all."""

from typing import Any

import pytest

from tracer.analyses import failure
from tracer.analyses.blame import METHODS, blame
from tracer.analyses.domain import Family
from tracer.analyses.features import FEATURES, Features
from tracer.analyses.ranker import RankerModel, shipped
from tracer.analyses.view import View
from tracer.errors import TracerError
from tracer.graph import dependency_graph
from tracer.records import Run, Step, StepKind

TASK = "Which whale did the station count?"


def step(index: int, agent: str, kind: StepKind = "message", content: str = "so be it", **more: Any) -> Step:
    """One step."""
    return Step(index=index, agent=agent, kind=kind, content=content, **more)


STEPS = [
    step(0, "user", content=TASK),
    step(1, "planner", "plan", "Plan: ask which whale the station did count."),
    step(2, "reader", content="I assume that it saw 4711 of them"),
    step(3, "writer", content="so it is 4711"),
    step(4, "planner", content="krill"),
    step(5, "writer", content="the answer is 4711"),
]
"""Only step 2 assumes anything; 4711 goes from there to the symptom 5."""


def run(outcome: str = "failure", **more: Any) -> Run:
    """The run of these steps."""
    fields: dict[str, Any] = {"framework": "ag2", "outcome": outcome, "outcome_source": "label", **more}
    return Run(id="a" * 12, content_hash="a" * 64, source="a.json", format="chat", task=TASK, **fields)


def model(weight: float = 3.0, threshold: float = 0.5) -> RankerModel:
    """A ranker that looks for assumptions alone."""
    family = Family(runs=64, steps=(2, 10), tool_share=(0.0, 0.5))
    return RankerModel(
        weights={"assumes": weight}, rule_share=0.0, outside=0.0, threshold=threshold, families={"ag2": family}
    )


def test_a_failed_run_gets_a_root_cause() -> None:
    """e^3 against four times e^0: 20.09 / 24.09 for step 2; the others share the rest in time order."""
    found = blame(run(), STEPS, model=model())
    assert (found.verdict, found.verdict_reason, found.method) == ("root_cause", "", "ranker")
    assert [(each.rank, each.step, each.agent) for each in found.candidates] == [
        (1, 2, "reader"),
        (2, 1, "planner"),
        (3, 3, "writer"),
        (4, 4, "planner"),
        (5, 5, "writer"),
    ]
    assert found.candidates[0].probability == pytest.approx(20.0855 / 24.0855, abs=1e-4)
    assert found.p_failed is None
    assert found.symptom == 5


def test_the_path_leads_from_the_candidate_to_the_symptom() -> None:
    """With what was carried: step 2 introduced the figure that step 5 states."""
    first = blame(run(), STEPS, model=model()).candidates[0]
    assert [(hop.step, hop.text, hop.origin) for hop in first.path] == [(2, "", None), (5, "4711", "reused")]


def test_every_path_ends_at_the_symptom() -> None:
    """A candidate after the symptom has none: nothing can have come from there."""
    ended = [*STEPS, step(6, "planner", content=" ")]
    found = blame(run(), ended, model=model(), top=10)
    assert {each.step for each in found.candidates} == {1, 2, 3, 4, 5, 6}
    for each in found.candidates:
        assert [hop.step for hop in each.path][-1:] == ([5] if each.step <= 5 else [])
        assert [hop.step for hop in each.path][:1] == ([each.step] if each.step <= 5 else [])


def test_cues_are_told_where_they_fired_and_nowhere_else() -> None:
    """Only step 2 assumes something."""
    found = blame(run(), STEPS, model=model())
    assert [each.cues for each in found.candidates] == [(FEATURES["assumes"].words,), (), (), (), ()]


def test_a_run_that_succeeded_has_no_failure() -> None:
    """No candidates, no probabilities, and who said that it succeeded."""
    found = blame(run("success"), STEPS)
    assert (found.verdict, found.verdict_reason) == ("no_failure", "the run succeeded, says its label")
    assert (found.candidates, found.symptom, found.p_failed, found.probability_basis) == ((), None, None, None)
    assert blame(run("success", outcome_source=None), STEPS).verdict_reason == "the run succeeded"


def test_an_unknown_outcome_is_doubted() -> None:
    """P(failed) is stated; the leading step's 0.83 times it must reach the threshold."""
    chance = failure.p_failed(Features(View(STEPS, TASK)))
    sure = 20.0855 / 24.0855
    low = blame(run("unknown"), STEPS, model=model(threshold=chance * sure - 0.01))
    high = blame(run("unknown"), STEPS, model=model(threshold=chance * sure + 0.01))
    assert low.p_failed == high.p_failed == chance
    assert (low.verdict, high.verdict) == ("root_cause", "inconclusive")
    assert high.verdict_reason == (
        "the log does not say how the run ended; say so with `tracer mark RUN --failed`, or `--assume failed`"
    )
    assert [each.step for each in high.candidates] == [2, 1, 3, 4, 5]


@pytest.mark.parametrize("outcome", ["success", "failure", "unknown"])
def test_an_assumption_overrides_the_log(outcome: str) -> None:
    """Both ways, and the finding says that it was assumed."""
    failed = blame(run(outcome), STEPS, model=model(), assume="failed")
    assert (failed.verdict, failed.outcome, failed.p_failed) == ("root_cause", "failure", None)
    assert failed.parameters["assume"] == "failed"
    fine = blame(run(outcome), STEPS, model=model(), assume="ok")
    assert (fine.verdict, fine.outcome, fine.verdict_reason) == ("no_failure", "success", "the run succeeded")


def test_inconclusive_says_what_would_settle_it() -> None:
    """Which two steps to compare; or that there is only one."""
    flat = blame(run(), STEPS, model=model(weight=0.0))
    assert flat.verdict == "inconclusive"
    assert flat.verdict_reason == "no step stands out: compare step 1 with step 2 to settle it"
    assert flat.candidates[0].probability == pytest.approx(1 / 5)
    lone = blame(run(), STEPS[:2], model=model().model_copy(update={"outside": 0.6}))
    assert lone.verdict_reason == "only step 1 can be blamed, and little speaks for it"


@pytest.mark.parametrize(
    ("framework", "basis", "reason"),
    [
        ("ag2", "in-domain", "like the 64 ag2 runs of the training record"),
        ("crewai", "out-of-domain", "trained on ag2 runs; this one is crewai"),
        (None, "out-of-domain", "trained on ag2 runs; this one is chat"),
    ],
)
def test_the_ground_of_the_probabilities_is_told(framework: str | None, basis: str, reason: str) -> None:
    """With the reason in words."""
    found = blame(run(framework=framework), STEPS, model=model())
    assert (found.probability_basis, found.basis_reason) == (basis, reason)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "ranker"])
def test_methods_without_probabilities_say_why_and_claim_no_figure(method: str) -> None:
    """The reason stands with the first candidate; no basis, for there is nothing that it could be the basis of."""
    found = blame(run(), STEPS, method=method)
    ranking = METHODS[method](Features(View(STEPS, TASK)))
    assert (found.verdict, found.method, found.verdict_reason) == ("root_cause", method, ranking.words)
    assert tuple(each.step for each in found.candidates) == ranking.order[:5]
    assert {each.probability for each in found.candidates} == {None}
    assert [bool(each.cues) for each in found.candidates] == [True, False, False, False, False]
    assert found.probability_basis is None


def test_top_bounds_what_is_listed_and_not_what_is_meant() -> None:
    """The probability stays that among all steps."""
    one, all_of_them = (blame(run(), STEPS, model=model(), top=top) for top in (1, 99))
    assert len(one.candidates) == 1
    assert one.candidates[0] == all_of_them.candidates[0]
    assert len(all_of_them.candidates) == 5
    assert sum(each.probability or 0 for each in all_of_them.candidates) == pytest.approx(1)


def test_an_unknown_method_is_one_line_with_the_names() -> None:
    """All of them."""
    with pytest.raises(TracerError, match="no method 'magic'; there are: ranker, rule-r, graphtracer, first-code"):
        blame(run(), STEPS, method="magic")


def test_the_graphs_view_is_beside_the_verdict() -> None:
    """Impact in [0, 1], and whether anything could have come from there."""
    found = blame(run(), STEPS, model=model())
    rows = {row["step"]: row for row in found.evidence["graph"]}
    assert {index: row["upstream_of_symptom"] for index, row in rows.items()} == {
        1: False,
        2: True,
        3: False,
        4: False,
        5: True,
    }
    assert all(0 <= row["impact"] <= 1 for row in rows.values())
    assert (found.evidence["orchestrated"], found.evidence["candidates"]) == (False, 5)


def test_a_given_graph_changes_nothing_when_it_is_the_runs_own() -> None:
    """Edges may come from the store."""
    kept = dependency_graph(STEPS, TASK)
    assert blame(run(), STEPS, edges=kept, model=model()) == blame(run(), STEPS, model=model())


@pytest.mark.parametrize(
    "steps",
    [
        [step(0, "a")],
        [step(0, "user")],
        [step(0, "a", content="")],
        [step(0, "t", "tool_result", tool_status="error", tool_rule="r")],
        [step(0, "s", "system")],
        [step(i, "a", content="\x00\ud800\u202e" * 50) for i in range(3)],
    ],
    ids=["one step", "only the user", "empty", "only a result", "only a notice", "hostile text"],
)
@pytest.mark.parametrize("method", METHODS)
def test_any_run_gets_an_answer(method: str, steps: list[Step]) -> None:
    """Whatever is left of it."""
    found = blame(run("unknown", framework=None), steps, method=method)
    assert found.candidates[0].step in range(len(steps))
    assert found.symptom in range(len(steps))


def test_the_shipped_ranker_is_the_default() -> None:
    """`model` replaces it."""
    assert blame(run(), STEPS) == blame(run(), STEPS, model=shipped())
    assert blame(run(), STEPS) != blame(run(), STEPS, model=model())
