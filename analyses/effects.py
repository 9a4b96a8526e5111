"""What a sweep says of each sentence: how far it moves the chance of the target, how sure that is, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tracer.analyses.allocation import RULE, Rule
from tracer.analyses.pools import Pools
from tracer.stats import Estimate, benjamini_hochberg, shrunken
from tracer.stats.nested import Share

Verdict = Literal["anchor", "no effect", "undecided", "overdetermined"]

FEWEST = 10
"""Fewer rollouts that go on otherwise say nothing of what the sentence does."""
SATURATED = 0.05
"""Where P(target) starts this near to 0 or 1, no sentence can move it far in that direction."""
SCALE = 0.2
"""For ranking, effects are taken to have this standard deviation before anything is drawn."""
UNKNOWN = Estimate(0.5, 0.0, 1.0, 0)


class SentenceEffect(NamedTuple):
    """One sentence; every interval is a 95 % interval."""

    sentence: int
    before: Estimate
    """P(target) without it; n counts the rollouts of its prefix, shared ones included."""
    after: Estimate
    """P(target) with it."""
    effect: Estimate
    """after - before; -1 to 1 where one of the two has no rollouts."""
    p: float
    """Fisher's test with mid-p: rollouts that go on otherwise than the trace against those with the sentence."""
    q: float
    """p after Benjamini-Hochberg over all sentences of the trace."""
    verdict: Verdict
    different: int
    """Rollouts of its prefix that go on otherwise."""
    tokens: int
    """Of the rollouts drawn from its two prefixes; each prefix but the first and the last serves two sentences."""

    @property
    def strength(self) -> float:
        """The size of the effect, drawn towards 0 by how unsure it is (`shrunken`): by this sentences are ranked."""
        return abs(shrunken(self.effect, SCALE))


class Conclusion(NamedTuple):
    """What a sweep says of the whole trace."""

    sentences: tuple[SentenceEffect, ...]
    saturated: bool
    """P(target) is below .05 or above .95 before the first sentence: hardly anything can show."""
    rollouts: int
    tokens: int
    diverging: tuple[float | None, ...] = ()
    """Of each sentence, how probably a rollout of its prefix goes on otherwise, where that is known exactly."""


def conclude(pools: Pools, rule: Rule = RULE, different: Sequence[int] | None = None) -> Conclusion:
    """The effect of each sentence, with the verdicts.

    anchor: the interval lies outside the region of practical equivalence, and q <= alpha. overdetermined: fewer than
    FEWEST of at least 2 FEWEST rollouts go on otherwise, or the model is known to write the sentence so surely that it
    has no room for an effect: what it does cannot be seen. no effect: the interval lies inside the region. undecided:
    none of these. `different` counts, for each sentence, the rollouts whose replacement means something else; without
    it, those whose replacement has other tokens.
    """
    shares = pools.shares()
    sentences = range(len(shares) - 1)
    p = [pools.p_value(each, shares[each + 1]) for each in sentences]
    q = benjamini_hochberg(p)
    rows = []
    for each in sentences:
        moved = pools.effect(each, shares[each + 1])
        others = pools.diverged(each).n if different is None else different[each]
        fixed = pools.room(each) <= rule.rope or others < FEWEST <= pools.all(each).n / 2
        rows.append(
            SentenceEffect(
                sentence=each,
                before=_estimate(shares[each], pools.all(each).n),
                after=_estimate(shares[each + 1], pools.all(each + 1).n),
                effect=moved,
                p=p[each],
                q=q[each],
                verdict=_verdict(moved, q[each], fixed, rule),
                different=others,
                tokens=pools.tokens[each] + pools.tokens[each + 1],
            )
        )
    return Conclusion(tuple(rows), saturated(shares[0]), sum(pools.fresh), sum(pools.tokens), tuple(pools.diverging))


def saturated(first: Share | None) -> bool:
    """Whether P(target) at prefix 0 leaves the sentences next to no room; unknown is not saturated."""
    return first is not None and not SATURATED <= first.value <= 1 - SATURATED


def _estimate(share: Share | None, n: int) -> Estimate:
    return UNKNOWN if share is None else Estimate(share.value, share.low, share.high, n)


def _verdict(moved: Estimate, q: float, fixed: bool, rule: Rule) -> Verdict:
    if q <= rule.alpha and (moved.low > rule.rope or moved.high < -rule.rope):
        return "anchor"
    if fixed:
        return "overdetermined"
    return "no effect" if -rule.rope < moved.low and moved.high < rule.rope else "undecided"
