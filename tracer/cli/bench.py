"""`tracer bench`: how often each method meets a human's label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli import world
from tracer.cli.options import AsJson
from tracer.cli.output import LONG, ProgressBar, print_report, warn
from tracer.durations import duration

if TYPE_CHECKING:
    from tracer.analyses.bench_whowhen import Judging
    from tracer.analyses.spending import Expected
    from tracer.records import Recording

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


class Protocol(StrEnum):
    """How the ranker is scored."""

    shipped = "shipped"
    cv = "cv"
    transfer = "transfer"


class Judge(StrEnum):
    """How a chat model is asked."""

    judge = "judge"
    all_at_once = "all-at-once"
    step_by_step = "step-by-step"
    binary_search = "binary-search"


@app.callback()
def bench() -> None:
    """Measure the methods on labelled runs."""


@app.command()
def whowhen(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of labelled runs in Who&When form.")],
    protocol: Annotated[
        Protocol,
        typer.Option(
            "--protocol",
            help="shipped: the shipped ranker on runs it has not seen; cv: trained anew in folds; "
            "transfer: trained on the other subsets only.",
        ),
    ] = Protocol.shipped,
    second_labels: Annotated[
        Path | None, typer.Option("--second-labels", metavar="FILE", help="A second team's labels of the same runs.")
    ] = None,
    lm: Annotated[
        str | None,
        typer.Option("--lm", metavar="URL#MODEL", help="Ask a chat model about every run, too, as --method says."),
    ] = None,
    method: Annotated[
        Judge | None,
        typer.Option(
            "--method",
            help="judge: the model compares what the ranker proposes; the others: the protocols of Who&When. "
            "Default: judge.",
        ),
    ] = None,
    ground_truth: Annotated[
        bool, typer.Option("--ground-truth", help="Show the model the right answer of each task.")
    ] = False,
    samples: Annotated[int, typer.Option("--samples", min=1, help="How often the judge votes on each run.")] = 5,
    twins: Annotated[
        bool,
        typer.Option(
            "--twins", help="Ask twice more, with a bystander who argues who is guilty and with a silent one."
        ),
    ] = False,
    budget: Annotated[
        int | None,
        typer.Option("--budget-tokens", min=1, help="Begin no other run when so many tokens are read and written."),
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=256, help="Runs judged at a time.")] = 8,
    journal: Annotated[
        Path,
        typer.Option("--journal", metavar="FILE", help="Where answers are kept as they come; it goes on from there."),
    ] = Path("bench-whowhen.journal"),
    as_json: AsJson = False,
) -> None:
    """Score every method on labelled runs.

    Strict equality and the benchmark's official scorer side by side, with intervals, calibration and baselines. With
    --lm a chat model is asked as well, with tokens and time beside its accuracy; after Ctrl-C the same command goes on.

    \b
    Example: tracer bench whowhen whowhen/ --protocol cv
    Example: tracer bench whowhen whowhen/ --lm http://127.0.0.1:8000/v1 --method all-at-once
    """
    from tracer.analyses.bench_whowhen import bench as run_bench
    from tracer.errors import TracerError
    from tracer.text import safe_json
    from tracer.viz.bench import bench_report

    recordings = labelled(folder)
    second = read_text(second_labels) if second_labels else None
    if lm is None and (method or ground_truth or twins):
        raise TracerError(
            "--method, --ground-truth and --twins are for a chat model: add --lm http://HOST:PORT/v1#MODEL"
        )
    with ExitStack() as stack:
        progress = stack.enter_context(ProgressBar("scoring"))
        judging = None
        if lm is not None:
            judging = stack.enter_context(
                _judging(lm, (method or Judge.judge).value, ground_truth, samples, twins, parallel, budget, journal)
            )
            judging = judging._replace(
                progress=lambda done, total: progress("runs judged", done, total), foretell=_foretell
            )
        result = run_bench(
            recordings, protocol.value, second, lambda done, total: progress("fold", done, total), judging
        )
    if as_json:
        import json

        print(safe_json(json.dumps(result, indent=2)))
    else:
        print_report(bench_report(result))


@contextmanager
def _judging(
    lm: str,
    method: str,
    ground_truth: bool,
    samples: int,
    twins: bool,
    parallel: int,
    budget: int | None,
    journal: Path,
) -> Iterator[Judging]:
    """A chat model and the journal of its answers, until the block ends."""
    from tracer.analyses.bench_journal import BenchJournal
    from tracer.analyses.bench_judge import Ways
    from tracer.analyses.bench_whowhen import Judging
    from tracer.analyses.interview import Asking
    from tracer.judging import chat_model

    with chat_model(lm) as model, BenchJournal(journal) as kept:
        try:
            yield Judging(Ways(Asking(model, samples=samples), method, ground_truth, twins, parallel, budget), kept)
        except BaseException:
            if kept.values:
                warn(f"{len(kept.values)} answers are kept in {journal}: the same command goes on from there")
            raise


def _foretell(expected: Expected) -> None:
    """When the first runs are judged, say what the others will take."""
    if expected.seconds > LONG:
        warn(
            f"about {expected.tokens:,.0f} tokens and {duration(expected.seconds)} for the {expected.runs} runs that "
            "are left, by the first ones; Ctrl-C keeps what is judged, and --budget-tokens ends it earlier"
        )


@app.command()
def sources(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="Labelled runs: a folder, or runs of the world.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Others.")],
    as_json: AsJson = False,
) -> None:
    """Train the ranker on one source of labelled runs, on the other, or on both, and test it on each.

    \b
    Example: tracer bench sources whowhen/ world.jsonl.gz
    """
    import json

    from tracer.analyses.bench_sources import bench_sources
    from tracer.analyses.cases import prepare
    from tracer.viz.bench import sources_report

    rows = bench_sources(*([prepare(each) for each in labelled(path)] for path in (first, second)))
    if as_json:
        print(json.dumps({"first": str(first), "second": str(second), "rows": rows}, indent=2))
    else:
        print_report(sources_report(rows))


@app.command()
def alarms(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS", help="Logs of runs whose outcome is known.")],
    as_json: AsJson = False,
) -> None:
    """Hide how runs ended, and count how often a success is accused.

    \b
    Example: tracer bench alarms results.json
    """
    import json

    from tracer.analyses.bench_alarms import bench_alarms
    from tracer.viz.bench import alarms_report

    result = bench_alarms(read(paths))
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        print_report(alarms_report(result))


Count = Annotated[int, typer.Option("--n", min=1, help="How many problems, or traces per seed.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Which ones: the same seed gives the same.")]


@app.command()
def pocket(n: Count = 100, seed: Seed = 0, as_json: AsJson = False) -> None:
    """Let the pocket model solve fresh problems of its world.

    Alone, greedily and sampled at temperature 0.8, and as every agent of a team.

    \b
    Example: tracer bench pocket --n 500
    """
    import json

    from tracer.lm import require
    from tracer.viz.bench import pocket_report

    require()
    from tracer.analyses.bench_pocket import bench as run_bench

    result = run_bench(n, seed)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        print_report(pocket_report(result))


@app.command()
def falls(n: Count = 100, seed: Seed = 0, as_json: AsJson = False) -> None:
    """Search planted runs for the step that broke them: accuracy over forks.

    Beside plain bisection and resampling every prefix. No model is asked: success rates are planted.

    \b
    Example: tracer bench falls --n 200
    """
    import json

    from tracer.analyses.bench_falls import bench_falls
    from tracer.viz.bench_world import falls_report

    result = bench_falls(n, seed)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        print_report(falls_report(result))


@app.command()
def anchors(n: Count = 50, seed: Seed = 0, as_json: AsJson = False) -> None:
    """Score the white-box methods against edges that are true by construction.

    \b
    Example: tracer bench anchors --n 100
    """
    import json

    from tracer.lm import load
    from tracer.viz.bench import edges_report

    model = load()
    from tracer.analyses.bench_anchors import bench_anchors

    with ProgressBar("reading traces") as progress:
        result = bench_anchors(model, n, seed, lambda done, total: progress("trace", done, total))
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        print_report(edges_report(result))


@app.command()
def resampling(n: Count = 30, seed: Seed = 0, as_json: AsJson = False) -> None:
    """Hold resampling to traces whose decisive sentence is known, to full sweeps, and to planted models.

    \b
    Example: tracer bench resampling --n 30
    """
    import json

    from tracer.lm import load
    from tracer.viz.bench import resampling_bench_report

    model = load()
    from tracer.analyses.bench_resampling import bench_resampling

    with ProgressBar("resampling") as progress:
        result = bench_resampling(model, n, seed, progress)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        print_report(resampling_bench_report(result))


@app.command()
def cite(n: Count = 100, seed: Seed = 0, as_json: AsJson = False) -> None:
    """Hold `tracer cite` to runs whose true sources are known, and to claims that were made up and planted.

    \b
    Example: tracer bench cite --n 20
    """
    import json

    from tracer.lm import load, require

    require()
    model = load()
    from tracer.analyses.bench_cite import bench_cite

    with ProgressBar("citing") as progress:
        result = bench_cite(model, n, seed, progress)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    from tracer.viz.bench_world import cite_bench_report

    print_report(cite_bench_report(result))


@app.command()
def paper(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Problem folders of the thought-anchors data.")],
    as_json: AsJson = False,
) -> None:
    """Compute published figures of Thought Anchors again, and explain every deviation.

    \b
    Example: tracer bench paper thought-anchors/
    """
    import json

    from tracer.analyses.bench_paper import audit
    from tracer.text import safe_json
    from tracer.viz.audit import audit_report

    result = audit(folder)
    if as_json:
        print(safe_json(json.dumps(result, indent=2)))
    else:
        print_report(audit_report(result))


app.command("world")(world.bench)
app.command("world-runs")(world.runs)
app.command("world-labels")(world.labels)


def read(paths: list[Path]) -> list[Recording]:
    """Every run in the logs; what cannot be read is told on stderr."""
    from tracer.collectors.ingest import read_recordings

    recordings, skipped = read_recordings(paths)
    for source, reason in skipped:
        warn(f"skipped {source}: {reason}")
    return recordings


def labelled(folder: Path) -> list[Recording]:
    """Every labelled run below a folder, or in a file of the agent world that has its labels beside it."""
    from tracer.errors import BadInputError

    found = _of_the_world(folder) or [recording for recording in read([folder]) if recording.run.labels]
    if not found:
        raise BadInputError(
            f"{folder}: no labelled run in it; give a folder of Who&When files, or world runs beside their labels"
        )
    return found


def _of_the_world(path: Path) -> list[Recording]:
    """The runs of a file whose labels lie beside it; none where there are none."""
    from tracer.analyses.truth import beside, labelled
    from tracer.analyses.world_labels import read_labels

    return labelled(read([path]), read_labels(beside(path))) if path.is_file() and beside(path).is_file() else []


def read_text(path: Path) -> str:
    """A text file of the user's, or one clear line."""
    from tracer.errors import BadInputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
