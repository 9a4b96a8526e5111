"""Our ContextCite against the published one (PyPI `context-cite`), end to end on the same models, steps and draws."""

from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.bench_cite import cases
from tracer.analyses.citing import CHOICES, KEEP, context_cite
from tracer.analyses.faithfulness import keep
from tracer.analyses.log_odds import together
from tracer.analyses.reading import Reading, heard
from tracer.analyses.statement import Unit, statement
from tracer.lm import load
from tracer.lm.local import LocalLM
from tracer.records import Step

SAID = [
    ("user", "to Desk: How many bikes were rented in May?"),
    ("Shop", "to Desk: We rented 157 bikes in May. It rained."),
    ("Web", "to Desk: The site says 90 bikes."),
    ("Shop", "to Desk: In June it was 201."),
    ("Desk", "to User: 157 bikes were rented in May. Web has 90."),
]
SOURCES = 5
"""Runs of the agent world are asked about a step with so many sources."""


def bikes(tiny_lm: Callable[..., LocalLM], unit: Unit) -> Reading:
    """A talk that nobody was trained on, before a random Llama of bytes."""
    steps = [Step(index=k, agent=who, kind="message", content=said) for k, (who, said) in enumerate(SAID)]
    return Reading(tiny_lm("llama", "bytes"), statement(steps, 4, unit=unit))


@cache
def worlds(unit: Unit) -> list[Reading]:
    """Steps of the agent world's runs that have SOURCES sources, the first of each run, before the shipped model."""
    lm, found = load(), []
    for case in islice(cases(57), 8):
        for step in (step for step in case.sources if case.steps[step].kind != "tool_result"):
            hearing = heard(lm, case.steps, step)
            if len(statement(case.steps, step, hearing).sources) >= SOURCES:
                found.append(Reading(lm, statement(case.steps, step, hearing, unit=unit)))
                break
    return found


@pytest.fixture(params=["bikes", "bikes by sentence", "world 0", "world 1", "world 2", "world 0 by sentence"])
def reading(request: pytest.FixtureRequest, tiny_lm: Callable[..., LocalLM]) -> Reading:
    """A step that something is asked about."""
    name, _, unit = request.param.partition(" by ")
    return bikes(tiny_lm, unit or "step") if name == "bikes" else worlds(unit or "step")[int(name[-1])]


def words(reading: Reading, claim: int | None = None) -> np.ndarray:
    """All of the step's own words, or those of one claim without the thoughts that it rests on."""
    found = np.zeros(len(reading.text.ids) - reading.text.told, dtype=np.bool_)
    found[slice(None) if claim is None else reading.words(len(reading.statement.thought) + claim)] = True
    return found


def test_masks_log_odds_and_weights_agree_to_1e_4(published: Any, reading: Reading) -> None:
    """The weights by a solver that goes on to the end; theirs stops before, within 1e-4 of the largest weight."""
    citer = published.context_cite(reading)
    theirs = published.weights(citer)
    kept = np.array([keep(reading.count, KEEP, seed) for seed in range(CHOICES)])
    np.testing.assert_array_equal(citer._masks, kept)
    assert all(published.reads_the_same(citer, reading, each) for each in kept)
    odds = reading.erased([np.flatnonzero(~each).tolist() for each in kept])
    np.testing.assert_allclose(odds, citer._logit_probs, atol=1e-4, rtol=0)
    np.testing.assert_allclose(together(odds), published.odds_together(citer), atol=1e-4, rtol=0)
    found = context_cite(reading, [words(reading)]).scores[0]
    np.testing.assert_allclose(found, published.exact_weights(citer), atol=1e-4, rtol=0)
    np.testing.assert_allclose(found, theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)


def test_a_single_claim_agrees_too(published: Any, reading: Reading) -> None:
    """Asked about some characters of the response, as its users ask."""
    citer, own = published.context_cite(reading), reading.statement.own
    for claim, (start, end) in enumerate(reading.statement.claims):
        found = context_cite(reading, [words(reading, claim)]).scores[0]
        theirs = published.exact_weights(citer, (start - own, end - own))
        np.testing.assert_allclose(found, theirs, atol=1e-4, rtol=0)


def test_another_aggregate_or_other_draws_would_not_agree(published: Any, reading: Reading) -> None:
    """With the mean of the words' log-odds for the log-odds of all, or each draw's outcome for the next: .1 off."""
    citer = published.context_cite(reading)
    published.weights(citer)
    found, kept, count = context_cite(reading, [words(reading)]).scores[0], citer._masks, int(words(reading).sum())
    for outcome in (
        published.odds_together(citer, "total_token_logit_prob"),
        np.roll(published.odds_together(citer), 1),
    ):
        wrong, _ = published.ToTheEnd().fit(kept, outcome, count)
        assert np.abs(wrong - found).max() > 0.1
