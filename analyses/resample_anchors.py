"""Thought anchors of one chain by counterfactual resampling: the sweep as an `Anchors` record.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracer.analyses.anchors import sentences_of
from tracer.analyses.resampling import Trace, Watch, Ways, borders, resample
from tracer.chain import Chain
from tracer.records import Anchors, AnchorSentence

if TYPE_CHECKING:
    from tracer.lm.ledger import Ledger
    from tracer.lm.local import LocalLM

SCORE = "change of P(target) that it makes for certain: the near end of the 95 % interval; 0 where that holds 0"


def find(
    lm: LocalLM, chain: Chain, ledger: Ledger, ways: Ways, parameters: Mapping[str, Any], watch: Watch | None = None
) -> Anchors:
    """The anchors of a chain of thought; without a sentence there are none, and nothing is drawn."""
    spans = sentences_of(chain)
    inside = [span for span in spans if span[0] >= chain.start]
    trace = Trace(chain.whole.rstrip(), borders(lm, chain.whole, chain.start, inside), chain.said)
    sweep = resample(lm, trace, ledger, ways, watch) if inside else None
    first = len(spans) - len(inside)
    sentences = [
        AnchorSentence(
            index=k,
            start=start,
            end=end,
            text=chain.whole[start:end],
            part="chain" if k >= first else "prompt",
            weight=round(max(0.0, sweep.strengths[k - first]), 6) if sweep and k >= first else None,
            resampled=sweep.sentences[k - first] if sweep and k >= first else None,
        )
        for k, (start, end) in enumerate(spans)
    ]
    return Anchors(
        content=chain.digest,
        target=chain.source,
        method="resample",
        score=SCORE,
        model=lm.name,
        revision=lm.revision,
        parameters=dict(parameters),
        sentences=tuple(sentences),
        evidence=dict(sweep.evidence) if sweep else {},
        notes=sweep.notes if sweep else (),
    )
