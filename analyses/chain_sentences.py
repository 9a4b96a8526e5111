"""The sentences of a chain of thought, and an answer about them as an `Anchors` record, whatever the method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracer.analyses.sentence_kinds import kinds
from tracer.chain import TAG, Chain
from tracer.records import Anchors, AnchorSentence
from tracer.sentences import split

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint
    from tracer.lm.local import LocalLM


def of_sentences(
    lm: LocalLM | Endpoint,
    chain: Chain,
    method: str,
    score: str,
    parameters: Mapping[str, Any],
    weights: Sequence[float],
) -> Anchors:
    """A method's answer about a chain: a weight for each of `sentences_of`, or for those of the reasoning only.

    NaN says that the method cannot tell; so it stands for the prompt where no weights are given for it.
    """
    spans = sentences_of(chain)
    every = [*[math.nan] * (len(spans) - len(weights)), *weights]
    guessed = kinds([chain.whole[a:b] for a, b in spans if a >= chain.start])
    kind = [*[None] * (len(spans) - len(guessed)), *(each.kind for each in guessed)]
    return Anchors(
        content=chain.digest,
        target=chain.source,
        method=method,
        score=score,
        model=lm.name,
        revision=lm.revision,
        parameters=dict(parameters),
        sentences=tuple(_sentence(chain, k, span, every[k], kind[k]) for k, span in enumerate(spans)),
    )


def sentences_of(chain: Chain) -> list[tuple[int, int]]:
    """Characters of each sentence of the prompt, then of the reasoning; blank ones and a lone tag left out."""
    start = chain.start
    prompt = [(span.start, span.end) for span in split(chain.whole[:start])]
    inside = [(start + span.start, start + span.end) for span in split(chain.text)]
    return [(a, b) for a, b in prompt + inside if chain.whole[a:b].strip() not in {"", TAG}]


def _sentence(chain: Chain, index: int, span: tuple[int, int], weight: float, kind: str | None) -> AnchorSentence:
    start, end = span
    return AnchorSentence(
        index=index,
        start=start,
        end=end,
        text=chain.whole[start:end],
        part="prompt" if start < chain.start else "chain",
        kind=kind,
        weight=None if math.isnan(weight) else round(float(weight), 6),
    )
