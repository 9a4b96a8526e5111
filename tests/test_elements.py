"""Elements: what a run has, read off a run of eight steps by hand."""

from typing import Any

import pytest

from tracer.analyses.elements import KINDS, Element, lack_of, narrowness, room_for, spectrum, words
from tracer.records import Step


def step(index: int, agent: str, content: str = "", kind: Any = "message", **fields: Any) -> Step:
    return Step(index=index, agent=agent, kind=kind, content=content, **fields)


RUN = [
    step(0, "user", "order: 17, currency: EUR", role="user"),
    step(1, "desk", "order: 17, currency: EUR"),
    step(2, "export", kind="tool_call", tool="lookup", arguments='{"order": 17}', call_id="c"),
    step(3, "lookup", "Error: no customer 17", "tool_result", tool="lookup", call_id="c", parents=(2,),
         tool_status="error", tool_rule="text"),
    step(4, "export", "order: 17, currency: EUR"),
    step(5, "pricer", '{"order": 17}'),
    step(6, "writer", "Done, order: 17"),
    step(7, "writer", "", "termination"),
]  # fmt: skip


def held(kind: str) -> set[tuple[str, ...]]:
    return {names for name, names in spectrum(RUN) if name == kind}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("failure", {("lookup", "fails", "Error: no customer #")}),
        ("failing tool after an agent", {("lookup", "fails", "export", "desk")}),
        ("failing tool of an agent", {("lookup", "fails", "export")}),
        ("failing tool", {("lookup", "fails")}),
        ("argument", {("lookup", "order")}),
        ("tool of an agent", {("export", "lookup")}),
        ("hand-off", {("desk", "export"), ("export", "pricer"), ("pricer", "writer")}),
        ("tool", {("lookup",)}),
        ("agent", {("desk",), ("export",), ("pricer",), ("writer",)}),
        ("kept field", {("desk", "order"), ("desk", "currency"), ("export", "order"), ("export", "currency"),
                        ("pricer", "order"), ("writer", "order")}),
    ],
)  # fmt: skip
def test_a_run_has_the_elements_that_can_be_read_in_it(kind: str, expected: set[tuple[str, ...]]) -> None:
    """Neither the user nor the tool's executor counts as an agent; whom the pricer does not tell cannot drop."""
    assert held(kind) == expected


def test_a_field_that_was_given_and_not_kept_is_dropped() -> None:
    """The pricer was given the currency; the writer never was."""
    assert held("given field") - held("kept field") == {("pricer", "currency")}
    kept = Element("kept field", ("pricer", "currency"))
    lack = lack_of(kept)
    assert lack == Element("dropped field", ("pricer", "currency"))
    assert room_for(kept) == Element("given field", ("pricer", "currency"))
    assert words(Element("dropped field", ("pricer", "currency"))) == "pricer drops “currency”"


def test_every_kind_can_be_put_in_words_and_in_order() -> None:
    """A kind that is told only by its lack has words for that; braces of a log stay what they are."""
    names = ("{0}", "b", "c", "d")
    for name in KINDS:
        element = Element(name, names)
        lack = lack_of(element)
        for each in [element, *([lack] if lack else [])]:
            assert "{0}" in words(each)
            narrowness(each)


def test_a_run_without_steps_has_nothing() -> None:
    """And one of system messages has kinds of steps only."""
    assert spectrum([]) == frozenset()
    assert {kind for kind, _ in spectrum([step(0, "system", "order: 1", "system")])} == {"step kind"}


def test_a_result_without_a_named_call_belongs_to_the_agent_before_it() -> None:
    """And one that names itself as its parent does no harm."""
    steps = [step(0, "a", "x"), step(1, "tool", "", "tool_result", tool_status="empty", parents=(1,))]
    assert Element("failing tool of an agent", ("tool", "brings nothing", "a")) in spectrum(steps)
