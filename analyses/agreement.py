"""How far the methods agree that were run on one chain of thought.

Sentences: Spearman's rank correlation of the weights of each two methods, the share of the top k that they have in
common, and Kendall's W of all. Links: where methods give a matrix, Spearman's correlation over (source, target) pairs
of sentences, for near and far pairs apart, because nearness by itself moves most scores. Only sentences of the chain
count, and only those that both (for W: all) methods weigh.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.errors import TracerError
from tracer.records import Anchors
from tracer.stats import Z95, kendall_w, spearman, top_overlap

Array = npt.NDArray[np.float64]
Place = tuple[int, int]
"""Start and end of a sentence: by these the sentences of two methods are matched."""

TOP = (1, 3, 5)
FEWEST = 4
"""On fewer sentences, or pairs of sentences, an order says nothing."""
NEAR = 5
"""Sentences less than this apart are near."""
DISTANCES: dict[str, Callable[[int], bool]] = {
    "all": lambda apart: True,
    "near": lambda apart: apart < NEAR,
    "far": lambda apart: apart >= NEAR,
}
"""Which links are compared, by how many sentences the target stands behind the source."""
GROUPS = 60
"""On longer chains sentences are left out in so many groups: one by one would take long."""
NEARLY = 1e-9


class _Method(NamedTuple):
    """What one method says."""

    name: str
    found: Anchors
    weights: dict[Place, float]
    links: dict[tuple[int, int], float]
    """(target, source) -> effect, by the sentences' numbers in the chain; empty without a matrix"""


def compare(found: Sequence[Anchors]) -> dict[str, Any]:
    """The agreement of all answers that are held about one chain of thought.

    {"content", "target", "sentences", "methods": [...], "pairs": [{"methods", "n", "rho", "low", "high", "top"}],
    "concordance": {"methods", "n", "w", "chance"}, "links": [{"methods", "all" | "near" | "far": {"rho", "low", "high",
    "n"}}], "notes"}. What cannot be said is None, and a note says why. `chance`: what methods that know nothing of each
    other would reach on average: k / n for the top k of n sentences, 1 / m for W of m methods.
    The intervals are 95 %: Bonett and Wright's for sentences; for links, which share sentences, by leaving sentences
    out. Less than two answers, or answers about several chains, raise TracerError.
    """
    if len({each.content for each in found}) > 1:
        raise TracerError("methods are compared on one chain of thought: give the answers about one only")
    if len(found) < 2:
        ran = f"only {found[0].method} was run" if found else "nothing was run"
        raise TracerError(f"{ran} on this chain of thought: run `tracer anchors TARGET --method` with others first")
    methods = [_method(name, each) for name, each in zip(_names(found), found, strict=True)]
    notes = dict.fromkeys(note for method in methods for note in _silence(method))
    pairs = [_pair(one, two, notes) for one, two in combinations(methods, 2)]
    matrices = [method for method in methods if method.links]
    return {
        "content": found[0].content,
        "target": found[0].target,
        "sentences": max(len(_places(each)) for each in found),
        "methods": [_described(method) for method in methods],
        "pairs": pairs,
        "concordance": _concordance([method for method in methods if method.weights], notes),
        "links": [_links(one, two, notes) for one, two in combinations(matrices, 2)],
        "notes": list(notes),
    }


def _names(found: Sequence[Anchors]) -> list[str]:
    """The method; with the model where several have been asked, and numbered where the settings differ as well."""
    methods = Counter(each.method for each in found)
    names = [each.method if methods[each.method] == 1 else f"{each.method} {each.model}" for each in found]
    same, seen = Counter(names), Counter[str]()
    for place, name in enumerate(names):
        seen[name] += 1
        if same[name] > 1:
            names[place] = f"{name} #{seen[name]}"
    return names


def _method(name: str, found: Anchors) -> _Method:
    weights = {
        (sentence.start, sentence.end): sentence.weight
        for sentence in found.sentences
        if sentence.part == "chain" and sentence.weight is not None
    }
    return _Method(name, found, weights, _linked(found))


def _places(found: Anchors) -> dict[Place, int]:
    """The sentences of the chain, and their rows in the matrix."""
    return {(each.start, each.end): row for row, each in enumerate(found.sentences) if each.part == "chain"}


def _linked(found: Anchors) -> dict[tuple[int, int], float]:
    rows = list(_places(found).values())
    matrix = found.matrix or ()
    return {
        (target, source): matrix[rows[target]][rows[source]]
        for target in range(len(rows) if matrix else 0)
        for source in range(target)
    }


def _described(method: _Method) -> dict[str, Any]:
    told = ("method", "model", "revision", "parameters", "score")
    return {
        "name": method.name,
        **{key: getattr(method.found, key) for key in told},
        "weighed": len(method.weights),
        "matrix": method.found.matrix is not None,
    }


def _silence(method: _Method) -> list[str]:
    if not method.weights:
        return [f"{method.name} weighs no sentence of the chain"]
    if len(set(method.weights.values())) == 1 and len(method.weights) >= FEWEST:
        return [f"{method.name} weighs all sentences alike, so it orders nothing"]
    return []


def _pair(one: _Method, two: _Method, notes: dict[str, None]) -> dict[str, Any]:
    shared = [place for place in one.weights if place in two.weights]
    a, b = ([method.weights[place] for place in shared] for method in (one, two))
    if one.weights and two.weights and len(shared) < FEWEST:
        notes[f"{one.name} and {two.name} weigh {len(shared)} sentences in common: {FEWEST} are needed"] = None
    found = spearman(a, b) if len(shared) >= FEWEST else None
    return {
        "methods": [one.name, two.name],
        "n": len(shared),
        **_correlation(*(found[:3] if found else ())),
        "top": {str(k): _top(a, b, k) for k in TOP},
    }


def _correlation(rho: float = math.nan, low: float = math.nan, high: float = math.nan) -> dict[str, float | None]:
    """JSON knows no NaN."""
    if math.isnan(rho):
        return {"rho": None, "low": None, "high": None}
    return {"rho": _rounded(rho), "low": _rounded(low), "high": _rounded(high)}


def _top(one: Sequence[float], two: Sequence[float], k: int) -> dict[str, float | None]:
    """Among k sentences or fewer, the top k are all of them: that is no agreement."""
    n = len(one)
    if n < FEWEST or n <= k:
        return {"overlap": None, "chance": None}
    return {"overlap": _rounded(top_overlap(one, two, k)), "chance": _rounded(k / n)}


def _concordance(methods: Sequence[_Method], notes: dict[str, None]) -> dict[str, Any]:
    shared = (
        [place for place in methods[0].weights if all(place in each.weights for each in methods)] if methods else []
    )
    w = (
        kendall_w([[each.weights[place] for place in shared] for each in methods])
        if len(shared) >= FEWEST
        else math.nan
    )
    if len(methods) > 1 and len(shared) < FEWEST:
        notes[f"all methods together weigh {len(shared)} sentences in common: {FEWEST} are needed"] = None
    known = not math.isnan(w)
    return {
        "methods": [each.name for each in methods],
        "n": len(shared),
        "w": _rounded(w) if known else None,
        "chance": _rounded(1 / len(methods)) if known else None,
    }


def _links(one: _Method, two: _Method, notes: dict[str, None]) -> dict[str, Any]:
    """Both matrices are of the same sentences, or nothing is compared."""
    alike = list(_places(one.found)) == list(_places(two.found))
    if not alike:
        notes[f"{one.name} and {two.name} split the chain differently: their links are not compared"] = None
    cells = {
        name: [pair for pair in one.links if alike and keep(pair[0] - pair[1])] for name, keep in DISTANCES.items()
    }
    return {"methods": [one.name, two.name], **{name: _linkage(one, two, pairs) for name, pairs in cells.items()}}


def _linkage(one: _Method, two: _Method, pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    ends = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    a, b = (np.array([method.links[pair] for pair in pairs]) for method in (one, two))
    rho = _rho(a, b) if len(pairs) >= FEWEST else math.nan
    return {**_correlation(rho, *_interval(rho, a, b, ends)), "n": len(pairs)}


def _rho(a: Array, b: Array) -> float:
    return spearman(a.tolist(), b.tolist()).value


def _interval(rho: float, a: Array, b: Array, ends: npt.NDArray[np.int64]) -> tuple[float, float]:
    """By the jackknife over sentences, each left out with all its links, since links that share one go together.

    SE = sqrt((G - 1) / G * sum (z_g - mean z)^2) of z = atanh rho without group g; G is the number of sentences, at
    most GROUPS. What moves single links only is counted at both ends, so that the interval is rather too wide.
    (-1, 1) where too little would be left.
    """
    if abs(rho) > 1 - NEARLY:
        return rho, rho
    groups = np.unique(ends % GROUPS)
    left = [(ends % GROUPS != group).all(axis=1) for group in groups]
    without = np.array([_rho(a[kept], b[kept]) if kept.sum() >= FEWEST else math.nan for kept in left])
    if math.isnan(rho) or np.isnan(without).any():
        return -1.0, 1.0
    z = np.arctanh(np.clip(without, -1 + NEARLY, 1 - NEARLY))
    half = Z95 * math.sqrt((len(z) - 1) / len(z) * float(((z - z.mean()) ** 2).sum()))
    return math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)


def _rounded(value: float) -> float:
    return round(float(value), 6)
