"""Suspiciousness: the formulas by hand, the limits, and how often the intervals hold the truth."""

import math

import numpy as np
import pytest

from tracer.stats import MEASURES, Count, suspiciousness


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ochiai", 30 / math.sqrt(80 * 40)),
        ("tarantula", 0.375 / (0.375 + 10 / 120)),
        ("dstar", 900 / (10 + 50)),
        ("explained", 1 - (50 / 160) / (80 / 200)),
    ],
)
def test_a_measure_is_its_formula(name: str, value: float) -> None:
    """30 of 80 failed and 10 of 120 successful runs, worked out by hand."""
    found = suspiciousness(name, Count(30, 80), Count(10, 120))
    assert found is not None
    assert found.value == pytest.approx(value)
    assert found.low < value < found.high
    assert found.n == 200


def test_a_perfect_suspect_is_at_the_top_of_every_measure() -> None:
    """In all failed runs and in no other; DStar stays finite."""
    found = {name: suspiciousness(name, Count(9, 9), Count(0, 20)) for name in MEASURES}
    assert {name: each and each.value for name, each in found.items()} == {
        "ochiai": 1, "tarantula": 1, "dstar": 81, "explained": 1,
    }  # fmt: skip
    assert all(each and each.low < each.value for each in found.values())


def test_what_all_runs_have_explains_nothing() -> None:
    """There is no run without it to compare with."""
    found = suspiciousness("explained", Count(9, 9), Count(20, 20))
    assert found is not None
    assert found.value == 0


def test_what_no_run_has_is_told_without_a_division_by_zero() -> None:
    """Every measure gives a number."""
    found = [suspiciousness(name, Count(0, 9), Count(0, 20)) for name in MEASURES]
    assert [each and each.value for each in found] == [0, 0.5, 0, 0]


def test_without_successful_runs_only_two_measures_say_something() -> None:
    """Tarantula and the attributable fraction compare with them; without failures no measure says anything."""
    told = {name for name in MEASURES if suspiciousness(name, Count(3, 4), Count(0, 0))}
    assert told == {"ochiai", "dstar"}
    assert not any(suspiciousness(name, Count(0, 0), Count(3, 4)) for name in MEASURES)


@pytest.mark.parametrize(
    ("failed", "succeeded", "in_failed", "in_others"),
    [(80, 120, 0.4, 0.1), (80, 120, 0.1, 0.1), (20, 180, 0.3, 0.05), (40, 40, 0.95, 0.6), (15, 15, 0.3, 0.3)],
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(
    failed: int, succeeded: int, in_failed: float, in_others: float
) -> None:
    """95 %: at least 92.5 % of 1,000 simulated sets of runs, where chance alone leaves 1 % below 93.4 %."""
    generator = np.random.default_rng(0)
    ones, others = generator.binomial(failed, in_failed, 1000), generator.binomial(succeeded, in_others, 1000)
    held = dict.fromkeys(MEASURES, 0)
    truth = {
        name: measure.formula(in_failed * failed, in_others * succeeded, failed, succeeded)
        for name, measure in MEASURES.items()
    }
    for a, b in zip(ones, others, strict=True):
        for name in MEASURES:
            found = suspiciousness(name, Count(int(a), failed), Count(int(b), succeeded))
            held[name] += found is not None and found.low <= truth[name] <= found.high
    assert min(held.values()) >= 925, held
