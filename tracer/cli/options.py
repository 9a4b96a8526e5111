"""Options and addresses that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from tracer.errors import NoSuchRunError

Db = Annotated[
    Path | None,
    typer.Option(
        "--db", envvar="TRACER_DB", metavar="FILE", help="The database. Default: tracer.duckdb in this folder."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs; `tracer schema` gives its form.")]


class Address(NamedTuple):
    """What RUN or RUN:STEP points at."""

    run: str
    step: int | None


def parse_address(text: str) -> Address:
    """Take RUN or RUN:STEP apart; whether they exist is the store's to say."""
    run, colon, step = text.partition(":")
    if colon and not (step.isascii() and step.isdigit() and len(step) < 10):
        raise NoSuchRunError(f"{text!r} is no address: a step is counted from 0, as in {run or '@last'}:3")
    return Address(run, int(step) if colon else None)
