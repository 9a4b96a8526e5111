"""How likely a language model holds some words when parts of what stands before them are erased.

    odds(x) = ln p(x | what is left) - ln(1 - p(x | what is left))      of each word x, in nats of log-odds

To erase a part is to take its tokens out: what follows moves up, as if it had never stood there, and is not tokenized
again. A row is one choice of what to erase. It goes on from the whole text or from a row that was read before it, where
it first differs from that (`forks`): keys and values before are taken from there, only what follows is read, and erased
tokens are not read at all. Rows run side by side and end together, so that none waits for a longer one; logits are made
for the words in question only.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers.cache_utils import Cache

from tracer.analyses.blocks import BLOCK_TOKENS, Interval, Room, Taken, blocks
from tracer.analyses.causal import Causal
from tracer.analyses.forks import WHOLE, Choice, Fork, forks
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

    fork: Fork
    kept: npt.NDArray[np.int64]
    """The tokens that are left, by their place in the text."""
    start: int
    """The first of them that is read anew."""

    @property
    def queries(self) -> int:
        """How many are."""
        return len(self.kept) - self.start


class _Place(NamedTuple):
    """Where a row that was read lies."""

    room: Cache
    row: int
    begin: int
    """The place of its first token."""


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

    def odds(self, choices: Sequence[Choice]) -> Array:
        """(choices, T - told)"""
        with self.sight.applied():
            room, state = self._whole()
        self.causal.check(self.ids[0], state, self.sight)
        rows = self._rows([choice for choice in choices if choice], room)
        total = self.length + sum(row.queries for row in rows)
        with self.sight.applied(), grouped(self.causal.model):
            self._tell(self.length, total)
            found = {WHOLE: self._scored(state[self.text.told - 1 : -1], self.ids[0, self.text.told :])}
            before = {WHOLE: _Place(room, 0, 0)}
            for _, generation in groupby(rows, key=lambda row: row.fork.generation):
                places: dict[Choice, _Place] = {}
                for group in self._groups(list(generation), room):
                    own = self._placed(group, before)
                    found |= zip([row.fork.choice for row in group], self._measured(group, own), strict=True)
                    places |= zip([row.fork.choice for row in group], own, strict=True)
                    self._tell(sum(row.queries for row in group), total)
                before = places
        return np.stack([found[choice] for choice in choices])

    def _rows(self, choices: Sequence[Choice], room: Cache) -> list[_Row]:
        """In the order in which they are read; each generation is held until the next is read, if there is room."""
        if isinstance(room, Room) and len(choices) * room.bytes_per_row <= ROOM_BYTES:
            return [self._row(fork) for fork in forks(choices)]
        return [self._row(Fork(choice, WHOLE, min(choice), 1)) for choice in choices]

    def _row(self, fork: Fork) -> _Row:
        left = np.ones(self.length, dtype=np.bool_)
        for part in fork.choice:
            left[slice(*self.text.parts[part])] = False
        kept, start = np.flatnonzero(left), min(self.text.told - 1, self.text.parts[fork.part][0])
        return _Row(fork, kept, 0 if self.sight.stateful else int(np.searchsorted(kept, start)))

    def _whole(self) -> tuple[Cache, Tensor]:
        """The pass over the whole text: its cache, and its hidden states (T, width)."""
        room = self.causal.room(1, self.length, self.sight)
        return room, torch.cat([state[0] for _, state in self.causal.plain(self.ids, self.sight, room, self.tokens)])

    def _groups(self, rows: Sequence[_Row], room: Cache) -> Iterator[list[_Row]]:
        """Rows of about the same length, so many as there is room for; in each those with most to read come first."""
        size = ROWS if not isinstance(room, Room) else max(1, min(ROWS, ROOM_BYTES // max(1, room.bytes_per_row)))
        order = sorted(rows, key=lambda row: len(row.kept))
        for at in range(0, len(order), size):
            yield sorted(order[at : at + size], key=lambda row: -row.queries)

    def _placed(self, group: Sequence[_Row], before: Mapping[Choice, _Place]) -> list[_Place]:
        """Room for rows that end together, begun with what they have of their origins; a state is begun anew."""
        end = max(len(row.kept) for row in group)
        if self.sight.stateful:
            fresh = self.causal.room(len(group), end, self.sight)
            return [_Place(fresh, k, 0) for k in range(len(group))]
        taken = []
        for row in group:
            room, origin, begin = before[row.fork.origin]
            assert isinstance(room, Room)
            taken.append(Taken(room, origin, begin, begin + row.start, end - len(row.kept)))
        made = Room.of(taken, end)
        return [_Place(made, k, each.at) for k, each in enumerate(taken)]

    def _measured(self, group: Sequence[_Row], places: Sequence[_Place]) -> Iterator[Array]:
        """The odds of the words of each row, (T - told,)."""
        room, begins = places[0].room, [place.begin for place in places]
        starts = [begin + row.start for begin, row in zip(begins, group, strict=True)]
        end = max(begin + len(row.kept) for begin, row in zip(begins, group, strict=True))
        ids = torch.zeros(len(group), end, dtype=self.ids.dtype, device=self.ids.device)
        for k, row in enumerate(group):
            ids[k, begins[k] : begins[k] + len(row.kept)] = self.ids[0, torch.from_numpy(row.kept).to(ids.device)]
        words = [begin + int((row.kept < self.text.told).sum()) for begin, row in zip(begins, group, strict=True)]
        states: list[list[Tensor]] = [[] for _ in group]
        for block in blocks(starts, end, self.tokens):
            mask = self.sight.mask([[Interval(0, begin)] if begin else [] for begin in begins[: block.rows]], block)
            state = self.causal.hidden(ids, room, block, None if self.sight.stateful else mask, begins)
            for k, row in enumerate(group[: block.rows]):
                until = begins[k] + len(row.kept) - 1
                states[k].append(state[k, max(0, words[k] - 1 - block.start) : max(0, until - block.start)])
        for k, row in enumerate(group):
            told = row.kept[row.kept >= self.text.told] - self.text.told
            found = np.full(self.length - self.text.told, np.nan)
            found[told] = self._scored(torch.cat(states[k]), ids[k, words[k] : begins[k] + len(row.kept)])
            yield found

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
