"""Blame the last acting step; candidates in reversed time order."""

from tracer.analyses.features import Features
from tracer.analyses.ranking import Ranking


def last_actor(features: Features) -> Ranking:
    """The members' own steps come before an orchestrator's books."""
    actors = features.view.actors[::-1]
    acting = set(actors)
    rest = [index for index in reversed(features.view.candidates) if index not in acting]
    return Ranking((*actors, *rest), "the last acting step")
