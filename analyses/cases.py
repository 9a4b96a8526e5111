"""Labelled runs, prepared once for training and for benchmarks; and folds that never cut a question in two."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.features import POSITION, Features, matrix
from tracer.analyses.rule_r import rule_r
from tracer.analyses.view import View
from tracer.records import Label, Recording, Run, Step


class Case(NamedTuple):
    """One labelled run."""

    run: Run
    steps: tuple[Step, ...]
    label: Label
    features: Features
    rows: npt.NDArray[np.float64]
    """(candidates, FEATURES)"""
    position: npt.NDArray[np.float64]
    """(candidates, POSITION)"""
    chosen: int | None
    """The label's row; None when the label stands on a step that is no candidate."""
    rule: int
    """Rule R's row."""

    @property
    def group(self) -> str:
        """Runs of one question stay together."""
        return self.run.group or self.run.id


def prepare(recording: Recording) -> Case:
    """Features of a labelled run; the first label counts."""
    run, steps = recording
    features = Features(View(steps, run.task))
    candidates, label = features.view.candidates, run.labels[0]
    return Case(
        run=run,
        steps=steps,
        label=label,
        features=features,
        rows=features.rows,
        position=matrix(features, POSITION),
        chosen=candidates.index(label.step) if label.step in candidates else None,
        rule=candidates.index(rule_r(features).order[0]),
    )


def folds(cases: Sequence[Case], count: int, seed: int) -> list[list[int]]:
    """Indices of the cases in `count` folds; all cases of a group share a fold. The same seed gives the same folds."""
    groups = sorted({case.group for case in cases})
    random.Random(seed).shuffle(groups)
    fold = {group: k % count for k, group in enumerate(groups)}
    return [[i for i, case in enumerate(cases) if fold[case.group] == k] for k in range(min(count, len(groups)))]
