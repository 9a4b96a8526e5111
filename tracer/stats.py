"""Estimates with intervals. Every rate that we print goes through here; tests check each against scipy."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Z95 = 1.959963984540054
RESAMPLES = 2_000


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


def bootstrap_mean(values: Sequence[float], groups: Sequence[Hashable], seed: int = 0) -> Estimate:
    """A mean with a percentile interval from a cluster bootstrap: whole groups are drawn, never single values.

    With `values` a paired difference, this is the paired bootstrap.
    """
    data = np.asarray(values, dtype=np.float64)
    if not len(data):
        return Estimate(math.nan, math.nan, math.nan, 0)
    sums, sizes = _by_group(data, groups)
    drawn = np.random.default_rng(seed).integers(0, len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(data.mean()), float(low), float(high), len(sums))


def _by_group(
    data: npt.NDArray[np.float64], groups: Sequence[Hashable]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    index = {group: k for k, group in enumerate(dict.fromkeys(groups))}
    position = np.asarray([index[group] for group in groups])
    return np.bincount(position, weights=data).astype(np.float64), np.bincount(position).astype(np.float64)


class Calibration(NamedTuple):
    """How stated probabilities relate to what happened: logit P(true) = intercept + slope * logit(stated)."""

    slope: Estimate
    """1 when neither over- nor under-confident."""
    intercept: Estimate
    """0 when right on average, at slope 1."""


def calibration(
    stated: Sequence[float], true: Sequence[bool], groups: Sequence[Hashable], seed: int = 0, resamples: int = 400
) -> Calibration:
    """Logistic recalibration (Cox 1958) with cluster-bootstrap intervals; stated values are clipped at 1e-6."""
    p = np.clip(np.asarray(stated, dtype=np.float64), 1e-6, 1 - 1e-6)
    x, y = np.log(p / (1 - p)), np.asarray(true, dtype=np.float64)
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    clusters = [np.asarray(found) for found in rows.values()]
    point = logistic(x[:, None], y)
    generator = np.random.default_rng(seed)
    draws = np.asarray([_redraw(x, y, clusters, generator) for _ in range(resamples)])
    (low0, low1), (high0, high1) = np.quantile(draws, [0.025, 0.975], axis=0)
    n = len(clusters)
    return Calibration(
        slope=Estimate(float(point[1]), float(low1), float(high1), n),
        intercept=Estimate(float(point[0]), float(low0), float(high0), n),
    )


def _redraw(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    clusters: list[npt.NDArray[np.intp]],
    generator: np.random.Generator,
) -> npt.NDArray[np.float64]:
    drawn = np.concatenate([clusters[k] for k in generator.integers(0, len(clusters), size=len(clusters))])
    return logistic(x[drawn][:, None], y[drawn])


def logistic(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], ridge: float = 1e-3) -> npt.NDArray[np.float64]:
    """Weights (intercept first) of a logistic regression, by Newton steps; the ridge keeps separable data finite."""
    design = np.column_stack([np.ones(len(x)), x])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (p - y) + ridge * weights
        hessian = (design * (p * (1 - p))[:, None]).T @ design + ridge * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.max(np.abs(step)) < 1e-9:
            break
    return np.asarray(weights)


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
