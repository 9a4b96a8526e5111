"""Which step broke a run, with the fewest runs lived again: a search for the largest fall of the success rate.

    fall(t) = q_t - q_{t+1},        the decisive step is argmax fall(t), if that is LEAST or more

with the levels q of `fall_levels`: noisy bisection that knows neither the high level nor the low one, and lets both
drift. Each round asks for a batch of forks at the prefixes that tell most about the decisive step: with D that step, or
`none`, and Y_j the successes among m forks at prefix j, the expected information

    I(D; Y_j) = H(Y_j) - sum over d of P(d) H(Y_j | D = d)

is summed over levels drawn from the posterior, and a batch is put together greedily, each part given those before it.
It ends when the leader's posterior reaches `sure`, with `aside` forks or more on either side of it, and its fall is
clearly LEAST or more, or clearly less; when it is as sure that no fall is even `near` to that; or when the budget is
spent. Where the prior comes from is the caller's affair.

Nothing here knows an agent or a language model: outcomes come in by `add`, and the same ones give the same requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.fall_levels import Array, Levels, Tally, fall_chances, levels
from tracer.stats.proportions import Estimate

LEAST = 0.5
"""A decisive step costs at least so much."""
UNIFORM = 0.5
"""The share of the prior that is spread evenly: a ranker that is wrong costs forks, and no more."""
NONE = -1
"""In the place of a step: no fall is large enough."""
State = Literal["open", "decisive", "diffuse", "spent"]


class Rule(NamedTuple):
    """The settings; those given are the ones that are measured in `bench_falls`."""

    sure: float = 0.97
    """Posterior of a step at which the search ends,"""
    large: float = 0.9
    """if its fall is this likely `least` or more. That no step has such a fall must be as sure as `sure`."""
    aside: int = 6
    """Forks that had the record up to the leader, and up to behind it: a prior alone convicts nobody."""
    near: float = 0.7
    """Of `least`: while a fall may be so large, the search goes on for the step that has it."""
    part: int = 2
    """Forks at one prefix in a batch."""
    parts: int = 3
    """Prefixes in a batch."""
    draws: int = 600
    """Levels drawn from the posterior in a round."""
    least: float = LEAST
    """A decisive fall is at least so large; 0 where the largest one is wanted, whatever its size."""


RULE = Rule()


class Outcome(NamedTuple):
    """What came of one fork."""

    success: bool
    repeated: int = 0
    """How many of the recorded steps behind its prefix it made again before the first other one."""


class Found(NamedTuple):
    """Where the search stands; intervals hold 95 % of the posterior."""

    state: State
    step: int | None
    """The likeliest decisive step, also where none is decisive; None for a run without steps."""
    posterior: tuple[float, ...]
    """P(the step has the largest fall | the forks)"""
    decisive: float
    """P(the largest fall is `least` or more)"""
    falls: tuple[Estimate, ...]
    """What each step costs; n counts the forks on the side that has fewer."""
    levels: tuple[Estimate, ...]
    """q_0 to q_n; n counts the forks that had so much of the record."""
    forks: int


class Search:
    """The state of one search."""

    def __init__(
        self,
        steps: int,
        prior: Sequence[float] | None = None,
        *,
        budget: int = 80,
        rule: Rule = RULE,
        tracked: bool = True,
    ) -> None:
        """`prior` is a distribution over the steps, `tracked` whether forks are recognised as repeating the record."""
        self.steps, self.budget, self.rule, self.tracked = steps, budget, rule, tracked
        self.pi = fall_chances(mixed(prior, steps).tolist())
        self.left = np.zeros((steps, 2), dtype=np.intp)  # failures, successes
        self.went_on = np.zeros(steps, dtype=np.intp)
        self.forks = 0
        self._drawn: Levels | None = None

    def add(self, prefix: int, outcomes: Sequence[Outcome]) -> None:
        """Outcomes of forks that kept the steps before `prefix`."""
        for success, repeated in outcomes:
            last = min(prefix + (repeated if self.tracked else 0), self.steps - 1)
            self.went_on[prefix:last] += 1
            self.left[last, int(success)] += 1
        self.forks += len(outcomes)
        self._drawn = None

    def wanted(self) -> dict[int, int]:
        """Forks of which prefixes are to be lived next; none when the search has ended."""
        left = self.budget - self.forks
        if left <= 0 or not self.steps or self.state != "open":
            return {}
        found: dict[int, int] = {}
        for place in self._lacking() or self._informative():
            if count := min(self.rule.part, left - sum(found.values())):
                found[place] = found.get(place, 0) + count
        return found

    @property
    def state(self) -> State:
        """`open` while forks are left and nothing is sure."""
        if not self.steps or self._chance_of(self.rule.near * self.rule.least) <= 1 - self.rule.sure:
            return "diffuse"
        if self._posterior()[1].max() >= self.rule.sure and not self._lacking():
            if self._decisive() >= self.rule.large:
                return "decisive"
            if self._decisive() <= 1 - self.rule.sure:
                return "diffuse"
        return "open" if self.forks < self.budget else "spent"

    def found(self) -> Found:
        """What is known by now."""
        drawn, n = self._levels(), self._cases()
        _, chance = self._posterior()
        return Found(
            state=self.state,
            step=int(chance.argmax()) if self.steps else None,
            posterior=tuple(map(float, chance)),
            decisive=self._decisive(),
            falls=tuple(_estimate(drawn.falls[:, j], min(n[j : j + 2])) for j in range(self.steps)),
            levels=tuple(_estimate(drawn.paths[:, j], count) for j, count in enumerate(n)),
            forks=self.forks,
        )

    def _levels(self) -> Levels:
        """Draws from the posterior; the same for the same forks."""
        if self._drawn is None:
            tallies = [
                Tally(int(hits), int(misses + hits), int(went_on))
                for (misses, hits), went_on in zip(self.left, self.went_on, strict=True)
            ]
            self._drawn = levels(
                tallies, self.pi, np.random.default_rng(self.forks), self.rule.draws, tracked=self.tracked
            )
        return self._drawn

    def _posterior(self) -> tuple[npt.NDArray[np.intp], Array]:
        """The step with the largest fall in each draw, and how often each step is it."""
        if not self.steps:
            return np.zeros(0, dtype=np.intp), np.zeros(0)
        first = self._levels().falls.argmax(axis=1)
        return first, np.bincount(first, minlength=self.steps) / len(first)

    def _decisive(self) -> float:
        """P(the largest fall is `least` or more)"""
        return self._chance_of(self.rule.least)

    def _chance_of(self, fall: float) -> float:
        return float((self._levels().falls.max(axis=1, initial=0.0) >= fall - 1e-9).mean())

    def _cases(self) -> list[int]:
        """Forks that had the first j steps of the record, for j from 0 to n; the record itself is no fork."""
        return [*(int(each) for each in self.left.sum(axis=1) + self.went_on), 0]

    def _lacking(self) -> list[int]:
        """The prefixes beside a leader that is sure, and has not enough forks there; how the record ends is known."""
        chance, cases = self._posterior()[1], self._cases()
        leader = int(chance.argmax())
        if chance[leader] < self.rule.sure:
            return []
        return [j for j in (leader, leader + 1) if j < self.steps and cases[j] < self.rule.aside]

    def _informative(self) -> list[int]:
        """The prefixes of a batch, each the one that tells most, given those before it."""
        drawn, (first, _) = self._levels(), self._posterior()
        large = drawn.falls.max(axis=1) >= self.rule.least - 1e-9
        known = large.mean() <= 1 - self.rule.sure  # that none is decisive: it is left to find the largest
        answer = _indicator(first if known else np.where(large, first, NONE))  # (draws, answers)
        likely = _binomial(drawn.paths[:, :-1], self.rule.part)  # (draws, prefixes, m + 1)
        told = np.ones((len(answer), 1))  # (draws, outcomes of the forks chosen so far)
        chosen: list[int] = []
        for _ in range(self.rule.parts):
            place = int(_information(answer, told, likely).argmax())
            chosen.append(place)
            told = (told[:, :, None] * likely[:, None, place]).reshape(len(told), -1)
        return chosen


def mixed(prior: Sequence[float] | None, steps: int) -> Array:
    """The prior with its share of UNIFORM; all of it where there is none."""
    even = np.full(steps, 1 / max(1, steps))
    return even if prior is None else (1 - UNIFORM) * np.asarray(prior, dtype=np.float64) + UNIFORM * even


def _indicator(values: npt.NDArray[np.intp]) -> Array:
    """One column for each different value, (draws, values), each entry 1 / draws or 0."""
    _, place = np.unique(values, return_inverse=True)
    return np.asarray(np.eye(place.max() + 1)[place] / len(place))


def _binomial(p: Array, n: int) -> Array:
    """P(k of n) at each p, (..., n + 1)"""
    k = np.arange(n + 1)
    ways = np.cumprod(np.concatenate([[1.0], (n - k[:-1]) / (k[:-1] + 1)]))
    return np.asarray(ways * p[..., None] ** k * (1 - p[..., None]) ** (n - k))


def _information(answer: Array, told: Array, likely: Array) -> Array:
    """I(D; what is told, and Y_j) in nats for each prefix j, (prefixes,)."""
    draws, prefixes, outcomes = likely.shape
    known = (answer[:, :, None] * told[:, None]).reshape(draws, -1).astype(np.float32)  # (draws, answers * told)
    table = known.T @ likely.reshape(draws, -1).astype(np.float32)
    joint = table.astype(np.float64).reshape(answer.shape[1], told.shape[1], prefixes, outcomes)
    alone = joint.sum(axis=0)
    return -_entropy(joint, (0, 1, 3)) + _entropy(alone, (0, 2))  # H(D) is the same for all


def _entropy(p: Array, axes: tuple[int, ...]) -> Array:
    return -np.asarray((p * np.log(np.maximum(p, 1e-300))).sum(axis=axes))


def _estimate(values: Array, n: int) -> Estimate:
    low, high = np.quantile(values, (0.025, 0.975))
    return Estimate(float(values.mean()), float(low), float(high), n)
