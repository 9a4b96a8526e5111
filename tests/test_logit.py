"""The conditional logit: derivatives against differences, optimum against scipy, planted weights found again."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy import optimize

from tracer.analyses.logit import Array, Stacked, _derivatives, _objective, fit, log_softmax, stack


class Planted(NamedTuple):
    """Runs whose chosen rows were drawn from known weights."""

    data: Stacked
    weights: Array


def planted(runs: int, weights: list[float], seed: int = 0) -> Planted:
    """Runs of 2 to 9 candidates with normal features; each label is drawn from the model."""
    generator = np.random.default_rng(seed)
    matrices, labels = [], []
    for _ in range(runs):
        rows = generator.normal(size=(int(generator.integers(2, 10)), len(weights)))
        probability = np.exp(rows @ weights)
        matrices.append(rows)
        labels.append(int(generator.choice(len(rows), p=probability / probability.sum())))
    return Planted(stack(matrices, labels), np.asarray(weights))


def test_stacking_keeps_track_of_runs_and_labels() -> None:
    """Rows of three runs one below the other; a label becomes a row of the whole."""
    data = stack([np.zeros((2, 1)), np.ones((3, 1)), np.zeros((1, 1))], [1, 0, 0])
    assert data.rows[:, 0].tolist() == [0, 0, 1, 1, 1, 0]
    assert data.starts.tolist() == [0, 2, 5]
    assert data.chosen.tolist() == [1, 2, 5]


def test_probabilities_sum_to_one_in_each_run() -> None:
    """Scores of 0, ln 3 give 1/4, 3/4; huge scores overflow nothing; a lone candidate is certain."""
    logs = log_softmax(np.array([0.0, np.log(3), 1e4, 1e4, -1e4]), np.array([0, 2, 4]))
    assert np.exp(logs) == pytest.approx([0.25, 0.75, 0.5, 0.5, 1.0])


def test_gradient_and_hessian_are_those_of_the_objective() -> None:
    """Central differences at a random point."""
    data, _ = planted(20, [0.5, -1.0, 0.3])
    at, width = np.array([0.2, -0.4, 0.9]), 1e-5
    gradient, hessian = _derivatives(data, at, 2.0)
    for k, unit in enumerate(np.eye(3)):
        slope = (_objective(data, at + width * unit, 2.0) - _objective(data, at - width * unit, 2.0)) / (2 * width)
        assert gradient[k] == pytest.approx(slope, abs=1e-6)
        above, below = (_derivatives(data, at + side * width * unit, 2.0)[0] for side in (1, -1))
        assert hessian[k] == pytest.approx((above - below) / (2 * width), abs=1e-5)


@pytest.mark.parametrize("signs", [[0, 0, 0, 0], [1, 1, 1, 1], [1, -1, 0, -1], [-1, -1, -1, -1]])
@pytest.mark.parametrize("strength", [0.5, 10.0])
def test_the_fit_is_the_constrained_optimum_that_scipy_finds(signs: list[int], strength: float) -> None:
    """The same objective within the same bounds, minimised by L-BFGS-B."""
    data, _ = planted(60, [1.0, -0.5, 0.0, 0.8], seed=3)
    bounds = [{0: (None, None), 1: (0, None), -1: (None, 0)}[sign] for sign in signs]

    def loss(weights: Array) -> tuple[float, Array]:
        return _objective(data, weights, strength), _derivatives(data, weights, strength)[0]

    expected = optimize.minimize(
        loss, np.zeros(4), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-9}
    )
    found = fit(data, np.asarray(signs), strength)
    assert _objective(data, found, strength) == pytest.approx(expected.fun, abs=1e-7)
    assert found == pytest.approx(expected.x, abs=1e-4)


def test_a_weight_never_turns_against_its_sign() -> None:
    """Data that say -1 leave a weight that must be positive at exactly 0, and the other free to fit."""
    data, _ = planted(200, [-1.0, 1.0])
    first, second = fit(data, np.array([1, 1]), 1.0)
    assert first == 0
    assert second > 0.5


def test_planted_weights_are_found_again() -> None:
    """Three thousand runs give each weight within 0.1 of the truth."""
    data, truth = planted(3_000, [1.5, -0.7, 0.0])
    assert fit(data, np.zeros(3, dtype=np.int_), 1e-3) == pytest.approx(truth, abs=0.1)


def test_a_stronger_prior_gives_smaller_weights() -> None:
    """Down to nothing."""
    data, _ = planted(50, [1.0, -1.0])
    norms = [np.linalg.norm(fit(data, np.zeros(2, dtype=np.int_), strength)) for strength in (0.1, 10.0, 1e6)]
    assert norms[0] > norms[1] > norms[2]
    assert norms[2] < 1e-3


def test_a_column_that_never_varies_gets_no_weight() -> None:
    """Nothing can be learned from it, and nothing breaks on it."""
    data, _ = planted(30, [1.0, 0.0])
    data.rows[:, 1] = 7.0
    weights = fit(data, np.zeros(2, dtype=np.int_), 1.0)
    assert weights[1] == pytest.approx(0, abs=1e-9)
