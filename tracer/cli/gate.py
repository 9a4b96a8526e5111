"""`tracer gate`: may these logs pass? For CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.blame import Assumed
from tracer.cli.options import AsJson
from tracer.cli.output import ProgressBar, print_json, print_report

if TYPE_CHECKING:
    from tracer.fleet import Gate


def gate(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="LOGS", readable=False, help="Log files, archives, or folders of them."),
    ],
    above: Annotated[
        float, typer.Option("--above", metavar="P", help="Close when a failure is blamed with more than P.")
    ] = 0.5,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="Close when more fails than in this baseline.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option("--write-baseline", metavar="FILE", help="Keep the counts of these logs as one.")
    ] = None,
    assume: Annotated[
        Assumed | None, typer.Option("--assume", help="Take runs as failed, or as ok, whose logs do not say it.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write a summary, too, for people.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML, too, for a CI server.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether logs may pass, for CI: exit 0 if so, and 1 if not.

    They do not when a failed run is blamed with more than P, or when more runs fail than in a baseline, as a whole,
    with the same trouble or at the same place, by more than chance explains. Your database is neither read nor changed.

    \b
    Example: tracer gate logs/ --baseline baseline.json
    """
    from tracer.files import require_file
    from tracer.gating import Options
    from tracer.gating import gate as judged
    from tracer.viz.gate import gate_report

    for file, example in ((markdown, "gate.md"), (junit, "gate.xml")):
        if file:
            require_file(file, example)
    options = Options(above, baseline, write_baseline, assume.value if assume else None)
    with ProgressBar("judging runs") as progress:
        found = judged(paths, options, progress)
    _write(found, markdown, junit)
    if as_json:
        print_json(found)
    else:
        print_report(gate_report(found))
    if not found.passed:
        raise typer.Exit(1)


def _write(found: Gate, markdown: Path | None, junit: Path | None) -> None:
    from tracer.files import write_whole
    from tracer.viz.gate import gate_markdown
    from tracer.viz.junit import junit as as_junit

    if markdown:
        write_whole(markdown, gate_markdown(found).encode())
    if junit:
        write_whole(junit, as_junit(found).encode())
