"""Did a change of one step change how the run ends? Two shares, their difference, and when it is settled.

With p1 the share of forks that end otherwise than the run did when the step is changed, and p0 that share when it is
kept, the effect is p1 - p0, with Newcombe's 95 % interval. What already follows from the steps before moves both alike,
and so does plain luck: that is why p1 alone says nothing of the step.

    cause          the interval lies above the margin
    not a cause    it lies below
    inconclusive   it holds the margin

The edge cases: without forks nothing is excluded (-1 to 1); where no fork is kept, p0 is taken as 0, and the interval
is Wilson's of p1 alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from tracer.records import Arm
from tracer.stats import Count, Estimate, difference, wilson

MARGIN = 0.2
"""An effect that is no larger is none: three flips of three, where none of three kept forks flips, lie above it."""
MOST = 10_000
"""Forks of each kind; what more than these would settle counts as never settled."""
_GROWTH = 1.05
"""`settling` looks at sizes this far apart, so its answer is right to a twentieth."""

Verdict = Literal["cause", "not a cause", "inconclusive"]


def arm(flipped: Iterable[bool | None]) -> Arm:
    """Forks of one kind, each True where it flipped, None where its end is not known."""
    told = list(flipped)
    known = [each for each in told if each is not None]
    rate = wilson(sum(known), len(known))
    return Arm(
        n=len(known), flips=sum(known), unknown=len(told) - len(known), rate=rate.value, low=rate.low, high=rate.high
    )


def effect(changed: Arm, kept: Arm | None) -> Estimate:
    """changed.rate - kept.rate with its interval."""
    return _effect(Count(changed.flips, changed.n), None if kept is None else Count(kept.flips, kept.n))


def verdict(found: Estimate, margin: float = MARGIN) -> Verdict:
    """What the interval says."""
    if found.low > margin:
        return "cause"
    return "not a cause" if found.high < margin else "inconclusive"


def settling(changed: Arm, kept: Arm | None, margin: float = MARGIN) -> int | None:
    """About how many forks of each kind would clear the margin if the shares stay as they are; None for over MOST.

    None, too, where nothing is known of one kind.

    Shares of small samples are uncertain, so this is a hint for the next try and no promise.
    """
    if not changed.n or (kept is not None and not kept.n):
        return None
    size = changed.n + 1.0
    while size <= MOST:
        n = round(size)
        if (
            verdict(_effect(_as_many(changed, n), None if kept is None else _as_many(kept, n)), margin)
            != "inconclusive"
        ):
            return n
        size = max(size * _GROWTH, size + 1)
    return None


def _as_many(seen: Arm, n: int) -> Count:
    """The same share of n cases."""
    return Count(round(Count(seen.flips, seen.n).share * n), n)


def _effect(changed: Count, kept: Count | None) -> Estimate:
    if kept is not None:
        return difference(kept, changed)
    return wilson(*changed) if changed.n else Estimate(0.0, -1.0, 1.0, 0)
