"""`tracer mark`: say how runs ended."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import hint, print_json
from tracer.errors import BadInputError, TracerError

if TYPE_CHECKING:
    from tracer.records import Outcome
    from tracer.store import Mark, Store

OUTCOMES: dict[str, Outcome] = {
    "failed": "failure",
    "failure": "failure",
    "ok": "success",
    "success": "success",
    "unknown": "unknown",
}
"""The words that a CSV file may use."""


def mark(
    addresses: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Runs, by address.")] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="They failed.")] = False,
    ok: Annotated[bool, typer.Option("--ok", help="They succeeded.")] = False,
    expected: Annotated[
        str | None, typer.Option("--expected", metavar="ANSWER", help="The right answer, shown to people.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="A CSV file with the columns run, outcome (failed or ok), expected."
        ),
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Say how runs ended.

    For runs whose logs do not say so, or wrongly. What you say stays when the logs are loaded again.

    \b
    Example: tracer mark @last --failed --expected 42
    """
    from tracer.config import database_path
    from tracer.schemas import Marked
    from tracer.store import Mark, Store

    singly = bool(addresses) and failed != ok
    in_a_table = table is not None and not (addresses or failed or ok or expected)
    if not (in_a_table or (singly and table is None)):
        raise TracerError("name RUNs with either --failed or --ok, or give them all in one --csv FILE")
    with Store.open(database_path(db), must_exist=True) as store:
        if table is not None:
            marks = list(_read(table, store))
        else:
            outcome: Outcome = "failure" if failed else "success"
            marks = [Mark(store.run(address).id, outcome, expected) for address in addresses or ()]
        store.mark_all(marks)
    if as_json:
        print_json(Marked.of(marks))
        return
    for each in marks:
        print(f"{each.run}: {each.outcome}")
    hint("`tracer blame` explains the last failed run")


def _read(path: Path, store: Store) -> Iterator[Mark]:
    """The marks of a CSV file; the first line that is wrong ends it, and nothing is marked."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = {"run", "outcome"} - set(reader.fieldnames or ())
            if missing:
                raise BadInputError(f"{path}: no column {min(missing)!r}: the first line must name run and outcome")
            for row in reader:
                try:
                    yield _mark(row, store)
                except TracerError as error:
                    where = f"{path}, line {reader.line_num}"
                    raise BadInputError(f"{where}: {error}; nothing was marked") from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}; nothing was marked") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path}: cannot be read as CSV: {error}; nothing was marked") from error


def _mark(row: dict[str, str | None], store: Store) -> Mark:
    """One line of the CSV file."""
    from tracer.store import Mark

    word = (row["outcome"] or "").strip()
    if word.lower() not in OUTCOMES:
        raise BadInputError(f"outcome {word!r} is none of {', '.join(OUTCOMES)}")
    return Mark(store.run((row["run"] or "").strip()).id, OUTCOMES[word.lower()], row.get("expected") or None)
