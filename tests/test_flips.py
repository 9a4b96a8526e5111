"""Shares of flips, their difference, the verdict, and the number that would settle it."""

import pytest

from tracer.analyses.flips import MOST, arm, effect, settling, verdict
from tracer.records import Arm


def forks(flips: int, n: int) -> Arm:
    """So many of n flipped."""
    return arm([True] * flips + [False] * (n - flips))


def test_a_share_has_wilsons_interval_and_leaves_unknown_ends_out() -> None:
    """Wilson by hand for 3 of 4: centre (0.75 + 3.8415/8) / 1.9604, half 1.96 * sqrt(0.1875/4 + 3.8415/64) / 1.9604."""
    found = arm([True, True, None, True, False])
    assert (found.n, found.flips, found.unknown, found.rate) == (4, 3, 1, 0.75)
    assert (found.low, found.high) == pytest.approx((0.3006, 0.9544), abs=1e-4)


def test_an_effect_is_the_difference_of_both_shares_with_newcombes_interval() -> None:
    """By hand for 10 of 10 and 0 of 10: Wilson ends at 0.7225 and 0.2775, so low = 1 - 0.2775 * sqrt(2)."""
    found = effect(forks(10, 10), forks(0, 10))
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.6075, 1.0), abs=1e-4)


def test_without_kept_forks_the_share_itself_is_the_effect() -> None:
    """Then nothing is taken off, and without any fork nothing is excluded."""
    assert effect(forks(3, 4), None)[:3] == pytest.approx((0.75, 0.3006, 0.9544), abs=1e-4)
    assert effect(forks(0, 0), None)[:3] == (0.0, -1.0, 1.0)
    assert verdict(effect(forks(0, 0), None)) == "inconclusive"


@pytest.mark.parametrize(
    ("changed", "kept", "said"),
    [
        (forks(3, 3), forks(0, 3), "cause"),
        (forks(2, 2), forks(0, 2), "inconclusive"),
        (forks(10, 10), forks(10, 10), "inconclusive"),
        (forks(20, 20), forks(20, 20), "not a cause"),
        (forks(0, 16), None, "not a cause"),
        (forks(0, 15), None, "inconclusive"),
        (forks(0, 8), forks(8, 8), "not a cause"),
    ],
)
def test_a_verdict_is_where_the_interval_lies(changed: Arm, kept: Arm | None, said: str) -> None:
    """A step whose change flips what flips anyway is no cause; one that keeps it from flipping is none either."""
    assert verdict(effect(changed, kept)) == said


def test_the_number_that_would_settle_it_does() -> None:
    """At the rates seen, that many forks of each kind clear the margin, and one less than the step before does not."""
    n = settling(forks(9, 20), forks(0, 20))
    assert n is not None
    assert 20 < n <= 24
    assert verdict(effect(forks(round(0.45 * n), n), forks(0, n))) == "cause"
    assert settling(forks(0, 3), None) == 16


def test_nothing_is_promised_where_nothing_is_known() -> None:
    """Without a known end on either side no number of forks is named."""
    assert settling(arm([None, None]), forks(0, 2)) is None
    assert settling(forks(1, 2), arm([])) is None


def test_an_effect_at_the_margin_is_never_settled() -> None:
    """No number of forks up to MOST tells 0.2 from 0.2."""
    assert settling(forks(2, 10), forks(0, 10)) is None
    assert MOST == 10_000
