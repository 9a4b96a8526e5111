"""Which answers of a trace are one: classes that are exact, closed, and the same whatever the order."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.equivalence import Classes, classes, grouped, same
from tracer.errors import MissingExtraError
from tracer.judge import Judge
from tracer.worker import Worker

SAME = [
    ("1,000", "1000"),
    ("1/2", "0.5"),
    (r"50\%", "0.5"),
    ("5 cm", "5"),
    ("100 cm", "1 m"),
    ("1 km/h", r"\frac{5}{18} \text{ m/s}"),
    ("(1, 2)", r"\left(1,2\right)"),
    (r"\{3,1,2\}", "1, 2, 3"),
    ("x=5", "5"),
    ("Yes", r"\text{yes}"),
]
DIFFERENT = [
    (r"\frac{12}{3}", r"\frac{1}{23}"),
    ("1,000", "1.000"),
    ("(1,2)", "(1.2)"),
    ("(1,2)", "[1,2]"),
    ("(1,2)", "(2,1)"),
    ("50%", "50"),
    ("5 cm", "5 m"),
    ("1/3", "0.333333"),
    ("n!", "N!"),
    ("12", "1, 2"),
    ("12_5", "12_7"),
    ("2^{1}0", "2^{10}"),
    ("none", "None"),
    ("none", "truncated"),
    ("", "0"),
]
SAME_FORMULAS = [
    (r"\sqrt{4}", "2"),
    ("2^{10}", "1024"),
    ("0.1+0.2", "0.3"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    ("y=2x+1", "2x+1"),
    ("x^2+y^2=4", "y^2+x^2=4"),
    (r"[1,2)\cup(3,4]", r"(3,4]\cup[1,2)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    (r"(\sqrt{4}, x+1)", "(2, 1+x)"),
    (r"\sqrt{4}\text{ m}", "200 cm"),
    (r"3 \pm \sqrt{2}", r"3-\sqrt{2}, 3+\sqrt{2}"),
    ("5 pi", r"5\pi"),
]
DIFFERENT_FORMULAS = [
    ("x^2+1", "x^2+2x+1"),
    (r"\sqrt{2}", "1.414214"),
    (r"\pi", "3.14159"),
    ("2x", "2y"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"),
    ("x^2+y^2=4", "x^2+y^2=5"),
    (r"\frac{", "}{"),
    ("1/0", "2/0"),
]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """One with short limits, so that what never ends does not take long."""
    pytest.importorskip("math_verify")
    worker = Worker(cpu_limit=1.0)
    yield Judge(worker)
    worker.close()


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_answers_by_our_own_rules(one: str, other: str) -> None:
    """Neither needs an extra."""
    assert len(set(grouped([one, other], maths=False).labels)) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_answers_stay_apart(one: str, other: str) -> None:
    """The pairs that a careless normal form makes one."""
    assert not same(one, other)
    assert len(set(grouped([one, other], maths=False).labels)) == 2


@pytest.mark.parametrize(("one", "other"), SAME_FORMULAS)
def test_equal_formulas_are_the_same_answer(judge: Judge, one: str, other: str) -> None:
    """As math-verify has it, also inside of pairs and before units."""
    assert len(set(grouped([one, other], judge=judge).labels)) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT_FORMULAS)
def test_unequal_formulas_are_different_answers(judge: Judge, one: str, other: str) -> None:
    """A decimal that comes near a root is not the root."""
    assert grouped([one, other], judge=judge).labels == [one, other]


def test_a_power_tower_stops_nothing(judge: Judge) -> None:
    """It is held different from all, counted as undecided, and not tried again; the others are still compared."""
    answers = ["9^{9^{9^{9}}}", r"\sqrt{4}", "2", "9^{9^{9^{9}}}"]
    expected = ["9^{9^{9^{9}}}", r"\sqrt{4}", r"\sqrt{4}", "9^{9^{9^{9}}}"]
    found = grouped(answers, judge=judge)
    assert (found.labels, found.undecided) == (expected, 1)
    started = time.monotonic()
    assert grouped([*answers, "5"], judge=judge).undecided == 1
    assert time.monotonic() - started < 0.5


def test_a_megabyte_is_an_answer_like_another() -> None:
    """It is compared as text."""
    text = "x" * 10**6
    started = time.process_time()
    assert same(text, text)
    assert not same(text, text + "+1")
    assert not same("{" * 10**6, "2")
    assert time.process_time() - started < 1


def test_the_most_frequent_spelling_stands_for_a_class() -> None:
    """The first one among equally frequent ones."""
    assert classes(["1/2", "0.5", "0.5", "3"]) == ["0.5", "0.5", "0.5", "3"]
    assert classes(["1/2", "0.5", "3"]) == ["1/2", "1/2", "3"]
    assert classes([]) == []


def test_the_expected_answer_is_found_by_the_same_rule() -> None:
    """Its class has the label of those who gave it; where nobody did, its own spelling."""
    found = grouped(["1/2", "1/2", "3"], expected=r"50\%", maths=False)
    assert found.labels == ["1/2", "1/2", "3"]
    assert found.expected == "1/2"
    assert grouped(["3"], expected="4", maths=False).expected == "4"
    assert grouped(["3"], maths=False).expected is None


def test_a_number_without_a_unit_is_read_in_that_of_the_expected_answer() -> None:
    """Else in the one that most answers have; so one odd unit changes nothing for the others."""
    assert grouped(["5", "5 m", "5 m"], expected="5 cm", maths=False).expected == "5"
    assert classes(["5", "5 cm", "5 cm", "5 m"]) == ["5 cm", "5 cm", "5 cm", "5 m"]
    assert classes(["12", "12 apples"]) == ["12", "12"]


def test_classes_of_missing_answers_stay_themselves() -> None:
    """They are no spelling of anything, and take no unit."""
    assert classes(["none", "5 cm", "truncated", "none"]) == ["none", "5 cm", "truncated", "none"]


def test_the_result_says_when_formulas_were_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the rest still works, and asking for it names the extra."""
    monkeypatch.setitem(sys.modules, "math_verify", None)  # as if it were not installed
    found = grouped([r"\sqrt{4}", "2", "2.0"])
    assert found == Classes(
        [r"\sqrt{4}", "2", "2"], None, "own rules; equality of formulas was left out (extra [math])", 0
    )
    with pytest.raises(MissingExtraError, match=r"blametrace\[math\]"):
        Judge()


def test_with_the_extra_the_result_says_so(judge: Judge) -> None:
    """In the same field."""
    assert grouped(["2"], judge=judge).rule == "own rules and math-verify"


def test_equality_is_closed(judge: Judge) -> None:
    """Numbers settle formulas and formulas settle each other; the classes do not depend on the order."""
    answers = ["2", r"\sqrt{4}", "1+1", "(x+1)^2", "x^2+2x+1", r"\frac{4}{2}", "1+2x+x^2", "y"]
    expected = {frozenset([0, 1, 2, 5]), frozenset([3, 4, 6]), frozenset([7])}
    for seed in range(5):
        order = random.Random(seed).sample(range(8), 8)
        labels = grouped([answers[k] for k in order], judge=judge).labels
        found = {frozenset(k for k, other in zip(order, labels, strict=True) if other == label) for label in labels}
        assert found == expected


@settings(deadline=None)
@given(st.lists(st.text(alphabet="012,./%()cm -", max_size=6), max_size=8), st.randoms(use_true_random=False))
def test_the_partition_is_that_of_any_order(answers: list[str], generator: random.Random) -> None:
    """Shuffled answers fall into the same classes, but that the first of two equally frequent units wins."""
    answers = [each for each in answers if "c" not in each and "m" not in each]
    shuffled = generator.sample(answers, len(answers))
    before = dict(zip(answers, grouped(answers, maths=False).labels, strict=True))
    after = dict(zip(shuffled, grouped(shuffled, maths=False).labels, strict=True))
    assert all((before[a] == before[b]) == (after[a] == after[b]) for a in answers for b in answers)


def test_thousands_of_answers_are_quick(judge: Judge) -> None:
    """20,000 answers in 40 spellings of 20 classes, after the first time: no question is asked twice."""
    spellings = [f"{k}x+x" for k in range(1, 21)] + [f"{k + 1}x" for k in range(1, 21)]
    answers = [spellings[k % 40] for k in range(20_000)]
    assert len(set(grouped(answers, judge=judge).labels)) == 20
    started = time.monotonic()
    grouped(answers, judge=judge)
    assert time.monotonic() - started < 2
