"""Blame the first code: the first message with a code block by an agent that is no executor, else the second step.

On AG2's group chats this one line is as good at the exact step as anything published that reads no model.
"""

from tracer.analyses.features import Features
from tracer.analyses.ranking import Ranking, leading


def first_code(features: Features) -> Ranking:
    """The steps with code in time order come next, then the others."""
    view = features.view
    if features.first_code is None:
        return leading(features, min(1, len(view.steps) - 1), "no code in the run: the second step")
    code = [index for index in view.candidates if view.has_code(index)]
    return Ranking(tuple(dict.fromkeys((*code, *view.candidates))), "the first code of the run")
