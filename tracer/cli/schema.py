"""`tracer schema`: the form of the JSON that commands print."""

from __future__ import annotations

from typing import Annotated

import typer

from tracer.cli.options import AsJson, Db


def schema(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Whose output; without it, the names.")] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Print the form of a command's JSON.

    A schema's version only changes when a program that relies on it could break; new fields may come at any time.

    \b
    Example: tracer schema blame
    """
    import json

    from tracer.errors import TracerError
    from tracer.schemas import SCHEMAS, json_schema

    if name is None:
        print(json.dumps(list(SCHEMAS)) if as_json else "\n".join(SCHEMAS))
    elif name in SCHEMAS:
        print(json.dumps(json_schema(name), indent=2))
    else:
        raise TracerError(f"no schema {name!r}: the names are {', '.join(SCHEMAS)}")
