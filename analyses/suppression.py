"""Attention suppression: how much each sentence matters to each later one, by hiding it from all that follows.

    effect(t, s) = mean over the tokens x of sentence t of  KL( p(x | all before) || p(x | all before but s) )

in nats, over the whole vocabulary (Thought Anchors, arXiv 2506.19143, section 5; there at temperature 0.6, over 100
tokens at most, and as the mean of ln(KL + 1e-9)). How it is measured stands in `removal`.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from tracer.analyses.removal import Array, Settings, Span, Trace, effects

PAPER = Settings(temperature=0.6)
"""The paper's temperature; read the result by AGGREGATES["paper"]."""


class Suppression(NamedTuple):
    """The effect of hiding each sentence; rows are targets, columns are sources, 0 unless the source comes before."""

    kl: Array
    """(n, n) mean KL in nats"""
    log_kl: Array
    """(n, n) mean of ln(KL + floor)"""
    drop: Array
    """(n, n) mean loss of log-probability of the actual tokens, in nats"""
    notes: tuple[str, ...] = ()
    """How sentences were hidden, where it was not by plain deletion."""


def share(kl: Array) -> Array:
    """Of all that the sources do to a target, the share of each: rows sum to 1, or to 0 where nothing does anything."""
    total = kl.sum(axis=1, keepdims=True)
    shares: Array = np.divide(kl, total, out=np.zeros_like(kl), where=total > 0)
    return shares


def row_centred(values: Array) -> Array:
    """Each target's values less their mean over the sources before it, as the paper draws them; 0 elsewhere."""
    before = np.tri(len(values), k=-1, dtype=bool)
    count = np.maximum(before.sum(axis=1, keepdims=True), 1)
    mean = np.where(before, values, 0).sum(axis=1, keepdims=True) / count
    return np.where(before, values - mean, 0.0)


AGGREGATES: dict[str, Callable[[Suppression], Array]] = {
    "share": lambda found: share(found.kl),
    "kl": lambda found: found.kl,
    "logkl": lambda found: found.log_kl,
    "logprob": lambda found: found.drop,
    "paper": lambda found: row_centred(found.log_kl),
}
"""Ways to read a suppression as one (n, n) matrix; the first is the default. `paper` is meant for a run with PAPER."""


def suppress(model: Any, ids: Tensor, spans: Sequence[Span], settings: Settings | None = None) -> Suppression:
    """Hide each sentence of one text in turn: ids (T,), spans [a, b) in tokens, ascending and disjoint."""
    return suppress_all(model, [Trace(ids, spans)], settings)[0]


def suppress_all(model: Any, traces: Sequence[Trace], settings: Settings | None = None) -> list[Suppression]:
    """Hide each sentence of several texts in turn, with removals of all texts side by side."""
    singles = [[(source,) for source in range(len(trace.spans))] for trace in traces]
    found = effects(model, traces, singles, settings)
    return [Suppression(each.kl.T, each.log_kl.T, each.drop.T, each.notes) for each in found]
