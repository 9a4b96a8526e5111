"""Train the ranker on labelled runs: `tracer train ranker DIR`.

1. The L2 strength is the one of STRENGTHS with the best log-loss in a grouped 5-fold cross-validation.
2. The threshold comes from the same out-of-fold predictions: a logistic curve of "the top step is the label" over the
   logit of the top probability is fitted, and the threshold is where it crosses one half.
3. The reliability table counts, in the same predictions, how many steps of about the same probability are labelled.
4. Weights are fitted on all runs; a feature is scaled by its standard deviation while fitting.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tracer.analyses.cases import Case, folds
from tracer.analyses.domain import Family, family_of
from tracer.analyses.features import FEATURES, POSITION, Feature
from tracer.analyses.logit import Array, fit, log_softmax, stack
from tracer.analyses.ranker import Bin, RankerModel, spread
from tracer.errors import BadInputError
from tracer.stats import logistic

STRENGTHS = (1.0, 3.0, 10.0, 30.0)
INNER_FOLDS = 5
BORDERS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)
"""Of the reliability table: about equally many labelled steps in each."""
MIN_RUNS = 20
"""Fewer labelled runs than this teach nothing that a rule does not know."""


class Trained(NamedTuple):
    """A ranker and how it came about."""

    model: RankerModel
    strength: float
    log_loss: float
    """Cross-validated, per run, at the chosen strength."""


def train(cases: Sequence[Case]) -> Trained:
    """Choose the strength, fit the threshold, fit the weights."""
    if len(cases) < MIN_RUNS:
        raise BadInputError(f"{len(cases)} labelled runs are too few to train on; give at least {MIN_RUNS}")
    if len({case.group for case in cases}) < 2:
        raise BadInputError(f"all {len(cases)} labelled runs are of one question; give runs of several")
    if all(case.chosen is None for case in cases):
        raise BadInputError(f"none of {len(cases)} labels stands on a step that an agent of its run took")
    trials = {strength: _out_of_fold(cases, strength) for strength in STRENGTHS}
    losses = {strength: _log_loss(cases, predicted) for strength, predicted in trials.items()}
    strength = min(losses, key=lambda key: losses[key])
    threshold = _threshold(cases, trials[strength])
    model = fit_model(cases, strength, threshold)
    return Trained(
        model.model_copy(update={"reliability": _reliability(cases, trials[strength])}), strength, losses[strength]
    )


def fit_model(cases: Sequence[Case], strength: float, threshold: float = 0.5) -> RankerModel:
    """Weights, rule share and outside share from all the given cases."""
    weights = fit_weights([(case.rows, case.chosen) for case in cases], list(FEATURES.values()), strength)
    orchestrated = [case for case in cases if case.features.view.orchestrated]
    hits = sum(case.rule == case.chosen for case in orchestrated)
    missed = sum(case.chosen is None for case in cases)
    return RankerModel(
        weights={name: round(float(w), 6) for name, w in zip(FEATURES, weights, strict=True)},
        rule_share=round((hits + 1) / (len(orchestrated) + 4), 4),
        outside=round((missed + 1) / (len(cases) + 2), 4),
        threshold=round(threshold, 4),
        families=_families(cases),
    )


def _families(cases: Sequence[Case]) -> dict[str, Family]:
    names = sorted({case.run.framework for case in cases if case.run.framework})
    return {name: family_of([case.steps for case in cases if case.run.framework == name]) for name in names}


def fit_weights(rows: Sequence[tuple[Array, int | None]], columns: Sequence[Feature], strength: float) -> Array:
    """Weights on the features' own scale; runs whose label is no candidate teach nothing here and are left out.

    Without any other run all weights are 0.
    """
    kept = [(matrix, chosen) for matrix, chosen in rows if chosen is not None]
    if not kept:
        return np.zeros(len(columns))
    scale = np.concatenate([matrix for matrix, _ in kept]).std(axis=0)
    scale[scale < 1e-9] = 1.0
    signs = np.asarray([column.sign for column in columns])
    weights = fit(stack([matrix / scale for matrix, _ in kept], [chosen for _, chosen in kept]), signs, strength)
    return np.asarray(weights / scale)


def predict(case: Case, model: RankerModel) -> dict[int, float]:
    """The model's distribution over the steps of a prepared case; equals ranker.distribution on the same run."""
    weights = np.asarray([model.weights[name] for name in FEATURES])
    inside = np.exp(log_softmax(case.rows @ weights, np.array([0])))
    if case.features.view.orchestrated:
        inside = (1 - model.rule_share) * inside
        inside[case.rule] += model.rule_share
    return spread(
        dict(zip(case.features.view.candidates, inside.tolist(), strict=True)), len(case.steps), model.outside
    )


def predict_position(train_on: Sequence[Case], case: Case, strength: float = 3.0) -> dict[int, float]:
    """The position-only baseline, trained on `train_on`."""
    weights = fit_weights([(c.position, c.chosen) for c in train_on], list(POSITION.values()), strength)
    inside = np.exp(log_softmax(case.position @ weights, np.array([0])))
    missed = sum(c.chosen is None for c in train_on)
    outside = (missed + 1) / (len(train_on) + 2)
    return spread(dict(zip(case.features.view.candidates, inside.tolist(), strict=True)), len(case.steps), outside)


def _out_of_fold(cases: Sequence[Case], strength: float) -> list[dict[int, float]]:
    predicted: list[dict[int, float]] = [{} for _ in cases]
    for held in folds(cases, INNER_FOLDS, seed=0):
        model = fit_model([case for i, case in enumerate(cases) if i not in set(held)], strength)
        for i in held:
            predicted[i] = predict(cases[i], model)
    return predicted


def _log_loss(cases: Sequence[Case], predicted: Sequence[dict[int, float]]) -> float:
    losses = [-math.log(p[case.label.step]) for case, p in zip(cases, predicted, strict=True) if case.label.step in p]
    return sum(losses) / len(losses)  # not empty: `train` asks for a label on a step of its run


def _threshold(cases: Sequence[Case], predicted: Sequence[dict[int, float]]) -> float:
    """The top probability at which the top step is as likely right as wrong; 1 when more of it is no more right."""
    top = [max(p, key=lambda i: (p[i], -i)) for p in predicted]
    stated = np.clip([p[i] for p, i in zip(predicted, top, strict=True)], 1e-6, 1 - 1e-6)
    right = np.asarray([float(i == case.label.step) for i, case in zip(top, cases, strict=True)])
    intercept, slope = logistic(np.log(stated / (1 - stated))[:, None], right)
    return float(1 / (1 + math.exp(min(intercept / slope, 700.0)))) if slope > 0 else 1.0


def _reliability(cases: Sequence[Case], predicted: Sequence[dict[int, float]]) -> tuple[Bin, ...]:
    """Every step counts, the label's and all others."""
    steps = [(p, i == case.label.step) for case, each in zip(cases, predicted, strict=True) for i, p in each.items()]
    return tuple(
        Bin(low=low, high=high, n=len(held), right=sum(held))
        for low, high in pairwise(BORDERS)
        for held in [[right for p, right in steps if low < p <= high]]
    )


def group_hash(case: Case) -> str:
    """A question is remembered by its hash: the record tells nothing of the data itself."""
    return hashlib.sha256(case.group.encode()).hexdigest()


def training_record(cases: Sequence[Case], trained: Trained, source: str) -> dict[str, Any]:
    """What the shipped weights were trained on; benchmarks mark these runs as in-sample."""
    return {
        "command": f"tracer train ranker {source}",
        "runs": len(cases),
        "families": {name: family.model_dump(mode="json") for name, family in trained.model.families.items()},
        "strength": trained.strength,
        "cross_validated_log_loss": round(trained.log_loss, 4),
        "groups": sorted({group_hash(case) for case in cases}),
        "content_hashes": sorted(case.run.content_hash for case in cases),
    }
