"""The anchors view of one step as plain data: its sentences once, and beside them what each method says.

Sentences are known by their position: the prompt's come first, then those of the reasoning. Answers are known by their
position in a method's `answers`, the one that is explained first, so that no foreign word is ever the key of anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracer.equivalence import NONE, TRUNCATED
from tracer.records import Alternative, Anchors, AnchorSentence, Resampled
from tracer.text import one_line

MATRIX: Final = 300
"""Sentences up to which a matrix is shown."""
LINKS: Final = 60
"""Links that are drawn at most."""
ANSWERS: Final = 5
"""Answers that are told apart; all others are one."""
SEEN: Final = 0.02
"""So are those whose share is below this from every sentence on."""
LONGEST: Final = 20_000
"""Characters of a sentence that are shown."""
ALTERNATIVE: Final = 600
"""Of one that stands in its place."""
WORDS: Final = {NONE: "no answer", TRUNCATED: "cut off before an answer"}
_COUNTED: Final = ("before", "after", "effect", "low", "high", "n_before", "n_after", "q", "verdict", "different")
_SAME: Final = ("method", "model", "revision", "parameters")

Place = tuple[int, int]
"""Start and end of a sentence."""


def sentences_view(found: Sequence[Anchors], agreement: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the page needs of the answers about one chain of thought, and of how far they agree.

    `agreement` is what `tracer.analyses.agreement.compare` says of the same answers. Every method is laid over the
    sentences of the answer that has most of them; a sentence that it does not know has no value there.
    """
    base = max(found, key=lambda each: len(each.sentences)).sentences if found else ()
    places = {(each.start, each.end): k for k, each in enumerate(base)}
    return {
        "target": found[0].target if found else "",
        "sentences": _sentences(base, found),
        "methods": [_method(each, name, places) for each, name in zip(found, _names(found, agreement), strict=True)],
        "agreement": None
        if agreement is None
        else {key: agreement[key] for key in ("pairs", "concordance", "links", "notes")},
    }


def _sentences(base: Sequence[AnchorSentence], found: Sequence[Anchors]) -> list[dict[str, Any]]:
    """Text by text; `gap` says that blanks stand between this one and the one before, which belong to none."""
    kinds = {(s.start, s.end): s.kind for each in found for s in each.sentences if s.kind}
    ends = [0, *(each.end for each in base)]
    return [
        {
            "text": each.text[:LONGEST],
            "cut": len(each.text) if len(each.text) > LONGEST else 0,
            "part": each.part,
            "kind": kinds.get((each.start, each.end)),
            "gap": each.start > end and k > 0 and base[k - 1].part == each.part,
        }
        for k, (each, end) in enumerate(zip(base, ends, strict=False))
    ]


def _names(found: Sequence[Anchors], agreement: Mapping[str, Any] | None) -> list[str]:
    """As the agreement calls them, so that two answers of one method can be told apart."""
    told = [(_key(each), each["name"]) for each in agreement["methods"]] if agreement else []
    return [
        next((name for key, name in told if key == _key(each.model_dump(include=set(_SAME)))), each.method)
        for each in found
    ]


def _key(each: Mapping[str, Any]) -> list[Any]:
    return [each[name] for name in _SAME]


def _method(found: Anchors, name: str, places: Mapping[Place, int]) -> dict[str, Any]:
    own = {(each.start, each.end): each for each in found.sentences}
    rows = [own.get(place) for place in places]
    alike = list(own) == list(places)
    answers = _answers(found)
    apart = () if alike else ("it was run on sentences that were split differently, so its links are left out",)
    return {
        "name": one_line(name, 60),
        **{key: getattr(found, key) for key in ("method", "score", "model", "revision")},
        "parameters": [
            [key, str(value)] for key, value in found.parameters.items() if value is not None and value is not False
        ],
        "facts": _facts(found.evidence),
        "signed": _signed(found) is not None,
        "values": _values(found, rows),
        "resampled": [_resampled(_drawn(each), answers) if each else None for each in rows],
        **_along(found, answers),
        "matrix": _matrix(found) if alike else None,
        "links": _links(found) if alike else [],
        "redundant": list(found.redundant) if alike else [],
        "heads": _heads(found.evidence),
        "notes": [*found.notes, *apart, *_large(found)],
    }


def _signed(found: Anchors) -> dict[Place, float] | None:
    """Effects with their sign, where the method knows it: its weights are of sizes only."""
    inside = [each for each in found.sentences if each.part == "chain"]
    if any(each.resampled for each in inside):
        return {(each.start, each.end): told.effect for each in inside if (told := _drawn(each))}
    rows, target = found.evidence.get("distribution"), found.evidence.get("target")
    if not rows or target not in found.evidence["answers"] or len(rows) != len(inside) + 1:
        return None
    column = [row[found.evidence["answers"].index(target)] for row in rows]
    return {(s.start, s.end): after - before for s, before, after in zip(inside, column, column[1:], strict=False)}


def _values(found: Anchors, rows: Sequence[AnchorSentence | None]) -> list[float | None]:
    """By which sentences are tinted: effects where there is a sign, else weights."""
    signed = _signed(found)
    if signed is None:
        return [None if each is None or each.weight is None else _short(each.weight) for each in rows]
    return [
        _short(signed[each.start, each.end]) if each and (each.start, each.end) in signed else None for each in rows
    ]


def _drawn(sentence: AnchorSentence) -> Resampled | None:
    """What resampling says, if it has rollouts on both sides: over a stretch that changes nothing none may be spent."""
    told = sentence.resampled
    return told if told and told.told else None


def _resampled(each: Resampled | None, answers: Mapping[str, int]) -> dict[str, Any] | None:
    if each is None:
        return None
    return {
        **{key: _short(value) if isinstance(value := getattr(each, key), float) else value for key in _COUNTED},
        "counterfactual": each.counterfactual and [_short(value) for value in each.counterfactual],
        "alternatives": [_alternative(other, answers) for other in each.alternatives],
    }


def _alternative(each: Alternative, answers: Mapping[str, int]) -> dict[str, Any]:
    counts = [0] * (len(answers) + 1)
    for answer, count in each.answers.items():
        counts[answers.get(answer, len(answers))] += count
    told = {
        "text": one_line(each.text, ALTERNATIVE),
        "similarity": _short(each.similarity),
        "share": _short(each.share),
    }
    return told | {"count": each.count, "similar": each.similar, "answers": counts}


def _answers(found: Anchors) -> dict[str, int]:
    """The answers that are told apart, the explained one first, then the most frequent ones -> their positions."""
    names = [str(each) for each in found.evidence.get("answers", ())]
    rows = [row for row in found.evidence.get("distribution", ()) if row is not None]
    seen = [name for name, *shares in zip(names, *rows, strict=False) if not rows or max(shares) >= SEEN]
    target = found.evidence.get("target")
    every = dict.fromkeys([*([] if target is None else [str(target)]), *seen])
    return {answer: k for k, answer in enumerate(list(every)[:ANSWERS])}


def _along(found: Anchors, answers: Mapping[str, int]) -> dict[str, Any]:
    """The answers at each border between sentences; the last share is that of all others together."""
    names = [str(each) for each in found.evidence.get("answers", ())]
    shares = [None if row is None else _pooled(row, names, answers) for row in found.evidence.get("distribution", ())]
    told = [one_line(WORDS.get(answer, answer), 80) or "(blank)" for answer in answers]
    return {"answers": told, "distribution": shares, "mass": [_short(each) for each in found.evidence.get("mass", ())]}


def _pooled(row: Sequence[float], names: Sequence[str], answers: Mapping[str, int]) -> list[float]:
    shares = [0.0] * (len(answers) + 1)
    for name, share in zip(names, row, strict=False):
        shares[answers.get(name, len(answers))] += share
    return [round(share, 3) for share in shares]


def _matrix(found: Anchors) -> list[list[float]] | None:
    """What stands below the diagonal: row t has t values, of sentence t's sources."""
    if found.matrix is None or len(found.matrix) > MATRIX:
        return None
    return [[_short(value) for value in row[:target]] for target, row in enumerate(found.matrix)]


def _large(found: Anchors) -> list[str]:
    told = f"the matrix is left out: {len(found.sentences)} sentences are more than {MATRIX}; it is in the JSON"
    return [told] if found.matrix is not None and len(found.matrix) > MATRIX else []


def _links(found: Anchors) -> list[dict[str, Any]]:
    """What earlier sentences do to later ones of the reasoning: those told with an interval, else the largest cells."""
    if "links" in found.evidence:
        return [_link(each) for each in found.evidence["links"][:LINKS]]
    written = [each.part == "chain" for each in found.sentences]
    cells = [
        (value, source, target)
        for target, row in enumerate(found.matrix or ())
        for source, value in enumerate(row[:target])
        if written[target] and written[source] and value > 0
    ]
    most = sorted(cells, reverse=True)[: min(LINKS, 2 * len(written))]
    return [{"source": source, "target": target, "value": _short(value)} for value, source, target in most]


def _link(each: Mapping[str, Any]) -> dict[str, Any]:
    figures = {key: _short(each[key]) for key in ("before", "after", "low", "high", "q")}
    return {"source": each["source"], "target": each["target"], "value": _short(each["effect"])} | figures


def _heads(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Receiver heads by how many sentences they look back at least."""
    return [
        {"gap": gap, "heads": [[each["layer"], each["head"], round(each["kurtosis"], 2)] for each in heads]}
        for gap, heads in evidence.get("receiver_heads", {}).items()
    ]


def _facts(evidence: Mapping[str, Any]) -> list[str]:
    """What resampling spent, and how it compared."""
    if "rollouts" not in evidence:
        return []
    sweep = evidence.get("sweep", {}).get("rollouts")
    spent = f"{evidence['rollouts']:,} rollouts" + (f"; a full sweep would take {sweep:,}" if sweep else "")
    return [spent, f"sentences compared by {one_line(str(evidence.get('encoder', 'their words')), 60)}"]


def _short(value: float) -> float:
    """Three digits that count."""
    return float(f"{value:.3g}")
