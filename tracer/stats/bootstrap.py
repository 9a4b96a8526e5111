"""Means of clustered values, with intervals from drawing the clusters again."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from tracer.stats.proportions import Estimate

RESAMPLES = 2_000


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
