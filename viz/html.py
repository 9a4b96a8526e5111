"""A finding as one HTML page: the verdict, the run as lanes over time, the evidence of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer.files import write_whole
from tracer.records import Anchors, Edge, Finding, Run, Step
from tracer.viz import wording
from tracer.viz.page import page
from tracer.viz.run_data import run_data

ByStep = Mapping[int, Sequence[Anchors]]


def html_report(
    run: Run,
    steps: Sequence[Step],
    edges: Sequence[Edge],
    finding: Finding,
    anchors: ByStep | None = None,
    agreement: Mapping[int, Mapping[str, Any]] | None = None,
) -> str:
    """The report as one self-contained page. `anchors` are the answers held about steps' reasoning, by step."""
    data = run_data(run, steps, edges, finding, anchors, agreement)
    return page(f"{wording.headline(finding)} · tracer", {"kind": "run"}, [data], lines=plain(data))


def write_html(
    path: Path,
    run: Run,
    steps: Sequence[Step],
    edges: Sequence[Edge],
    finding: Finding,
    anchors: ByStep | None = None,
    agreement: Mapping[int, Mapping[str, Any]] | None = None,
) -> Path:
    """Write the report to `path`, whole or not at all, and return the path."""
    return write_whole(path, html_report(run, steps, edges, finding, anchors, agreement).encode())


def plain(data: Mapping[str, Any]) -> list[str]:
    """The finding in lines, for a reader whose browser runs no script."""
    lines = [f"run {data['id']}: {data['headline']}", " · ".join(data["facts"]), data["reason"]]
    for each in data["candidates"]:
        lines.append(f"{each['rank']}. step {each['step']} · {each['agent']} · {each['figure']}: {each['cues']}")
    return [line for line in [*lines, *data["claims"]] if line]
