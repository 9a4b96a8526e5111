"""Whether scores of sources say what happens when sources are taken away: measured on the user's own run.

With f(S) = ln p(words | the sources S and nothing else before them), and the sources ordered by score, best first:

    drop       f(all) - f(all but the k best)                                            nats; larger is better
    lds        Spearman between sum of the kept sources' scores and the true log-odds,   -1 to 1; larger is better
               over fresh random choices of sources (linear datamodelling score, arXiv 2202.00622)
    deletion   area under f as the best sources are taken away one after the other       smaller is better
    insertion  area under f as they are put in one after the other                       larger is better

The areas are over the share of sources from 0 to 1, with f scaled so that no source is 0 and all sources are 1; at most
POINTS steps. Where the sources together move the words by less than LEAST nats nothing can be told but the drop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracer.analyses.log_odds import Array, logprob, together
from tracer.analyses.reading import Mask, Progress, Reading
from tracer.records import Faithfulness
from tracer.stats import spearman

TOP = 3
CHOICES = 32
"""Fresh random choices; their seeds are far from those that a method may have learnt from."""
FRESH = 1_000_000
POINTS = 8
LEAST = 0.5


def faithfulness(reading: Reading, words: Mask, scores: Array, progress: Progress | None = None) -> Faithfulness:
    """The check of scores (sources,) for those of the step's own words that count."""
    n = len(scores)
    order = [int(k) for k in np.argsort(-scores, kind="stable")]
    cuts = sorted({round(n * point / POINTS) for point in range(POINTS + 1)})
    kept = [keep(n, 0.5, FRESH + k) for k in range(CHOICES)] if n > 1 else []
    rows: list[Sequence[int]] = [(), range(n), order[: min(TOP, n)]]
    rows += [order[:cut] for cut in cuts] + [order[cut:] for cut in cuts]
    rows += [np.flatnonzero(~each).tolist() for each in kept]
    odds = reading.erased(rows, progress)[:, words]
    f = logprob(odds).sum(axis=1)
    deleted, inserted = f[3 : 3 + len(cuts)], f[3 + len(cuts) : 3 + 2 * len(cuts)]
    room = float(f[0] - f[1])
    told = (
        spearman([float(scores[each].sum()) for each in kept], together(odds[3 + 2 * len(cuts) :]).tolist())
        if kept
        else None
    )
    known = room >= LEAST and told is not None and not np.isnan(told.value)
    return Faithfulness(
        k=min(TOP, n),
        drop=_rounded(f[0] - f[2]),
        all=_rounded(room),
        lds=_rounded(told.value) if known and told else None,
        lds_low=_rounded(told.low) if known and told else None,
        lds_high=_rounded(told.high) if known and told else None,
        choices=len(kept),
        deletion=_area(cuts, (deleted - f[1]) / room) if room >= LEAST else None,
        insertion=_area(cuts, (inserted - f[1]) / room) if room >= LEAST else None,
    )


def keep(sources: int, share: float, seed: int) -> Mask:
    """A random choice of sources to keep, each with this probability: ContextCite's own draws, number for number."""
    drawn = np.random.RandomState(seed).choice([False, True], size=sources, p=[1 - share, share])
    return np.asarray(drawn, dtype=np.bool_)


def _area(cuts: Sequence[int], curve: Array) -> float:
    """Under a curve over the share of sources, by trapezoids."""
    return _rounded(float(np.trapezoid(curve, np.asarray(cuts) / max(1, cuts[-1]))))


def _rounded(value: float) -> float:
    return round(float(value), 4)
