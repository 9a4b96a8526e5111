"""`tracer demo`: see all of it work on runs that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.output import hint, print_report, report_width

FOLDER = Path("tracer-demo")


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where the database and the report go.")
    ] = FOLDER,
) -> None:
    """Explain four shipped runs of small agent teams, and write the HTML report of one.

    LangGraph and AG2 made them, on scripted models; three have a planted fault, which blame is not told.

    \b
    Example: tracer demo
    """
    import tracer
    from tracer.data.demo import DEMO_RUNS, demo_files
    from tracer.explanation import explain, explain_all
    from tracer.store import Store
    from tracer.viz.html import write_html
    from tracer.viz.terminal import blame_report, blame_table

    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "demo.duckdb"
    loaded = tracer.ingest(demo_files(), database)
    names = {Path(source.source).name: source for source in loaded.sources}
    print(f"loaded {len(names)} runs of {', '.join(dict.fromkeys(run.framework for run in DEMO_RUNS))} into {database}")
    with Store.open(database) as store:
        runs = {Path(run.source).name: run for run in store.runs()}
        for told in DEMO_RUNS:
            if not told.outcome_in_log:
                print(f"the log of {told.file} does not say how the run ended; marked as {told.outcome}")
                store.mark(runs[told.file].id, told.outcome)
    print()
    first = explain(database, runs[DEMO_RUNS[0].file].id)
    print_report(blame_report(first.run, first.steps, first.finding, width=report_width()))
    print("\nAll runs that failed:\n")
    print_report(blame_table((each.run, each.finding) for each in explain_all(database)))
    report = write_html(folder / "report.html", *first)
    print(f"\nThe planted faults, to compare: {_planted()}")
    print(f"\nHTML report: {report.resolve()}")
    hint(f"`tracer ingest YOUR_LOGS`, then `tracer blame`; or look around here: `tracer runs --db {database}`")


def _planted() -> str:
    from tracer.data.demo import DEMO_RUNS

    told = [f"in {run.file} the {run.planted_agent} {run.planted_step}" for run in DEMO_RUNS if run.planted_agent]
    return "; ".join(told) + "."
