"""The default method: a conditional logit over the steps of a run, joined with rule R where an orchestrator leads.

    P(i) = (1 - e) * [ b * 1(i is rule R's step) + (1 - b) * softmax_i(w . x_i) ]      over the candidates
    P(i) = e / number of other steps                                                  elsewhere

b is the rule's smoothed hit rate on the orchestrated training runs, and 0 in other runs: on orchestrated runs the few
labels teach the logit little, and the rule alone names more steps. e is the smoothed share of training labels that
stand on a step which is no candidate. Weights live in ranker.json, what they were trained on in ranker.training.json.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from tracer.analyses.domain import Family
from tracer.analyses.features import FEATURES, Features
from tracer.analyses.logit import log_softmax
from tracer.analyses.ranking import Ranking
from tracer.analyses.rule_r import rule_r
from tracer.errors import BadInputError
from tracer.records import Interval, Record
from tracer.stats import wilson

CUES = 3
"""At most so many cues are told for a candidate."""
_CUE_FLOOR = 0.1
"""A feature is told when it raises the log-odds of a step against the run's average candidate by at least this much."""


class Bin(Record):
    """Steps that were given about the same probability, on runs held out of the training."""

    low: float
    high: float
    """Probabilities above `low` and up to `high`."""
    n: int
    right: int
    """How many of them were the labelled step."""


class RankerModel(Record):
    """A trained ranker."""

    version: int = 1
    weights: dict[str, float]
    """One weight for each feature, on the feature's own scale."""
    rule_share: float
    """b: the share of probability that rule R's step gets in an orchestrated run."""
    outside: float
    """e: the probability that the decisive step is no candidate."""
    threshold: float
    """Top probability from which on a verdict is more often right than wrong; below it the verdict is inconclusive."""
    families: dict[str, Family]
    reliability: tuple[Bin, ...] = ()
    """Out-of-fold probabilities of the training runs against their labels."""


@cache
def shipped() -> RankerModel:
    """The ranker that comes with the package."""
    return RankerModel.model_validate_json(files("tracer.analyses").joinpath("ranker.json").read_bytes())


def load(text: str, name: str) -> RankerModel:
    """A ranker from a JSON file of the user's."""
    try:
        model = RankerModel.model_validate_json(text)
    except ValueError as error:
        raise BadInputError(f"{name}: no ranker; make one with `tracer train ranker DIR -o {name}`") from error
    if unknown := set(model.weights) - set(FEATURES):
        raise BadInputError(f"{name}: knows features that this version has not: {', '.join(sorted(unknown))}")
    return model


def rank(features: Features, model: RankerModel) -> Ranking:
    """All candidates by probability; ties go to the earlier step."""
    probability = distribution(features, model)
    order = sorted(features.view.candidates, key=lambda i: (-probability[i], i))
    return Ranking(tuple(order), "", probability)


def ranker(features: Features) -> Ranking:
    """The shipped ranker as a method."""
    return rank(features, shipped())


def distribution(features: Features, model: RankerModel) -> dict[int, float]:
    """P for every step of the run; sums to 1."""
    view = features.view
    weights = np.asarray([model.weights.get(name, 0.0) for name in FEATURES])
    inside = np.exp(log_softmax(features.rows @ weights, np.array([0])))
    if view.orchestrated:
        chosen = rule_r(features).order[0]
        inside = (1 - model.rule_share) * inside + model.rule_share * np.array([i == chosen for i in view.candidates])
    return spread(dict(zip(view.candidates, inside.tolist(), strict=True)), len(view.steps), model.outside)


def observed(model: RankerModel, probability: float) -> Interval | None:
    """The share of labelled steps among those with about this probability: Wilson's 95 % interval, and their number."""
    for each in model.reliability:
        if each.low < probability <= each.high and each.n:
            share = wilson(each.right, each.n)
            return Interval(low=round(share.low, 4), high=round(share.high, 4), n=each.n)
    return None


def spread(inside: dict[int, float], steps: int, outside: float) -> dict[int, float]:
    """Give the share `outside` to the steps that are no candidates, evenly."""
    others = [index for index in range(steps) if index not in inside]
    kept = 1 - outside if others else 1.0
    return {index: kept * inside[index] if index in inside else outside / len(others) for index in range(steps)}


def cues(features: Features, index: int, model: RankerModel) -> tuple[str, ...]:
    """What speaks for a candidate, strongest first: features that lift it above the run's average candidate."""
    rows = features.rows
    weights = np.asarray([model.weights.get(name, 0.0) for name in FEATURES])
    lift = weights * (rows[features.view.candidates.index(index)] - rows.mean(axis=0))
    names = [name for name, _ in sorted(zip(FEATURES, lift, strict=True), key=lambda pair: -pair[1]) if _ >= _CUE_FLOOR]
    told = [_told(features, index, name) for name in names[:CUES] if FEATURES[name].value(features, index) > 0]
    if features.view.orchestrated and (ruled := rule_r(features)).order[0] == index:
        same = [words for words in told if words.startswith(ruled.words)]  # the rule and a feature may say the same
        told = [*(same or [ruled.words]), *(words for words in told if words not in same)]
    return tuple(told)


def _told(features: Features, index: int, name: str) -> str:
    """A feature's words, with the rule that called a result failed."""
    result = features.view.results.get(index)
    if name in {"empty", "first_failing"} and result is not None and result.tool_rule:
        return f"{FEATURES[name].words} ({result.tool_rule})"
    return FEATURES[name].words
