"""`tracer train`: fit the ranker, P(failed), or the judge's weight, on labelled runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.bench import labelled, read, read_text
from tracer.cli.options import AsJson
from tracer.cli.output import hint

SHOWN = ("runs", "strength", "cross_validated_log_loss")
"""What of the training record is printed."""

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def train() -> None:
    """Fit the weights that blame uses, on runs of your own."""


@app.command()
def ranker(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATHS",
            help="Folders of labelled runs in Who&When form; runs of the agent world with their labels beside them.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the ranker goes.")] = Path(
        "ranker.json"
    ),
    as_json: AsJson = False,
) -> None:
    """Train the ranker of `tracer blame`.

    Its training record goes beside it, as FILE with the ending .training.json.

    \b
    Example: tracer train ranker whowhen/ -o ranker.json
    Example: tracer train ranker whowhen/ world.jsonl.gz -o both.json
    """
    from tracer.analyses.cases import prepare
    from tracer.analyses.train_ranker import train as fit
    from tracer.analyses.train_ranker import training_record
    from tracer.files import require_file, write_whole

    require_file(output, "ranker.json")
    cases = [prepare(recording) for path in paths for recording in labelled(path)]
    trained = fit(cases)
    record = training_record(cases, trained, " ".join(path.name for path in paths))
    write_whole(output, f"{trained.model.model_dump_json(indent=2)}\n".encode())
    write_whole(output.with_suffix(".training.json"), f"{json.dumps(record, indent=1)}\n".encode())
    if as_json:
        print(json.dumps({"ranker": str(output), **{key: record[key] for key in SHOWN}}, indent=2))
        return
    print(
        f"trained on {len(cases)} runs; "
        f"cross-validated log-loss {trained.log_loss:.3f} at strength {trained.strength:g}"
    )
    hint(f"`tracer blame --ranker {output}` uses it")


@app.command("white-box")
def white_box(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUNS", help="Runs of the agent world with their labels beside them.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the weights go.")] = Path(
        "white_box.json"
    ),
    lm: Annotated[
        str, typer.Option("--lm", metavar="MODEL", help="The language model that reads the runs.")
    ] = "pocket",
    as_json: AsJson = False,
) -> None:
    """Train the weights of `tracer blame --lm`, on runs whose true cause was measured.

    \b
    Example: tracer train white-box world.jsonl.gz -o white_box.json
    """
    from tracer.cli.output import ProgressBar
    from tracer.files import require_file, write_whole
    from tracer.lm import load_inside

    require_file(output, "white_box.json")
    model = load_inside(lm, "The white-box tier of blame")
    runs = [recording for path in paths for recording in labelled(path)]
    from tracer.analyses.white_box import read_case, train

    with ProgressBar("reading") as progress:
        cases = []
        for number, recording in enumerate(runs, 1):
            cases.append(read_case(model, recording))
            progress("run", number, len(runs))
    trained = train(cases, model.name)
    write_whole(output, f"{trained.model_dump_json(indent=2)}\n".encode())
    if as_json:
        print(trained.model_dump_json(indent=2))
        return
    print(f"trained on {trained.runs} runs; step first in {trained.cross_validated:.0%} of those held out")
    hint(f"`tracer blame --lm {lm} --white-box {output}` uses it")


@app.command()
def failure(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS", help="Logs of runs whose outcome is known.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the model goes.")] = Path(
        "failure.json"
    ),
    as_json: AsJson = False,
) -> None:
    """Train P(failed), which blame states where a log does not say how its run ended.

    \b
    Example: tracer train failure results.json
    """
    from tracer.analyses.train_failure import train_failure
    from tracer.files import require_file, write_whole

    require_file(output, "failure.json")
    model = train_failure(read(paths), " ".join(path.name for path in paths))
    write_whole(output, f"{model.model_dump_json(indent=2)}\n".encode())
    if as_json:
        print(json.dumps({"failure": str(output), **model.training}, indent=2))
        return
    figures = model.training["cross_validated"]
    print(f"trained on {model.training['runs']} runs; cross-validated AUROC {figures['auroc']:.3f}")
    hint(f"`tracer blame --failure-model {output}` uses it")


@app.command()
def fusion(
    bench: Annotated[
        Path, typer.Argument(metavar="BENCH.json", help="What `tracer bench whowhen DIR --lm URL --json` printed.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the weights go.")] = Path(
        "fusion.json"
    ),
    as_json: AsJson = False,
) -> None:
    """Fit the judge's weight beside the ranker.

    By maximum likelihood; the log-loss of held-out questions is told with the judge and without.

    \b
    Example: tracer train fusion bench.json -o fusion.json
    """
    from tracer.analyses.train_fusion import train as fit
    from tracer.files import require_file, write_whole

    require_file(output, "fusion.json")
    trained = fit(read_text(bench), str(bench))
    fitted = trained.fusion.fitted
    assert fitted is not None
    write_whole(output, f"{trained.fusion.model_dump_json(indent=2)}\n".encode())
    told = {
        "runs": fitted.runs,
        "weight": trained.fusion.weights["judge"],
        "weights_of_folds": trained.weights,
        "log_loss": fitted.log_loss,
        "log_loss_without": fitted.log_loss_without,
        "gain": trained.gain.value,
        "gain_ci": [trained.gain.low, trained.gain.high],
    }
    if as_json:
        print(json.dumps({"fusion": str(output), **told}, indent=2))
        return
    low, high = trained.gain.low, trained.gain.high
    print(
        f"judge's weight {told['weight']:.2f}, fitted on {fitted.runs} runs; held-out log-loss {fitted.log_loss:.3f} "
        f"with the judge, {fitted.log_loss_without:.3f} without: "
        f"gain {trained.gain.value:+.3f} [{low:+.3f}, {high:+.3f}]"
    )
    if low <= 0:
        print("the gain may be none: the judge was not shown to help")
    hint(f"`tracer blame --judge --lm URL --fusion {output}` uses it")
