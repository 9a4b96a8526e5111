"""`tracer replay`: change one step of a run, let everything after it happen again, and see how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import ProgressBar, hint, print_json, print_report, report_width
from tracer.errors import TracerError

if TYPE_CHECKING:
    from tracer.records import Replayed

With = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="REPLAYER",
        help="Who runs your system again: module:function, langgraph:MODULE:GRAPH, chat:MODULE:FUNCTION, "
        "stand-in:MODEL, or the name of an installed one.",
    ),
]
Margin = Annotated[
    float | None, typer.Option("--margin", min=0.0, max=0.99, help="An effect no larger is none. Default: 0.2.")
]
BudgetTokens = Annotated[
    int | None, typer.Option("--budget-tokens", min=1, help="Stop when the forks have taken so many tokens.")
]
Revision = Annotated[
    str | None,
    typer.Option(
        "--revision",
        metavar="TEXT",
        help="This version of your system: other versions' forks do not count.",
    ),
]


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run by address.")],
    at: Annotated[int, typer.Option("--at", min=0, metavar="STEP", help="The step to change, counted from 0.")],
    replayer: With,
    edit: Annotated[
        Path | None,
        typer.Option("--edit", metavar="FILE", help="What the step says instead: a text, or fields as FILE.json."),
    ] = None,
    correct: Annotated[
        bool, typer.Option("--correct", help="The step as it should have been, where the replayer knows that.")
    ] = False,
    resample: Annotated[
        int | None, typer.Option("--resample", min=1, metavar="N", help="The step said anew, N times.")
    ] = None,
    forks: Annotated[
        int | None, typer.Option("--forks", min=1, help="Of each kind, changed and kept. Default: 10.")
    ] = None,
    no_baseline: Annotated[
        bool, typer.Option("--no-baseline", help="Live changed forks only, and take it that the rest would repeat.")
    ] = False,
    margin: Margin = None,
    budget: Annotated[int | None, typer.Option("--budget", min=1, help="Live at most so many forks.")] = None,
    budget_tokens: BudgetTokens = None,
    revision: Revision = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Change a step, let the rest happen again, and see how it ends.

    Beside the changed forks as many are lived with the step as it was. Every fork is kept as a run of its own: the same
    call lives none twice, and goes on where it was stopped.

    \b
    Example: tracer replay @last --at 3 --edit right.txt --with my_app:replay
    """
    from tracer.config import database_path
    from tracer.forking import Options
    from tracer.forking import replay as replayed

    if resample and (edit or correct or forks):
        raise TracerError("--resample N says the step anew, N times: leave out --edit, --correct and --forks")
    options = Options(
        replayer, edit, correct, resample or forks, not no_baseline, margin, budget, budget_tokens, revision
    )
    with ProgressBar("replaying") as progress:
        found = replayed(database_path(db), run, at, options, progress)
    if as_json:
        print_json(found)
        return
    from tracer.viz.replay import replay_report

    print_report(replay_report(found, width=report_width()))
    _hint(found)


def _hint(found: Replayed) -> None:
    if found.verdict == "inconclusive" and found.settles:
        hint(f"about {found.settles} forks of each kind would settle it: those that were lived are not lived again")
    elif found.forks:
        hint(f"`tracer show {found.forks[0].run}` prints a fork")
