"""The white-box tier: what a language model makes of the steps, weighed into a probability, with nothing lived again.

    P(step i) = exp(w . x_i) / sum over the candidates j of exp(w . x_j)

over all steps that an agent or a tool made. Features are those of `step_signals` beside what the log says of tools, and
the ranker's own probability. Each weight has the sign of its reason (`logit`). They were fitted on runs of the agent
world, whose causes are known, by `fit`; on other systems they have not been tried.

Needs torch and transformers through `step_signals`; imported on use only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer.analyses.logit import Array, fit, log_softmax, stack
from tracer.analyses.replay_blame import given
from tracer.records import Record, Step

if TYPE_CHECKING:
    from tracer.analyses.step_signals import Signals

STRENGTH = 1.0
"""Of the penalty on the weights."""
CAP = 12.0
"""Nats; a word that costs more is as odd as can be."""
STRAY = 0.05
"""Nats from which on a word is not the likeliest one."""
FLOOR = 1e-3


class Known(NamedTuple):
    """A run, as far as the features look at it."""

    steps: Sequence[Step]
    signals: Signals
    prior: Sequence[float]
    """The ranker's probability of each step."""


class Feature(NamedTuple):
    """One reason to suspect a step, or not to."""

    sign: int
    """Of its weight; 0 leaves it free."""
    value: Callable[[Known, int], float]


def _capped(value: float) -> float:
    return math.log1p(min(CAP, value))


def _failed(known: Known, index: int) -> bool:
    return known.steps[index].tool_status in {"error", "empty"}


def _asked_again(known: Known, index: int) -> bool:
    """Whether the call behind a tool's answer is made once more right after it."""
    calls = [step for step in known.steps[index - 1 : index + 2] if step.kind == "tool_call"]
    return len(calls) == 2 and (calls[0].tool, calls[0].arguments) == (calls[1].tool, calls[1].arguments)


def _strays(known: Known, index: int) -> bool:
    """Whether a number, a name or a word that others hear is not the likeliest one."""
    return bool(max(known.signals.values[index], known.signals.stray[index, 2]) > STRAY)


def _first(known: Known, index: int) -> bool:
    """Whether it strays, and no step before it does."""
    return _strays(known, index) and not any(_strays(known, k) for k in range(index))


def _last_failure(known: Known, index: int) -> bool:
    """Whether a tool failed here, and none does later: what goes wrong before is mostly made good."""
    return _failed(known, index) and not any(_failed(known, k) for k in range(index + 1, len(known.steps)))


def _clean(known: Known) -> bool:
    """Whether no agent strays and no tool fails: then what a tool answered is left."""
    return not any(_strays(known, k) or _failed(known, k) for k in range(len(known.steps)))


def _looked_up(known: Known, index: int) -> bool:
    """Whether a tool answered a call that holds no number: nobody could have worked that out, or checked it."""
    step = known.steps[index]
    if step.kind != "tool_result" or _failed(known, index) or index == 0:
        return False
    return not any(each.isdigit() for each in known.steps[index - 1].arguments or "")


FEATURES: dict[str, Feature] = {
    "thought_cost": Feature(1, lambda k, i: _capped(float(k.signals.cost[i, 0]))),
    "thought_values": Feature(1, lambda k, i: _capped(float(k.signals.values[i]))),
    "address_stray": Feature(0, lambda k, i: _capped(float(k.signals.stray[i, 1]))),
    "said_cost": Feature(1, lambda k, i: _capped(float(k.signals.cost[i, 2]))),
    "said_stray": Feature(1, lambda k, i: _capped(float(k.signals.stray[i, 2]))),
    "strays": Feature(1, lambda k, i: float(_strays(k, i))),
    "strays_first": Feature(1, lambda k, i: float(_first(k, i))),
    "strays_upon": Feature(1, lambda k, i: float(i > 0 and _strays(k, i) and _strays(k, i - 1))),
    "tool_failed": Feature(0, lambda k, i: float(_failed(k, i))),
    "tool_failed_last": Feature(1, lambda k, i: float(_last_failure(k, i))),
    "tool_asked_again": Feature(0, lambda k, i: float(_failed(k, i) and _asked_again(k, i))),
    "tool_answered": Feature(0, lambda k, i: float(k.steps[i].kind == "tool_result" and not _failed(k, i))),
    "tool_looked_up": Feature(0, lambda k, i: float(_looked_up(k, i))),
    "tool_looked_up_alone": Feature(1, lambda k, i: float(_looked_up(k, i) and _clean(k))),
    "reach": Feature(1, lambda k, i: float(k.signals.reach[i])),
    "onward": Feature(1, lambda k, i: float(k.signals.onward[i])),
    "structure": Feature(1, lambda k, i: math.log(max(FLOOR, k.prior[i]))),
    "last": Feature(0, lambda k, i: float(i == len(k.steps) - 1)),
}


class WhiteBox(Record):
    """Weights, and what they were fitted on."""

    version: int = 1
    weights: dict[str, float]
    runs: int
    """Labelled runs behind them."""
    model: str
    """The language model whose signals they weigh."""


@cache
def shipped() -> WhiteBox:
    """The weights that come with the package."""
    return WhiteBox.model_validate_json(files("tracer.analyses").joinpath("white_box.json").read_bytes())


def candidates(steps: Sequence[Step]) -> list[int]:
    """The steps that can be blamed: all that an agent or a tool made."""
    return [k for k, step in enumerate(steps) if not given(step)]


def matrix(known: Known) -> Array:
    """(candidates, features)"""
    rows = [[feature.value(known, k) for feature in FEATURES.values()] for k in candidates(known.steps)]
    return np.asarray(rows, dtype=np.float64).reshape(-1, len(FEATURES))


def probabilities(known: Known, model: WhiteBox | None = None) -> list[float]:
    """P(the step is the decisive one | the run failed) of every step."""
    found, inside = [0.0] * len(known.steps), candidates(known.steps)
    if inside:
        weights = np.asarray([(model or shipped()).weights.get(name, 0.0) for name in FEATURES])
        for k, value in zip(inside, np.exp(log_softmax(matrix(known) @ weights, np.array([0]))), strict=True):
            found[k] = float(value)
    return found


def train(runs: Sequence[tuple[Known, int]], model: str) -> WhiteBox:
    """Weights from runs and their decisive steps."""
    rows = [matrix(known) for known, _ in runs]
    chosen = [candidates(known.steps).index(step) for known, step in runs]
    signs = np.asarray([feature.sign for feature in FEATURES.values()])
    weights = fit(stack(rows, chosen), signs, STRENGTH)
    named = {name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)}
    return WhiteBox(weights=named, runs=len(runs), model=model)
