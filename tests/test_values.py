"""Values: what counts as the same thing said again, and what says nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.values import VALUE_CLASSES, values


def keys(text: str, *, words: bool = True) -> list[str]:
    """The keys of a text's values, in order."""
    return [value.key for value in values(text, words=words)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.example/B?x=1.", "url https://a.example/b?x=1"),
        ("(https://a.example/docs/)", "url https://a.example/docs"),
        ('it reads "Blue  Whale"', "quote blue whale"),
        ("it reads “Blue Whale”", "quote blue whale"),
        ("call `run.sh` now", "quote run.sh"),
        ("the **Blue Whale** it is", "quote blue whale"),
        ("about 1,234,567 of them", "number 1234567"),
        ("it was 42.70 then", "number 42.70"),
        ("minus -17 degrees", "number -17"),
        ("plus +17 degrees", "number 17"),
        ("the user_id of it", "identifier user_id"),
        ("the getUser of it", "identifier getuser"),
        ("the B12 of it", "identifier b12"),
        ("in src/main.py it", "identifier src/main.py"),
        ("by Ada Lovelace it", "name ada lovelace"),
        ("the Bank of England said", "name bank of england"),
        ("a whale", "word whale"),
    ],
)
def test_each_kind_of_value_is_found_under_its_normal_form(text: str, expected: str) -> None:
    """Case, white space, thousands commas, a plus sign and closing punctuation make no difference."""
    assert expected in keys(text)


@pytest.mark.parametrize("text", ["7", "10", "0", "-3", "100", "1000", "1,000", "+5", "1. First 2. Then"])
def test_numbers_that_are_everywhere_say_nothing(text: str) -> None:
    """0 to 10, 100 and 1000 are list numbers and round figures."""
    assert [key for key in keys(text) if key.startswith("number")] == []


@pytest.mark.parametrize("text", ["11", "99", "1001", "3.5", "0.5"])
def test_other_numbers_count(text: str) -> None:
    """Also small ones with a fraction."""
    assert keys(text) == [f"number {text}"]


def test_a_number_inside_a_word_is_not_a_number() -> None:
    """B12 and v17 are identifiers."""
    assert keys("vitamin B12 in v17", words=False) == ["identifier b12", "identifier v17"]


def test_common_words_of_agents_say_nothing() -> None:
    """Every conversation between agents is made of them; a rare word of five letters counts, one of four does not."""
    assert keys("please provide the correct answer") == []
    assert keys("Please verify the KRILL fish") == ["word krill"]


def test_words_can_be_left_out() -> None:
    """The weakest class is the only one that goes."""
    assert keys("krill weighs 417", words=False) == ["number 417"]


def test_the_classes_come_from_the_surest_to_the_weakest() -> None:
    """A link says six times as much as a word, and no class says more than one before it but numbers as quotes."""
    weights = [each.weight for each in VALUE_CLASSES.values()]
    assert weights == sorted(weights, reverse=True)
    assert list(VALUE_CLASSES) == ["url", "quote", "number", "identifier", "name", "word"]
    assert (weights[0], weights[-1]) == (3.0, 0.5)


def test_a_value_says_where_it_stands() -> None:
    """Start and end cut it out of the text, with what surrounds it in a quote."""
    text = 'he said "Blue Whale", 417 times'
    cut = {value.key: text[value.start : value.end] for value in values(text)}
    assert cut["quote blue whale"] == '"Blue Whale"'
    assert cut["number 417"] == "417"


@given(st.text(max_size=300))
def test_any_text_gives_values_inside_it(text: str) -> None:
    """No text breaks the reader, and every span lies in the text and holds something."""
    for value in values(text):
        assert 0 <= value.start < value.end <= len(text)
        assert value.key.partition(" ")[0] in VALUE_CLASSES


@pytest.mark.parametrize(
    "text", ["A" * 200_000, "a_" * 100_000, '"' * 100_000, "1," * 100_000, "Aa " * 60_000, "a/" * 9_000]
)
def test_hostile_texts_do_not_eat_time(text: str) -> None:
    """Long runs of one character are read in well under the time a person waits."""
    began = time.process_time()
    list(values(text))
    assert time.process_time() - began < 2
