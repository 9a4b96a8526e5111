"""`tracer anchors`: which sentences of a chain of thought the rest depends on."""

from __future__ import annotations

from typing import Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import ProgressBar, hint, print_json, print_report, report_width


def anchors(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="RUN, RUN:STEP, or a text or JSON file with a chain of thought.")
    ] = "@last",
    method: Annotated[str, typer.Option("--method", help="suppress, receivers or surprisal.")] = "suppress",
    lm: Annotated[
        str, typer.Option("--lm", metavar="MODEL", help="pocket, a folder, or a Hugging Face model on this machine.")
    ] = "pocket",
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, ... Default: a GPU where there is one.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="float32, bfloat16, ... Default: what suits the device.")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Find the sentences of a chain of thought that the rest depends on.

    The model reads the text; nothing is generated. The pocket model explains texts of its own small world only.

    \b
    Example: tracer anchors @last:4 --lm ./my-model
    """
    from tracer.anchoring import Options, anchor
    from tracer.config import database_path

    with ProgressBar("hiding sentences") as progress:
        found = anchor(target, database_path(db), Options(method, lm, device, dtype), progress)
    if as_json:
        print_json(found)
        return
    from tracer.viz.anchors import anchors_report

    print_report(anchors_report(found, width=report_width()))
    hint("`--json` gives the whole matrix, `--method surprisal` another view")
