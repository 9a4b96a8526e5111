"""How likely given continuations are: teacher forcing from one shared context."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

BLOCK = 256
"""Positions whose logits are held at once; nothing of the size of a long text times the vocabulary is."""


def score(model: Any, context: Sequence[int], rests: Sequence[Sequence[int]]) -> list[list[float]]:
    """ln p(rest_t | context, rest_<t) of every token of every rest, in nats, at temperature 1.

    The context (at least one token) is read once, and its cache copied to each rest. Rests are padded on the right,
    where padding changes nothing before it.
    """
    import torch
    from transformers import DynamicCache

    longest = max(map(len, rests), default=0)
    if not longest:
        return [[] for _ in rests]
    padded = [[context[-1], *rest, *[0] * (longest - len(rest))] for rest in rests]
    found = []
    with torch.inference_mode():
        ids = torch.tensor(padded, device=model.device)  # (B, longest + 1)
        cache = DynamicCache(config=model.config)
        _read(model, context[:-1], cache, len(rests))
        for start in range(0, longest, BLOCK):
            block = ids[:, start : min(start + BLOCK, longest)]  # (B, b)
            logits = model(block, past_key_values=cache, use_cache=True).logits.float()  # (B, b, V)
            found.append(_chosen(logits, ids[:, start + 1 : start + 1 + block.shape[1]]))
        values = torch.cat(found, dim=-1).tolist()  # (B, longest)
    return [row[: len(rest)] for row, rest in zip(values, rests, strict=True)]


def _read(model: Any, context: Sequence[int], cache: Any, rows: int) -> None:
    """Fill the cache with the context, for each of the rows."""
    import torch

    if context:
        only_last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        model(torch.tensor([list(context)], device=model.device), past_key_values=cache, use_cache=True, **only_last)
        cache.reorder_cache(torch.zeros(rows, dtype=torch.long, device=model.device))


def _chosen(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Logits (B, b, V), targets (B, b) -> ln p of each target (B, b), without a second tensor of the logits' size."""
    return logits.gather(-1, targets[..., None]).squeeze(-1) - logits.logsumexp(-1)
