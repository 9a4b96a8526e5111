"""Options and addresses that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tracer.errors import NoSuchRunError

if TYPE_CHECKING:
    from tracer.redaction import Redaction

Db = Annotated[
    Path | None,
    typer.Option(
        "--db", envvar="TRACER_DB", metavar="FILE", help="The database. Default: tracer.duckdb in this folder."
    ),
]
Redact = Annotated[
    bool,
    typer.Option(
        "--redact",
        help="Take out secrets, e-mail addresses, telephone and card numbers, IBANs and IP addresses before anything is"
        " stored. Pseudonyms stand for them.",
    ),
]
RedactPacks = Annotated[
    list[str] | None,
    typer.Option(
        "--redact-pack",
        metavar="PACK",
        help="Only these: secrets, email, iban, card, phone, ip, or a TOML file with rules of your own. Repeatable.",
    ),
]
RedactPatterns = Annotated[
    list[str] | None,
    typer.Option("--redact-pattern", metavar="NAME=REGEX", help="Take out what matches, too. Repeatable."),
]
Lm = Annotated[
    str,
    typer.Option(
        "--lm",
        metavar="MODEL",
        envvar="TRACER_LM",
        help="pocket, a folder, a Hugging Face model on this machine, or a server: URL#MODEL.",
    ),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, ... Default: a GPU where there is one.")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="float32, bfloat16, ... Default: what suits the device.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs; `tracer schema` gives its form.")]


def redaction(redact: bool, packs: list[str] | None, patterns: list[str] | None) -> Redaction | None:
    """What the three options ask for together; packs or patterns ask for redaction by themselves."""
    from tracer.redaction import Redaction

    if not (redact or packs or patterns):
        return None
    chosen = Redaction(patterns=tuple(patterns or ()))
    return chosen._replace(packs=tuple(packs)) if packs else chosen


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
