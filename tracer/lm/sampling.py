"""Continuing texts token by token, many at once.

One forward pass reads every different prompt, the cache of keys and values is then copied to the rows that start from
it, and a row that has finished leaves the batch. Prompts of different lengths are padded on the left.

A sample depends on its own key and on nothing else: token t of a row is the one at which the cumulative distribution
first exceeds u_t, and the u_t come from a counter-based generator (Philox) whose key holds the seed, the prompt and the
number of the sample. So neither the size of the batch nor its other rows matter, up to the rounding of the matrix
products, which kernels may do in another order for another batch. This module knows token ids only.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.errors import TracerError

if TYPE_CHECKING:
    import torch


class Row(NamedTuple):
    """One text to continue."""

    prompt: tuple[int, ...]
    key: tuple[int, int]
    """Of its random numbers; see `key`."""
    max_tokens: int
    """At least 1."""


class Drawn(NamedTuple):
    """What a row went on with."""

    ids: list[int]
    """At least one, the end-of-text token included."""
    logprobs: list[float]
    """ln p of each, in nats, under the model's own distribution: temperature 1, no top_p."""


class Rules(NamedTuple):
    """How to draw, and when a row is done."""

    temperature: float
    """0: take the likeliest token."""
    top_p: float
    """Draw among the likeliest tokens that hold this much probability together."""
    ends: frozenset[int]
    """Tokens that end a text."""
    stops: Callable[[list[int]], bool]
    """Whether the tokens drawn so far end in a stop string."""

    def done(self, row: Row, drawn: list[int]) -> bool:
        """Whether a row that has drawn these tokens is finished."""
        return len(drawn) >= row.max_tokens or drawn[-1] in self.ends or self.stops(drawn)


def require_sense(n: int, max_tokens: int, temperature: float, top_p: float) -> None:
    """Refuse what cannot be drawn."""
    if n < 0 or max_tokens < 1 or not temperature >= 0 or not 0 < top_p <= 1:
        raise TracerError("sampling needs n >= 0, max_tokens >= 1, temperature >= 0 and top_p in (0, 1]")


def never(drawn: list[int]) -> bool:
    """No stop strings."""
    return False


def key(seed: int, prefix: str, sample: int) -> tuple[int, int]:
    """The key of a sample's random numbers: neighbouring prefixes share none, though the seed is the same."""
    digest = hashlib.blake2b(f"{seed}\0{prefix}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big"), sample


def uniform(key: tuple[int, int], count: int) -> npt.NDArray[np.float64]:
    """The first `count` of a key's numbers in [0, 1); a longer count begins with the same ones."""
    return np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64))).random(count)


def choose(logits: torch.Tensor, uniforms: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """One token for each row: logits (B, V), uniforms (B,) -> (B,).

    The first token at which the cumulative distribution exceeds u, in float64, because over a vocabulary of 10^5 the
    rounding of float32 sums is as large as a rare token's probability.
    """
    import torch

    if temperature == 0:
        return logits.argmax(-1)
    probability = (logits.double() / temperature).softmax(-1)  # (B, V)
    likeliest, found = probability.max(-1)  # (B,)
    # Mostly one token holds top_p alone: those rows are spared the sort. Above 1/2 there are no ties.
    unsure = ((likeliest < top_p) | (likeliest <= 0.5)).nonzero().squeeze(-1)
    if len(unsure):
        cumulative = _cumulative(probability[unsure], top_p)
        threshold = uniforms[unsure, None].to(cumulative) * cumulative[:, -1:]  # (B', 1)
        drawn = torch.searchsorted(cumulative, threshold, right=True).squeeze(-1)
        found[unsure] = drawn.clamp(max=logits.shape[-1] - 1)
    return found


def drawn_by(logits: torch.Tensor, tokens: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """Which uniforms draw these tokens: logits (B, V), tokens (B,) -> (4, B): lower, upper, total and ln p.

    Token b is drawn where lower <= u * total < upper, in the very arithmetic of `choose`.
    """
    import torch

    values = logprobs(logits, tokens)
    if temperature == 0:
        hit = (logits.argmax(-1) == tokens).double()
        return torch.stack([1 - hit, hit, torch.ones_like(hit), values])  # all uniforms, or none
    cumulative = _cumulative((logits.double() / temperature).softmax(-1), top_p)  # (B, V)
    upper = cumulative.gather(-1, tokens[:, None]).squeeze(-1)
    lower = cumulative.gather(-1, (tokens - 1).clamp(min=0)[:, None]).squeeze(-1).masked_fill(tokens == 0, 0.0)
    return torch.stack([lower, upper, cumulative[:, -1], values])


def _cumulative(probability: torch.Tensor, top_p: float) -> torch.Tensor:
    """The cumulative distribution over the nucleus, not normed (B, V)."""
    return (_nucleus(probability, top_p) if top_p < 1 else probability).cumsum(-1)


def _nucleus(probability: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero for every token before which, in order of probability, at least top_p already stands (B, V)."""
    ordered, index = probability.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    return probability.scatter(-1, index, ordered.masked_fill(before >= top_p, 0.0))


def logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """ln p of each token at temperature 1: logits (B, V), tokens (B,) -> (B,), float64."""
    chosen = logits.gather(-1, tokens[:, None]).squeeze(-1).double()
    return chosen - logits.float().logsumexp(-1).double()


def continue_rows(model: Any, rows: Sequence[Row], rules: Rules) -> list[Drawn]:
    """What each row goes on with."""
    import torch

    with torch.inference_mode():
        batch = _Batch(model, [row.prompt for row in rows])
        numbers = torch.from_numpy(_numbers(rows, rules))  # (rows, most tokens)
        drawn = [Drawn([], []) for _ in rows]
        live = list(range(len(rows)))
        while True:
            uniforms = numbers[live, len(drawn[live[0]].ids)].to(batch.logits.device)
            tokens = choose(batch.logits, uniforms, rules.temperature, rules.top_p)  # (B,)
            values = logprobs(batch.logits, tokens)
            for row, token, value in zip(live, tokens.tolist(), values.tolist(), strict=True):
                drawn[row].ids.append(token)
                drawn[row].logprobs.append(value)
            staying = [place for place, row in enumerate(live) if not rules.done(rows[row], drawn[row].ids)]
            if not staying:
                return drawn
            if len(staying) < len(live):
                batch.keep(staying)
                tokens, live = tokens[staying], [live[place] for place in staying]
            batch.advance(tokens)


def _numbers(rows: Sequence[Row], rules: Rules) -> npt.NDArray[np.float64]:
    """u_t of every row, one row below the other; zeros where nothing is drawn."""
    most = max(row.max_tokens for row in rows)
    if rules.temperature == 0:
        return np.zeros((len(rows), most))
    return np.stack([uniform(row.key, most) for row in rows])


class _Batch:
    """Rows on their way: the cache, the next token's logits, and where padding stands."""

    def __init__(self, model: Any, prompts: Sequence[tuple[int, ...]]) -> None:
        import torch
        from transformers import DynamicCache

        self.model = model
        self.logits: torch.Tensor  # (B, V), of the next token
        self.cache: Any = DynamicCache(config=model.config)
        parameters = inspect.signature(model.forward).parameters
        self.takes_positions = "position_ids" in parameters
        different = list(dict.fromkeys(prompts))
        length = max(map(len, different))
        padded = [(0,) * (length - len(each)) + each for each in different]
        self.mask: torch.Tensor | None = None  # (B, tokens so far), 0 where padded; None where nothing is
        if any(len(each) < length for each in different):
            real = [[0] * (length - len(each)) + [1] * len(each) for each in different]
            self.mask = torch.tensor(real, device=model.device)
        only_last = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._forward(torch.tensor(padded, device=model.device), **only_last)
        where = {prompt: place for place, prompt in enumerate(different)}
        self.keep([where[prompt] for prompt in prompts])

    def keep(self, places: list[int]) -> None:
        """Go on with the rows at these places, in this order; a place may be named more than once."""
        import torch

        index = torch.tensor(places, device=self.model.device)
        self.cache.reorder_cache(index)  # unlike batch_select_indices, recurrent layers have it, too
        self.logits = self.logits[index]
        self.mask = None if self.mask is None else self.mask[index]

    def advance(self, tokens: torch.Tensor) -> None:
        """Feed one token to each row."""
        if self.mask is not None:
            self.mask = _with_column(self.mask)
        self._forward(tokens[:, None])

    def _forward(self, ids: torch.Tensor, **more: Any) -> None:
        """Read ids (B, L) and hold the logits after the last of them (B, V)."""
        if self.mask is not None:
            more["attention_mask"] = self.mask
            if self.takes_positions:
                more["position_ids"] = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        self.logits = self.model(ids, past_key_values=self.cache, use_cache=True, **more).logits[:, -1]


def _with_column(mask: torch.Tensor) -> torch.Tensor:
    """The mask (B, T) with a column of ones, for the token that is now read (B, T + 1)."""
    import torch

    return torch.cat([mask, mask.new_ones(mask.shape[0], 1)], dim=-1)
