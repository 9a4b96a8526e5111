"""Where along a trace the chance of the target changes: a change-point model with all segmentations summed exactly.

Between jumps P is constant, and each sentence is a jump with probability `prior`. A segment with h hits of m cases has
the marginal likelihood B(h + 1, m - h + 1), for P uniform in [0, 1]. Forward and backward sums over the last segment
give P(sentence i is a jump | all rollouts) in O(n^2). This says where to look next and no more: no interval rests on
it, so a trace that drifts is measured none the worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PRIOR = 0.1


def jumps(hits: Sequence[float], cases: Sequence[float], prior: float = PRIOR) -> list[float]:
    """P(jump) of each sentence, from hits and cases at the n + 1 prefixes; a prefix without cases says nothing."""
    places = len(cases)
    weigh = _segments(hits, cases)  # (places, places + 1): log weight of prefixes first to last - 1 as one segment
    stay, jump = math.log1p(-prior), math.log(prior)
    forward, backward = np.zeros(places + 1), np.zeros(places + 1)
    for end in range(1, places + 1):
        starts = np.arange(end)
        forward[end] = _log_sum(
            forward[:end] + np.where(starts > 0, jump, 0.0) + weigh[:end, end] + stay * (end - 1 - starts)
        )
    for start in range(places - 1, -1, -1):
        ends = np.arange(start + 1, places + 1)
        after = np.where(ends < places, jump, 0.0) + backward[ends]
        backward[start] = _log_sum(weigh[start, ends] + stay * (ends - 1 - start) + after)
    inner = forward[1:places] + jump + backward[1:places] - forward[places]
    return [min(1.0, math.exp(each)) for each in inner]


def _segments(hits: Sequence[float], cases: Sequence[float]) -> Array:
    """Log marginal likelihood of prefixes first to end - 1 as one segment: (places, places + 1), -inf where empty."""
    h, m = np.concatenate([[0.0], np.cumsum(hits)]), np.concatenate([[0.0], np.cumsum(cases)])
    hit = np.maximum(0.0, h[None, :] - h[:-1, None])
    miss = np.maximum(0.0, (m - h)[None, :] - (m - h)[:-1, None])
    found = _log_gamma(hit + 1) + _log_gamma(miss + 1) - _log_gamma(hit + miss + 2)
    return np.where(np.tri(len(cases), len(cases) + 1, dtype=bool), -np.inf, found)


def _log_gamma(x: Array) -> Array:
    """ln Gamma for x >= 1, to 1e-9: Stirling's series at x + 6, then down by Gamma(x + 1) = x Gamma(x)."""
    down = np.log(x * (x + 1) * (x + 2) * (x + 3) * (x + 4) * (x + 5))
    y = x + 6
    series = 1 / (12 * y) - 1 / (360 * y**3) + 1 / (1260 * y**5)
    return np.asarray((y - 0.5) * np.log(y) - y + 0.5 * math.log(2 * math.pi) + series - down)


def _log_sum(values: Array) -> float:
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).sum()))
