"""A finding as one HTML file that opens from disk, loads nothing and runs nothing but its own script.

Every word of a log is hostile here: the template escapes it, the script receives it as JSON and only ever sets
`textContent`, and a content security policy with the hashes of our one style and one script forbids all else.
"""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tracer.files import write_whole
from tracer.records import Candidate, Edge, Finding, Run, Step, TextSpan
from tracer.text import clean
from tracer.viz import wording
from tracer.viz.layout import Layout, layout


def html_report(run: Run, steps: Sequence[Step], edges: Sequence[Edge], finding: Finding) -> str:
    """The report as one self-contained page: the verdict, the run as lanes over time, the evidence per step."""
    first = wording.leading(finding)
    route = [hop.step for hop in first.path] if first else []
    tall = {*route, *([first.step] if first else []), *([finding.symptom] if finding.symptom is not None else [])}
    plan = layout(steps, edges, tall, route)
    style = f":root{{--lanes:{plan.width:.0f}px;--short:{plan.short}px}}\n{_template('style.css')}"
    script = _template("app.js")
    return (
        _environment()
        .from_string(_template("template.html"))
        .render(
            run=run,
            finding=finding,
            first=first,
            plan=plan,
            rows=_rows(steps, finding, plan),
            candidates=[_candidate(candidate, finding) for candidate in finding.candidates],
            words=wording,
            origins=wording.origins(edges),
            steps=steps,
            data={
                "steps": _evidence(steps, finding),
                "edges": _edges(steps, edges),
                "first": first.step if first else None,
            },
            style=Markup(style),  # noqa: S704 (our own file and two numbers)
            script=Markup(script),  # noqa: S704 (our own file)
            policy=_policy(style, script),
        )
    )


def write_html(path: Path, run: Run, steps: Sequence[Step], edges: Sequence[Edge], finding: Finding) -> Path:
    """Write the report to `path`, whole or not at all, and return the path."""
    return write_whole(path, html_report(run, steps, edges, finding).encode())


def _template(name: str) -> str:
    return (files("tracer.viz") / "templates" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return environment


def _policy(style: str, script: str) -> str:
    """Nothing may load or run except the one style and the one script whose hashes stand here."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _rows(steps: Sequence[Step], finding: Finding, plan: Layout) -> list[dict[str, Any]]:
    """What the run view prints beside each dot."""
    rank = _ranks(finding)
    return [
        {
            "place": place,
            "part": part(step.index, finding),
            "agent": wording.agent(step.agent),
            "kind": wording.KINDS[step.kind],
            "status": step.tool_status if step.tool_status in ("error", "empty") else "",
            "said": wording.excerpt(step, 240),
            "rank": rank[step.index].rank if step.index in rank else None,
        }
        for step, place in zip(steps, plan.rows, strict=True)
    ]


def part(index: int, finding: Finding) -> str:
    """What a step is to the finding: "cause", "lead" (best guess of an inconclusive one), "symptom", "path" or ""."""
    first = wording.leading(finding)
    if first and index == first.step:
        return "cause" if finding.verdict == "root_cause" else "lead"
    if index == finding.symptom:
        return "symptom"
    return "path" if first and any(hop.step == index for hop in first.path) else ""


def _ranks(finding: Finding) -> dict[int, Candidate]:
    return {candidate.step: candidate for candidate in finding.candidates}


def _candidate(candidate: Candidate, finding: Finding) -> dict[str, Any]:
    return {
        "rank": candidate.rank,
        "step": candidate.step,
        "agent": wording.agent(candidate.agent),
        "figure": wording.figure(candidate, finding),
        "bar": None if candidate.probability is None else round(100 * candidate.probability, 1),
        "cues": wording.cues(candidate),
        "part": part(candidate.step, finding),
    }


def _evidence(steps: Sequence[Step], finding: Finding) -> list[dict[str, Any]]:
    """Each step with its full text, for the evidence panel."""
    rank = _ranks(finding)
    return [
        {
            "index": step.index,
            "agent": wording.agent(step.agent, 200),
            "part": part(step.index, finding),
            "facts": _facts(step),
            "content": step.content,
            "reasoning": step.reasoning or "",
            "reasoning_state": step.reasoning_state,
            "tool": clean(step.tool or ""),
            "arguments": step.arguments or "",
            "outcome": wording.tool_outcome(step) or "",
            "figure": wording.figure(rank[step.index], finding) if step.index in rank else "",
            "cues": [clean(cue) for cue in rank[step.index].cues] if step.index in rank else [],
        }
        for step in steps
    ]


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


def _edges(steps: Sequence[Step], edges: Sequence[Edge]) -> list[dict[str, Any]]:
    at = {step.index: step for step in steps}
    return [
        {
            "source": edge.source,
            "target": edge.target,
            "origin": edge.origin,
            "weight": edge.weight,
            "carried": wording.carried(edge, at[edge.target], 8),
            "from": _spans(wording.spoken(at[edge.source]), edge.source_spans),
            "to": _spans(wording.spoken(at[edge.target]), edge.target_spans),
        }
        for edge in edges
        if edge.source in at and edge.target in at
    ]


def _spans(text: str, spans: Sequence[TextSpan]) -> list[tuple[int, int]]:
    """Python counts code points, the browser counts UTF-16 units: the same slices in the browser's count."""
    wide = [position for position, character in enumerate(text) if character > "\uffff"] if spans else []
    return [(span.start + bisect_left(wide, span.start), span.end + bisect_left(wide, span.end)) for span in spans]
