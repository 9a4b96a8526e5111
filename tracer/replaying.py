"""Living a run again from a step on: what a fork is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracer.records import Outcome, Step


class Fork(NamedTuple):
    """Keep the prefix steps, then the edited step if there is one, and let everything after it happen again."""

    prefix: tuple[Step, ...]
    edited: Step | None
    seed: int

    @property
    def kept(self) -> tuple[Step, ...]:
        """The steps that stand before anything happens anew."""
        return self.prefix if self.edited is None else (*self.prefix, self.edited)


class Lived(NamedTuple):
    """What came of a fork."""

    steps: tuple[Step, ...]
    """What happened after the kept steps; these may be repeated before it."""
    outcome: Outcome
    answer: str | None


Replayer = Callable[[Sequence[Fork]], list[Lived]]
"""Lives forks again, each by itself: as many as it was given, in their order.

It may have attributes: `batch`, how many forks it likes at once; `revision`, a text that changes when the system does,
so that its forks are lived anew; `stand_in`, the model that speaks where the system itself cannot be run;
`correct(prefix, step)`, the step as it should have been, or None.
"""
