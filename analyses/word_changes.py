"""Which words of two texts differ: those outside their heaviest common subsequence of words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

import numpy as np

from tracer.analyses.matching import Scores, heaviest
from tracer.divergence import Slice

WORDS = 600
"""Words of either text that are compared, behind what both begin with; so a pair of texts takes milliseconds."""
_WORD = re.compile(r"\d[\d.,]{0,30}\d|\w{1,64}|[^\w\s]")
"""A number with its point is one word."""
_HEAVIEST = 8
"""Long words weigh more than marks and articles, but no word more than this, in characters."""


class Changes(NamedTuple):
    """The slices of each text that the other does not have, in order."""

    left: tuple[Slice, ...]
    right: tuple[Slice, ...]


def changed_words(left: str, right: str) -> Changes:
    """Compare word by word, white space aside. Beyond WORDS words behind the common beginning nothing is marked."""
    start = _common(left, right)
    ours, theirs = _words(left, start), _words(right, start)
    pairs = heaviest(_scores(left, ours, right, theirs)) if ours and theirs else []
    kept, held = {i for i, _ in pairs}, {j for _, j in pairs}
    return Changes(
        tuple(_joined(left, [word for i, word in enumerate(ours) if i not in kept])),
        tuple(_joined(right, [word for j, word in enumerate(theirs) if j not in held])),
    )


def _common(left: str, right: str) -> int:
    """Where the first word begins that is not the same in both, up to which nothing need be compared."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
    while 0 < same < max(len(left), len(right)) and (left[same - 1].isalnum() or left[same - 1] in ".,"):
        same -= 1
    return same


def _words(text: str, start: int) -> list[Slice]:
    found = _WORD.finditer(text, start)
    return [match.span() for match, _ in zip(found, range(WORDS), strict=False)]


def _scores(left: str, ours: Sequence[Slice], right: str, theirs: Sequence[Slice]) -> Scores:
    """(n, m): the length of the word where both are the same, else 0."""
    number: dict[str, int] = {}
    mine, other = (
        np.array([number.setdefault(text[start:end], len(number)) for start, end in words])
        for text, words in ((left, ours), (right, theirs))
    )
    weight = np.array([min(end - start, _HEAVIEST) for start, end in ours], dtype=np.float32)
    return np.asarray((mine[:, None] == other) * weight[:, None], dtype=np.float32)


def _joined(text: str, words: Sequence[Slice]) -> Iterator[Slice]:
    """Words with nothing but white space between them as one slice."""
    held: Slice | None = None
    for start, end in words:
        if held and not text[held[1] : start].strip():
            held = (held[0], end)
            continue
        if held:
            yield held
        held = (start, end)
    if held:
        yield held
