"""How a run is lived again from one of its steps: what a fork asks for, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracer.records import Outcome, Step


class Fork(NamedTuple):
    """A run that is to be lived again from somewhere on."""

    prefix: tuple[Step, ...]
    """The steps that stand as recorded; none: from scratch."""
    edited: Step | None
    """What takes the place of the step behind them; None: that step is made anew, as all after it."""
    seed: int


class Lived(NamedTuple):
    """What came of a fork."""

    steps: tuple[Step, ...]
    """The whole run, prefix included."""
    outcome: Outcome
    answer: str | None


Replayer = Callable[[Sequence[Fork]], list[Lived]]
"""Lives forks again, in their order; many at once, so that a replayer can batch them."""
