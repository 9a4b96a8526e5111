"""What a method returns: every candidate in order, and probabilities when it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tracer.analyses.features import Features


class Ranking(NamedTuple):
    """Candidates, most suspect first."""

    order: tuple[int, ...]
    words: str
    """Why the first stands first, in words; the ranker gives cues for each candidate instead."""
    probability: dict[int, float] | None = None
    """P(the step is the decisive one | the run failed) for every step of the run, or None: the method only ranks."""


Method = Callable[[Features], Ranking]


def leading(features: Features, first: int, words: str) -> Ranking:
    """`first`, then the other candidates in time order."""
    rest = [index for index in features.view.candidates if index != first]
    return Ranking((first, *rest), words)
