"""`tracer patterns`: what failed runs have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from tracer.cli.blame import Method
from tracer.cli.options import AsJson, Db
from tracer.cli.output import ProgressBar, hint, print_json, print_report


def _measures() -> list[str]:
    from tracer.stats import MEASURES

    return list(MEASURES)


Measure = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="MEASURE",
        help="Rank by ochiai, tarantula, dstar or explained.",
        autocompletion=_measures,
    ),
]


def patterns(
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Runs, by address. Default: all of them.")
    ] = None,
    by: Measure = "ochiai",
    top: Annotated[int, typer.Option("--top", min=1, help="How many to list of each.")] = 5,
    method: Method = "ranker",
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Say what failed runs have in common, and where they broke.

    Agents, tools and their failures, hand-offs, and fields that an agent drops, in failed against successful runs;
    then the failed runs by the place that is blamed. Runs that do not say how they ended are left out and counted.

    \b
    Example: tracer patterns
    """
    from tracer.config import database_path
    from tracer.explanation import Options
    from tracer.patterning import patterns as found_in
    from tracer.viz.patterns import patterns_report

    with ProgressBar("explaining failed runs") as progress:
        found = found_in(database_path(db), addresses or (), by, Options(method), progress)
    if as_json:
        print_json(found)
        return
    print_report(patterns_report(found, top=top))
    if found.causes:
        hint(f"`tracer blame {found.causes[0].examples[0].partition(':')[0]}` gives the reasons of one")
