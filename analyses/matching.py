"""The heaviest matching of two sequences that keeps the order of both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
"""(n, m): what it is worth to match the i-th of one sequence with the j-th of the other; 0 forbids it."""


def heaviest(scores: Scores) -> list[tuple[int, int]]:
    """The pairs (i, j), both rising, with the greatest sum of scores; of equal ones the earliest.

    best[i, j] = max(best[i-1, j], best[i, j-1], best[i-1, j-1] + scores[i-1, j-1]). Leaving out costs nothing, so
    a row is a running maximum: n steps of O(m). With scores of 0 and 1 it is the longest common subsequence.
    """
    n, m = scores.shape
    best = np.zeros((n + 1, m + 1), dtype=np.float32)
    for i in range(n):
        best[i + 1, 1:] = np.maximum.accumulate(np.maximum(best[i, 1:], best[i, :-1] + scores[i]))
    pairs, i, j = [], n, m
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]
