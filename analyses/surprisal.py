"""Surprisal: how unlikely the model finds each sentence, -ln p of its tokens given all before them, in nats.

The cheapest score there is, and a strong baseline: a planted slip is nearly always an unlikely token. A belief that is
held half of the time is not. Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tracer.analyses.blocks import BLOCK_TOKENS, Room
from tracer.analyses.causal import Causal
from tracer.analyses.suppression_mask import Sight

Array = npt.NDArray[np.float64]


class Surprisal(NamedTuple):
    """Of each sentence; NaN where it holds no token that anything precedes."""

    mean: Array
    """(n,) mean over the sentence's tokens"""
    highest: Array
    """(n,) its most surprising token"""


def surprisal(model: Any, ids: Tensor, spans: Sequence[tuple[int, int]]) -> Surprisal:
    """One pass over ids (T,), spans [a, b) in tokens; logits are made for a few positions at a time."""
    values = token_surprisal(model, ids)
    slices = [values[max(0, start - 1) : max(0, end - 1)] for start, end in spans]
    return Surprisal(
        np.array([part.mean() if len(part) else np.nan for part in slices]),
        np.array([part.max() if len(part) else np.nan for part in slices]),
    )


@torch.inference_mode()
def token_surprisal(model: Any, ids: Tensor) -> Array:
    """-ln p of each token but the first, (T - 1,)."""
    if len(ids) < 2:
        return np.zeros(0)
    causal = Causal(model)
    rows = causal.rows([ids])  # (1, T)
    sight = Sight(model, len(ids))
    found: list[Tensor] = []
    with sight.applied():
        for block, state in causal.plain(rows, sight, Room(causal.layers, *rows.shape), BLOCK_TOKENS):
            for start in range(0, state.shape[1], step := causal.positions_at_once(1)):
                logits = causal.logits(state[:, start : start + step])[0]  # (positions, V)
                first = block.start + start + 1
                tokens = rows[0, first : first + len(logits)]
                logits = logits[: len(tokens)]
                found.append(logits.logsumexp(dim=1) - logits.gather(1, tokens[:, None])[:, 0])
    return np.asarray(torch.cat(found).double().cpu().numpy())
