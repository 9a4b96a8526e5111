"""`tracer bench resampling`: does resampling find the sentence that decides, at what cost, and are its intervals true?

decisive   traces of the pocket world whose decisive sentence is known by construction, each method's rank of it; a
           check of some hundred rollouts on both sides says where the model contradicts the construction
adaptive   the default budget against a thousand rollouts of each prefix, and against a second sweep of 100
null, coverage   planted models, under the adaptive rule itself
engine     against transformers.generate, in one run

Traces are fresh: their seeds are neither trained on nor watched while training. Needs torch and transformers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracer.analyses.anchors import outgoing, read
from tracer.analyses.bench_allocation import coverage, discoveries, top_found, trials
from tracer.analyses.bench_anchors import rate
from tracer.analyses.bench_engine import prefix_ends, speedup
from tracer.analyses.forced import candidates_of, forced
from tracer.analyses.resampling import Sweep, Ways, resample
from tracer.analyses.resampling import Trace as Text
from tracer.analyses.sampler import Outcomes, Sampler
from tracer.analyses.simulator import flat
from tracer.analyses.suppression import share, suppress
from tracer.analyses.surprisal import surprisal
from tracer.answers import Extraction
from tracer.data.world import NOISY, TEST, Trace, ending, problem, trace
from tracer.equivalence import classes
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling
from tracer.stats import Count, Estimate, difference, wilson

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

SAMPLING = Sampling(temperature=0.8, top_p=1.0, max_tokens=220)
"""As the model is measured: at this temperature slips and beliefs happen."""
BOXED = Extraction("boxed")
RATES = (0.02, 0.1, 0.5, 0.9)
Progress = Callable[[str, int, int], None]
Ranks = dict[str, int]


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


class Found(NamedTuple):
    """One trace, and what every method says of its sentences."""

    made: Trace
    decisive: int
    sweep: Sweep
    scores: Mapping[str, Sequence[float]]
    contradicted: bool


def bench_resampling(
    lm: LocalLM, n: int, seed: int = 0, progress: Progress | None = None, size: Size = FULL
) -> dict[str, Any]:
    """n traces with a decisive sentence, n traces for the adaptive rule; published as the schema `bench-resampling`."""
    tell = progress or (lambda what, done, total: None)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "rollouts.duckdb"
        decisive = [_decide(lm, each, database, seed, size) for each in _told(decided(n, seed), "decisive", tell, n)]
        adaptive = [_adapt(lm, each, database, seed, size) for each in _told(drawn(n, seed), "adaptive", tell, n)]
    return {
        "schema": "bench-resampling/1",
        "n": n,
        "model": {"name": lm.name, "revision": lm.revision},
        "adaptive": _adaptive(adaptive),
        "decisive": _rates([_ranks(each) for each in decisive]),
        "decisive_by_event": {
            event: {"n": len(some), **_rates([_ranks(each) for each in some])}
            for event in sorted({each.made.event for each in decisive})
            if (some := [each for each in decisive if each.made.event == event])
        },
        "contradicted": sum(each.contradicted for each in decisive),
        "null": _null(seed, size.planted),
        "coverage": _coverage(seed, size.planted),
        "engine": speedup(lm, size.engine, seed),
    }


def _told(traces: Sequence[Trace], what: str, tell: Progress, total: int) -> Any:
    for done, each in enumerate(traces):
        tell(what, done, total)
        yield each


def drawn(n: int, seed: int) -> list[Trace]:
    """Fresh traces of the world."""
    return [_nth(seed, k) for k in range(n)]


def decided(n: int, seed: int) -> list[Trace]:
    """Fresh traces with one decisive sentence, from the other end of the seeds' range."""
    found: list[Trace] = []
    k = 0
    while len(found) < n:
        k += 1
        made = _nth(seed, 10**6 + k)
        if sum(sentence.decisive for sentence in made.sentences) == 1:
            found.append(made)
    return found


def _nth(seed: int, k: int) -> Trace:
    number = TEST.start + (seed * 2_000_003 + 31 * k) % (TEST.stop - TEST.start)
    return trace(problem(number), seed, NOISY)


def text_of(made: Trace) -> Text:
    """A trace of the world as one to be resampled."""
    return Text(made.prompt + made.cot, tuple(prefix_ends(made)), ending(made.answer))


def _decide(lm: LocalLM, made: Trace, database: Path, seed: int, size: Size) -> Found:
    ways = Ways(SAMPLING._replace(seed=seed), how=BOXED, similarity="words")
    text = text_of(made)
    place = next(k for k, sentence in enumerate(made.sentences) if sentence.decisive)
    with Ledger.open(database, lm.name, lm.revision, ways.sampling) as ledger:
        sweep = resample(lm, text, ledger, ways)
        sampler = Sampler(lm, text.text, text.borders, ways.sampling, ledger, Outcomes(BOXED, sweep.target))
        checked = sampler({place: size.check, place + 1: size.check})
    before, after = (
        Count(sum(each.label == sweep.target for each in rollouts), size.check) for rollouts in checked.values()
    )
    return Found(made, place, sweep, _scores(lm, text, sweep), difference(before, after).low <= 0)


def _scores(lm: LocalLM, text: Text, sweep: Sweep) -> dict[str, Sequence[float]]:
    """What each method says of each sentence of the chain."""
    ids, spans, _ = read(lm, text.text, list(pairwise(text.borders)))
    candidates = candidates_of(text.text, sweep.target)
    answers = forced(lm, text.text, text.borders, " </think>\n\\boxed{ ", candidates, "}")
    return {
        "resample": sweep.strengths,
        "counterfactual": [abs(each.counterfactual[0]) if each.counterfactual else 0.0 for each in sweep.sentences],
        "forced": np.abs(answers.merged(classes(candidates, sweep.target)).effects).tolist(),
        "surprisal": np.nan_to_num(surprisal(lm.model, ids, spans).mean).tolist(),
        "suppress": np.nan_to_num(outgoing(share(suppress(lm.model, ids, spans).kl))).tolist(),
        "position": [float(k) for k in range(len(spans))],
    }


def _ranks(each: Found) -> Ranks:
    """The decisive sentence's place by each method, from 1; ties count against the method."""
    return {
        name: 1 + sum(value >= scores[each.decisive] for k, value in enumerate(scores) if k != each.decisive)
        for name, scores in each.scores.items()
    }


def _rates(ranks: Sequence[Ranks]) -> dict[str, Any]:
    return {
        name: {f"top{k}": rate(wilson(sum(each[name] <= k for each in ranks), len(ranks))) for k in (1, 3)}
        for name in (ranks[0] if ranks else ())
    }


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
    ways = Ways(SAMPLING._replace(seed=seed), how=BOXED, similarity="words")
    with Ledger.open(database, lm.name, lm.revision, ways.sampling) as ledger:
        sweep = resample(lm, text, ledger, ways)
    reference, _ = _full(lm, text, sweep.target, database, size.reference, seed + 10**6)
    second, cost = _full(lm, text, sweep.target, database, size.sweep, seed + 2 * 10**6)
    found, wanted = top_found(reference, sweep.strengths)
    called, _ = top_found(reference, [float(each.verdict == "anchor") for each in sweep.sentences])
    called = min(called, sum(each.verdict == "anchor" for each in sweep.sentences))
    swept, _ = top_found(reference, [abs(each.value) for each in second])
    spent = sweep.evidence["rollouts"], sweep.evidence["tokens"]
    return Adapted((wanted, found, called, swept), spent, cost)


def _full(
    lm: LocalLM, text: Text, target: str, database: Path, n: int, seed: int
) -> tuple[list[Estimate], tuple[int, int]]:
    """n independent rollouts of each prefix: the effects, and what they cost."""
    sampling = SAMPLING._replace(seed=seed)
    with Ledger.open(database, lm.name, lm.revision, sampling) as ledger:
        sampler = Sampler(lm, text.text, text.borders, sampling, ledger, Outcomes(BOXED, target))
        rows = sampler(dict.fromkeys(range(len(text.borders)), n))
    counts = [Count(sum(each.label == target for each in row), n) for row in rows.values()]
    tokens = sum(each.tokens for row in rows.values() for each in row)
    return [difference(a, b) for a, b in pairwise(counts)], (n * len(counts), tokens)


def _adaptive(found: Sequence[Adapted]) -> dict[str, Any]:
    wanted, hit, called, swept = (sum(each.counts[k] for each in found) for k in range(4))
    ratios = [sum(each.spent[k] for each in found) / sum(each.full[k] for each in found) for k in range(2)]
    return {
        "recall_top3": rate(wilson(hit, wanted)),
        "recall_significant": rate(wilson(called, wanted)),
        "second_sweep": rate(wilson(swept, wanted)),
        "wanted": wanted,
        "rollouts_ratio": ratios[0],
        "tokens_ratio": ratios[1],
    }


def _null(seed: int, planted: int) -> dict[str, Any]:
    rates = {str(p): discoveries(trials(lambda _, p=p: flat(p, 20), planted, seed)) for p in RATES}  # type: ignore[misc]
    hits = sum(round(each.value * each.n) for each in rates.values())
    return {
        "false_discovery": rate(wilson(hits, sum(each.n for each in rates.values()))),
        "by_p": {p: rate(each) for p, each in rates.items()},
    }


def _coverage(seed: int, planted: int) -> dict[str, Any]:
    by_p = {str(p): coverage(trials(lambda _, p=p: flat(p, 20), planted, seed + 1)).effects for p in RATES}  # type: ignore[misc]
    return {
        "nominal": 0.95,
        "observed": float(np.mean([each.value for each in by_p.values()])),
        "by_p": {p: rate(each) for p, each in by_p.items()},
    }
