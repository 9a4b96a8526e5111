"""Estimates and their intervals, each against scipy or against a simulation whose truth is known."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from tracer.stats import Estimate, auroc, average_precision, bootstrap_mean, calibration, logistic, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 10), (29, 64), (64, 64), (500, 1000)])
def test_wilson_is_that_of_scipy(successes: int, n: int) -> None:
    """Both bounds, at the ends of the scale too."""
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    found = wilson(successes, n)
    assert (found.value, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_case_says_nothing() -> None:
    """Anything from 0 to 1 is possible; a mean of nothing is no number."""
    assert wilson(0, 0) == Estimate(0.0, 0.0, 1.0, 0)
    empty = bootstrap_mean([], [])
    assert math.isnan(empty.value)
    assert empty.n == 0


def test_the_bootstrap_draws_whole_groups() -> None:
    """Copies within a group add no certainty: ten copies of four groups are as uncertain as the four."""
    once = bootstrap_mean([0.0, 1.0, 0.0, 1.0], "abcd")
    copied = bootstrap_mean([0.0, 1.0, 0.0, 1.0] * 10, "abcd" * 10)
    apart = bootstrap_mean([0.0, 1.0, 0.0, 1.0] * 10, range(40))
    assert once == copied
    assert once.n == 4
    assert apart.high - apart.low < (once.high - once.low) / 2


def test_the_same_seed_gives_the_same_interval() -> None:
    """A figure printed twice is the same figure; equal values have no spread."""
    values = [0.1, 0.9, 0.4, 0.7]
    assert bootstrap_mean(values, "abcd", seed=3) == bootstrap_mean(values, "abcd", seed=3)
    assert bootstrap_mean([0.25] * 5, "aabbc") == Estimate(0.25, 0.25, 0.25, 3)


def test_the_bootstrap_interval_holds_the_truth_as_often_as_it_says() -> None:
    """300 samples of 60 coin throws with p = 0.4: the 95 % interval covers 0.4 in 90 to 98 % of them."""
    generator = np.random.default_rng(7)
    covered = 0
    for seed in range(300):
        values = (generator.random(60) < 0.4).astype(float)
        found = bootstrap_mean(list(values), range(60), seed=seed)
        covered += found.low <= 0.4 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_logistic_weights_are_the_optimum_that_scipy_finds() -> None:
    """The same penalised likelihood, minimised by a general method."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(200, 3))
    y = (generator.random(200) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -2.0, 0.0])))).astype(float)
    design = np.column_stack([np.ones(200), x])

    def loss(weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        score = design @ weights
        return float(np.sum(np.logaddexp(0, score) - y * score) + 0.7 / 2 * weights @ weights)

    expected = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert logistic(x, y, ridge=0.7) == pytest.approx(expected, abs=1e-5)


def test_separable_data_stay_finite() -> None:
    """The ridge holds weights that would run away; data of one kind only give an intercept with its sign."""
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    weights = logistic(x, np.array([0.0, 0.0, 1.0, 1.0]))
    assert np.isfinite(weights).all()
    assert weights[1] > 1
    assert logistic(x, np.ones(4))[0] > 1


@pytest.mark.parametrize(("sharpness", "slope"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0)])
def test_calibration_finds_over_and_under_confidence(sharpness: float, slope: float) -> None:
    """Log-odds stated twice too large have slope 1/2, half too small slope 2; right ones have slope 1."""
    generator = np.random.default_rng(5)
    logit = generator.normal(-0.5, 1.2, size=4_000)
    true = generator.random(4_000) < 1 / (1 + np.exp(-logit))
    stated = 1 / (1 + np.exp(-sharpness * logit))
    found = calibration(list(stated), [bool(t) for t in true], range(4_000), resamples=60)
    assert found.slope.value == pytest.approx(slope, rel=0.1)
    assert found.slope.low < slope < found.slope.high
    assert found.intercept.value == pytest.approx(0, abs=0.1)
    assert found.slope.n == 4_000


def test_calibration_finds_a_shift() -> None:
    """Odds stated e times too high have intercept -1."""
    generator = np.random.default_rng(6)
    logit = generator.normal(0, 1, size=4_000)
    true = generator.random(4_000) < 1 / (1 + np.exp(-logit))
    found = calibration(list(1 / (1 + np.exp(-(logit + 1)))), [bool(t) for t in true], range(4_000), resamples=20)
    assert found.intercept.value == pytest.approx(-1, abs=0.15)


def test_calibration_survives_certainty() -> None:
    """Stated 0 and 1 are clipped, not divided by."""
    found = calibration([0.0, 1.0, 0.5, 0.5], [False, True, True, False], "abcd", resamples=20)
    assert all(math.isfinite(value) for estimate in found for value in estimate)


def test_auroc_counts_ties_half() -> None:
    """Of 2 x 3 pairs of a true and a false one, 4 are in order and 1 is a tie: 4.5 / 6."""
    scores = np.array([0.9, 0.4, 0.4, 0.1, 0.5])
    true = np.array([True, True, False, False, False])
    assert auroc(scores, true) == pytest.approx(4.5 / 6)
    assert auroc(-scores, true) == pytest.approx(1.5 / 6)


def test_auroc_is_mann_whitney() -> None:
    """The oracle is scipy's U."""
    generator = np.random.default_rng(3)
    scores, true = generator.integers(0, 9, 200).astype(float), generator.random(200) < 0.3
    u = stats.mannwhitneyu(scores[true], scores[~true]).statistic
    assert auroc(scores, true) == pytest.approx(u / (true.sum() * (~true).sum()))


def test_average_precision_by_hand() -> None:
    """True at ranks 1 and 3 of 4: (1/1 + 2/3) / 2; with all scores equal it is the base rate."""
    true = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), true) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(4), true) == pytest.approx(0.5)


def test_one_kind_alone_has_no_area() -> None:
    """NaN, not a made-up figure."""
    assert math.isnan(auroc(np.ones(3), np.ones(3, dtype=bool)))
    assert math.isnan(average_precision(np.ones(3), np.zeros(3, dtype=bool)))
