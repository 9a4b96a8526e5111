"""What failed runs have that successful ones have not.

Every element is tested by Fisher's exact test, all of them together under Benjamini and Hochberg. Of those that stand
the test, most only accompany others: an agent is in as many failed runs as the tool that fails in its hands. So they
are taken in turn, as faults are in programs that have several (Jones, Bowring, Harrold 2007): the most suspicious one
first; then the next must stand the test among runs that are alike in having or not having it (Mantel and Haenszel
1959), and so on. What does not is explained by what was taken.

Before an element is taken it is sharpened: a narrower one, had by some of the same runs, takes its place where the runs
that it leaves fail no more than the others do. In the end the patterns are ranked by impact: the lower bound of the
share of all failures that each explains beyond those taken before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.elements import is_trouble, words
from tracer.analyses.spectra import Bools, Spectra
from tracer.fleet import Figure, Status, Suspect
from tracer.stats import MEASURES, Count, benjamini_hochberg, fisher, suspiciousness, wilson_bounds

LEVEL = 0.05
"""False discovery rate of the claims."""
KEPT = 0.5
"""What a narrower element must keep of the failures beyond those of other runs, at least."""
EXAMPLES = 5

Ints = npt.NDArray[np.int64]


class Found(NamedTuple):
    """What the table says of each group of elements."""

    failed: Ints
    succeeded: Ints
    p: npt.NDArray[np.float64]
    q: npt.NDArray[np.float64]
    taken: list[int]
    """Groups that are patterns, in order."""
    cause: dict[int, int]
    """Explained group -> the pattern that has most of its failed runs."""


class Told(NamedTuple):
    """Every suspect, and which failed runs have each pattern, by its rank."""

    suspects: list[Suspect]
    holders: dict[int, frozenset[str]]


_ORDER = {"pattern": 0, "explained": 1, "undecided": 2, "untested": 3}


def suspects(spectra: Spectra, runs: Sequence[str], measure: str) -> Told:
    """Every group of elements: the patterns in their order, then what they explain, then the rest by the measure.

    Where no run succeeded nothing is tested, and what is a sign of trouble by itself comes first.
    """
    found = find(spectra, measure)
    rank = {group: place + 1 for place, group in enumerate(found.taken)}
    told = [(_suspect(spectra, found, group, rank, runs), group) for group in range(len(spectra.groups))]

    def order(pair: tuple[Suspect, int]) -> tuple[object, ...]:
        suspect, group = pair
        calm = suspect.status == "untested" and not is_trouble(spectra.groups[group][0])
        return _ORDER[suspect.status], suspect.rank or 0, calm, -_low(suspect, measure), group

    holders = {place: frozenset(_failed_with(spectra, group, runs)) for group, place in rank.items()}
    return Told([suspect for suspect, _ in sorted(told, key=order)], holders)


def _failed_with(spectra: Spectra, group: int, runs: Sequence[str]) -> list[str]:
    return [runs[int(row)] for row in np.flatnonzero(spectra.held[:, group] & spectra.failed)]


def find(spectra: Spectra, measure: str) -> Found:
    """Test every group, and take the patterns among them."""
    failed, succeeded = _counts(spectra.held, spectra.failed)
    p = _p_values(failed, succeeded, spectra.failed)
    q = np.asarray(benjamini_hochberg(p.tolist())) if len(p) else p
    if not succeeded_runs(spectra):
        return Found(failed, succeeded, p, q, [], {})
    discovered = [int(group) for group in np.flatnonzero(q <= LEVEL)]
    impact = _take(spectra, discovered, measure)
    taken = sorted(impact, key=lambda group: -impact[group])
    rest = [group for group in discovered if group not in taken]
    return Found(failed, succeeded, p, q, taken, {group: _closest(spectra, group, taken) for group in rest if taken})


def succeeded_runs(spectra: Spectra) -> int:
    """How many runs succeeded."""
    return int((~spectra.failed).sum())


def _take(spectra: Spectra, discovered: Sequence[int], measure: str) -> dict[int, float]:
    """The patterns with their impact: each the most suspicious one beyond those before it."""
    taken: dict[int, float] = {}
    failures = int(spectra.failed.sum())
    while left := [group for group in discovered if group not in taken]:
        rest = ~spectra.held[:, list(taken)].any(axis=1)
        held, outcomes = spectra.held[rest], spectra.failed[rest]
        totals = int(outcomes.sum()), int((~outcomes).sum())
        failed, succeeded = _counts(held, outcomes)
        q = benjamini_hochberg([beyond(spectra, group, list(taken)) for group in left])
        standing = [group for group, each in zip(left, q, strict=True) if each <= LEVEL]
        if not standing:
            break
        first = max(standing, key=lambda group: _lower(measure, failed, succeeded, group, totals))
        if failed[first]:
            first = _sharpened(held, outcomes, first, standing)
        taken[first] = _lower("explained", failed, succeeded, first, totals) * totals[0] / failures
    return taken


def beyond(spectra: Spectra, group: int, taken: Sequence[int]) -> float:
    """p of a group among runs that are alike in what was taken: Fisher's where nothing was, else Mantel and Haenszel's.

    With m of N runs of a stratum that have it, F of them failed, and a that have it and failed, z is the sum of
    a - mF/N, less 1/2, over the root of the sum of m(N - m)F(N - F) / (N^2 (N - 1)). 1 where it is no more frequent in
    failed runs.
    """
    column, outcomes = spectra.held[:, group], spectra.failed
    if not taken:
        one, other = (Count(int((column & side).sum()), int(side.sum())) for side in (outcomes, ~outcomes))
        return fisher(one, other) if one.share > other.share else 1.0
    surplus, variance = 0.0, 0.0
    _, strata = np.unique(spectra.held[:, taken], axis=0, return_inverse=True)
    for stratum in range(int(strata.max()) + 1):
        runs = strata.ravel() == stratum
        n, m, f = int(runs.sum()), int((runs & column).sum()), int((runs & outcomes).sum())
        if n > 1:
            surplus += int((runs & column & outcomes).sum()) - m * f / n
            variance += m * (n - m) * f * (n - f) / (n * n * (n - 1))
    return math.erfc((surplus - 0.5) / math.sqrt(2 * variance)) if surplus > 0.5 and variance else 1.0


def _sharpened(held: Bools, outcomes: Bools, wide: int, standing: Sequence[int]) -> int:
    """A narrower element that says the same, the one whose runs fail most surely; else the wide one itself."""
    wide_runs = held[:, wide]
    usual = _count(~wide_runs, outcomes).share if not wide_runs.all() else 0.0

    def beyond_usual(runs: Bools) -> float:
        return int((runs & outcomes).sum()) - usual * int(runs.sum())

    best, surest = wide, _surely(wide_runs, outcomes)
    for group in standing:
        runs = held[:, group]
        within = not (runs & ~wide_runs).any() and beyond_usual(runs) >= KEPT * beyond_usual(wide_runs)
        if within and _surely(runs, outcomes) > surest and not _stands_out(wide_runs & ~runs, ~wide_runs, outcomes):
            best, surest = group, _surely(runs, outcomes)
    return best


def _surely(runs: Bools, outcomes: Bools) -> float:
    """Lower Wilson bound of the share that failed."""
    return wilson_bounds(int((runs & outcomes).sum()), int(runs.sum()))[0]


def _stands_out(runs: Bools, others: Bools, outcomes: Bools) -> bool:
    """Whether runs fail more often than others do."""
    one, other = _count(runs, outcomes), _count(others, outcomes)
    return one.share > other.share and fisher(one, other) <= LEVEL if one.n and other.n else False


def _count(runs: Bools, outcomes: Bools) -> Count:
    return Count(int((runs & outcomes).sum()), int(runs.sum()))


def _closest(spectra: Spectra, group: int, taken: Sequence[int]) -> int:
    """The pattern that shares most of a group's failed runs, in the sense of Jaccard."""
    own = spectra.held[:, group] & spectra.failed

    def jaccard(other: int) -> float:
        theirs = spectra.held[:, other] & spectra.failed
        return float((own & theirs).sum() / max(1, (own | theirs).sum()))

    return max(taken, key=jaccard)


def _counts(held: Bools, outcomes: Bools) -> tuple[Ints, Ints]:
    """How many failed and how many successful runs have each group."""
    return held[outcomes].sum(axis=0, dtype=np.int64), held[~outcomes].sum(axis=0, dtype=np.int64)


def _p_values(failed: Ints, succeeded: Ints, outcomes: Bools) -> npt.NDArray[np.float64]:
    """Fisher's p of each group; 1 where it is no more frequent in failed runs."""
    of_failed, of_succeeded = int(outcomes.sum()), int((~outcomes).sum())

    @cache
    def p(a: int, b: int) -> float:
        more = a * of_succeeded > b * of_failed
        return fisher(Count(a, of_failed), Count(b, of_succeeded)) if more else 1.0

    return np.asarray([p(int(a), int(b)) for a, b in zip(failed, succeeded, strict=True)])


def _lower(measure: str, failed: Ints, succeeded: Ints, group: int, totals: tuple[int, int]) -> float:
    """The lower bound of a group's measure."""
    one, other = Count(int(failed[group]), totals[0]), Count(int(succeeded[group]), totals[1])
    found = suspiciousness(measure, one, other)
    return found.low if found else 0.0


def _low(suspect: Suspect, measure: str) -> float:
    figure = suspect.measures[measure] or suspect.measures["ochiai"]  # without successes not all say something
    return figure.low if figure else 0.0


def _suspect(spectra: Spectra, found: Found, group: int, rank: dict[int, int], runs: Sequence[str]) -> Suspect:
    first, *others = spectra.groups[group]
    of_failed, of_succeeded = int(spectra.failed.sum()), succeeded_runs(spectra)
    failed = Count(int(found.failed[group]), of_failed)
    succeeded = Count(int(found.succeeded[group]), of_succeeded)
    tested = bool(of_failed and of_succeeded)
    status: Status = "pattern" if group in rank else "explained" if group in found.cause else "undecided"
    return Suspect(
        rank=rank.get(group),
        kind=first.kind,
        words=words(first),
        same=tuple(map(words, others)),
        failed=failed.hits,
        succeeded=succeeded.hits,
        measures={name: _figure(name, failed, succeeded) for name in MEASURES},
        p=_rounded(found.p[group]) if tested else None,
        q=_rounded(found.q[group]) if tested else None,
        status=status if tested else "untested",
        explained_by=rank.get(found.cause[group]) if group in found.cause else None,
        examples=tuple(_failed_with(spectra, group, runs)[:EXAMPLES]),
    )


def _figure(name: str, failed: Count, succeeded: Count) -> Figure | None:
    found = suspiciousness(name, failed, succeeded)
    return found and Figure(value=round(found.value, 4), low=round(found.low, 4), high=round(found.high, 4))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
