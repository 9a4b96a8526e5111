"""A report inside a notebook: the whole page in a frame of its own."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import escape

from tracer.records import Edge, Finding, Run, Step
from tracer.viz.html import html_report

HEIGHT = 720
"""CSS pixels."""


def framed(run: Run, steps: Sequence[Step], edges: Sequence[Edge], finding: Finding) -> str:
    """The page in a sandboxed frame: it runs its own script, and reaches neither the notebook nor the network."""
    page = html_report(run, steps, edges, finding)
    return (
        f'<iframe sandbox="allow-scripts" srcdoc="{escape(page)}" width="100%" height="{HEIGHT}" '
        'title="Report" frameborder="0"></iframe>'
    )
