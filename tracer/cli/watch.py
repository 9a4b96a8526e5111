"""`tracer watch`: runs as they come in, and who is to blame once one has failed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db

if TYPE_CHECKING:
    from tracer.explanation import Explanation
    from tracer.watching import Seen, Watch

Show = Callable[["Sequence[Seen]", "Sequence[Explanation]"], None]
"""Shows the runs that changed, and what was found out about those that failed."""


def watch(
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, metavar="SECONDS", help="Time between two looks.")
    ] = 1.0,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, metavar="SECONDS", help="End after so long. Default: at Ctrl-C.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also blame the runs that had failed before.")] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Watch runs as they come in, and blame each that has failed.

    A run is `running` until its outermost span has come, or nothing came for a minute; then it `failed`, is `ok`, or
    has `ended` without a word on how. Where the output is no terminal, each change is a line.

    \b
    Example: tracer watch --db live.duckdb
    """
    from tracer.config import database_path
    from tracer.explanation import DEFAULTS
    from tracer.watching import Watch

    watching = Watch(database_path(db), DEFAULTS)
    until = None if seconds is None else time.monotonic() + seconds
    with suppress(KeyboardInterrupt):
        before = watching.changes()
        if not every:
            watching.settle()
        if as_json:
            _loop(watching, _show_json, before, interval, until)
        elif sys.stdout.isatty():
            _at_terminal(watching, before, interval, until)
        else:
            print(f"{len(before)} run{'' if len(before) == 1 else 's'} so far", flush=True)
            _loop(watching, _show_lines, before if every else [], interval, until)


def _loop(watching: Watch, show: Show, changed: Sequence[Seen], interval: float, until: float | None) -> None:
    """Look, show, blame and wait, until the time is over."""
    while True:
        show(changed, ())
        if blamed := watching.blame(changed):
            show((), blamed)
        if until is not None and time.monotonic() >= until:
            return
        time.sleep(interval)
        changed = watching.changes()


def _at_terminal(watching: Watch, before: Sequence[Seen], interval: float, until: float | None) -> None:
    from rich.console import Console
    from rich.live import Live

    from tracer.viz.live import LiveRow, live_table
    from tracer.viz.terminal import blame_report

    console = Console(markup=False, emoji=False, highlight=False)
    with Live(console=console, auto_refresh=False) as live:

        def show(changed: Sequence[Seen], blamed: Sequence[Explanation]) -> None:
            for run, steps, _, finding in blamed:
                live.console.print(blame_report(run, steps, finding, width=console.width))
            live.update(live_table([LiveRow(*each) for each in watching.seen.values()]), refresh=True)

        _loop(watching, show, before, interval, until)


def _show_lines(changed: Sequence[Seen], blamed: Sequence[Explanation]) -> None:
    from tracer.viz.live import LiveRow, blame_line, live_line

    now = datetime.now().astimezone()
    for each in changed:
        print(live_line(LiveRow(*each), now), flush=True)
    for run, _, _, finding in blamed:
        print(blame_line(run, finding, now), flush=True)


def _show_json(changed: Sequence[Seen], blamed: Sequence[Explanation]) -> None:
    """One object a line: a run with its state, or a blame as `tracer blame --json` prints it."""
    from tracer.schemas import BlameReport, WatchedRun
    from tracer.text import safe_json

    for each in changed:
        found = WatchedRun(run=each.run.id, state=each.state, steps=each.steps, agents=each.agents, task=each.run.task)
        print(safe_json(found.model_dump_json(by_alias=True)), flush=True)
    for explained in blamed:
        print(safe_json(BlameReport.of(explained.finding).model_dump_json(by_alias=True)), flush=True)
