"""JSON Lines straight from their bytes, line by line: most large logs, read without a copy of the whole as text.

Only what orjson reads is read here. Anything out of the ordinary (another encoding, NaN, a value that spans lines, a
line cut off) makes it give up, and the whole is looked at as text, which reads more and can say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tracer.collectors.json_values import Document, quick
from tracer.errors import BadInputError

_OPENS = re.compile(rb"\s*(?:\{|\[\s*[\[{\"\]])")
"""As `looks_like_json` has it, of a line that holds all of its value."""


def json_lines(lines: Iterable[bytes]) -> tuple[Document, ...]:
    """The values of the lines, blank ones passed over; () where some line is no value of its own, or an unusual one."""
    found: list[Document] = []
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        if not found and not _OPENS.match(line):
            return ()
        try:
            found.append(Document(quick(line), number))
        except (ValueError, BadInputError):
            return ()
    return tuple(found)
