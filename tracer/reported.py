"""All that a report shows of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracer.records import Anchors, Edge, Finding, Run, Step


class Reported(NamedTuple):
    """A run, its explanation, and what the methods of `tracer anchors` said of its steps' reasoning."""

    run: Run
    steps: Sequence[Step]
    edges: Sequence[Edge]
    finding: Finding
    anchors: Mapping[int, Sequence[Anchors]]
    """By step; only steps about whose reasoning an answer is held."""
    agreement: Mapping[int, Mapping[str, Any]]
    """How far the methods agree, by step; only where there are two or more."""
