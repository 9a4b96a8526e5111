"""P(failed) of a run whose log does not say how it ended: a logistic regression on what the end of the run looks like.

Trained with `tracer train failure` on runs of known outcome; weights in failure.json with their training record. It is a
weak signal by nature: most failures leave no trace that their own log knows of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from tracer.analyses.features import Features
from tracer.records import Record

_GIVES_UP = re.compile(
    r"\b(?:unable to|cannot|can't|could not|couldn't|was not able|not possible|sorry|apologi[sz]e|unfortunately|"
    r"transferred to a human|no (?:information|data|results?) (?:was |were )?(?:found|available))\b",
    re.IGNORECASE,
)


def _results(f: Features) -> list[str]:
    return [step.tool_status or "unknown" for step in f.view.steps if step.tool_status is not None]


def _failed_share(f: Features) -> float:
    results = _results(f)
    return sum(status in {"error", "empty"} for status in results) / len(results) if results else 0.0


def _last_failed(f: Features) -> float:
    results = _results(f)
    return float(bool(results) and results[-1] in {"error", "empty"})


def _gives_up(f: Features) -> float:
    return float(bool(_GIVES_UP.search(f.view.steps[f.view.symptom].content[-1_500:])))


SIGNS: dict[str, Callable[[Features], float]] = {
    "share of failed results": _failed_share,
    "last result failed": _last_failed,
    "ends by giving up": _gives_up,
    "stalled": lambda f: float(f.first_trouble is not None),
    "length": lambda f: math.log(len(f.view.steps)) / 5,
}
"""What is measured of a run, each in about [0, 1]."""


class FailureModel(Record):
    """A trained P(failed)."""

    version: int = 1
    intercept: float
    weights: dict[str, float]
    training: dict[str, Any]
    """What it was trained on: data, n, failures, cross-validated AUROC, command."""


def signs(features: Features) -> list[float]:
    """The measured signs, in the order of SIGNS."""
    return [measure(features) for measure in SIGNS.values()]


@cache
def shipped() -> FailureModel:
    """The model that comes with the package."""
    return FailureModel.model_validate_json(files("tracer.analyses").joinpath("failure.json").read_bytes())


def p_failed(features: Features, model: FailureModel | None = None) -> float:
    """P(the run failed), from its log alone."""
    model = model or shipped()
    weights = np.asarray([model.weights.get(name, 0.0) for name in SIGNS])
    return float(1 / (1 + math.exp(-(model.intercept + float(weights @ np.asarray(signs(features)))))))
