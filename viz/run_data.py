"""A run and its finding as the data of the page: plain JSON values, in the browser's count of characters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import PurePath
from typing import Any, Final

from tracer.records import Anchors, Candidate, Edge, Finding, Run, Step, TextSpan
from tracer.text import clean, one_line
from tracer.viz import wording
from tracer.viz.layout import Layout, layout
from tracer.viz.sentences import sentences_view
from tracer.viz.tiers import tiers

LONGEST: Final = 20_000
"""Characters of one text that go into the page; the page says how many there were."""


def run_data(
    run: Run,
    steps: Sequence[Step],
    edges: Sequence[Edge],
    finding: Finding,
    anchors: Mapping[int, Sequence[Anchors]] | None = None,
    agreement: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Everything that the page shows of a run. `anchors` and their `agreement` are by step."""
    held = anchors or {}
    first = wording.leading(finding)
    route = [hop.step for hop in first.path] if first else []
    shown = [edge for edge in edges if _exist(edge, len(steps))]
    plan = layout(steps, shown, {*route, *(candidate.step for candidate in finding.candidates)})
    return {
        "id": wording.run_id(run),
        "headline": wording.headline(finding),
        "verdict": finding.verdict,
        "reason": clean(finding.verdict_reason),
        "outcome": wording.outcome(run, finding),
        "ended": {"answer": _cut(run.answer or "")[0], "expected": _cut(run.expected or "")[0]},
        "facts": [wording.size(steps), wording.outcome(run, finding), clean(run.framework or run.format)],
        "source": PurePath(run.source).name,
        "notes": [clean(note) for note in run.notes],
        "method": f"{clean(finding.method)} (version {finding.version})",
        "models": sorted({clean(f"{each.model} {each.revision[:12]}") for found in held.values() for each in found}),
        "task": _cut(run.task)[0],
        "symptom": finding.symptom if finding.symptom is not None and finding.symptom < len(steps) else None,
        "candidates": [_candidate(each, finding, held.get(each.step, ())) for each in finding.candidates],
        "unreached": wording.unreached(first, finding.symptom) if first else None,
        "claims": wording.claims(finding),
        "lanes": [[wording.agent(lane.agent, 60), lane.others] for lane in plan.lanes],
        "phases": [list(phase) for phase in plan.phases],
        "steps": [_step(step, lane, finding) for step, lane in zip(steps, plan.lane, strict=True)],
        "origins": dict(wording.origins(shown)),
        "edges": _edges(steps, shown, plan),
        "anchors": {
            str(index): sentences_view(found, (agreement or {}).get(index)) for index, found in held.items() if found
        },
    }


def part(index: int, finding: Finding) -> str:
    """What a step is to the finding: "cause", "lead" (best guess of an inconclusive one), "symptom", "path" or ""."""
    first = wording.leading(finding)
    if first and index == first.step:
        return "cause" if finding.verdict == "root_cause" else "lead"
    if index == finding.symptom:
        return "symptom"
    return "path" if first and any(hop.step == index for hop in first.path) else ""


def _exist(edge: Edge, steps: int) -> bool:
    return 0 <= edge.source < steps and 0 <= edge.target < steps and edge.source != edge.target


def _candidate(candidate: Candidate, finding: Finding, anchors: Sequence[Anchors]) -> dict[str, Any]:
    return {
        "rank": candidate.rank,
        "step": candidate.step,
        "agent": wording.agent(candidate.agent),
        "probability": candidate.probability,
        "interval": [candidate.interval.low, candidate.interval.high] if candidate.interval else None,
        "figure": wording.figure(candidate, finding),
        "about": wording.about(candidate, finding),
        "cues": wording.cues(candidate),
        "tiers": tiers(candidate, finding, anchors),
        "path": [
            {
                "step": hop.step,
                "agent": wording.agent(hop.agent),
                "carried": wording.hop(hop),
                "tied": bool(hop.text.strip()),
            }
            for hop in (candidate.path if candidate.rank == 1 else ())  # the page shows the way of the first only
        ],
    }


def _step(step: Step, lane: int, finding: Finding) -> dict[str, Any]:
    """One step; what is empty is left out, for a long run has many."""
    told = {
        "index": step.index,
        "agent": wording.agent(step.agent, 200),
        "lane": lane,
        "kind": wording.KINDS[step.kind],
        "part": part(step.index, finding),
        "status": step.tool_status if step.tool_status in ("error", "empty") else "",
        "facts": _facts(step),
        "outcome": wording.tool_outcome(step) or "",
        "tool": clean(step.tool or ""),
        "hidden": step.reasoning_state == "unreadable",
    }
    cuts = {}
    for name, text in (("content", step.content), ("reasoning", step.reasoning), ("arguments", step.arguments)):
        told[name], cut = _cut(text or "")
        if cut:
            cuts[name] = cut
    if "content" in cuts:
        told["wide"] = _units(step.content)  # spans of the arguments count on from the whole content
    return {name: value for name, value in (told | {"cuts": cuts}).items() if value or name in {"index", "lane"}}


def _cut(text: str) -> tuple[str, int]:
    """The text as far as the page holds it, and its whole length if that is more."""
    return (text, 0) if len(text) <= LONGEST else (text[:LONGEST], len(text))


def _facts(step: Step) -> list[str]:
    """What else the log says of a step, in the order in which one wants to know it."""
    tokens = [
        f"{count:,} tokens {way}" for count, way in ((step.input_tokens, "in"), (step.output_tokens, "out")) if count
    ]
    time = step.started.isoformat(sep=" ", timespec="seconds") if step.started else step.raw_time
    to = f"to {step.recipient}" if step.recipient else None
    facts = (wording.KINDS[step.kind], to, step.role, step.model, *tokens, time, _place(step))
    return [clean(fact) for fact in facts if fact]


def _place(step: Step) -> str:
    """Where the step stands in its log; of the path only the name, for a report is sent to others."""
    if step.pointer is None:
        return ""
    file, member, line, path = step.pointer.file, step.pointer.member, step.pointer.line, step.pointer.path
    return " ".join(str(part) for part in (PurePath(file).name, member, line, path) if part)


def _edges(steps: Sequence[Step], edges: Sequence[Edge], plan: Layout) -> list[list[Any]]:
    """[source, target, origin, weight, why, spans at the source, spans at the target, main]; spans are flat."""
    texts: dict[int, list[int]] = {}
    return [
        [
            edge.source,
            edge.target,
            edge.origin,
            round(edge.weight, 3),
            "" if edge.target_spans else one_line(edge.reason, 120),
            _spans(steps[edge.source], edge.source_spans, texts),
            _spans(steps[edge.target], edge.target_spans, texts),
            int(k in plan.main),
        ]
        for k, edge in enumerate(edges)
    ]


def _spans(step: Step, spans: Sequence[TextSpan], texts: dict[int, list[int]]) -> list[int]:
    """Python counts code points, the browser counts UTF-16 units: the same slices in the browser's count."""
    if not spans:
        return []
    if step.index not in texts:
        text = wording.spoken(step)
        wide = [] if text.isascii() else [place for place, character in enumerate(text) if character > "\uffff"]
        texts[step.index] = wide
    wide = texts[step.index]
    ends = chain.from_iterable((span.start, span.end) for span in spans)
    return [place + bisect_left(wide, place) for place in ends]


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
