"""What a sentence leads to: which later sentences of the chain are written more often, or less often, because of it.

    onward(i, j) = P(S_j is written | R_{i+1}) - P(S_j is written | R_i),    j > i

(sentence-to-sentence importance by resampling, Thought Anchors, arXiv 2506.19143, appendix). S_j is written where some
sentence of the rollout is as like it as the threshold asks. It follows from the rollouts of the sweep; none is drawn
for it. Rollouts that two prefixes share are counted at both, and enter the interval as they do for the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.effects import FEWEST
from tracer.analyses.pools import Drawn, Pools
from tracer.analyses.similarity import THRESHOLD, Similarity
from tracer.sentences import split
from tracer.stats import Estimate, benjamini_hochberg

WRITTEN, MISSING = "written", "missing"
BATCH = 512
"""Sentences compared at a time: by words, each batch has a table of its own vocabulary."""


class Continuation(NamedTuple):
    """A rollout of a prefix."""

    prefix: int
    text: str
    follows: int
    """How many further sentences of the trace it repeats token for token."""


class Link(NamedTuple):
    """What sentence `source` does to the chance that sentence `target` is written."""

    source: int
    target: int
    before: float
    """P(S_target is written) without the source,"""
    after: float
    """and with it."""
    effect: Estimate
    q: float
    """Fisher's mid-p after Benjamini-Hochberg over all pairs of which both sides have rollouts."""


class Onward(NamedTuple):
    """All pairs of a trace."""

    matrix: npt.NDArray[np.float64]
    """(n, n): row j, column i is onward(i, j); NaN where i is not before j, or where a side has under FEWEST cases."""
    links: tuple[Link, ...]
    """Pairs whose interval excludes 0 with q <= alpha, the surest first."""


def onward(
    sentences: Sequence[str],
    rollouts: Sequence[Continuation],
    similarity: Similarity,
    threshold: float = THRESHOLD,
    alpha: float = 0.05,
) -> Onward:
    """The effects of each sentence of a trace on each later one, from all rollouts of its prefixes."""
    n = len(sentences)
    matrix = np.full((n, n), np.nan)
    pairs = []
    written = _written(sentences, rollouts, similarity, threshold)
    for target in range(1, n):
        pools = Pools(target, WRITTEN)
        for each, hits in zip(rollouts, written, strict=True):
            if each.prefix <= target:
                pools.add(each.prefix, [Drawn(WRITTEN if hits[target] else MISSING, follows=each.follows)])
        found = _links(pools, target)
        matrix[target, [each.source for each, _ in found]] = [each.effect.value for each, _ in found]
        pairs += found
    q = benjamini_hochberg([p for _, p in pairs])
    links = [each._replace(q=adjusted) for (each, _), adjusted in zip(pairs, q, strict=True) if adjusted <= alpha]
    sure = [each for each in links if each.effect.low > 0 or each.effect.high < 0]
    return Onward(matrix, tuple(sorted(sure, key=lambda each: -max(each.effect.low, -each.effect.high))))


def _written(
    sentences: Sequence[str], rollouts: Sequence[Continuation], similarity: Similarity, threshold: float
) -> list[npt.NDArray[np.bool_]]:
    """For each rollout, which sentences of the trace it writes: (n,) each."""
    parts = [[text for a, b in split(each.text) if (text := each.text[a:b].strip())] for each in rollouts]
    distinct = list(dict.fromkeys(text for row in parts for text in row))
    some = [similarity(distinct[k : k + BATCH], list(sentences)) for k in range(0, len(distinct), BATCH)]
    alike = np.concatenate([np.zeros((0, len(sentences))), *some]) >= threshold  # (distinct, n)
    place = {text: k for k, text in enumerate(distinct)}
    rows = [np.array([place[text] for text in row], dtype=int) for row in parts]
    return [np.asarray(alike[row].any(axis=0)) for row in rows]


def _links(pools: Pools, target: int) -> list[tuple[Link, float]]:
    """What each earlier sentence does to one target, with its p-value; pairs with too few cases are left out."""
    shares = pools.shares()
    found = []
    for source, (before, after) in enumerate(pairwise(shares)):
        if before is None or after is None or min(pools.all(k).n for k in (source, source + 1)) < FEWEST:
            continue
        p = pools.p_value(source, after)
        found.append((Link(source, target, before.value, after.value, pools.effect(source, after), 1.0), p))
    return found
