"""Thought anchors of one chain by forced answers: the cheap tier, exact and without sampling, as an `Anchors` record.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracer.analyses.anchors import sentences_of
from tracer.analyses.forced import Forced, candidates_of, closing_of, forced
from tracer.analyses.resampling import borders
from tracer.answers import DEFAULT, answer
from tracer.chain import Chain
from tracer.equivalence import NONE, classes
from tracer.errors import BadInputError
from tracer.records import Anchors, AnchorSentence

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

ENDS = ("\n</think>\n\n", " </think>\n")
"""How reasoning may end, where the log does not tell; the first one that the model has tokens for is taken."""
LITTLE = 0.1
"""Where all candidates together are less likely than this, the shares among them say little."""
SCORE = "change that it makes to P(target) when the answer is forced there and then"


def find(lm: LocalLM, chain: Chain, outcome: str | None, parameters: Mapping[str, Any]) -> Anchors:
    """The anchors of a chain; `outcome` is the answer to explain, by default the one that the log tells."""
    spans = sentences_of(chain)
    inside = [span for span in spans if span[0] >= chain.start]
    target = outcome or answer(chain.said, DEFAULT)
    if target == NONE:
        raise BadInputError(f"{chain.source}: the log tells no answer to force: name one with --outcome")
    end = next((end for end in ENDS if not lm.unknown_share(end)), ENDS[0])
    closing, after = closing_of(chain.said, target, end)
    found = _forced(lm, chain, inside, closing, target, after) if inside else None
    first = len(spans) - len(inside)
    weights = [abs(float(each)) for each in found.effects] if found else []
    return Anchors(
        content=chain.digest,
        target=chain.source,
        method="forced",
        score=SCORE,
        model=lm.name,
        revision=lm.revision,
        parameters=dict(parameters),
        sentences=tuple(
            AnchorSentence(
                index=k,
                start=start,
                end=end,
                text=chain.whole[start:end],
                part="chain" if k >= first else "prompt",
                weight=round(weights[k - first], 6) if k >= first else None,
            )
            for k, (start, end) in enumerate(spans)
        ),
        notes=("the model would hardly give any of these answers: the shares among them say little",)
        if found and found.mass.max() < LITTLE
        else (),
        evidence={}
        if found is None
        else {
            "target": target,
            "answers": list(found.candidates),
            "distribution": [[round(float(each), 6) for each in row] for row in found.shares],
            "mass": [round(float(each), 6) for each in found.mass],
            "closing": closing,
        },
    )


def _forced(
    lm: LocalLM, chain: Chain, inside: Sequence[tuple[int, int]], closing: str, target: str, after: str
) -> Forced:
    """Spellings of one answer count together, under the target's name for its own."""
    candidates = candidates_of(chain.text, target)
    text, ends = chain.whole.rstrip(), borders(lm, chain.whole, chain.start, inside)
    return forced(lm, text, ends, closing, candidates, after).merged(classes(candidates, target))
