"""An untrained rule: a plan about something else, else the first action that brought nothing, else what fed the answer.

1. The opening plan is blamed when it repeats less than 30 % of the task's words: then the run solves another task.
2. Else the first acting step whose action failed or came back empty.
3. Else the acting step through which most of the answer's information came: personalised PageRank backwards from the
   symptom and from the steps that first wrote the symptom's own values. Ties go to the earlier step.
"""

from __future__ import annotations

from tracer.analyses.features import Features
from tracer.graph import pagerank_back

PLAN_STRAYS = 0.7
"""Share of the task's words that a plan leaves out, above which it is a plan for something else."""


def rule_r(features: Features) -> int:
    """The step that the rule blames."""
    view = features.view
    opening = view.candidates[0]
    if view.steps[opening].kind == "plan" and features.plan_strays(opening) > PLAN_STRAYS:
        return opening
    failed = next((i for i in view.actors if view.result_status(i) in {"error", "empty"}), None)
    if failed is not None:
        return failed
    seeds = {index: share for index, share in features.introduced_answer.items() if share > 0}
    seeds[view.symptom] = seeds.get(view.symptom, 0.0) + 1.0
    rank = pagerank_back(view.steps, view.edges, seeds)
    return max(view.actors, key=lambda i: (rank[i], -i))
