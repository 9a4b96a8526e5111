"""What an answer says: a number, an amount of something, several of them, a formula or words.

These are rules of our own, for what they settle exactly: numbers are fractions, so nothing is rounded. What they leave
as a formula is for math-verify (`tracer.equivalence`).

Decisions. 50 % is 0.5 and 1/2, never 50. "1,000" is a thousand, "1.000" is one, "1,00" is neither. "(1,2)" is a pair
and keeps its brackets, so it is neither 1.2 nor [1,2]; a bare list "1, 2" is the set {1, 2}, and a set of one is its
element. "x = 5" says 5. "12_5" is 12 of the unit "base 5": a bare 12 may be it, 12_7 is not. A decimal is what is
written: 0.333 is not 1/3, but a repeating one is.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from tracer.units import Unit, unit_of

LONGEST = 2_000
"""Characters; a longer text is no answer but words."""
DEEPEST = 8
"""Brackets within brackets."""


class Number(NamedTuple):
    """A rational number."""

    value: Fraction


class Formula(NamedTuple):
    """Something for math-verify."""

    text: str


class Words(NamedTuple):
    """Anything else, compared as normalised text."""

    text: str


class Amount(NamedTuple):
    """So much of a unit."""

    size: Number | Formula
    unit: Unit


class Several(NamedTuple):
    """A pair, an interval, a list or a set; `brackets` is "{}" where the order does not count."""

    brackets: str
    items: tuple[Value, ...]


Value = Number | Formula | Words | Amount | Several

_SAME_SIGN = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "±": r"\pm ",
        "×": r"\times ",
        "·": r"\cdot ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
    }
    | {"\u00a0": " ", "\u2009": " ", "\u202f": " ", "，": ",", "％": "%", "’": "'", "∈": r"\in ", "∪": r"\cup "}
)
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?) ?(?:(?P<whole>{_DIGITS})? ?\\frac ?(?:\{{ ?(?P<top>-?{_DECIMAL}) ?\}}|(?P<top1>[0-9])) ?"
    rf"(?:\{{ ?(?P<below>{_DECIMAL}) ?\}}|(?P<below1>[0-9]))"
    rf"|(?:(?P<before>{_DIGITS}) )?(?P<over>{_DECIMAL}) ?/ ?(?P<under>{_DECIMAL})"
    rf"|(?P<start>{_DIGITS}\.(?P<once>[0-9]*))\\overline ?\{{ ?(?P<again>[0-9]+) ?\}}"
    rf"|(?P<decimal>{_DECIMAL})(?:[eE](?P<e>[-+]?[0-9]{{1,3}})"
    rf"| ?(?:\\times|\\cdot|\*) ?10 ?\^ ?(?:\{{ ?(?P<power>[-+]?[0-9]{{1,3}}) ?\}}|(?P<power1>[0-9])))?)"
)
_ASSIGNED = re.compile(r"[A-Za-z](?:_(?:\w|\{\w{1,9}\}))?(?:\([A-Za-z]\))? ?(?:=|\\in(?![A-Za-z])) ?(?=[^=<>]+$)")
_PROSE = re.compile(
    r"(?<![\\A-Za-z])(?!(?:sqrt|sin|cos|tan|cot|sec|csc|log|exp|max|min|mod|gcd|lcm|arc\w{3})\b)[^\W\d_]{3,}"
)
_WRAPPED = re.compile(
    r"\\(?:boxed|text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|operatorname)\*? ?\{([^{}]*)\}"
)
_SIZED = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits)(?![A-Za-z])")
_THOUSANDS = re.compile(r"(?<![0-9,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_BASED = re.compile(r"([0-9]+)_(?:([0-9]) ?|\{ ?([0-9]{1,2}) ?\})")
_NOTHING = {r"\emptyset", r"\varnothing", "∅"}
_PLUS_MINUS = re.compile(r" ?\\pm(?![A-Za-z]) ?")
_BROKEN = re.compile(r"0[0-9]")
"""What a list has no element like: the text was cut in the middle of a number, as "1,00" is."""
_ENVIRONMENT = re.compile(r"\\(?:begin|end) ?\{\w*\*?\}")
_OPEN, _CLOSE = "([{", ")]}"
_MONEY = {"€": "EUR", "£": "GBP"}
SCALES: dict[str, Fraction] = {
    "%": Fraction(1, 100),
    "percent": Fraction(1, 100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
}
"""Words behind a number that change the number."""


@lru_cache(maxsize=1 << 14)
def read(answer: str) -> Value:
    """What an answer says, by the rules above; in time linear in its length."""
    if len(answer) > LONGEST:
        return Words(answer)
    text = tidy(answer)
    return _value(_ASSIGNED.sub("", text, count=1) if _ASSIGNED.match(text) else text, DEEPEST)


def tidy(answer: str) -> str:
    """The text without what only changes its looks: wrappers, sizes and spaces of LaTeX, Markdown, a last stop."""
    text = answer.translate(_SAME_SIGN)
    text = re.sub(r"(?<=[0-9])(?:\\[,!:;]|\{,\}|\\ )(?=[0-9]{3}(?![0-9]))", ",", text)
    text = re.sub(r"\\[()\[\]]|(?<!\\)\$\$|\*\*|`", " ", text)
    text = text.replace(r"\$", "USD ")
    text = re.sub(r"^\s*\$(?=[0-9.,]+\s*$)", "USD ", text).replace("$", " ")
    for _ in range(3):  # a wrapper may hold a wrapper
        text = _WRAPPED.sub(r" \1 ", text)
    text = _SIZED.sub("", text)
    text = re.sub(r"\\!", "", text)
    text = re.sub(r"(?<!\\)\\[,;: ]|\\q?quad(?![A-Za-z])|~", " ", text)
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    text = re.sub(r"\^ ?(?:\{ ?\\circ ?\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])", "°", text)
    text = re.sub(r" ?\^ ?", "^", re.sub(r"\s+", " ", text.replace(r"\%", "%")))
    text = re.sub(r"(?<![\\A-Za-z])pi(?![A-Za-z])", r"\\pi", text)
    text = text.strip().removesuffix(".").rstrip()
    return text.replace(" ", ",") if re.fullmatch(r"-?[0-9]{1,3}(?: [0-9]{3})+", text) else text


def _value(text: str, depth: int) -> Value:
    if (number := _number(text)) is not None:
        return Number(number)
    if (amount := _amount(text)) is not None:
        return amount
    if based := _BASED.fullmatch(text):
        return Amount(Number(Fraction(based[1])), Unit(Fraction(1), f"base {based[2] or based[3]}"))
    if text in _NOTHING:
        return Several("{}", ())
    if depth and len(_PLUS_MINUS.findall(text)) == 1:
        return _several("{}", [_value(_PLUS_MINUS.sub(sign, text).removeprefix("+"), depth - 1) for sign in "+-"])
    inner = _inside(text)
    parts = _parts(text if inner is None else inner, bracketed=inner is not None)
    if not depth or any(_BROKEN.match(part) for part in parts):
        return _leaf(text)
    if inner is not None and (len(parts) > 1 or text[0] in "({\\"):
        return _several(_brackets(text), [_value(part, depth - 1) for part in parts])
    if inner is None and len(parts) > 1 and not any(_prose(part) for part in parts):
        return _several("list", [_value(part, depth - 1) for part in _unnamed(parts)])
    return _leaf(text)


def _prose(text: str) -> bool:
    """Whether there is a word that is no command and no name of a function."""
    return bool(_PROSE.search(_ENVIRONMENT.sub("", text)))


def _leaf(text: str) -> Formula | Words:
    """A formula has a digit, a sign or a command, and no words; its spaces mean nothing but between letters."""
    if _prose(text) or not re.search(r"[0-9\\+*/^=<>|-]", text):
        plain = text.strip("\"' ")
        folded = re.search(r"[^\W\d_]{3,}", plain) or plain.casefold() == "no"
        return Words(plain.casefold() if folded else plain)
    text = re.sub(r" ?([^\w\s\\]) ?", r"\1", text)
    text = re.sub(r"(?<=[0-9]) (?=[A-Za-z\\])", "", text)
    return Formula(re.sub(r"([\^_])\{(\w)\}(?!\w)", r"\1\2", text))


def _several(brackets: str, items: list[Value]) -> Value:
    """A set is sorted and has each element once; a list is sorted and keeps its repetitions."""
    if brackets == "{}":
        items = list(dict.fromkeys(items))
    if brackets in {"{}", "list"}:
        items, brackets = sorted(items, key=repr), "{}"
    return items[0] if len(items) == 1 and brackets in {"{}", "()"} else Several(brackets, tuple(items))


def _brackets(text: str) -> str:
    return "{}" if text[0] in "{\\" else text[0] + text[-1]


def _inside(text: str) -> str | None:
    """What the outermost brackets hold, where they hold all of the text."""
    opened = r"\{" if text.startswith(r"\{") else text[:1]
    if opened[-1:] not in {"(", "[", "{"} or text[-1:] not in _CLOSE or (opened[-1] == "{") != (text[-1] == "}"):
        return None
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in _OPEN) - (sign in _CLOSE)
        if depth <= 0 and place < len(text) - 1 and place >= len(opened) - 1:
            return None
    return text[len(opened) : -1].removesuffix("\\").strip() if depth == 0 else None


def _parts(text: str, *, bracketed: bool) -> list[str]:
    """Split at commas outside brackets, outside of brackets also at "and", "or" and ";".

    A comma between digits may group thousands: inside brackets it does so only where another comma is followed by a
    space, or where a part would start with "00".
    """
    grouping = not bracketed or ", " in text or bool(re.search(r",00", text))
    spans = [found.span() for found in _THOUSANDS.finditer(text)] if grouping else []
    inside = {place for start, end in spans for place in range(start, end)}
    parts, start, depth = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in _OPEN) - (sign in _CLOSE)
        if sign in ",;" and depth == 0 and place not in inside:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    if not bracketed:
        parts = [word for part in parts for word in re.split(r"(?:^| )(?:and|or) ", part)]
    return [part.strip() for part in parts if part.strip()]


def _unnamed(parts: list[str]) -> list[str]:
    """ "x=1", "x=2" name one unknown twice: "1", "2". Different names stay, for they tell the parts apart."""
    named = [_ASSIGNED.match(part) for part in parts]
    names = {found[0].replace(" ", "") for found in named if found}
    if len(names) != 1 or not all(named):
        return parts
    return [part[found.end() :] for part, found in zip(parts, named, strict=True) if found]


def _number(text: str) -> Fraction | None:
    """The rational number that a text is as a whole; None where it is none, or divides by zero."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    part = found.groupdict()
    if part["decimal"]:
        power = int(part["e"] or part["power"] or part["power1"] or 0)
        value = _decimal(part["decimal"]) * Fraction(10) ** power
    elif part["again"]:
        period = Fraction(int(part["again"]), 10 ** len(part["again"]) - 1)
        value = _decimal(part["start"]) + period / 10 ** len(part["once"])
    else:
        below = _decimal(part["below"] or part["below1"] or part["under"])
        if not below:
            return None
        value = _decimal(part["top"] or part["top1"] or part["over"]) / below
        value += _decimal(part["whole"] or part["before"] or "0")
    return -value if part["sign"] == "-" else value


def _decimal(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").removesuffix("."))


def _amount(text: str) -> Number | Amount | None:
    """A number or formula and its unit; a percentage and a scale word ("million") only change the number."""
    text = _money_last(text)
    found = _NUMBER.match(text)
    if found and (size := _number(found[0])) is not None:
        rest = text[found.end() :]
        if (times := SCALES.get(rest.strip().casefold())) is not None:
            return Number(size * times)
        if (rest[:1] == " " or len(rest) > 1 or rest == "°") and (unit := unit_of(rest)):
            return Amount(Number(size), unit)
    for words in (1, 2):  # "12\\pi square cm"
        size_text, *unit_words = text.replace("°", " °").rsplit(" ", words)
        if len(unit_words) == words and (unit := unit_of(" ".join(unit_words), known=True)):
            leaf = _leaf(size_text.strip())
            return Amount(leaf, unit) if isinstance(leaf, Formula) else None
    return None


def _money_last(text: str) -> str:
    """ "USD 5" as "5 USD"."""
    found = re.fullmatch(r"(-? ?)(USD|EUR|GBP|€|£) ?([-0-9].*)", text)
    return f"{found[1]}{found[3]} {_MONEY.get(found[2], found[2])}" if found else text
