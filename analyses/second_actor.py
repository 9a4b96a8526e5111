"""Blame the second acting step: the first is often only the plan or the request."""

from tracer.analyses.features import Features
from tracer.analyses.ranking import Ranking, leading


def second_actor(features: Features) -> Ranking:
    """In an orchestrated run only the members' own steps count as acting."""
    actors = features.view.actors
    return leading(features, actors[min(1, len(actors) - 1)], "the second acting step")
