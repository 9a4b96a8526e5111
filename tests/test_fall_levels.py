"""The posterior over success rates: held to sums over every path, written out."""

from itertools import product

import numpy as np

from tracer.analyses import fall_levels as module
from tracer.analyses.fall_levels import Tally, fall_chances, grid, levels


def drawn(tallies: list[Tally], pi: list[float], tracked: bool = True, draws: int = 20_000) -> np.ndarray:
    return levels(tallies, np.array(pi), np.random.default_rng(0), draws, tracked=tracked).paths


def test_draws_agree_with_a_sum_over_all_paths() -> None:
    """Two steps, so 21 x 21 paths that end at the bottom; untracked, 3 of 4 succeed from scratch, 1 of 5 behind step 0.

    Moves are written out again: a normal drift of .035, falls weighted by their size, strays to anywhere at .02.
    """
    level = np.linspace(0, 1, 21)
    drift = np.exp(-((level[:, None] - level) ** 2) / (2 * 0.035**2))
    drift /= drift.sum(axis=1, keepdims=True)
    fall = np.array([[max(0.0, a - b) for b in level] for a in level])
    fall[0, 0] = 1.0
    fall /= fall.sum(axis=1, keepdims=True)

    def move(chance: float, a: int, b: int) -> float:
        return float(chance * fall[a, b] + (1 - chance) * (0.98 * drift[a, b] + 0.02 / 21))

    def seen(hits: int, n: int, a: int) -> float:
        p = min(0.995, max(0.005, float(level[a])))
        return p**hits * (1 - p) ** (n - hits)

    weights = np.zeros((21, 21))
    for a, b in product(range(21), repeat=2):
        weights[a, b] = seen(3, 4, a) * move(0.4, a, b) * seen(1, 5, b) * move(0.2, b, 0)
    weights /= weights.sum()
    paths = drawn([Tally(3, 4, 0), Tally(1, 5, 0)], [0.4, 0.2], tracked=False)
    assert paths[:, 2].max() == grid()[0]
    np.testing.assert_allclose(paths[:, 0].mean(), weights.sum(axis=1) @ grid(), atol=0.01)
    np.testing.assert_allclose(paths[:, 1].mean(), weights.sum(axis=0) @ grid(), atol=0.01)


def test_a_step_that_is_always_made_again_as_recorded_costs_nothing() -> None:
    """30 of 30 forks repeat step 0: whatever became of them, it fell by 1 - (chance to repeat) at most."""
    falls = levels([Tally(0, 0, 30), Tally(5, 10, 0)], np.array([0.6, 0.6]), np.random.default_rng(0), 4000).falls
    assert np.quantile(falls[:, 0], 0.975) <= 0.15
    assert falls[:, 1].mean() > 0.3


def test_forks_that_leave_the_record_tell_of_the_level_before_it() -> None:
    """Half repeat step 0 and of the other half all succeed; behind step 0 none of 40 does: q_0 is about a half."""
    paths = drawn([Tally(20, 20, 20), Tally(0, 40, 0)], [0.3, 0.3])
    assert 0.4 <= paths[:, 0].mean() <= 0.6
    assert paths[:, 1].mean() <= 0.1


def test_hundreds_of_cases_do_not_vanish() -> None:
    """.5 ** 3000 is no number any more: likelihoods are held as logarithms until the largest is 1."""
    paths = drawn([Tally(1500, 3000, 0), Tally(0, 3000, 0)], [0.3, 0.3], draws=500)
    assert abs(paths[:, 0].mean() - 0.5) < 0.03
    assert paths[:, 1].max() <= 0.05


def test_a_prior_does_not_convict() -> None:
    """However sure the ranker, a fall keeps a chance of 30 % not to be there."""
    assert fall_chances([1.0, 0.0]).tolist() == [module.LIKELIEST, 0.0]
