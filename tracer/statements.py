"""What a text says of something by name: "Jon is 2", "x = 7", `"city": "Paris"`, "Cal = 12 -3 = 9".

A digit says nothing about where it came from, and a name little; that this name goes with that digit says much. All
ways to say it make the same key, so whoever reads "Jon: 2." and says "Jon is 2." has said it again. What is asked
("What is Jon?", "Jon = 9 -5?") states nothing, and a value needs a digit or a capital letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.values import Value

WEIGHT = 2.0
"""As of a number that is rare by itself."""
WORDS = 6
"""A longer value is a sentence, and its words are values of their own."""
CHAIN = 4
"""Of a longer chain of equals the rest is left: each name in it begins a statement of its own."""
_HEAD = re.compile(
    r"(?<![\w'’-])(?P<name>[A-Za-z][\w'’-]{0,39})[\"'`*]{0,3}[ \t]{0,2}"
    r"(?::(?!//)|=(?!=)|(?:is|are|was|were|equals)(?=[ \t]))[ \t]{0,2}",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?P<quote>[\"'`*]{0,3})(?P<value>(?:[^\n.,;:=?!\"'`*|{}\[\]]|[.,](?=\d)){1,48})(?P=quote)"
    r"[ \t]{0,2}(?P<end>[\n.,;=!\"'`*|{}\[\]]|\Z)"
)
_NOBODY = frozenset(
    "what who which where when why how this that these those it its there here he she they we you i one let".split()  # noqa: SIM905
)
"""Words that name nothing by themselves."""
_TELLS = re.compile(r"[A-Z0-9]")


def statements(text: str) -> Iterator[Value]:
    """Every statement, in the order of the text; a chain of equals states each of its values, up to CHAIN."""
    for head in _HEAD.finditer(text):
        name = head["name"].casefold()
        if name not in _NOBODY:
            yield from _stated(text, name, head.start(), head.end())


def _stated(text: str, name: str, start: int, place: int) -> Iterator[Value]:
    for _ in range(CHAIN):
        if (found := _VALUE.match(text, place)) is None:
            return
        value = " ".join(found["value"].split())
        if _TELLS.search(value) and len(value.split()) <= WORDS:
            yield Value(f"statement {name} {value.casefold()}", start, found.end("value"), WEIGHT)
        if found["end"] != "=":
            return
        place = found.end()
