"""Sentence attention: how much each sentence looks at each earlier one, head by head, without a T x T.

    M[a, b] = mean over the queries q of sentence a and the keys k of sentence b of  P[q, k]

P is a head's attention. Its sums over sentences come out of an exact attention kernel when the values it is given are
sentence indicators, 1/|b| where a token is in sentence b and 0 elsewhere: P . indicator is (T, n). The columns are cut
to the head's width, as kernels want it, and the queries into blocks, so memory grows with T. A family that alters the
scores (a soft cap, sinks) has the same done to the scores of one block at a time. M is a mean per key, so a long
sentence has no advantage, and rows need not sum to 1.

The vertical score of sentence b at gap p is the mean of M[a, b] over a >= b + p; nan for the last p sentences.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface

from tracer.analyses.causal import Causal
from tracer.analyses.removal import Array, Span
from tracer.analyses.suppression_mask import Sight
from tracer.errors import MissingExtraError

GAPS = (4, 8, 16)
"""Neighbours look at each other anyway; how far is far changes the picture, so several gaps are given."""
QUERIES = 256
"""Queries per pass."""


class SentenceAttention(NamedTuple):
    """The attention between n sentences, in a model of L layers with H heads each."""

    mean: Array
    """(n, n) M averaged over layers that have attention, and heads; rows look, columns are looked at"""
    vertical: dict[int, Array]
    """for each gap, (L, H, n) vertical scores; 0 in layers without attention"""
    heads: Array | None
    """(L, H, n, n) M of each head, where it was asked for"""


@torch.inference_mode()
def sentence_attention(
    model: Any,
    ids: Tensor,
    spans: Sequence[Span],
    gaps: Sequence[int] = GAPS,
    *,
    shifted: bool = False,
    keep_heads: bool = False,
    queries: int = QUERIES,
) -> SentenceAttention:
    """The sentence attention of one text: ids (T,), spans [a, b) in tokens, ascending and disjoint.

    `shifted` takes for a sentence the queries that predict its tokens, one earlier, instead of those at its tokens.
    """
    causal = Causal(model)
    rows = causal.rows([ids])  # (1, T)
    sight = Sight(model, rows.shape[1])
    watch = _Watch(causal, sight, spans, gaps, shifted=shifted, keep_heads=keep_heads)
    if spans:
        with sight.applied(), _watched(model, watch):
            for _ in causal.plain(rows, sight, causal.room(len(rows), rows.shape[1], sight), queries):
                pass
    return watch.result()


class _Watch:
    """Sums up the attention of every layer while the model runs over one text, block by block."""

    def __init__(
        self,
        causal: Causal,
        sight: Sight,
        spans: Sequence[Span],
        gaps: Sequence[int],
        *,
        shifted: bool,
        keep_heads: bool,
    ) -> None:
        self.spans, self.device = spans, causal.device
        self.layers, self.count = causal.layers, int(causal.config.num_attention_heads)
        self.lookers = [(max(0, start - shifted), max(0, end - shifted)) for start, end in spans]
        self.mean = torch.zeros(len(spans), len(spans), device=self.device)
        self.vertical = {gap: torch.zeros(self.layers, self.count, len(spans), device=self.device) for gap in gaps}
        shape = (self.layers, self.count, len(spans), len(spans))
        self.heads = torch.zeros(shape, device=self.device) if keep_heads else None
        self.seen: set[int] = set()
        self.attending = set(sight.kinds)

    def attention(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **given: Any
    ) -> tuple[Tensor, None]:
        """Attention as the model wants it, (1, queries, heads, width), with a look at where it goes."""
        layer = int(module.layer_idx)  # type: ignore[arg-type]
        end = key.shape[2]
        start = end - query.shape[2]
        if given.get("position_bias") is not None or mask is None:
            raise MissingExtraError("sentence attention cannot read this model: choose another --lm MODEL")
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        attend = _scored if given.get("softcap") or given.get("s_aux") is not None else _streamed
        out, sums = attend(query, key, value, mask, self._indicator(end, key), given)  # (1, H, Q, n so far)
        self._add(layer, start, end, sums[0].float())
        self.seen.add(layer)
        return out.transpose(1, 2).contiguous(), None

    def _indicator(self, end: int, like: Tensor) -> Tensor:
        """1/|b| where a key before `end` is in sentence b, (keys, sentences that begin before `end`)."""
        count = sum(1 for start, _ in self.spans if start < end)
        made = torch.zeros(end, count, dtype=like.dtype, device=like.device)
        for index, (start, stop) in enumerate(self.spans[:count]):
            made[start:stop, index] = 1 / max(1, stop - start)
        return made

    def _add(self, layer: int, start: int, end: int, sums: Tensor) -> None:
        """Add a block's P . indicator, (heads, queries, sentences so far), to what is kept."""
        looking = [i for i, (first, last) in enumerate(self.lookers) if first < end and last > start]
        if not looking:
            return
        low, high, width = looking[0], looking[-1] + 1, sums.shape[2]
        average = torch.zeros(high - low, end - start, device=self.device)  # (lookers, queries)
        for index, (first, last) in enumerate(self.lookers[low:high]):
            average[index, max(0, first - start) : max(0, last - start)] = 1 / max(1, last - first)
        part = torch.einsum("aq,hqb->hab", average, sums)  # (heads, lookers, sentences so far)
        self.mean[low:high, :width] += part.mean(dim=0) / len(self.attending)
        if self.heads is not None:
            self.heads[layer, :, low:high, :width] += part
        for gap, vertical in self.vertical.items():
            far = torch.ones(high - low, width, device=self.device).tril(low - gap)  # looker - looked at >= gap
            vertical[layer, :, :width] += torch.einsum("hab,ab->hb", part, far)

    def result(self) -> SentenceAttention:
        """What was seen; every layer must have been."""
        if self.spans and self.seen != self.attending:
            raise MissingExtraError("sentence attention cannot read this model: choose another --lm MODEL")
        vertical = {}
        for gap, sums in self.vertical.items():
            lookers = np.arange(len(self.spans))[::-1] - gap + 1.0  # so many sentences stand that far behind
            lookers[lookers <= 0] = np.nan
            vertical[gap] = _numpy(sums) / lookers
        return SentenceAttention(_numpy(self.mean), vertical, None if self.heads is None else _numpy(self.heads))


def _streamed(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, indicator: Tensor, given: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """Attention and its sums over sentences by the kernel alone; nothing of size queries x keys is made per head."""
    scale, width = given.get("scaling"), value.shape[3]
    out = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    sums = []
    for first in range(0, indicator.shape[1], width):
        columns = indicator[:, first : first + width]
        values = pad(columns, (0, width - columns.shape[1])).expand(*key.shape[:2], -1, -1)  # (1, H, keys, width)
        looked = scaled_dot_product_attention(query, key, values, attn_mask=mask, scale=scale)
        sums.append(looked[..., : columns.shape[1]])
    return out, torch.cat(sums, dim=3)


def _scored(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, indicator: Tensor, given: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """The same from the scores of the block, for families that cap them or let sinks have a part."""
    scores = query @ key.transpose(2, 3) * given["scaling"]  # (1, H, queries, keys)
    if cap := given.get("softcap"):
        scores = torch.tanh(scores / cap) * cap
    scores = scores + mask
    if (sinks := given.get("s_aux")) is not None:
        scores = torch.cat([scores, sinks.view(1, -1, 1, 1).expand(*scores.shape[:3], 1)], dim=3)
    share = torch.softmax(scores.float(), dim=3)[..., : key.shape[2]].to(value.dtype)
    return share @ value, share @ indicator


_watching: ContextVar[_Watch] = ContextVar("watching")
_NAME = "tracer_sentence_attention"


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    return _watching.get().attention(module, query, key, value, attention_mask, **given)


AttentionInterface.register(_NAME, _attention)


@contextmanager
def _watched(model: Any, watch: _Watch) -> Iterator[None]:
    """Let the model compute attention by way of the watch, through the interface that transformers has for it."""
    before = model.config._attn_implementation
    token = _watching.set(watch)
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
        _watching.reset(token)


def _numpy(values: Tensor) -> Array:
    return np.asarray(values.double().cpu().numpy())
