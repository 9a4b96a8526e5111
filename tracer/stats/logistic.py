"""Logistic regression, and how well stated probabilities hold."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.stats.proportions import Estimate


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
