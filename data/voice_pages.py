"""Texts that a model goes on with side by side, and what it knows already of how they begin.

An agent's view grows at its end only, and lives of one run begin alike: so the keys and values of every token that was
read are kept in a tree of tokens (`Known`), and a page of rows reads what is new in each. A token's keys and values
depend on the tokens before it alone, so this changes nothing but the rounding of sums.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache

MORE = 64
"""Columns by which a page grows."""


class Known:
    """A tree of tokens, each with its keys and values."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self.layers = config.num_hidden_layers
        self.shape = (config.num_key_value_heads, config.hidden_size // config.num_attention_heads)
        width = self.shape[0] * self.shape[1]
        self.keys = torch.zeros(self.layers, 1024, width)
        self.values = torch.zeros(self.layers, 1024, width)
        self.places: dict[tuple[int, int], int] = {}

    def clear(self) -> None:
        """Forget all."""
        self.places.clear()

    def path(self, tokens: Sequence[int]) -> list[int]:
        """The places of the first tokens, as far as they are known; the first token's parent is -1."""
        found: list[int] = []
        at = -1
        for token in tokens:
            place = self.places.get((at, token))
            if place is None:
                break
            found.append(place)
            at = place
        return found

    def add(self, tokens: Sequence[int], keys: list[Tensor], values: list[Tensor]) -> None:
        """Keep what was read of a text: for each layer (heads, tokens, width)."""
        path = self.path(tokens)
        first, known = len(self.places), len(path)
        at = path[-1] if path else -1
        for place, token in enumerate(tokens[known:], first):
            self.places[at, token] = place
            at = place
        self._make_room(len(self.places))
        here = slice(first, len(self.places))
        for layer in range(self.layers):
            self.keys[layer, here] = keys[layer][:, known:].transpose(0, 1).flatten(1)
            self.values[layer, here] = values[layer][:, known:].transpose(0, 1).flatten(1)

    def _make_room(self, count: int) -> None:
        have = self.keys.shape[1]
        if count > have:
            more = torch.zeros(self.layers, max(count, 2 * have) - have, self.keys.shape[2])
            self.keys = torch.cat([self.keys, more], dim=1)
            self.values = torch.cat([self.values, more], dim=1)

    def columns(self, part: Tensor, layer: int, places: Tensor) -> Tensor:
        """(rows, tokens) places -> (rows, heads, tokens, width)"""
        found = part[layer].index_select(0, places.flatten())
        return found.view(*places.shape, *self.shape).transpose(1, 2)


class Page:
    """Rows on their way: their columns, and the logits of what follows each."""

    def __init__(self, model: Any, known: Known, texts: Sequence[Sequence[int]]) -> None:
        self.model, self.known = model, known
        paths = [known.path(text[:-1]) for text in texts]
        width = max(len(text) - len(path) for text, path in zip(texts, paths, strict=True))
        pasts = [path[: max(0, len(text) - width)] for text, path in zip(texts, paths, strict=True)]
        past = max(map(len, pasts))
        places = np.zeros((len(texts), past), dtype=np.int64)
        ids = np.zeros((len(texts), width), dtype=np.int64)
        self.pads = np.array([past + width - len(text) for text in texts])
        """Columns of each row that hold nothing."""
        for row, (text, kept) in enumerate(zip(texts, pasts, strict=True)):
            places[row, past - len(kept) :] = kept
            new = text[len(kept) :]
            ids[row, width - len(new) :] = new
        self.cache = _Columns(known, torch.from_numpy(places), past + width + MORE)
        self.read(torch.from_numpy(ids))

    def read(self, ids: Tensor) -> None:
        """Read some more tokens of each row (rows, tokens)."""
        end = self.cache.length + ids.shape[1]
        pads = torch.from_numpy(self.pads)[:, None]
        columns = torch.arange(end)[None]
        mask = columns >= pads if self.pads.any() else None
        positions = (columns[:, -ids.shape[1] :] - pads).clamp(min=0)
        read = self.model(
            ids,
            attention_mask=None if mask is None else mask.long(),
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache.length = end
        self.logits: Tensor = read.logits[:, -1]

    def choose(self, rows: list[int]) -> None:
        """Go on with the rows at these places; a place may be named more than once."""
        if rows != list(range(len(self.pads))):
            self.cache.choose(torch.tensor(rows))
            self.pads = self.pads[rows]

    def learned(self, row: int, text: Sequence[int]) -> None:
        """Keep what was read of a row."""
        here = slice(int(self.pads[row]), self.cache.length)
        keys, values = ([part[row, :, here] for part in parts] for parts in (self.cache.keys, self.cache.values))
        self.known.add(text[: self.cache.length - int(self.pads[row])], keys, values)


class _Columns(Cache):
    """Keys and values of a page's rows (rows, heads, columns, width) for each layer, with room to grow."""

    def __init__(self, known: Known, places: Tensor, room: int) -> None:
        super().__init__(layers=[])
        rows, self.length = places.shape
        heads, width = known.shape
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        for held, part in ((self.keys, known.keys), (self.values, known.values)):
            for layer in range(known.layers):
                made = torch.zeros(rows, heads, room, width)
                made[:, :, : self.length] = known.columns(part, layer, places)
                held.append(made)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write new columns; give all."""
        end = self.length + key_states.shape[2]
        for held, new in ((self.keys, key_states), (self.values, value_states)):
            part = held[layer_idx]
            if end > part.shape[2]:
                more = part.new_zeros(*part.shape[:2], end + MORE - part.shape[2], part.shape[3])
                part = held[layer_idx] = torch.cat([part, more], dim=2)
            part[:, :, self.length : end] = new
        return self.keys[layer_idx][:, :, :end], self.values[layer_idx][:, :, :end]

    def choose(self, index: Tensor) -> None:
        """Go on with these rows."""
        for held in (self.keys, self.values):
            held[:] = [part.index_select(0, index) for part in held]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns so far."""
        return self.length

    def get_mask_sizes(self, query_length: Any, layer_idx: int = 0) -> tuple[int, int]:
        """Columns with the new ones, and the first of them."""
        new = query_length if isinstance(query_length, int) else query_length.shape[0]
        return self.length + new, 0
