r"""The answer of a rollout: the last valid one in its text, or one of the two classes `none` and `truncated`.

An answer stands in a `\boxed{}`, behind `Answer:`, in a JSON field, is a letter of a multiple choice, or is what the
user's pattern finds. Any other outcome is a label that the user's function gives to the text. Which answers are one and
the same is the question of `tracer.equivalence`. All of it takes time linear in the length of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tracer.equivalence import NONE, TRUNCATED
from tracer.equivalence import classes as classes
from tracer.errors import TracerError
from tracer.quantities import LONGEST
from tracer.worker import OverLimitError, shared


class Extraction(NamedTuple):
    """How an answer is found."""

    kind: str = "default"
    """A key of EXTRACTORS."""
    pattern: str = ""
    """Kind `pattern`: a regular expression; its group `answer`, else its first group, else the whole match counts."""
    fields: tuple[str, ...] = ("answer", "final_answer")
    """Kind `json`: names of the field."""


DEFAULT = Extraction()
How = Extraction | Callable[[str], str]
"""A function gets the text of a rollout and gives a label; "" where it has none."""


class UnknownExtractionError(TracerError):
    """No such way to find an answer, or a pattern that cannot be used."""


class Rollout(NamedTuple):
    """What an extractor reads."""

    text: str
    ended: bool
    """False where it was cut off: then an answer that runs up to the end may be half of one."""


def answer(text: str, how: How = DEFAULT, finish: str = "stop") -> str:
    r"""The last valid answer of a rollout's text, as spelled there; else `truncated` (finish "length") or `none`.

    Empty answers, placeholders ("...") and answers longer than LONGEST characters are not valid. An answer that happens
    to be the word none or truncated comes back as \text{none}, so that it is never taken for the class.
    """
    if not isinstance(how, Extraction):
        found = how(text)
    elif how.kind in EXTRACTORS:
        found = EXTRACTORS[how.kind](Rollout(text, finish != "length"), how)
    else:
        raise UnknownExtractionError(f"no way to find answers {how.kind!r}: choose one of {', '.join(EXTRACTORS)}")
    if found:
        return rf"\text{{{found}}}" if found in {NONE, TRUNCATED} else found
    return TRUNCATED if finish == "length" else NONE


def detect(texts: Sequence[str]) -> Extraction:
    """The one way that finds an answer in most of a trace's rollouts, the first of DETECTED among equals.

    All rollouts of a trace must be read in one way, or a change of format looks like a change of the answer. DEFAULT,
    which tries all ways in one order, where none finds anything.
    """
    hits = {kind: sum(bool(EXTRACTORS[kind](Rollout(text, True), DEFAULT)) for text in texts) for kind in DETECTED}
    best = max(DETECTED, key=hits.__getitem__)
    return Extraction(best) if hits[best] else DEFAULT


_BOX = re.compile(r"\\{1,2}(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_FIRST_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_PAPER_BOX = re.compile(r"\\boxed\{|[{}]")
_PLACEHOLDERS = frozenset(
    ["", "...", "…", r"\ldots", r"\dots", r"\cdots", "?", "answer", "your answer", "final answer"]
)
_ANSWER = re.compile(
    r"(?i)\b(?:answers?(?: ?\([^()\n]{0,40}\))?(?:[ \t]is)?[*_]{0,3}[ \t]{0,4}[:：][*_]{0,3}"
    r"|(?:final|correct) answer is(?=[ \t]))"
)
_NEXT_LINES = re.compile(r"[ \t]*([^\n]*)(?:\n\s{0,8}([^\n]*))?")
_LEAD = re.compile(r"(?i)(?:so |thus |therefore,? )?(?:the )?(?:(?:final |correct )?answer is|it is)[ \t:]+")
_FORMULA_FIRST = re.compile(r"(?:\$\$?([^$]+)\$\$?|`([^`]+)`|\\\((.+?)\\\)|\\\[(.+?)\\\])(?:\.?\Z|\. )")
_LETTER = r"(?P<letter{0}>[B-HJ](?!\w|[ \t]*[=+/^-]|['’])|[AI](?!\w|[ \t]+[a-z]|[ \t]*[=+/^-]|['’]))"
_CHOICE = re.compile(
    r"\\boxed\s*\{\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*\(?" + _LETTER.format(1) + r"\s*[).:}]"
    r"|(?i:\b(?:answer|(?:option|choice)(?=[ \t]is\b|[*_]{0,2}:))(?:[ \t]is)?)[ \t:*_($\"'-]{1,8}"
    r"(?i:(?:option|choice)[ \t(*_]{1,4})?" + _LETTER.format(2)
)
"""A and I are words, too: "the answer is A good idea" gives no letter."""
_ONLY_LETTER = re.compile(r"[ \t*_(\[]{0,8}(?P<letter>[A-J])[ \t*_)\].:]{0,8}")


def _default(rollout: Rollout, how: Extraction) -> str:
    """The first that finds something: boxed, `Answer:`, JSON field, a last line that gives a letter of a choice."""
    return _boxed(rollout, how) or _line(rollout, how) or _json(rollout, how) or _ending(rollout)


def _boxed(rollout: Rollout, _: Extraction) -> str:
    r"""The last \boxed{} or \fbox{} that is closed; \{ and \} are no braces. A box in a box is the inner one."""
    found = ""
    last = -1
    for start, end in _closed(rollout.text, _BOX):
        if start > last and end - start <= LONGEST and (inner := _valid(rollout.text[start:end])):
            found, last = inner, start
    return found


def _closed(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """What each box holds, in the order in which they are closed."""
    opened: list[tuple[int, bool]] = []
    first = _FIRST_BOX.search(text)  # braces before it mean nothing
    for token in pattern.finditer(text, first.start()) if first else ():
        if token[0] == "}":
            start, is_box = opened.pop() if opened else (0, False)
            if is_box:
                yield start, token.start()
        elif token[0][-1] == "{" and token[0] != r"\{":
            opened.append((token.end(), token[0] != "{"))


def _forced(rollout: Rollout, _: Extraction) -> str:
    r"""What stands in a box that the prompt opened: up to its brace, or all, where the rollout ended without one."""
    depth = 1
    for token in _BOX.finditer(rollout.text):
        depth += (token[0][-1] == "{" and token[0] != r"\{") - (token[0] == "}")
        if depth == 0:
            return _valid(rollout.text[: token.start()])
    return _valid(rollout.text) if rollout.ended else ""


def _line(rollout: Rollout, _: Extraction) -> str:
    """What follows the last "Answer:" or "final answer is" on its line, or on the next one where the line is empty."""
    text = rollout.text if rollout.ended else rollout.text[: rollout.text.rfind("\n") + 1]
    for place in reversed([found.end() for found in _ANSWER.finditer(text)]):
        lines = _NEXT_LINES.match(text, place, place + 2 * LONGEST)
        assert lines is not None
        if inner := _valid(_bare(lines[1])) or (not lines[1].strip(" *_") and _valid(_bare(lines[2] or ""))):
            return inner
    return ""


def _bare(line: str) -> str:
    """An answer without the marks around it and without "the answer is"."""
    if len(line) > LONGEST:
        return ""
    line = line.strip(" \t\r*_")
    line = line[lead.end() :].strip() if (lead := _LEAD.match(line)) else line
    if box := _boxed(Rollout(line, True), DEFAULT):
        return box
    if formula := _FORMULA_FIRST.match(line):
        return str(formula[formula.lastindex or 0]).strip()
    return line.strip(" \t*_") if line[-3:] == "..." else line.removesuffix(".").strip(" \t*_")


def _json(rollout: Rollout, how: Extraction) -> str:
    """The last JSON field of one of the names that holds a text, a number, a truth value or a list of them."""
    names = "|".join(re.escape(json.dumps(name)) for name in how.fields)
    places = [found.end() for found in re.finditer(rf"(?:{names})\s{{0,8}}:\s{{0,8}}", rollout.text)]
    found = (_valid(_json_value(rollout.text[place : place + LONGEST], rollout.ended)) for place in reversed(places))
    return next(filter(None, found), "")


_JSON_VALUE = re.compile(
    r'(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<plain>-?[0-9][0-9.eE+-]*|true|false)(?P<after>[\s,}\]])?|(?P<list>\[[^\[\]{}]*\])'
)


def _json_value(text: str, ended: bool) -> str:
    found = _JSON_VALUE.match(text)
    if not found:
        return ""
    if found["text"]:
        try:
            return str(json.loads(found["text"]))
        except ValueError:
            return ""
    return found["list"] or (found["plain"] if ended or found["after"] else "")


def _choice(rollout: Rollout, _: Extraction) -> str:
    """The letter A to J of the last "answer is (B)", "option B" or boxed letter, or of a last line that is a letter."""
    return _ending(rollout) or _last_choice(rollout.text)


def _ending(rollout: Rollout) -> str:
    if not rollout.ended:
        return ""
    lines = rollout.text.rstrip()[-LONGEST:].splitlines()
    line = lines[-1] if lines else ""
    if found := _ONLY_LETTER.fullmatch(line):
        return found["letter"]
    return _last_choice(line)


def _last_choice(text: str) -> str:
    letter = ""
    for found in _CHOICE.finditer(text):
        letter = found["letter1"] or found["letter2"]
    return letter


def _pattern(rollout: Rollout, how: Extraction) -> str:
    """The last match of the user's pattern, sought in the worker process: patterns can take for ever."""
    try:
        re.compile(how.pattern)
    except re.error as error:
        raise UnknownExtractionError(f"the pattern {how.pattern!r} is no regular expression: {error}") from None
    try:
        return _valid(shared().ask("last match", how.pattern, rollout.text) or "")
    except OverLimitError:
        raise UnknownExtractionError(
            f"the pattern {how.pattern!r} takes too long on a text of {len(rollout.text):,} characters: make it simpler"
        ) from None


def _valid(text: str) -> str:
    """The text, stripped, where it can be an answer; else ""."""
    text = text.strip()
    return "" if len(text) > LONGEST or text.casefold().strip("<>[] ") in _PLACEHOLDERS else text


def paper_answer(text: str) -> str:
    r"""As the reference does it: the first \boxed{} that is not empty, unclosed ones too; "" where there is none."""
    boxes = dict(_closed(text, _PAPER_BOX))
    for found in re.finditer(r"\\boxed\{", text):
        if inner := text[found.end() : boxes.get(found.end(), len(text))]:
            return inner
    return ""


def paper_normalise(answer: str) -> str:
    """The reference's normal form of an answer, with its collisions: only for reproducing what was published.

    "frac{12}{3}" and "frac{1}{23}" come out the same, and so do "1,000" and "1.000", or "(1,2)" and "(1.2)".
    """
    text = answer.strip().lower()
    for sought, put in _PAPER_FORM:
        text = re.sub(sought, put, text)
    return text


_PAPER_FORM = (
    (r"[dt]frac", "frac"),
    (r"\s+", ""),
    (r"\\%|\{,\}", ""),
    (r"\\(?:times|cdot)", "*"),
    (r"(\d+)[.,](\d+)", r"\1.\2"),
    (r"\{([^{}]+)\}", r"\1"),
    (r"\\pi", "pi"),
    (r"\\(?:text|mathrm)\{([^{}]+)\}", r"\1"),
)
"""In this order, each over the whole text."""


def _paper(rollout: Rollout, _: Extraction) -> str:
    return paper_answer(rollout.text)


EXTRACTORS: dict[str, Callable[[Rollout, Extraction], str]] = {
    "default": _default,
    "boxed": _boxed,
    "forced": _forced,
    "answer": _line,
    "json": _json,
    "choice": _choice,
    "pattern": _pattern,
    "paper": _paper,
}
"""Each gives the answer, or "" where there is none."""
DETECTED = ("boxed", "choice", "answer", "json")
"""The ways among which `detect` chooses."""
