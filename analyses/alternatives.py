"""What rollouts write in the place of a sentence, and what becomes of the answer then.

Rollouts that write the same sentence count together. A replacement that is as like the sentence as the threshold asks
says the same in other words; the others say something else (Thought Anchors, arXiv 2506.19143, section 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tracer.records import Alternative
from tracer.sentences import split

TOLD = 6
"""Of those that say the same, and of those that say something else, so many are told."""


def alternatives(
    texts: Sequence[str], labels: Sequence[str], cosines: Sequence[float], target: str, threshold: float
) -> tuple[Alternative, ...]:
    """The most frequent different ones, then the most frequent similar ones, the sentence itself among these.

    All three lists are of the rollouts of one prefix: what each writes in the sentence's place, the class of its
    answer, and how like the sentence it is.
    """
    written: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        written.setdefault(text, []).append(place)
    most = sorted(written.items(), key=lambda each: -len(each[1]))
    found = [
        _alternative(text, [labels[k] for k in places], cosines[places[0]], target, threshold) for text, places in most
    ]
    return tuple(each for similar in (False, True) for each in [e for e in found if e.similar is similar][:TOLD])


def _alternative(text: str, labels: Sequence[str], cosine: float, target: str, threshold: float) -> Alternative:
    return Alternative(
        text=text,
        count=len(labels),
        similarity=round(cosine, 6),
        similar=cosine >= threshold,
        share=round(labels.count(target) / len(labels), 6),
        answers=dict(Counter(labels).most_common()),
    )


def first_sentence(text: str) -> str:
    """The first sentence of a rollout, without the blanks around it; "" where it writes nothing."""
    return next((text[a:b].strip() for a, b in split(text) if text[a:b].strip()), "")
