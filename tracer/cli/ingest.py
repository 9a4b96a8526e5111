"""`tracer ingest`: read logs into the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db, Redact, RedactPacks, RedactPatterns, redaction
from tracer.cli.output import ProgressBar, hint, print_json, warn
from tracer.errors import TRIED

if TYPE_CHECKING:
    from tracer.collectors.ingest import Ingested

_SHOWN = 10
"""Passed-over files that are named one by one."""


def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATHS", readable=False, help="Log files, archives, or folders of them."),
    ],
    redact: Redact = False,
    packs: RedactPacks = None,
    patterns: RedactPatterns = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Read logs into the database.

    The format of each file is found by its content. Loading the same content again changes nothing.

    \b
    Example: tracer ingest logs/ more/run.json
    """
    import tracer
    from tracer.collectors.registry import troubles
    from tracer.schemas import IngestReport

    for trouble in troubles():
        warn(trouble)
    with ProgressBar("reading logs") as progress:
        result = tracer.ingest(paths, db, redact=redaction(redact, packs, patterns), progress=progress)
    if as_json:
        print_json(IngestReport.of(result), without_null=True)
    if not result.sources:
        _refuse(result)
    if not as_json:
        _print(result)
    if not as_json and any(loaded.runs for loaded in result.sources):
        hint("`tracer runs` lists them, `tracer blame` explains the last failed one")


def _print(result: Ingested) -> None:
    """Totals by format, then what was passed over."""
    formats = dict.fromkeys(loaded.format for loaded in result.sources)
    for name in formats:
        held = [loaded for loaded in result.sources if loaded.format == name]
        runs = sum(each.runs for each in held if not each.part_of)  # files of one trace hold the same run
        steps = sum(each.steps for each in held)
        print(f"{name}: {_count(len(held), 'file')} with {_count(runs, 'run')}, {_count(steps, 'step')}")
    if result.sources:
        added = [_count(result.runs, "run"), _count(result.steps, "step")]
        added += [_count(result.spans, "span")] if result.spans else []
        print(f"added {', '.join(added)}" if any(result[:3]) else "nothing new: all of it was loaded before")
    if result.spans and not any(loaded.runs for loaded in result.sources):
        warn("no run begins in these spans: none of them calls a model or a tool, or works for an agent")
    _warn_of_skipped(result)


def _warn_of_skipped(result: Ingested) -> None:
    """A line each; what every format looked for fills a screen, so it is told of a file that is named alone."""
    told = [(source, *reason.partition(TRIED)) for source, reason in result.skipped[:_SHOWN]]
    for source, reason, *_ in told:
        warn(f"skipped {source}: {reason}")
    if any(tried for *_, tried, _rest in told):
        warn("`tracer ingest FILE`, of one of these alone, says what each format looked for")
    if len(result.skipped) > _SHOWN:
        warn(f"skipped {len(result.skipped) - _SHOWN} more; --json names them all")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _refuse(result: Ingested) -> None:
    """End with an error when no file was a log."""
    from tracer.collectors.ingest import refusal
    from tracer.errors import BadInputError

    if len(result.skipped) > 1:
        _warn_of_skipped(result)
    raise BadInputError(refusal(result.skipped))
