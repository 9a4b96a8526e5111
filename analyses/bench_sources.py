"""Which labelled runs teach the ranker most: `tracer bench sources FIRST SECOND`.

The ranker is trained on the runs of one source, of the other, or of both, and tested on the runs of each. Where it is
tested on what it was trained on, the runs of a fold's questions are held out; so every figure is of runs it has not
seen. Steps are exact; the log loss is that of the label's step, over the runs whose label is a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tracer.analyses.cases import Case, folds
from tracer.analyses.train_ranker import fit_model, predict
from tracer.stats import wilson

FOLDS = 5
STRENGTH = 3.0
"""Of the penalty on the weights."""


def bench_sources(first: Sequence[Case], second: Sequence[Case]) -> list[dict[str, Any]]:
    """A row for each training and each test."""
    sources = {"first": first, "second": second}
    choices: dict[str, tuple[str, ...]] = {"first": ("first",), "second": ("second",), "both": ("first", "second")}
    return [_row(sources, trained, chosen, tested) for trained, chosen in choices.items() for tested in sources]


def _row(sources: Mapping[str, Sequence[Case]], trained: str, chosen: Sequence[str], tested: str) -> dict[str, Any]:
    cases = sources[tested]
    others = [case for name in chosen if name != tested for case in sources[name]]
    told: list[dict[int, float]] = [{} for _ in cases]
    for held in folds(cases, FOLDS if tested in chosen else 1, seed=0):
        own = [case for k, case in enumerate(cases) if k not in set(held)] if tested in chosen else []
        model = fit_model([*others, *own], STRENGTH)
        for k in held:
            told[k] = predict(cases[k], model)
    right = wilson(sum(_first(each) == case.label.step for each, case in zip(told, cases, strict=True)), len(cases))
    losses = [
        -math.log(each[case.label.step]) for each, case in zip(told, cases, strict=True) if case.label.step in each
    ]
    return {
        "trained_on": trained,
        "tested_on": tested,
        "n": len(cases),
        "step": round(right.value, 4),
        "interval": [round(right.low, 4), round(right.high, 4)],
        "log_loss": round(sum(losses) / len(losses), 4) if losses else None,
    }


def _first(probability: Mapping[int, float]) -> int:
    return max(probability, key=lambda step: (probability[step], -step))
