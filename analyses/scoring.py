"""Scoring of named steps against labels: strict equality, and the official scorer of Who&When beside it.

Strict: the step is the label's integer; the agent is the label's name (case folded, for spelling varies in the data).
Official (evaluate.py of the benchmark): the label's *string* is a substring of the prediction's, so "1" counts inside
"12". It flatters long runs, and is shown only because published figures use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracer.analyses.cases import Case
from tracer.stats import bootstrap_mean, calibration, wilson

TOLERANCES = (1, 2, 3, 4, 5)


class Prediction(NamedTuple):
    """What a method said of one case."""

    case: Case
    order: tuple[int, ...]
    """Steps, most suspect first."""
    probability: dict[int, float] | None = None
    claims: bool = True
    """False when the method abstains (inconclusive)."""
    named: str | None = None
    """The agent that the method named by itself, beside the step."""

    @property
    def step(self) -> int | None:
        """The step named; None where a language model named none, which is never right."""
        return self.order[0] if self.order else None

    @property
    def agent(self) -> str:
        """The agent named: who acts at that step, unless the method named one by itself."""
        if self.named is not None:
            return self.named
        return "" if self.step is None else self.case.steps[self.step].agent

    @property
    def step_right(self) -> bool:
        """Strict equality of the step."""
        return self.step == self.case.label.step

    @property
    def agent_right(self) -> bool:
        """Strict equality of the agent."""
        return self.agent.casefold() == self.case.label.agent.casefold()

    @property
    def rank(self) -> int:
        """1-based rank of the label; past the end when the method does not list it."""
        step = self.case.label.step
        return self.order.index(step) + 1 if step in self.order else len(self.case.steps) + 1


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """All figures of one method on one subset; rates are fractions, intervals 95 %."""
    groups = [p.case.group for p in predictions]
    step = bootstrap_mean([float(p.step_right) for p in predictions], groups)
    agent = bootstrap_mean([float(p.agent_right) for p in predictions], groups)
    label = [p.case.label.step for p in predictions]
    lone = all(len(p.order) < min(2, len(p.case.steps)) for p in predictions)  # it names one step and ranks none
    strict = {
        "agent": agent.value,
        "agent_ci": [agent.low, agent.high],
        "step": step.value,
        "step_ci": [step.low, step.high],
        "joint": _share([p.step_right and p.agent_right for p in predictions]),
        "top3": None if lone else _share([p.rank <= 3 for p in predictions]),
        "top5": None if lone else _share([p.rank <= 5 for p in predictions]),
        "within": {
            str(k): _share(
                [p.step is not None and abs(p.step - s) <= k for p, s in zip(predictions, label, strict=True)]
            )
            for k in TOLERANCES
        },
        "mean_rank": sum(p.rank for p in predictions) / len(predictions),
    }
    official = {
        "agent": _share([p.agent != "" and p.case.label.agent in p.agent for p in predictions]),
        "step": _share([p.step is not None and p.case.label.stated in str(p.step) for p in predictions]),
    }
    return {"strict": strict, "official": official, **_probabilistic(predictions), **_abstaining(predictions)}


def _abstaining(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """How often a method commits itself, and how often it is right then."""
    claimed = [p for p in predictions if p.claims]
    right = wilson(sum(p.step_right for p in claimed), len(claimed))
    return {
        "coverage": len(claimed) / len(predictions),
        "step_when_claimed": right.value,
        "step_when_claimed_ci": [right.low, right.high],
    }


def _probabilistic(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Log-loss, Brier score (mean over runs of the sum over steps) and calibration, for methods with probabilities."""
    if any(p.probability is None for p in predictions):
        return {}
    losses, briers, stated, true, groups = [], [], [], [], []
    for p in predictions:
        probability = p.probability or {}
        losses.append(-math.log(max(probability.get(p.case.label.step, 0.0), 1e-12)))
        briers.append(sum((q - (index == p.case.label.step)) ** 2 for index, q in probability.items()))
        for index in p.case.features.view.candidates:
            stated.append(probability[index])
            true.append(index == p.case.label.step)
            groups.append(p.case.group)
    curve = calibration(stated, true, groups)
    return {
        "log_loss": sum(losses) / len(losses),
        "brier": sum(briers) / len(briers),
        "calibration": {"slope": list(curve.slope[:3]), "intercept": list(curve.intercept[:3])},
    }
