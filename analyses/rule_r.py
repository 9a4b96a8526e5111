"""An untrained rule: a plan about something else, else the first action that brought nothing, else what fed the answer.

1. The opening plan is blamed when it repeats less than 30 % of the task's words: then the run solves another task.
2. Else the first acting step whose action failed or came back empty.
3. Else the acting step through which most of the answer's information came: personalised PageRank backwards from the
   symptom and from the steps that first wrote the symptom's own values. Ties go to the earlier step.
"""

from __future__ import annotations

from tracer.analyses.features import Features
from tracer.analyses.ranking import Ranking
from tracer.graph import pagerank_back

PLAN_STRAYS = 0.7
"""Share of the task's words that a plan leaves out, above which it is a plan for something else."""


def rule_r(features: Features) -> Ranking:
    """The rule's step, then the acting steps by that PageRank, then the others in time order."""
    view = features.view
    rank = _pagerank(features)
    by_rank = sorted(view.actors, key=lambda i: (-rank[i], i))
    first, words = _choice(features, by_rank[0])
    order = dict.fromkeys((first, *by_rank, *view.candidates))
    return Ranking(tuple(order), words)


def _choice(features: Features, highest: int) -> tuple[int, str]:
    view = features.view
    opening = view.candidates[0]
    if features.plan_strays(opening) > PLAN_STRAYS:
        return opening, "the plan is about something else than the task"
    failed = next((i for i in view.actors if view.result_status(i) in {"error", "empty"}), None)
    if failed is not None:
        return failed, "the first action that failed or brought nothing"
    return highest, "most of the answer's information came through it"


def _pagerank(features: Features) -> list[float]:
    seeds = {index: share for index, share in features.introduced_answer.items() if share > 0}
    symptom = features.view.symptom
    seeds[symptom] = seeds.get(symptom, 0.0) + 1.0
    return pagerank_back(features.view.steps, features.view.origins, seeds)
