"""What an answer says by our own rules: numbers as fractions, amounts with units, lists; and what says nothing else."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.quantities import LONGEST, Amount, Formula, Number, Several, Value, Words, read, tidy
from tracer.units import Unit, unit_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", Fraction(5)),
        ("- 5", Fraction(-5)),
        ("1,000", Fraction(1000)),
        ("1.000", Fraction(1)),
        ("1{,}000", Fraction(1000)),
        (r"1\,000", Fraction(1000)),
        ("1 000 000", Fraction(1_000_000)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("1/2", Fraction(1, 2)),
        (r"-\dfrac{1}{2}", Fraction(-1, 2)),
        (r"\frac12", Fraction(1, 2)),
        (r"\frac{12}{3}", Fraction(4)),
        (r"\frac{1}{23}", Fraction(1, 23)),
        (r"1\frac{1}{2}", Fraction(3, 2)),
        ("1 1/2", Fraction(3, 2)),
        (r"50\%", Fraction(1, 2)),
        ("50 percent", Fraction(1, 2)),
        ("1e5", Fraction(100_000)),
        (r"1.2 \times 10^{5}", Fraction(120_000)),
        ("3 million", Fraction(3_000_000)),
        ("x = 5", Fraction(5)),
        (r"\{5\}", Fraction(5)),
        (r"\text{ 5 }", Fraction(5)),
        ("**$5$**", Fraction(5)),
        (r"0.\overline{3}", Fraction(1, 3)),
        (r"-1.2\overline{45}", Fraction(-137, 110)),
    ],
)
def test_numbers_are_exact(text: str, expected: Fraction) -> None:
    """However they are written; a percentage is the number that it means."""
    assert read(text) == Number(expected)


def pair(first: int, second: int, brackets: str) -> Value:
    return Several(brackets, (Number(Fraction(first)), Number(Fraction(second))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1,2)", pair(1, 2, "()")),
        (r"\left( 1,\; 2 \right]", pair(1, 2, "(]")),
        ("[2,1]", pair(2, 1, "[]")),
        (r"\{2,1\}", pair(1, 2, "{}")),
        ("2, 1", pair(1, 2, "{}")),
        ("1 or 2", pair(1, 2, "{}")),
        ("x=1, x=2", pair(1, 2, "{}")),
        ("x = 1 and x = 2", pair(1, 2, "{}")),
        (r"x \in [1,2]", pair(1, 2, "[]")),
        (r"\pm 2", pair(-2, 2, "{}")),
        ("(1,234)", pair(1, 234, "()")),  # a pair, for there is no other comma
        ("(1,000, 2)", pair(1000, 2, "()")),
        (r"\emptyset", Several("{}", ())),
        ("(1,2),(3,4)", Several("{}", (pair(1, 2, "()"), pair(3, 4, "()")))),
    ],
)
def test_lists_keep_their_brackets_and_sets_lose_their_order(text: str, expected: Value) -> None:
    """A bare list is a set."""
    assert read(text) == expected


def test_names_that_tell_the_parts_apart_stay() -> None:
    """x=1, y=2 is not x=2, y=1."""
    assert read("x=1, y=2") != read("x=2, y=1")


@pytest.mark.parametrize(
    ("text", "size", "factor", "dimension"),
    [
        ("5 cm", 5, Fraction(1, 100), "m"),
        (r"5\,\mathrm{cm}", 5, Fraction(1, 100), "m"),
        (r"5 \text{ cm}^2", 5, Fraction(1, 10_000), "m^2"),
        ("5 square centimeters", 5, Fraction(1, 10_000), "m^2"),
        ("60 km/h", 60, Fraction(5, 18), "m/s"),
        ("60 km per hour", 60, Fraction(5, 18), "m/s"),
        (r"\$5", 5, Fraction(1), "USD"),
        ("$5", 5, Fraction(1), "USD"),
        ("5 dollars", 5, Fraction(1), "USD"),
        ("€5", 5, Fraction(1), "EUR"),
        (r"30^\circ", 30, Fraction(1), "°"),
        (r"30^{\circ}", 30, Fraction(1), "°"),
        ("30 degrees", 30, Fraction(1), "°"),
        ("12 red apples", 12, Fraction(1), "red apple"),
        ("12_5", 12, Fraction(1), "base 5"),
        ("12_{10}", 12, Fraction(1), "base 10"),
    ],
)
def test_amounts_have_units(text: str, size: int, factor: Fraction, dimension: str) -> None:
    """Known ones by their exact factor, others by their words in the singular."""
    assert read(text) == Amount(Number(Fraction(size)), Unit(factor, dimension))


def test_a_formula_may_have_a_unit_too() -> None:
    """12 pi square centimetres."""
    assert read(r"12\pi \text{ cm}^2") == Amount(Formula(r"12\pi"), Unit(Fraction(1, 10_000), "m^2"))


@pytest.mark.parametrize(
    "text", ["5x", "5m", "2 xy", r"\sqrt{2}", "1/0", "((((1", r"[1,2)\cup(3,4]", "1,00", "3:4", "x^2 - 4"]
)
def test_what_is_neither_is_left_to_math_verify(text: str) -> None:
    """A letter after a number is a factor, unless it is set apart as a unit."""
    assert isinstance(read(text), Formula)


@pytest.mark.parametrize("text", ["yes", "Yes.", r"\text{YES}", '"yes"'])
def test_words_are_compared_without_case_and_marks(text: str) -> None:
    """One word, four ways."""
    assert read(text) == Words("yes")


def test_the_case_of_letters_counts_where_they_are_names() -> None:
    """AB is a segment, ab a product; but (B), \\text{(B)} and B are one choice."""
    assert read("AB") != read("ab")
    assert read("n") != read("N")
    assert read("(B)") == read(r"\text{(B)}") == read("B") == Words("B")


def test_a_long_text_is_words() -> None:
    """A megabyte is not parsed at all."""
    text = "(" * 10**6
    assert read(text) == Words(text)
    assert isinstance(read("(" * LONGEST), Formula | Words)
    assert isinstance(read("(1," * (LONGEST // 8) + ")" * (LONGEST // 8)), Formula | Words | Several)


@given(st.text(alphabet="0123456789.,/(){}[]\\ fracpm^%$-+=x€°text\ud800é\n", max_size=60))
def test_any_text_says_something(text: str) -> None:
    """Never an error; and what a text says does not change when it is made tidy first."""
    assert read(text) is not None
    tidy(text)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_all_ways_to_write_a_fraction_are_one(top: int, below: int) -> None:
    """With and without thousands, as a division and as a LaTeX fraction; and no two whole numbers are the same."""
    expected = Number(Fraction(top, below))
    assert read(f"{top:,}/{below:,}") == read(rf"\frac{{{top}}}{{{below}}}") == expected
    assert read(f"{top:,}") == read(str(top)) == read(f"{top}.0") == Number(Fraction(top))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inches", Unit(Fraction(127, 5000), "m")),
        ("m^3", Unit(Fraction(1), "m^3")),
        ("cubic meters", Unit(Fraction(1), "m^3")),
        ("meters squared", Unit(Fraction(1), "m^2")),
        ("litres", Unit(Fraction(1, 1000), "m^3")),
        ("dollars per hour", Unit(Fraction(1, 3600), "USD/s")),
        ("people", Unit(Fraction(1), "people")),
        ("pi", None),
        ("and so", None),
        ("m/s/s", None),
        ("", None),
    ],
)
def test_units(text: str, expected: Unit | None) -> None:
    """By name or sign, singular or plural, with their powers; functions and joining words are none."""
    assert unit_of(text) == expected
