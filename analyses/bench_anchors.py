"""`tracer bench anchors`: do the white-box scores find the edges that are true by construction in the pocket world?

Traces are written by the generator, so their true parents are known; the model only reads them. Every pair of an
earlier sentence (of the prompt or of the chain of thought) and a later one of the chain is an edge or not. Scores are
compared by AUROC and average precision over all pairs of a seed's traces; the latter depends on the base rate, which is
printed. Where two sentences carry the same content, neither is needed alone: such sources, and fillers as targets, are
left out of `all`, `fact`, `sentence` and `sentence_far`, and kept in `*_redundant`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.anchors import Measures, measure, outgoing
from tracer.data.world import NOISY, TEST, Sentence, Trace, problem, trace
from tracer.stats import Estimate, auroc, average_precision, wilson

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

Array = npt.NDArray[np.float64]
SEEDS = 3
FAR = 4
"""Sentences between source and target from which on a pair is far."""
PROMPT_KINDS = frozenset({"fact", "rumor", "question"})
RESAMPLES = 100
Progress = Callable[[int, int], None]


class Pairs(NamedTuple):
    """All pairs of one trace, as parallel arrays."""

    true: npt.NDArray[np.bool_]
    fact: npt.NDArray[np.bool_]
    """The source stands in the prompt."""
    far: npt.NDArray[np.bool_]
    plain: npt.NDArray[np.bool_]
    """The source has no copy before the target, what the target takes from it is found nowhere else, and the target is
    no filler."""
    copy: npt.NDArray[np.bool_]
    """The target needs this content, and another sentence carries it, too."""
    scores: dict[str, Array]


CATEGORIES: dict[str, Callable[[Pairs], npt.NDArray[np.bool_]]] = {
    "all": lambda p: p.plain,
    "fact": lambda p: p.plain & p.fact,
    "sentence": lambda p: p.plain & ~p.fact,
    "sentence_far": lambda p: p.plain & ~p.fact & p.far,
    "all_redundant": lambda p: np.ones_like(p.plain),
    "fact_redundant": lambda p: p.fact,
    "sentence_redundant": lambda p: ~p.fact,
    "copies": lambda p: p.copy | ~p.true,
}
"""Which pairs are compared; `copies` sets the redundant edges alone against the pairs that are no edge."""

SCORES: dict[str, Callable[[Measures], Array]] = {
    "share": lambda m: m.share,
    "joint": lambda m: m.joint,
    "kl": lambda m: m.kl,
    "logkl": lambda m: m.log_kl,
    "logprob": lambda m: m.drop,
    "attention": lambda m: m.attention,
    "surprisal": lambda m: np.broadcast_to(m.surprisal[None, :], m.kl.shape),
    "distance": lambda m: -np.abs(np.subtract.outer(np.arange(len(m.kl)), np.arange(len(m.kl)))).astype(np.float64),
}
"""Each score as a matrix (target, source). Surprisal is the source's; distance is nearer = higher."""


def bench_anchors(lm: LocalLM, n: int, seed: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """n traces for each of SEEDS seeds derived from `seed`; the shape is published as the schema `bench-anchors`."""
    runs = [_run(lm, n, seed * SEEDS + k, k * n, progress) for k in range(SEEDS)]
    traces = [found for run in runs for found in run]
    return {
        "schema": "bench-anchors/1",
        "n": n,
        "seeds": SEEDS,
        "model": {"name": lm.name, "revision": lm.revision},
        "base_rate": {name: _base_rate([pairs for pairs, _ in traces], name) for name in CATEGORIES},
        "edges": {score: {name: _edges(runs, score, name) for name in CATEGORIES} for score in SCORES},
        "decisive": _decisive([hits for _, hits in traces]),
    }


Hits = dict[str, int]
"""Score -> rank of the decisive sentence among the chain's sentences, from 1."""


def _run(lm: LocalLM, n: int, seed: int, done: int, progress: Progress | None) -> list[tuple[Pairs, Hits]]:
    found = []
    for k in range(n):
        each = drawn(seed, k)
        measures = measure(lm, each.prompt + each.cot, spans_of(each))
        found.append((_pairs(each, measures), _ranks(each, measures)))
        if progress:
            progress(done + k + 1, SEEDS * n)
    return found


def drawn(seed: int, k: int) -> Trace:
    """The k-th fresh trace of a seed; its problem is neither trained on nor watched while training."""
    number = TEST.start + (seed * 1_000_003 + k) % (TEST.stop - TEST.start)
    return trace(problem(number), seed, NOISY)


def spans_of(each: Trace) -> list[tuple[int, int]]:
    """Characters of every sentence, the prompt's first."""
    spans, place = [], 0
    for sentence in each.units:
        start = each.prompt.index(sentence.text.strip(), place)
        place = start + len(sentence.text.strip())
        spans.append((start, place))
    place = len(each.prompt)
    for sentence in each.sentences:
        spans.append((place, place + len(sentence.text)))
        place += len(sentence.text)
    return spans


def _pairs(each: Trace, measures: Measures) -> Pairs:
    sentences: Sequence[Sentence] = (*each.units, *each.sentences)
    first = len(each.units)
    target, source = (np.asarray(side) for side in zip(*_places(first, len(sentences)), strict=True))
    copies = np.array([_has_copy(sentences, s, t) for t, s in zip(target, source, strict=True)])
    true = np.array([s in sentences[t].parents for t, s in zip(target, source, strict=True)])
    either = np.array([s in sentences[t].either for t, s in zip(target, source, strict=True)])
    return Pairs(
        true=true,
        fact=source < first,
        far=target - source >= FAR,
        plain=~copies & ~either & np.array([sentences[t].kind != "filler" for t in target]),
        copy=either,
        scores={name: np.asarray(matrix(measures)[target, source]) for name, matrix in SCORES.items()},
    )


def _places(first: int, n: int) -> list[tuple[int, int]]:
    """All pairs (target, source) with the target in the chain."""
    return [(t, s) for t in range(first, n) for s in range(t)]


def _has_copy(sentences: Sequence[Sentence], source: int, target: int) -> bool:
    """Whether another sentence before the target carries the source's content."""
    group = sentences[source].group
    return group is not None and any(other.group == group for k, other in enumerate(sentences[:target]) if k != source)


def _base_rate(traces: Sequence[Pairs], category: str) -> float:
    true = np.concatenate([pairs.true[CATEGORIES[category](pairs)] for pairs in traces])
    return float(true.mean()) if len(true) else float("nan")


def _edges(runs: Sequence[Sequence[tuple[Pairs, Hits]]], score: str, category: str) -> dict[str, Any]:
    """Mean over seeds, and an interval from drawing whole traces anew."""
    traces = [pairs for run in runs for pairs, _ in run]
    columns = [
        (pairs.scores[score][keep], pairs.true[keep]) for pairs in traces if (keep := CATEGORIES[category](pairs)).any()
    ]
    by_seed = [
        _figures([c for c, _ in _columns(run, score, category)], [t for _, t in _columns(run, score, category)])
        for run in runs
    ]
    generator = np.random.default_rng(0)
    draws = np.array(
        [
            _figures(*zip(*(columns[k] for k in generator.integers(0, len(columns), len(columns))), strict=True))
            for _ in range(RESAMPLES)
        ]
    )
    low, high = np.nanquantile(draws, [0.025, 0.975], axis=0)
    area, precision = np.nanmean(by_seed, axis=0)
    return {
        "auroc": float(area),
        "auroc_ci": [float(low[0]), float(high[0])],
        "ap": float(precision),
        "ap_ci": [float(low[1]), float(high[1])],
    }


def _columns(run: Sequence[tuple[Pairs, Hits]], score: str, category: str) -> list[tuple[Array, npt.NDArray[np.bool_]]]:
    return [
        (pairs.scores[score][keep], pairs.true[keep]) for pairs, _ in run if (keep := CATEGORIES[category](pairs)).any()
    ]


def _figures(scores: Sequence[Array], true: Sequence[npt.NDArray[np.bool_]]) -> tuple[float, float]:
    # In few traces there may be no such pair: then the figures are NaN.
    joined, labels = np.concatenate([np.empty(0), *scores]), np.concatenate([np.empty(0, dtype=bool), *true])
    return auroc(joined, labels), average_precision(joined, labels)


def _ranks(each: Trace, measures: Measures) -> Hits:
    """Where the decisive sentence stands among the chain's by what each score says of it as a source."""
    first = len(each.units)
    decisive = [k for k, sentence in enumerate(each.sentences) if sentence.decisive]
    if len(decisive) != 1:
        return {}
    ranks = {}
    for name, matrix in SCORES.items():
        values = (
            measures.surprisal[first:]
            if name == "surprisal"
            else np.nan_to_num(outgoing(matrix(measures), first))[first:]
        )
        ranks[name] = int((values > values[decisive[0]]).sum()) + 1
    return ranks


def _decisive(hits: Sequence[Hits]) -> dict[str, Any]:
    """Of the traces with one decisive sentence: how often it comes first, and among the first three."""
    counted = [ranks for ranks in hits if ranks]
    return {"n": len(counted), **rates(counted)}


def rates(ranks: Sequence[Hits]) -> dict[str, Any]:
    """For each score how often the decisive sentence is `top1` and `top3`; nothing without traces."""
    return {
        name: stated(**{f"top{k}": wilson(sum(each[name] <= k for each in ranks), len(ranks)) for k in (1, 3)})
        for name in (ranks[0] if ranks else ())
    }


def stated(**found: Estimate) -> dict[str, Any]:
    """Shares as the benchmarks print them: each by its name, and its interval as `NAME_ci`."""
    return {
        key: value
        for name, each in found.items()
        for key, value in ((name, each.value), (f"{name}_ci", [each.low, each.high]))
    }
