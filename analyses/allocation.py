"""Where to spend rollouts, so that the sentences that matter are known with the fewest.

A sentence that rollouts nearly always write the same way can hardly move the outcome (`tracer.analyses.pools`), so
prefixes are looked at only where a sentence with room for an effect ends: the nodes.

From coarse to fine: a few nodes are looked at first. A stretch is what lies between two neighbouring nodes that
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
from tracer.stats import Z95
from tracer.stats.nested import Share

Draw = Callable[[Mapping[int, int]], Mapping[int, Sequence[Drawn]]]
"""Given how many new rollouts of which prefixes are wanted, the rollouts."""

SWEEP = 100
"""Rollouts of each prefix in a full sweep, as in Thought Anchors (arXiv 2506.19143)."""
LEAST = 300
"""Rollouts of a usual budget, at least: with a fifth of a sweep, an effect of .3 among ten sentences is found in two of
three traces, with these in four of five (`tests/slow`)."""


class Rule(NamedTuple):
    """The settings; those given are the ones whose coverage and power are measured."""

    start: int = 10
    """Rollouts of a prefix when it is first looked at."""
    stride: int = 4
    """Distance of the nodes that are looked at first,"""
    whole: float = 0.34
    """unless all of them together take no more than this part of the budget."""
    growth: float = 1.5
    """Between two looks at a sentence its rollouts grow by this factor: few looks, so that plain intervals hold."""
    most: int = 160
    """No prefix gets more, unless a width is asked for."""
    near: float = 0.8
    """Stretches this close to the likeliest one, as a share of its chance, are looked at in the same round."""
    together: int = 4
    """But no more than so many."""
    sharp: float = 0.4
    """What is surely an anchor is looked at until its interval is this wide at most: for its size, and its rank."""
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
        """A fifth of a full sweep's rollouts, or LEAST, and a quarter more tokens than they take if spread evenly.

        cost: expected tokens of a rollout of each prefix.
        """
        rollouts = min(SWEEP * len(cost), max(LEAST, SWEEP * len(cost) // 5))
        return cls(rollouts, 1.25 * rollouts * sum(cost) / max(1, len(cost)))


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
    chances: Sequence[float] = (),
) -> Pools:
    """Draw rollouts until every sentence is decided, the budget is spent, or `draw` gives no more.

    `cost` has an expected number of tokens for a rollout of each of the n + 1 prefixes. `watch` sees each round's end.
    `chances`: how probably each sentence is written again, where known (`Pools`).
    Tokens are booked as they come, so the last round may pass the limit by what its rollouts are longer than expected.
    """
    budget = Budget.default(cost) if budget is None else budget
    _check(cost, budget)
    pools = Pools(len(cost) - 1, target, chances)
    wanted = dict.fromkeys(_first(nodes(pools, rule), budget, rule), rule.start)
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


def nodes(pools: Pools, rule: Rule = RULE) -> list[int]:
    """The prefixes that are worth a look: the first, and those behind a sentence that can move P by more than rope."""
    return [0, *(each + 1 for each in range(len(pools.diverging)) if pools.room(each) > rule.rope)]


def _first(places: Sequence[int], budget: Budget, rule: Rule) -> list[int]:
    """All nodes where they are few, else some of them and the last."""
    few = len(places) * rule.start <= rule.whole * _limit(budget.rollouts)
    return list(places) if few else sorted({*places[:: rule.stride], places[-1]})


class Stretch(NamedTuple):
    """What lies between two neighbouring nodes that have rollouts."""

    places: tuple[int, ...]
    """The nodes, those two included; with no other between them, one sentence at most has an effect."""
    chance: float
    """That P(target) jumps in it, times the room for that, summed over its sentences."""


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
    places = nodes(pools, rule)
    shares = pools.shares()
    told = [shares[place] if pools.cases[place] else None for place in places]
    likely = jumps(
        [each.value * each.cases if each else 0.0 for each in told], [each.cases if each else 0.0 for each in told]
    )
    chance = [each * pools.room(places[k + 1] - 1) for k, each in enumerate(likely)]
    found = []
    for first, last in pairwise(k for k, each in enumerate(told) if each):
        between = tuple(places[first : last + 1])
        if len(between) == 2:
            full = min(pools.all(place).n for place in between) >= _most(budget, rule)
            if full or _settled(pools, between[1] - 1, shares[between[1]], budget, rule):
                continue
        found.append(Stretch(between, math.fsum(chance[first:last])))
    return found


def _settled(pools: Pools, sentence: int, after: Share | None, budget: Budget, rule: Rule) -> bool:
    found = pools.effect(sentence, after)
    if budget.width is not None:
        return found.high - found.low <= budget.width
    if -rule.rope < found.low and found.high < rule.rope:
        return True
    outside = found.low > rule.rope or found.high < -rule.rope
    sentences = len(pools.cases) - 1  # the strictest threshold that Benjamini-Hochberg can ask for
    sharp = found.high - found.low <= rule.sharp
    return outside and sharp and pools.p_value(sentence, after) <= rule.alpha / sentences


def _refine(pools: Pools, stretch: Stretch, most: int, rule: Rule) -> dict[int, int]:
    """The middle of a long stretch; both ends of a single sentence, up to the next level of the smaller one."""
    if len(stretch.places) > 2:
        return {stretch.places[(len(stretch.places) - 1) // 2]: rule.start}
    sizes = {place: pools.all(place).n for place in stretch.places}
    level = min(most, max(rule.start, math.ceil(rule.growth * min(sizes.values()))))
    return {place: level - n for place, n in sizes.items() if n < level}
