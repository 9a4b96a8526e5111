"""Thought anchors of one chain of thought: which sentences the rest of it depends on, by a method of METHODS.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from tracer.analyses.removal import Trace, effects
from tracer.analyses.suppression import AGGREGATES, Suppression, share, suppress
from tracer.analyses.surprisal import surprisal
from tracer.chain import Chain
from tracer.lm.offsets import token_spans
from tracer.records import Anchors, AnchorSentence
from tracer.sentences import split

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

Array = npt.NDArray[np.float64]
Spans = Sequence[tuple[int, int]]


class Tokens(NamedTuple):
    """A text as the model reads it, with its sentences in tokens."""

    ids: torch.Tensor
    """(T,)"""
    spans: list[tuple[int, int]]


class Weighed(NamedTuple):
    """What a method says."""

    weights: Array
    """(n,), NaN where it cannot say"""
    matrix: Array | None = None
    """(n, n) effect of column on row"""
    notes: tuple[str, ...] = ()


class Method(NamedTuple):
    """A way to weigh sentences."""

    weigh: Callable[[LocalLM, Tokens], Weighed]
    score: str
    """What a weight is, in words and units."""
    parameters: Mapping[str, Any]
    """What the stored answer depends on beside text and model."""


def _by_suppression(lm: LocalLM, tokens: Tokens) -> Weighed:
    if len(tokens.spans) < 2:
        return Weighed(np.full(len(tokens.spans), np.nan), np.zeros((len(tokens.spans),) * 2))
    found = suppress(lm.model, tokens.ids, tokens.spans)
    matrix = AGGREGATES["share"](found)
    return Weighed(outgoing(matrix), matrix, found.notes)


def _by_surprisal(lm: LocalLM, tokens: Tokens) -> Weighed:
    return Weighed(surprisal(lm.model, tokens.ids, tokens.spans).mean)


METHODS: dict[str, Method] = {
    "suppress": Method(
        _by_suppression,
        "mean share of what all earlier sentences do to a later one (KL when hidden from it, 0-1)",
        {"score": "share", "temperature": 1.0, "version": 1},
    ),
    "surprisal": Method(_by_surprisal, "mean -ln p of its tokens, in nats", {"version": 1}),
}
"""Every method of `tracer anchors`; the first is the default."""


def find(lm: LocalLM, chain: Chain, method: str, parameters: Mapping[str, Any]) -> Anchors:
    """The anchors of a chain; its prompt's sentences are sources, too, and marked as such."""
    spans = sentences_of(chain)
    tokens = read(lm, chain.whole, spans)
    weighed = METHODS[method].weigh(lm, tokens)
    return Anchors(
        content=chain.digest,
        target=chain.source,
        method=method,
        score=METHODS[method].score,
        model=lm.name,
        revision=lm.revision,
        parameters=dict(parameters),
        sentences=tuple(_sentence(chain, k, span, weighed.weights[k]) for k, span in enumerate(spans)),
        matrix=None if weighed.matrix is None else tuple(tuple(map(_rounded, row)) for row in weighed.matrix),
        notes=weighed.notes,
    )


def sentences_of(chain: Chain) -> list[tuple[int, int]]:
    """Characters of each sentence of the prompt, then of the reasoning; blank ones left out."""
    start = chain.start
    prompt = [(span.start, span.end) for span in split(chain.whole[:start])]
    inside = [(start + span.start, start + span.end) for span in split(chain.text)]
    return [(a, b) for a, b in prompt + inside if chain.whole[a:b].strip()]


def read(lm: LocalLM, text: str, spans: Spans) -> Tokens:
    """Encode a text, and say which tokens each sentence has. A text the model cannot read whole is refused."""
    encoded = lm.encode(text)
    lm.require_room(len(encoded.ids))
    return Tokens(torch.tensor(encoded.ids, dtype=torch.long), token_spans(encoded.offsets, spans))


def outgoing(matrix: Array) -> Array:
    """What each sentence does to the later ones on average, (n,); NaN for the last, which has none."""
    later = np.tri(len(matrix), k=-1)
    count = later.sum(axis=0)
    return np.asarray(np.divide((matrix * later).sum(axis=0), count, out=np.full(len(matrix), np.nan), where=count > 0))


def _sentence(chain: Chain, index: int, span: tuple[int, int], weight: float) -> AnchorSentence:
    start, end = span
    return AnchorSentence(
        index=index,
        start=start,
        end=end,
        text=chain.whole[start:end],
        part="prompt" if start < chain.start else "chain",
        weight=None if np.isnan(weight) else _rounded(weight),
    )


def _rounded(value: float) -> float:
    return round(float(value), 6)


class Measures(NamedTuple):
    """Every white-box score of one text, for benchmarks; matrices are (target, source)."""

    share: Array
    joint: Array
    kl: Array
    log_kl: Array
    drop: Array
    attention: Array
    surprisal: Array
    """(n,)"""


def measure(lm: LocalLM, text: str, spans: Spans, groups: Sequence[Sequence[int]]) -> Measures:
    """All scores of a text. `groups` are sentences with the same content, hidden together for the joint score:

    joint(t, s) = the larger of what hiding s does to t and what hiding all of s's group does, as a share per target.
    """
    from tracer.analyses.sentence_attention import sentence_attention

    tokens = read(lm, text, spans)
    single = suppress(lm.model, tokens.ids, tokens.spans)
    return Measures(
        share=share(single.kl),
        joint=share(np.maximum(single.kl, _together(lm, tokens, groups, single))),
        kl=single.kl,
        log_kl=single.log_kl,
        drop=single.drop,
        attention=sentence_attention(lm.model, tokens.ids, tokens.spans, (), shifted=True).mean,
        surprisal=np.nan_to_num(surprisal(lm.model, tokens.ids, tokens.spans).mean),
    )


def _together(lm: LocalLM, tokens: Tokens, groups: Sequence[Sequence[int]], single: Suppression) -> Array:
    """(n, n) KL at each target when the source's whole group is hidden; 0 for sources without a group."""
    found = np.zeros_like(single.kl)
    if not groups:
        return found
    joint = effects(lm.model, [Trace(tokens.ids, tokens.spans)], [[tuple(group) for group in groups]])[0]
    for number, group in enumerate(groups):
        for source in group:
            later = np.arange(len(found)) > source
            outside = ~np.isin(np.arange(len(found)), group)
            found[later & outside, source] = joint.kl[number][later & outside]
    return found
