"""The spectra of many runs as one table: which runs have which elements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.elements import LACKS, USUAL, Element, is_told, lack_of, narrowness, room_for

FEWEST = 3
"""Runs that must have an element before it is looked at; as this counts failed and successful runs alike, it leaves the
tests as they are."""
Bools = npt.NDArray[np.bool_]


class Spectra(NamedTuple):
    """A table of runs and elements."""

    groups: tuple[tuple[Element, ...], ...]
    """Elements that exactly the same runs have stand together, the narrowest first: nothing here tells them apart."""
    held: Bools
    """(runs, groups)"""
    failed: Bools
    """(runs,)"""


def tabulate(spectra: Sequence[frozenset[Element]], failed: Sequence[bool], fewest: int = FEWEST) -> Spectra:
    """The table of the elements that at least `fewest` runs have, and of what is missing where others have it.

    An element that all runs have is left out, unless no run succeeded: it sets none apart.
    """
    columns = _columns(spectra, fewest)
    outcomes = np.asarray(failed, dtype=bool)
    sets: dict[bytes, list[Element]] = defaultdict(list)
    for element, column in columns.items():
        if is_told(element) and (outcomes.all() or not column.all()):
            sets[column.tobytes()].append(element)
    groups = sorted((tuple(sorted(each, key=narrowness)) for each in sets.values()), key=lambda g: narrowness(g[0]))
    held = np.stack([columns[group[0]] for group in groups], axis=1) if groups else np.zeros((len(spectra), 0), bool)
    return Spectra(tuple(groups), held, outcomes)


def _columns(spectra: Sequence[frozenset[Element]], fewest: int) -> dict[Element, Bools]:
    """Every element with the runs that have it, lacks included."""
    counts = Counter(element for spectrum in spectra for element in spectrum)
    common = {element for element, count in counts.items() if count >= fewest}
    columns = {element: np.zeros(len(spectra), dtype=bool) for element in common}
    for row, spectrum in enumerate(spectra):
        for element in spectrum & common:
            columns[element][row] = True
    lacks = {}
    for element in common:
        if (lack := lack_of(element)) and (column := _lacking(element, columns)).sum() >= fewest:
            lacks[lack] = column
    return columns | lacks


def _lacking(element: Element, columns: dict[Element, Bools]) -> Bools:
    """The runs that have not what they could have; none where few of those that could have it do."""
    room = room_for(element)
    could = columns.get(room, columns[element]) if room else np.ones_like(columns[element])
    lacking: Bools = could & ~columns[element]
    usual = not LACKS[element.kind].within or columns[element].sum() >= USUAL * could.sum()
    return lacking if usual else np.zeros_like(lacking)
