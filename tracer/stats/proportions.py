"""Shares of cases, and differences of two shares, with intervals and p-values."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

Z95 = 1.959963984540054


class Estimate(NamedTuple):
    """A figure with its 95 % interval and the number of cases behind it."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: float, n: int) -> Estimate:
    """A proportion with Wilson's score interval (Wilson 1927); (0, 0, 1) without cases."""
    if n == 0:
        return Estimate(0.0, 0.0, 1.0, 0)
    p = successes / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), n)


def shrunken(found: Estimate, scale: float) -> float:
    """The estimate, drawn towards 0 by how unsure it is: value / (1 + (s / scale)^2).

    That is the mean of a normal posterior whose prior has mean 0 and standard deviation `scale`; s is the distance
    from the value to that end of its 95 % interval that is nearer to 0, over 1.96. By it estimates of unlike certainty
    can be ranked: by the values themselves those with few cases come first by chance, by the near ends of their
    intervals a large one of few cases comes behind a small one of many.
    """
    near = found.value - found.low if found.value > 0 else found.high - found.value
    return found.value / (1 + (near / Z95 / scale) ** 2)


class Count(NamedTuple):
    """How many of n cases are hits."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """hits / n; 1/2 without cases, which is the middle of what is possible."""
        return self.hits / self.n if self.n else 0.5


def difference(before: Count, after: Count, z: float = Z95) -> Estimate:
    """after.share - before.share of two independent samples, with Newcombe's hybrid score interval.

    Newcombe (1998), Statistics in Medicine 17:873, method 10: with (l, u) the Wilson bounds of each share,
    low = d - sqrt((p2 - l2)^2 + (u1 - p1)^2) and high = d + sqrt((u2 - p2)^2 + (p1 - l1)^2).
    n is the smaller sample's; a side without cases may be anything from 0 to 1, two of them differ by anything.
    """
    if not before.n and not after.n:
        return Estimate(0.0, -1.0, 1.0, 0)
    p1, p2, d = before.share, after.share, after.share - before.share
    (low1, high1), (low2, high2) = wilson_bounds(*before, z), wilson_bounds(*after, z)
    low, high = d - math.hypot(p2 - low2, high1 - p1), d + math.hypot(high2 - p2, p1 - low1)
    return Estimate(d, max(-1.0, low), min(1.0, high), min(before.n, after.n))


def wilson_bounds(hits: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score bounds at any z; n may be an effective number of cases, thus no integer."""
    if n <= 0:
        return 0.0, 1.0
    p, square = hits / n, z * z
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = z * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def fisher(one: Count, two: Count, middle: bool = False) -> float:
    """Fisher's exact two-sided p-value that two independent samples have the same share; 1 without cases.

    The sum of the hypergeometric probabilities, given all margins, that are at most that of the table. `middle` counts
    that of the table half (Lancaster's mid-p, 1961): no longer exact, but on average at the level, where the exact
    test of small samples errs half as often as it may.
    """
    hits, total = one.hits + two.hits, one.n + two.n
    if not one.n or not two.n:
        return 1.0
    first, last = max(0, hits - two.n), min(one.n, hits)
    whole = _log_choose(total, hits)
    logs = [_log_choose(one.n, k) + _log_choose(two.n, hits - k) - whole for k in range(first, last + 1)]
    seen = logs[one.hits - first]
    p = math.fsum(math.exp(each) for each in logs if each <= seen + 1e-7)  # equal probabilities differ by rounding
    return min(1.0, p) - (math.exp(seen) / 2 if middle else 0.0)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def power(before: float, after: float, n: int, alpha: float = 0.05) -> float:
    """How probably n cases on each side show that the shares differ, two-sided at level alpha.

    Normal approximation with the two samples' own variances; 0 without cases, alpha where nothing differs.
    At 1/2 and level .05, 100 cases find a difference of .20 with probability .8, and 400 cases one of .10.
    """
    if n <= 0:
        return 0.0
    spread = math.sqrt((before * (1 - before) + after * (1 - after)) / n)
    if not spread:
        return 1.0 if before != after else alpha
    normal, shift = NormalDist(), abs(after - before) / spread
    z = normal.inv_cdf(1 - alpha / 2)
    return normal.cdf(shift - z) + normal.cdf(-shift - z)
