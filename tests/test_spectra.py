"""The table of runs and elements: what gets a column, and what stands in it."""

from tracer.analyses.elements import Element
from tracer.analyses.spectra import tabulate

AGENT = {name: Element("agent", (name,)) for name in "abc"}


def test_elements_of_the_same_runs_share_a_column() -> None:
    """The narrower one stands first; c is in all runs and sets none apart."""
    tool = Element("tool", ("t",))
    spectra = [frozenset({AGENT["a"], tool, AGENT["c"]})] * 3 + [frozenset({AGENT["b"], AGENT["c"]})] * 3
    table = tabulate(spectra, [True, True, False, False, False, False])
    one = (tool, AGENT["a"], Element("missing agent", ("b",)))
    other = (AGENT["b"], Element("missing tool", ("t",)), Element("missing agent", ("a",)))
    assert [set(group) for group in table.groups] == [set(one), set(other)]
    assert table.groups[0][0] == tool
    assert table.held.T.tolist() == [[True] * 3 + [False] * 3, [False] * 3 + [True] * 3]
    assert table.failed.tolist() == [True, True, False, False, False, False]


def test_what_fewer_than_three_runs_have_is_left_out() -> None:
    """However they ended."""
    spectra = [frozenset({AGENT["a"]})] * 2 + [frozenset({AGENT["b"]})] * 7
    assert [group for group in tabulate(spectra, [True] * 2 + [False] * 7).groups if AGENT["a"] in group] == []


def test_a_field_is_missed_only_where_it_is_usual_and_could_be_there() -> None:
    """Runs without the agent do not lack it, and what one run in five has is not usual."""
    given, usual, rare = (Element(kind, ("a", name)) for kind, name in (
        ("given field", "x"), ("kept field", "x"), ("field", "y")))  # fmt: skip
    spectra = [frozenset({AGENT["a"], given, usual})] * 6 + [frozenset({AGENT["a"], given})] * 6 + [frozenset()] * 3
    spectra = [spectrum | {rare} if row in {0, 6, 7} else spectrum for row, spectrum in enumerate(spectra)]
    spectra += [frozenset({AGENT["a"]})] * 3
    table = tabulate(spectra, [row % 2 == 0 for row in range(len(spectra))])
    dropped = next(k for k, group in enumerate(table.groups) if Element("dropped field", ("a", "x")) in group)
    assert table.held[:, dropped].tolist() == [False] * 6 + [True] * 6 + [False] * 6
    assert not any(Element("missing field", ("a", "y")) in group for group in table.groups)


def test_where_all_runs_failed_what_all_have_is_kept() -> None:
    """Then nothing is tested, and the table only counts."""
    assert tabulate([frozenset({AGENT["a"]})] * 3, [True] * 3).groups == ((AGENT["a"],),)


def test_no_runs_make_an_empty_table() -> None:
    """Of no columns."""
    assert tabulate([], []).held.shape == (0, 0)
