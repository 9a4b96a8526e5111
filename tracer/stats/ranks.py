"""What an order says: how well a score finds what is true, and how far two orders agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tracer.stats.proportions import Z95, Estimate


def auroc(scores: npt.NDArray[np.float64], true: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: P(score of a true pair > score of a false one), ties counted half (Mann-Whitney).

    NaN where there are no true or no false ones.
    """
    positives, negatives = int(true.sum()), int((~true).sum())
    if not positives or not negatives:
        return math.nan
    return float((_midranks(scores)[true].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _midranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], dtype=np.float64)


def average_precision(scores: npt.NDArray[np.float64], true: npt.NDArray[np.bool_]) -> float:
    """Sum over thresholds of (recall gained) * (precision there); equal scores are one threshold.

    A score that says nothing gets the base rate; NaN where nothing is true.
    """
    if not true.any():
        return math.nan
    values, place = np.unique(-scores, return_inverse=True)  # best first
    found = np.cumsum(np.bincount(place, weights=true, minlength=len(values)))
    taken = np.cumsum(np.bincount(place, minlength=len(values)))
    gained = np.diff(found, prepend=0.0) / true.sum()
    return float((gained * found / taken).sum())


def spearman(one: Sequence[float], two: Sequence[float]) -> Estimate:
    """Spearman's rank correlation, ties at their mean rank, with an interval; NaN where one side has one value only.

    The interval is symmetric in atanh(rho), with the standard error sqrt((1 + rho^2 / 2) / (n - 3)) of Bonett and
    Wright (2000), Psychometrika 65:23. Fewer than four pairs say nothing: (-1, 1).
    """
    a, b = _midranks(np.asarray(one, dtype=np.float64)), _midranks(np.asarray(two, dtype=np.float64))
    n = len(a)
    a, b = a - a.mean() if n else a, b - b.mean() if n else b
    scale = math.sqrt(float(a @ a) * float(b @ b))
    if not scale:
        return Estimate(math.nan, -1.0, 1.0, n)
    rho = max(-1.0, min(1.0, float(a @ b) / scale))
    if n < 4:
        return Estimate(rho, -1.0, 1.0, n)
    if abs(rho) > 1 - 1e-12:
        return Estimate(rho, rho, rho, n)
    half = Z95 * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return Estimate(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half), n)


def kendall_w(scores: Sequence[Sequence[float]]) -> float:
    """Kendall's W of m judges (rows) over n things: 1 when all orders are the same, 0 when they cancel out.

    W = 12 S / (m^2 (n^3 - n) - m T): S the squared deviations of the rank sums, T = sum of t^3 - t over groups of t
    ties of each judge. NaN with fewer than two judges or things, or where no judge tells anything apart.
    """
    if len(scores) < 2 or len(scores[0]) < 2:
        return math.nan
    ranks = np.asarray([_midranks(np.asarray(each, dtype=np.float64)) for each in scores])  # (m, n)
    m, n = ranks.shape
    sums = ranks.sum(axis=0)
    ties = sum(float((count**3 - count).sum()) for count in (np.unique(each, return_counts=True)[1] for each in ranks))
    most = m**2 * (n**3 - n) - m * ties
    return 12 * float(((sums - sums.mean()) ** 2).sum()) / most if most else math.nan


def top(scores: Sequence[float], k: int) -> list[int]:
    """Places of the k largest scores, best first; the earlier one of equals; NaN is never among them."""
    known = [place for place, score in enumerate(scores) if not math.isnan(score)]
    return sorted(known, key=lambda place: -scores[place])[:k]


def top_overlap(one: Sequence[float], two: Sequence[float], k: int) -> float:
    """The share of the k largest of one order that are among the k largest of the other; NaN where one has none."""
    first, second = set(top(one, k)), set(top(two, k))
    return len(first & second) / max(len(first), len(second)) if first and second else math.nan
