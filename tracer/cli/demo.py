"""`tracer demo`: see all of it work on runs that come with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson
from tracer.cli.output import hint, print_report, report_width
from tracer.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.data.demo import DemoRun
    from tracer.explanation import Explanation
    from tracer.records import Run

FOLDER = Path("tracer-demo")
BELIEVES = 2
"""A problem of the pocket world in whose chain of thought a rumour is believed, and never taken back."""
_INSIDE = {
    "suppress": "Inside a step: which sentences does a chain of thought rest on? (The pocket model reads it.)",
    "resample": "And which one turned its answer? (The pocket model writes it anew from every sentence on.)",
}


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where the database and the report go.")
    ] = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Explain five shipped runs of small agent teams, and write the HTML report of one.

    LangGraph and AG2 made them, on scripted models; four have a planted fault, of which blame is told nothing.

    \b
    Example: tracer demo
    """
    from tracer.data.demo import DEMO_RUNS
    from tracer.explanation import explain, explain_all
    from tracer.files import make_folder
    from tracer.viz.html import write_html

    database = make_folder(folder) / "demo.duckdb"
    runs = _load(database, DEMO_RUNS)
    found = {each.run.id: each for each in explain_all(database)}
    shown = explain(database, runs[DEMO_RUNS[0].file].id)
    report = write_html(folder / "report.html", *shown).resolve()
    told = [(run, found[runs[run.file].id]) for run in DEMO_RUNS if run.planted_agent]
    if as_json:
        print(json.dumps({"database": str(database), "report": str(report), "runs": list(_rows(told))}, indent=2))
        return
    _print(shown, told, len(runs), database)
    _print_anchors(folder)
    print(f"\nHTML report: {report}")
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


def _print_anchors(folder: Path) -> None:
    """Explain a chain of thought of the pocket world, live, where the extra for it is installed."""
    from tracer.anchor_options import Options
    from tracer.anchoring import anchor
    from tracer.data.world import TEST, problem, trace
    from tracer.errors import MissingExtraError
    from tracer.viz.anchors import anchors_report
    from tracer.viz.resampling import resampling_report

    file = folder / "chain-of-thought.txt"
    write_whole(file, f"{trace(problem(TEST.start + BELIEVES), 0).text}\n".encode())
    reports = {"suppress": anchors_report, "resample": resampling_report}
    try:
        for method, question in _INSIDE.items():
            found = anchor(str(file), folder / "demo.duckdb", Options(method))
            print(f"\n{question}\n")
            print_report(reports[method](found, width=report_width()))
    except MissingExtraError as missing:
        print(f"\nInside a step: left out: {missing}")


def _print(shown: Explanation, told: Sequence[tuple[DemoRun, Explanation]], runs: int, database: Path) -> None:
    from tracer.viz.terminal import blame_report, blame_table

    print(f"{runs} runs of LangGraph and AG2 teams are in {database}. One in detail:\n")
    print_report(blame_report(shown.run, shown.steps, shown.finding, width=report_width()))
    print("\nAll that failed:\n")
    print_report(blame_table(((each.run, each.finding) for _, each in told), width=report_width()))
    print("\nWhat was planted, to compare:\n")
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
