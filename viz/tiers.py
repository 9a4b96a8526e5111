"""The evidence for a candidate by tier, cheapest first: what was inferred is never mixed with what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracer.records import Anchors, AnchorSentence, Candidate, Finding
from tracer.text import clean, one_line
from tracer.viz.wording import NO_CUE, count, tier_lines

QUOTES = 3
"""Citations of the judge that are shown for a candidate."""


def tiers(candidate: Candidate, finding: Finding, anchors: Sequence[Anchors] = ()) -> list[dict[str, Any]]:
    """[{"name", "asked", "lines"}] for structure, judge and intervention, the last from the `anchors` of its step."""
    measured = [*_replayed(candidate, finding), *(line for found in anchors if (line := _measured(found)))]
    return [
        {"name": "structure", "asked": True, "lines": [*_structure(candidate, finding), *_graph(candidate, finding)]},
        {"name": "judge", "asked": bool(finding.evidence.get("judge")), "lines": _judged(candidate, finding)},
        {
            "name": "intervention",
            "asked": bool(measured),
            "lines": measured or ["nothing was replayed, hidden or written anew for this step"],
        },
    ]


def _judged(candidate: Candidate, finding: Finding) -> list[str]:
    """Votes for the step, the first reason and the citations that were found in it."""
    told = finding.evidence.get("judge")
    if not told:
        return ["not asked: it needs a language model"]
    ballots = [each for each in told["ballots"] if each.get("step") == candidate.step]
    if not ballots and candidate.step not in told["offered"]:
        return ["not offered to it"]
    lines = [f"{len(ballots)} of {told['samples']} samples of {clean(str(told['model']))} name it"]
    lines += [f"“{one_line(str(ballots[0]['reason']), 300)}”"] if ballots and ballots[0].get("reason") else []
    quotes = dict.fromkeys(one_line(str(quote), 120) for each in ballots for quote in each.get("quotes", ()))
    lines += [f"cites “{quote}”" for quote in list(quotes)[:QUOTES]]
    if dropped := sum(int(each.get("dropped", 0)) for each in ballots):
        lines.append(f"{count(dropped, 'citation')} that the step does not hold dropped")
    return lines


def _replayed(candidate: Candidate, finding: Finding) -> list[str]:
    """What living the run again says of the step, and what the tiers before said."""
    if not finding.evidence.get("replay"):
        return []
    return [*(clean(cue) for cue in candidate.cues[:1]), *(clean(line) for line in tier_lines(finding))]


def _structure(candidate: Candidate, finding: Finding) -> list[str]:
    measured = 1 if finding.evidence.get("replay") else 0  # replay's own cue comes first
    return [clean(cue) for cue in candidate.cues[measured:]] or [NO_CUE]


def _graph(candidate: Candidate, finding: Finding) -> list[str]:
    told = [each for each in finding.evidence.get("graph", ()) if each.get("step") == candidate.step]
    if not told or finding.symptom is None:
        return []
    upstream = "its words reach the symptom" if told[0]["upstream_of_symptom"] else "no words of it reach the symptom"
    return [f"{upstream} (impact {told[0]['impact']:.2f})"]


def _measured(found: Anchors) -> str:
    """The leading sentence by one method; only resampling and suppression intervene."""
    if found.method == "resample":
        told = [(s, s.resampled) for s in found.sentences if s.resampled and s.resampled.verdict == "anchor"]
        if not told:
            return "resampling: no sentence of its reasoning moves the outcome for certain"
        sentence, each = max(told, key=lambda pair: pair[1].low)
        return (
            f"resampling: sentence {sentence.index}, {_quoted(sentence)}, moves P(outcome) by "
            f"{each.effect:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"
        )
    if found.method == "suppress":
        weighed = [s for s in found.sentences if s.part == "chain" and s.weight]
        if weighed:
            sentence = max(weighed, key=lambda each: each.weight or 0.0)
            return f"suppression: most of the later reasoning rests on sentence {sentence.index}, {_quoted(sentence)}"
    return ""


def _quoted(sentence: AnchorSentence) -> str:
    return f"“{one_line(sentence.text, 80)}”"
