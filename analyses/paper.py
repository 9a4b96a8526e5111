"""The formulas of Thought Anchors as its released code has them (arXiv 2506.19143), signs and edge cases included.

For reproducing and auditing published figures; our own estimators are in `tracer.stats`. S_i is sentence i of a trace,
R_i the rollouts from the prefix before it: R_i are the rollouts without S_i, R_{i+1} those with it. Rollouts without
an answer are dropped before anything is counted, which biases every figure where the budget runs out. KL is in nats.
An empty set gives 0.0, which no reader can tell from a true zero; so does every field but `accuracy` of the last
sentence, after which no rollouts start.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ALPHA = 1e-9
"""Added to each count of an answer: far too little to smooth anything."""
THRESHOLD = 0.8
"""Cosine below which a replacement counts as different from the sentence."""


class Sampled(NamedTuple):
    """One rollout, as far as the formulas look at it."""

    answer: str
    """Normalised by the caller; "" is a rollout without one."""
    correct: bool
    sentence: str = ""
    """T, its first sentence: what it says in the place of S_i."""
    cosine: float = math.nan
    """Of the vectors of T and S_i; NaN counts as different from nothing."""


class Prefixes(NamedTuple):
    """The answered rollouts on both sides of a sentence."""

    before: Sequence[Sampled]
    """R_i"""
    after: Sequence[Sampled]
    """R_{i+1}; empty after the last sentence"""
    threshold: float = THRESHOLD

    def different(self) -> list[Sampled]:
        """D_i: those of R_i that begin with another sentence."""
        return [each for each in self.before if each.cosine < self.threshold]

    def reference(self) -> list[Sampled]:
        """R_{i+1} and, as the released code has it, those of R_i that begin with a similar sentence."""
        return [*self.after, *(each for each in self.before if not each.cosine < self.threshold)]


def fields(
    before: Sequence[Sampled],
    after: Sequence[Sampled] = (),
    forced_before: Sequence[Sampled] = (),
    forced_after: Sequence[Sampled] = (),
    threshold: float = THRESHOLD,
) -> dict[str, float]:
    """Every published field of one sentence, from the rollouts before and after it (and those forced to answer)."""
    free = Prefixes(_answered(before), _answered(after), threshold)
    forced = Prefixes(_answered(forced_before), _answered(forced_after), threshold)
    return {name: field(forced if name.startswith("forced") else free) for name, field in FIELDS.items()}


def accuracy(rollouts: Sequence[Sampled]) -> float:
    """Correct / answered; 0.0 where none answered."""
    answered = _answered(rollouts)
    return sum(each.correct for each in answered) / len(answered) if answered else 0.0


def kl(left: Sequence[str], right: Sequence[str]) -> float:
    """KL(left || right) between answer counts: sum_v p_v ln(p_v / q_v) with p_v = (c_v + a) / (N + a V), a = 1e-9.

    The sum runs over the V answers on either side. Clipped at 0; 0.0 where a side is empty. An answer that only the
    left side gave costs its share times about 20 nats, whatever the number of rollouts.
    """
    if not left or not right:
        return 0.0
    p, q = Counter(left), Counter(right)
    support = list(dict.fromkeys([*p, *q]))
    p_total, q_total = (len(side) + ALPHA * len(support) for side in (left, right))
    total = 0.0
    for answer in support:
        share = (p[answer] + ALPHA) / p_total
        total += share * math.log(share / ((q[answer] + ALPHA) / q_total))
    return max(0.0, total)


def resampling_accuracy(sides: Prefixes) -> float:
    """acc(R_{i+1}) - acc(R_i): positive where the sentence helps."""
    return accuracy(sides.after) - accuracy(sides.before) if sides.after and sides.before else 0.0


def resampling_kl(sides: Prefixes) -> float:
    """KL(answers of R_i || answers of R_{i+1})."""
    return kl(_answers(sides.before), _answers(sides.after))


def counterfactual_accuracy(sides: Prefixes) -> float:
    """acc(D_i) - acc(R_{i+1}): negative where the sentence helps, the other way round than `resampling_accuracy`."""
    different = sides.different()
    return accuracy(different) - accuracy(sides.after) if different and sides.after else 0.0


def counterfactual_kl(sides: Prefixes) -> float:
    """KL(answers of D_i || answers of R_{i+1} and of R_i without D_i)."""
    return kl(_answers(sides.different()), _answers(sides.reference())) if sides.after else 0.0


def different_fraction(sides: Prefixes) -> float:
    """|D_i| / |R_i|."""
    return len(sides.different()) / len(sides.before) if sides.before and sides.after else 0.0


def overdeterminedness(sides: Prefixes) -> float:
    """1 - distinct T / all T, as exact strings: 1 - 1/|R_i| where every rollout says the same."""
    return repeated([each.sentence for each in sides.before]) if sides.after else 0.0


def repeated(sentences: Sequence[str]) -> float:
    """1 - distinct / all; 0.0 without any."""
    return 1 - len(set(sentences)) / len(sentences) if sentences else 0.0


def steps(best: Sequence[npt.ArrayLike], threshold: float = THRESHOLD) -> Array:
    """Sentence-to-sentence importance, (n, n): row i, column j > i is rate_{i+1}(j) - rate_i(j), the rest is NaN.

    best[i] is (rollouts of R_i, n): for each rollout the highest cosine of any of its sentences with S_j, -inf where
    it has none. rate_i(j) is the share of R_i, unanswered ones included, in which it reaches the threshold; 0.0 where
    R_i is empty.
    """
    n = len(best)
    rates = np.zeros((n, n))
    for i, rows in enumerate(best):
        found = np.asarray(rows, dtype=np.float64).reshape(-1, n)  # (rollouts, n)
        rates[i] = (found >= threshold).mean(axis=0) if len(found) else 0.0
    made = np.full((n, n), np.nan)
    later = np.triu_indices(n, 1)
    made[later] = np.diff(rates, axis=0, append=np.nan)[later]
    return made


def _answered(rollouts: Sequence[Sampled]) -> list[Sampled]:
    return [each for each in rollouts if each.answer]


def _answers(rollouts: Sequence[Sampled]) -> list[str]:
    return [each.answer for each in rollouts]


FIELDS: dict[str, Callable[[Prefixes], float]] = {
    "accuracy": lambda sides: accuracy(sides.before),
    "resampling_importance_accuracy": resampling_accuracy,
    "resampling_importance_kl": resampling_kl,
    "counterfactual_importance_accuracy": counterfactual_accuracy,
    "counterfactual_importance_kl": counterfactual_kl,
    "forced_importance_accuracy": resampling_accuracy,
    "forced_importance_kl": resampling_kl,
    "different_trajectories_fraction": different_fraction,
    "overdeterminedness": overdeterminedness,
}
"""The names that the authors published, and what each computes."""
