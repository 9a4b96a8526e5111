"""Thought anchors of one chain by counterfactual resampling: the sweep as an `Anchors` record.

Needs a model in this process, or behind a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.analyses.chain_sentences import of_sentences, sentences_of
from tracer.analyses.onward import Link, Onward
from tracer.analyses.resampling import Trace, Watch, Ways, borders, resample
from tracer.anchor_options import Announce
from tracer.chain import Chain
from tracer.records import Anchors

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint
    from tracer.lm.ledger import Ledger
    from tracer.lm.local import LocalLM

SCORE = "size of its effect on P(target), drawn towards 0 by how unsure it is"


def find(
    lm: LocalLM | Endpoint,
    chain: Chain,
    ledger: Ledger,
    ways: Ways,
    parameters: Mapping[str, Any],
    watch: Watch | None = None,
    announce: Announce | None = None,
) -> Anchors:
    """The anchors of a chain of thought; without a sentence there are none, and nothing is drawn."""
    inside = [span for span in sentences_of(chain) if span[0] >= chain.start]
    if not inside:
        return of_sentences(lm, chain, "resample", SCORE, parameters, [])
    trace = Trace(chain.whole.rstrip(), borders(lm, chain.whole, chain.start, inside), chain.said)
    sweep = resample(lm, trace, ledger, ways, watch, announce)
    found = of_sentences(lm, chain, "resample", SCORE, parameters, sweep.strengths)
    first = len(found.sentences) - len(inside)
    told = [
        sentence.model_copy(update={"resampled": each})
        for sentence, each in zip(found.sentences[first:], sweep.sentences, strict=True)
    ]
    return found.model_copy(
        update={
            "sentences": (*found.sentences[:first], *told),
            "matrix": _matrix(sweep.onward, first),
            "evidence": {**sweep.evidence, "links": [_link(each, first) for each in sweep.onward.links]},
            "notes": sweep.notes,
        }
    )


def _matrix(found: Onward, first: int) -> tuple[tuple[float, ...], ...]:
    """Over all sentences: 0 in the prompt's rows and columns, which are not resampled, and where nothing is known."""
    size = first + len(found.matrix)
    every = np.zeros((size, size))
    every[first:, first:] = np.nan_to_num(found.matrix)
    return tuple(tuple(round(float(value), 6) for value in row) for row in every)


def _link(each: Link, first: int) -> dict[str, Any]:
    figures = {"before": each.before, "after": each.after, "effect": each.effect.value}
    figures |= {"low": each.effect.low, "high": each.effect.high, "q": each.q}
    return {"source": first + each.source, "target": first + each.target} | {k: round(v, 6) for k, v in figures.items()}
