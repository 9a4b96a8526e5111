"""`tracer synth`: make failed runs whose cause is known, by planting faults in runs that succeeded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import ProgressBar, hint, print_json, print_report
from tracer.cli.replay import BudgetTokens, Margin, Revision, With

if TYPE_CHECKING:
    from tracer.planting import Made

FOLDER = Path("tracer-synth")


def _kinds() -> list[str]:
    """Names for tab completion; loading them takes a moment, so only then."""
    from tracer.analyses.faults import FAULTS

    return list(FAULTS)


def synth(
    replayer: With,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Successful runs, by address. Default: all that succeeded."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many failures to make.")] = 10,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the runs go, in Who&When form.")
    ] = FOLDER,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="KIND",
            help="source-pollution, conflict, edge-removal, step-skipped, instruction-ignored, premature-end or "
            "check-waved-through; may be repeated. Default: all in turn.",
            autocompletion=_kinds,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed plants the same faults.")] = 0,
    forks: Annotated[
        int | None, typer.Option("--forks", min=1, help="Lived with each fault, and without it. Default: 4.")
    ] = None,
    margin: Margin = None,
    budget: Annotated[int | None, typer.Option("--budget", min=1, help="Live at most so many forks in all.")] = None,
    budget_tokens: BudgetTokens = None,
    revision: Revision = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Plant faults in runs that succeeded, and keep those that fail.

    Your system lives on from each. Every failure is labelled with the step at which the fault was planted, once replay
    confirms that it is the cause. Runs that survive their fault are given out, too, without a label.

    \b
    Example: tracer synth --n 20 --with my_app:replay
    """
    from tracer.config import database_path
    from tracer.planting import Options, synthesise
    from tracer.schemas import SynthReport

    options = Options(replayer, n, tuple(fault or ()), seed, forks, margin, budget, budget_tokens, revision)
    with ProgressBar("planting") as progress:
        made = synthesise(database_path(db), runs or [], output, options, progress)
    report = SynthReport.of(made.synthesis, made.files)
    if as_json:
        print_json(report)
        return
    from tracer.viz.synthesis import synthesis_report

    print_report(synthesis_report(report))
    _hint(made, output)


def _hint(made: Made, output: Path) -> None:
    if made.files:
        hint(f"`tracer bench whowhen {output}` scores blame on them, `tracer ingest {output}` loads them")
