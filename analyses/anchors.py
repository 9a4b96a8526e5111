"""Thought anchors of one chain of thought: which sentences the rest of it depends on, by a method of METHODS.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from tracer.analyses.chain_sentences import of_sentences, sentences_of
from tracer.analyses.joint import joint, redundant, search
from tracer.analyses.receivers import broadcast, receivers
from tracer.analyses.removal import Settings
from tracer.analyses.sentence_attention import GAPS, sentence_attention
from tracer.analyses.suppression import AGGREGATES, share, suppress
from tracer.analyses.surprisal import surprisal
from tracer.anchor_options import Progress
from tracer.chain import Chain
from tracer.lm.offsets import token_spans
from tracer.records import Anchors

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

Array = npt.NDArray[np.float64]
Spans = Sequence[tuple[int, int]]


SEARCHED = 200
"""Up to so many sentences redundant groups are searched for: it costs four times the suppression itself."""
TOLD = 10
"""Redundant groups that are told, at most."""


class Tokens(NamedTuple):
    """A text as the model reads it, with its sentences in tokens."""

    ids: torch.Tensor
    """(T,)"""
    spans: list[tuple[int, int]]
    first: int = 0
    """The first sentence of the reasoning; those before it are the prompt's, and sources only."""


class Weighed(NamedTuple):
    """What a method says."""

    weights: Array
    """(n,), NaN where it cannot say"""
    matrix: Array | None = None
    """(n, n) effect of column on row; rows of the prompt, which is given and not written, weigh nothing"""
    redundant: tuple[dict[str, Any], ...] = ()
    evidence: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()


class Method(NamedTuple):
    """A way to weigh sentences."""

    weigh: Callable[[LocalLM, Tokens, Progress | None], Weighed]
    score: str
    """What a weight is, in words and units."""
    parameters: Mapping[str, Any]
    """What the stored answer depends on beside text and model."""


def _by_suppression(lm: LocalLM, tokens: Tokens, progress: Progress | None) -> Weighed:
    if len(tokens.spans) < 2:
        return Weighed(np.full(len(tokens.spans), np.nan), np.zeros((len(tokens.spans),) * 2))
    found = suppress(lm.model, tokens.ids, tokens.spans, _told(progress, "sentences"))
    matrix = AGGREGATES["share"](found)
    weights = outgoing(matrix, tokens.first)
    if len(tokens.spans) > SEARCHED:
        return Weighed(weights, matrix, notes=(*found.notes, f"copies are searched up to {SEARCHED} sentences"))
    return Weighed(weights, matrix, _redundant(lm, tokens, progress), notes=found.notes)


def _told(progress: Progress | None, what: str) -> Settings:
    """Settings that hand the count of queries on."""
    return Settings(progress=None if progress is None else lambda done, total: progress(what, done, total))


def _redundant(lm: LocalLM, tokens: Tokens, progress: Progress | None) -> tuple[dict[str, Any], ...]:
    """Groups of which any one suffices for a target, the strongest first."""
    pairs = search(lm.model, tokens.ids, tokens.spans)
    together = joint(lm.model, tokens.ids, tokens.spans, pairs, _told(progress, "pairs"))
    return tuple(
        {
            "sentences": list(each.group),
            "target": each.target,
            "single": _rounded(each.alone),
            "joint": _rounded(each.effect),
            "interaction": _rounded(together.interaction[each.target, together.groups.index(each.group)]),
        }
        for each in [each for each in redundant(together) if each.target >= tokens.first][:TOLD]
    )


def _by_receivers(lm: LocalLM, tokens: Tokens, _progress: Progress | None) -> Weighed:
    found = sentence_attention(lm.model, tokens.ids, tokens.spans)
    chosen = {gap: receivers([found], gap) for gap in GAPS}
    first = chosen[GAPS[0]]
    evidence = {
        str(gap): [{"layer": h.layer, "head": h.head, "kurtosis": _rounded(h.kurtosis)} for h in each.heads]
        for gap, each in chosen.items()
    }
    notes = () if first.heads else ("this model has no receiver heads in this text, so no sentence gets a weight",)
    return Weighed(broadcast(found, first), found.mean, evidence={"receiver_heads": evidence}, notes=notes)


def _by_surprisal(lm: LocalLM, tokens: Tokens, _progress: Progress | None) -> Weighed:
    return Weighed(surprisal(lm.model, tokens.ids, tokens.spans).mean)


METHODS: dict[str, Method] = {
    "suppress": Method(
        _by_suppression,
        "later sentences' worth that rests on it: its share of what earlier sentences do to each (KL), summed",
        {"score": "share", "temperature": 1.0, "version": 2},
    ),
    "receivers": Method(
        _by_receivers,
        f"mean attention that receiver heads pay to it from {GAPS[0]} sentences on",
        {"gap": GAPS[0], "version": 2},
    ),
    "surprisal": Method(_by_surprisal, "mean -ln p of its tokens, in nats", {"version": 2}),
}
"""The methods that read a model from inside; `tracer.analyses.methods` has all of them."""


def find(
    lm: LocalLM, chain: Chain, method: str, parameters: Mapping[str, Any], progress: Progress | None = None
) -> Anchors:
    """The anchors of a chain; its prompt's sentences are sources, too, and marked as such."""
    spans = sentences_of(chain)
    tokens = read(lm, chain.whole, spans)._replace(first=sum(start < chain.start for start, _ in spans))
    weighed = METHODS[method].weigh(lm, tokens, progress)
    found = of_sentences(lm, chain, method, METHODS[method].score, parameters, weighed.weights.tolist())
    return found.model_copy(
        update={
            "matrix": None if weighed.matrix is None else tuple(tuple(map(_rounded, row)) for row in weighed.matrix),
            "redundant": weighed.redundant,
            "evidence": dict(weighed.evidence),
            "notes": weighed.notes,
        }
    )


def read(lm: LocalLM, text: str, spans: Spans) -> Tokens:
    """Encode a text, and say which tokens each sentence has. A text the model cannot read whole is refused."""
    encoded = lm.encode(text)
    lm.require_room(len(encoded.ids))
    return Tokens(torch.tensor(encoded.ids, dtype=torch.long), token_spans(encoded.offsets, spans))


def outgoing(matrix: Array, first: int = 0) -> Array:
    """What each sentence does to all later ones from `first` on together, (n,); NaN for the last, which has none."""
    total = np.tril(matrix, -1)[first:].sum(axis=0)
    return np.asarray(np.where(np.arange(len(matrix)) < len(matrix) - 1, total, np.nan))


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


def measure(lm: LocalLM, text: str, spans: Spans) -> Measures:
    """All scores of a text. `joint` is what a source contributes once its copies are gone, as a share per target; the
    groups that are hidden together come from the search, which knows nothing of the truth."""
    tokens = read(lm, text, spans)
    ids, inside = tokens.ids, tokens.spans
    single = suppress(lm.model, ids, inside)
    return Measures(
        share=share(single.kl),
        joint=share(np.maximum(joint(lm.model, ids, inside, search(lm.model, ids, inside)).score, 0.0)),
        kl=single.kl,
        log_kl=single.log_kl,
        drop=single.drop,
        attention=sentence_attention(lm.model, ids, inside, (), shifted=True).mean,
        surprisal=np.nan_to_num(surprisal(lm.model, ids, inside).mean),
    )
