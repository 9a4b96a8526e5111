"""Receiver heads: attention heads that narrow in on few sentences, and the sentences that they look back at.

    kurtosis(head) = mean over texts of  m4 / m2^2 - 3   over the head's vertical scores in the text    (biased, excess)
    broadcast(b)   = mean over the receiver heads of their vertical scores of sentence b

(Thought Anchors, arXiv 2506.19143, section 4.) m2 and m4 are central moments. A head whose scores do not vary at all,
such as one that always looks one token back, gets -3, below what is possible. Receiver heads are the `count` heads of
the largest kurtosis, among those above MIN_KURTOSIS; the first layer is left out, for heads there go by position. A
model may have none: then `heads` is empty, and nothing is broadcast.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.sentence_attention import SentenceAttention

Array = npt.NDArray[np.float64]

COUNT = 20
"""Receiver heads at most, as in the paper's code."""
MIN_KURTOSIS = 3.0
"""Tails heavier than those of the Laplace distribution: below, a head does not single out sentences."""
MIN_SENTENCES = 8
"""Texts with fewer vertical scores are left out: the kurtosis of k values cannot exceed k - 5 + 1 / (k - 1)."""


class Head(NamedTuple):
    """A receiver head."""

    layer: int
    head: int
    kurtosis: float


class Receivers(NamedTuple):
    """The receiver heads of a model, as chosen over texts."""

    heads: tuple[Head, ...]
    """The largest kurtosis first; empty when the model has none"""
    kurtosis: Array
    """(L, H) mean over texts; nan when every text was too short"""
    reliability: float | None
    """Pearson r over heads between the even and the odd texts; None for fewer than two texts, or without variance"""
    gap: int
    texts: int
    """Texts long enough to be used"""


def excess_kurtosis(values: Array) -> Array:
    """The biased excess kurtosis along the last axis, nan left out; -3 where the values do not vary."""
    centred = values - np.nanmean(values, axis=-1, keepdims=True)
    second, fourth = np.nanmean(centred**2, axis=-1), np.nanmean(centred**4, axis=-1)
    varies = second > 1e-18 + 1e-12 * np.nanmean(values, axis=-1) ** 2
    ratio = np.divide(fourth, second**2, out=np.zeros_like(second), where=varies)
    return np.asarray(ratio - 3.0)


def receivers(
    found: Sequence[SentenceAttention], gap: int, count: int = COUNT, skipped: Collection[int] = (0,)
) -> Receivers:
    """Choose receiver heads over texts, at one gap; the layers `skipped` are measured and not chosen."""
    scores = [each.vertical[gap] for each in found]
    tails = [excess_kurtosis(s) for s in scores if np.isfinite(s[0, 0]).sum() >= MIN_SENTENCES]
    if not tails:
        shape = scores[0].shape[:2] if scores else (0, 0)
        return Receivers((), np.full(shape, np.nan), None, gap, 0)
    mean = np.mean(tails, axis=0)
    ranked = sorted(np.ndindex(*mean.shape), key=lambda place: -mean[place])
    chosen = [place for place in ranked if place[0] not in skipped and mean[place] >= MIN_KURTOSIS][:count]
    heads = tuple(Head(layer, head, float(mean[layer, head])) for layer, head in chosen)
    return Receivers(heads, mean, _reliability(tails), gap, len(tails))


def _reliability(tails: Sequence[Array]) -> float | None:
    if len(tails) < 2:
        return None
    even, odd = (np.mean(tails[half::2], axis=0).ravel() for half in (0, 1))
    if min(even.std(), odd.std()) < 1e-12:
        return None
    return float(np.corrcoef(even, odd)[0, 1])


def broadcast(found: SentenceAttention, chosen: Receivers) -> Array:
    """How much the receiver heads look back at each of n sentences, (n,); nan where nothing stands so far on."""
    scores = found.vertical[chosen.gap]
    if not chosen.heads:
        return np.full(scores.shape[2], np.nan)
    return np.asarray(np.mean([scores[head.layer, head.head] for head in chosen.heads], axis=0))
