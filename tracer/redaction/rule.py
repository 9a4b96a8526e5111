"""What a rule is: a name, a way to find places in a text, and the keys whose values it takes whole.

Every pattern here is read in linear time: repeats are bounded or cannot overlap with what follows, and a rule is asked
only when one of its hints, plain strings, is in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Found(NamedTuple):
    """A place in a text."""

    start: int
    end: int
    value: str
    """The value in the one spelling that its pseudonym is made of."""


Find = Callable[[str], Iterator[Found]]


class Rule(NamedTuple):
    """One kind of thing that is not kept."""

    name: str
    """Stands in the pseudonym."""
    find: Find
    hints: tuple[str, ...] = ()
    """A text without any of these is not looked at; no hints: every text is."""
    text: str = ""
    """What the rule looks for, as text: part of the fingerprint of a set of rules."""


def by_pattern(
    name: str,
    pattern: str,
    *hints: str,
    value: Callable[[str], str | None] = lambda raw: raw,
    flags: re.RegexFlag = re.NOFLAG,
) -> Rule:
    """A rule that takes each match, or its first group where it has one, unless `value` says None of it."""
    compiled = re.compile(pattern, flags)
    group = 1 if compiled.groups else 0

    def find(text: str) -> Iterator[Found]:
        for match in compiled.finditer(text):
            if (found := value(match[group])) is not None:
                yield Found(*match.span(group), found)

    return Rule(name, find, hints, pattern)
