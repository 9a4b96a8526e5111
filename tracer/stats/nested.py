"""Shares of samples of which each contains cases of the one before it, and their differences.

Sample i consists of cases that diverged at i and cases that followed, and those that followed belong to sample i + 1
as well. With r_i the chance to diverge and Q_i the share of hits among the diverged,

    P_i = r_i Q_i + (1 - r_i) P_{i+1},    P_{i+1} - P_i = r_i (P_{i+1} - Q_i).

Given the numbers of cases, r_i, Q_i and P_{i+1} rest on separate cases, so that no covariance is left, though the
samples overlap. Without any followers these are the plain share with Wilson's interval, and Newcombe's difference.
Where r_i need not be estimated, because whoever draws the cases knows it, only Q_i and P_{i+1} are uncertain, and the
difference is at most r_i, whatever the cases say.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from tracer.stats.proportions import Z95, Count, Estimate, wilson_bounds


class Share(NamedTuple):
    """A share of a nested sample, with what the sample before it needs."""

    value: float
    low: float
    high: float
    cases: float
    """Effective number of cases: a plain sample of this size is as certain."""
    smooth: float
    """The estimate with one hit and one miss added wherever cases were counted: its variance is never 0."""
    variance: float


def share(diverged: Count, followed: int = 0, after: Share | None = None, diverging: float | None = None) -> Share:
    """P_i from the cases that diverged and the share of the next sample, with Wilson's interval.

    Var P_i = r^2 Q(1 - Q) / m + (1 - r)^2 Var P_{i+1} + (P_{i+1} - Q)^2 r(1 - r) / n, of the smooth estimates, with m
    of n cases diverged; the interval is that of P(1 - P) / Var P_i cases. `diverging` is r where it is known: then the
    last term is 0, and without a case of its own a share still follows from the next one, Q being anything.
    """
    smooth_q = (diverged.hits + 1) / (diverged.n + 2)
    if diverging is not None and diverging < 1 and after is not None:
        return _share_of_known(diverged, after, diverging)
    if not followed or after is None:
        low, high = _bounds(diverged)
        variance = smooth_q * (1 - smooth_q) / diverged.n if diverged.n else 1.0
        return Share(diverged.share, low, high, float(diverged.n), smooth_q, variance)
    n = diverged.n + followed
    r, smooth_r = diverged.n / n, (diverged.n + 1) / (n + 2)
    value = r * diverged.share + (1 - r) * after.value
    smooth = smooth_r * smooth_q + (1 - smooth_r) * after.smooth
    variance = (
        (smooth_r**2 * smooth_q * (1 - smooth_q) / (diverged.n + 1))
        + (1 - smooth_r) ** 2 * after.variance
        + (after.smooth - smooth_q) ** 2 * smooth_r * (1 - smooth_r) / n
    )
    return _effective(value, smooth, variance)


def _share_of_known(diverged: Count, after: Share, r: float) -> Share:
    smooth_q = (diverged.hits + 1) / (diverged.n + 2)
    variance = r**2 * smooth_q * (1 - smooth_q) / (diverged.n + 1) + (1 - r) ** 2 * after.variance
    value = r * diverged.share + (1 - r) * after.value
    return _effective(value, r * smooth_q + (1 - r) * after.smooth, variance)


def _effective(value: float, smooth: float, variance: float) -> Share:
    """With the interval of a plain sample of the same variance."""
    cases = smooth * (1 - smooth) / variance
    low, high = wilson_bounds(value * cases, cases)
    return Share(value, low, high, cases, smooth, variance)


def _bounds(count: Count) -> tuple[float, float]:
    """Wilson's, but with one or two hits or misses no nearer to 0 or 1 than Poisson's one-sided 5 % bound.

    Brown, Cai, DasGupta (2001), section 4.1.1: with one hit of 8 Wilson excludes .02, which gives one hit or more in 15
    of 100 samples.
    """
    low, high = wilson_bounds(*count)
    least = {1: 0.05129, 2: 0.35536}
    hits, misses = count.hits, count.n - count.hits
    low = min(low, least[hits] / count.n) if hits in least else low
    return low, max(high, 1 - least[misses] / count.n) if misses in least else high


def effect(diverged: Count, followed: int, after: Share, z: float = Z95, diverging: float | None = None) -> Estimate:
    """P_{i+1} - P_i = r D with D = P_{i+1} - Q_i, and an interval that recovers the variances from the bounds of each.

    D has Newcombe's interval (1998, method 10): low = D - sqrt((P - l)^2 + (u' - Q)^2), with (l, u) and (l', u') the
    Wilson bounds of P and of Q. For the product (Zou, Huang, Zhang 2009): rD -+ sqrt(r^2 a^2 + D^2 b^2), with a the
    distance from D to its bound on that side and b that from r to the Wilson bound that widens. Where none diverged, r
    counts as its upper bound in the first term, and Q may be anything. n is the smaller of the samples. Where r is
    known, as `diverging`, b is 0: the interval is that of D, times r.
    """
    q, p = diverged.share, after.value
    low_q, high_q = wilson_bounds(diverged.hits, diverged.n, z)
    low_p, high_p = wilson_bounds(p * after.cases, after.cases, z)
    below, above = math.hypot(p - low_p, high_q - q), math.hypot(high_p - p, q - low_q)
    n = diverged.n + followed
    if diverging is not None:
        return _scaled(p - q, below, above, diverging, min(n, int(after.cases)))
    r, (low_r, high_r) = diverged.n / n if n else 1.0, wilson_bounds(diverged.n, n, z)
    up, down = (high_r - r, r - low_r) if followed else (0.0, 0.0)
    value, less, more = r * (p - q), *((down, up) if p > q else (up, down))
    part = r if diverged.n else high_r
    low, high = value - math.hypot(part * below, (p - q) * less), value + math.hypot(part * above, (p - q) * more)
    return Estimate(value, max(-1.0, low), min(1.0, high), min(n, int(after.cases)))


def _scaled(d: float, below: float, above: float, r: float, n: int) -> Estimate:
    """r times a difference that lies between -1 and 1."""
    return Estimate(r * d, r * max(-1.0, d - below), r * min(1.0, d + above), n)
