"""Where tokens stand in the text, and which sentence each one belongs to.

Offsets count characters (code points). A tokenizer's own offsets are exact after two repairs: byte-level tokenizers
report them without the blanks at a token's ends unless told otherwise (`untrimmed`), and some drop blanks from every
token (`tiled`). So the tokens cover the text without a gap, in order; two tokens overlap only where they share the
bytes of one character, and then both have that character. A token that stands for no text (begin of text) is empty.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Offset = tuple[int, int]
_BROKEN = "\ufffd"
"""What a part of a character is shown as."""
_BLANKS = 64
"""In a row, that no token shows, at most."""


class Encoded(NamedTuple):
    """A text as a model sees it."""

    ids: list[int]
    """Token ids, with the begin-of-text token where the model has one."""
    offsets: list[Offset]
    """[start, end) of each token in the text."""


def token_spans(offsets: Sequence[Offset], spans: Iterable[Offset]) -> list[Offset]:
    """The tokens [a, b) of each character span [start, end): those that end within (start, end].

    Several tokenizers put the blank before a word into the word's token, so a token may cross a border: it belongs to
    the span in which it ends, and every token to one span at most. A span that ends no token has a == b. Offsets must
    come in order of their ends, as `tiled` makes them.
    """
    ends = [end for _, end in offsets]
    return [(bisect_right(ends, start), bisect_right(ends, max(start, end))) for start, end in spans]


def begun(offsets: Sequence[Offset], spans: Iterable[Offset]) -> list[Offset]:
    """The tokens [a, b) of each character span [start, end): those that begin within [start, end)."""
    begins = [start for start, _ in offsets]
    return [(bisect_left(begins, start), bisect_left(begins, end)) for start, end in spans]


def tiled(offsets: Iterable[Offset], length: int) -> list[Offset]:
    """Close the gaps: blanks that no token has go to the next token, those at the end of the text to the last one."""
    closed: list[Offset] = []
    reach = 0
    for start, end in offsets:
        if end <= reach:  # more bytes of a character already begun, or a token without text
            closed.append((start if start < end else reach, reach))
        else:
            closed.append((min(start, reach), end))
            reach = end
    if closed and 0 < reach < length:
        closed[-1] = (closed[-1][0], length)
    return closed


def aligned(tokens: Iterable[str], text: str) -> list[Offset] | None:
    """[start, end) of tokens that are known by their text only; None where they do not make up this text.

    A token that holds a part of a character does not show it, and tokens without text may stand anywhere: such ones
    have together what stands up to the next token that is whole. Blanks that no token shows go to the next one.
    """
    ends: list[int] = []
    reach = waiting = room = 0  # how many wait for an end, and for how many characters at most
    for token in tokens:
        if not token or (_BROKEN in token and (waiting or not text.startswith(token, reach))):
            waiting, room = waiting + 1, room + len(token)
            continue
        ahead = text[reach : reach + room + _BLANKS + len(token)]
        blanks = len(ahead) - len(ahead.lstrip())
        at = ahead.find(token, bool(room), room + blanks + len(token))
        if at < 0:
            return None
        ends += [*[reach + at] * waiting, reach + at + len(token)]
        reach, waiting, room = ends[-1], 0, 0
    ends += [len(text)] * waiting
    rest = text[reach:]
    if not ends or len(rest.rstrip()) > room or (room and not rest):
        return None
    return tiled(((end, end) for end in ends), len(text))


def dropped(offsets: Iterable[Offset], text: str) -> int:
    """How many stretches of the text, other than blanks, no token has: words that a tokenizer throws away."""
    count = reach = 0
    for start, end in [*offsets, (len(text), len(text))]:
        count += start > reach and not text[reach:start].isspace()
        reach = max(reach, end)
    return count


def untrimmed(tokenizer: Tokenizer) -> None:
    """Make a byte-level tokenizer report where its tokens really stand: it leaves out their outer blanks by default.

    That default cannot be mended afterwards: of ".\\n" and "word" nothing says who had the line's end.
    """
    processor = tokenizer.post_processor
    if processor is None:
        return
    state = json.loads(processor.__getstate__(), object_hook=_no_trimming)
    processor.__setstate__(json.dumps(state).encode())
    tokenizer.post_processor = processor


def _no_trimming(part: dict[str, Any]) -> dict[str, Any]:
    return part | {"trim_offsets": False} if "trim_offsets" in part else part
