"""Where to spend rollouts, so that the sentences that matter are known with the fewest.

From coarse to fine: a few prefixes are looked at first. A stretch is what lies between two neighbouring prefixes that
have rollouts. Next comes the stretch that likeliest holds a jump, by the model of `tracer.analyses.jumps`, with those
that come near to it. A long one is cut in the middle; one of a single sentence gets more rollouts on both sides, until
the interval of its effect lies in the region of practical equivalence, or outside of it with a p-value that will
survive the correction for many sentences. So what is left goes to the undecided, the suspects first.

Nothing here knows a language model: outcomes come from a callable, and the same outcomes give the same requests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from tracer.analyses.jumps import jumps
from tracer.analyses.pools import Drawn, Pools
from tracer.errors import TracerError
from tracer.stats import Z95, Estimate, fisher

Draw = Callable[[Mapping[int, int]], Mapping[int, Sequence[Drawn]]]
"""Given how many new rollouts of which prefixes are wanted, the rollouts."""

SWEEP = 100
"""Rollouts of each prefix in a full sweep, as in Thought Anchors (arXiv 2506.19143)."""


class Rule(NamedTuple):
    """The settings; those given are the ones whose coverage and power are measured."""

    start: int = 10
    """Rollouts of a prefix when it is first looked at."""
    stride: int = 4
    """Distance of the prefixes that are looked at first, in sentences."""
    growth: float = 1.5
    """Between two looks at a sentence its rollouts grow by this factor: few looks, so that plain intervals hold."""
    most: int = 160
    """No prefix gets more, unless a width is asked for."""
    near: float = 0.8
    """Stretches this close to the likeliest one, as a share of its chance, are looked at in the same round."""
    together: int = 4
    """But no more than so many."""
    rope: float = 0.1
    """Effects within +-rope are as good as none: the region of practical equivalence."""
    alpha: float = 0.05
    """The false discovery rate over the sentences."""


RULE = Rule()


class Budget(NamedTuple):
    """Where to stop at the latest; None is no limit, and `default` gives the usual one."""

    rollouts: int | None = None
    tokens: float | None = None
    width: float | None = None
    """Go on with each sentence until its interval is this wide at most, instead of until it is decided."""

    @classmethod
    def default(cls, cost: Sequence[float]) -> Budget:
        """A fifth of a full sweep's rollouts and a quarter of its tokens; cost: tokens of a rollout of each prefix."""
        return cls(SWEEP * len(cost) // 5, SWEEP * sum(cost) / 4)


class Forecast(NamedTuple):
    """What a sweep will take, at most."""

    rollouts: int
    tokens: int
    sweep_rollouts: int
    """What SWEEP rollouts of each prefix would take."""
    sweep_tokens: int


def forecast(cost: Sequence[float], budget: Budget | None = None, rule: Rule = RULE) -> Forecast:
    """Rollouts and tokens that the budget allows and the rule can spend, with rollouts spread evenly over prefixes."""
    budget = Budget.default(cost) if budget is None else budget
    _check(cost, budget)
    rollouts = min(_limit(budget.rollouts), _most(budget, rule) * len(cost))
    tokens = min(_limit(budget.tokens), rollouts * sum(cost) / len(cost))
    return Forecast(int(rollouts), math.ceil(tokens), SWEEP * len(cost), math.ceil(SWEEP * sum(cost)))


def allocate(
    draw: Draw,
    target: str,
    cost: Sequence[float],
    budget: Budget | None = None,
    rule: Rule = RULE,
    watch: Callable[[Pools], None] = lambda pools: None,
) -> Pools:
    """Draw rollouts until every sentence is decided, the budget is spent, or `draw` gives no more.

    `cost` has an expected number of tokens for a rollout of each of the n + 1 prefixes. `watch` sees each round's end.
    Tokens are booked as they come, so the last round may pass the limit by what its rollouts are longer than expected.
    """
    budget = Budget.default(cost) if budget is None else budget
    _check(cost, budget)
    sentences = len(cost) - 1
    pools = Pools(sentences, target)
    wanted = dict.fromkeys(sorted({*range(0, sentences, rule.stride), sentences}), rule.start)
    while granted := _afford(wanted, pools, cost, budget):
        before = sum(pools.fresh)
        for prefix, rollouts in draw(granted).items():
            pools.add(prefix, rollouts)
        if sum(pools.fresh) == before:
            break
        watch(pools)
        wanted = choose(pools, budget, rule)
    return pools


def _check(cost: Sequence[float], budget: Budget) -> None:
    if len(cost) < 2:
        raise TracerError("resampling needs a text of at least one sentence")
    if not all(each is None or each > 0 for each in budget):
        raise TracerError("a budget of rollouts, tokens or width must be above 0")


def _afford(wanted: Mapping[int, int], pools: Pools, cost: Sequence[float], budget: Budget) -> dict[int, int]:
    """As much of what is wanted as the budget still allows, the first ones first."""
    rollouts = _limit(budget.rollouts) - sum(pools.fresh)
    tokens = _limit(budget.tokens) - sum(pools.tokens)
    granted: dict[int, int] = {}
    for prefix, count in wanted.items():
        allowed = int(min(count, rollouts, max(0.0, tokens) // cost[prefix] if cost[prefix] else count))
        if allowed > 0:
            granted[prefix] = allowed
            rollouts, tokens = rollouts - allowed, tokens - allowed * cost[prefix]
    return granted


def _limit(value: float | None) -> float:
    return math.inf if value is None else value


def _most(budget: Budget, rule: Rule) -> int:
    """Rollouts of one prefix: with a width w, what it takes at P = 1/2, where w = 2 z sqrt(1 / 2n)."""
    return rule.most if budget.width is None else max(rule.most, math.ceil(2 * (Z95 / budget.width) ** 2))


class Stretch(NamedTuple):
    """The sentences between two neighbouring prefixes that have rollouts."""

    first: int
    last: int
    chance: float
    """That P(target) jumps in it, summed over its sentences."""


def choose(pools: Pools, budget: Budget, rule: Rule = RULE) -> dict[int, int]:
    """How many rollouts of which prefixes are wanted next; none when all is decided."""
    open_ = sorted(_open(pools, budget, rule), key=lambda stretch: -stretch.chance)
    wanted: dict[int, int] = {}
    for stretch in open_[: rule.together]:
        if stretch.chance < rule.near * open_[0].chance:
            break
        for prefix, count in _refine(pools, stretch, _most(budget, rule), rule).items():
            wanted[prefix] = max(count, wanted.get(prefix, 0))
    return wanted


def _open(pools: Pools, budget: Budget, rule: Rule) -> list[Stretch]:
    """The stretches that are undecided and may have more rollouts."""
    shares = pools.shares()
    known = [prefix for prefix, each in enumerate(shares) if each]
    cases = [each.cases if each else 0.0 for each in shares]
    chance = jumps([each.value * each.cases if each else 0.0 for each in shares], cases)
    found = []
    for first, last in pairwise(known):
        if last == first + 1:
            full = min(pools.all(first).n, pools.all(last).n) >= _most(budget, rule)
            if full or _settled(pools, first, pools.effect(first, shares[last]), budget, rule):
                continue
        found.append(Stretch(first, last, math.fsum(chance[first:last])))
    return found


def _settled(pools: Pools, sentence: int, found: Estimate, budget: Budget, rule: Rule) -> bool:
    if budget.width is not None:
        return found.high - found.low <= budget.width
    if -rule.rope < found.low and found.high < rule.rope:
        return True
    outside = found.low > rule.rope or found.high < -rule.rope
    sentences = len(pools.cases) - 1  # the strictest threshold that Benjamini-Hochberg can ask for
    return outside and fisher(pools.diverged(sentence), pools.all(sentence + 1), middle=True) <= rule.alpha / sentences


def _refine(pools: Pools, stretch: Stretch, most: int, rule: Rule) -> dict[int, int]:
    """The middle of a long stretch; both ends of a single sentence, up to the next level of the smaller one."""
    if stretch.last > stretch.first + 1:
        return {(stretch.first + stretch.last) // 2: rule.start}
    sizes = {prefix: pools.all(prefix).n for prefix in (stretch.first, stretch.last)}
    level = min(most, max(rule.start, math.ceil(rule.growth * min(sizes.values()))))
    return {prefix: level - n for prefix, n in sizes.items() if n < level}
