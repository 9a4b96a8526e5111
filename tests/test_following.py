"""Following a written text, and sharing its rollouts: worked out by hand, and on a planted Markov chain."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from tracer.lm.following import Array, Draws, fresh, handed

STEP = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])
"""A Markov chain of three tokens: row = the token before."""
TEXT = (0, 0, 1, 1, 2)
"""A text of five tokens; its prefixes p_0, p_1, p_2 end after 1, 3 and 4 of them."""
MARKS = [1, 3, 4]
END = 6
"""The outcome of a rollout is the token at this place."""


def planted() -> Draws:
    """What draws each token of TEXT under the chain."""
    edges = np.concatenate([np.zeros((3, 1)), STEP.cumsum(-1)], axis=1)
    pairs = list(pairwise(TEXT))
    lower = [1.0, *(edges[before, token] for before, token in pairs)]
    upper = [1.0, *(edges[before, token + 1] for before, token in pairs)]
    return Draws(
        np.array(lower), np.array(upper), np.ones(5), np.array([0.0, *(math.log(STEP[a, b]) for a, b in pairs)])
    )


def run(start: int, uniforms: Array) -> list[int]:
    """The chain's tokens after a token."""
    made = [start]
    for u in uniforms:
        made.append(int(np.searchsorted(STEP[made[-1]].cumsum(), u, side="right")))
    return made[1:]


def outcome_law(mark: int) -> Array:
    """Of the outcome, after so many tokens of the text."""
    law: Array = np.linalg.matrix_power(STEP, END - mark)[TEXT[mark - 1]]
    return law


def test_a_draw_follows_the_text_as_long_as_it_draws_its_tokens() -> None:
    """After 0: 0 below .7. After 0: 1 from .7 to .9. After 1: 1 from .1 to .8. After 1: 2 from .8 on."""
    draws = planted()
    assert draws.follow(1, np.array([0.69, 0.71, 0.11, 0.81])) == 4
    assert draws.follow(1, np.array([0.69, 0.91, 0.11, 0.81])) == 1
    assert draws.follow(1, np.array([0.71, 0.71, 0.11, 0.81])) == 0
    assert draws.follow(3, np.array([0.3])) == 1
    assert draws.follow(3, np.array([0.3, 0.81, 0.1])) == 2
    assert draws.follow(5, np.array([0.3])) == 0
    assert draws.follow(0, np.array([0.5, 0.5])) == 0


def test_following_is_what_the_chain_itself_draws() -> None:
    """The count of leading tokens that are the text's, for 500 rows."""
    draws, rng = planted(), np.random.default_rng(0)
    for _ in range(500):
        uniforms = rng.random(4)
        made = run(TEXT[0], uniforms)
        same = next((k for k, (one, other) in enumerate(zip(made, TEXT[1:], strict=True)) if one != other), 4)
        assert draws.follow(1, uniforms) == same


def test_the_chance_to_repeat_the_text_is_a_product() -> None:
    """.7 * .2 to the second prefix, .7 more to the third, and 1 to where one stands."""
    draws = planted()
    assert draws.chance(1, 3) == pytest.approx(0.14)
    assert draws.chance(1, 4) == pytest.approx(0.098)
    assert draws.chance(3, 3) == 1
    one_way = Draws(np.array([1.0, 0.0]), np.array([1.0, np.inf]), np.array([1.0, 0.9]), np.zeros(2))
    assert one_way.chance(1, 2) == 1


def test_a_rollout_is_handed_to_the_borders_it_reaches() -> None:
    """Two repeated tokens reach the second prefix, three the third; prefixes in other tokens neither give nor get."""
    assert handed(MARKS, 0, 1) == []
    assert handed(MARKS, 0, 2) == [(1, 3)]
    assert handed(MARKS, 0, 3) == [(1, 3), (2, 4)]
    assert handed(MARKS, 1, 4) == [(2, 4)]
    assert handed(MARKS, 2, 4) == []
    assert handed([1, None, 4], 0, 3) == [(2, 4)]
    assert handed([1, None, 4], 1, 3) == []


def test_a_prefix_that_is_handed_rollouts_needs_fewer() -> None:
    """Of the first one's 4 rollouts, number k repeats k tokens: 2 reach the second prefix, 1 the third.

    So the second needs 2 more, which repeat nothing, and the third 3.
    """
    assert fresh(MARKS, 4, lambda place, number: number if place == 0 else 0) == [4, 2, 3]
    assert fresh(MARKS, 4, lambda place, number: 9) == [4, 0, 0]
    assert fresh(MARKS, 0, lambda place, number: 0) == [0, 0, 0]
    assert fresh([], 3, lambda place, number: 0) == []


def sweep(rng: np.random.Generator, n: int) -> list[list[tuple[int, int]]]:
    """One sweep of all prefixes by the two functions: for each the (row, outcome) of all its rollouts."""
    draws = planted()
    numbers = rng.random((len(MARKS), n, END))
    needed = fresh(MARKS, n, lambda place, k: draws.follow(MARKS[place], numbers[place, k]))
    found: list[list[tuple[int, int]]] = [[] for _ in MARKS]
    for place, count in enumerate(needed):
        for k in range(count):
            mark, u = MARKS[place], numbers[place, k]
            outcome = run(TEXT[mark - 1], u)[END - mark - 1]
            for border in (place, *(later for later, _ in handed(MARKS, place, draws.follow(mark, u)))):
                found[border].append((place * n + k, outcome))
    return found


def test_handing_on_leaves_every_distribution_as_it_is() -> None:
    """1,500 sweeps of 8: the outcomes of each prefix against the chain's own law, by chi-squared.

    Each sweep's rollouts of a prefix are independent, handed or fresh, so the counts are multinomial.
    """
    rng = np.random.default_rng(1)
    totals = np.zeros((3, 3))
    handed_on = 0
    for _ in range(1500):
        for place, rollouts in enumerate(sweep(rng, 8)):
            totals[place] += np.bincount([outcome for _, outcome in rollouts], minlength=3)
            handed_on += sum(row < place * 8 for row, _ in rollouts)
    assert handed_on > 1500
    for place, mark in enumerate(MARKS):
        expected = outcome_law(mark) * totals[place].sum()
        assert stats.chisquare(totals[place], expected).pvalue > 0.001


def test_handing_backward_would_not() -> None:
    """What repeats the text is no sample of all: R_0 with its repeating rollouts only is another law, as is said."""
    rng, draws = np.random.default_rng(4), planted()
    rows = [rng.random(END) for _ in range(8000)]
    again = [run(TEXT[0], u)[END - 2] for u in rows if draws.follow(1, u) >= MARKS[2] - 1]
    counts = np.bincount(again, minlength=3)
    assert stats.chisquare(counts, outcome_law(MARKS[0]) * counts.sum()).pvalue < 0.001
    assert stats.chisquare(counts, outcome_law(MARKS[2]) * counts.sum()).pvalue > 0.001


def test_choosing_by_what_follows_the_border_would_not() -> None:
    """A border that shows only where 2 comes next would hand on another law than R_2."""
    rng = np.random.default_rng(2)
    made = [run(TEXT[3], rng.random(END - MARKS[2])) for _ in range(8000)]
    chosen = np.bincount([row[-1] for row in made if row[0] == 2], minlength=3)
    assert stats.chisquare(chosen, outcome_law(MARKS[2]) * chosen.sum()).pvalue < 0.001


def test_the_difference_varies_as_the_docstring_says() -> None:
    """Outcome "is 1": v_a / n + v_b / N - 2 q v_b / N, against the variance over 2,000 sweeps of 6, within 10 %.

    The first prefix is handed nothing, so N is 6; chance(1, 3) is .14.
    """
    rng = np.random.default_rng(3)
    differences = []
    for _ in range(2000):
        first, second, _ = (np.mean([outcome == 1 for _, outcome in rollouts]) for rollouts in sweep(rng, 6))
        differences.append(second - first)
    a, b = (outcome_law(mark)[1] for mark in MARKS[:2])
    variance = (a * (1 - a) + b * (1 - b) - 2 * 0.14 * b * (1 - b)) / 6
    assert np.var(differences) == pytest.approx(variance, rel=0.1)
    assert np.mean(differences) == pytest.approx(b - a, abs=4 * math.sqrt(variance / 2000))
