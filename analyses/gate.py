"""What fails more often than it did: counts of now against a baseline's.

Three things are compared: the share of runs that fail; of runs that fail with a sign of trouble (a tool that fails, a
field that is dropped); of runs that break at the same place. Each by Fisher's exact test, all of them together under
Benjamini and Hochberg, so that one run more is no alarm. What fewer than three runs have on both sides together cannot
reach any level and is left out; as that counts both sides alike, the tests stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from tracer.analyses.elements import Element, is_trouble, words
from tracer.analyses.signatures import ALIKE, alike
from tracer.analyses.spectra import FEWEST, tabulate
from tracer.baseline import Baseline, Place, Trouble
from tracer.fleet import Cause, Worse
from tracer.stats import Count, benjamini_hochberg, fisher

LEVEL = 0.05


class Compared(NamedTuple):
    """One figure of now beside the same one of the baseline."""

    kind: Literal["failure rate", "cause", "pattern"]
    words: str
    before: Count
    now: Count


def summary(spectra: Sequence[frozenset[Element]], failed: Sequence[bool], causes: Sequence[Cause]) -> Baseline:
    """The counts of runs, given what each is made of, how it ended, and where the failed ones broke."""
    counts = Counter(
        element for held, fails in zip(spectra, failed, strict=True) if fails for element in troubles(held)
    )
    told = [Trouble(kind=kind, names=names, failed=count) for (kind, names), count in sorted(counts.items())]
    return Baseline(
        runs=len(spectra),
        failed=sum(failed),
        troubles=tuple(told),
        places=tuple(
            Place(agent=each.agent, kind=each.kind, tool=each.tool, sign=each.sign, failed=each.runs) for each in causes
        ),
    )


def troubles(held: frozenset[Element]) -> list[Element]:
    """What is a sign of trouble in a run by itself: failures of tools, and fields that it was given and dropped."""
    dropped = [
        Element("dropped field", each.names)
        for each in held
        if each.kind == "given field" and Element("kept field", each.names) not in held
    ]
    return [*(each for each in held if is_trouble(each)), *dropped]


def compare(
    now: Baseline, before: Baseline, spectra: Sequence[frozenset[Element]], failed: Sequence[bool]
) -> tuple[int, list[Worse]]:
    """How many figures were compared, and those that are worse now, the surest first."""
    held = [Compared("failure rate", "runs that fail", Count(before.failed, before.runs), Count(now.failed, now.runs))]
    held += [*_patterns(now, before, spectra, failed), *_places(now, before)]
    p = [fisher(each.before, each.now) if each.now.share > each.before.share else 1.0 for each in held]
    worse = [
        Worse(**each._asdict(), p=float(f"{p_:.4g}"), q=float(f"{q:.4g}"))
        for each, p_, q in zip(held, p, benjamini_hochberg(p), strict=True)
        if q <= LEVEL
    ]
    return len(held), sorted(worse, key=lambda each: each.p)


def _patterns(
    now: Baseline, before: Baseline, spectra: Sequence[frozenset[Element]], failed: Sequence[bool]
) -> list[Compared]:
    """The signs of trouble of now; of those that the same runs have, the narrowest alone."""
    earlier = {Element(each.kind, each.names): each.failed for each in before.troubles}
    later = {Element(each.kind, each.names): each.failed for each in now.troubles}
    groups = [[each for each in group if is_trouble(each)] for group in tabulate(spectra, failed, fewest=1).groups]
    return [
        Compared("pattern", words(first), Count(earlier.get(first, 0), before.runs), Count(later[first], now.runs))
        for first in (group[0] for group in groups if group)
        if later.get(first, 0) and earlier.get(first, 0) + later[first] >= FEWEST
    ]


def _places(now: Baseline, before: Baseline) -> list[Compared]:
    found = []
    for place in now.places:
        earlier = sum(each.failed for each in before.places if _same(each, place))
        if earlier + place.failed >= FEWEST:
            what = " ".join(filter(None, (place.kind.replace("_", " "), place.tool)))
            told = f"{place.agent}, {what}" + (f": {place.sign}" if place.sign else "")
            found.append(Compared("cause", told, Count(earlier, before.runs), Count(place.failed, now.runs)))
    return found


def _same(one: Place, other: Place) -> bool:
    key = (other.agent, other.kind, other.tool)
    return (one.agent, one.kind, one.tool) == key and alike(one.sign, other.sign) >= ALIKE
