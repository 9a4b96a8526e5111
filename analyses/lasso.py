"""Sparse linear regression: few weights that explain an outcome, the rest exactly 0.

    minimise over w, b    sum((y - X w - b)^2) / (2 n)  +  alpha * sum |w|

with each column of X scaled to mean 0 and variance 1 first, and the weights scaled back: what scikit-learn's `Lasso`
behind a `StandardScaler` solves, which is the solver of ContextCite (arXiv 2409.00729). A column that never changes
gets no weight. By coordinate descent: one weight after the other is set to its best value, the others held,

    w_j = S(mean(x_j * (residual + x_j w_j)), alpha)    S(z, a) = sign(z) max(|z| - a, 0)

until no weight moves any more, or it is known which are 0: the others are then the solution of linear equations. Many
regressions of one size are solved at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ROUNDS = 10_000
STILL = 1e-9
"""A round in which no scaled weight moves further than this part of the outcome's spread is the last."""
SOLVED = {2**k for k in range(3, 14)}
"""After so many rounds it is tried whether what is left is one system of linear equations."""


class Line(NamedTuple):
    """outcome = bias + X @ weights"""

    weights: Array
    """(..., d)"""
    bias: Array
    """(...,)"""


def lasso(columns: npt.ArrayLike, outcome: npt.ArrayLike, alpha: float) -> Line:
    """The weights of columns (..., n, d), or (n, d) for all, for outcomes (..., n); 0 where nothing can be learnt."""
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if not x.size:
        return Line(np.zeros((*y.shape[:-1], x.shape[-1])), y.mean(axis=-1) if y.size else np.zeros(y.shape[:-1]))
    mean, spread = x.mean(axis=-2), x.std(axis=-2)  # (..., d)
    spread = np.where(spread > 0, spread, 1.0)  # a column that never changes is 0 when its mean is taken off
    scaled = (x - mean[..., None, :]) / spread[..., None, :]
    weights = _descend(scaled, y - y.mean(axis=-1, keepdims=True), alpha) / spread
    return Line(weights, y.mean(axis=-1) - (mean * weights).sum(axis=-1))


def _descend(x: Array, y: Array, alpha: float) -> Array:
    """The weights of columns with mean 0 and variance 1, from their correlations: no round touches the rows."""
    n, d = x.shape[-2:]
    gram = (np.swapaxes(x, -1, -2) @ x / n).reshape(-1, d, d)
    pull = (np.swapaxes(x, -1, -2) @ y[..., None] / n).reshape(-1, d)
    shared = len(gram) == 1
    limit = STILL * np.maximum(y.std(axis=-1), 1e-12).reshape(-1)
    found, live, weights = np.zeros_like(pull), np.arange(len(pull)), np.zeros_like(pull)
    for number in range(1, ROUNDS + 1):
        before = weights.copy()
        for j in range(d):
            others = weights @ gram[0, j] if shared else np.einsum("bd,bd->b", gram[:, j], weights)
            rest = pull[:, j] - others + weights[:, j]
            weights[:, j] = np.sign(rest) * np.maximum(np.abs(rest) - alpha, 0.0)
        still = np.abs(weights - before).max(axis=1) <= limit
        if number in SOLVED:
            for k in np.flatnonzero(~still):
                weights[k], still[k] = _solved(gram[0 if shared else k], pull[k], weights[k], alpha)
        if still.any():
            found[live[still]] = weights[still]
            live, weights, pull, limit = (each[~still] for each in (live, weights, pull, limit))
            gram = gram if shared else gram[~still]
        if not live.size:
            break
    found[live] = weights
    return np.asarray(found.reshape(*y.shape[:-1], d))


def _solved(gram: Array, pull: Array, weights: Array, alpha: float) -> tuple[Array, bool]:
    """The optimum, if the weights that are not 0 now, and their signs, are those of the optimum; else as they are.

    Where they are, gram w = pull - alpha sign(w) holds for these, and |pull - gram w| <= alpha for the others.
    """
    some = np.flatnonzero(weights)
    signs = np.sign(weights[some])
    try:
        exact = np.linalg.solve(gram[np.ix_(some, some)], pull[some] - alpha * signs)
    except np.linalg.LinAlgError:
        return weights, False
    left = np.abs(pull - gram[:, some] @ exact)
    if (np.sign(exact) != signs).any() or left.max() > alpha * (1 + 1e-9):
        return weights, False
    found = np.zeros_like(weights)
    found[some] = exact
    return found, True
