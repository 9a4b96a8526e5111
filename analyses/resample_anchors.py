"""Thought anchors of one chain by counterfactual resampling: the sweep as an `Anchors` record.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracer.analyses.anchors import of_sentences, sentences_of
from tracer.analyses.resampling import Trace, Watch, Ways, borders, resample
from tracer.chain import Chain
from tracer.records import Anchors

if TYPE_CHECKING:
    from tracer.lm.ledger import Ledger
    from tracer.lm.local import LocalLM

SCORE = "change of P(target) that it makes for certain: the near end of the 95 % interval; 0 where that holds 0"


def find(
    lm: LocalLM, chain: Chain, ledger: Ledger, ways: Ways, parameters: Mapping[str, Any], watch: Watch | None = None
) -> Anchors:
    """The anchors of a chain of thought; without a sentence there are none, and nothing is drawn."""
    inside = [span for span in sentences_of(chain) if span[0] >= chain.start]
    if not inside:
        return of_sentences(lm, chain, "resample", SCORE, parameters, [])
    trace = Trace(chain.whole.rstrip(), borders(lm, chain.whole, chain.start, inside), chain.said)
    sweep = resample(lm, trace, ledger, ways, watch)
    weights = [max(0.0, each) for each in sweep.strengths]
    found = of_sentences(lm, chain, "resample", SCORE, parameters, weights)
    first = len(found.sentences) - len(inside)
    told = [
        sentence.model_copy(update={"resampled": each})
        for sentence, each in zip(found.sentences[first:], sweep.sentences, strict=True)
    ]
    sentences = (*found.sentences[:first], *told)
    return found.model_copy(update={"sentences": sentences, "evidence": dict(sweep.evidence), "notes": sweep.notes})
