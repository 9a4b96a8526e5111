"""Surprisal: how little the model expected each sentence, in nats per token.

    mean(t) = mean over the tokens x of sentence t of  -log p(x | all before),        max(t) = the largest of them

A sentence without a token has 0 and 0. The first token of a text is predicted by nothing and counts for nobody. One
plain pass; logits are made for a few positions at a time.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tracer.analyses.blocks import BLOCK_TOKENS
from tracer.analyses.causal import Causal
from tracer.analyses.removal import Array, Span
from tracer.analyses.suppression_mask import Sight


class Surprisal(NamedTuple):
    """What each of n sentences cost."""

    mean: Array
    """(n,) nats per token"""
    max: Array
    """(n,) nats of the least expected token"""


@torch.inference_mode()
def log_probs(model: Any, ids: Tensor) -> Array:
    """log p of each token given all before it, (T,); 0 for the first one."""
    causal = Causal(model)
    rows = causal.rows([ids])  # (1, T)
    found = torch.zeros(rows.shape[1], device=causal.device)
    sight = Sight(model, rows.shape[1])
    with sight.applied():
        for block, hidden in causal.plain(rows, sight, causal.room(len(rows), rows.shape[1], sight), BLOCK_TOKENS):
            size = causal.positions_at_once(1)
            for start in range(block.start, min(block.end, len(found) - 1), size):
                end = min(start + size, block.end, len(found) - 1)
                logits = causal.logits(hidden[0, start - block.start : end - block.start])  # (positions, V)
                chosen = logits.gather(1, rows[0, start + 1 : end + 1, None])[:, 0]
                found[start + 1 : end + 1] = chosen - logits.logsumexp(dim=1)
    return np.asarray(found.double().cpu().numpy())


def surprisal(model: Any, ids: Tensor, spans: Sequence[Span]) -> Surprisal:
    """The surprisal of the sentences of one text: ids (T,), spans [a, b) in tokens."""
    if not spans:
        return Surprisal(np.zeros(0), np.zeros(0))
    cost = -log_probs(model, ids)
    parts = [cost[max(1, start) : end] for start, end in spans]
    return Surprisal(
        np.array([part.mean() if len(part) else 0.0 for part in parts]),
        np.array([part.max() if len(part) else 0.0 for part in parts]),
    )
