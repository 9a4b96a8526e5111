"""The sparse regression, against values worked out by hand."""

import numpy as np
import pytest

from tracer.analyses.lasso import lasso


def test_one_column_is_shrunk_by_the_penalty() -> None:
    """0, 0, 1, 1 -> 0, 0, 2, 2: scaled to -1, 1 the weight is 1 and shrinks to 0.9; scaled back it is 1.8."""
    found = lasso([[0], [0], [1], [1]], [0, 0, 2, 2], 0.1)
    np.testing.assert_allclose(found.weights, [1.8])
    assert found.bias == pytest.approx(1 - 0.9)


def test_a_weight_below_the_penalty_is_exactly_zero() -> None:
    """The second column has a correlation of 0 with the outcome and of 0 with the first."""
    found = lasso([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 2, 2], 0.1)
    assert found.weights[1] == 0.0
    assert found.weights[0] == pytest.approx(1.8)


def test_correlated_columns_meet_the_conditions_of_the_optimum() -> None:
    """Scaled columns z: mean(z * residual) is alpha * sign(w) where w is not 0, and at most alpha where it is."""
    rng = np.random.default_rng(3)
    x = rng.random((64, 20)) < 0.5
    y = x @ np.array([3.0, -2.0, 1.0] + [0.0] * 17) + rng.normal(size=64)
    found = lasso(x, y, 0.1)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    pull = z.T @ (y - found.bias - x @ found.weights) / 64
    live = found.weights != 0
    np.testing.assert_allclose(pull[live], 0.1 * np.sign(found.weights[live]), atol=1e-6)
    assert np.abs(pull[~live]).max() <= 0.1 + 1e-6


def test_a_column_that_never_changes_and_no_column_at_all_weigh_nothing() -> None:
    np.testing.assert_array_equal(lasso([[1, 0], [1, 1]], [0, 1], 0.01).weights[:1], [0.0])
    assert lasso(np.zeros((3, 0)), [1, 2, 3], 0.01).bias == 2


def test_many_at_a_time_are_what_each_is_alone() -> None:
    """Draws with repetition from 20 rows of 30 columns; some columns never change in them, in the fourth none does."""
    rng = np.random.default_rng(5)
    x, y = rng.random((20, 30)) < 0.5, rng.normal(size=20)
    drawn = rng.integers(0, 20, size=(7, 20))
    drawn[3] = 0
    found = lasso(x[drawn], y[drawn], 0.01)
    for number, rows in enumerate(drawn):
        alone = lasso(x[rows], y[rows], 0.01)
        np.testing.assert_allclose(found.weights[number], alone.weights, atol=1e-6)
        assert found.bias[number] == pytest.approx(alone.bias, abs=1e-6)
    np.testing.assert_array_equal(found.weights[3], np.zeros(30))


def test_outcomes_that_share_their_columns_are_what_each_is_alone() -> None:
    """One of them never changes, and has no weight; another is one column itself."""
    rng = np.random.default_rng(6)
    x, y = rng.random((20, 30)) < 0.5, rng.normal(size=(2, 3, 20))
    y[0, 1], y[1, 2] = 4.0, x[:, 7]
    found = lasso(x, y, 0.01)
    assert (found.weights.shape, found.bias.shape) == ((2, 3, 30), (2, 3))
    for place in np.ndindex(2, 3):
        alone = lasso(x, y[place], 0.01)
        np.testing.assert_allclose(found.weights[place], alone.weights, atol=1e-6)
        assert found.bias[place] == pytest.approx(alone.bias, abs=1e-6)
    np.testing.assert_array_equal(found.weights[0, 1], np.zeros(30))
    assert np.flatnonzero(found.weights[1, 2]).tolist() == [7]
