"""Runs as they come in: a table that is drawn again and again at a terminal, and one line per change elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from tracer.records import Finding, Run
from tracer.text import one_line
from tracer.viz import wording

_STYLES = {"running": "cyan", "failed": "red", "ok": "green", "ended": "dim"}
_SHOWN = 20
"""Rows of the table: the newest runs."""


class LiveRow(NamedTuple):
    """A run at one look."""

    run: Run
    state: str
    steps: int
    agents: int


def live_table(rows: Sequence[LiveRow]) -> Table:
    """The newest runs with their states, the newest last."""
    table = Table(box=None, pad_edge=False, expand=True, caption=_caption(rows), caption_justify="left")
    for heading in ("run", "state", "steps", "agents", "framework", "task"):
        table.add_column(heading, no_wrap=True, ratio=1 if heading == "task" else None, overflow="ellipsis")
    for row in rows[-_SHOWN:]:
        table.add_row(
            Text(wording.run_id(row.run)),
            Text(row.state, style=_STYLES.get(row.state, "")),
            Text(str(row.steps)),
            Text(str(row.agents)),
            Text(one_line(row.run.framework or row.run.format, 20)),
            Text(one_line(row.run.task, 200)),
        )
    return table


def _caption(rows: Sequence[LiveRow]) -> str:
    shown = f"; the last {_SHOWN} are shown" if len(rows) > _SHOWN else ""
    return f"{len(rows)} run{'' if len(rows) == 1 else 's'}{shown}; Ctrl-C ends"


def live_line(row: LiveRow, at: datetime) -> str:
    """One change as one line: when, which run, what state, how far."""
    counts = f"{row.steps} steps, {row.agents} agents"
    return f"{at:%H:%M:%S} {wording.run_id(row.run)} {row.state:<7} {counts}  {one_line(row.run.task, 80)}".rstrip()


def blame_line(run: Run, finding: Finding, at: datetime) -> str:
    """Who is to blame for a run, as one line."""
    first = wording.leading(finding)
    found = f"{at:%H:%M:%S} {wording.run_id(run)} blame   {finding.verdict.replace('_', ' ')}"
    if first is None:
        return f"{found}: {one_line(finding.verdict_reason, 100)}"
    return f"{found}: step {first.step} by {wording.agent(first.agent, 24)}, {wording.figure(first, finding)}"
