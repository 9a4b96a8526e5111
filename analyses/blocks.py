"""Forward passes in blocks of queries, over a cache with room for whole rows: nothing of size T x T is ever held.

A row is a text of T tokens, with or without some of its tokens dropped. Rows run side by side; the tokens of a row sit
in the cache at their own positions, so a dropped token is a place that later queries do not see, and what follows
keeps its position ids. Rows that start later wake later: no query before a row's first dropped token is run again,
for its keys and values are those of the plain run.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

BLOCK_TOKENS = 1024
"""Queries per pass, over all rows: enough to keep two cores or a small GPU busy."""
LEAST_BLOCK = 16
"""Rows that start within so many tokens wake together: shorter blocks cost more in calls than they spare in queries."""
LOGIT_ENTRIES = 1 << 23
"""Logits held at a time: 32 MiB in float32."""


class Interval(NamedTuple):
    """Tokens [start, end) that are dropped: no query from `end` on sees them."""

    start: int
    end: int


class Block(NamedTuple):
    """Queries [start, end) of the first `rows` rows."""

    start: int
    end: int
    rows: int


class Taken(NamedTuple):
    """Places [start, end) of a row of a room, which come to stand from place `at` on in another one."""

    room: Room
    row: int
    start: int
    end: int
    at: int


class _Room(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers annotates only some of its methods
    """One layer's keys and values, (rows, heads, T, width), filled from the left; a pass may use fewer rows."""

    def __init__(self, rows: int, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rows, self.length, self.filled = rows, length, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = (
            state.new_empty(self.rows, state.shape[1], self.length, state.shape[3])  # (rows, heads, T, width)
            for state in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.keys is None or self.values is None:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        rows, start, end = len(key_states), self.filled, self.filled + key_states.shape[2]
        self.keys[:rows, :, start:end] = key_states
        self.values[:rows, :, start:end] = value_states
        self.filled = end
        return self.keys[:rows, :, :end], self.values[:rows, :, :end]

    def take(self, parts: Sequence[tuple[_Room, Taken]]) -> None:
        """Begin each row r as parts[r] says; no query may see what stands before it."""
        first = parts[0][0]
        assert first.keys is not None
        assert first.values is not None
        self.lazy_initialization(first.keys, first.values)
        assert self.keys is not None
        assert self.values is not None
        for row, (other, (_, origin, start, end, at)) in enumerate(parts):
            for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
                assert theirs is not None
                mine[row, :, :at] = 0  # hidden, but what is not a number stays none under any mask
                mine[row, :, at : at + end - start] = theirs[origin, :, start:end]
        self.filled = parts[0][1].at + parts[0][1].end - parts[0][1].start

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.filled + query_length, 0

    def get_seq_length(self) -> int:
        return self.filled

    def get_max_length(self) -> int:
        return self.length


class Room(Cache):
    """A cache with a place for each token of each row; it can be copied from another one and start anywhere."""

    def __init__(self, layers: int, rows: int, length: int) -> None:
        self.rooms = [_Room(rows, length) for _ in range(layers)]
        super().__init__(layers=[*self.rooms])

    def copied(self, source: Sequence[int], starts: Sequence[int]) -> Room:
        """A room whose row r begins as the first starts[r] tokens of row source[r] of this one; starts ascend."""
        rows = [Taken(self, row, 0, start, 0) for row, start in zip(source, starts, strict=True)]
        return Room.of(rows, self.rooms[0].length)

    @staticmethod
    def of(rows: Sequence[Taken], length: int) -> Room:
        """A room whose rows begin with what is taken from others; the first row is the one that has least of it."""
        made = Room(len(rows[0].room.rooms), len(rows), length)
        for layer, new in enumerate(made.rooms):
            new.take([(row.room.rooms[layer], row) for row in rows])
        return made

    @property
    def bytes_per_row(self) -> int:
        """Memory that one row takes."""
        held = [part for room in self.rooms for part in (room.keys, room.values) if part is not None]
        return sum(part.nbytes // len(part) for part in held)


def blocks(starts: Sequence[int], end: int, tokens: int = BLOCK_TOKENS, cell: int | None = None) -> Iterator[Block]:
    """Cut the queries of rows with these ascending starts into passes of about `tokens` queries.

    A pass holds every row that starts before it, or up to LEAST_BLOCK tokens after its own start. With `cell` none
    reaches over a multiple of it.
    """
    at = starts[0] if starts else end
    while at < end:
        rows = bisect_left(starts, at + LEAST_BLOCK)
        until = starts[rows] if rows < len(starts) else end
        stop = min(until, end, at + max(LEAST_BLOCK, tokens // rows))
        if cell is not None:
            stop = min(stop, (at // cell + 1) * cell)
        yield Block(at, stop, rows)
        at = stop
