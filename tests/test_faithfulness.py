"""The check of scores, on a talk in which each of two steps told one fact."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.faithfulness import CHOICES, faithfulness, keep
from tracer.analyses.log_odds import logprob
from tracer.analyses.reading import Reading
from tracer.analyses.statement import statement
from tracer.lm import load
from tracer.records import Step


@pytest.fixture(scope="module")
def reading() -> Reading:
    """The reporter has the facts from two agents, and a question from a third."""
    steps = [
        Step(index=0, agent="user", kind="message", content="to Solver: What is Ana?"),
        Step(index=1, agent="West", kind="handoff", content="to Solver: Ana: Hal +5."),
        Step(index=2, agent="East", kind="handoff", content="to Solver: Hal: 3."),
        Step(index=3, agent="Solver", kind="handoff", content="to Reporter: Ana: Hal +5. Hal: 3."),
    ]
    return Reading(load(), statement(steps, 3))


def words(reading: Reading) -> np.ndarray:
    return np.ones(len(reading.text.ids) - reading.text.told, dtype=np.bool_)


def test_good_scores_are_told_from_their_opposite(reading: Reading) -> None:
    """Leave-one-out by hand, against the same with the sign turned; rho turns with it, and the areas swap."""
    logs = logprob(reading.erased([(), (0,), (1,), (2,)])).sum(axis=1)
    scores = logs[0] - logs[1:]
    good, bad = (faithfulness(reading, words(reading), each) for each in (scores, -scores))
    assert good.lds is not None
    assert bad.lds is not None
    assert good.lds == pytest.approx(-bad.lds)
    assert good.lds > 0.5
    assert good.insertion is not None
    assert good.deletion is not None
    assert bad.insertion is not None
    assert good.insertion > max(good.deletion, bad.insertion)


def test_drop_and_areas_by_hand(reading: Reading) -> None:
    """Three sources in the order 1, 2, 0: cuts at 0, 1, 2 and 3 of 3, by trapezoids."""
    found = faithfulness(reading, words(reading), np.array([0.0, 2.0, 1.0]))
    rows = [(), (1,), (1, 2), (0, 1, 2), (0, 2), (0,)]
    f = logprob(reading.erased(rows)).sum(axis=1)
    scaled = (f - f[3]) / (f[0] - f[3])
    assert (found.k, found.choices) == (3, CHOICES)
    assert found.drop == found.all == pytest.approx(f[0] - f[3], abs=1e-3)
    assert found.deletion == pytest.approx((1 / 2 + scaled[1] + scaled[2]) / 3, abs=1e-3)
    assert found.insertion == pytest.approx((scaled[4] + scaled[5] + 1 / 2) / 3, abs=1e-3)


def test_choices_are_those_of_the_published_implementation() -> None:
    """context-cite 0.0.4 draws `RandomState(seed).choice([False, True], size, p=[1 - p, p])`; seed 0 starts so."""
    uniform = np.random.RandomState(0).random_sample(6)
    np.testing.assert_array_equal(keep(6, 0.5, 0), uniform >= 0.5)
    assert keep(1000, 0.9, 1).mean() == pytest.approx(0.9, abs=0.03)
