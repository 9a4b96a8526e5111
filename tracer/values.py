"""Values that can be recognised when they are reused: what one step brings into a run and a later one carries on.

Six classes, from the surest sign of reuse to the weakest, each with the weight that it has in an edge.
"""

from __future__ import annotations

import re
from bisect import bisect_right
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
    "quote": ValueClass(
        2.0, re.compile(r"\"([^\"\n]{4,120})\"|“([^”\n]{4,120})”|`([^`\n]{3,120})`|\*\*([^*\n]{3,120})\*\*")
    ),
    "number": ValueClass(2.0, re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w])")),
    "identifier": ValueClass(
        1.5,
        re.compile(r"\b(?:[A-Za-z]+_[A-Za-z0-9_]+|[a-z]+[A-Z]\w+|[A-Za-z]+\d\w*|\d+[A-Za-z]\w*|[\w-]+(?:/[\w.-]+)+)\b"),
    ),
    "name": ValueClass(1.5, re.compile(r"\b[A-Z][\w’'-]+(?:[ \t]+(?:of|the|de|van|&)?[ \t]?[A-Z][\w’'-]+){1,4}")),
    "word": ValueClass(0.5, re.compile(r"[^\W\d_]{5,40}")),
}
_COMMON_WORDS = frozenset(  # one text instead of a list of strings: it is read, not edited
    """
    about above access accurate accurately across action actually added additional after again against agent
    almost along already alternative although always among analysis another answer answers anything appears
    approach around asked asking assist assistance available based because become before begin being below
    better between break bring calculate called can't cannot carefully cases check checked class clear clearly
    click clicked close closer collect come comes complete completed condition conditions conduct confirm
    confirmed consider considering constraints contain contains content context continue correct correctly could
    couldn't create created current currently detail detailed details determine different directly doesn't doing
    during each either engine ensure ensures entire error errors every everything exact exactly example
    exception execute executed execution exitcode expected extract extracted failed false field final finally
    first focus follow followed following follows format found fourth further general given gives going great
    group handle having helpful hence however identified identify import include included includes including
    indeed indicate indicates information initial input instance instead instruction instructions issue items
    itself known large later latest least likely limit limited lines listed little locate looking lower make
    makes manager match matches maybe means mentioned message method might missing moment needed needs never
    number numbers obtain often option options order other others otherwise output outputs overall particular
    perform performed performing perhaps phase place please point possible present previous previously print
    probably problem proceed process processing progress properly provide provided provides python question
    questions quick quite raise rather reached ready really reason reasons received refine related relevant
    remaining report request required requires response result results retrieve retrieved return returned
    returns review right round running script search searching second section seems select selected sequence
    several should shown shows similar simple simply since single small solution solve solving something
    specific specifically start started starting state stated status steps still string structure succeeded
    success successful successfully suggest suggested suggestions support system table taken target tasks
    terminate thank thanks their them themselves there therefore these they thing think third those though three
    through together total toward traceback true trying under understand understood unfortunately until update
    updated upper using usually utilize valid value values various verification verified verify version visit
    wasn't welcome weren't whether which while whole whose within without words working would write wrong yield
    you're yours yourself
    """.split()  # noqa: SIM905
)
"""Words that any conversation between agents is made of: sharing one says nothing about where it came from."""
_TRIVIAL_NUMBERS = frozenset(str(n) for n in range(11)) | {"100", "1000"}
_TRAILING = ".,;:!?"


def values(text: str, *, words: bool = True) -> Iterator[Value]:
    """Every value of a text, classes in the order of VALUE_CLASSES; the same words may count in several classes.

    A link counts as a link only: its parts say nothing more. `words=False` leaves out the weakest class, plain words.
    """
    links = [found.span() for found in VALUE_CLASSES["url"].pattern.finditer(text)]
    for name, value_class in VALUE_CLASSES.items():
        if name == "word" and not words:
            continue
        for found in value_class.pattern.finditer(text):
            if name != "url" and _inside(links, found.start()):
                continue
            if (key := _key(name, found)) is not None:
                yield Value(key, found.start(), found.end(), value_class.weight)


def _inside(spans: list[tuple[int, int]], place: int) -> bool:
    """Whether a place lies in one of the spans, which are ascending and disjoint."""
    if not spans:  # most texts
        return False
    last = bisect_right(spans, place, key=lambda span: span[0]) - 1
    return last >= 0 and place < spans[last][1]


def _key(name: str, found: re.Match[str]) -> str | None:
    """The normalised value, or None where it says nothing (0-10, 100, 1000 and list numbers are everywhere)."""
    raw = next((group for group in found.groups() if group), found[0])
    if name == "number":
        number = raw.replace(",", "").lstrip("+")
        return None if number.lstrip("-") in _TRIVIAL_NUMBERS else f"number {number}"
    if name == "url":
        return f"url {raw.rstrip(_TRAILING + '/').lower()}"
    text = " ".join(raw.split()).strip(_TRAILING).casefold()
    return None if name == "word" and text in _COMMON_WORDS else f"{name} {text}"
