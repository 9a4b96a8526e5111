"""GraphTracer's localisation: back from the failure node, ancestors ranked by impact (arXiv 2510.10581, withdrawn).

impact = alpha * out-degree + (1 - alpha) * betweenness on the information dependency graph. The paper then validates
candidates by counterfactual replay with a model; that part needs a runnable system and is not here.
"""

from tracer.analyses.features import Features
from tracer.analyses.ranking import Ranking
from tracer.graph import ancestors, impact


def graphtracer(features: Features) -> Ranking:
    """Ancestors of the symptom by impact, then the other candidates by impact; ties go to the earlier step."""
    view = features.view
    score = impact(view.steps, view.origins)
    upstream = ancestors(view.origins, view.symptom)
    order = sorted(view.candidates, key=lambda i: (i not in upstream, -score[i], i))
    return Ranking(tuple(order), "the ancestor of the symptom with the largest impact")
