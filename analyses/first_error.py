"""Blame the action behind the first error or empty result, else the second acting step."""

from tracer.analyses.features import Features
from tracer.analyses.ranking import Ranking, leading
from tracer.analyses.second_actor import second_actor


def first_error(features: Features) -> Ranking:
    """Actions that failed come in time order, then the others."""
    if features.first_failing is None:
        return second_actor(features)
    return leading(features, features.first_failing, "the first action that failed or brought nothing")
