"""P(failed) of a run whose log does not say how it ended: a logistic regression on what the end of the run looks like.

Trained with `tracer train failure` on runs of known outcome; weights in failure.json with their training record. It is
a weak signal by nature: most failures leave no trace that their own log knows of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

from tracer.analyses.features import Features
from tracer.errors import BadInputError
from tracer.records import Record


def _results(f: Features) -> list[str]:
    return [step.tool_status or "unknown" for step in f.view.steps if step.tool_status is not None]


def _failed_share(f: Features) -> float:
    results = _results(f)
    return sum(status in {"error", "empty"} for status in results) / len(results) if results else 0.0


def _repeated(f: Features) -> float:
    """1 when two results in a row failed: the agent did not find its way out at once."""
    failed = [status in {"error", "empty"} for status in _results(f)]
    return float(any(a and b for a, b in pairwise(failed)))


SIGNS: dict[str, Callable[[Features], float]] = {
    "share of failed results": _failed_share,
    "repeated failures": _repeated,
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


def load(text: str, name: str) -> FailureModel:
    """A model from a JSON file of the user's."""
    try:
        return FailureModel.model_validate_json(text)
    except ValueError as error:
        raise BadInputError(f"{name}: no P(failed); make one with `tracer train failure LOGS -o {name}`") from error


def p_failed(features: Features, model: FailureModel | None = None) -> float:
    """P(the run failed), from its log alone."""
    model = model or shipped()
    weights = np.asarray([model.weights.get(name, 0.0) for name in SIGNS])
    return float(1 / (1 + math.exp(-(model.intercept + float(weights @ np.asarray(signs(features)))))))
