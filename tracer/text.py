"""Log text made safe for a terminal and for one line.

A log may hold anything: sequences that clear the screen, set the title or fill the clipboard, marks that turn the
reading order round, halves of characters. None of it may reach the terminal; what can be read stays readable.
"""

from __future__ import annotations

import re

_COLOUR = re.compile("(?:\x1b\\[|\x9b)[0-9;]{0,64}m")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_REORDERING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x08\x0e-\x1f\x7f-\x9f{_REORDERING}]")
_HALVES = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
# What JSON leaves raw inside strings although a terminal may act on it.
_RAW_IN_JSON = re.compile(f"[\x7f-\x9f{_REORDERING}\u2028\u2029]")


def clean(text: str, *, lines: bool = False) -> str:
    """The text without control and reordering characters; newline and tab become spaces unless `lines`."""
    text = _LINE_ENDS.sub("\n", _COLOUR.sub("", text))
    text = _HALVES.sub("\ufffd", _UNSAFE.sub("", text))
    return text if lines else text.replace("\n", " ").replace("\t", " ")


def one_line(text: str, width: int) -> str:
    """The text in at most `width` characters, white space collapsed; a cut shows as an ellipsis."""
    # White space may be most of a text, so a slice of the head would not do; but what is far behind cannot show.
    head = _SPACE.sub(" ", clean(text[: 64 * width + 4096])).strip()
    if len(head) <= width:
        return head
    return head[: max(width - 1, 0)].rstrip() + "…"


def safe_json(document: str) -> str:
    """The same JSON document, with the characters escaped on which a terminal might act."""
    return _RAW_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
