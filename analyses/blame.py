"""Which step broke a failed run: rank the candidates, say how sure, and show the way from the cause to the symptom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tracer.analyses import failure
from tracer.analyses.domain import basis
from tracer.analyses.features import Features
from tracer.analyses.first_code import first_code
from tracer.analyses.first_error import first_error
from tracer.analyses.graphtracer import graphtracer
from tracer.analyses.last_actor import last_actor
from tracer.analyses.ranker import RankerModel, cues, observed, rank, ranker, shipped
from tracer.analyses.ranking import Method, Ranking
from tracer.analyses.rule_r import rule_r
from tracer.analyses.second_actor import second_actor
from tracer.analyses.view import View
from tracer.errors import TracerError
from tracer.graph import ancestors, impact, propagation_path
from tracer.records import Candidate, Edge, Finding, Outcome, Run, Step, Verdict

VERSION = 1
METHODS: dict[str, Method] = {
    "ranker": ranker,
    "rule-r": rule_r,
    "graphtracer": graphtracer,
    "first-code": first_code,
    "first-error": first_error,
    "second-actor": second_actor,
    "last-actor": last_actor,
}
"""Every way to name a step; the first is the default."""
Assumption = Literal["failed", "ok"]
_ASSUMED: dict[Assumption, Outcome] = {"failed": "failure", "ok": "success"}


def blame(
    run: Run,
    steps: Sequence[Step],
    *,
    edges: Sequence[Edge] | None = None,
    method: str = "ranker",
    model: RankerModel | None = None,
    failure_model: failure.FailureModel | None = None,
    assume: Assumption | None = None,
    top: int = 5,
) -> Finding:
    """The finding for one run.

    `assume` overrides how the run ended; `model` and `failure_model` replace the shipped ones; `top` bounds the
    candidates listed. A run that succeeded gets `no_failure` without candidates. An unknown method raises TracerError.
    """
    if method not in METHODS:
        raise TracerError(f"no method {method!r}; there are: {', '.join(METHODS)}")
    outcome: Outcome = _ASSUMED[assume] if assume else run.outcome
    parameters = {"top": top, "assume": assume}
    if outcome == "success":
        reason = "the run succeeded" + (f", says its {run.outcome_source}" if run.outcome_source and not assume else "")
        return Finding(
            run=run.id, analysis="blame", version=VERSION, parameters=parameters, method=method, verdict="no_failure",
            verdict_reason=reason, outcome=outcome,
        )  # fmt: skip
    features = Features(View(steps, run.task, edges))
    used = model or shipped()
    ranking = rank(features, used) if method == "ranker" else METHODS[method](features)
    chance = failure.p_failed(features, failure_model) if outcome == "unknown" else None
    verdict, reason = _verdict(ranking, used.threshold, chance)
    where, why = basis(run, steps, used.families) if ranking.probability else (None, "")
    return Finding(
        run=run.id,
        analysis="blame",
        version=VERSION,
        parameters=parameters,
        method=method,
        verdict=verdict,
        verdict_reason=reason,
        probability_basis=where,
        basis_reason=why,
        outcome=outcome,
        p_failed=chance,
        symptom=features.view.symptom,
        candidates=_candidates(features, ranking, used if method == "ranker" else None, top),
        evidence=_evidence(features, ranking, top),
    )


def _verdict(ranking: Ranking, threshold: float, chance: float | None) -> tuple[Verdict, str]:
    """Root cause when the leading step is more likely right than wrong, all doubts counted."""
    if ranking.probability is None:
        return "root_cause", ranking.words
    first, *others = ranking.order
    sure = ranking.probability[first] * (chance if chance is not None else 1.0)
    if sure >= threshold:
        return "root_cause", ""
    if chance is not None and ranking.probability[first] >= threshold:
        return (
            "inconclusive",
            "the log does not say how the run ended; say so with `tracer mark RUN --failed`, or `--assume failed`",
        )
    if others:
        return "inconclusive", f"no step stands out: compare step {first} with step {others[0]} to settle it"
    return "inconclusive", f"only step {first} can be blamed, and little speaks for it"


def _candidates(features: Features, ranking: Ranking, model: RankerModel | None, top: int) -> tuple[Candidate, ...]:
    view = features.view
    found = []
    for position, index in enumerate(ranking.order[:top]):
        told = cues(features, index, model) if model else ((ranking.words,) if position == 0 else ())
        path = propagation_path(view.steps, view.edges, index, view.symptom) if index <= view.symptom else ()
        found.append(
            Candidate(
                rank=position + 1,
                step=index,
                agent=view.steps[index].agent,
                probability=ranking.probability[index] if ranking.probability else None,
                interval=observed(model, ranking.probability[index]) if model and ranking.probability else None,
                cues=told,
                path=path,
            )
        )
    return tuple(found)


def _evidence(features: Features, ranking: Ranking, top: int) -> dict[str, object]:
    """The graph's view of the listed candidates: it explains the verdict, the ranking does not rest on it."""
    view = features.view
    score, upstream = impact(view.steps, view.edges), ancestors(view.edges, view.symptom)
    return {
        "orchestrated": view.orchestrated,
        "candidates": len(view.candidates),
        "graph": [
            {
                "step": index,
                "impact": round(score[index], 4),
                "upstream_of_symptom": index in upstream or index == view.symptom,
            }
            for index in ranking.order[:top]
        ],
    }
