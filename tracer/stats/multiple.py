"""Many tests at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """For each p-value, q: the lowest false discovery rate at which it is called a discovery.

    q of the k-th smallest of m is the minimum over j >= k of p_j m / j (Benjamini and Hochberg 1995). Calling all
    q <= alpha discoveries keeps the expected share of false ones at alpha, for independent or positively dependent
    tests. Effects of neighbouring sentences share a prefix and are negatively dependent; the simulations in
    `tests/slow` measure the rate with that.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")[::-1]  # largest first
    count = len(values)
    bounds = np.minimum.accumulate(values[order] * count / np.arange(count, 0, -1))
    q = np.empty(count)
    q[order] = np.minimum(bounds, 1.0)
    return [float(each) for each in q]
