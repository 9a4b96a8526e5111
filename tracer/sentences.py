"""Reasoning text -> sentences: exact slices of the text, by a rule of our own or by the authors' of thought anchors.

`default` loses nothing: the slices, joined, are the text. The two paper rules do as Thought Anchors does (arXiv
2506.19143): they read only what stands between the think tags, leave white space between sentences out, and split where
a full stop is followed by a space, whatever the stop meant. `paper` keeps what follows the last stop, as the published
data does; `paper-code` loses it, as the released code does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracer.boundaries import boundaries
from tracer.errors import TracerError

_PAPER_END = re.compile(r"[.?!](?=[ \n])|\n(?=\n)|\r(?=\n\r\n)")
_PAPER_SHORTEST = 10
"""Characters; a shorter chunk is glued to its neighbour."""


class Span(NamedTuple):
    """The slice text[start:end], in code points."""

    start: int
    end: int


class UnknownRuleError(TracerError):
    """No such way to split."""


def split(text: str, rule: str = "default") -> list[Span]:
    """The sentences of a text, in order, in time linear in its length.

    With `default` the slices join to the text: white space after a sentence is the sentence's own, and "" has no
    sentences. With the paper rules they do not overlap, and what lies between them is white space or outside the tags.
    """
    return [Span(parts[0].start, parts[-1].end) for parts in _rule(rule)(text)]


def chunks(text: str, rule: str = "default") -> list[str]:
    """The sentences as texts: the slices, but that the paper's authors put one space where they glue two chunks."""
    return [" ".join(text[start:end] for start, end in parts) for parts in _rule(rule)(text)]


def _rule(name: str) -> Callable[[str], list[list[Span]]]:
    if name not in RULES:
        raise UnknownRuleError(f"no sentence rule {name!r}: choose one of {', '.join(RULES)}")
    return RULES[name]


def _default(text: str) -> list[list[Span]]:
    ends = boundaries(text)
    return [[Span(start, end)] for start, end in zip([0, *ends], ends, strict=False)]


def _paper(text: str) -> list[list[Span]]:
    inside = _inside_tags(text)
    return _glued(list(_pieces(text, inside, tail=True)))


def _paper_code(text: str) -> list[list[Span]]:
    inside = _inside_tags(text)
    return _glued(list(_pieces(text, inside, tail=False)))


def _inside_tags(text: str) -> Span:
    """What follows the first opening tag and precedes the first closing one, stripped."""
    opened = text.find("<think>")
    start = 0 if opened < 0 else opened + len("<think>")
    closed = text.find("</think>", start)
    return _stripped(text, start, len(text) if closed < 0 else closed)


def _pieces(text: str, inside: Span, *, tail: bool) -> Iterator[Span]:
    """Cut after a stop before a space or a line feed, and at a blank line; blank pieces are dropped."""
    start = inside.start
    for found in _PAPER_END.finditer(text, inside.start, inside.end):
        piece, start = _stripped(text, start, found.end()), found.end()
        if piece.start < piece.end:
            yield piece
    rest = _stripped(text, start, inside.end)
    if tail and rest.start < rest.end:
        yield rest


def _stripped(text: str, start: int, end: int) -> Span:
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return Span(start, max(start, start + len(inner.strip())))


def _glued(pieces: list[Span]) -> list[list[Span]]:
    """A chunk shorter than 10 characters joins the next one; a short last chunk the one before."""
    made: list[list[Span]] = []
    held: list[Span] = []
    for piece in pieces:
        held.append(piece)
        if _length(held) >= _PAPER_SHORTEST:
            made.append(held)
            held = []
    if held and made:
        made[-1].extend(held)
    elif held:
        made.append(held)
    return made


def _length(parts: list[Span]) -> int:
    """Of the parts joined by single spaces."""
    return sum(end - start for start, end in parts) + len(parts) - 1


RULES: dict[str, Callable[[str], list[list[Span]]]] = {
    "default": _default,
    "paper": _paper,
    "paper-code": _paper_code,
}
"""Each gives the sentences as the parts that were glued into them; all but the paper's have one part."""
