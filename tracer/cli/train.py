"""`tracer train`: fit the ranker, or P(failed), on labelled runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.bench import labelled
from tracer.cli.output import hint, warn

if TYPE_CHECKING:
    from pydantic import BaseModel

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def train() -> None:
    """Fit the weights that blame uses, on runs of your own."""


@app.command()
def ranker(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of labelled runs in Who&When form.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the ranker goes.")] = Path(
        "ranker.json"
    ),
) -> None:
    """Train the ranker of `tracer blame`.

    Its training record goes beside it, as FILE with the ending .training.json.

    \b
    Example: tracer train ranker whowhen/ -o ranker.json
    """
    from tracer.analyses.cases import prepare
    from tracer.analyses.train_ranker import train as fit
    from tracer.analyses.train_ranker import training_record

    cases = [prepare(recording) for recording in labelled(folder)]
    trained = fit(cases)
    _write(output, trained.model)
    record = output.with_suffix(".training.json")
    record.write_text(json.dumps(training_record(cases, trained, folder.name), indent=1) + "\n", encoding="utf-8")
    print(
        f"trained on {len(cases)} runs; "
        f"cross-validated log-loss {trained.log_loss:.3f} at strength {trained.strength:g}"
    )
    hint(f"`tracer blame --ranker {output}` uses it")


@app.command()
def failure(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Logs of runs whose outcome is known.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the model goes.")] = Path(
        "failure.json"
    ),
) -> None:
    """Train P(failed), which blame states where a log does not say how its run ended.

    \b
    Example: tracer train failure results.json
    """
    from tracer.analyses.train_failure import train_failure
    from tracer.collectors.ingest import read_recordings

    recordings, skipped = read_recordings(paths)
    for source, reason in skipped:
        warn(f"skipped {source}: {reason}")
    model = train_failure(recordings, " ".join(path.name for path in paths))
    _write(output, model)
    figures = model.training["cross_validated"]
    print(f"trained on {model.training['runs']} runs; cross-validated AUROC {figures['auroc']:.3f}")


def _write(path: Path, model: BaseModel) -> None:
    from tracer.errors import TracerError

    try:
        path.write_text(model.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise TracerError(f"cannot write {path}: {error.strerror}") from error
