"""Who may see whom: additive float masks for suppression, block by block.

A query at position q sees a key at position k when

    k <= q,   q - k < window where the layer has one,   and not (start <= k < end <= q) for any dropped [start, end).

A mask is 0 where a key is seen and the dtype's lowest number elsewhere, shape (rows or 1, heads or 1, queries, keys).
It is never boolean: transformers 5.23 adds a boolean 4-D mask to the scores when attention is eager, which is silently
wrong. Where every layer and head has the same mask, it is handed to the model. Where they differ (sliding windows, a
subset of layers or heads, layers without attention), a hook hands each attention module its own, and a note says so.

Needs torch; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tracer.analyses.blocks import Block, Interval
from tracer.errors import MissingExtraError

Where = Mapping[int, Sequence[int] | None]
"""Heads of each layer in which tokens are dropped; None stands for all heads of the layer."""
Rows = Sequence[Sequence[Interval]]
"""What each row drops."""

_ATTENTION = {"full_attention", "sliding_attention"}


class Kind(NamedTuple):
    """What the layers that share a mask have in common."""

    window: int | None
    """Of a query's own and earlier tokens it sees so many; None is all."""
    heads: tuple[int, ...] | None
    """Heads in which tokens are dropped; None is all of them, () is none."""


class Sight:
    """The masks of one model over texts of up to `length` tokens."""

    def __init__(self, model: Any, length: int, where: Where | None = None) -> None:
        config = model.config.get_text_config()
        self.heads = int(getattr(config, "num_attention_heads", 0))
        self.dtype, self.device = model.dtype, model.device
        windows = _windows(config)
        self.kinds = {
            layer: Kind(window if window and window < length else None, _heads(layer, where))
            for layer, window in windows.items()
        }
        self.stateful = len(windows) < int(config.num_hidden_layers)
        """Whether some layers keep a state in place of attention: it cannot be taken up in the middle of a text."""
        self.notes = tuple(self._notes(where))
        self._modules = [m for m in attention_modules(model) if m.layer_idx in windows]
        self._table: dict[int, Tensor] = {}

    def mask(self, rows: Rows, block: Block) -> Tensor:
        """The mask of a block, (rows or 1, 1 or heads, queries, keys); inside `applied` each layer gets its own."""
        made = {kind: self._mask(kind, rows, block) for kind in set(self.kinds.values())}
        self._table = {layer: made[kind] for layer, kind in self.kinds.items()}
        return next(iter(made.values()))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While this lasts, each attention module is given the mask of its own layer, if they differ."""
        modules = self._modules if self.stateful or len(set(self.kinds.values())) > 1 else []
        handles = [module.register_forward_pre_hook(self._own_mask, with_kwargs=True) for module in modules]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _own_mask(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, kwargs | {"attention_mask": self._table[int(module.layer_idx)]}  # type: ignore[arg-type]

    def _mask(self, kind: Kind, rows: Rows, block: Block) -> Tensor:
        lowest = torch.finfo(self.dtype).min
        queries = torch.arange(block.start, block.end, device=self.device)[:, None]  # (Q, 1)
        keys = torch.arange(block.end, device=self.device)[None]  # (1, K)
        hidden = keys > queries
        if kind.window is not None:
            hidden = hidden | (queries - keys >= kind.window)
        plain = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill_(hidden, lowest)
        if kind.heads == () or not any(rows):
            return plain[None, None]
        chosen = slice(None) if kind.heads is None else list(kind.heads)
        mask = plain.repeat(len(rows), 1 if kind.heads is None else self.heads, 1, 1)  # (rows, heads or 1, Q, K)
        for row, dropped in enumerate(rows):
            for start, end in dropped:
                mask[row, chosen, max(0, end - block.start) :, start:end] = lowest
        return mask

    def _notes(self, where: Where | None) -> Iterator[str]:
        windows = sorted({kind.window for kind in self.kinds.values() if kind.window})
        if windows:
            listed = " and ".join(map(str, windows))
            yield f"layers with a sliding window of {listed} tokens: the window is laid on by an additive mask"
        if where is not None:
            yield "some layers or heads only: sentences are hidden there by an additive mask and stay visible elsewhere"
        if self.stateful:
            yield "some layers keep a state in place of attention: what it holds of a hidden sentence still reaches on"


def _heads(layer: int, where: Where | None) -> tuple[int, ...] | None:
    if where is None:
        return None
    heads = where.get(layer, ())
    return heads if heads is None else tuple(sorted(set(heads)))


def _windows(config: Any) -> dict[int, int | None]:
    """The sliding window of each layer that has attention; None where it sees everything."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * int(config.num_hidden_layers)
    found = {
        layer: window if kind == "sliding_attention" else None for layer, kind in enumerate(kinds) if kind in _ATTENTION
    }
    if not found or (len(found) < len(kinds) and any(found.values())):
        raise MissingExtraError(
            f"a sentence cannot be hidden from the layers of {config.model_type}: choose another --lm MODEL"
        )
    return found


def attention_modules(model: Any) -> list[nn.Module]:
    """The module of each layer that computes attention."""
    return [m for m in model.modules() if "Attention" in type(m).__name__ and hasattr(m, "layer_idx")]
