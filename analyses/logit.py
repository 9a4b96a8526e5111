"""A conditional logit over the steps of a run, with L2 and sign constraints.

    P(step i of run r) = exp(w . x_ri) / sum_j exp(w . x_rj)
    minimise  - sum_r log P(label_r)  +  lambda / 2 * |w|^2     subject to  sign_k * w_k >= 0 where sign_k is not 0

(McFadden 1974; the signs keep a weight from turning against its own reason on few runs.) Solved by projected Newton
steps on the free weights (Bertsekas 1982): tens of features, thousands of rows, a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Stacked(NamedTuple):
    """The candidates of several runs, one below the other."""

    rows: Array
    """(sum of candidates, features)"""
    starts: npt.NDArray[np.intp]
    """First row of each run."""
    chosen: npt.NDArray[np.intp]
    """Row of each run's label."""


def stack(matrices: Sequence[Array], labels: Sequence[int]) -> Stacked:
    """Stack the runs; labels are row numbers within each run."""
    starts = np.cumsum([0, *(len(m) for m in matrices[:-1])])
    return Stacked(np.concatenate(matrices), starts, starts + np.asarray(labels))


def log_softmax(scores: Array, starts: npt.NDArray[np.intp]) -> Array:
    """Log-probabilities within each run, shape (rows,)."""
    counts = np.diff([*starts, len(scores)])
    top = np.repeat(np.maximum.reduceat(scores, starts), counts)
    shifted = scores - top
    total = np.repeat(np.log(np.add.reduceat(np.exp(shifted), starts)), counts)
    return np.asarray(shifted - total)


def fit(data: Stacked, signs: npt.NDArray[np.int_], strength: float, iterations: int = 60) -> Array:
    """The weights, shape (features,). Stops when no projected gradient entry exceeds 1e-6."""
    weights = np.zeros(data.rows.shape[1])
    value = _objective(data, weights, strength)
    for _ in range(iterations):
        gradient, hessian = _derivatives(data, weights, strength)
        free = ~((weights == 0) & (signs * gradient > 0) & (signs != 0))
        if np.max(np.abs(gradient[free]), initial=0.0) < 1e-6:
            break
        direction = np.zeros_like(weights)
        direction[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        weights, value = _line_search(data, weights, value, direction, signs, strength)
    return weights


def _line_search(
    data: Stacked, weights: Array, value: float, direction: Array, signs: npt.NDArray[np.int_], strength: float
) -> tuple[Array, float]:
    """Halve the projected step until the objective falls."""
    size = 1.0
    while size > 1e-9:
        trial = weights + size * direction
        trial = np.where((signs != 0) & (signs * trial < 0), 0.0, trial)
        reached = _objective(data, trial, strength)
        if reached < value:
            return trial, reached
        size /= 2
    return weights, value


def _objective(data: Stacked, weights: Array, strength: float) -> float:
    logs = log_softmax(data.rows @ weights, data.starts)
    return float(-logs[data.chosen].sum() + strength / 2 * weights @ weights)


def _derivatives(data: Stacked, weights: Array, strength: float) -> tuple[Array, Array]:
    probability = np.exp(log_softmax(data.rows @ weights, data.starts))
    weighted = data.rows * probability[:, None]
    means = np.add.reduceat(weighted, data.starts, axis=0)  # (runs, features)
    gradient = means.sum(axis=0) - data.rows[data.chosen].sum(axis=0) + strength * weights
    hessian = data.rows.T @ weighted - means.T @ means + strength * np.eye(len(weights))
    return gradient, hessian
