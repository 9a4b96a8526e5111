"""Two runs side by side: which step of one stands beside which step of the other, and where they part."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tracer.records import Step

How = Literal["same", "changed", "left", "right"]
"""same: both say the same · changed: the same agent does something else · left, right: only that run has it."""
Slice = tuple[int, int]
"""Start and end in `said(step)`, in code points as Python slices."""


class Pairing(NamedTuple):
    """One row of the comparison."""

    left: int | None
    """Step of the left run, or None."""
    right: int | None
    how: How
    left_words: tuple[Slice, ...] = ()
    """What the right step does not say. In a "same" row: times and identifiers, which are not compared."""
    right_words: tuple[Slice, ...] = ()


class Divergence(NamedTuple):
    """How two runs relate, row by row, in the order of both."""

    rows: tuple[Pairing, ...]
    first: int | None
    """The first row that is not "same": where the runs part. None when they never do."""


def said(step: Step) -> str:
    """The text by which a step is compared: what it gives to others, else its reasoning."""
    return step.spoken.strip() or (step.reasoning or "").strip()
