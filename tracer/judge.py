"""Whether two formulas are equal: math-verify in the worker process, asked once for each formula and each pair."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from tracer.errors import MissingExtraError
from tracer.quantities import Formula, Number
from tracer.worker import OverLimitError, Worker, shared

LONGEST_FORMULA = 300
"""Characters; math-verify is not asked about longer ones."""
CLOSE = 1e-12
"""Relative; values further apart belong to different formulas, so that 1.414214 is not the root of 2."""
REMEMBERED = 1 << 18
"""Verdicts; beyond that all are forgotten and asked again."""

Leaf = Number | Formula


class Fingerprint(NamedTuple):
    """What tells most formulas apart."""

    symbols: tuple[str, ...]
    exact: Fraction | None
    """The formula where it is a rational number."""
    value: complex | None
    """The value where every symbol has a fixed one of its own; None for a set, an equation, a matrix or infinity."""


class Judge:
    """math-verify with a memory. What took too long once raises OverLimitError at once when it is asked again."""

    def __init__(self, worker: Worker | None = None) -> None:
        if not installed():
            raise MissingExtraError.for_extra("math", "equality of formulas")
        self._worker = worker or shared()
        self._known: dict[tuple[str, ...], Any] = {}

    def fingerprint(self, leaf: Leaf) -> Fingerprint | None:
        """None where math-verify cannot read the formula, or may not because of its length."""
        if isinstance(leaf, Number):
            return Fingerprint((), leaf.value, _float(leaf.value))
        if len(leaf.text) > LONGEST_FORMULA:
            return None
        found = self._ask("fingerprint", leaf.text)
        if found is None:
            return None
        exact = found["exact"] and Fraction(found["exact"])
        return Fingerprint(tuple(found["symbols"]), exact, found["value"] and complex(*found["value"]))

    def equal(self, first: Leaf, second: Leaf) -> bool:
        """Equal as mathematics; formulas that differ in the case of letters only are different (n is not N)."""
        one, other = sorted((spelled(first), spelled(second)))
        return one.casefold() != other.casefold() and bool(self._ask("equal", one, other))

    def _ask(self, *question: str) -> Any:
        if question not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            try:
                self._known[question] = self._worker.ask(*question)
            except OverLimitError as late:
                self._known[question] = late
        if isinstance(answer := self._known[question], OverLimitError):
            raise answer
        return answer


@cache
def shared_judge() -> Judge:
    """The judge of this process: what one analysis has asked, the next one knows."""
    return Judge()


def installed() -> bool:
    """Whether the extra [math] is there."""
    return find_spec("math_verify") is not None


def spelled(leaf: Leaf) -> str:
    """A leaf as math-verify reads it."""
    if isinstance(leaf, Formula):
        return leaf.text
    sign = "-" if leaf.value < 0 else ""
    return f"{sign}\\frac{{{abs(leaf.value.numerator)}}}{{{leaf.value.denominator}}}"


def close(one: complex, other: complex) -> bool:
    """Whether two values could be those of equal formulas."""
    return abs(one - other) <= CLOSE * max(abs(one), abs(other)) + 1e-15


def _float(number: Fraction) -> complex | None:
    try:
        return complex(number)
    except OverflowError:
        return None
