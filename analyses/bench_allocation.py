"""The rule of allocation on planted traces: do its intervals cover, does it find what is there and nothing else.

Everything is measured under the adaptive stopping rule, at the default budget unless another is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tracer.analyses.allocation import RULE, SWEEP, Budget, Rule, allocate
from tracer.analyses.effects import Conclusion, conclude
from tracer.analyses.simulator import TARGET, Planted, Simulator
from tracer.stats import Count, Estimate, difference, top, wilson

Make = Callable[[np.random.Generator], Planted]

REFERENCE = 1_000
"""Rollouts of each prefix in the sweep that stands for the truth."""
TIE = 0.05
"""Effects that are this near to the third largest may stand for it."""


class Trial(NamedTuple):
    """One planted trace and what the rule says of it."""

    trace: Planted
    found: Conclusion


def trials(
    make: Make, repeats: int, seed: int = 0, budget: Budget | None = None, rule: Rule = RULE, known: bool = False
) -> Iterable[Trial]:
    """Fresh traces with fresh rollouts; the same seed gives the same ones.

    `known`: the rule is told how probably each sentence is written again, as by a model that can be read.
    """
    for number in range(repeats):
        trace = make(np.random.default_rng([seed, number]))
        simulator, chances = Simulator(trace, [seed, number, 1]), trace.follow if known else ()
        pools = allocate(simulator, TARGET, trace.cost, budget, rule, chances=chances)
        yield Trial(trace, conclude(pools, rule))


class Coverage(NamedTuple):
    """How often 95 % intervals hold the truth."""

    effects: Estimate
    """Over all sentences that have rollouts on both sides."""
    shares: Estimate
    """P(target), over all prefixes that have rollouts."""
    largest: Estimate
    """The sentence with the largest effect found, one for each trace: it was chosen because it looks large."""
    real: Estimate
    """Sentences whose planted effect is .15 or more."""


def coverage(given: Iterable[Trial], at: float | None = None) -> Coverage:
    """`at`: only sentences and prefixes where the planted P(target) is this before the sentence."""
    effects, shares, largest, real = [], [], [], []
    for trace, found in given:
        best = max(found.sentences, key=lambda each: abs(each.effect.value)).sentence
        for each in found.sentences:
            if at is not None and trace.p[each.sentence] != at:
                continue
            if each.before.n:
                shares.append(_holds(each.before, trace.p[each.sentence]))
            if each.effect.n:
                effects.append(_holds(each.effect, trace.effects[each.sentence]))
                largest += effects[-1:] * (each.sentence == best)
                real += effects[-1:] * (abs(trace.effects[each.sentence]) >= 0.15)
    return Coverage(*(wilson(sum(each), len(each)) for each in (effects, shares, largest, real)))


def _holds(interval: Estimate, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def discoveries(given: Iterable[Trial], alpha: float = RULE.alpha) -> Estimate:
    """The share of traces in which anything is called a discovery: on null traces, the false discovery rate."""
    found = [any(each.q <= alpha for each in trial.found.sentences) for trial in given]
    return wilson(sum(found), len(found))


def power(given: Iterable[Trial], size: float) -> Estimate:
    """The share of sentences with a planted effect of this size or more that get the verdict `anchor`."""
    found = [
        trial.found.sentences[place].verdict == "anchor"
        for trial in given
        for place, effect in enumerate(trial.trace.effects)
        if abs(effect) >= size - 1e-9
    ]
    return wilson(sum(found), len(found))


class Recall(NamedTuple):
    """How many of the reference's significant top three are found, and at what cost against a full sweep."""

    adaptive: Estimate
    sweep: Estimate
    """What a second, independent sweep of SWEEP rollouts of each prefix finds."""
    rollouts: float
    tokens: float


def recall(given: Iterable[Trial], seed: int = 0) -> Recall:
    """Against a reference of REFERENCE independent rollouts of each prefix."""
    counts = np.zeros(3, dtype=int)
    spent = np.zeros(4)
    for number, (trace, found) in enumerate(given):
        generator = np.random.default_rng([seed, number, 2])
        reference, second = _sweep(trace, REFERENCE, generator), _sweep(trace, SWEEP, generator)
        adaptive, wanted = top_found(reference, [each.strength for each in found.sentences])
        counts += adaptive, top_found(reference, [abs(each.value) for each in second])[0], wanted
        spent += found.rollouts, SWEEP * len(trace.p), found.tokens, SWEEP * sum(trace.cost)
    adaptive, swept, wanted = map(int, counts)
    return Recall(
        wilson(adaptive, wanted), wilson(swept, wanted), float(spent[0] / spent[1]), float(spent[2] / spent[3])
    )


def _sweep(trace: Planted, n: int, generator: np.random.Generator) -> list[Estimate]:
    hits = [Count(int(generator.binomial(n, p)), n) for p in trace.p]
    return [difference(before, after) for before, after in pairwise(hits)]


def top_found(reference: Sequence[Estimate], found: Sequence[float], k: int = 3) -> tuple[int, int]:
    """How many of the reference's k largest effects are among the k that `found` ranks first, and how many count.

    Of the reference's k largest those count whose interval excludes 0. Sentences within TIE of the k-th one may stand
    in for each other.
    """
    sizes = [abs(each.value) for each in reference]
    best = top(sizes, k)
    counted = [place for place in best if reference[place].low > 0 or reference[place].high < 0]
    border = sizes[best[-1]] + TIE
    sure = {place for place in counted if sizes[place] > border}
    tied = {place for place, size in enumerate(sizes) if border - 2 * TIE <= size <= border}
    chosen = set(top(found, k))
    return len(sure & chosen) + min(len(counted) - len(sure), len(tied & chosen)), len(counted)
