"""`tracer runs`: list the runs; `tracer runs rm`: drop some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import hint, print_json, print_report

if TYPE_CHECKING:
    from tracer.store import Summary

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only runs that failed.")] = False,
    ok: Annotated[bool, typer.Option("--ok", help="Only runs that succeeded.")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only runs whose outcome nobody stated.")] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """List the runs, the newest last.

    Several filters add up.

    \b
    Example: tracer runs --failed
    """
    context.obj = db  # so that `tracer runs --db FILE rm RUN` means what it says
    if context.invoked_subcommand:
        return
    wanted = {name for name, asked in (("failure", failed), ("success", ok), ("unknown", unknown)) if asked}
    summaries = [each for each in _summaries(db) if not wanted or each.run.outcome in wanted]
    if as_json:
        from tracer.schemas import RunList

        print_json(RunList.of(summaries))
    else:
        _print(summaries)


@app.command()
def rm(
    context: typer.Context,
    addresses: Annotated[list[str], typer.Argument(metavar="RUN", help="Runs, by address.")],
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Drop runs and what was found out about them.

    Loading their files again brings them back.

    \b
    Example: tracer runs rm 3f2a91
    """
    from tracer.config import database_path
    from tracer.schemas import Removed
    from tracer.store import Store

    with Store.open(database_path(db or context.obj), must_exist=True) as store:
        found = [store.run(address).id for address in addresses]
        for run_id in dict.fromkeys(found):
            store.remove(run_id)
    if as_json:
        print_json(Removed(removed=found))
    else:
        print(f"removed {', '.join(found)}")


def _summaries(db: Path | None) -> list[Summary]:
    from tracer.config import database_path
    from tracer.store import Store

    with Store.open(database_path(db), read_only=True) as store:
        return store.summaries()


def _print(summaries: list[Summary]) -> None:
    from tracer.viz.terminal import RunRow, run_table

    if not summaries:
        print("no such runs")
        hint("`tracer ingest LOGS` loads some, `tracer mark RUN --failed` says how one ended")
        return
    print_report(run_table(RunRow(each.run, each.steps, len(each.agents)) for each in summaries))
    hint(f"`tracer show {summaries[-1].run.id}` prints its steps, `tracer blame` explains the last failed one")
