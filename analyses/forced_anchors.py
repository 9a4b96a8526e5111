"""Thought anchors of one chain by forced answers: the cheap tier, exact and without sampling, as an `Anchors` record.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracer.analyses.chain_sentences import of_sentences, sentences_of
from tracer.analyses.forced import Forced, candidates_of, closing_of, forced
from tracer.analyses.resampling import borders
from tracer.answers import DEFAULT, answer
from tracer.chain import Chain
from tracer.equivalence import NONE, classes
from tracer.errors import BadInputError
from tracer.records import Anchors

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

ENDS = ("\n</think>\n\n", " </think>\n")
"""How reasoning may end, where the log does not tell; the first one that the model has tokens for is taken."""
LITTLE = 0.1
"""Where all candidates together are less likely than this, the shares among them say little."""
SCORE = "change that it makes to P(target) when the answer is forced there and then"


def find(lm: LocalLM, chain: Chain, outcome: str | None, parameters: Mapping[str, Any]) -> Anchors:
    """The anchors of a chain; `outcome` is the answer to explain, by default the one that the log tells."""
    inside = [span for span in sentences_of(chain) if span[0] >= chain.start]
    target = outcome or answer(chain.said, DEFAULT)
    if target == NONE:
        raise BadInputError(f"{chain.source}: the log tells no answer to force: name one with --outcome")
    end = next((end for end in ENDS if not lm.unknown_share(end)), ENDS[0])
    closing, after = closing_of(chain.said, target, end)
    found = _forced(lm, chain, inside, closing, target, after) if inside else None
    weights = [abs(float(each)) for each in found.effects] if found else []
    anchors = of_sentences(lm, chain, "forced", SCORE, parameters, weights)
    return anchors.model_copy(update=_told(found, target, closing)) if found else anchors


def _told(found: Forced, target: str, closing: str) -> dict[str, Any]:
    """What the weights rest on."""
    little = "the model would hardly give any of these answers: the shares among them say little"
    return {
        "notes": (little,) if found.mass.max() < LITTLE else (),
        "evidence": {
            "target": target,
            "answers": list(found.candidates),
            "distribution": [[round(float(each), 6) for each in row] for row in found.shares],
            "mass": [round(float(each), 6) for each in found.mass],
            "closing": closing,
        },
    }


def _forced(
    lm: LocalLM, chain: Chain, inside: Sequence[tuple[int, int]], closing: str, target: str, after: str
) -> Forced:
    """Spellings of one answer count together, under the target's name for its own."""
    candidates = candidates_of(chain.text, target)
    text, ends = chain.whole.rstrip(), borders(lm, chain.whole, chain.start, inside)
    return forced(lm, text, ends, closing, candidates, after).merged(classes(candidates, target))
