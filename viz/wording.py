"""The words and figures that every view shares, so that a number never means more in one medium than in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tracer.records import Candidate, Edge, EdgeOrigin, Finding, PathStep, Run, Step
from tracer.text import clean, one_line

ORIGINS: Final[dict[EdgeOrigin, str]] = {
    "declared": "the log says so (call id, reply, hand-off, mention)",
    "reused": "words told there stand here again",
    "similar": "says the same in other words",
    "measured": "an intervention moved it",
}
NO_CUE: Final = "no cue fired"
KINDS: Final[dict[str, str]] = {
    "message": "message",
    "plan": "plan",
    "thought": "thought",
    "tool_call": "tool call",
    "tool_result": "tool result",
    "handoff": "hand-off",
    "system": "system",
    "termination": "termination",
}
_BASES: Final[dict[str, str]] = {
    "in-domain": "The figures were fitted on failed runs of this kind, which people had labelled",
    "out-of-domain": "This run is unlike those the figures were fitted on: trust their order more than their size",
    "measured": "The figures are what is left of the doubt after living the run again",
    "uncalibrated": "The figures rest on a weight that was never fitted: trust their order more than their size",
}
GRAPH_NOTE: Final = "The graph explains how an error travelled; it is not where the accuracy of the ranking comes from."


def percent(value: float) -> str:
    """A fraction as a whole percentage; an estimate is never printed as 0 % or 100 %."""
    if value < 0.01:
        return "<1 %"
    return ">99 %" if value > 0.99 else f"{value:.0%}".replace("%", " %")


def basis(finding: Finding) -> str:
    """Where the probabilities come from, short enough to stand beside every one of them."""
    return one_line(finding.probability_basis or "basis unknown", 40).replace("-", " ")


def figure(candidate: Candidate, finding: Finding) -> str:
    """A candidate's probability with its basis: "41 % (out of domain)", or "rank only" where the method gives none."""
    if candidate.probability is None:
        return "rank only"
    return f"{percent(candidate.probability)} ({basis(finding)})"


def about(candidate: Candidate, finding: Finding) -> str:
    """What a candidate's figure rests on, for those who point at it."""
    if candidate.probability is None:
        return f"The method {clean(finding.method)} gives an order and no probability."
    share = f"estimated P(step {candidate.step} is the decisive one | the run failed) = {candidate.probability:.3f}"
    return f"{share}{_observed(candidate)}; {basis(finding)}; method {clean(finding.method)}, version {finding.version}"


def _observed(candidate: Candidate) -> str:
    if candidate.interval is None:
        return ""
    low, high, n = candidate.interval.low, candidate.interval.high, candidate.interval.n
    return f"; of {n} steps given about as much on labelled runs held out of training, {low:.0%} to {high:.0%} were it"


def leading(finding: Finding) -> Candidate | None:
    """The first candidate, unless there was no failure to explain."""
    return finding.candidates[0] if finding.candidates and finding.verdict != "no_failure" else None


def agent(name: str, width: int = 48) -> str:
    """An agent's name on one line; a log may hold a name of any length, or an empty one."""
    return one_line(name, width) or "(unnamed)"


def cues(candidate: Candidate) -> str:
    """The cues that fired for a candidate, in words."""
    return "; ".join(clean(cue) for cue in candidate.cues) or NO_CUE


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 step", "10 steps"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(steps: Sequence[Step]) -> str:
    """How long a run is and how many took part."""
    return f"{count(len(steps), 'step')} by {count(len({step.agent for step in steps}), 'agent')}"


def run_id(run: Run) -> str:
    """The run's address."""
    return one_line(run.id, 24)


def unreached(cause: Candidate, symptom: int | None) -> str | None:
    """That the path ends before the symptom, where it does."""
    end = cause.path[-1].step if cause.path else cause.step
    return None if symptom in (None, end) else f"No words of step {end} reach the symptom, step {symptom}."


def headline(finding: Finding) -> str:
    """The verdict in one line, without the figure: "step 6 · Verification_Expert", "inconclusive", "no failure"."""
    first = leading(finding)
    if finding.verdict == "root_cause" and first:
        return f"step {first.step} · {agent(first.agent)}"
    return finding.verdict.replace("_", " ")


def outcome(run: Run, finding: Finding | None = None) -> str:
    """How the run ended and who says so; P(failed) where nobody does."""
    if finding is not None and finding.parameters.get("assume"):
        return f"outcome assumed: {finding.outcome} (the log says {run.outcome})"
    if run.outcome != "unknown":
        return f"outcome {run.outcome}" + (f" (says the {clean(run.outcome_source)})" if run.outcome_source else "")
    if finding is None or finding.p_failed is None:
        return "outcome unknown"
    return f"outcome unknown: P(failed) = {finding.p_failed:.2f}"


def excerpt(step: Step, width: int) -> str:
    """One line that says what a step is about: its text, else its call, else its reasoning."""
    call = f"{step.tool or 'call'}({step.arguments or ''})" if step.tool or step.arguments else ""
    said = next((text for text in (step.content, call, step.reasoning) if text and text.strip()), None)
    return one_line(said, width) if said else "(no text)"


def tool_outcome(step: Step) -> str | None:
    """How the tool call ended and the rule that said so; None for a step that is no tool result."""
    if step.tool_status is None:
        return None
    return step.tool_status + (f" (rule: {clean(step.tool_rule)})" if step.tool_rule else "")


def origins(edges: Iterable[Edge]) -> list[tuple[EdgeOrigin, str]]:
    """The origins that occur, each with its meaning: a legend."""
    present = {edge.origin for edge in edges}
    return [(origin, meaning) for origin, meaning in ORIGINS.items() if origin in present]


def spoken(step: Step) -> str:
    """The text that the spans of edges count in: the content, then on a new line the arguments of the call."""
    return f"{step.content}\n{step.arguments}" if step.arguments else step.content


def carried(edge: Edge, target: Step, limit: int = 3) -> str:
    """What an edge brought into its target: the first few different words, as they stand there, else the reason."""
    text = spoken(target)
    words = [one_line(text[span.start : span.end].strip("\"'`"), 60) for span in edge.target_spans]
    return " · ".join(f"“{word}”" for word in list(dict.fromkeys(words))[:limit]) or one_line(edge.reason, 120)


def hop(link: PathStep) -> str:
    """What ties a step of the path to the one before: the words that came along, or what the log says."""
    if not link.text.strip():
        return "no words in common"
    quoted = one_line(link.text, 90)
    return f"declared: {quoted}" if link.origin == "declared" else f"{link.origin or 'linked'}: “{quoted}”"


def claims(finding: Finding) -> list[str]:
    """What the numbers claim and do not claim, one sentence per line."""
    if finding.verdict == "no_failure":
        return ["Nothing in the log says that this run failed. That is no proof that its answer is right."]
    lines = [GRAPH_NOTE]
    if any(candidate.probability is not None for candidate in finding.candidates):
        known = _BASES.get(
            finding.probability_basis or "", "Nothing is known about how these figures carry over to this run"
        )
        lines = [
            "A percentage is the estimated chance that a step is the decisive one, given that the run failed.",
            f"{known} ({clean(finding.basis_reason)})." if finding.basis_reason else f"{known}.",
            *lines,
        ]
    else:
        lines = [f"The method {clean(finding.method)} only ranks: it gives no probabilities.", *lines]
    if finding.evidence.get("judge"):
        lines.append("The judge's votes are one model's opinion, asked several times; its interval says nothing else.")
    replayed = finding.evidence.get("replay")
    if replayed:
        told = count(int(replayed["forks"]), "fork")
        return [*lines, f"{told} of the run were lived; intervals hold 95 % of what they leave possible."]
    return [*lines, "Nothing was replayed or changed: a step that ranks low is not thereby proven innocent."]


def tier_lines(finding: Finding) -> list[str]:
    """What each tier named, cheapest first; the last one counts."""
    told = finding.evidence.get("tiers") or ()
    width = max((len(str(each["tier"])) for each in told), default=0)
    return [f"{each['tier']:<{width}}  {_named(each)}" for each in told]


def _named(tier: Mapping[str, Any]) -> str:
    """The step that a tier named, how surely, and what it gave to the first candidate."""
    if tier["step"] is None:
        return clean(str(tier.get("words") or "no step"))
    told = clean(str(tier.get("words") or percent(tier["probability"])))
    gave = next(iter(tier.get("gave") or ()), None)
    odds = f"; to step {gave['step']} {gave['nats']:+.2f} nats at weight {tier['weight']:g}" if gave else ""
    return f"step {tier['step']} ({told}){odds}"
