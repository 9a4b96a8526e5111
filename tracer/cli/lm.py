"""`tracer lm`: what a model behind a server can do."""

from __future__ import annotations

from typing import Annotated

import typer

from tracer.cli.options import AsJson
from tracer.cli.output import ProgressBar, hint, print_json, print_report

app = typer.Typer(
    help="Look at a language model behind a server.", no_args_is_help=True, rich_markup_mode=None,
    pretty_exceptions_enable=False,
)  # fmt: skip


@app.callback()
def lm() -> None:
    """Look at a language model behind a server."""


@app.command()
def check(
    address: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            envvar="TRACER_LM",
            help="As --lm takes it: http://host:8000/v1, URL#MODEL, or URL,URL#MODEL.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Prove what a server can do, by asking it for each thing and looking at what comes back.

    Some two dozen short requests. What is lacking is told with what is done instead; exit code 5 where the model can
    neither continue a text nor answer a message. A key is taken from the environment variable TRACER_API_KEY and from
    nowhere else, so that it stands in no history of a shell.

    \b
    Example: tracer lm check http://127.0.0.1:8000/v1
    """
    import shlex
    from contextlib import closing

    from tracer.lm import load_served
    from tracer.schemas import LmCheck
    from tracer.viz.lm import check_report

    with closing(load_served(address)) as model, ProgressBar("asking") as progress:
        found = LmCheck.of(model, progress)
    if as_json:
        print_json(found)
    else:
        print_report(check_report(found.model_dump()))
    if not found.usable:
        raise typer.Exit(5)
    if not as_json:
        writes = any(each.has for each in found.capabilities if each.name == "completions")
        use = "anchors @last --method resample" if writes else "blame @last --judge"
        hint(f"tracer {use} --lm {shlex.quote(address)}")
