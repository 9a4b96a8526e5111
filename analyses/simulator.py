"""Traces whose effects are known, to measure the rule on: planted distributions of answers, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tracer.analyses.pools import Drawn

TARGET = "target"


class Planted(NamedTuple):
    """A trace of n sentences as a process that writes answers."""

    p: tuple[float, ...]
    """P(target) from each prefix, (n + 1,)"""
    follow: tuple[float, ...]
    """Chance that a rollout from prefix i writes sentence i token for token, (n,)"""
    others: tuple[float, ...] = (1.0,)
    """How the other answers share what is left"""
    length: int = 12
    """Tokens of a sentence"""

    @property
    def cost(self) -> list[float]:
        return [float(self.length * (len(self.p) - i)) for i in range(len(self.p))]

    @property
    def effects(self) -> list[float]:
        return [after - before for before, after in pairwise(self.p)]


class Simulator:
    """Draws rollouts of a planted trace; the same seed gives the same ones."""

    def __init__(self, trace: Planted, seed: int | Sequence[int]) -> None:
        self.trace = trace
        self.generator = np.random.default_rng(seed)
        self.cumulative = np.cumsum(trace.others)

    def __call__(self, wanted: Mapping[int, int]) -> dict[int, list[Drawn]]:
        return {prefix: [self.one(prefix) for _ in range(count)] for prefix, count in wanted.items()}

    def one(self, prefix: int) -> Drawn:
        """Follows the trace sentence by sentence until it diverges; diverged ones hit with what is left of P."""
        p, follow = self.trace.p, self.trace.follow
        n, at = len(follow), prefix
        uniform = self.generator.random(n - prefix + 3)
        while at < n and uniform[at - prefix] < follow[at]:
            at += 1
        chance = p[at] if at == n or follow[at] == 0 else (p[at] - follow[at] * p[at + 1]) / (1 - follow[at])
        tokens = max(1, round(self.trace.length * (n - prefix + 1) * (0.75 + 0.5 * uniform[-1])))
        if uniform[-2] < chance:
            return Drawn(TARGET, tokens, at - prefix)
        other = int(np.searchsorted(self.cumulative, uniform[-3], side="right"))
        return Drawn(f"other {min(other, len(self.cumulative) - 1)}", tokens, at - prefix)


def planted(p: Sequence[float], follow: float = 0.0, others: Sequence[float] = (1.0,)) -> Planted:
    """A trace of these P(target) whose sentences are followed as often as wished, or as the jumps allow.

    P_i = f P_{i+1} + (1 - f) Q needs a Q in [0, 1], so f <= P_i / P_{i+1} and f <= (1 - P_i) / (1 - P_{i+1}).
    """
    chances = []
    for before, after in pairwise(p):
        up = before / after if after > 0 else 1.0
        down = (1 - before) / (1 - after) if after < 1 else 1.0
        chances.append(min(follow, 0.95 * min(1.0, up, down)) if before != after else follow)
    return Planted(tuple(float(x) for x in p), tuple(chances), tuple(others))


def flat(p: float, n: int, follow: float = 0.0) -> Planted:
    return planted([p] * (n + 1), follow, (0.7, 0.3))


def anchor(before: float, after: float, n: int, place: int, follow: float = 0.0) -> Planted:
    return planted([before] * (place + 1) + [after] * (n - place), follow, (0.7, 0.3))


def _answers(generator: np.random.Generator) -> tuple[float, ...]:
    """How one to seven other answers share what is left."""
    return tuple(map(float, generator.dirichlet(np.ones(int(generator.integers(1, 8))))))


def piecewise(generator: np.random.Generator, follow: float = 0.0) -> Planted:
    """8 to 30 sentences, 1 to 3 jumps of .15 to .9, small drift between, 2 to 8 answers."""
    n = int(generator.integers(8, 31))
    jumps = generator.choice(n, size=int(generator.integers(1, 4)), replace=False)
    p = [float(generator.uniform(0.05, 0.95))]
    for i in range(n):
        step = float(generator.normal(0, 0.01))
        if i in jumps:
            size = float(generator.uniform(0.15, 0.9))
            up = generator.random() < 0.5
            room_up, room_down = 0.98 - p[-1], p[-1] - 0.02
            if (room_up if up else room_down) < size:
                up = not up
            step = min(size, room_up) if up else -min(size, room_down)
        p.append(min(0.98, max(0.02, p[-1] + step)))
    return planted(p, follow, _answers(generator))


def slip(generator: np.random.Generator, follow: float = 0.8) -> Planted:
    """As in the pocket world: .8 to .95, near 0 from a slip on, and mostly back at a check."""
    n = int(generator.integers(8, 31))
    place = int(generator.integers(1, n - 2))
    high = float(generator.uniform(0.8, 0.95))
    p = [high + (0.98 - high) * i / n * float(generator.uniform(0.5, 1)) for i in range(n + 1)]
    low = float(generator.uniform(0.02, 0.1))
    end = int(generator.integers(place + 2, n + 1)) if generator.random() < 0.5 else n + 1
    for i in range(place + 1, min(end, n + 1)):
        p[i] = low
    return planted([min(0.98, each) for each in p], follow, _answers(generator))


TRACES: dict[str, Callable[[np.random.Generator, float], Planted]] = {"piecewise": piecewise, "slip": slip}


def around(p: float, follow: float = 0.0) -> Callable[[np.random.Generator], Planted]:
    """8 to 30 sentences at one P(target), which in half of the traces jumps to any other value at a random place."""

    def make(generator: np.random.Generator) -> Planted:
        n = int(generator.integers(8, 31))
        place, after = int(generator.integers(n)), float(generator.uniform(0.02, 0.98))
        after = after if generator.random() < 0.5 else p
        return planted([p] * (place + 1) + [after] * (n - place), follow, _answers(generator))

    return make
