"""Inside a blamed step: the sentence of its reasoning behind which the step says what it said.

With P_i the share of rewrites that come to the recorded words when the first i sentences of the reasoning are kept and
the rest of the step is written anew, from what its agent saw, the sentence is the one with the largest rise

    argmax over i of P_{i+1} - P_i          (resampling importance, Thought Anchors, arXiv 2506.19143)

COARSE rewrites behind every sentence, FINE beside the largest rises; intervals are Newcombe's. Where it rises most
behind the last sentence, it is what the step says that was chosen, and no sentence is named. Only this step is written
anew, so no run is lived.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tracer.analyses.step_signals import is_public
from tracer.analyses.transcript import ADDRESS, view
from tracer.errors import BadInputError
from tracer.records import Step
from tracer.sentences import split
from tracer.stats import Count, difference
from tracer.stats.proportions import Estimate

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

COARSE, FINE = 12, 40
LEADING = 2
"""Rises that are looked at more closely."""
TEMPERATURE = 0.7
LONGER = 40
"""A rewrite may have so many tokens more than the record."""
_END = "</think>"


class Rewritten(NamedTuple):
    """What was found inside a step."""

    sentence: int | None
    """Its place among the sentences of the reasoning; None: it happens in what is said behind them."""
    start: int
    """Characters of the reasoning, white space at its ends left out."""
    end: int
    text: str
    rise: Estimate
    shares: tuple[Count, ...]
    """Rewrites that came to the recorded words, with 0, 1, ... sentences kept."""


def rewriting(lm: LocalLM, steps: Sequence[Step], index: int, seed: int = 0) -> Rewritten:
    """The sentence inside a step; a step without reasoning raises BadInputError."""
    step = steps[index]
    reasoning = " ".join((step.reasoning or "").split())
    if not reasoning:
        raise BadInputError(f"step {index} holds no reasoning to go on in")
    read = view(steps, step.agent, public=is_public(lm, steps))
    place = next(each for each in read.places if each.step == index)
    said = read.text[place.content : place.end].strip()
    spans = split(reasoning)
    ends = [0, *(len(reasoning[: span.end].rstrip()) for span in spans)]
    prefixes = [f"{read.text[: place.start]} <think> {reasoning[:end]}".rstrip() for end in ends]
    longest = len(lm.prompt(read.text[place.start : place.end])) + LONGER
    counts = _counts(lm, prefixes, said, longest, seed)
    shares = [each.share for each in counts] + [1.0]
    at = max(range(len(shares) - 1), key=lambda k: shares[k + 1] - shares[k])
    if at == len(spans):
        return Rewritten(
            None, len(reasoning), len(reasoning), "", difference(counts[at], Count(FINE, FINE)), tuple(counts)
        )
    start, end = spans[at].start, ends[at + 1]
    return Rewritten(at, start, end, reasoning[start:end], difference(counts[at], counts[at + 1]), tuple(counts))


def _counts(lm: LocalLM, prefixes: Sequence[str], said: str, longest: int, seed: int) -> list[Count]:
    """Coarse everywhere, fine beside the largest rises."""
    first = _rewritten(lm, prefixes, said, longest, COARSE, seed)
    rises = [(after.share - before.share, k) for k, (before, after) in enumerate(pairwise(first))]
    near = sorted({place for _, k in sorted(rises, reverse=True)[:LEADING] for place in (k, k + 1)} | {len(first) - 1})
    fine = _rewritten(lm, [prefixes[k] for k in near], said, longest, FINE, seed)
    return [dict(zip(near, fine, strict=True)).get(k, count) for k, count in enumerate(first)]


def _rewritten(lm: LocalLM, prefixes: Sequence[str], said: str, longest: int, n: int, seed: int) -> list[Count]:
    drawn = lm.sample_each(prefixes, n, max_tokens=longest, temperature=TEMPERATURE, seed=seed, stop=["\n"])
    return [
        Count(sum(_told(prefix + each.text) == said for each in samples), n)
        for prefix, samples in zip(prefixes, drawn, strict=True)
    ]


def _told(text: str) -> str:
    """What a step tells, without the reasoning before it and whom it is for: who hears it, the system decides."""
    said = text.rpartition(_END)[2].strip()
    return said[found.end() :].strip() if (found := ADDRESS.match(said)) else said
