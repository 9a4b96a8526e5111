"""A Hugging Face causal LM taken apart: the decoder that makes hidden states, and the head that makes logits of them.

The head is run on its own so that logits are made for a few positions at a time. Some families change the logits after
the head (a soft cap, a scale): that is done here, and `checked` compares the parts with the whole model, so that a
family whose parts do not add up is refused instead of measured wrongly.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from tracer.analyses.blocks import LOGIT_ENTRIES, Block, Room, blocks
from tracer.analyses.suppression_mask import Sight
from tracer.errors import BadInputError, MissingExtraError

CHECKED_TOKENS = 64
"""The parts are compared with the whole on the first so many tokens."""
SCORE_ENTRIES = 1 << 27
"""Attention scores that an eager kernel may hold at a time: 512 MiB in float32."""
_FOUND_GOOD: WeakKeyDictionary[Any, tuple[str, int]] = WeakKeyDictionary()
"""Models that were compared, with which attention, and on how many tokens."""
_KERNELS = {"sdpa", "flash_attention_2", "flash_attention_3"}
"""Attention that holds no scores."""


class Causal:
    """A causal LM, ready to be run block by block."""

    def __init__(self, model: Any) -> None:
        head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
        if head is None or getattr(model.config, "is_encoder_decoder", False):
            raise MissingExtraError(f"{type(model).__name__} is no causal language model: choose another --lm MODEL")
        self.model, self.decoder, self.head = model, model.get_decoder(), head
        self.config = model.config.get_text_config()
        self.layers = int(self.config.num_hidden_layers)
        self.device: torch.device = model.device
        self.scale = getattr(self.config, "logit_scale", 1.0) / getattr(self.config, "logits_scaling", 1.0)
        self.cap: float | None = getattr(self.config, "final_logit_softcapping", None)

    def rows(self, texts: Sequence[Tensor]) -> Tensor:
        """Texts as rows of one tensor, (rows, longest T); the padding at the end is never looked at."""
        longest = max((len(ids) for ids in texts), default=0)
        limit = getattr(self.config, "max_position_embeddings", None)
        if limit and longest > limit:
            raise BadInputError(
                f"the text has {longest} tokens and the model reads {limit}: shorten it, or choose another --lm MODEL"
            )
        padded = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True)
        return padded.to(self.device)

    def room(self, rows: int, length: int, sight: Sight) -> Cache:
        """An empty cache; layers that keep a state need the one that the family has for them."""
        return DynamicCache(config=self.config) if sight.stateful else Room(self.layers, rows, length)

    def hidden(
        self, ids: Tensor, room: Cache, block: Block, mask: Tensor | None, begins: Sequence[int] | None = None
    ) -> Tensor:
        """The decoder's output for a block of queries of ids (rows, T): (block.rows, queries, width).

        Without a mask it is left to the hooks of `Sight.applied`: layers that keep a state would take it for padding.
        `begins`: the places of the rows' first tokens, where these are not 0.
        """
        queries = ids[: block.rows, block.start : block.end]
        positions = torch.arange(block.start, block.end, device=self.device).expand(len(queries), -1)
        if begins is not None:
            first = torch.tensor(begins[: block.rows], device=self.device)
            positions = (positions - first[:, None]).clamp(min=0)
        out = self.decoder(
            input_ids=queries, attention_mask=mask, position_ids=positions, past_key_values=room, use_cache=True
        )
        state: Tensor = out.last_hidden_state
        return state

    def logits(self, hidden: Tensor) -> Tensor:
        """The logits of hidden states (..., width), in float32: (..., V)."""
        logits: Tensor = self.head(hidden).float()
        if self.scale != 1:
            logits = logits * self.scale
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap

    def positions_at_once(self, rows: int) -> int:
        """Positions of so many rows whose logits fit into LOGIT_ENTRIES."""
        return max(1, LOGIT_ENTRIES // (rows * int(self.config.vocab_size)))

    def block_tokens(self, length: int, tokens: int) -> int:
        """Queries per pass, fewer where attention holds the scores of every head."""
        if self.config._attn_implementation in _KERNELS:
            return tokens
        return max(1, min(tokens, SCORE_ENTRIES // (int(self.config.num_attention_heads) * max(1, length))))

    def plain(self, ids: Tensor, sight: Sight, room: Cache, tokens: int) -> Iterator[tuple[Block, Tensor]]:
        """The undisturbed pass over ids (rows, T): each block, and its hidden states (rows, queries, width)."""
        count, length = ids.shape
        if sight.stateful:  # at least two blocks, so that `check` sees whether the state is handed on
            tokens = min(tokens, count * (length // 2 + 1))
        for block in blocks([0] * count, length, self.block_tokens(length, tokens)):
            mask = sight.mask([()] * count, block)
            yield block, self.hidden(ids, room, block, None if sight.stateful else mask)

    def check(self, ids: Tensor, hidden: Tensor, sight: Sight) -> None:
        """Refuse a model whose logits are not those that its parts give for ids (T,) and hidden (T, width).

        It is a matter of the family, so a model that was found good on as many tokens is not asked again.
        """
        count = len(ids) if sight.stateful else min(len(ids), CHECKED_TOKENS)
        kernel, most = _FOUND_GOOD.get(self.model, ("", 0))
        if not sight.stateful and kernel == self.config._attn_implementation and count <= most:
            return
        seen = min(count, CHECKED_TOKENS)
        whole = self.model(input_ids=ids[None, :count], logits_to_keep=seen, use_cache=False).logits[0].float()
        parts = self.logits(hidden[count - seen : count])  # (seen, V), as is `whole`
        loose = 1e-3 if whole.dtype == self.model.dtype else 0.1  # half precision differs from kernel to kernel
        if not torch.allclose(whole, parts, rtol=loose, atol=loose * float(whole.abs().max())):
            raise MissingExtraError(
                f"{self.config.model_type} does not take masks and caches from outside as other models do: "
                "choose another --lm MODEL"
            )
        _FOUND_GOOD[self.model] = (self.config._attn_implementation, count)
