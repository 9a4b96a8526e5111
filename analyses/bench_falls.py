"""The search for the decisive step on planted runs: accuracy over forks, beside plain bisection and resampling it all.

A planted run has a success rate for each prefix and, for each step, the chance that a run lived again repeats it. Four
profiles: `sharp` falls from .9 to .05, `drift` from .8 rising to .9 down to .2 falling to .1, `double` falls twice, by
.7 or more and by about .2, `diffuse` three times by .25, so that no step is decisive. Runs have 8 to 40 steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.fall_levels import Array
from tracer.analyses.fall_search import LEAST, RULE, Outcome, Rule, Search
from tracer.stats.proportions import wilson

Generator = np.random.Generator
LOOKS = (1, 2, 4, 8, 16, 32)
"""Forks at each look of plain bisection, and at each prefix of exhaustive resampling."""
BUDGETS = (10, 20, 30, 40, 50, 60, 75, 100)
REPEATS = (0.0, 0.3, 0.95)
"""Chances that a step is made again as recorded; words hardly ever are, a tool's answers nearly always."""


class Planted(NamedTuple):
    """A run whose success rates are known."""

    levels: tuple[float, ...]
    """q_0 to q_n"""
    repeats: tuple[float, ...]
    """Chance that step j is made again as recorded; at most what its fall allows."""

    @property
    def decisive(self) -> int | None:
        """The step with the largest fall; None where none is LEAST or more."""
        falls = [before - after for before, after in pairwise(self.levels)]
        largest = max(range(len(falls)), key=falls.__getitem__)
        return largest if falls[largest] >= LEAST else None

    def fork(self, prefix: int, generator: Generator) -> Outcome:
        """Lives the run again behind a prefix: it repeats the record for a while, then leaves it."""
        steps, at = len(self.repeats), prefix
        while at < steps and generator.random() < self.repeats[at]:
            at += 1
        chance = 0.0 if at == steps else self._left(at)
        return Outcome(bool(generator.random() < chance), at - prefix)

    def _left(self, step: int) -> float:
        """Q = (q_j - (1 - r) q_{j+1}) / r of the runs that make the step otherwise."""
        repeat = self.repeats[step]
        return (self.levels[step] - repeat * self.levels[step + 1]) / (1 - repeat)


def planted(levels: Sequence[float], generator: Generator) -> Planted:
    """A run with these levels; q_n is 0, for the run failed."""
    levels = [*(min(0.99, max(0.01, each)) for each in levels[:-1]), 0.0]
    repeats = [
        min(float(generator.choice(REPEATS)), 0.97 * min(before / after if after else 1.0, (1 - before) / (1 - after)))
        for before, after in pairwise(levels)
    ]
    return Planted(tuple(levels), tuple(repeats))


def _stairs(steps: int, high: float, falls: Mapping[int, float]) -> list[float]:
    return [high - math.fsum(size for step, size in falls.items() if step < j) for j in range(steps + 1)]


def _sharp(steps: int, generator: Generator) -> list[float]:
    return _stairs(steps, 0.9, {int(generator.integers(steps - 1)): 0.85})


def _drift(steps: int, generator: Generator) -> list[float]:
    step = int(generator.integers(steps - 1))
    return [0.8 + 0.1 * j / steps if j <= step else 0.2 - 0.1 * j / steps for j in range(steps + 1)]


def _double(steps: int, generator: Generator) -> list[float]:
    large, small = (int(each) for each in generator.choice(steps - 1, 2, replace=False))
    return _stairs(steps, 0.95, {large: 0.7, small: 0.2})


def _diffuse(steps: int, generator: Generator) -> list[float]:
    return _stairs(steps, 0.8, {int(step): 0.25 for step in generator.choice(steps - 1, 3, replace=False)})


PROFILES: dict[str, Callable[[int, Generator], list[float]]] = {
    "sharp": _sharp,
    "drift": _drift,
    "double": _double,
    "diffuse": _diffuse,
}


def draw(profile: str, seed: int, number: int) -> Planted:
    """The planted run of a seed and a number."""
    generator = np.random.default_rng([list(PROFILES).index(profile), seed, number])
    return planted(PROFILES[profile](int(generator.integers(8, 41)), generator), generator)


def searched(run: Planted, generator: Generator, budget: int, rule: Rule = RULE) -> list[tuple[int, int | None]]:
    """(forks, step named) after each round; None where no step is decisive by then."""
    search = Search(len(run.repeats), budget=budget, rule=rule)
    told: list[tuple[int, int | None]] = []
    while wanted := search.wanted():
        for prefix, count in wanted.items():
            search.add(prefix, [run.fork(prefix, generator) for _ in range(count)])
        found = search.found()
        told.append((found.forks, found.step if found.decisive >= 0.5 else None))
    return told


def bisected(run: Planted, generator: Generator, look: int) -> tuple[int, int]:
    """Plain bisection: halve where most of `look` forks at the middle succeed behind it, else before; (forks, step)."""
    low, high, forks = 0, len(run.repeats), 0
    while high - low > 1:
        middle = (low + high) // 2
        hits = sum(run.fork(middle, generator).success for _ in range(look))
        low, high, forks = (middle, high, forks + look) if 2 * hits > look else (low, middle, forks + look)
    return forks, low


def exhausted(run: Planted, generator: Generator, look: int) -> tuple[int, int | None]:
    """`look` forks at every prefix, and the largest difference; (forks, step)."""
    steps = len(run.repeats)
    rates = [sum(run.fork(j, generator).success for _ in range(look)) / look for j in range(steps)] + [0.0]
    falls = [before - after for before, after in pairwise(rates)]
    largest = int(np.argmax(falls))
    return look * steps, largest if falls[largest] >= LEAST else None


def labelled(run: Planted, generator: Generator, look: int = 16) -> tuple[int, int | None]:
    """As labels are made: `look` forks at every prefix, 40 around falls, 100 beside the largest; (forks, step)."""
    steps = len(run.repeats)
    hits, n = np.zeros(steps), np.zeros(steps, dtype=int)

    def upto(level: int, places: Sequence[int]) -> None:
        for j in {each for each in places if each < steps}:
            hits[j] += sum(run.fork(j, generator).success for _ in range(max(0, level - n[j])))
            n[j] = max(level, n[j])

    upto(look, range(steps))
    upto(40, [each for j, fall in enumerate(_falls(hits, n)) if fall >= LEAST / 2 for each in (j, j + 1)])
    largest = int(_falls(hits, n).argmax())
    upto(100, [largest, largest + 1])
    falls = _falls(hits, n)
    return int(n.sum()), int(falls.argmax()) if falls.max() >= LEAST else None


def _falls(hits: Array, n: npt.NDArray[np.int_]) -> Array:
    rates = np.append(hits / n, 0.0)
    return np.asarray(rates[:-1] - rates[1:])


def bench_falls(n: int, seed: int, budget: int = 80, rule: Rule = RULE) -> dict[str, Any]:
    """{profile: {method: [{"forks", "step", "interval"}]}}: mean forks, and the share of runs whose step was named.

    Where none is decisive, naming none is right; plain bisection always names one.
    """
    return {profile: _profile([draw(profile, seed, k) for k in range(n)], seed, budget, rule) for profile in PROFILES}


def _profile(runs: Sequence[Planted], seed: int, budget: int, rule: Rule) -> dict[str, Any]:
    def each(method: Callable[[Planted, Generator, int], tuple[int, int | None]], look: int) -> dict[str, Any]:
        return _point([(run, *method(run, np.random.default_rng([seed, k, 1]), look)) for k, run in enumerate(runs)])

    paths = [searched(run, np.random.default_rng([seed, k, 1]), budget, rule) for k, run in enumerate(runs)]
    return {
        "search": [
            _point([(run, *_upto(path, most)) for run, path in zip(runs, paths, strict=True)])
            for most in BUDGETS
            if most <= budget
        ]
        + [_point([(run, *path[-1]) for run, path in zip(runs, paths, strict=True)])],
        "bisection": [each(bisected, look) for look in LOOKS],
        "exhaustive": [*(each(exhausted, look) for look in LOOKS), each(labelled, 16)],
    }


def _upto(path: Sequence[tuple[int, int | None]], budget: int) -> tuple[int, int | None]:
    """What a search says when it may take no more."""
    return max((each for each in path if each[0] <= budget), default=(0, None), key=lambda each: each[0])


def _point(rows: Sequence[tuple[Planted, int, int | None]]) -> dict[str, Any]:
    right = wilson(sum(run.decisive == step for run, _, step in rows), len(rows))
    return {
        "forks": sum(forks for _, forks, _ in rows) / len(rows),
        "step": right.value,
        "interval": [right.low, right.high],
    }
