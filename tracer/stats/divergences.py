"""How far two distributions over answers lie apart: value, null floor, interval and p-value, from counts.

A plug-in divergence of two samples of the same distribution is not 0: rare answers fall on one side by chance. So each
comes with its floor, the mean where the answers are dealt to the two sides at random. Without an effect every deal is
as likely as the one seen, so the mean of raw - floor is 0 whatever the support and the sizes; a floor from draws out of
the pooled shares is too low, because answers that were never seen are missing from them (20 answers of p = .01 each,
100 on both sides: KL - floor is .018 on average).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

JEFFREYS = 0.5
"""The prior of each answer's count."""
DRAWS = 1_000


class Divergence(NamedTuple):
    """One divergence of the answers after a sentence from those before it."""

    value: float
    """raw - floor; below 0 where the samples are more alike than chance would make them."""
    low: float
    high: float
    raw: float
    """As the formula gives it, at least 0."""
    floor: float
    """Mean of `raw` where nothing differs."""
    p: float
    """How often `raw` would be as large where nothing differs: (1 + deals as large) / (1 + deals)."""
    n: int
    """The smaller sample."""


def total_variation(p: Array, q: Array) -> Array:
    """Half the sum of |p - q|: shares (..., V) -> (...), from 0 to 1."""
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def jensen_shannon(p: Array, q: Array) -> Array:
    """Mean KL divergence of both from their mean, in bits: shares (..., V) -> (...), from 0 to 1."""
    middle = (p + q) / 2
    return np.asarray((kullback_leibler(p, middle) + kullback_leibler(q, middle)) / 2 / np.log(2))


def kullback_leibler(p: Array, q: Array) -> Array:
    """KL(p || q) in nats: shares (..., V) -> (...)."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray((p * np.log(ratio)).sum(axis=-1))


class Measure(NamedTuple):
    """A divergence between two distributions, and how counts become distributions for it."""

    formula: Callable[[Array, Array], Array]
    prior: float
    """Added to every count; KL is infinite without one where an answer is new before."""
    largest: float


DIVERGENCES: dict[str, Measure] = {
    "tv": Measure(total_variation, 0.0, 1.0),
    "js": Measure(jensen_shannon, 0.0, 1.0),
    "kl": Measure(kullback_leibler, JEFFREYS, math.inf),
}
"""Every divergence, of the answers before a sentence from those after it; the first is the default."""


class _Cases(NamedTuple):
    """Counts by answer (V,), or many deals of them (draws, V)."""

    before: Array
    """On the side before only."""
    both: Array
    after: Array

    def measure(self, how: Measure) -> Array:
        return how.formula(_shares(self.before + self.both + how.prior), _shares(self.both + self.after + how.prior))


def divergence(
    before: Sequence[Hashable],
    after: Sequence[Hashable],
    both: Sequence[Hashable] = (),
    support: Sequence[Hashable] = (),
    kind: str = "tv",
    seed: int = 0,
    draws: int = DRAWS,
) -> Divergence:
    """The divergence between the answers `before + both` and `both + after`, less its null floor.

    `both` are cases that belong to the two sides. `support` is all answers of the trace (those of the samples are
    added); the priors rest on it. The interval comes from draws of both distributions given the counts, with Jeffreys'
    prior: high is their .975 quantile, low their .025 quantile less the floor, and 0 unless p < .025, because such
    draws lie further apart than the truth, like `raw`. A side without cases: NaN, and anything possible.
    """
    how = DIVERGENCES[kind]
    answers = list(dict.fromkeys([*support, *before, *both, *after]))
    cases = _Cases(*(_counts(sample, answers) for sample in (before, both, after)))
    n = len(both) + min(len(before), len(after))
    if not n:
        return Divergence(math.nan, 0.0, how.largest, math.nan, math.nan, 1.0, 0)
    generator = np.random.default_rng(seed)
    raw, null = float(cases.measure(how)), _dealt(generator, cases, draws).measure(how)
    floor, p = float(null.mean()), (1 + int((null >= raw - 1e-12).sum())) / (1 + draws)
    least, most = np.quantile(how.formula(*_posterior(generator, cases, draws)), [0.025, 0.975])
    low = max(0.0, min(float(least), raw) - floor) if p < 0.025 else 0.0
    return Divergence(raw - floor, low, max(float(most), raw - floor), raw, floor, p, n)


def _dealt(generator: np.random.Generator, cases: _Cases, draws: int) -> _Cases:
    """All cases shuffled and dealt to the three parts, whose sizes stay: each part (draws, V)."""
    sizes = [int(part.sum()) for part in cases]
    pool = (cases.before + cases.both + cases.after).astype(np.int64)
    before = generator.multivariate_hypergeometric(pool, sizes[0], size=draws)
    both = np.zeros_like(before)
    if sizes[1]:
        both = np.asarray([generator.multivariate_hypergeometric(rest, sizes[1]) for rest in pool - before])
    return _Cases(before.astype(np.float64), both.astype(np.float64), (pool - before - both).astype(np.float64))


def _posterior(generator: np.random.Generator, cases: _Cases, draws: int) -> tuple[Array, Array]:
    """Distributions before and after (draws, V) given the counts; what `both` has stands in the two."""
    after = generator.dirichlet(cases.both + cases.after + JEFFREYS, size=draws)
    diverged = generator.dirichlet(cases.before + JEFFREYS, size=draws)
    if not cases.both.any():
        return diverged, after
    part = generator.beta(cases.before.sum() + JEFFREYS, cases.both.sum() + JEFFREYS, size=(draws, 1))
    return part * diverged + (1 - part) * after, after


def _counts(sample: Sequence[Hashable], answers: Sequence[Hashable]) -> Array:
    found = Counter(sample)
    return np.asarray([found[each] for each in answers], dtype=np.float64)


def _shares(counts: Array) -> Array:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))
