"""Which earlier steps led to what a step says: a score for each source, by a method of METHODS.

    reuse           of the values in the claim that earlier steps brought in, the part that came from the source
    leave-one-out   ln p(claim | all sources) - ln p(claim | all but this one)
    context-cite    the weight of the source in a sparse linear model of the claim's log-odds, learnt from CHOICES
                    random choices of sources, each kept with probability 1/2 (arXiv 2409.00729, with its settings)

The first needs no language model. Of the other two the first is exact and blind to copies: where two sources say the
same, neither is missed. The last sees them, costs as many rows whatever the number of sources, and has an error, which
its interval tells: from drawing the choices anew, DRAWS times.

A sum over a claim lets one word that grows likelier make up for another that is lost, and one surprising word stand for
all. So both methods also tell how many words hang on a source. With e[k, x] what source k does to word x,

    s[k, x] = max(0, e[k, x]) / max(1 nat, sum over sources j of max(0, e[j, x]))
    words(k) = sum over the words x of s[k, x] ** 2

A word that hangs on one source alone counts one; one on which all have some effect counts next to nothing.

Needs torch and transformers through `reading` for all but `reuse`; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.lasso import lasso
from tracer.analyses.statement import Statement
from tracer.records import Edge

if TYPE_CHECKING:
    from tracer.analyses.reading import Mask, Progress, Reading

Array = npt.NDArray[np.float64]

CHOICES = 64
KEEP = 0.5
ALPHA = 0.01
DRAWS = 100
LEAST = 1.0
"""Nats: a word that all sources together move by less hangs on none of them."""


class Scored(NamedTuple):
    """Scores of the sources for each set of words, (sets, sources)."""

    scores: Array
    words: Array | None = None
    """How many words hang on each source."""
    low: Array | None = None
    high: Array | None = None
    rows: int = 0
    """Choices of sources that were tried."""

    def order(self, number: int) -> list[int]:
        """The sources of a set of words, the most important first."""
        key = (self.scores if self.words is None else self.words)[number]
        return sorted(range(len(key)), key=lambda k: (-key[k], -self.scores[number, k]))


class Method(NamedTuple):
    """A way to score sources."""

    score: Callable[[Reading, Sequence[Mask], Progress | None], Scored] | None
    """None: from the graph alone, by `reused`."""
    unit: str
    """What a score is, in words and units."""
    parameters: dict[str, Any]
    """What a stored answer depends on beside run, step and model."""


def leave_one_out(reading: Reading, sets: Sequence[Mask], progress: Progress | None = None) -> Scored:
    """What the words lose when one source is erased, in nats."""
    from tracer.analyses.log_odds import logprob

    rows: list[Sequence[int]] = [(), *((k,) for k in range(reading.count))]
    logs = logprob(reading.erased(rows, progress))
    lost = logs[:1] - logs[1:]  # (sources, words)
    return Scored(np.array([lost[:, words].sum(axis=1) for words in sets]), hanging(lost, sets), rows=reading.count)


def context_cite(reading: Reading, sets: Sequence[Mask], progress: Progress | None = None) -> Scored:
    """Weights of a sparse linear model of the words' log-odds, in nats of log-odds."""
    from tracer.analyses.faithfulness import keep
    from tracer.analyses.log_odds import together

    kept = np.array([keep(reading.count, KEEP, seed) for seed in range(CHOICES)])  # (choices, sources)
    odds = reading.erased([np.flatnonzero(~each).tolist() for each in kept], progress)
    fits = [_fitted(kept, together(odds[:, words]), int(words.sum())) for words in sets]
    scores, low, high = (np.array([fit[part] for fit in fits]) for part in range(3))
    each = lasso(kept, odds.T, ALPHA).weights  # (words, sources)
    return Scored(scores, hanging(each.T, sets), low, high, CHOICES)


def hanging(effects: Array, sets: Sequence[Mask]) -> Array:
    """How many words of each set hang on each source, (sets, sources), by effects (sources, words) in nats."""
    up = np.maximum(effects, 0.0)
    share = up / np.maximum(up.sum(axis=0), LEAST)
    return np.array([np.square(share[:, words]).sum(axis=1) for words in sets])


def _fitted(kept: npt.NDArray[np.bool_], outcome: Array, words: int) -> tuple[Array, Array, Array]:
    """Weights (sources,) and the ends of their intervals; the outcome is a word's share, as published."""
    count = max(1, words)
    weights = lasso(kept, outcome / count, ALPHA).weights * count
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(kept), size=(DRAWS, len(kept)))
    again = lasso(kept[drawn], outcome[drawn] / count, ALPHA).weights * count
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    return weights, np.minimum(low, weights), np.maximum(high, weights)


METHODS: dict[str, Method] = {
    "leave-one-out": Method(
        leave_one_out, "nats of log-probability that the claim loses when the source is erased", {"version": 2}
    ),
    "context-cite": Method(
        context_cite,
        "nats of log-odds that the source adds to the claim, in a sparse linear model",
        {"choices": CHOICES, "keep": KEEP, "alpha": ALPHA, "version": 2},
    ),
    "reuse": Method(None, "part of the claim's values that came from the source, from 0 to 1", {"version": 1}),
}
"""Every method of `tracer cite`; the first is the default."""


def reused(statement: Statement, edges: Sequence[Edge]) -> Scored:
    """Of the values in the whole step, and in each claim, the part that each source brought in, by the edges."""
    into = [edge for edge in edges if edge.target == statement.step and edge.origin == "reused"]
    texts = [statement.text[statement.own :], *(statement.text[slice(*claim)] for claim in statement.claims)]
    found = np.zeros((len(texts), len(statement.sources)))
    for edge in into:
        places = [k for k, source in enumerate(statement.sources) if source.step == edge.source]
        for row, text in enumerate(texts):
            inside = [span for span in edge.target_spans if " ".join(span.text.split()) in text]
            for k in places[:1]:
                found[row, k] += edge.weight * len(inside) / max(1, len(edge.target_spans))
    total = found.sum(axis=1, keepdims=True)
    return Scored(np.divide(found, total, out=np.zeros_like(found), where=total > 0))
