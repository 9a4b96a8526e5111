"""A statement as a model behind a server reads it, through nothing but the log-probabilities of texts that it repeats.

Each row is a text of its own: the whole one without the characters of the erased tokens, which the server tokenizes
anew and reads from its beginning. The ln p of a token counts for the word of the whole text in which it ends; where the
borders of tokens have moved, sums over whole sentences hold all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tracer.analyses.log_odds import Array, Text, log_odds
from tracer.analyses.reading import Mask, Progress, Reading
from tracer.lm.echoed import PRECISION, Echoed, Read

if TYPE_CHECKING:
    from tracer.analyses.statement import Statement


class EchoReading(Reading):
    """One statement before one server."""

    def __init__(self, lm: Echoed, statement: Statement) -> None:
        self.server = lm
        read = lm.read(statement.text)
        self._place(statement, np.arange(len(read.offsets)), read.offsets)
        self.ends = np.array([end for _, end in read.offsets])
        self._known: dict[bytes, Array] = {}
        """ln p of the words, by what is left of the text: the check asks again for much that a method asked for."""

    def _run(self, text: Text, rows: Sequence[Collection[int]], progress: Progress | None = None) -> Array:
        kept = [self._kept(text, row) for row in rows]
        new = {left.tobytes(): left for left in kept if left.tobytes() not in self._known}
        texts: dict[str, list[Mask]] = {}
        for left in new.values():
            stays = self._characters(left)
            texts.setdefault("".join(compress(self.statement.text, stays)), []).append(left)
        asked = sorted(texts)  # what begins alike follows each other, for the server's prefix cache
        for done, (place, read) in enumerate(self.server.read_all(asked), 1):
            for left in texts[asked[place]]:
                self._known[left.tobytes()] = self._words(text.told, left, read)
            self.read += len(read.offsets)
            if progress:
                progress(done, len(asked))
        return log_odds(np.stack([self._known[left.tobytes()] for left in kept]))

    def _kept(self, text: Text, row: Collection[int]) -> Mask:
        """Which tokens of the whole text are left."""
        left = np.ones(len(text.ids), dtype=np.bool_)
        for part in row:
            left[slice(*text.parts[part])] = False
        return left

    def _characters(self, left: Mask) -> Mask:
        """Which characters of it are left, as these tokens have them."""
        return np.repeat(left, np.diff(self.ends, prepend=0))

    def _words(self, told: int, left: Mask, read: Read) -> Array:
        """ln p of each of the step's own words, (T - told,): the sum of what ends in it; NaN where it was erased."""
        places: npt.NDArray[np.intp] = np.flatnonzero(self._characters(left)) + 1
        ends = np.array([end for _, end in read.offsets])
        standing = ends > 0
        words = np.searchsorted(self.ends, places[ends[standing] - 1])  # the word of the whole text in which it ends
        found = np.bincount(words, read.logprobs[standing], minlength=len(self.ends))
        found = np.minimum(found[told:], -PRECISION)
        found[~left[told:]] = np.nan
        return np.asarray(found, dtype=np.float64)
