"""Head ablation: does the model miss these heads more than other heads of the same layers?

A head is taken out by zeroing its slice at the INPUT of the attention's output projection, where the slices are still
heads. (Behind the projection they are mixed, and a slice there is no head.) The harm is

    harm(heads) = mean over tokens of  -log p without the heads  -  mean over tokens of  -log p      in nats per token

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn

from tracer.analyses.suppression_mask import attention_modules
from tracer.analyses.surprisal import log_probs
from tracer.errors import MissingExtraError

PROJECTIONS = ("o_proj", "out_proj", "dense", "c_proj", "wo")
"""What families call the output projection of attention."""
DRAWS = 10

Place = tuple[int, int]
"""Layer and head."""


class Ablation(NamedTuple):
    """The harm of taking out heads."""

    harm: float
    """nats per token"""
    random: tuple[float, ...]
    """The harm of as many random other heads of the same layers, one for each draw; empty where there are no others"""


@contextmanager
def ablated(model: Any, heads: Iterable[Place]) -> Iterator[None]:
    """While this lasts, the heads put nothing into the model."""
    places = defaultdict(list)
    for layer, head in heads:
        places[layer].append(head)
    count = int(model.config.get_text_config().num_attention_heads)
    projections = {int(module.layer_idx): _projection(module) for module in attention_modules(model)}  # type: ignore[arg-type]
    handles = [
        projections[layer].register_forward_pre_hook(_Silencer(lost, count)) for layer, lost in sorted(places.items())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Silencer:
    """Zeroes the slices of some heads, of `count` that stand side by side."""

    def __init__(self, lost: Sequence[int], count: int) -> None:
        self.lost, self.count = list(lost), count

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        heads = args[0].reshape(*args[0].shape[:-1], self.count, -1).clone()  # (..., heads, width)
        heads[..., self.lost, :] = 0
        return (heads.flatten(-2), *args[1:])


def _projection(attention: nn.Module) -> nn.Module:
    for name in PROJECTIONS:
        if isinstance(found := getattr(attention, name, None), nn.Module):
            return found
    raise MissingExtraError(f"heads of {type(attention).__name__} cannot be taken out: choose another --lm MODEL")


def ablation(
    model: Any, texts: Sequence[Tensor], heads: Sequence[Place], draws: int = DRAWS, seed: int = 0
) -> Ablation:
    """The harm of taking out the heads, over texts (T,) of token ids, beside random heads of the same layers."""
    count = int(model.config.get_text_config().num_attention_heads)
    whole = _loss(model, texts, ())
    lot = random.Random(seed)
    others = [matched(heads, count, lot) for _ in range(draws)]
    return Ablation(
        _loss(model, texts, heads) - whole, tuple(_loss(model, texts, each) - whole for each in others if each)
    )


def matched(heads: Sequence[Place], count: int, lot: random.Random) -> list[Place]:
    """For each layer as many heads, of those not given, as are given; fewer where so many are not left."""
    layers = defaultdict(set)
    for layer, head in heads:
        layers[layer].add(head)
    drawn: list[Place] = []
    for layer, taken in sorted(layers.items()):
        rest = [head for head in range(count) if head not in taken]
        drawn += [(layer, head) for head in lot.sample(rest, min(len(taken), len(rest)))]
    return drawn


def _loss(model: Any, texts: Sequence[Tensor], heads: Sequence[Place]) -> float:
    with ablated(model, heads):
        costs = [-log_probs(model, ids)[1:] for ids in texts]
    return float(sum(cost.sum() for cost in costs) / max(1, sum(len(cost) for cost in costs)))
