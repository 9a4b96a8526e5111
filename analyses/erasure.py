"""How likely a language model holds some words when parts of what stands before them are erased.

    odds(x) = ln p(x | what is left) - ln(1 - p(x | what is left))      of each word x, in nats of log-odds

To erase a part is to take its tokens out: what follows moves up, as if it had never stood there, and is not tokenized
again. Everything before the first erased token is as in the whole text, so its keys and values are taken from there and
only what follows it is read; erased tokens are not read at all. A row is one choice of what to erase; rows run side by
side, and logits are made for the words in question only.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers.cache_utils import Cache

from tracer.analyses.blocks import BLOCK_TOKENS, Room, blocks
from tracer.analyses.causal import Causal
from tracer.analyses.grouped_attention import grouped
from tracer.analyses.log_odds import Array, Text
from tracer.analyses.suppression_mask import Sight

ROWS = 32
"""Rows that run side by side, at most."""
ROOM_BYTES = 1 << 30
"""Memory for their keys and values."""


class Odds(NamedTuple):
    """What the rows say, and what they cost."""

    odds: Array
    """(rows, T - told) log-odds of each word; NaN where it was erased itself"""
    read: int
    """Tokens that were read, the whole text's own among them."""


class _Row(NamedTuple):
    """One choice of what is erased."""

    number: int
    kept: npt.NDArray[np.int64]
    """The tokens that are left, by their place in the text."""
    start: int
    """The first of them that is read anew."""

    @property
    def queries(self) -> int:
        """How many are."""
        return len(self.kept) - self.start


@torch.inference_mode()
def erased(
    model: Any,
    text: Text,
    rows: Sequence[Collection[int]],
    progress: Callable[[int, int], None] | None = None,
) -> Odds:
    """The odds of the words of a text under each choice of parts to erase; equal choices are run once."""
    choices = [frozenset(part for part in row if text.parts[part][0] < text.parts[part][1]) for row in rows]
    unlike = list(dict.fromkeys(choices))
    run = _Run(Causal(model), text, progress)
    found = dict(zip(unlike, run.odds(unlike), strict=True))
    return Odds(np.stack([found[choice] for choice in choices]), run.read)


class _Run:
    """The rows of one text."""

    def __init__(self, causal: Causal, text: Text, progress: Callable[[int, int], None] | None) -> None:
        self.causal, self.text, self.progress = causal, text, progress
        self.ids = causal.rows([torch.as_tensor(text.ids)])  # (1, T)
        self.length = self.ids.shape[1]
        self.sight = Sight(causal.model, self.length)
        self.tokens = causal.block_tokens(self.length, BLOCK_TOKENS)
        self.read = 0

    def odds(self, choices: Sequence[frozenset[int]]) -> Array:
        """(choices, T - told)"""
        found = np.full((len(choices), self.length - self.text.told), np.nan)
        rows = [self._row(number, choice) for number, choice in enumerate(choices)]
        total = self.length + sum(row.queries for row in rows)
        with self.sight.applied():
            room, state = self._whole()
        self.causal.check(self.ids[0], state, self.sight)
        with self.sight.applied(), grouped(self.causal.model):
            self._tell(self.length, total)
            whole = self._scored(state[self.text.told - 1 : -1], self.ids[0, self.text.told :])
            for row in rows:
                if row.queries == 0:
                    found[row.number] = whole
            for group in self._groups([row for row in rows if row.queries], room):
                for row, each in zip(group, self._measured(group, room), strict=True):
                    told = row.kept[row.kept >= self.text.told] - self.text.told
                    found[row.number, told] = each
                self._tell(sum(row.queries for row in group), total)
        return found

    def _row(self, number: int, choice: frozenset[int]) -> _Row:
        left = np.ones(self.length, dtype=np.bool_)
        for part in choice:
            left[slice(*self.text.parts[part])] = False
        if not choice:
            return _Row(number, np.flatnonzero(left), self.length)
        start = min(self.text.told - 1, *(self.text.parts[part][0] for part in choice))
        return _Row(number, np.flatnonzero(left), 0 if self.sight.stateful else start)

    def _whole(self) -> tuple[Cache, Tensor]:
        """The pass over the whole text: its cache, and its hidden states (T, width)."""
        room = self.causal.room(1, self.length, self.sight)
        return room, torch.cat([state[0] for _, state in self.causal.plain(self.ids, self.sight, room, self.tokens)])

    def _groups(self, rows: Sequence[_Row], room: Cache) -> Iterator[list[_Row]]:
        """Rows with about as much to read, so many as there is room for; in each those that start first come first."""
        size = ROWS if not isinstance(room, Room) else max(1, min(ROWS, ROOM_BYTES // max(1, room.bytes_per_row)))
        order = sorted(rows, key=lambda row: row.queries)
        for at in range(0, len(order), size):
            yield sorted(order[at : at + size], key=lambda row: row.start)

    def _measured(self, group: Sequence[_Row], room: Cache) -> Iterator[Array]:
        """The odds of the words that are left of each row."""
        end, starts = max(len(row.kept) for row in group), [row.start for row in group]
        ids = torch.nn.utils.rnn.pad_sequence(
            [self.ids[0, torch.from_numpy(row.kept).to(self.ids.device)] for row in group], batch_first=True
        )
        own = (
            room.copied([0] * len(group), starts)
            if isinstance(room, Room)
            else self.causal.room(len(group), end, self.sight)
        )
        states: list[list[Tensor]] = [[] for _ in group]
        for block in blocks(starts, end, self.tokens):
            mask = self.sight.mask([()] * block.rows, block)
            state = self.causal.hidden(ids, own, block, None if self.sight.stateful else mask)
            for k, row in enumerate(group[: block.rows]):
                words = int((row.kept < self.text.told).sum())  # the first word's place among what is left
                states[k].append(state[k, max(0, words - 1 - block.start) : max(0, len(row.kept) - 1 - block.start)])
        for k, row in enumerate(group):
            words = int((row.kept < self.text.told).sum())
            yield self._scored(torch.cat(states[k]), ids[k, words : len(row.kept)])

    def _scored(self, state: Tensor, words: Tensor) -> Array:
        """The odds of words (n,) from the hidden states (n, width) before them, a few at a time."""
        size, found = self.causal.positions_at_once(1), []
        for at in range(0, len(words), size):
            logits = self.causal.logits(state[at : at + size]).double()  # (positions, V)
            chosen = logits.gather(1, words[at : at + size, None])
            others = logits.scatter(1, words[at : at + size, None], -torch.inf).logsumexp(dim=1)
            found.append(chosen[:, 0] - others)
        return np.asarray(torch.cat(found).cpu().numpy() if found else np.zeros(0), dtype=np.float64)

    def _tell(self, read: int, total: int) -> None:
        self.read += read
        if self.progress:
            self.progress(self.read, total)
