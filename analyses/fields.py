"""Fields that a text fills in: the keys of JSON, and the names of `name: value` and `name=value`."""

from __future__ import annotations

import re

_SCANNED = 20_000
"""Characters of a text that are looked at."""
_MOST = 64
"""Fields of one text, at most: what has more of them is a page or a table."""
_JSON = re.compile(r"[\"']([^\"'\\\n]{1,40})[\"']\s{0,4}:")
_NAMED = re.compile(
    r"(?:^|[,;({|\n])[ \t>*_-]{0,8}([A-Za-z][\w-]{0,30}(?: [\w-]{1,20}){0,2})"  # at a line's start or in a list
    r"[*_]{0,3}[ \t]?[:=](?!//|=)[*_]{0,3}[ \t]{0,40}(?=[^\s,;])"  # and something is filled in
)
_ASSIGNED = re.compile(r"(?<![\w.])([A-Za-z]\w{1,30})=(?=[^\s=,;)])")


def fields(text: str) -> frozenset[str]:
    """The names of the fields, in lower case, words joined by a blank; at most 64, the first ones."""
    head = text[:_SCANNED]
    found: dict[str, None] = {}
    for pattern in (_JSON, _NAMED, _ASSIGNED):
        for match in pattern.finditer(head):
            found[" ".join(match[1].casefold().replace("_", " ").split())] = None
            if len(found) >= _MOST:
                return frozenset(found)
    return frozenset(found)
