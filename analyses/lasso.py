"""Sparse linear regression: few weights that explain an outcome, the rest exactly 0.

    minimise over w, b    sum((y - X w - b)^2) / (2 n)  +  alpha * sum |w|

with each column of X scaled to mean 0 and variance 1 first, and the weights scaled back: what scikit-learn's `Lasso`
behind a `StandardScaler` solves, which is the solver of ContextCite (arXiv 2409.00729). A column that never changes
gets no weight. By coordinate descent: one weight after the other is set to its best value, the others held,

    w_j = S(mean(x_j * (residual + x_j w_j)), alpha)    S(z, a) = sign(z) max(|z| - a, 0)

until no weight moves any more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ROUNDS = 10_000
STILL = 1e-9
"""A round in which no scaled weight moves further than this part of the outcome's spread is the last."""


class Line(NamedTuple):
    """outcome = bias + X @ weights"""

    weights: Array
    bias: float


def lasso(columns: npt.ArrayLike, outcome: npt.ArrayLike, alpha: float) -> Line:
    """The weights of columns (n, d) for an outcome (n,); all 0 where there is nothing to learn from."""
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if not x.size:
        return Line(np.zeros(x.shape[1]), float(y.mean()) if y.size else 0.0)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    moving = spread > 0
    scaled = (x - mean) / np.where(moving, spread, 1.0)
    weights = _descend(scaled, y - y.mean(), alpha, moving)
    found = np.where(moving, weights / np.where(moving, spread, 1.0), 0.0)
    return Line(found, float(y.mean() - mean @ found))


def _descend(x: Array, y: Array, alpha: float, moving: npt.NDArray[np.bool_]) -> Array:
    """The weights of columns with mean 0 and variance 1, from their correlations: no round touches the rows."""
    n = len(y)
    gram, pull = x.T @ x / n, x.T @ y / n  # (d, d), (d,)
    weights, limit = np.zeros(x.shape[1]), STILL * max(float(y.std()), 1e-12)
    for _ in range(ROUNDS):
        largest = 0.0
        for j in np.flatnonzero(moving):
            rest = pull[j] - gram[j] @ weights + weights[j]
            new = np.sign(rest) * max(abs(rest) - alpha, 0.0)
            largest = max(largest, abs(new - weights[j]))
            weights[j] = new
        if largest <= limit:
            break
    return weights
