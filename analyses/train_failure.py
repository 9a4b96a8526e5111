"""Train P(failed) on runs of known outcome: `tracer train failure PATH...`.

A logistic regression on failure.SIGNS with a ridge of 1. Reported by a grouped 10-fold cross-validation: AUROC,
log-loss against the base rate's, and how often a success is called a failure (P > 1/2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tracer.analyses.failure import SIGNS, FailureModel, signs
from tracer.analyses.features import Features
from tracer.analyses.view import View
from tracer.errors import BadInputError
from tracer.records import Recording
from tracer.stats import logistic

RIDGE = 1.0
FOLDS = 10
MIN_OF_EACH = 20
Array = npt.NDArray[np.float64]


def train_failure(recordings: Sequence[Recording], source: str) -> FailureModel:
    """Fit on all runs whose outcome is known; raises BadInputError with too few of either kind."""
    known = [(run, steps) for run, steps in recordings if run.outcome != "unknown"]
    y = np.asarray([float(run.outcome == "failure") for run, _ in known])
    if min(y.sum(), len(y) - y.sum()) < MIN_OF_EACH:
        found = f"{int(y.sum())} and {int(len(y) - y.sum())}"
        raise BadInputError(f"need at least {MIN_OF_EACH} failed and {MIN_OF_EACH} successful runs; found {found}")
    x = np.asarray([signs(Features(View(steps, run.task))) for run, steps in known])
    held = _out_of_fold(x, y, [run.group or run.id for run, _ in known])
    weights = logistic(x, y, RIDGE)
    return FailureModel(
        intercept=round(float(weights[0]), 6),
        weights={name: round(float(w), 6) for name, w in zip(SIGNS, weights[1:], strict=True)},
        training={
            "command": f"tracer train failure {source}",
            "runs": len(y),
            "failures": int(y.sum()),
            **_report(held, y),
        },
    )


def _out_of_fold(x: Array, y: Array, groups: Sequence[str]) -> Array:
    names = sorted(set(groups))
    fold = np.asarray([names.index(group) % FOLDS for group in groups])
    held = np.zeros(len(y))
    for k in range(FOLDS):
        if not (fold == k).any():
            continue
        weights = logistic(x[fold != k], y[fold != k], RIDGE)
        held[fold == k] = 1 / (1 + np.exp(-(weights[0] + x[fold == k] @ weights[1:])))
    return held


def _report(held: Array, y: Array) -> dict[str, Any]:
    base = float(y.mean())
    positive, negative = held[y == 1], held[y == 0]
    wins = (positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean()
    return {
        "cross_validated": {
            "auroc": round(float(wins), 4),
            "log_loss": round(float(-np.mean(y * np.log(held) + (1 - y) * np.log(1 - held))), 4),
            "log_loss_of_base_rate": round(-base * math.log(base) - (1 - base) * math.log(1 - base), 4),
            "successes_called_failures": round(float((negative > 0.5).mean()), 4),
            "failures_called_failures": round(float((positive > 0.5).mean()), 4),
        }
    }
