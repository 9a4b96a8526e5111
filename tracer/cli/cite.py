"""`tracer cite`: which earlier steps and sentences led to what a step says, and what it made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db, Device, Dtype, Lm, parse_address
from tracer.cli.output import ProgressBar, hint, print_json, print_report, report_width

if TYPE_CHECKING:
    from tracer.records import Cited


def cite(
    address: Annotated[str, typer.Argument(metavar="RUN:STEP", help="A step of a run, counted from 0.")],
    span: Annotated[
        str | None, typer.Option("--span", metavar="TEXT", help="Only these words of the step. Default: each sentence.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="leave-one-out, context-cite, or reuse, which needs no language model.")
    ] = "leave-one-out",
    by: Annotated[str, typer.Option("--by", help="Sources are earlier steps (step) or their sentences.")] = "step",
    lm: Lm = "pocket",
    device: Device = None,
    dtype: Dtype = None,
    add: Annotated[bool, typer.Option("--add", help="Add what was measured to the graph of the run.")] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Find the earlier steps that led to what a step says.

    Each claim with its sources, the strongest first, and with the values that nothing accounts for. The result is
    checked on the run itself: by taking the sources away that it names, and others.

    \b
    Example: tracer cite @last:7 --span "157 bikes" --lm ./my-model
    """
    from tracer.citation import Options
    from tracer.citation import cite as find
    from tracer.config import database_path
    from tracer.errors import NoSuchRunError

    run, step = parse_address(address)
    if step is None:
        raise NoSuchRunError(f"{address!r} names no step: say which one, as in {address or '@last'}:3")
    options = Options(method, lm, device, dtype, span, by, add)
    with ProgressBar("erasing") as progress:
        found = find(database_path(db), run, step, options, progress)
    if as_json:
        print_json(found)
        return
    from tracer.viz.cite import cite_report

    print_report(cite_report(found, width=report_width()))
    hint(_next(found, add))


def _next(found: Cited, add: bool) -> str:
    """What to do with it; what `reuse` finds is in the graph from the start."""
    if add or found.model is None:
        return f"`tracer graph {found.run}` shows the edges, `--json` gives all"
    return "`--add` adds it to the graph, `--json` gives all"
