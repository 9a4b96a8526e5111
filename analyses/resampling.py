"""Counterfactual resampling: write a chain of thought anew from every sentence on, and see what becomes of the answer.

R_i are rollouts from the prefix that ends before sentence S_i. The effect of S_i on the target outcome is

    effect(i) = P(target | R_{i+1}) - P(target | R_i)

(resampling importance, Thought Anchors, arXiv 2506.19143, section 3). The counterfactual effect takes in place of R_i
those of its rollouts that begin with another sentence, by `similarity`; what a sentence does to later sentences is up
to `onward`. Prefixes are slices of the text, cut at the
last border of tokens before the sentence; how many rollouts each gets is up to `allocation`, and what they say is up to
`effects`. A rollout that repeats S_i token for token is one of R_{i+1}, too, and is counted there.

Needs a model in this process, or behind a server.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.analyses.allocation import RULE, SWEEP, Budget, Rule, allocate, forecast
from tracer.analyses.alternatives import alternatives, first_sentence
from tracer.analyses.effects import FEWEST, Conclusion, conclude
from tracer.analyses.onward import Onward, onward
from tracer.analyses.paper import Sampled, fields
from tracer.analyses.pools import Pools
from tracer.analyses.sampler import Case, Outcomes, Sampler
from tracer.analyses.similarity import THRESHOLD, Encoder, cuts, encoder
from tracer.anchor_options import Announce, Expected
from tracer.answers import DEFAULT, How, answer, detect
from tracer.equivalence import NONE, TRUNCATED, grouped
from tracer.errors import TracerError
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling
from tracer.records import Resampled
from tracer.stats import Count, difference
from tracer.stats.divergences import DIVERGENCES, divergence

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint
    from tracer.lm.local import LocalLM

INSTEAD = 3
"""So many of the sentences that stand in the place of one are told."""
Spans = Sequence[tuple[int, int]]


class Ways(NamedTuple):
    """How to resample."""

    sampling: Sampling = Sampling()
    budget: Budget | None = None
    """None is the usual one: a fifth of a full sweep's rollouts."""
    rule: Rule = RULE
    how: How | None = None
    """How answers are found; None goes by the trace and its first rollouts."""
    target: str | None = None
    """The outcome to explain; None is the trace's own answer."""
    similarity: str | None = None
    """See `similarity.encoder`."""
    threshold: float = THRESHOLD
    paper: bool = False
    """SWEEP rollouts of each prefix, none shared, and the published formulas beside ours."""


class Trace(NamedTuple):
    """A text whose sentences are to be explained."""

    text: str
    """Up to the end of the last sentence."""
    borders: tuple[int, ...]
    """Where each sentence's prefix ends, and the text's end: n + 1 ascending offsets."""
    said: str = ""
    """What the log tells of the answer."""

    def sentence(self, index: int) -> str:
        """Sentence S_i, without the blanks around it."""
        return self.text[self.borders[index] : self.borders[index + 1]].strip()


class Replaced(NamedTuple):
    """What the rollouts of each prefix write in the place of its sentence: (n, rollouts) each."""

    texts: list[list[str]]
    cosines: list[list[float]]
    different: list[list[bool]]
    encoder: Encoder


class Sweep(NamedTuple):
    """What resampling found."""

    target: str
    sentences: tuple[Resampled, ...]
    onward: Onward
    """What each sentence does to later ones."""
    strengths: tuple[float, ...]
    """By which sentences are ranked: `SentenceEffect.strength`."""
    evidence: Mapping[str, Any]
    notes: tuple[str, ...]


Watch = Callable[[Pools, int], None]
"""Told after each round what is known, and how many rollouts there may be in all."""


def borders(lm: LocalLM | Endpoint, text: str, start: int, spans: Spans) -> tuple[int, ...]:
    """Where the prefixes of the sentences end: before the blanks in front of each, if a token ends there.

    A prefix that ends in a blank would be off the model's path, since most vocabularies join a blank to the word behind
    it; where a server does not tell where its tokens end, prefixes end before the blanks. The first one does not reach
    back over `start`, where the reasoning begins.
    """
    ends = sorted(set(lm.token_ends(text) or ()))
    found = []
    for first, _ in spans:
        visible = max(start, len(text[:first].rstrip()))
        found.append(next((end for end in ends if visible <= end <= first), visible))
    return (*found, len(text.rstrip()))


def resample(
    lm: LocalLM | Endpoint,
    trace: Trace,
    ledger: Ledger,
    ways: Ways,
    watch: Watch | None = None,
    announce: Announce | None = None,
) -> Sweep:
    """Draw rollouts until each sentence is decided or the budget is spent; a text without sentences raises."""
    if len(trace.borders) < 2:
        raise TracerError("resampling needs a text of at least one sentence")
    sampler = Sampler(lm, trace.text, trace.borders, ways.sampling, ledger, Outcomes(ways.how or DEFAULT))
    sampler.engine.follow = not ways.paper
    began = time.monotonic()
    tail = _settle(sampler, trace, ways)
    took = time.monotonic() - began
    target = str(sampler.outcomes.target)
    lengths = sampler.engine.lengths
    cost = [float(lengths[-1] - each + tail) for each in lengths]
    if announce:
        announce(_expected(cost, ways, took / (tail * ways.rule.start) if sampler.computed and tail else None))
    pools = _pools(sampler, target, cost, ways, watch)
    cases = sampler.cases()
    replaced = _replaced(trace, cases, ways)
    found = conclude(pools, ways.rule, [sum(row) for row in replaced.different])
    labels = _classes(cases, target)
    sentences = tuple(
        _sentence(trace, k, found, cases, labels, replaced, target, ways) for k in range(len(trace.borders) - 1)
    )
    evidence = _evidence(sampler, found, labels, replaced, cost, ways) | {"target": target}
    texts = [trace.sentence(k) for k in range(len(sentences))]
    later = onward(texts, sampler.continuations(), replaced.encoder.similarity, ways.threshold)
    strengths = tuple(each.strength for each in found.sentences)
    return Sweep(target, sentences, later, strengths, evidence, _notes(found, replaced.encoder, ledger))


def _settle(sampler: Sampler, trace: Trace, ways: Ways) -> float:
    """Fix how answers are found and which one is the target; gives the mean length of a rollout of the whole trace."""
    last = len(trace.borders) - 1
    sampler({last: ways.rule.start})
    first = sampler.rollouts[last]
    outcomes = sampler.outcomes
    if ways.how is None:
        outcomes.how = detect([trace.said, *(each.text for each in first)])
    own = ways.target or answer(trace.said, outcomes.how)
    if own == NONE:
        own = Counter(outcomes(each) for each in first).most_common(1)[0][0]
    outcomes.target = own
    sampler.rollouts[last] = []
    return sum(each.tokens for each in first) / len(first)


def _expected(cost: Sequence[float], ways: Ways, seconds: float | None) -> Expected:
    """`seconds`: what a token took so far."""
    told = forecast(cost, ways.budget or Budget.default(cost), ways.rule)
    rollouts, tokens = (told.sweep_rollouts, told.sweep_tokens) if ways.paper else (told.rollouts, told.tokens)
    return Expected(rollouts, tokens, None if seconds is None else seconds * tokens)


def _pools(sampler: Sampler, target: str, cost: Sequence[float], ways: Ways, watch: Watch | None) -> Pools:
    budget = ways.budget or Budget.default(cost)
    most = forecast(cost, budget, ways.rule).rollouts
    if not ways.paper:

        def told(pools: Pools) -> None:
            if watch:
                watch(pools, most)

        return allocate(sampler, target, cost, budget, ways.rule, told, sampler.engine.chances())
    pools = Pools(len(cost) - 1, target)
    for prefix in range(len(cost)):
        pools.add(prefix, sampler({prefix: SWEEP})[prefix])
        if watch:
            watch(pools, SWEEP * len(cost))
    return pools


def _replaced(trace: Trace, cases: Sequence[Sequence[Case]], ways: Ways) -> Replaced:
    """For each sentence what its cases write there, how like it that is, and whether it says something else."""
    how = encoder(ways.similarity)
    found = Replaced([], [], [], how)
    for k in range(len(trace.borders) - 1):
        texts = [first_sentence(case.rest) if case.rest is not None else trace.sentence(k) for case in cases[k]]
        distinct = list(dict.fromkeys(texts))
        alike = how.similarity(distinct, [trace.sentence(k)])[:, 0] if distinct else ()
        known = dict(zip(distinct, (float(each) for each in alike), strict=True))
        found.texts.append(texts)
        found.cosines.append([known[each] for each in texts])
        found.different.append([known[each] < ways.threshold for each in texts])
    return found


def _classes(cases: Sequence[Sequence[Case]], target: str) -> list[list[str]]:
    """The answers of each prefix's cases as classes over the whole trace; the target's is named as the target is."""
    every = [case.answer for row in cases for case in row]
    found = grouped(every, target)
    labels = iter(target if label == found.expected else label for label in found.labels)
    return [[next(labels) for _ in row] for row in cases]


def _sentence(
    trace: Trace,
    k: int,
    found: Conclusion,
    cases: Sequence[Sequence[Case]],
    labels: Sequence[Sequence[str]],
    replaced: Replaced,
    target: str,
    ways: Ways,
) -> Resampled:
    each, texts, cosines = found.sentences[k], replaced.texts[k], replaced.cosines[k]
    others = [label for label, new in zip(labels[k], replaced.different[k], strict=True) if new]
    return Resampled(
        before=_rounded(each.before.value),
        after=_rounded(each.after.value),
        effect=_rounded(each.effect.value),
        low=_rounded(each.effect.low),
        high=_rounded(each.effect.high),
        n_before=each.before.n,
        n_after=each.after.n,
        q=_rounded(each.q),
        verdict=each.verdict,
        different=each.different,
        counterfactual=_counterfactual(others, labels[k + 1], target),
        divergences=_divergences(cases[k], labels, k),
        instead=_instead(trace.sentence(k), texts, labels[k], target),
        alternatives=alternatives(texts, labels[k], cosines, target, ways.threshold),
        paper=_paper(trace, k, cases, labels, cosines, target, ways) if ways.paper else None,
    )


def _counterfactual(others: Sequence[str], after: Sequence[str], target: str) -> tuple[float, float, float] | None:
    if len(others) < FEWEST or not after:
        return None
    found = difference(Count(others.count(target), len(others)), Count(after.count(target), len(after)))
    return _rounded(found.value), _rounded(found.low), _rounded(found.high)


def _divergences(
    cases: Sequence[Case], labels: Sequence[Sequence[str]], k: int
) -> dict[str, tuple[float, float, float]]:
    """Cases that follow the trace belong to both sides; with a side unknown there is nothing to say."""
    left = [label for label, case in zip(labels[k], cases, strict=True) if case.rest is not None]
    both = Counter(label for label, case in zip(labels[k], cases, strict=True) if case.rest is None)
    right = list((Counter(labels[k + 1]) - both).elements())
    if not cases or not labels[k + 1]:
        return {}
    support = list(dict.fromkeys(label for row in labels for label in row))
    made = {kind: divergence(left, right, list(both.elements()), support, kind) for kind in DIVERGENCES}
    return {
        kind: (_rounded(each.value), _rounded(each.low), _rounded(each.high))
        for kind, each in made.items()
        if math.isfinite(each.value)
    }


def _instead(
    sentence: str, texts: Sequence[str], labels: Sequence[str], target: str
) -> tuple[tuple[str, int, float], ...]:
    written: dict[str, list[bool]] = {}
    for text, label in zip(texts, labels, strict=True):
        if text != sentence:
            written.setdefault(text, []).append(label == target)
    most = sorted(written.items(), key=lambda each: -len(each[1]))[:INSTEAD]
    return tuple((text, len(hits), _rounded(sum(hits) / len(hits))) for text, hits in most)


def _paper(
    trace: Trace,
    k: int,
    cases: Sequence[Sequence[Case]],
    labels: Sequence[Sequence[str]],
    cosines: Sequence[float],
    target: str,
    ways: Ways,
) -> dict[str, float]:
    """The published fields; the reference knows no classes `none` and `truncated` and drops those rollouts."""
    before = [
        Sampled(_answered(label), label == target, first_sentence(case.rest or trace.sentence(k)), cosine)
        for case, label, cosine in zip(cases[k], labels[k], cosines, strict=True)
    ]
    last = k + 2 == len(trace.borders)
    after = [] if last else [Sampled(_answered(label), label == target) for label in labels[k + 1]]
    return {name: _rounded(value) for name, value in fields(before, after, threshold=ways.threshold).items()}


def _answered(label: str) -> str:
    return "" if label in {NONE, TRUNCATED} else label


def _evidence(
    sampler: Sampler,
    found: Conclusion,
    labels: Sequence[Sequence[str]],
    replaced: Replaced,
    cost: Sequence[float],
    ways: Ways,
) -> dict[str, Any]:
    """What the figures rest on: the answers along the trace, what was spent, and how much the threshold matters."""
    answers = [label for label, _ in Counter(label for row in labels for label in row).most_common()]
    shares = [[_rounded(row.count(label) / len(row)) for label in answers] if row else None for row in labels]
    expected = forecast(cost, ways.budget or Budget.default(cost), ways.rule)
    return {
        "answers": answers,
        "distribution": shares,
        "written": [None if each is None else _rounded(1 - each) for each in found.diverging],
        "headroom": [None if row is None else _rounded(_entropy(row)) for row in shares],
        "rollouts": found.rollouts,
        "tokens": found.tokens,
        "computed": sampler.computed,
        "sweep": {"rollouts": expected.sweep_rollouts, "tokens": expected.sweep_tokens},
        "saturated": found.saturated,
        "encoder": replaced.encoder.name,
        "different_share": {
            key: [_rounded(each) for each in cut.different] for key, cut in cuts(replaced.cosines).items()
        },
        "extraction": getattr(sampler.outcomes.how, "kind", "function"),
    }


def _entropy(shares: Sequence[float]) -> float:
    """In bits; 0 where the answer is settled, so that no sentence from here on can move it."""
    return -sum(p * math.log2(p) for p in shares if p > 0)


def _notes(found: Conclusion, how: Encoder, ledger: Ledger) -> tuple[str, ...]:
    notes = list(ledger.notes)
    if found.saturated and not any(each.verdict == "anchor" for each in found.sentences):
        notes.append("the outcome is all but settled before the first sentence: hardly any sentence can show an effect")
    if how.name == "words":
        notes.append("sentences are compared by their words: install the extra [embed] for the paper's encoder")
    return tuple(notes)


def _rounded(value: float) -> float:
    return round(float(value), 6)
