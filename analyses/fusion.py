"""Structure, white box, judge and replay in one posterior over the steps, each tier's part on show.

    P(i)  proportional to  prior(i) * product over the tiers t of  exp(w_t * r_t(i))                (log-linear pooling)

prior is the ranker's, of every step. r_t(i) is what tier t says of step i beyond what it was told, in nats:

    white box, replay    ln p_t(i) - ln p_before(i)         they hold the tier before in their own figure
    judge                ln((m * v_i + 1) / (k + 1))        v_i of k votes, m steps offered; 0 for steps not offered

The judge's is the logarithm of m times its vote share, smoothed by one vote that is spread evenly: samples that name no
step say nothing, and a step that was not offered is as likely beside the average offered one as before.

Weights. 1 for white box and replay: what they add is in units of their own probability. For the judge 0.5, a prior and
no measurement: k samples of one model repeat one opinion, so that counting them as k witnesses would be too much. At
0.5 five equal votes among five steps raise the odds of theirs over another by sqrt(26), about five. `tracer train
fusion` fits it; until then the result is called uncalibrated. Without any tier the finding is the ranker's, unchanged.

Source: Genest and Zidek 1986, "Combining probability distributions" (logarithmic opinion pools).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from tracer.analyses.domain import Family, basis
from tracer.analyses.features import Features
from tracer.analyses.judgement import Ballot, Judgement
from tracer.analyses.ranker import RankerModel, cues, distribution
from tracer.analyses.replay_blame import blamed
from tracer.analyses.view import View
from tracer.errors import BadInputError
from tracer.graph import propagation_path
from tracer.records import Candidate, Edge, Finding, Record, Run, Step, Verdict

VERSION = 1
JUDGE = 0.5
"""The judge's weight before anything was fitted."""
FLOOR = 1e-6
"""Probabilities below are taken for this much: no tier rules a step out for good."""
SURE = 0.5
"""Posterior from which on the leading step is called the cause."""


class Fitted(Record):
    """What a weight was fitted on."""

    runs: int
    model: str
    revision: str
    method: str
    log_loss: float
    """Per run, out of fold, with the judge."""
    log_loss_without: float
    families: dict[str, Family]


class Fusion(Record):
    """The weights of the tiers."""

    version: int = 1
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default={"white-box": 1.0, "judge": JUDGE, "replay": 1.0}
    )
    """Not below 0: no tier speaks against what it says."""
    fitted: Fitted | None = None

    @field_validator("weights")
    @classmethod
    def _has_the_judges(cls, weights: dict[str, float]) -> dict[str, float]:
        if "judge" not in weights:
            raise ValueError("no weight of the judge")
        return weights


PRIOR = Fusion()
"""Nothing fitted."""


class Tier(NamedTuple):
    """What one tier says."""

    name: str
    ratio: Mapping[int, float]
    """r_t(i) in nats; 0 for a step that is not there."""
    step: int | None
    """The step that it names."""
    figure: float
    """How surely: its probability, or the share of votes."""
    words: str = ""
    """The figure in words, where it is no probability."""


class Known(NamedTuple):
    """A run and what the ranker made of it."""

    run: Run
    steps: Sequence[Step]
    edges: Sequence[Edge]
    finding: Finding
    """The ranker's."""
    prior: Sequence[float]
    """The ranker's probability of every step."""
    cues: Mapping[int, tuple[str, ...]]
    """What the ranker says of each candidate."""


def known(run: Run, steps: Sequence[Step], edges: Sequence[Edge], finding: Finding, model: RankerModel) -> Known:
    """What the ranker knows of a run of which it gave the finding."""
    features = Features(View(steps, run.task, edges))
    told = {index: cues(features, index, model) for index in features.view.candidates}
    return Known(run, steps, edges, finding, list(distribution(features, model).values()), told)


def load(text: str, name: str) -> Fusion:
    """Weights from a JSON file of the user's."""
    try:
        return Fusion.model_validate_json(text)
    except ValueError as error:
        raise BadInputError(
            f"{name}: no fusion weights; make them with `tracer train fusion BENCH.json -o {name}`"
        ) from error


def voted(judgement: Judgement, order: Sequence[int] = ()) -> Tier:
    """The judge's tier; of steps with equal votes the first in `order` leads."""
    votes, offered = judgement.votes, len(judgement.offered)
    named = sum(votes.values())
    ratio = {i: math.log((offered * votes[i] + 1) / (named + 1)) for i in judgement.offered}
    step = judgement.leading(order)
    told = judgement.share(step) if step is not None else judgement.share(-1)
    words = f"{votes[step]} of {told.n} samples [{told.low:.0%}, {told.high:.0%}]" if step is not None else "no answer"
    return Tier("judge", ratio, step, told.value, words)


def moved(name: str, after: Sequence[float], before: Sequence[float]) -> Tier:
    """The tier of a probability that was worked out from the one before it."""
    pairs = enumerate(zip(after, before, strict=True))
    ratio = {i: math.log(max(FLOOR, new)) - math.log(max(FLOOR, old)) for i, (new, old) in pairs}
    step = max(ratio, key=lambda i: (after[i], -i), default=None)
    return Tier(name, ratio, step, after[step] if step is not None else 0.0)


def pool(prior: Sequence[float], tiers: Sequence[Tier], weights: Mapping[str, float] = PRIOR.weights) -> list[float]:
    """The posterior of every step; sums to 1. Without tiers it is the prior itself."""
    if not tiers or not prior:
        return list(prior)
    logs = np.log(np.maximum(FLOOR, np.asarray(prior)))
    for tier in tiers:
        logs = logs + weights.get(tier.name, 1.0) * np.asarray([tier.ratio.get(i, 0.0) for i in range(len(prior))])
    shares = np.exp(logs - logs.max())
    return [float(each) for each in shares / shares.sum()]


def fuse(
    known: Known,
    tiers: Sequence[Tier],
    fusion: Fusion = PRIOR,
    top: int = 5,
    model: tuple[str, str] | None = None,
) -> Finding:
    """The finding by all tiers; without one it is the ranker's, unchanged. `model`: name and revision of the judge."""
    finding = known.finding
    if not tiers:
        return finding
    posterior = pool(known.prior, tiers, fusion.weights)
    candidates = _candidates(known, posterior, top)
    verdict, reason = _verdict(finding, candidates)
    where, why = _basis(known, fusion, tiers, model)
    return finding.model_copy(
        update={
            "method": tiers[-1].name,
            "version": VERSION,
            "verdict": verdict,
            "verdict_reason": reason,
            "probability_basis": where,
            "basis_reason": why,
            "candidates": candidates,
            "evidence": {**finding.evidence, "tiers": _told(known, tiers, fusion, posterior, candidates)},
        }
    )


def _candidates(known: Known, posterior: Sequence[float], top: int) -> tuple[Candidate, ...]:
    symptom = len(known.steps) - 1 if known.finding.symptom is None else known.finding.symptom
    order = sorted(range(len(posterior)), key=lambda i: (-posterior[i], i))[:top]
    return tuple(
        Candidate(
            rank=rank,
            step=i,
            agent=blamed(known.steps, i),
            probability=posterior[i],
            cues=known.cues.get(i, ()),
            path=propagation_path(known.steps, known.edges, i, symptom) if i <= symptom else (),
        )
        for rank, i in enumerate(order, 1)
    )


def _verdict(finding: Finding, candidates: Sequence[Candidate]) -> tuple[Verdict, str]:
    """The cause where the leading step is likelier than all others together, the doubt that it failed counted."""
    chance = 1.0 if finding.p_failed is None else finding.p_failed
    first, *others = candidates
    if (first.probability or 0.0) * chance >= SURE:
        return "root_cause", ""
    if (first.probability or 0.0) >= SURE:
        return "inconclusive", "the log does not say how the run ended; say so with `tracer mark RUN --failed`"
    rival = f" with step {others[0].step}" if others else ""
    return "inconclusive", f"no step stands out: compare step {first.step}{rival}, or `--replay` settles it"


def _basis(known: Known, fusion: Fusion, tiers: Sequence[Tier], model: tuple[str, str] | None) -> tuple[str, str]:
    judged = [tier for tier in tiers if tier.name == "judge"]
    if judged and fusion.fitted is None:
        weight = fusion.weights["judge"]
        return "uncalibrated", f"the judge's weight of {weight:g} is a prior; `tracer train fusion` fits it"
    if len(judged) < len(tiers) or fusion.fitted is None:
        return "uncalibrated", "how these tiers go together was not fitted"
    if model != (fusion.fitted.model, fusion.fitted.revision):
        return "uncalibrated", f"the judge's weight was fitted for {fusion.fitted.model}, which is another model"
    return basis(known.run, known.steps, fusion.fitted.families)


def _told(
    known: Known, tiers: Sequence[Tier], fusion: Fusion, posterior: Sequence[float], candidates: Sequence[Candidate]
) -> list[dict[str, Any]]:
    """What each tier named, cheapest first, and how many nats it gave to each candidate."""
    shown = [each.step for each in candidates]
    first = max(range(len(known.prior)), key=lambda i: (known.prior[i], -i))
    rows: list[dict[str, Any]] = [{"tier": "structure", "step": first, "probability": round(known.prior[first], 4)}]
    for tier in tiers:
        weight = fusion.weights.get(tier.name, 1.0)
        gave = [{"step": i, "nats": round(weight * tier.ratio.get(i, 0.0), 4)} for i in shown]
        row = {"tier": tier.name, "step": tier.step, "probability": round(tier.figure, 4), "weight": weight}
        rows.append(row | {"gave": gave} | ({"words": tier.words} if tier.words else {}))
    return [*rows, {"tier": "fused", "step": shown[0], "probability": round(posterior[shown[0]], 4)}]


def judge_evidence(judgement: Judgement, model: str, revision: str) -> dict[str, Any]:
    """A judgement as a finding keeps it: votes, reasons, citations, and what was cut or dropped."""
    return {
        "model": model,
        "revision": revision,
        "samples": len(judgement.ballots),
        "votes": [{"step": step, "votes": count} for step, count in judgement.votes.most_common()],
        "abstained": _count(judgement.ballots, "abstained"),
        "unreadable": _count(judgement.ballots, "unreadable"),
        "dropped_quotes": sum(each.dropped for each in judgement.ballots),
        "offered": list(judgement.offered),
        "cut_characters": judgement.cut,
        "steps_left_out": judgement.left_out,
        "ballots": [each.model_dump(exclude_none=True) for each in judgement.ballots],
        "cost": {**judgement.cost.model_dump(), "seconds": round(judgement.cost.seconds, 3)},
    }


def _count(ballots: Sequence[Ballot], state: str) -> int:
    return sum(each.state == state for each in ballots)
