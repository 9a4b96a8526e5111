"""Attention in which several query heads share keys and values, without a copy of these for each query head.

transformers repeats keys and values before the kernel whenever there is a mask, because on a GPU the kernel would fall
back to a slow one. On a CPU it does not: there the copies cost more than a third of attention, and the result is equal.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_NAME = "tracer_grouped"
_TAKEN = {"dropout", "scaling", "is_causal", "sliding_window", "position_ids", "use_cache", "cache_position"}
"""Arguments that are known, or change nothing where a mask says who sees whom."""


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    """As transformers' own, to which whatever is unusual is left: no mask, dropout, arguments that are not known."""
    unknown = any(value is not None for name, value in given.items() if name not in _TAKEN)
    if attention_mask is None or unknown or given.get("dropout"):
        return sdpa_attention_forward(module, query, key, value, attention_mask, **given)
    scale = given.get("scaling")
    out = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scale, enable_gqa=True)
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _attention)


@contextmanager
def grouped(model: Any) -> Iterator[None]:
    """While this lasts, a model on a CPU whose attention is transformers' `sdpa` shares keys and values unrepeated."""
    before = model.config._attn_implementation
    if before != "sdpa" or model.device.type != "cpu":
        yield
        return
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
