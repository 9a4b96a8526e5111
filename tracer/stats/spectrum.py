"""Suspiciousness from spectra: how much more often failed runs have something than successful ones do.

Spectrum-based fault localisation asks of each part of a program which runs went through it; here the parts are agents,
tools, failures of tools and the like. With a of F failed and b of S successful runs that have it:

    ochiai     a / sqrt(F (a + b))                                   Ochiai 1957; Abreu, Zoeteweij, van Gemund 2007
    tarantula  (a / F) / (a / F + b / S)                             Jones, Harrold 2005
    dstar      a^2 / (b + F - a), with a denominator of at least 1   Wong, Debroy, Gao, Li 2014, with * = 2
    explained  1 - P(failed | without it) / P(failed)                the attributable fraction; Levin 1953

Each grows with a / F and falls with b / S, two independent shares. So an interval is put together from their Wilson
bounds (l, u), by recovering the variance that each contributes (Zou and Donner 2008), here for functions that are no
sums: low = m - hypot(m - m(l_F, b), m - m(a, u_S)), high likewise. The runs count as independent. `tests/test_spectrum`
measures the coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from tracer.stats.proportions import Count, Estimate, wilson_bounds


class Measure(NamedTuple):
    """One measure of suspiciousness, of the runs that have something."""

    formula: Callable[[float, float, float, float], float]
    """(a, b, F, S), the first two possibly fractions of a run."""
    least: float
    largest: float
    needs_successes: bool
    """Without successful runs it says nothing."""


def ochiai(a: float, b: float, failed: float, _succeeded: float) -> float:
    """The cosine between having it and failing, 0 to 1; 0 where no run has it."""
    return a / math.sqrt(failed * (a + b)) if a > 0 else 0.0


def tarantula(a: float, b: float, failed: float, succeeded: float) -> float:
    """How far the runs that have it lean towards failing, 0 to 1; blind to how many there are. 1/2 where none has."""
    one, other = a / failed, b / succeeded
    return one / (one + other) if one + other else 0.5


def dstar(a: float, b: float, failed: float, _succeeded: float) -> float:
    """0 to F^2, the more the more runs there are."""
    return a * a / max(b + failed - a, 1.0)


def explained(a: float, b: float, failed: float, succeeded: float) -> float:
    """The share of failures that would not be there if all runs failed as those without it do; 0 where none is without.

    Negative where it goes with success. A cause or something that goes along with one: it cannot tell.
    """
    without = failed - a + succeeded - b
    return 1 - (failed - a) / without * (failed + succeeded) / failed if without > 1e-12 else 0.0


MEASURES: dict[str, Measure] = {
    "ochiai": Measure(ochiai, 0.0, 1.0, False),
    "tarantula": Measure(tarantula, 0.0, 1.0, True),
    "dstar": Measure(dstar, 0.0, math.inf, False),
    "explained": Measure(explained, -math.inf, 1.0, True),
}
"""Every measure of suspiciousness; the first is the default."""


def suspiciousness(name: str, failed: Count, succeeded: Count) -> Estimate | None:
    """A measure with its interval, of the failed and the successful runs that have something.

    None where the measure needs successful runs and there are none, or where no run failed.
    """
    measure = MEASURES[name]
    if not failed.n or (measure.needs_successes and not succeeded.n):
        return None
    (low_f, high_f), (low_s, high_s) = wilson_bounds(*failed), wilson_bounds(*succeeded)

    def at(a: float, b: float) -> float:
        return measure.formula(a, b, failed.n, succeeded.n)

    a, b = failed.hits, succeeded.hits
    value = at(a, b)
    low = value - math.hypot(value - at(low_f * failed.n, b), value - at(a, high_s * succeeded.n))
    high = value + math.hypot(at(high_f * failed.n, b) - value, at(a, low_s * succeeded.n) - value)
    return Estimate(value, max(measure.least, low), min(measure.largest, high), failed.n + succeeded.n)
