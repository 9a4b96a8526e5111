"""`tracer bench resampling`: does resampling find the sentence that decides, at what cost, and are its intervals true?

decisive   traces of the pocket world whose decisive sentence, a slip, is known by construction, each method's rank of
           it; a check of some hundred rollouts on both sides says where the model contradicts the construction.
           Rumours believed at even odds, and events that the model itself brought about, have rows of their own
adaptive   the default budget against a thousand rollouts of each prefix, and against a second sweep of 100
null, coverage   planted models, under the adaptive rule itself
engine     against transformers.generate, in one run

Traces are fresh: their seeds are neither trained on nor watched while training. Needs torch and transformers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracer.analyses.bench_allocation import coverage, discoveries, top_found, trials
from tracer.analyses.bench_anchors import rates, stated
from tracer.analyses.bench_decisive import (
    by_event,
    decide,
    decided,
    drawn,
    hits,
    ranks,
    rollouts,
    swept,
    text_of,
    written,
)
from tracer.analyses.bench_engine import speedup
from tracer.analyses.resampling import Trace as Text
from tracer.analyses.simulator import flat
from tracer.data.world import Trace
from tracer.stats import Estimate, difference, wilson

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

RATES = (0.02, 0.1, 0.5, 0.9)
Progress = Callable[[str, int, int], None]


class Size(NamedTuple):
    """How much of each part is drawn."""

    check: int = 400
    """Rollouts on either side of a decisive sentence."""
    reference: int = 1000
    """Rollouts of each prefix that the adaptive rule is held to."""
    sweep: int = 100
    planted: int = 200
    """Planted traces for each of RATES."""
    engine: int = 20
    """Rollouts of each prefix when the engine is timed."""


FULL = Size()


def bench_resampling(
    lm: LocalLM, n: int, seed: int = 0, progress: Progress | None = None, size: Size = FULL
) -> dict[str, Any]:
    """n traces of each kind of event, n traces for the adaptive rule; published as the schema `bench-resampling`."""
    tell = progress or (lambda what, done, total: None)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "rollouts.duckdb"
        made = [*decided(n, seed, "slip"), *decided(n, seed, "trust"), *written(lm, n, seed)]
        found = [decide(lm, each, database, seed, size.check) for each in _told(made, "decisive", tell, len(made))]
        adaptive = [_adapt(lm, each, database, seed, size) for each in _told(drawn(n, seed), "adaptive", tell, n)]
    return {
        "schema": "bench-resampling/1",
        "n": n,
        "model": {"name": lm.name, "revision": lm.revision},
        "adaptive": _adaptive(adaptive),
        "decisive": rates([ranks(each) for each in found[:n]]),
        "decisive_by_event": by_event(found),
        "contradicted": sum(each.contradicted for each in found[:n]),
        "null": _null(seed, size.planted),
        "coverage": _coverage(seed, size.planted),
        "engine": speedup(lm, size.engine, seed),
    }


def _told(traces: Sequence[Trace], what: str, tell: Progress, total: int) -> Any:
    for done, each in enumerate(traces):
        tell(what, done, total)
        yield each


class Adapted(NamedTuple):
    """One trace under the default budget and under full sweeps."""

    counts: tuple[int, int, int, int]
    """Of the reference's significant top three: how many there are, ranked among its three first by the adaptive rule,
    called an anchor by it, and ranked among its three first by a second sweep."""
    spent: tuple[int, int]
    """Rollouts and tokens of the adaptive rule,"""
    full: tuple[int, int]
    """and of 100 rollouts of each prefix."""


def _adapt(lm: LocalLM, made: Trace, database: Path, seed: int, size: Size) -> Adapted:
    text = text_of(made)
    sweep = swept(lm, text, database, seed)
    reference, _ = _full(lm, text, sweep.target, database, size.reference, seed + 10**6)
    second, cost = _full(lm, text, sweep.target, database, size.sweep, seed + 2 * 10**6)
    found, wanted = top_found(reference, sweep.strengths)
    called, _ = top_found(reference, [float(each.verdict == "anchor") for each in sweep.sentences])
    called = min(called, sum(each.verdict == "anchor" for each in sweep.sentences))
    again, _ = top_found(reference, [abs(each.value) for each in second])
    spent = sweep.evidence["rollouts"], sweep.evidence["tokens"]
    return Adapted((wanted, found, called, again), spent, cost)


def _full(
    lm: LocalLM, text: Text, target: str, database: Path, n: int, seed: int
) -> tuple[list[Estimate], tuple[int, int]]:
    """n independent rollouts of each prefix: the effects, and what they cost."""
    rows = rollouts(lm, text, target, database, seed, dict.fromkeys(range(len(text.borders)), n))
    counts = [hits(row, target) for row in rows.values()]
    tokens = sum(each.tokens for row in rows.values() for each in row)
    return [difference(a, b) for a, b in pairwise(counts)], (n * len(counts), tokens)


def _adaptive(found: Sequence[Adapted]) -> dict[str, Any]:
    wanted, hit, called, swept = (sum(each.counts[k] for each in found) for k in range(4))
    ratios = [sum(each.spent[k] for each in found) / sum(each.full[k] for each in found) for k in range(2)]
    return {
        **stated(
            recall_top3=wilson(hit, wanted),
            recall_significant=wilson(called, wanted),
            second_sweep=wilson(swept, wanted),
        ),
        "wanted": wanted,
        "rollouts_ratio": ratios[0],
        "tokens_ratio": ratios[1],
    }


def _null(seed: int, planted: int) -> dict[str, Any]:
    by_p = {str(p): discoveries(trials(lambda _, p=p: flat(p, 20), planted, seed)) for p in RATES}  # type: ignore[misc]
    hits = sum(round(each.value * each.n) for each in by_p.values())
    return {
        **stated(false_discovery=wilson(hits, sum(each.n for each in by_p.values()))),
        "by_p": stated(**by_p),
    }


def _coverage(seed: int, planted: int) -> dict[str, Any]:
    by_p = {str(p): coverage(trials(lambda _, p=p: flat(p, 20), planted, seed + 1)).effects for p in RATES}  # type: ignore[misc]
    return {
        "nominal": 0.95,
        "observed": float(np.mean([each.value for each in by_p.values()])),
        "by_p": stated(**by_p),
    }
