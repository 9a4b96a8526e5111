"""How the success rate runs along a run: the posterior over all its levels, given runs that were lived again.

q_j is the success rate when the first j steps stand and all after them is lived again: q_0 from scratch, q_n of the run
as recorded, which failed. A run that is lived again from j and makes step j as recorded is a case of j + 1, too, and so
on (`pools`). With r the chance to make step j otherwise, and Q the success rate of those runs,

    q_j = r Q + (1 - r) q_{j+1},        so that a step costs no more than r, the chance to make another one.

The levels are a hidden Markov chain on a grid. From one to the next a level mostly drifts; with probability pi_j it
falls to any lower one, the likelier the lower; seldom it moves to any other. Runs that left the record at j have a
binomial likelihood in Q, which ties two neighbours, so forward and backward sums are exact on the grid. r is unknown:
it is averaged over its Beta posterior, from how many of the runs at j went on as recorded. Where runs are never
recognised as going on as recorded (an agent's words differ each time), r is 1 and the cases of a level are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

GRID = 21
"""Levels 0, .05, ..., 1; the ends count as EDGE from them."""
EDGE = 0.005
DRIFT = 0.035
"""Standard deviation of a drift, at one step."""
STRAY = 0.02
"""Chance of a step to move the level to any other."""
FALLS = 1.2
"""Falls expected in a failed run; `pi` shares them out as the prior over steps does."""
LIKELIEST = 0.7
"""pi_j is never above: a prior does not convict."""
CHANCES = 12
"""Values of r that are averaged over."""


class Tally(NamedTuple):
    """What is known of the runs that had the first j steps of the record."""

    hits: int
    """Successes among those that made step j otherwise,"""
    left: int
    """their number,"""
    went_on: int
    """and how many made it as recorded: these are counted further down."""


class Levels(NamedTuple):
    """Levels of a run drawn from their posterior."""

    paths: Array
    """(draws, n + 1)"""

    @property
    def falls(self) -> Array:
        """What each step costs, (draws, n)."""
        return self.paths[:, :-1] - self.paths[:, 1:]


def grid() -> Array:
    """The levels, (GRID,), ascending."""
    return np.clip(np.linspace(0, 1, GRID), EDGE, 1 - EDGE)


def fall_chances(prior: Sequence[float]) -> Array:
    """pi of each step, from a distribution over the steps."""
    return np.minimum(LIKELIEST, FALLS * np.asarray(prior, dtype=np.float64))


def levels(
    tallies: Sequence[Tally], pi: Array, generator: np.random.Generator, draws: int, tracked: bool = True
) -> Levels:
    """Draws of q_0 to q_n: n tallies for the n steps, n fall chances; the last level is a failure's.

    Forward sums from the end of the run to its start, then draws from the start on.
    """
    n = len(tallies)
    pairs = [_pair(tally, chance, tracked) for tally, chance in zip(tallies, pi, strict=True)]
    backward = np.zeros((n + 1, GRID))
    backward[n, 0] = 1.0
    for j in range(n - 1, -1, -1):
        backward[j] = pairs[j] @ backward[j + 1]
        backward[j] /= backward[j].sum()
    at = _draw(np.broadcast_to(backward[0], (draws, GRID)), generator)
    found = [at]
    for j in range(n):
        at = _draw(pairs[j][at] * backward[j + 1], generator)
        found.append(at)
    return Levels(grid()[np.stack(found, axis=1)])


def _draw(weights: Array, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """One column for each row of unnormalised weights."""
    total = weights.cumsum(axis=1)
    uniform = generator.random(len(weights)) * total[:, -1]
    found: npt.NDArray[np.intp] = np.minimum((total < uniform[:, None]).sum(axis=1), weights.shape[1] - 1)
    return found


def _pair(tally: Tally, chance: float, tracked: bool) -> Array:
    """Weight of each level (row) with the one behind the step (column)."""
    drift, fall, stray = _moves()
    moves = chance * fall + (1 - chance) * ((1 - STRAY) * drift + STRAY * stray)
    return np.asarray(moves * _likelihood(tally, tracked))


@cache
def _moves() -> tuple[Array, Array, Array]:
    """Transitions of a drift, of a fall and of a stray step; rows sum to 1."""
    level = np.linspace(0, 1, GRID)
    drift = np.exp(-((level[:, None] - level[None]) ** 2) / (2 * DRIFT**2))
    fall = np.tril(level[:, None] - level[None], k=-1)
    fall[0, 0] = 1.0
    stray = np.ones((GRID, GRID))
    return drift / drift.sum(1, keepdims=True), fall / fall.sum(1, keepdims=True), stray / GRID


def _likelihood(tally: Tally, tracked: bool) -> Array:
    """P(cases that left | both levels), averaged over r where runs that go on are told apart; the largest is 1."""
    misses = tally.left - tally.hits
    if not tracked:
        level = grid()
        logs = tally.hits * np.log(level) + misses * np.log1p(-level)
        return np.repeat(np.exp(logs - logs.max())[:, None], GRID, axis=1)
    r, q, able = _others()
    logs = tally.left * np.log(r) + tally.went_on * np.log1p(-r)
    logs = logs[:, None, None] + tally.hits * np.log(q) + misses * np.log1p(-q)
    each = np.where(able, np.exp(logs - logs[able].max()), 0.0)
    return np.asarray(each.mean(axis=0))


@cache
def _others() -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Values of r; Q of each r, level and level behind it, (CHANCES, GRID, GRID); and which of these Q can be."""
    level, r = grid(), (np.arange(CHANCES) + 0.5) / CHANCES
    q = (level[:, None] - (1 - r[:, None, None]) * level) / r[:, None, None]
    slack = 0.5 / GRID / r[:, None, None]  # the grid is coarse: half a cell beyond is still possible
    return r, np.clip(q, EDGE, 1 - EDGE), (q >= -slack) & (q <= 1 + slack)
