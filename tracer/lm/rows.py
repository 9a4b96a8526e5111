"""Rows of tokens that grow side by side over prompts whose keys and values all of them share.

Memory is read once where rows agree: the keys and values of a prompt stand in one place (`tracer.lm.trunk`), and the
queries of all rows meet them in one matrix product, under a mask that tells who sees which column. Each row has only
its own tokens for itself (`Rows`). Rows differ in length, so a row that is done makes room for another one at once.

Attention is computed here, behind transformers' interface for attention functions: softmax over the shared columns and
the row's own ones together, with grouped heads, soft caps, sinks and sliding windows. Layers that keep a state instead
of keys and values cannot be served; `served` tells. Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache

from tracer.lm.sampling import Drawn, choose, logprobs
from tracer.lm.trunk import Ints, Trunk

LEAST = 32
"""Slots, and tokens of a row, that are allocated at first; both double."""
CHECKED = 8
"""Tokens that are read in both ways before a model is trusted to be one that can be served."""
_NAME = "tracer_rows"
_LAYERS = {"full_attention", "sliding_attention"}


def served(model: Any) -> bool:
    """Whether all layers of a model are attention that can be computed here."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or []
    return bool(
        getattr(model, "_supports_attention_backend", False)
        and not getattr(model, "_is_stateful", False)
        and "position_ids" in inspect.signature(model.forward).parameters
        and set(kinds) <= _LAYERS
    )


class Start(NamedTuple):
    """Where a row begins."""

    columns: Ints
    """Of the tokens before `last`."""
    last: int
    """The token that is read first; what is drawn first follows it."""
    drawn: list[int]
    """Tokens that count as drawn already."""
    logprobs: list[float]
    """Theirs."""
    numbers: npt.NDArray[np.float64]
    """A uniform for each token that may be drawn, those drawn already included."""


class Rows:
    """Rows in slots 0 to `live` - 1, each with its own tokens' keys and values."""

    def __init__(self, trunk: Trunk, ends: frozenset[int], temperature: float, top_p: float) -> None:
        self.trunk, self.model = trunk, trunk.model
        self.temperature, self.top_p = temperature, top_p
        self.live = 0
        device = self.model.device
        self.ends = torch.tensor(sorted(ends), dtype=torch.long, device=device)
        self.cache = _Cache(self)
        self.every = torch.zeros(0, dtype=torch.long)  # 0, 1, ...
        self.keys: list[Tensor] = []  # (slots, heads, own tokens, width) for each layer
        self.values: list[Tensor] = []
        self.unseen = torch.zeros(0, 0, device=device, dtype=self.model.dtype)  # (slots, columns), -inf where hidden
        self.numbers = torch.zeros(0, 0, device=device, dtype=torch.float64)  # (slots, most tokens), as the next two
        self.drawn = torch.zeros(0, 0, device=device, dtype=torch.long)
        self.logprobs = torch.zeros(0, 0, device=device, dtype=torch.float64)
        self.state = torch.zeros(5, 0, device=device, dtype=torch.long)  # (5, slots); its rows have names below
        self.sizes = np.zeros((2, 0), dtype=np.int64)  # (2, slots), on the host: own tokens, and the last column's end

    @property
    def token(self) -> Tensor:
        """What each slot reads next."""
        return self.state[0]

    @property
    def position(self) -> Tensor:
        """Where that token stands in its text."""
        return self.state[1]

    @property
    def own(self) -> Tensor:
        """How many own tokens each slot has read."""
        return self.state[2]

    @property
    def turn(self) -> Tensor:
        """How many tokens each slot has drawn."""
        return self.state[3]

    @property
    def limit(self) -> Tensor:
        """How many tokens each slot may draw."""
        return self.state[4]

    def enter(self, slots: Sequence[int], starts: Sequence[Start]) -> None:
        """Begin rows in these slots, which are free or follow the last one."""
        if not slots:
            return
        self.live = max(self.live, max(slots) + 1)
        longest = max(len(start.numbers) for start in starts)
        with torch.inference_mode():
            self._make_room(longest)
            device = self.model.device
            index = torch.tensor(slots, device=device)
            begun = [(each.last, len(each.columns), 0, len(each.drawn), len(each.numbers)) for each in starts]
            self.state[:, index] = torch.tensor(begun, device=device).T
            self.sizes[:, list(slots)] = [[0] * len(slots), [start.columns.max(initial=-1) + 1 for start in starts]]
            hidden = np.full((len(slots), self.unseen.shape[1]), -np.inf, dtype=np.float32)
            numbers = np.zeros((len(slots), self.numbers.shape[1]))
            for row, start in enumerate(starts):
                hidden[row, start.columns] = 0
                numbers[row, : len(start.numbers)] = start.numbers
            self.unseen[index] = torch.from_numpy(hidden).to(self.unseen)
            self.numbers[index] = torch.from_numpy(numbers).to(device)
            self._fill(index, starts)

    def _fill(self, index: Tensor, starts: Sequence[Start]) -> None:
        """Write down what counts as drawn."""
        longest = max(len(start.drawn) for start in starts)
        if longest:
            drawn = [start.drawn + [0] * (longest - len(start.drawn)) for start in starts]
            logprobs = [start.logprobs + [0.0] * (longest - len(start.drawn)) for start in starts]
            self.drawn[index, :longest] = torch.tensor(drawn, device=index.device)
            self.logprobs[index, :longest] = torch.tensor(logprobs, device=index.device, dtype=torch.float64)

    def result(self, slot: int, count: int) -> Drawn:
        """The first `count` tokens a slot has drawn, and ln p of each at temperature 1."""
        return Drawn(self.drawn[slot, :count].tolist(), self.logprobs[slot, :count].tolist())

    def leave(self, slots: Sequence[int]) -> dict[int, int]:
        """Free slots that nobody enters: rows from the end move into them. Gives {old slot: new slot} of the moved."""
        gone = set(slots)
        after = self.live - len(gone)
        targets = [slot for slot in sorted(gone) if slot < after]
        sources = [slot for slot in range(after, self.live) if slot not in gone]
        self.live = after
        if targets:
            with torch.inference_mode():
                self._move(sources, targets)
        return dict(zip(sources, targets, strict=True))

    def _move(self, sources: list[int], targets: list[int]) -> None:
        into, out = (torch.tensor(each, device=self.model.device) for each in (targets, sources))
        width = int(self.sizes[0, sources].max())
        for part in (*self.keys, *self.values):
            part[into, :, :width] = part[out, :, :width]
        for part in (self.unseen, self.numbers, self.drawn, self.logprobs):
            part[into] = part[out]
        self.state[:, into] = self.state[:, out]
        self.sizes[:, targets] = self.sizes[:, sources]

    def step(self) -> list[tuple[int, int]]:
        """Draw a token for each row. Gives (slot, tokens drawn) of the rows that are done with it."""
        rows = slice(0, self.live)
        with torch.inference_mode():
            logits = self.read()  # (B, V)
            every, turn = self.every[rows], self.turn[rows].clone()
            token = choose(logits, self.numbers[every, turn], self.temperature, self.top_p)  # (B,)
            self.drawn[every, turn] = token
            self.logprobs[every, turn] = logprobs(logits, token)
            self.token[rows] = token
            self.advance()
            done = ((self.turn >= self.limit)[rows] | torch.isin(token, self.ends)).nonzero().squeeze(-1)
            return list(zip(done.tolist(), self.turn[done].tolist(), strict=True))

    def advance(self) -> None:
        """Each row has read a token and drawn one."""
        self.state[1:4, : self.live] += 1
        self.sizes[0, : self.live] += 1

    def read(self) -> Tensor:
        """Read the next token of each row, and give the logits of what follows (B, V)."""
        rows = slice(0, self.live)
        width, columns = int(self.sizes[0, rows].max()) + 1, int(self.sizes[1, rows].max())
        self._widen(width)
        later = torch.arange(width, device=self.model.device) > self.own[rows, None]  # (B, own)
        mine = torch.zeros_like(later, dtype=self.unseen.dtype).masked_fill(later, -torch.inf)
        self.width, self.columns = width, columns
        self.bias = torch.cat([self.unseen[rows, :columns], mine], dim=-1)  # (B, columns + own)
        self.windows: dict[int, Tensor] = {}
        with _attending(self):
            read = self.model(
                self.token[rows, None],
                position_ids=self.position[rows, None],
                past_key_values=self.cache,
                use_cache=True,
            )
        logits: Tensor = read.logits[:, -1]
        return logits

    def attend(
        self,
        layer: int,
        query: Tensor,
        scaling: float,
        window: int | None = None,
        softcap: float | None = None,
        sinks: Tensor | None = None,
    ) -> Tensor:
        """Attention of one new token of each row: query (B, heads, 1, width) -> (B, 1, heads, value width).

        softmax(scaling * q k + bias) v over the shared columns and the row's own tokens, in float32.
        """
        columns = self.columns
        keys, values = self.trunk.keys[layer][:, :columns], self.trunk.values[layer][:, :columns]  # (G, C, width)
        own_keys, own_values = (part[layer][: self.live, :, : self.width] for part in (self.keys, self.values))
        rows, groups, each = self.live, own_keys.shape[1], query.shape[1] // own_keys.shape[1]
        asked = query.view(rows, groups, each, -1) * scaling  # (B, G, heads of a group, width)
        by_group = asked.transpose(0, 1).reshape(groups, rows * each, -1)  # (G, B * heads, width)
        shared = torch.bmm(by_group, keys.transpose(1, 2)).view(groups, rows, each, columns)
        mine = torch.matmul(asked, own_keys.transpose(2, 3)).transpose(0, 1)  # (G, B, heads, own)
        scores = torch.cat([shared, mine], dim=-1)  # (G, B, heads, C + own)
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        scores += self._bias(window)[None, :, None]
        weights = _softmax(scores, sinks)
        over = weights[..., :columns].flatten(1, 2)  # (G, B * heads, C)
        found = torch.bmm(over, values).view(groups, rows, each, -1).transpose(0, 1)
        found = found + torch.matmul(weights[..., columns:].transpose(0, 1), own_values)  # (B, G, heads, value width)
        return found.reshape(rows, 1, groups * each, -1)

    def _bias(self, window: int | None) -> Tensor:
        """(B, columns + own), with what lies behind a sliding window hidden, too."""
        if window is None:
            return self.bias
        if window not in self.windows:
            here = self.position[: self.live, None]
            mine = here - self.own[: self.live, None] + torch.arange(self.width, device=here.device)
            shared = self.trunk.positions[None, : self.columns].expand(self.live, -1)
            away = here - torch.cat([shared, mine], dim=-1) >= window
            self.windows[window] = self.bias.masked_fill(away, -torch.inf)
        return self.windows[window]

    def write(self, layer: int, key: Tensor, value: Tensor) -> None:
        """Keep the keys and values (B, heads, 1, width) of the tokens that are read."""
        for held, new in ((self.keys, key), (self.values, value)):
            if len(held) <= layer:  # the first pass: now the shapes are known
                slots, width = self.state.shape[1], max(LEAST, self.width)
                held.append(new.new_zeros(slots, new.shape[1], width, new.shape[3]))
            held[layer][self.every[: self.live], :, self.own[: self.live]] = new[:, :, 0]

    def _make_room(self, longest: int) -> None:
        """Slots for all rows, columns for the whole trunk, and places for `longest` tokens."""
        slots = max(LEAST, self.state.shape[1])
        while slots < self.live:
            slots *= 2
        columns = self.trunk.size
        self.unseen = _grown(self.unseen, (slots, columns), -torch.inf)
        self.numbers = _grown(self.numbers, (slots, longest))
        self.drawn = _grown(self.drawn, (slots, longest))
        self.logprobs = _grown(self.logprobs, (slots, longest))
        self.state = _grown(self.state, (5, slots))
        self.sizes = np.pad(self.sizes, ((0, 0), (0, slots - self.sizes.shape[1])))
        for held in (self.keys, self.values):
            held[:] = [_grown(part, (slots, *part.shape[1:])) for part in held]
        self.every = torch.arange(slots, device=self.model.device)

    def _widen(self, width: int) -> None:
        """Room for so many own tokens of each row."""
        for held in (self.keys, self.values):
            for layer, part in enumerate(held):
                if part.shape[2] < width:
                    held[layer] = _grown(part, (*part.shape[:2], max(width, 2 * part.shape[2]), part.shape[3]))


def agrees(trunk: Trunk, ids: Sequence[int], last: Tensor) -> bool:
    """Whether the attention here is the model's: `last` are its own logits (V,) after the ids, which are in the trunk.

    The last few tokens are read once more, as a row's own. Families differ in what their attention adds; whatever is
    not computed here shows as another distribution, which then lies further off than rounding does.
    """
    few = min(CHECKED, len(ids))
    columns = trunk.path(ids)[: len(ids) - few]
    rows = Rows(trunk, frozenset(), 0.0, 1.0)
    rows.enter([0], [Start(columns, ids[-few], [], [], np.zeros(few))])
    with torch.inference_mode():
        for token in ids[len(ids) - few :]:
            rows.token[0] = token
            logits = rows.read()[0]
            rows.advance()
        away = (logits.double().softmax(-1) - last.double().softmax(-1)).abs().sum() / 2
    return bool(away <= (1e-3 if logits.dtype in {torch.float32, torch.float64} else 0.1))


class _Cache(Cache):
    """What a model writes its keys and values to; they are read by `Rows.attend`."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(layers=[])
        self.rows = rows
        self.layer = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        self.layer = layer_idx
        self.rows.write(layer_idx, key_states, value_states)
        return key_states, value_states


_STEPPING: ContextVar[Rows] = ContextVar("rows whose step is under way")


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    rows = _STEPPING.get()
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return rows.attend(rows.cache.layer, query, scale, sliding_window, softcap, s_aux), None


AttentionInterface.register(_NAME, _attention)


@contextmanager
def _attending(rows: Rows) -> Iterator[None]:
    """Let a model compute its attention here, and build no masks."""
    config = rows.model.config.get_text_config()
    before = config._attn_implementation
    token = _STEPPING.set(rows)
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before
        _STEPPING.reset(token)


def _softmax(scores: Tensor, sinks: Tensor | None) -> Tensor:
    """(G, B, heads, C) -> the same; sinks (G * heads) take a share of the weight and give nothing."""
    if sinks is None:
        return scores.softmax(-1, dtype=torch.float32).to(scores.dtype)
    sink = sinks.view(len(scores), 1, -1, 1).expand(*scores.shape[:3], 1).to(scores)
    return torch.cat([scores, sink], dim=-1).softmax(-1, dtype=torch.float32)[..., :-1].to(scores.dtype)


def _grown(part: Tensor, shape: tuple[int, ...], value: float = 0) -> Tensor:
    """A tensor with at least this shape that begins with the old one."""
    wanted = tuple(max(pair) for pair in zip(part.shape, shape, strict=True))
    if wanted == tuple(part.shape):
        return part
    made = part.new_full(wanted, value)
    made[tuple(slice(0, size) for size in part.shape)] = part
    return made
