"""`tracer report`: one run, two runs side by side, or all of them, to look at and to send."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from tracer.cli.blame import Assumed, Method
from tracer.cli.options import AsJson, Db
from tracer.cli.output import ProgressBar, hint, print_json
from tracer.errors import TracerError

if TYPE_CHECKING:
    from tracer.document import Kind
    from tracer.explanation import Options
    from tracer.reported import Reported

STDOUT: Final = Path("-")
DEFAULT: Final = Path("report.html")


class Format(StrEnum):
    """What a report is written as."""

    html = "html"
    markdown = "markdown"


class Goal(NamedTuple):
    """Where the report goes, and as what."""

    file: Path
    medium: Format


def report(
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="A run, or two to compare. Default: the last failed one."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run, as a list that opens each.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one self-contained HTML file. Default: report.html."),
    ] = None,
    medium: Annotated[
        Format | None, typer.Option("--format", help="html, or markdown for an issue or a pull request.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to write; - prints. Markdown is printed by default."
        ),
    ] = None,
    method: Method = "ranker",
    assume: Annotated[
        Assumed | None, typer.Option("--assume", help="Take the runs as failed, or as ok, whatever their logs say.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many candidates to list.")] = 5,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Write a report: of one run, of two side by side, or of all.

    It shows the run, the ranking and its evidence, and what `tracer anchors` found in the reasoning. The HTML file
    opens from disk and loads nothing, so it can be sent to a colleague; what a run said is in it.

    \b
    Example: tracer report --html report.html
    """
    from tracer.config import database_path
    from tracer.document import document, kind_of
    from tracer.explanation import Options
    from tracer.files import require_file

    goal = _goal(html, medium, output)
    if every and addresses:
        raise TracerError("--all reports every run: leave out RUN")
    if goal.file == STDOUT and as_json:
        raise TracerError("--json tells which file was written: name one with -o FILE")
    if goal.file != STDOUT:
        require_file(goal.file, DEFAULT.name)
    options = Options(method, assume.value if assume else None, top)
    found = _found(database_path(db), addresses or [], every, options)
    kind = kind_of(found, every=every)
    text = document(found, kind, goal.medium.value)
    if goal.file == STDOUT:
        print(text, end="")
    else:
        _write(goal, text, kind, found, as_json)


def _goal(html: Path | None, medium: Format | None, output: Path | None) -> Goal:
    """--html FILE is short for --format html -o FILE; Markdown goes to standard output unless a file is named."""
    if html is None:
        asked = medium or Format.html
        return Goal(output or (STDOUT if asked is Format.markdown else DEFAULT), asked)
    if medium is Format.markdown:
        raise TracerError("--html FILE writes HTML: for Markdown leave it out, as in --format markdown -o FILE")
    if output is not None:
        raise TracerError("--html FILE and -o FILE both say where to write: leave out one")
    return Goal(html, Format.html)


def _found(path: Path, addresses: list[str], every: bool, options: Options) -> list[Reported]:
    from tracer.reporting import report_all, report_runs

    if not every:
        return report_runs(path, addresses, options)
    with ProgressBar("explaining runs") as progress:
        return report_all(path, options, progress)


def _write(goal: Goal, text: str, kind: Kind, found: list[Reported], as_json: bool) -> None:
    from tracer.files import write_whole
    from tracer.schemas import WrittenReport

    data = text.encode()
    written = write_whole(goal.file, data)
    runs = [each.run.id for each in found]
    if as_json:
        told = WrittenReport(file=str(written), format=goal.medium.value, kind=kind, runs=runs, bytes=len(data))
        print_json(told)
        return
    print(f"{written}: {_what(kind, runs)}, {_size(len(data))}")
    hint(f"open {written}")


def _what(kind: Kind, runs: list[str]) -> str:
    if kind == "list":
        return f"{len(runs):,} run" + ("" if len(runs) == 1 else "s")
    return f"run {' and run '.join(runs)}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
