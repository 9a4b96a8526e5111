"""Patterns: tables that were worked out by hand, and what chance alone comes to."""

import math

import numpy as np
import pytest

from tracer.analyses.elements import Element
from tracer.analyses.patterns import Told, beyond, suspects
from tracer.analyses.spectra import Bools, Spectra

RUNS = [f"r{number}" for number in range(200)]


def told(columns: dict[Element, Bools], failed: Bools, measure: str = "ochiai") -> Told:
    held = np.stack(list(columns.values()), axis=1)
    return suspects(Spectra(tuple((element,) for element in columns), held, failed), RUNS, measure)


def rows(*spans: tuple[int, int]) -> Bools:
    found = np.zeros(200, dtype=bool)
    for start, end in spans:
        found[start:end] = True
    return found


TOOL = Element("failing tool of an agent", ("lookup", "fails", "export"))
WIDE = Element("failing tool", ("lookup", "fails"))
AGENT = Element("agent", ("export",))
FIELD = Element("dropped field", ("pricer", "currency"))
RARE = Element("agent", ("consultant",))
FAILED = rows((0, 60))
"""Runs 0 to 59 failed, 140 succeeded."""
OFFICE = {
    RARE: rows((0, 3), (199, 200)),
    AGENT: rows((0, 35), (60, 120)),
    WIDE: rows((0, 32), (60, 80)),
    TOOL: rows((0, 30), (60, 62)),
    FIELD: rows((30, 50), (62, 63)),
}


def test_two_faults_are_two_patterns_and_what_goes_along_is_explained() -> None:
    """The wide failure and the agent are more frequent in failed runs, too, but not beyond the narrow failure."""
    found = told(OFFICE, FAILED).suspects
    assert [(each.words, each.status, each.rank, each.explained_by) for each in found] == [
        ("lookup fails for export", "pattern", 1, None),
        ("pricer drops “currency”", "pattern", 2, None),
        ("lookup fails", "explained", None, 1),
        ("export takes part", "undecided", None, None),
        ("consultant takes part", "undecided", None, None),
    ]
    assert (found[0].failed, found[0].succeeded, found[0].examples) == (30, 2, ("r0", "r1", "r2", "r3", "r4"))


def test_the_p_values_are_fishers_and_the_q_values_are_benjamini_and_hochbergs() -> None:
    """By SciPy; five suspects were tested, and the agent is no more frequent than chance makes it."""
    from scipy.stats import false_discovery_control, fisher_exact

    found = {each.words: each for each in told(OFFICE, FAILED).suspects}
    tables = {
        each.words: [[each.failed, 60 - each.failed], [each.succeeded, 140 - each.succeeded]] for each in found.values()
    }
    p = {name: float(fisher_exact(np.asarray(table)).pvalue) for name, table in tables.items()}
    q = dict(zip(p, false_discovery_control(list(p.values())), strict=True))
    for name, each in found.items():
        assert each.p is not None
        assert each.q is not None
        assert abs(each.p - p[name]) <= 1e-3 * p[name]
        assert abs(each.q - q[name]) <= 1e-3 * q[name]


def test_a_narrow_element_takes_the_place_of_a_wide_one_that_fails_only_through_it() -> None:
    """In 20 of 20 against 24 of 40 runs; the 20 that it leaves fail as rarely as the others."""
    wide, narrow = rows((0, 24), (60, 76)), rows((0, 20))
    [first, second] = told({WIDE: wide, TOOL: narrow}, rows((0, 24), (120, 140)), "explained").suspects
    assert (first.words, first.status) == ("lookup fails for export", "pattern")
    assert (second.words, second.status) == ("lookup fails", "explained")


def test_what_a_narrow_element_keeps_is_counted_beyond_the_failures_of_other_runs() -> None:
    """Half of all runs fail anyway: of 67 failures in 100 runs 17 are more than that, and 16.5 are the narrow one's."""
    wide, narrow = rows((0, 100)), rows((0, 33))
    [first, second] = told({WIDE: wide, TOOL: narrow}, rows((0, 67), (100, 150))).suspects
    assert (first.words, first.failed, first.succeeded) == ("lookup fails for export", 33, 0)
    assert (second.words, second.status, second.failed) == ("lookup fails", "explained", 67)


def test_the_wide_element_stays_where_the_rest_of_its_runs_fails_as_well() -> None:
    """The tool fails runs in whoever's hands: 30 of 30, of which the agent has 16."""
    [first, _] = told({WIDE: rows((0, 30)), TOOL: rows((0, 16))}, rows((0, 40))).suspects
    assert (first.words, first.status) == ("lookup fails", "pattern")


def test_a_part_of_a_pattern_that_fails_still_more_is_a_pattern_too() -> None:
    """Of the agent's 100 runs half fail, and of 24 of them all; of 100 other runs a tenth."""
    agent, part = rows((0, 100)), rows((0, 24))
    found = told({AGENT: agent, FIELD: part}, rows((0, 50), (100, 110)), "explained").suspects
    assert [(each.words, each.status, each.rank) for each in found] == [
        ("export takes part", "pattern", 1), ("pricer drops “currency”", "pattern", 2),
    ]  # fmt: skip


def test_the_test_beyond_a_pattern_is_mantels_and_haenszels() -> None:
    """By hand: 10 of 20 and 5 of 20 in one stratum, 8 of 10 and 4 of 20 in the other, with the correction."""
    first = rows((0, 40))
    second = rows((0, 20), (40, 50))
    failed = rows((0, 10), (20, 25), (40, 48), (50, 54))
    held = np.stack([first, second], axis=1)[:70]
    spectra = Spectra(((AGENT,), (TOOL,)), held, failed[:70])
    surplus = (10 - 20 * 15 / 40) + (8 - 10 * 12 / 30) - 0.5
    variance = 20 * 20 * 15 * 25 / (40**2 * 39) + 10 * 20 * 12 * 18 / (30**2 * 29)
    assert beyond(spectra, 1, [0]) == pytest.approx(math.erfc(surplus / math.sqrt(2 * variance)))
    assert beyond(spectra, 0, [0]) == 1.0


def test_what_goes_with_success_is_no_suspect() -> None:
    """However surely it does: its p is 1."""
    [each] = told({AGENT: rows((60, 200))}, FAILED).suspects
    assert (each.status, each.p) == ("undecided", 1.0)


def test_without_successful_runs_nothing_is_tested_and_troubles_come_first() -> None:
    """The measures that need them are missing."""
    everything = rows((0, 200))
    found = told({AGENT: everything, TOOL: rows((0, 90))}, everything).suspects
    assert [(each.words, each.status, each.p) for each in found] == [
        ("lookup fails for export", "untested", None), ("export takes part", "untested", None),
    ]  # fmt: skip
    assert {name for name, figure in found[0].measures.items() if figure is None} == {"tarantula", "explained"}


def test_chance_alone_is_rarely_called_a_pattern() -> None:
    """200 tables of 40 unrelated elements: a false claim in at most 10, as 5 % allow. Seeded."""
    generator = np.random.default_rng(1)
    claims = 0
    for _ in range(200):
        held = generator.random((200, 40)) < generator.random(40)
        columns = {Element("agent", (str(k),)): held[:, k] for k in range(40)}
        claims += told(columns, generator.random(200) < 0.3).suspects[0].status == "pattern"
    assert claims <= 10
