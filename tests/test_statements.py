"""What a text says of something by name."""

import time

import pytest

from tracer.statements import statements


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Jon: 2. Jon is 2, Jon = 2; jon: 2", ["jon 2"] * 4),
        ("They say Hal is 17.", ["hal 17"]),
        ("Cal = 12 -3 = 9.", ["cal 12 -3", "cal 9"]),
        ("Ana: Mia plus Kim.", ["ana mia plus kim"]),
        ('{"city": "Paris", "pages": 3}', ["city paris", "pages 3"]),
        ("the price is 4.50, and x=7", ["price 4.50", "x 7"]),
        ("to Planner: Jon: Hal -5.", ["jon hal -5"]),
        ("**Total**: 1,250 EUR", ["total 1,250 eur"]),
        ("`x` = `7`", ["x 7"]),
    ],
)
def test_a_name_and_what_is_said_of_it_make_one_value(text: str, keys: list[str]) -> None:
    """In whatever words; a chain of equals states each of its values."""
    assert [each.key.removeprefix("statement ") for each in statements(text)] == keys


@pytest.mark.parametrize(
    "text",
    [
        "What is Jon?",
        "Jon = 9 -5?",
        "it is 7",
        "this: Paris",
        "see https://example.org/7",
        "note: the rest is left as it was",
        "if a == 7",
        '{"query":"Jon = 9 -5?"}',
        "a: One two three four five six seven words.",
        "",
    ],
)
def test_what_states_nothing_in_particular_is_none(text: str) -> None:
    """Questions, pronouns, links, comparisons, values without a digit or a capital, sentences."""
    assert list(statements(text)) == []


def test_the_span_is_the_statement() -> None:
    """From the name to the value's end."""
    text = "so Jon is 12 -5."
    [found] = statements(text)
    assert text[found.start : found.end] == "Jon is 12 -5"


@pytest.mark.parametrize("text", ["a", "a: ", "a = ", "a = 1 = ", "1 ", "'", '": "', "a  ", "x: 1,1"])
def test_hostile_texts_cost_no_more_than_long_ones(text: str) -> None:
    """Linear in the length, whatever it is made of."""
    began = time.process_time()
    list(statements(f"x: {text * 50_000}"))
    assert time.process_time() - began < 2
