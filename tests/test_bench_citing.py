"""The benchmark of `tracer cite`: what is planted, what counts as a piece of a text, and its figures by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.bench_cite import KINDS, NAMES_OF, Case, _summary, items, known, plant
from tracer.data.agent_runs import first_lives, worlds
from tracer.records import Step
from tracer.schemas import CiteBench
from tracer.viz.bench_world import cite_bench_report

Call = Callable[..., Any]
TALK = [
    Step(index=0, agent="user", kind="message", content="What is Ana?"),
    Step(
        index=1,
        agent="West",
        kind="handoff",
        content="to Planner: Ana: Hal +5. Hal: 3. Well then.",
        reasoning="Hal: 3.",
    ),
    Step(index=2, agent="Files", kind="tool_result", content="to West: Hal: 3."),
]
SEEDS = range(20)


@pytest.fixture(scope="module")
def case() -> Case:
    """The first run of the agent world."""
    return known(next(iter(first_lives(list(islice(worlds(0), 1))))))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("to Solver: Ana: Hal +5. Hal: 3. What is Ana?", {"Ana: Hal +5.", "Hal: 3.", "Ana?"}),
        ("Hal = 3 +5 = 8.", {"Hal = 3 +5 = 8."}),
        ("to user: Ana is 8.", {"Ana is 8."}),
        ("  Well then. ", {"Well then."}),
    ],
)
def test_a_text_is_taken_apart_into_facts_sums_questions_and_claims(text: str, pieces: set[str]) -> None:
    """One that has none of them is a piece as it is."""
    assert items(text) == pieces


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_planted_as_said_stands_nowhere_else(seed: int) -> None:
    """A new sentence beside those that state facts, about a name that was never said, with a number that was not."""
    steps, step, claim = plant(TALK, "said", random.Random(seed)) or pytest.fail("nothing was planted")
    assert step == 1
    assert [one for k, one in enumerate(steps) if k != 1] == [one for k, one in enumerate(TALK) if k != 1]
    assert steps[1].reasoning == TALK[1].reasoning
    name, number = claim.rstrip(".").split(": ")
    said = " ".join(f"{one.content} {one.reasoning or ''}" for one in TALK)
    assert name not in said
    assert number not in said.replace("+5", "5").split()
    assert steps[1].content.replace(f"{claim} ", "", 1) == TALK[1].content


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_planted_as_thought_is_thought_and_said(seed: int) -> None:
    steps, step, claim = plant(TALK, "thought", random.Random(seed)) or pytest.fail("nothing was planted")
    assert step == 1
    assert claim in steps[1].content
    assert sorted([f"Hal: 3. {claim}", f"{claim} Hal: 3."]).count(steps[1].reasoning or "") == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_changed_is_the_number_of_a_fact_and_nothing_else(seed: int) -> None:
    """`Ana: Hal +5.` is no plain number, so it is Hal's; what the agent thought stays as it was."""
    steps, step, claim = plant(TALK, "changed", random.Random(seed)) or pytest.fail("nothing was planted")
    assert step == 1
    assert claim.startswith("Hal: ")
    assert claim != "Hal: 3."
    assert steps[1].content == TALK[1].content.replace("Hal: 3.", claim)
    assert steps[1].reasoning == TALK[1].reasoning


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_planted_where_no_agent_states_a_fact(kind: str) -> None:
    """What a tool says is no claim of an agent."""
    assert plant([TALK[0], TALK[2]], kind, random.Random(0)) is None


def test_what_a_step_used_is_known_by_construction(case: Case) -> None:
    """Only earlier steps; what a tool answers it has from whoever called it; and some step used something."""
    assert any(case.sources.values())
    for step, used in case.sources.items():
        assert all(0 <= source < step for source in used)
        if case.steps[step].kind == "tool_result":
            assert any(case.steps[source].kind == "tool_call" for source in used)


def test_figures_by_hand() -> None:
    """One run: the true source is first by every method but `reach`; of four planted claims three are listed."""
    good = dict.fromkeys(NAMES_OF, 1.0) | {"true": True, "plain": True, "reach": -3.0}
    bad = dict.fromkeys(NAMES_OF, 0.0) | {"true": False, "plain": True, "reach": -1.0}
    copy = dict.fromkeys(NAMES_OF, 2.0) | {"true": False, "plain": False, "reach": -4.0}
    planted = [("said", True), ("thought", True), ("thought", False), ("changed", True)]
    found = _summary([[good, bad, copy]] * 2, planted, [False] * 8 + [True])
    area = {group: {name: each["auroc"] for name, each in of.items()} for group, of in found["sources"].items()}
    assert area["plain"] == dict.fromkeys(NAMES_OF, 1.0) | {"reach": 0.0}
    assert area["all"] == dict.fromkeys(NAMES_OF, 0.5)
    assert found["pairs"] == {"plain": {"n": 4, "true": 2}, "all": {"n": 6, "true": 2}}
    assert found["unsupported"]["planted"]["share"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["unsupported"]["changed"]["n"] == 1
    assert found["false_listings"] == {"share": 0.1111, "interval": found["false_listings"]["interval"], "n": 9}
    assert found["false_among_listed"] == 0.25


def test_the_command_prints_the_published_form_and_a_table(call: Call) -> None:
    """A run is enough for every method; nothing but JSON is printed."""
    done = call("bench", "cite", "--n", "1", "--json")
    assert (done.code, done.err) == (0, "")
    report = CiteBench.model_validate(done.json)
    assert (report.seed, report.n, report.model["name"]) == (0, 1, "pocket")
    assert set(report.sources["plain"]) == set(report.sources["all"]) == set(NAMES_OF)
    assert 0 < report.pairs["all"]["true"] < report.pairs["all"]["n"]
    assert {"planted", *KINDS} <= set(report.unsupported)
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        console.print(cite_bench_report(done.json))
    rows = [line.split()[0] for line in captured.get().splitlines() if line.strip()]
    assert [row for row in rows if row in NAMES_OF] == list(NAMES_OF)
    assert max(map(len, captured.get().splitlines())) <= 80
