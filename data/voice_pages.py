"""Texts that the pocket model goes on with side by side, and what it knows already of how they begin.

An agent's view grows at its end only, and lives of one run begin alike: so the keys and values of every token that was
read are kept in a tree of tokens (`Known`), and a page of rows reads what is new in each. A token's keys and values
depend on the tokens before it alone, so this changes nothing but the rounding of sums.

The model is so small that most of a pass would go into calling its modules one by one. `Weights` are the same numbers
in fewer pieces; with them a Llama's pass is a dozen calls a layer, and a test holds it to the model's own.

Needs torch; imported on use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

MORE = 64
"""Columns by which a page grows."""


class Layer(NamedTuple):
    """One layer's weights; those that read the same are one matrix."""

    before: Tensor
    """Of the norm before attention."""
    attention: tuple[Tensor, Tensor]
    """Queries, keys and values, with their biases."""
    out: tuple[Tensor, Tensor]
    between: Tensor
    """Of the norm before the gated part."""
    gates: Tensor
    down: Tensor


class Weights:
    """A Llama in few pieces, in float32."""

    def __init__(self, model: Any) -> None:
        config, inner = model.config, model.model
        self.heads, self.width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        self.epsilon: float = config.rms_norm_eps
        self.embedding: Tensor = inner.embed_tokens.weight
        self.last: Tensor = inner.norm.weight
        self.layers = [_layer(each) for each in inner.layers]
        places = torch.arange(config.max_position_embeddings)[None]
        turns = inner.rotary_emb(self.embedding[:1], places)
        self.cosine, self.sine = (part[0] for part in turns)  # (positions, width) each

    def turned(self, both: Tensor, positions: Tensor) -> Tensor:
        """Queries and keys (2, B, heads, T, width) turned by their positions (B, T)."""
        half = self.width // 2
        aside = torch.cat([-both[..., half:], both[..., :half]], dim=-1)
        turned: Tensor = both * self.cosine[positions][:, None] + aside * self.sine[positions][:, None]
        return turned


def _layer(module: Any) -> Layer:
    attention, gated = module.self_attn, module.mlp
    three = (attention.q_proj, attention.k_proj, attention.v_proj)
    return Layer(
        module.input_layernorm.weight,
        (torch.cat([each.weight for each in three]), torch.cat([each.bias for each in three])),
        (attention.o_proj.weight, attention.o_proj.bias),
        module.post_attention_layernorm.weight,
        torch.cat([gated.gate_proj.weight, gated.up_proj.weight]),
        gated.down_proj.weight,
    )


class Known:
    """A tree of tokens, each with its keys and values."""

    def __init__(self, model: Any) -> None:
        self.weights = Weights(model)
        self.layers = len(self.weights.layers)
        self.shape = (self.weights.heads, self.weights.width)
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
    """Rows on their way: their columns, and the logits of what follows each (rows, vocabulary)."""

    def __init__(self, known: Known, texts: Sequence[Sequence[int]]) -> None:
        self.known, self.weights = known, known.weights
        paths = [known.path(text[:-1]) for text in texts]
        width = max(len(text) - len(path) for text, path in zip(texts, paths, strict=True))
        pasts = [path[: max(0, len(text) - width)] for text, path in zip(texts, paths, strict=True)]
        self.length = max(map(len, pasts))
        """Columns so far."""
        places = np.zeros((len(texts), self.length), dtype=np.int64)
        ids = np.zeros((len(texts), width), dtype=np.int64)
        self.pads = np.array([self.length + width - len(text) for text in texts])
        """Columns of each row that hold nothing."""
        for row, (text, kept) in enumerate(zip(texts, pasts, strict=True)):
            places[row, self.length - len(kept) :] = kept
            new = text[len(kept) :]
            ids[row, width - len(new) :] = new
        self.keys = self._columns(known.keys, places, width + MORE)  # (rows, heads, columns, width) for each layer
        self.values = self._columns(known.values, places, width + MORE)
        self.logits: Tensor
        self.read(torch.from_numpy(ids))

    def _columns(self, part: Tensor, places: np.ndarray[Any, np.dtype[np.int64]], more: int) -> list[Tensor]:
        rows, heads, width = len(places), *self.known.shape
        made = [torch.zeros(rows, heads, self.length + more, width) for _ in range(self.known.layers)]
        for layer, each in enumerate(made):
            each[:, :, : self.length] = self.known.columns(part, layer, torch.from_numpy(places))
        return made

    def read(self, ids: Tensor) -> None:
        """Read some more tokens of each row (rows, tokens)."""
        new = ids.shape[1]
        end = self.length + new
        self._make_room(end)
        pads = torch.from_numpy(self.pads)[:, None]
        columns = torch.arange(end)
        positions = (columns[self.length :] - pads).clamp(min=0)  # (rows, tokens)
        own = columns[self.length :, None]  # where nothing stands, a column sees itself: no sum is over nothing
        seen = (columns >= pads)[:, None, None] & (columns <= own) | (columns == own)  # (rows, 1, tokens, columns)
        x = self.weights.embedding[ids]
        for number, layer in enumerate(self.weights.layers):
            x = self._layer(number, layer, x, positions, seen if new > 1 or self.pads.any() else None)
        self.length = end
        x = rms_norm(x[:, -1], x.shape[-1:], self.weights.last, self.weights.epsilon)
        self.logits = linear(x, self.weights.embedding)

    def _layer(self, number: int, layer: Layer, x: Tensor, positions: Tensor, seen: Tensor | None) -> Tensor:
        """x (rows, tokens, width of the model) -> the same"""
        rows, new, size = x.shape
        here = slice(self.length, self.length + new)
        read = rms_norm(x, (size,), layer.before, self.weights.epsilon)
        three = linear(read, *layer.attention).view(rows, new, 3, *self.known.shape).permute(2, 0, 3, 1, 4)
        query, self.keys[number][:, :, here] = self.weights.turned(three[:2], positions)
        self.values[number][:, :, here] = three[2]
        keys, values = self.keys[number][:, :, : here.stop], self.values[number][:, :, : here.stop]
        found = scaled_dot_product_attention(query, keys, values, attn_mask=seen)
        x = x + linear(found.transpose(1, 2).reshape(rows, new, size), *layer.out)
        gate, up = linear(rms_norm(x, (size,), layer.between, self.weights.epsilon), layer.gates).chunk(2, dim=-1)
        return x + linear(silu(gate) * up, layer.down)

    def _make_room(self, end: int) -> None:
        if end > self.keys[0].shape[2]:
            for held in (self.keys, self.values):
                held[:] = [torch.cat([each, each.new_zeros(each.shape).narrow(2, 0, MORE)], dim=2) for each in held]

    def choose(self, rows: list[int]) -> None:
        """Go on with the rows at these places; a place may be named more than once."""
        if rows != list(range(len(self.pads))):
            index = torch.tensor(rows)
            for held in (self.keys, self.values):
                held[:] = [each.index_select(0, index) for each in held]
            self.pads = self.pads[rows]

    def learned(self, row: int, text: Sequence[int]) -> None:
        """Keep what was read of a row."""
        here = slice(int(self.pads[row]), self.length)
        keys, values = ([each[row, :, here] for each in held] for held in (self.keys, self.values))
        self.known.add(text[: self.length - int(self.pads[row])], keys, values)
