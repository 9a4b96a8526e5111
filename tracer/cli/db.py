"""`tracer db`: look after the database file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import print_json

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def db() -> None:
    """Check, export or find the database.

    It is one DuckDB file; its documented views are v_runs, v_steps, v_edges and v_candidates.
    """


@app.command()
def verify(db: Db = None, as_json: AsJson = False) -> None:
    """Check every promise of the store.

    Exit code 3 when one is broken.

    \b
    Example: tracer db verify
    """
    from tracer.config import database_path
    from tracer.errors import DatabaseError
    from tracer.schemas import Verified
    from tracer.store import Store
    from tracer.text import clean

    path = database_path(db)
    with Store.open(path, read_only=True) as store:
        problems = store.verify()
    if as_json:
        print_json(Verified(problems=problems))
    else:
        print("\n".join(map(clean, problems)) or f"{clean(str(path))}: sound")
    if problems:
        raise DatabaseError(f"{path} breaks {len(problems)} promises: load the logs into a new --db")


@app.command()
def export(
    parquet: Annotated[Path, typer.Option("--parquet", metavar="DIR", help="The folder to write to.")],
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Write every table as a Parquet file.

    For any other tool to read. An earlier export in the same folder is replaced.

    \b
    Example: tracer db export --parquet out/
    """
    from tracer.config import database_path
    from tracer.schemas import Exported
    from tracer.store import Store

    with Store.open(database_path(db), read_only=True) as store:
        files = [str(file) for file in store.export_parquet(parquet)]
    if as_json:
        print_json(Exported(files=files))
    else:
        print("\n".join(files))


@app.command()
def path(db: Db = None, as_json: AsJson = False) -> None:
    """Print where the database is.

    \b
    Example: duckdb "$(tracer db path)" -c 'FROM v_runs'
    """
    from tracer.config import database_path
    from tracer.schemas import DatabaseFile

    file = database_path(db).absolute()
    if as_json:
        print_json(DatabaseFile(path=str(file), exists=file.exists()))
    else:
        print(file)
