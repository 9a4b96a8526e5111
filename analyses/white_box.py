"""The white-box tier: what a language model makes of the steps, weighed into a probability, with nothing lived again.

    P(step i) = exp(w . x_i) / sum over the candidates j of exp(w . x_j)

over all steps that an agent or a tool made. Features are those of `step_signals` beside what the log says of tools, and
the ranker's own probability. Each weight has the sign of its reason (`logit`). They were fitted on runs of the agent
world, whose causes are known (`tracer train white-box`); on other systems they have not been tried.

Needs torch and transformers through `step_signals`; imported on use only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer.analyses.logit import Array, fit, log_softmax, stack
from tracer.analyses.replay_blame import given, prior_of
from tracer.analyses.transcript import ADDRESS
from tracer.analyses.view import USER_ROLES
from tracer.errors import BadInputError
from tracer.graph import dependency_graph
from tracer.records import Record, Recording, Step

if TYPE_CHECKING:
    from tracer.analyses.step_signals import Signals
    from tracer.lm.local import LocalLM

STRENGTH = 1.0
"""Of the penalty on the weights, unless it is chosen."""
STRENGTHS = (0.1, 0.3, 1.0, 3.0)
FOLDS = 5
CAP = 12.0
"""Nats; a word that costs more is as odd as can be."""
STRAY = 0.05
"""Nats from which on a word is not the likeliest one."""
FAR = 1.0
"""From here on it is clearly another one."""
FLOOR = 1e-3
_CIRCLE = re.compile(r"(.{4,120}?)\1\1\S*$")
ENDING = 500
"""Characters at the end of a thought in which a circle is looked for."""


class Known(NamedTuple):
    """A run, as far as the features look at it."""

    steps: Sequence[Step]
    signals: Signals
    prior: Sequence[float]
    """The ranker's probability of each step."""


class Case(NamedTuple):
    """A run whose decisive step is known."""

    known: Known
    step: int


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


def _off(known: Known, index: int) -> bool:
    """Whether a step strays, or a tool worked out something else than a model would."""
    return _strays(known, index) or _odd(known, index)


def _first(known: Known, index: int) -> bool:
    """Whether it is off, and no step before it is."""
    return _off(known, index) and not any(_off(known, k) for k in range(index))


def _last(known: Known, index: int) -> bool:
    """Whether it is off, and no step behind it is: who could have noticed, has not."""
    return _off(known, index) and not any(_off(known, k) for k in range(index + 1, len(known.steps)))


def _garbled(known: Known, index: int) -> bool:
    """Whether a word that others hear is clearly another one than a model would say."""
    return bool(known.signals.stray[index, 2] > FAR)


def _garbled_first(known: Known, index: int) -> bool:
    return _garbled(known, index) and not any(_garbled(known, k) for k in range(index))


def _circles(known: Known, index: int) -> bool:
    """Whether the end of a thought says again what stood right before it, and that again: it does not come out."""
    thought = " ".join((known.steps[index].reasoning or "").split())
    return bool(_CIRCLE.search(thought[-ENDING:]))


def _into_circle(known: Known, index: int) -> bool:
    """Whether a run ends with a thought that goes round in a circle, right after this step."""
    return index == len(known.steps) - 2 and _circles(known, index + 1)


def _moot(known: Known, index: int) -> bool:
    """Whether a thought strays in a run that nobody went on with: what it came to was never told."""
    last = len(known.steps) - 1
    return index < last and _strays(known, index) and not _garbled(known, index) and _astray(known, last)


def _astray_alone(known: Known, index: int) -> bool:
    """Whether nothing garbled led there, and no circle."""
    return _astray(known, index) and not _circles(known, index) and not any(_garbled(known, k) for k in range(index))


def _ignored(known: Known, index: int) -> bool:
    """Whether a tool failed, and the call was not made again."""
    return _failed(known, index) and not _asked_again(known, index)


def _last_failure(known: Known, index: int) -> bool:
    """Whether it is the last one of these: what goes wrong before is mostly made good."""
    return _ignored(known, index) and not any(_ignored(known, k) for k in range(index + 1, len(known.steps)))


def _clean(known: Known) -> bool:
    """Whether nothing is clearly off, and no failure was left alone: then what a tool answered is left."""
    return not any(_far(known, k) or _ignored(known, k) for k in range(len(known.steps)))


def _far(known: Known, index: int) -> bool:
    """Whether a step is clearly off."""
    return known.signals.values[index] > FAR or _garbled(known, index) or _odd(known, index)


def _waved(known: Known, index: int) -> bool:
    """Whether it is off, and so was what it was given, and nobody came after who could have noticed."""
    return index > 0 and _strays(known, index) and _strays(known, index - 1) and _last(known, index)


def _looked_up(known: Known, index: int) -> bool:
    """Whether a tool answered a call that holds no number: nobody could have worked that out, or checked it."""
    step = known.steps[index]
    if step.kind != "tool_result" or _failed(known, index) or index == 0:
        return False
    return not any(each.isdigit() for each in known.steps[index - 1].arguments or "")


def _worked_out(known: Known, index: int) -> bool:
    """Whether a tool answered a call that holds numbers."""
    return known.steps[index].kind == "tool_result" and not _failed(known, index) and not _looked_up(known, index)


def _odd(known: Known, index: int) -> bool:
    return _worked_out(known, index) and bool(known.signals.answered[index] > FAR)


def _addressee(known: Known, index: int) -> str | None:
    """Whom a message names; None where it names nobody."""
    step = known.steps[index]
    return found[1] if (found := ADDRESS.match(step.content.strip())) else step.recipient or step.tool


def _astray(known: Known, index: int) -> bool:
    """Whether a run ends with what is said to an agent, to oneself, or oddly to nobody: nobody went on."""
    step = known.steps[index]
    if index < len(known.steps) - 1 or given(step) or step.kind == "tool_result":
        return False
    named = _addressee(known, index)
    if named is None:
        return bool(known.signals.stray[index, 1] > STRAY)
    return named.lower() not in USER_ROLES


FEATURES: dict[str, Feature] = {
    "thought_cost": Feature(1, lambda k, i: _capped(float(k.signals.cost[i, 0]))),
    "thought_values": Feature(1, lambda k, i: _capped(float(k.signals.values[i]))),
    "said_cost": Feature(1, lambda k, i: _capped(float(k.signals.cost[i, 2]))),
    "said_stray": Feature(1, lambda k, i: _capped(float(k.signals.stray[i, 2]))),
    "garbled": Feature(1, lambda k, i: float(_garbled(k, i))),
    "garbled_first": Feature(1, lambda k, i: float(_garbled_first(k, i))),
    "strays": Feature(1, lambda k, i: float(_strays(k, i))),
    "strays_far": Feature(1, lambda k, i: float(k.signals.values[i] > FAR)),
    "strays_first": Feature(1, lambda k, i: float(_first(k, i))),
    "strays_last": Feature(1, lambda k, i: float(_last(k, i))),
    "waved": Feature(1, lambda k, i: float(_waved(k, i))),
    "tool_failed": Feature(0, lambda k, i: float(_failed(k, i))),
    "tool_ignored": Feature(1, lambda k, i: float(_ignored(k, i))),
    "tool_ignored_last": Feature(1, lambda k, i: float(_last_failure(k, i))),
    "tool_asked_again": Feature(0, lambda k, i: float(_failed(k, i) and _asked_again(k, i))),
    "tool_answered": Feature(0, lambda k, i: float(k.steps[i].kind == "tool_result" and not _failed(k, i))),
    "tool_looked_up": Feature(0, lambda k, i: float(_looked_up(k, i))),
    "tool_looked_up_alone": Feature(1, lambda k, i: float(_looked_up(k, i) and _clean(k))),
    "tool_odd": Feature(1, lambda k, i: _capped(float(k.signals.answered[i])) if _worked_out(k, i) else 0.0),
    "astray": Feature(1, lambda k, i: float(_astray(k, i))),
    "into_circle": Feature(1, lambda k, i: float(_into_circle(k, i))),
    "moot": Feature(-1, lambda k, i: float(_moot(k, i))),
    "astray_alone": Feature(1, lambda k, i: float(_astray_alone(k, i))),
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
    strength: float = 1.0
    """Of the penalty on the weights, chosen by cross-validation."""
    cross_validated: float | None = None
    """Share of the runs whose step came first while it was held out."""


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


def read_case(lm: LocalLM, recording: Recording) -> Case:
    """A labelled run, as a model reads it; its first label counts."""
    from tracer.analyses.step_signals import heard

    run, steps = recording
    edges = dependency_graph(steps, run.task)
    return Case(Known(steps, heard(lm, steps), prior_of(run, steps, edges)[1]), run.labels[0].step)


def load(path: Path) -> WhiteBox:
    """Weights from a file, or one clear line."""
    try:
        return WhiteBox.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: no weights that `tracer train white-box` wrote") from error


def fitted(runs: Sequence[Case], model: str, strength: float = STRENGTH) -> WhiteBox:
    """Weights from runs and their decisive steps."""
    rows = [matrix(each.known) for each in runs]
    chosen = [candidates(each.known.steps).index(each.step) for each in runs]
    signs = np.asarray([feature.sign for feature in FEATURES.values()])
    weights = fit(stack(rows, chosen), signs, strength)
    named = {name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)}
    return WhiteBox(weights=named, runs=len(runs), model=model, strength=strength)


def train(runs: Sequence[Case], model: str) -> WhiteBox:
    """The same with the strength that names most steps rightly in runs that were held out, and with their share.

    Raises BadInputError with less than a run for each fold.
    """
    if len(runs) < FOLDS:
        raise BadInputError(f"{len(runs)} labelled runs are too few to train on; give at least {FOLDS}")
    named = {strength: held_out(runs, model, strength) for strength in STRENGTHS}
    strength = max(STRENGTHS, key=lambda each: named[each])
    return fitted(runs, model, strength).model_copy(update={"cross_validated": round(named[strength], 4)})


def held_out(runs: Sequence[Case], model: str, strength: float) -> float:
    """Share of the runs whose step comes first by weights that were fitted on the other folds."""
    right = 0
    for fold in range(min(FOLDS, len(runs))):
        found = fitted([each for k, each in enumerate(runs) if k % FOLDS != fold], model, strength)
        right += sum(first(each.known, found) == each.step for each in runs[fold::FOLDS])
    return right / len(runs)


def first(known: Known, model: WhiteBox | None = None) -> int:
    """The likeliest step."""
    found = probabilities(known, model)
    return max(range(len(found)), key=lambda k: (found[k], -k))
