"""Where sentences end in reasoning text: prose with LaTeX, code, lists, quotations and abbreviations in it.

First what has stops of its own (formulas, code, short brackets and quotations) is veiled: its stops and line breaks are
replaced, one character for one, so that positions hold. Then each white space is asked once whether a sentence ends
before it. Both are one pass, so the time is linear in the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict

from tracer import abbreviations

_VEIL = "\ue000"
"""A private character: neither a letter, nor a stop, nor white space."""
_STOPS = ".!?…؟۔।॥"
_WIDE_STOPS = "。｡！？"
_VEILED = str.maketrans(dict.fromkeys(_STOPS + _WIDE_STOPS + "\n\r\v\f\x85\u2028\u2029", _VEIL))

_OPENED = re.compile(
    r"""
      (?m:^[ \t]*(?P<fence>```|~~~))
    | (?P<code>`[^`\n]{1,300}`)
    | (?P<formula>\$\$|(?<!\\)\\[\[(]|\\begin\{[a-zA-Z]{1,24}\*?\})
    | (?<!\\)(?P<dollar>\$(?=\S)[^$\n]{1,400}(?<=\S)\$(?!\d))
    | (?P<aside>\([^()\n]{1,120}\)|(?<![\w"])"(?=\S)[^"\n]{1,120}(?<=\S)"(?!\w)|“[^“”\n]{1,120}”
        |「[^「」\n]{1,120}」|『[^『』\n]{1,120}』|（[^（）\n]{1,120}）)
    """,
    re.VERBOSE,
)
"""What begins something that has stops of its own. What is short is matched whole; the bounds keep time linear."""
_CLOSING = re.compile(r"\$\$|\\[\])]|\\end\{[a-zA-Z]{1,24}\*?\}|(?m:^[ \t]*(?:```|~~~)[`~]*(?=[ \t]*\r?$))")
_CLOSER_AT_END = re.compile(r"(?:\\end\{\w+\*?\}|\\[\])]|\$\$|.)\Z", re.DOTALL)
_LONGEST_FORMULA = 2_000
"""Characters. What is closed later than that was more likely opened by mistake."""
_CLOSER = {"\\[": "\\]", "\\(": "\\)"}
_FENCES = ("```", "~~~")

_GAP = re.compile(rf"(?P<wide>[{_WIDE_STOPS}]++[」』）”’》】〉\"')\]]*+(?!と|って)\s*)|\s+")
_STOPPED = re.compile(
    rf"(?P<stop>\.(?:\ \.)+|[{_STOPS}]+)"
    rf"(?P<close>(?:[\"'”’»)\]}}*_]|{_VEIL}|\\[\])]|\$\$?|\\end\{{\w+\*?\}}|\[\d+\])*)\Z"
)
_REACH = 64
"""So far a stop may stand before the white space, with all that closes after it."""
_NO_START = re.compile(
    r"[=+/,;:)\]}&^%×·÷→⇒≤≥>|~–—.!?]|[-*](?=\s|\Z)|<(?![\w/])|\\[\])]|\\(?:end|times|cdot|quad|approx|leq?|geq?)\b"
)
"""What goes on with a sentence, or with a formula outside of any dollar sign."""
_QUOTED = re.compile("[\"'”’»)\\]]")
_WORD = re.compile(r"[^\s()\[\]{}\"“”‘’*_,;:]+\Z")
_DOTTED = re.compile(r"[^\W\d_]{1,2}(?:\.[^\W\d_]{1,2})+")
"""U.S, a.m, Ph.D; not a file's name."""
_NEXT = re.compile(r"[\W_]*(?P<word>[^\W_]+)?")
_INITIAL = re.compile(r"[A-Z]\.")
_FACTORIAL = re.compile(r"(?:\d|[)}]|\b[a-z])\Z")

_LINE_START = re.compile(r"(?:[-*+•◦–—]|\d{1,3}[.)]|\(?[a-zA-Z]\)|\([ivx]{1,4}\)|#{1,6}|>)(?=\s)|```|~~~|\|")
"""List items, headings, quotations, fences and rows of a table begin a sentence."""
_LETTER = re.compile(r"[*_#>\s]*(?:[-•]\s*)?(?:[a-zA-Z]|[ivxIVX]{1,4})[.)]+[*_]*")
_NUMBER = re.compile(
    r"[*_#>\s]*(?:[-•]\s*)?"
    r"(?:(?:Step|Case|Part|Option|Method|Approach|Claim|Lemma|Theorem|Example|Question|Problem)\s+(?:[A-Z]|\d{1,3})"
    r"|\d{1,3})[.)]+[*_]*"
)
_DISPLAYED = re.compile(r"(?:\\\]|\$\$|\\end\{\w+\*?\})\Z")
_GOES_ON = frozenset(",:;=+-–—*/&(<|\\")
_WRAP = 60
"""Nobody wraps lines narrower: a line that ends although the next word had fitted was ended on purpose."""
_ALNUM = re.compile(r"[^\W_]")


def boundaries(text: str) -> list[int]:
    """The end of each sentence, with the white space after it; the last is the text's end, and "" has none."""
    veiled = veil(text)
    ends, start, fresh = [], 0, True
    for gap in _GAP.finditer(veiled):
        if gap.end() < len(text) and _ends(veiled, start, gap, fresh=fresh):
            ends.append(gap.end())
            start, fresh = gap.end(), _breaks(gap[0]) > 0
    return _with_words(text, [*ends, len(text)]) if text else []


def _with_words(text: str, ends: list[int]) -> list[int]:
    """A piece without a letter or digit (a rule, a tick, stray dots) is no sentence: it joins the one before."""
    kept: list[int] = []
    for start, end in zip([0, *ends], ends, strict=False):
        if kept and not _ALNUM.search(text, start, end):
            kept[-1] = end
        else:
            kept.append(end)
    if len(kept) > 1 and not _ALNUM.search(text, 0, kept[0]):
        del kept[0]
    return kept


def veil(text: str) -> str:
    """The text with the stops and line breaks inside formulas, code, asides and quotations replaced.

    Same length. A stop that is the last thing inside stays: "(He left.) She stayed." has two sentences.
    """
    closing = _closing(text)
    made, at, position = [], 0, 0
    while found := _OPENED.search(text, position):
        kind, begin = str(found.lastgroup), found.start(str(found.lastgroup))
        end = _closed(closing, found[kind], found.end()) if kind in {"fence", "formula"} else found.end()
        if end:
            made += [text[at:begin], _veiled(text[begin:end], kind)]
            at = end
        position = end or found.end()
    return "".join([*made, text[at:]])


def _closing(text: str) -> dict[str, list[tuple[int, int]]]:
    """Where each closing delimiter stands: (start, end), in order."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for closer in _CLOSING.finditer(text):
        word = closer[0].strip()
        found[word[:3] if word.startswith(_FENCES) else word].append(closer.span())
    return found


def _closed(closing: dict[str, list[tuple[int, int]]], opener: str, after: int) -> int:
    """The end of what `opener` began, 0 where nothing closes it: a formula cut off hides nothing."""
    places = closing.get(_CLOSER.get(opener, opener.replace("\\begin", "\\end")), [])
    index = bisect_left(places, (after, 0))
    end = places[index][1] if index < len(places) else 0
    return end if opener in _FENCES or end - after <= _LONGEST_FORMULA else 0


def _veiled(region: str, kind: str) -> str:
    hidden = region.translate(_VEILED)
    if kind in {"code", "fence"}:
        return hidden
    inner = _CLOSER_AT_END.sub("", region)
    last = len(inner.rstrip()) - 1
    # In a formula "!" is a factorial.
    if inner[last] not in _STOPS + _WIDE_STOPS or (inner[last] == "!" and kind != "aside"):
        return hidden
    return hidden[:last] + inner[last] + _VEIL * (len(inner) - last - 1) + hidden[len(inner) :]


def _breaks(gap: str) -> int:
    """Line breaks in white space; CR LF is one."""
    return max(gap.count("\n"), gap.count("\r")) + gap.count("\u2028") + 2 * gap.count("\u2029")


def _ends(text: str, start: int, gap: re.Match[str], *, fresh: bool) -> bool:
    """Does the sentence that began at `start` end before this white space?"""
    if gap["wide"]:
        return True
    breaks, before = _breaks(gap[0]), text[gap.start() - 1 : gap.start()]
    if not breaks and (before.isalnum() or before in ",;:"):  # nearly every gap
        return False
    if gap.start() - start <= _REACH and _only_marks(text[start : gap.start()], fresh=fresh):
        return False
    if breaks > 1 or (breaks and _line_ends(text, start, gap)):
        return True
    found = _STOPPED.search(text[max(start, gap.start() - _REACH) : gap.start()])
    return found is not None and _stop_ends(found, text[gap.end() : gap.end() + _REACH])


def _only_marks(piece: str, *, fresh: bool) -> bool:
    """ "2." and "Step 2." belong to what follows, "b)" does at the head of a line."""
    return bool(_NUMBER.fullmatch(piece) or (fresh and _LETTER.fullmatch(piece)))


def _line_ends(text: str, start: int, gap: re.Match[str]) -> bool:
    """Is a single line break the end of a sentence that has no stop?"""
    if _LINE_START.match(text, gap.end()):
        return True
    head = max(start, text.rfind("\n", max(start, gap.start() - 4 * _WRAP), gap.start()) + 1)
    line = text[head : gap.start()]
    if line.lstrip().startswith("#") or line.rstrip().endswith(_FENCES):
        return True
    if line[-1:] in _GOES_ON or not _fresh(text, gap.end()):
        return False
    if _DISPLAYED.search(line):
        return True
    word = text[gap.end() : gap.end() + _WRAP].split()[0]
    return len(line) + 1 + len(word) <= _WRAP


def _fresh(text: str, position: int) -> bool:
    """Could a sentence without a stop before it begin here: with a capital, a digit, a formula in the line?"""
    rest = text[position : position + 6].lstrip('"“‘([*_¿¡')
    letter = rest[:1]
    in_line = rest.startswith("\\(") or (letter == "$" and not rest.startswith("$$"))
    return in_line or letter.isdigit() or (letter.isalpha() and not letter.islower())


def _stop_ends(found: re.Match[str], after: str) -> bool:
    """Does this stop, with what closes after it, end a sentence, given what follows the white space?"""
    if _NO_START.match(after):
        return False
    stop, before = found["stop"], found.string[: found.start()]
    following = _NEXT.match(after)
    word = (following["word"] if following else None) or ""
    if "…" in stop or ".." in stop or ". " in stop:
        return not word[:1].islower() and word != "I"
    if "!" in stop and "?" not in stop and _FACTORIAL.search(before) and not after[:1].isupper():
        return False
    lower = word[:1].islower() and not after.startswith("\\")
    if lower and _QUOTED.search(found["close"]):
        return False
    return stop != "." or _full_stop_ends(before, after, word, lower=lower)


def _full_stop_ends(before: str, after: str, following: str, *, lower: bool) -> bool:
    """A single full stop: the end of a sentence, or of an abbreviation?"""
    found = _WORD.search(before)
    word = found[0].lstrip("'$\\") if found else ""
    rest = before[: found.start()].split() if found else []
    plain = word.lower()
    if plain in abbreviations.BEFORE_NAMES:
        return False
    if plain in abbreviations.BEFORE_NUMBERS and re.match(r"[(\d\\$#]|[A-Z]\b", after):
        return plain == "no" and not rest
    if lower:
        short = _DOTTED.fullmatch(word) or _consonants(word) or (len(word) == 1 and word.isupper())
        return not (plain in abbreviations.ALL or short)
    if plain in abbreviations.AT_END or _DOTTED.fullmatch(word):
        return following in abbreviations.STARTERS
    if len(word) == 1 and word.isupper():
        return not (_INITIAL.match(after) or _initial(rest[-1].lstrip('*_(["“') if rest else "", following))
    return True


def _consonants(word: str) -> bool:
    """An abbreviation that no list has: "ctd.", "cm." """
    return len(word) > 1 and word.isalpha() and word.islower() and not set(word) & set("aeiouy")


def _initial(previous: str, following: str) -> bool:
    """ "George W. Bush", "J. R. R. Tolkien"; but "point B. Then", "from A to B. Cars"."""
    if following in abbreviations.STARTERS or not following[:1].isupper():
        return False
    named = previous[:1].isupper() and previous.lower() not in abbreviations.BEFORE_LETTERS
    return not previous or named or previous == "by"
