"""Keys and values of prompts that begin alike: a tree of tokens, each computed once, whose paths are the prompts.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import DynamicCache

BLOCK = 256
"""Tokens of a prompt read at once."""

Ints = npt.NDArray[np.int64]
Seen = Callable[[int, Tensor], None]
"""Gets the place of a prompt's token, and the logits (b, V) of what follows it and each of its b - 1 successors."""


class Trunk:
    """The tree; each of its tokens has a column."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.keys: list[Tensor] = []  # (heads, columns, width) for each layer
        self.values: list[Tensor] = []
        self.positions = torch.zeros(0, dtype=torch.long, device=model.device)  # (columns,)
        self.paths: dict[tuple[int, ...], tuple[Ints, Ints]] = {}  # a prompt's ids, and the column of each

    def path(self, ids: Sequence[int], seen: Seen | None = None) -> Ints:
        """The columns of a prompt's tokens; what no earlier prompt begins with is read now, and shown to `seen`."""
        wanted = tuple(ids)
        if wanted not in self.paths:
            new = np.asarray(wanted, dtype=np.int64)
            begun = (places[: _common(new, known)] for known, places in self.paths.values())
            columns = max(begun, key=len, default=new[:0])
            if len(columns) < len(new):
                columns = np.concatenate([columns, self._read(new, columns, seen)])
            self.paths[wanted] = new, columns
        return self.paths[wanted][1]

    @property
    def size(self) -> int:
        """How many columns there are."""
        return len(self.positions)

    def cut(self, columns: int, above: int) -> None:
        """Where there are more columns than `above`, forget all but the first ones, and prompts that need others."""
        if self.size > above:
            self.keys[:] = [part[:, :columns].clone() for part in self.keys]
            self.values[:] = [part[:, :columns].clone() for part in self.values]
            self.positions = self.positions[:columns]
            kept = self.paths.items()
            self.paths = {ids: held for ids, held in kept if held[1].max(initial=0) < columns}

    def _read(self, ids: Ints, before: Ints, seen: Seen | None) -> Ints:
        """Compute the tokens behind the columns `before`, and give the new ones' columns."""
        start, first = len(before), self.size
        device = self.model.device
        with torch.inference_mode():
            cache = self._cache(torch.from_numpy(before).to(device))
            tokens, positions = torch.from_numpy(ids).to(device), torch.arange(len(ids), device=device)
            few = "logits_to_keep" in inspect.signature(self.model.forward).parameters and seen is None
            more = {"logits_to_keep": 1} if few else {}
            for at in range(start, len(ids), BLOCK):
                here = slice(at, min(at + BLOCK, len(ids)))
                read = self.model(
                    tokens[None, here],
                    position_ids=positions[None, here],
                    past_key_values=cache,
                    use_cache=True,
                    **more,
                )
                if seen is not None:
                    seen(at, read.logits[0])
            self._append(cache, start)
            self.positions = torch.cat([self.positions, positions[start:]])
        return np.arange(first, first + len(ids) - start)

    def _cache(self, columns: Tensor) -> Any:
        cache = DynamicCache()  # no window: columns are never dropped, the masks do that
        for layer, (keys, values) in enumerate(zip(self.keys, self.values, strict=True)):
            cache.update(keys[None, :, columns], values[None, :, columns], layer)
        return cache

    def _append(self, cache: Any, start: int) -> None:
        for held, name in ((self.keys, "keys"), (self.values, "values")):
            new = [getattr(layer, name)[0, :, start:] for layer in cache.layers]
            held[:] = [torch.cat(pair, dim=1) for pair in zip(held, new, strict=True)] if held else new


def _common(one: Ints, other: Ints) -> int:
    """Length of the longest common beginning."""
    count = min(len(one), len(other))
    differs = one[:count] != other[:count]
    return int(differs.argmax()) if differs.any() else count
