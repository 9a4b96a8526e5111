"""A report inside a notebook: the whole page in a frame of its own."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import escape

from tracer.records import Edge, Finding, Run, Step
from tracer.viz.html import html_report

HEIGHT = 720
"""CSS pixels."""
_BASE = '<base href="about:srcdoc">'
"""Else a link to a step of the page would lead to the notebook. It stands before the policy that forbids any other."""


def framed(run: Run, steps: Sequence[Step], edges: Sequence[Edge], finding: Finding) -> str:
    """The page in a sandboxed frame: it runs its own script, and reaches neither the notebook nor the network."""
    page = html_report(run, steps, edges, finding).replace("<head>", f"<head>\n{_BASE}", 1)
    return (
        f'<iframe sandbox="allow-scripts" srcdoc="{escape(page)}" width="100%" height="{HEIGHT}" '
        'title="Report" frameborder="0"></iframe>'
    )
