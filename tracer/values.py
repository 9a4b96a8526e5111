"""Values that can be recognised when they are reused: what one step brings into a run and a later one carries on.

Six classes, from the surest sign of reuse to the weakest, each with the weight that it has in an edge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class ValueClass(NamedTuple):
    """A kind of value: how it is found and how much one shared value says."""

    weight: float
    pattern: re.Pattern[str]


class Value(NamedTuple):
    """One occurrence of a value in a text."""

    key: str
    """What makes two occurrences the same value: class, then the normalised text."""
    start: int
    end: int
    weight: float


VALUE_CLASSES: dict[str, ValueClass] = {
    "url": ValueClass(3.0, re.compile(r"https?://[^\s<>\"'\])}]{4,400}")),
    "quote": ValueClass(2.0, re.compile(r"\"([^\"\n]{4,120})\"|“([^”\n]{4,120})”|`([^`\n]{3,120})`|\*\*([^*\n]{3,120})\*\*")),
    "number": ValueClass(2.0, re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w])")),
    "identifier": ValueClass(
        1.5, re.compile(r"\b(?:[A-Za-z]+_[A-Za-z0-9_]+|[a-z]+[A-Z]\w+|[A-Za-z]+\d\w*|\d+[A-Za-z]\w*|[\w-]+(?:/[\w.-]+)+)\b")
    ),
    "name": ValueClass(1.5, re.compile(r"\b[A-Z][\w’'-]+(?:[ \t]+(?:of|the|de|van|and|&)?[ \t]?[A-Z][\w’'-]+){1,4}")),
    "word": ValueClass(0.5, re.compile(r"[^\W\d_]{5,40}")),
}
_TRIVIAL_NUMBERS = frozenset(str(n) for n in range(11)) | {"100", "1000"}
_TRAILING = ".,;:!?"


def values(text: str, *, words: bool = True) -> Iterator[Value]:
    """Every value of a text, classes in the order of VALUE_CLASSES; the same words may count in several classes.

    `words=False` leaves out the weakest class, plain words.
    """
    for name, value_class in VALUE_CLASSES.items():
        if name == "word" and not words:
            continue
        for found in value_class.pattern.finditer(text):
            if (key := _key(name, found)) is not None:
                yield Value(key, found.start(), found.end(), value_class.weight)


def _key(name: str, found: re.Match[str]) -> str | None:
    """The normalised value, or None where it says nothing (0-10, 100, 1000 and list numbers are everywhere)."""
    raw = next((group for group in found.groups() if group), found[0])
    if name == "number":
        number = raw.replace(",", "").lstrip("+")
        return None if number.lstrip("-") in _TRIVIAL_NUMBERS else f"number {number}"
    if name == "url":
        return f"url {raw.rstrip(_TRAILING + '/').lower()}"
    return f"{name} {' '.join(raw.split()).strip(_TRAILING).casefold()}"
