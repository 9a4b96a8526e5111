"""`tracer demo`: see all of it work on runs that come with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson
from tracer.cli.output import ProgressBar, hint, print_report, report_width
from tracer.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.data.demo import DemoRun
    from tracer.explanation import Explanation
    from tracer.records import Run

FOLDER = Path("tracer-demo")
METHODS = ("suppress", "resample")
"""Of those that explain the reasoning: what rests on a sentence, and which one turned the answer."""


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where the database and the report go.")
    ] = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Explain six shipped runs, and write the HTML report of one.

    They are runs of small agent teams. In one a small language model thinks aloud and slips, and the report shows at
    which sentence. LangGraph and AG2 made the others on scripted models; four of those have a planted fault, of which
    blame is told nothing.

    \b
    Example: tracer demo
    """
    from tracer.data.demo import DEMO_RUNS
    from tracer.document import document
    from tracer.explanation import explain_all
    from tracer.files import make_folder
    from tracer.reporting import report_runs

    database = make_folder(folder) / "demo.duckdb"
    runs = _load(database, DEMO_RUNS)
    found = {each.run.id: each for each in explain_all(database)}
    shown = found[runs[DEMO_RUNS[0].file].id]
    told = [(run, found[runs[run.file].id]) for run in DEMO_RUNS if run.planted_agent]
    if not as_json:
        _print(shown, told, len(runs), database)
    step = next(step.index for step in shown.steps if step.reasoning)
    missing = _print_anchors(f"{shown.run.id}:{step}", database, quiet=as_json)
    report = write_whole(
        folder / "report.html", document(report_runs(database, [shown.run.id]), "run", "html").encode()
    )
    if as_json:
        rows = list(_rows(told))
        print(json.dumps({"database": str(database), "report": str(report.resolve()), "runs": rows}, indent=2))
        return
    print(f"\n{missing}" if missing else "", end="")
    if not missing:
        _print_relived()
    print(f"\nHTML report: {report.resolve()}")
    hint(f"`tracer ingest YOUR_LOGS`, then `tracer blame`; or look around here: `tracer runs --db {database}`")


def _load(database: Path, demo_runs: Sequence[DemoRun]) -> dict[str, Run]:
    """Ingest the shipped files and say how those runs ended whose log does not; runs by file name."""
    import tracer
    from tracer.data.demo import demo_files
    from tracer.store import Store

    tracer.ingest(demo_files(), database)
    with Store.open(database) as store:
        runs = {Path(run.source).name: run for run in store.runs()}
        for run in demo_runs:
            if not run.outcome_in_log:
                store.mark(runs[run.file].id, run.outcome)
    return runs


def _print_anchors(target: str, database: Path, *, quiet: bool) -> str:
    """Explain the reasoning inside the step live; without the extra for it, the line that says what is left out."""
    from tracer.anchor_options import Options
    from tracer.anchoring import anchor
    from tracer.errors import MissingExtraError
    from tracer.viz.resampling import resampling_report

    try:
        with ProgressBar("reading the solver's reasoning") as progress:
            found = [anchor(target, database, Options(method), progress) for method in METHODS]
    except MissingExtraError as missing:
        return f"Which sentence of its reasoning it was is left out: {missing}\n"
    if not quiet:
        print("\nInside that step: the pocket model writes its reasoning anew, sentence by sentence.\n")
        print_report(resampling_report(found[-1], width=report_width()))
    return ""


def _print_relived() -> None:
    """A run whose cause is known, and what replay makes of it."""
    from tracer.relived import relived, words

    with ProgressBar("living a run again") as progress:
        shown = relived(progress)
    print(f"\n{words(shown)}")


def _print(shown: Explanation, told: Sequence[tuple[DemoRun, Explanation]], runs: int, database: Path) -> None:
    from tracer.viz.terminal import blame_report, blame_table

    print(f"{runs} runs of small agent teams are in {database}. One in detail:\n")
    print_report(blame_report(shown.run, shown.steps, shown.finding, width=report_width()))
    print("\nAll that failed:\n")
    print_report(blame_table(((each.run, each.finding) for _, each in told), width=report_width()))
    print("\nWhat went wrong in truth, to compare:\n")
    for row in _rows(told):
        rank = f"ranked {row['rank']}" if row["rank"] else "not among the candidates listed"
        print(f"  {row['run']}  step {row['planted_step']}: the {row['agent']} {row['fault']}; {rank}")


def _rows(told: Sequence[tuple[DemoRun, Explanation]]) -> Iterator[dict[str, object]]:
    """Each planted fault beside the rank that blame gave it."""
    for run, (_, steps, _, finding) in told:
        planted = next(s.index for s in steps if s.agent == run.planted_agent and run.planted_fragment in s.spoken)
        rank = next((candidate.rank for candidate in finding.candidates if candidate.step == planted), None)
        yield {
            "run": finding.run,
            "file": run.file,
            "verdict": finding.verdict,
            "agent": run.planted_agent,
            "planted_step": planted,
            "fault": run.planted_step,
            "rank": rank,
        }
