"""Fit the judge's weight on a benchmark: `tracer train fusion BENCH.json`.

    maximise over w >= 0    sum over runs of  ln P_w(label)     P_w: the pool of `fusion`, the judge at weight w

The pool is a conditional logit with one weight and the ranker's logarithm as its offset, so the sum is concave in w:
Newton steps find its only top. Out of fold: the weight is fitted on the runs of other questions, in 5 folds, and the
log-loss of the held-out runs is set beside that without the judge, with the interval of the difference over questions.

Edge cases: where no answer helps w is 0, and the judge changes nothing; where every answer is right it is held at MOST.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracer.analyses.domain import Family
from tracer.analyses.fusion import FLOOR, PRIOR, Fitted, Fusion, voted
from tracer.analyses.judgement import Ballot, Judgement
from tracer.analyses.judges import RANKED
from tracer.analyses.logit import Array
from tracer.errors import BadInputError
from tracer.stats import bootstrap_mean
from tracer.stats.proportions import Estimate

FOLDS = 5
MIN_RUNS = 20
"""Fewer judged runs than this fix no weight."""
MOST = 5.0
"""Of the weight: ten times the prior one."""
MOST_SAMPLES = 100_000
"""Of one run; a benchmark that states more was not made by asking."""


class Row(NamedTuple):
    """One judged run."""

    group: str
    offset: Array
    """(steps,) logarithm of the ranker's probability"""
    ratio: Array
    """(steps,) of the judge's tier"""
    label: int


class Judged(BaseModel):
    """A run as the benchmark tells it; what else stands there is passed over."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    group: str
    framework: str | None = None
    steps: int = Field(ge=1)
    tool_share: float = Field(ge=0, le=1)
    label: int
    prior: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    offered: tuple[int, ...]
    votes: tuple[tuple[int, Annotated[int, Field(ge=0)]], ...]
    samples: int = Field(ge=0, le=MOST_SAMPLES)

    @model_validator(mode="after")
    def _is_one_vote(self) -> Self:
        """No more votes than samples, for steps that were offered, which are steps of the run."""
        steps = set(self.offered)
        if sum(count for _, count in self.votes) > self.samples or not {step for step, _ in self.votes} <= steps:
            raise ValueError("votes that were not cast")
        if not steps <= set(range(len(self.prior))):
            raise ValueError("steps that the run has not")
        return self


class Bench(BaseModel):
    """What a benchmark says of the model that was asked."""

    model_config = ConfigDict(strict=True)

    name: str
    revision: str
    method: str
    ground_truth: bool = False
    rows: tuple[Judged, ...]


class TrainedFusion(NamedTuple):
    """The weights, and how they did out of fold."""

    fusion: Fusion
    gain: Estimate
    """Log-loss without the judge less that with it, per run, over questions."""
    weights: tuple[float, ...]
    """Of the folds."""


def train(text: str, name: str) -> TrainedFusion:
    """Fit on the JSON that `tracer bench whowhen --lm ... --json` printed."""
    told = _read(text, name)
    rows = [_row(each) for each in told.rows]
    if len(rows) < MIN_RUNS:
        raise BadInputError(f"{name}: {len(rows)} judged runs are too few to fit a weight; give at least {MIN_RUNS}")
    weights, losses = _out_of_fold(rows)
    without = [loss(row, 0.0) for row in rows]
    gain = bootstrap_mean([off - on for off, on in zip(without, losses, strict=True)], [row.group for row in rows])
    fitted = Fitted(
        runs=len(rows),
        model=told.name,
        revision=told.revision,
        method=told.method,
        log_loss=round(math.fsum(losses) / len(rows), 4),
        log_loss_without=round(math.fsum(without) / len(rows), 4),
        families=_families(told.rows),
    )
    chosen = {**PRIOR.weights, "judge": round(fit(rows), 4)}
    return TrainedFusion(Fusion(weights=chosen, fitted=fitted), gain, tuple(round(each, 4) for each in weights))


def loss(row: Row, weight: float) -> float:
    """-ln P_w(label)."""
    logs = row.offset + weight * row.ratio
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum())) - float(logs[row.label])


def fit(rows: Sequence[Row]) -> float:
    """The weight in [0, MOST] with the least loss: Newton steps on a convex sum, held inside by bisection."""
    low, high, weight = 0.0, MOST, PRIOR.weights["judge"]
    for _ in range(100):
        slope, bend = _derivatives(rows, weight)
        low, high = (weight, high) if slope < 0 else (low, weight)
        before, step = weight, weight - slope / bend if bend > 0 else math.nan
        weight = step if low <= step <= high else (low + high) / 2
        if abs(weight - before) < 1e-9:
            break
    return weight if weight > 1e-6 else 0.0


def _derivatives(rows: Sequence[Row], weight: float) -> tuple[float, float]:
    """First and second derivative of the summed loss: mean less the label's ratio, and variance, under P_w."""
    slope = bend = 0.0
    for row in rows:
        logs = row.offset + weight * row.ratio
        chance = np.exp(logs - logs.max())
        chance /= chance.sum()
        mean = float(chance @ row.ratio)
        slope += mean - float(row.ratio[row.label])
        bend += float(chance @ row.ratio**2) - mean**2
    return slope, bend


def _out_of_fold(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """The weight of each fold, and each run's loss under the weight of the runs of other questions."""
    groups = sorted({row.group for row in rows})
    random.Random(0).shuffle(groups)
    fold = {group: k % FOLDS for k, group in enumerate(groups)}
    weights = [fit([row for row in rows if fold[row.group] != k]) for k in range(min(FOLDS, len(groups)))]
    return weights, [loss(row, weights[fold[row.group]]) for row in rows]


def _read(text: str, name: str) -> Bench:
    """The judge's part of a benchmark; labels that stand on no step of their run are left out."""
    try:
        told = Bench.model_validate_json(_lm(text))
    except ValueError as error:
        raise BadInputError(
            f"{name}: no benchmark of a judge; make one with `tracer bench whowhen DIR --lm URL --json > {name}`"
        ) from error
    if told.method not in RANKED or told.ground_truth:
        raise BadInputError(
            f"{name}: its answers are not what `tracer blame --judge` asks for: bench with --method judge, "
            "without --ground-truth"
        )
    return told.model_copy(update={"rows": tuple(row for row in told.rows if 0 <= row.label < len(row.prior))})


def _lm(text: str) -> str:
    try:
        return json.dumps(json.loads(text)["lm"])
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError("no part of a language model") from error


def _row(told: Judged) -> Row:
    """The tier is made of the votes just as for a blame."""
    ballots = [Ballot(state="named", step=step) for step, count in told.votes for _ in range(count)]
    silent = [Ballot(state="abstained")] * (told.samples - len(ballots))
    tier = voted(Judgement(method="judge", offered=told.offered, ballots=(*ballots, *silent)))
    prior = np.asarray(told.prior, dtype=np.float64)
    ratio = np.asarray([tier.ratio.get(i, 0.0) for i in range(len(prior))])
    return Row(told.group, np.log(np.maximum(FLOOR, prior)), ratio, told.label)


def _families(rows: Sequence[Judged]) -> dict[str, Family]:
    """What the judged runs were like, by framework: elsewhere the figures are out of domain."""
    found: dict[str, list[Judged]] = {}
    for row in rows:
        if row.framework:
            found.setdefault(row.framework, []).append(row)
    return {
        name: Family(
            runs=len(each),
            steps=(min(r.steps for r in each), max(r.steps for r in each)),
            tool_share=(min(r.tool_share for r in each), max(r.tool_share for r in each)),
        )
        for name, each in sorted(found.items())
    }
