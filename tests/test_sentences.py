"""Sentences are exact slices of the text; the paper's rules give the authors' own chunks."""

import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.boundaries import veil
from tracer.data.world import problem, trace
from tracer.sentences import RULES, Span, UnknownRuleError, chunks, split

TRICKY = r"""
Hello World. |My name is Jonas.
What is your name? |My name is Jonas.
There it is! |I found it.
Hello?! |Is that you?
My name is Jonas E. Smith.
J. R. R. Tolkien wrote it. |George W. Bush did not.
It is the work of R. G. Arendt. |**Ronald D. Sugar** read it.
The trial on H. pylori is over. |It took a year.
Dr. Fu said so. |She left.
We use e.g. x and y. |Then we stop.
This holds, i.e. it is zero. |Good.
We add a, b, etc. and go on. |We use a, b, etc. |Then we stop.
Please turn to p. 55.
See Fig. 3 and Eq. (4). |They show it.
By Thm. 2 and Sec. 4.1 it holds, cf. Smith et al. 2010. |So we are done.
It was Jan. 5, 2020. |On Mar. 3 we left.
They closed the deal with Pitt, Briggs & Co. at noon.
I live in the U.S. |How about you?
I work for the U.S. Government in Virginia.
I have lived in the U.S. for 20 years.
He has a Ph.D. in physics. |She has a Ph.D. |They met.
There are 5 cm. of rain and 3 ft. of snow.
The value is 3.14. |Then we go on.
She has $100.00 in her bag. |It is heavy.
It costs $5. |Then we pay $10. |Fine.
Her email is Jane.Doe@example.com. |I sent her an email.
The site is https://www.example.50.com/new/awesome_content.html. |Please check it.
See https://a.b/c?d=e.f!g for more. |It is long.
The file config.py is read. |It has 3 lines.
Use `print("a. B")` here. |Then stop.
I never meant that.... |She left the store.
Hmm... wait, let me check. |Ok.
Hmm... |Wait, let me check.
Well... I think so.
One habit which was weakened . . . was that of combining words.
The cut… and then it goes on. |That was it.
So 10! / 5! = 30240. |Good.
We compare 5! with 6. |Then we divide.
(9-1)! / (5! * 2! * 1!) = 168. |Done.
Is it right? |let me check.
Let k be an integer. |n must be even.
It goes from A to B. |Then it goes to C.
So the point is C. |So the answer is C.
Thus \( x = 3 \). |Next, \( y = 4 \). |\( z \) is 5.
So $x = 3.$ |Then we stop.
We have \[ x = 1.5. \] |Then we go on.
Let \begin{cases} x. Y \\ z. W \end{cases} be given. |Then we go on.
The answer is no. |So we stop.
No. |It is not.
1. Compute x. |2. Compute y.
Step 1. Compute x. |Step 2. Compute y.
**Step 1.** Compute x. |**Answer:** 42.
She turned to him, "This is great." she said.
She turned to him, "This is great." |She held the book out.
He said "A is 3. B is 4. What is C?" |So we add.
He teaches (He worked for 5 years as an engineer.) at the University.
Wait. |(Is that right? Yes.) |Then we stop.
The fact is known.[1] |It is old.
So far so good. |✓ The check passes.
""".strip().splitlines()
"""A bar stands where a sentence begins. Many are from the golden rules of pragmatic segmenters, in our words."""

OTHER_SCRIPTS = {
    "zh": "他说：你好。|然后他走了。|真的吗？|是的！",
    "ja": "「はい。」と言った。|彼は帰った。",
    "hi": "यह एक वाक्य है। |यह दूसरा है।",
    "ar": "هل هذا صحيح؟ |نعم.",
}

OTHERWISE = {
    "See Fig. 3 and Eq. (4). |They show it.": "Eq. before a bracket is a reference",
    "By Thm. 2 and Sec. 4.1 it holds, cf. Smith et al. 2010. |So we are done.": "Thm. and cf. are references",
    "There are 5 cm. of rain and 3 ft. of snow.": "no sentence goes on in lower case after a unit",
    "See https://a.b/c?d=e.f!g for more. |It is long.": "an address has no sentences",
    "Well... I think so.": "a pause before I is no end",
    "So 10! / 5! = 30240. |Good.": "a factorial is no exclamation",
    "(9-1)! / (5! * 2! * 1!) = 168. |Done.": "a factorial is no exclamation",
    "It goes from A to B. |Then it goes to C.": "B is a point here, nobody's initial",
    "So the point is C. |So the answer is C.": "C is a point here, nobody's initial",
    r"So $x = 3.$ |Then we stop.": "the stop inside the formula is the sentence's",
    r"We have \[ x = 1.5. \] |Then we go on.": "a sentence does not end before its formula is closed",
    r"Let \begin{cases} x. Y \\ z. W \end{cases} be given. |Then we go on.": "a formula has no sentences",
    "1. Compute x. |2. Compute y.": "the number belongs to its item, x is no initial",
    "Step 1. Compute x. |Step 2. Compute y.": "the number belongs to its step, x is no initial",
    'He said "A is 3. B is 4. What is C?" |So we add.': "a short quotation stays whole",
}
"""Where pysbd splits otherwise, and why we do not follow."""


@pytest.mark.parametrize("marked", [*TRICKY, *OTHER_SCRIPTS.values()])
def test_a_tricky_text_is_split_where_the_bars_stand(marked: str) -> None:
    """Abbreviations, initials, decimals, addresses, ellipses, factorials, formulas, lists, quotations, scripts."""
    assert chunks(marked.replace("|", "")) == marked.split("|")


def test_pysbd_agrees_on_all_but_the_listed_texts() -> None:
    """An oracle from elsewhere: 48 of the 63 texts; each of the others has its reason."""
    texts = [("en", marked) for marked in TRICKY] + list(OTHER_SCRIPTS.items())
    differing = [marked for language, marked in texts if pysbd_chunks(marked, language) != _bare(marked.split("|"))]
    assert differing == list(OTHERWISE)
    assert len(texts) - len(differing) == 48


def pysbd_chunks(marked: str, language: str) -> list[str]:
    """White space at the ends left out: pysbd gives it to either side."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its patterns are strings with unknown escapes
        import pysbd
    return _bare(pysbd.Segmenter(language=language, clean=False).segment(marked.replace("|", "")))


def _bare(pieces: list[str]) -> list[str]:
    return [piece.strip() for piece in pieces]


@pytest.mark.parametrize(
    "pieces",
    [
        ["So we have:\n\\[ x = 1\n\n+ 2 \\]\n", "Then we go on.\n\n", "It is done"],
        ["Let x = 3\n", "Let y = 4\n", "4 + 5 is 9"],
        ["The plan has three parts:\n", "- First we add.\n", "- Then we divide\n", "* and stop\n\n", "(a) Done"],
        ["# Plan\n", "1. **Add**\n   the numbers\n", "2. Divide. ", "Check.\n", "b) Stop"],
        ["Look:\n", "```python\nx = 1.  # One. Two.\n\ny = 2\n```\n", "Then we go on."],
        ["Code:\r\n", "```\r\nx = 1. Y\r\n\r\ny\r\n```\r\n", "Done."],
        ["This line is long enough to have been wrapped by an editor at the\nUniversity of Oslo, in the north."],
        ["Windows ends lines thus.\r\n", "And a blank one:\r\n\r\n", "Here"],
        ["| a | b |\n", "| 1 | 2 |\n", "> Quoted."],
        ["$$ a. B $$ is given. ", "$$ x. ", "It is cut off."],
        ["One.\n\n---\n\n", "Two.\n***\n"],
        ["---\n\nOne. ", "Two."],
        ["  One. ", "Two.  \n"],
        ["no end at all"],
        ["..."],
        [" \n"],
        [],
    ],
)
def test_lines_lists_code_and_formulas(pieces: list[str]) -> None:
    """White space belongs to the sentence before it; rules and dots to a neighbour; code is one sentence."""
    assert chunks("".join(pieces)) == pieces


@given(st.text(alphabet='aB1 .!?\n\r\t\\[]$()"`~-*{}#…。」と|endbgi', max_size=80) | st.text(max_size=40))
def test_the_default_rule_loses_nothing(text: str) -> None:
    """The slices, joined, are the text; none is empty; a veil changes no position."""
    spans = split(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert len(veil(text)) == len(text)


def test_the_pocket_world_s_own_sentences_are_found() -> None:
    """Sixty traces. There the blank between two sentences is the second one's, here the first one's."""
    for seed in range(60):
        sentences = [each.text for each in trace(problem(seed), seed).sentences]
        assert _bare(chunks("".join(sentences))) == _bare(sentences)


def test_bytes_survive_in_every_script() -> None:
    """Code points, as Python slices; what is outside the basic plane counts as one."""
    text = "Das ist gut 😀. Ça va? Да. 好。"
    assert "".join(chunks(text)).encode() == text.encode()
    assert split(text)[0] == Span(0, 15)


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    [
        ("It is 3.14. Dr. Fu agrees. So", ["It is 3.14.", "Dr. Fu agrees. So"], ["It is 3.14.", "Dr. Fu agrees."]),
        ("a\n<think>\nNo way at all.\n\n Next one is here\n</think> z. ", ["No way at all.", "Next one is here"], None),
        ("<think>One is enough. Ok.\n\nYes. ", ["One is enough. Ok. Yes."], ["One is enough. Ok."]),
        ("Short.\nThen a longer sentence. x", ["Short. Then a longer sentence. x"], ["Short. Then a longer sentence."]),
        ("no boundary in here", ["no boundary in here"], []),
        ("Ok.", ["Ok."], []),
        ("</think>", [], []),
        ("", [], []),
    ],
)
def test_the_paper_rules_keep_or_lose_the_tail(text: str, kept: list[str], lost: list[str] | None) -> None:
    """Under ten characters a chunk joins the next, a last one the one before; only a stop before a space counts."""
    assert chunks(text, "paper") == kept
    assert chunks(text, "paper-code") == (kept[:-1] if lost is None else lost)


def test_paper_spans_point_into_the_text() -> None:
    """Where nothing was glued a span is its chunk; where two were, it holds the white space between them, too."""
    text = "<think>\nOk.\n\nThe sum is four. Done with it.</think>"
    assert split(text, "paper") == [Span(8, 29), Span(30, 43)]
    assert [text[start:end] for start, end in split(text, "paper")] == ["Ok.\n\nThe sum is four.", "Done with it."]
    assert chunks(text, "paper") == ["Ok. The sum is four.", "Done with it."]


def problems(real_logs: Path) -> list[tuple[str, list[str]]]:
    """(full chain of thought, the authors' chunks) of each published problem."""
    found = []
    for folder in sorted(path.parent for path in (real_logs / "thought-anchors").glob("*/*/*/base_solution.json")):
        base: dict[str, Any] = json.loads((folder / "base_solution.json").read_text(encoding="utf-8"))
        labelled = json.loads((folder / "chunks_labeled.json").read_text(encoding="utf-8"))
        found.append((base["full_cot"], [each["chunk"] for each in labelled]))
    return found


def test_the_paper_rule_gives_the_published_chunks(real_logs: Path) -> None:
    """All 323 of the six problems, to the byte."""
    published = problems(real_logs)
    assert [chunks(text, "paper") for text, _ in published] == [stored for _, stored in published]
    assert sum(len(stored) for _, stored in published) == 323


def test_the_released_code_has_one_chunk_less(real_logs: Path) -> None:
    """As its own assertion says; in one problem the lost tail leaves a short "Correct." that then joins backwards."""
    published = problems(real_logs)
    assert [len(chunks(text, "paper-code")) for text, _ in published] == [len(stored) - 1 for _, stored in published]


MIXED = r"So \( x = 3. \), e.g. 10! / 5!. Then \[ y. \] holds (see Eq. 4). He said \"No. Yes.\" "
UNCLOSED = [
    "(",
    r"\( x. ",
    r"\[ x. ",
    r"\begin{a} x. ",
    "```\n",
    "`a",
    "$a ",
    "$$ a. ",
    '"a ',
    "「",
    " ",
    "\n ",
    ".",
    "。",
]


@pytest.mark.parametrize(("rule", "unit"), [*((rule, MIXED) for rule in RULES), *(("default", u) for u in UNCLOSED)])
def test_time_grows_with_the_length(rule: str, unit: str) -> None:
    """Ten times the text, at most thirty times the processor's time, where a quadratic rule would take a hundred."""
    short = unit * (6_000 // len(unit))
    assert _seconds(short * 10, rule) <= 30 * max(_seconds(short, rule), 0.002)


def _seconds(text: str, rule: str) -> float:
    """The best of three; processor time, because other programs share the machine."""
    taken = []
    for _ in range(3):
        begin = time.process_time()
        split(text, rule)
        taken.append(time.process_time() - begin)
    return min(taken)


def test_an_unknown_rule_names_the_known_ones() -> None:
    """One line that says what to do."""
    with pytest.raises(UnknownRuleError, match="no sentence rule 'papr': choose one of default, paper, paper-code"):
        split("x", "papr")
