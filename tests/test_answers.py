"""The answer of a rollout: what counts as one, which one counts, and what there is where there is none."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.answers import (
    DEFAULT,
    EXTRACTORS,
    Extraction,
    UnknownExtractionError,
    answer,
    detect,
    paper_answer,
    paper_normalise,
)
from tracer.equivalence import same
from tracer.quantities import LONGEST
from tracer.worker import shared

MEGABYTE = 10**6
HOSTILE = {
    "braces": "{" * MEGABYTE,
    "closing braces": r"\boxed{" + "}" * MEGABYTE,
    "boxes that stay open": r"\boxed{" * (MEGABYTE // 7),
    "a box, then braces": r"\boxed{" + "{" * MEGABYTE,
    "empty boxes": r"\boxed{}" * (MEGABYTE // 8),
    "a box and blanks": r"\boxed" + " " * MEGABYTE,
    "backslashes": "\\" * MEGABYTE,
    "answer lines": "answer:" * (MEGABYTE // 7),
    "placeholders": "Answer: ...\n" * (MEGABYTE // 12),
    "blanks behind answer": ("answer" + " " * 1000) * 1000,
    "open lists": '"answer":[' * (MEGABYTE // 10),
    "open texts": '"answer": "' * (MEGABYTE // 11),
    "line feeds": "\n" * MEGABYTE,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"So \boxed{41}. Wait, it is \boxed{42}.", "42"),  # the correction counts
        (r"\boxed{41}. I put it into \boxed{} or \boxed{...}", "41"),  # neither is an answer
        (r"\boxed{41} and then \boxed{4", "41"),  # never closed
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),  # an escaped brace opens nothing
        (r"\boxed{\boxed{5}}", "5"),
        (r"{ an open brace before \boxed{3}", "3"),
        (" \\boxed{ 7}", "7"),  # as the pocket model writes
        (r"\\boxed{5}", "5"),  # escaped once more, as in a JSON text
        ("Answer: 42", "42"),
        ("**Answer:** 42", "42"),
        ("### Final Answer:\n\n42\n", "42"),
        ("Answer: 3\nAnswer: 4\n", "4"),
        ("Answer (in cm): 5.", "5"),
        ("Answer: The answer is 5.", "5"),
        (r"The final answer is $\frac12$. I hope it is correct.", r"\frac12"),
        (r"Answer: the number of ways is \boxed{420}.", "420"),
        ("Final answer: our contract charges 1128.00 EUR.", "our contract charges 1128.00 EUR"),
        ("So the answer is not clear yet", "none"),
        ('{"answer": "7"}', "7"),
        ('{"answer": 7, "why": "so"}', "7"),
        ('{"final_answer": [1, 2]}', "[1, 2]"),
        ('{"answer": "a \\"b\\""}', 'a "b"'),
        ('{"answer": null}', "none"),
        ("I think it is\n(B)", "B"),
        ("The answer is (B).", "B"),
        ("The correct option is **D**", "D"),
        ("So the answer is A good idea", "none"),
        ("", "none"),
    ],
)
def test_the_last_valid_answer_counts(text: str, expected: str) -> None:
    """By default boxed answers are sought first, then lines, JSON fields and a choice in the last line."""
    assert answer(text) == expected


def test_a_rollout_without_an_answer_is_a_class_of_its_own() -> None:
    """It ended without one, or it was cut off before one; both are outcomes."""
    assert answer("I do not know.") == "none"
    assert answer("I do not kn", finish="length") == "truncated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{42} and so on", "42"),
        (r"\boxed{4", "truncated"),
        ("Answer: 4", "truncated"),  # of 42, perhaps
        ("Answer: 42\nand", "42"),
        ('{"answer": 4', "truncated"),
        ('{"answer": 4, "w', "4"),
        ("(B", "truncated"),
    ],
)
def test_half_an_answer_is_none(text: str, expected: str) -> None:
    """Where a rollout was cut off, what runs up to the cut does not count."""
    assert answer(text, finish="length") == expected


def test_the_word_none_is_not_the_class_none() -> None:
    """A problem may have no solution, and a rollout may say so."""
    said = answer(r"\boxed{none}")
    assert said == r"\text{none}"
    assert not same(said, "none")
    assert same(said, "None")


def test_a_box_that_the_prompt_opened() -> None:
    """Forced answers: up to the brace that closes it; an open one counts where the rollout ended by itself."""
    forced = Extraction("forced")
    assert answer("42}. So it is", forced) == "42"
    assert answer(r" \frac{1}{2}} and \boxed{3}", forced) == r"\frac{1}{2}"
    assert answer("42", forced) == "42"
    assert answer("42", forced, finish="length") == "truncated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{\text{(C)}\ 5}", "C"),
        ("Answer: B) Paris", "B"),
        ("First I thought the answer is A. No: the answer is option C, because it holds.", "C"),
        ("A is wrong.\n**D**", "D"),
        (r"\boxed{C = 4}", "none"),
        ("The answer is I think 5", "none"),
    ],
)
def test_multiple_choice_gives_a_letter(text: str, expected: str) -> None:
    """However the letter is dressed; A and I in a sentence are words."""
    assert answer(text, Extraction("choice")) == expected


def test_a_pattern_of_the_user() -> None:
    """The last match: its group `answer`, else its first group, else all of it."""
    text = "x=1 y=2 x=3"
    assert answer(text, Extraction("pattern", r"x=(\d)")) == "3"
    assert answer(text, Extraction("pattern", r"(x|y)=(?P<answer>\d)")) == "3"
    assert answer(text, Extraction("pattern", r"y=\d")) == "y=2"
    assert answer(text, Extraction("pattern", r"z=\d")) == "none"


def test_a_pattern_that_takes_for_ever_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in this process hangs, and the next pattern works again."""
    monkeypatch.setattr(shared(), "cpu_limit", 0.3)
    with pytest.raises(UnknownExtractionError, match="takes too long on a text of 41 characters"):
        answer("a" * 40 + "b", Extraction("pattern", r"(a+)+$"))
    assert answer("ab", Extraction("pattern", "b")) == "b"


def test_what_cannot_be_used_is_said_in_one_line() -> None:
    """A broken pattern and an unknown kind are the user's mistakes."""
    with pytest.raises(UnknownExtractionError, match="no regular expression"):
        answer("a", Extraction("pattern", "(a"))
    with pytest.raises(UnknownExtractionError, match="choose one of default, boxed, forced"):
        answer("a", Extraction("oracle"))


def test_a_field_of_the_users_choice() -> None:
    """Names are taken literally, whatever they hold."""
    assert answer('{"a.c": 1, "abc": 2}', Extraction("json", fields=("a.c",))) == "1"


def test_an_outcome_need_not_be_an_answer() -> None:
    """A function labels the whole text; an empty label is no label."""
    assert answer("I refuse.", lambda text: "refused" if "refuse" in text else "") == "refused"
    assert answer("Fine.", lambda text: "refused" if "refuse" in text else "") == "none"


def test_all_rollouts_of_a_trace_are_read_in_one_way() -> None:
    """The way that finds an answer in most of them; where nothing is found, all ways are tried in one order."""
    assert detect([r"\boxed{1}", r"\boxed{2}", "Answer: 3"]) == Extraction("boxed")
    assert detect(["Answer: (B) red", r"\boxed{2}", "Answer: (C) blue"]) == Extraction("choice")
    assert detect(["Answer: 1", "Answer: 2", '{"answer": 3}']) == Extraction("answer")
    assert detect(['{"answer": 3}']) == Extraction("json")
    assert detect(["hm"]) == detect([]) == DEFAULT


def test_a_text_of_a_book_is_no_answer() -> None:
    """Longer than LONGEST characters: the answer before it counts."""
    book = "x" * (LONGEST + 1)
    assert answer(rf"\boxed{{1}} \boxed{{{book}}}") == "1"
    assert answer(f"Answer: 1\nAnswer: {book}\n") == "1"
    assert answer(f'{{"answer": "1"}} {{"answer": "{book}"}}') == "1"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_anything_takes_under_a_second(name: str) -> None:
    """By every built-in way, in processor time."""
    for kind in EXTRACTORS.keys() - {"pattern"}:
        started = time.process_time()
        answer(HOSTILE[name], Extraction(kind))
        assert time.process_time() - started < 1, kind


@given(st.text(alphabet=r"\boxed{}answer: 1\"[]" + "\n\ud800é", max_size=80))
def test_any_text_has_one_outcome(text: str) -> None:
    """Never an error, never empty; what is found without a cut is a stretch of the text."""
    for kind in EXTRACTORS.keys() - {"pattern"}:
        assert answer(text, Extraction(kind))
    assert (found := answer(text, Extraction("boxed"))) in text or found == "none"


def test_the_paper_takes_the_first_box_that_is_not_empty() -> None:
    """Closed or not, and with the blanks that it has."""
    assert paper_answer(r"in \boxed{}: \boxed{41}, no, \boxed{42}") == "41"
    assert paper_answer(r"\boxed{ \frac{1}{2} } and {") == r" \frac{1}{2} "
    assert paper_answer(r"\boxed{4 and so on") == "4 and so on"
    assert paper_answer(r"\boxed{\boxed{5}}") == r"\boxed{5}"
    assert paper_answer("42") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r" \dfrac{12}{3} ", r"\frac123"),
        (r"\frac{1}{23}", r"\frac123"),
        ("1,000", "1.000"),
        ("(1,2)", "(1.2)"),
        (r"1{,}000", "1000"),
        (r"50\%", "50"),
        (r"3 \cdot 4 \times N", "3*4*n"),
        (r"2\pi", "2pi"),
        (r"5\text{ cm}", r"5\textcm"),
    ],
)
def test_the_papers_normal_form_keeps_its_collisions(text: str, expected: str) -> None:
    """Worked out by hand from the published order of its replacements."""
    assert paper_normalise(text) == expected


def test_published_answers_are_found(real_logs: Path) -> None:
    """In all six public traces, from the full text, by our way and by the paper's; whether it is right, too."""
    folders = sorted((real_logs / "thought-anchors").glob("*/*/problem_*"))
    assert len(folders) >= 6
    for folder in folders:
        base = json.loads((folder / "base_solution.json").read_text(encoding="utf-8"))
        problem = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
        assert answer(base["full_cot"]) == paper_answer(base["full_cot"]) == base["answer"]
        assert same(base["answer"], problem["gt_answer"]) == base["is_correct"]
        assert same(answer(problem["gt_solution"]), problem["gt_answer"])
