"""What the published figures of a sentence imply about one another, where the rollouts behind them are not stored.

accuracy, overdeterminedness, fraction of different trajectories   are multiples of 1/N for one N, the answered
counterfactual importance  acc(D_i) - acc(R_{i+1})                 so that acc(D_i) |D_i| is a whole number k, with
                                                                   0 <= k <= correct, correct - k <= N - |D_i|
resampling KL of answers                                           >= the KL of their being correct (data processing)
importances of all sentences for one later sentence                differences of rates in [0, 1], which telescope
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

from tracer.analyses.published import Sentence, Trace

WANTED = 100
"""Rollouts that the authors drew from each prefix."""
ACCURACY, OVERDETERMINED, FRACTION = "accuracy", "overdeterminedness", "different_trajectories_fraction"
RESAMPLING, RESAMPLING_KL = "resampling_importance_accuracy", "resampling_importance_kl"
COUNTERFACTUAL = "counterfactual_importance_accuracy"
_WHOLE = 1e-6


def rollouts(sentence: Sentence) -> list[int]:
    """Every N that the figures of a sentence may count: nearest to the length of its list first.

    All three shares must be whole numbers of N. N is between half of the list's length and half as much again, or the
    100 that were wanted. Empty where no N fits, or where the list is empty or missing.
    """
    size = len(sentence.replacements or ())
    shares = [sentence.figures[name] for name in (ACCURACY, OVERDETERMINED, FRACTION) if name in sentence.figures]
    tried = {*range(max(1, size // 2), size + size // 2 + 1), WANTED} if size else set()
    fitting = (n for n in tried if all(_whole(share * n) for share in shares))
    return sorted(fitting, key=lambda n: (abs(n - size), n))


def _whole(value: float) -> bool:
    return abs(value - round(value)) <= _WHOLE


def counterfactual_accuracy(trace: Trace) -> Iterator[bool]:
    """Whether some N makes the accuracy of the different rollouts a possible one; 0 where none is different."""
    for row, after in pairwise(trace.sentences):
        if _has(row, ACCURACY, FRACTION, COUNTERFACTUAL) and _has(after, ACCURACY) and (fitting := rollouts(row)):
            yield any(_possible(row, after.figures[ACCURACY], n) for n in fitting)


def _possible(row: Sentence, after: float, n: int) -> bool:
    different, correct = round(row.figures[FRACTION] * n), round(row.figures[ACCURACY] * n)
    if different == 0:
        return row.figures[COUNTERFACTUAL] == 0
    inside = (row.figures[COUNTERFACTUAL] + after) * different
    return _whole(inside) and 0 <= round(inside) <= min(different, correct) <= round(inside) + n - different


def resampling_kl(trace: Trace) -> Iterator[bool]:
    """Whether the KL of the answers is at least the KL of right and wrong: grouping answers can only lose of it."""
    for row, after in pairwise(trace.sentences):
        if _has(row, ACCURACY, RESAMPLING_KL) and _has(after, ACCURACY):
            yield row.figures[RESAMPLING_KL] >= _binary_kl(row.figures[ACCURACY], after.figures[ACCURACY]) - _WHOLE


def _binary_kl(p: float, q: float) -> float:
    """0 where q is 0 or 1: what the released code then gives depends on how many answers there were."""
    if not 0 < q < 1:
        return 0.0
    return sum(a * math.log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def step_importance(trace: Trace) -> Iterator[bool]:
    """For each target j whether rates in [0, 1] exist: I(i->j) = rate_{i+1}(j) - rate_i(j).

    rate_j(j) is at least 1 - |D_j| / |R_j|, for there S_j itself is said at once (not known for the last sentence).
    """
    rows = trace.sentences
    for place, row in enumerate(rows):
        into = [trace.impacts.get((source.number, row.number)) for source in rows[:place]]
        column = [each for each in reversed(into) if each is not None]
        if len(column) != place or not place:
            continue
        said = 1 - row.figures.get(FRACTION, 1.0) if place + 1 < len(rows) else 0.0
        back = [0.0, *accumulate(column)]  # rate_j - rate_k for k = j, j-1, ..., 0
        slack = 1 / WANTED + _WHOLE  # `said` counts answered rollouts, the rates all of them
        yield max(*back, said - slack) <= 1 + min(back) + _WHOLE


def _has(row: Sentence, *names: str) -> bool:
    return all(name in row.figures for name in names)


IMPLIED: dict[str, Callable[[Trace], Iterator[bool]]] = {
    COUNTERFACTUAL: counterfactual_accuracy,
    RESAMPLING_KL: resampling_kl,
    "step_importance": step_importance,
}
"""For each figure that cannot be computed again, whether case by case it is a possible one."""
