"""Where two runs part: their steps aligned, what both do first, then what one does and the other does not.

Two steps say the same when agent, kind, tool, how the tool ended, and text agree, but for white space, times and
identifiers. What both begin and end with is matched exactly; between, the heaviest matching that keeps the order of
both, by

    1                 the two say the same
    0.2 + 0.7 J       the same agent does the same kind of thing
    0.05 + 0.15 J     the same agent does another kind of thing

with J the Jaccard index of their words (hashed into 1,024 columns, of the first 4,000 characters). Steps of different
agents are never matched. Runs of more than about 2,000 steps each are cut first, where a step stands once in both runs,
else in halves.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.matching import Scores, heaviest
from tracer.analyses.word_changes import Changes, changed_words
from tracer.divergence import Divergence, Pairing, said
from tracer.records import Step

CELLS: Final = 4_000_000
"""Pairs of steps that are scored at once: 16 MB."""
COLUMNS: Final = 1_024
READ: Final = 4_000
MARKED: Final = 400
"""Changed rows whose words are compared; in the rest the texts stand as they are."""
_WORD = re.compile(r"\w+")
_VOLATILE = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"  # a time
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # a UUID
    r"|\b(?:call|toolu|chatcmpl)[_-](?=[A-Za-z_-]{0,64}\d)[0-9A-Za-z_-]{8,64}"  # what providers call a call
    r"|\b[0-9a-f]{16,64}\b"  # a digest, a trace
)


class _Said(NamedTuple):
    """A step as it is compared."""

    key: tuple[object, ...]
    """Equal when the steps say the same."""
    agent: str
    kind: str
    text: str


def diverge(left: Sequence[Step], right: Sequence[Step]) -> Divergence:
    """Align two runs step by step; the rows name positions in `left` and `right`."""
    ours, theirs = [_said(step) for step in left], [_said(step) for step in right]
    head = _common(ours, theirs)
    tail = _common(ours[head:][::-1], theirs[head:][::-1])
    n, m = len(ours) - tail, len(theirs) - tail
    middle = [(head + i, head + j) for i, j in _matched(ours[head:n], theirs[head:m])]
    pairs = [*((i, i) for i in range(head)), *middle, *((n + k, m + k) for k in range(tail))]
    rows = tuple(_marked(_rows(pairs, ours, theirs), left, right))
    return Divergence(rows, next((at for at, row in enumerate(rows) if row.how != "same"), None))


def _said(step: Step) -> _Said:
    text = said(step)
    told = " ".join(_VOLATILE.sub("#", text).split())
    return _Said((step.agent, step.kind, step.tool, step.tool_status, told), step.agent, step.kind, text)


def _common(left: Sequence[_Said], right: Sequence[_Said]) -> int:
    """How many steps both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0].key == pair[1].key, zip(left, right, strict=False)))


def _matched(left: Sequence[_Said], right: Sequence[_Said]) -> Iterator[tuple[int, int]]:
    """Pairs of positions, rising in both."""
    if not left or not right:
        return
    if len(left) * len(right) <= CELLS:
        yield from heaviest(_scores(left, right))
        return
    i, j = _cut(left, right)
    yield from _matched(left[:i], right[:j])
    yield from ((i + a, j + b) for a, b in _matched(left[i:], right[j:]))


def _cut(left: Sequence[_Said], right: Sequence[_Said]) -> tuple[int, int]:
    """Where to cut runs that are too long to be scored whole: the middlemost step that stands once in both."""
    n, m = len(left), len(right)
    ours, theirs = (Counter(each.key for each in run) for run in (left, right))
    place = {each.key: j for j, each in enumerate(right) if theirs[each.key] == 1}
    once = [(i, place[each.key]) for i, each in enumerate(left) if ours[each.key] == 1 and each.key in place]
    middle = [(i, j) for i, j in once if n <= 4 * i <= 3 * n and m <= 4 * j <= 3 * m]
    return min(middle, key=lambda at: abs(2 * at[0] - n) * m + abs(2 * at[1] - m) * n, default=(n // 2, m // 2))


def _scores(left: Sequence[_Said], right: Sequence[_Said]) -> Scores:
    """(n, m): see the top of this module."""
    alike = _jaccard(_words(left), _words(right))
    kind = np.where(_equal(left, right, lambda step: step.kind), 0.2 + 0.7 * alike, 0.05 + 0.15 * alike)
    agent = np.where(_equal(left, right, lambda step: step.agent), kind, 0.0)
    return np.where(_equal(left, right, lambda step: step.key), 1.0, agent).astype(np.float32)


def _equal(left: Sequence[_Said], right: Sequence[_Said], of: Callable[[_Said], object]) -> npt.NDArray[np.bool_]:
    number: dict[object, int] = {}
    ours, theirs = (np.array([number.setdefault(of(step), len(number)) for step in run]) for run in (left, right))
    return np.asarray(ours[:, None] == theirs, dtype=np.bool_)


def _words(steps: Sequence[_Said]) -> Scores:
    """(n, COLUMNS): 1 where a word of the step falls into the column."""
    found = np.zeros((len(steps), COLUMNS), dtype=np.float32)
    for row, step in zip(found, steps, strict=True):
        words = {zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(step.text[:READ].lower())}
        row[[word % COLUMNS for word in words]] = 1
    return found


def _jaccard(left: Scores, right: Scores) -> Scores:
    """(n, m): shared over all words; 0 where both are empty."""
    shared = left @ right.T
    union = left.sum(axis=1)[:, None] + right.sum(axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1), dtype=np.float32)


def _rows(pairs: Sequence[tuple[int, int]], left: Sequence[_Said], right: Sequence[_Said]) -> Iterator[Pairing]:
    """The pairs, and between them what only one run has: first the left's, then the right's."""
    i = j = 0
    for a, b in [*pairs, (len(left), len(right))]:
        yield from (Pairing(at, None, "left") for at in range(i, a))
        yield from (Pairing(None, at, "right") for at in range(j, b))
        if a < len(left):
            yield Pairing(a, b, "same" if left[a].key == right[b].key else "changed")
        i, j = a + 1, b + 1


def _marked(rows: Iterator[Pairing], left: Sequence[Step], right: Sequence[Step]) -> Iterator[Pairing]:
    """The rows with the words that differ, in the first MARKED of those with a difference."""
    room = MARKED
    for row in rows:
        found = _changes(row, left, right) if room else Changes((), ())
        room -= bool(found.left or found.right)
        yield row._replace(left_words=found.left, right_words=found.right)


def _changes(row: Pairing, left: Sequence[Step], right: Sequence[Step]) -> Changes:
    if row.left is None or row.right is None:
        return Changes((), ())
    ours, theirs = said(left[row.left]), said(right[row.right])
    return Changes((), ()) if ours == theirs else changed_words(ours, theirs)
