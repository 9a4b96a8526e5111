"""The command line: it parses, calls one library function and prints; nothing else.

Each command is one small file. Nothing heavy is imported here, so that `tracer --help` answers at once: a command
imports what it needs when it runs.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tracer.cli import (
    anchors,
    bench,
    blame,
    cite,
    collect,
    db,
    demo,
    gate,
    graph,
    ingest,
    lm,
    mark,
    patterns,
    replay,
    report,
    runs,
    schema,
    show,
    synth,
    train,
    watch,
)
from tracer.errors import TracerError

COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "demo": demo.demo,
    "ingest": ingest.ingest,
    "collect": collect.collect,
    "watch": watch.watch,
    "runs": runs.app,
    "show": show.show,
    "graph": graph.graph,
    "blame": blame.blame,
    "anchors": anchors.anchors,
    "cite": cite.cite,
    "replay": replay.replay,
    "report": report.report,
    "patterns": patterns.patterns,
    "gate": gate.gate,
    "synth": synth.synth,
    "mark": mark.mark,
    "train": train.app,
    "lm": lm.app,
    "bench": bench.app,
    "db": db.app,
    "schema": schema.schema,
}
"""Every command in the order of the help text; a command with sub-commands is a Typer of its own."""


_LOST_OUTPUT = {errno.EPIPE: 0, errno.ENOSPC: TracerError.exit_code}
"""Exit codes when the reader of a pipe has gone, and when the disk is full."""


class Roof(TyperGroup):
    """Where errors end: a mistake of the user's is one line on stderr, a closed pipe is silence."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in our order; Typer would put those with sub-commands last."""
        return [name for name in COMMANDS if name in self.commands]

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was called."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a full disk or a closed pipe can still be told in one line
        except TracerError as error:
            from tracer.text import clean

            print(f"error: {clean(str(error))}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            if error.errno not in _LOST_OUTPUT:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains again
            if error.errno == errno.ENOSPC:
                print("error: no space left where the output goes", file=sys.stderr)
            raise typer.Exit(_LOST_OUTPUT[error.errno]) from error
        return result


app = typer.Typer(
    cls=Roof,
    help="A multi-agent run failed: which step broke it, who made that step, and how sure are we?",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `tracer ingest LOGS`, then `tracer blame`.",
)
for _name, _command in COMMANDS.items():
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name)(_command)


def _print_version(asked: bool) -> None:
    if asked:
        import tracer

        print(f"tracer {tracer.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A multi-agent run failed: which step broke it, who made that step, and how sure are we?"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error of ours prints its traceback and is 70."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: the next file we open must not get its number
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a narrow encoding must not stop a report
    try:
        get_command(app).main(args=arguments, prog_name="tracer")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BaseException:  # noqa: BLE001 - the very end: an error of ours shows its traceback and its own exit code
        traceback.print_exc()
        return 70
    return 0
