"""A report as one text: HTML or Markdown, of one run, of two side by side, or of every run as a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from tracer.reported import Reported

Medium = Literal["html", "markdown"]
Kind = Literal["run", "pair", "list"]


def document(found: Sequence[Reported], kind: Kind, medium: Medium) -> str:
    """The report of one run, of a pair, or of a list of any length."""
    return _WRITERS[kind, medium](found)


def kind_of(found: Sequence[Reported], *, every: bool) -> Kind:
    """What a report of these runs is: a list where it was asked for `every` run, be it one."""
    return "list" if every else "pair" if len(found) > 1 else "run"


def _run_html(found: Sequence[Reported]) -> str:
    from tracer.viz.html import html_report

    return html_report(*found[0])


def _run_markdown(found: Sequence[Reported]) -> str:
    from tracer.viz.markdown import markdown_report

    return markdown_report(*found[0][:5])


def _pair_html(found: Sequence[Reported]) -> str:
    from tracer.analyses.divergence import diverge
    from tracer.viz.comparison import html_comparison

    left, right = found
    return html_comparison(left, right, diverge(left.steps, right.steps))


def _pair_markdown(found: Sequence[Reported]) -> str:
    from tracer.analyses.divergence import diverge
    from tracer.viz.markdown import markdown_comparison

    left, right = found
    return markdown_comparison(left, right, diverge(left.steps, right.steps))


def _list_html(found: Sequence[Reported]) -> str:
    from tracer.viz.listing import html_list

    return html_list(found)


def _list_markdown(found: Sequence[Reported]) -> str:
    from tracer.viz.listing import listed
    from tracer.viz.markdown import markdown_list

    return markdown_list([listed(each.run, each.steps, each.finding) for each in found])


_WRITERS: Mapping[tuple[Kind, Medium], Callable[[Sequence[Reported]], str]] = {
    ("run", "html"): _run_html,
    ("run", "markdown"): _run_markdown,
    ("pair", "html"): _pair_html,
    ("pair", "markdown"): _pair_markdown,
    ("list", "html"): _list_html,
    ("list", "markdown"): _list_markdown,
}
