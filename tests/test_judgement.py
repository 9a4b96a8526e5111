"""Ballots and their count."""

import pytest

from tracer.analyses.judgement import Ballot, Cost, Judgement


def judgement(*steps: int | None) -> Judgement:
    """A ballot for each step; None abstains."""
    ballots = [Ballot(state="abstained") if step is None else Ballot(state="named", step=step) for step in steps]
    return Judgement(method="judge", offered=(1, 2, 3), ballots=tuple(ballots))


def test_most_votes_lead_and_equals_go_by_the_rankers_order() -> None:
    assert judgement(2, 1, 2).leading() == 2
    assert judgement(2, 1).leading() == 1
    assert judgement(2, 1).leading(order=(3, 2, 1)) == 2


def test_more_silence_than_votes_is_silence() -> None:
    """One vote of three, two silent: nobody; one vote and one silent: the vote."""
    assert judgement(1, None, None).leading() is None
    assert judgement(1, None).leading() == 1
    assert judgement(None).leading() is None
    assert judgement().leading() is None


def test_the_share_counts_the_silent_and_has_wilsons_interval() -> None:
    """3 of 5: Wilson by hand gives 0.2307 to 0.8824."""
    found = judgement(2, 2, 2, 1, None).share(2)
    assert (found.value, found.n) == (0.6, 5)
    assert [found.low, found.high] == pytest.approx([0.2307, 0.8824], abs=1e-4)


def test_costs_add_up() -> None:
    total = Cost(requests=1, read=10, written=2, seconds=0.5) + Cost(requests=2, read=1, written=3, seconds=1)
    assert total == Cost(requests=3, read=11, written=5, seconds=1.5)
