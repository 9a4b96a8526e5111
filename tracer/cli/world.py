"""`tracer bench world-runs` and `world-labels`: runs whose true cause is known, because it was intervened on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.cli.options import AsJson
from tracer.cli.output import ProgressBar, hint

if TYPE_CHECKING:
    from tracer.records import Recording

Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes; 0: as many as there are cores.")]


def runs(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the runs go; .gz compresses.")],
    failed: Annotated[int, typer.Option("--failed", min=0, help="How many runs that fail.")] = 300,
    successful: Annotated[int, typer.Option("--successful", min=0, help="How many runs that succeed.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, max=9000, help="Other seeds give other worlds.")] = 0,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Live runs of the agent world, and write them down as OpenTelemetry spans.

    Teams of three to seven agents, each a sample of the pocket model, solve problems with tools that may fail. Nothing
    is planted; `world-labels` finds out what broke the runs that fail.

    \b
    Example: tracer bench world-runs -o world.jsonl.gz --failed 30 --successful 10
    """
    from tracer.data.agent_runs import runs as live_runs
    from tracer.data.agent_telemetry import require, write
    from tracer.files import require_file

    require_file(output, "world.jsonl.gz")
    require()
    with ProgressBar("living") as progress:
        lived = live_runs(seed, failed, successful, jobs, progress)
    write(lived, output)
    if as_json:
        print(json.dumps({"runs": str(output), "failed": failed, "successful": successful, "seed": seed}, indent=2))
        return
    print(f"{failed} failed and {successful} successful runs in {output}")
    hint(f"`tracer ingest {output}`, or `tracer bench world-labels {output}` for their true causes")


def labels(
    path: Annotated[Path, typer.Argument(metavar="RUNS", help="A file that `world-runs` wrote.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: RUNS with the ending .labels.jsonl.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=0, help="Label the first so many failed runs; 0: all.")] = 0,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Measure only the sentences of these labels anew; their steps stay.")
    ] = False,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Find out by intervention which step broke each failed run, and write it down beside the runs.

    Every prefix of a run is lived again many times; the step at which the chance of a good end falls is the cause. One
    line of JSON a run, with all that it rests on and its cost. Stopped and started again it goes on where it was.

    \b
    Example: tracer bench world-labels world.jsonl.gz --n 40
    """
    from tracer.analyses.truth import beside
    from tracer.analyses.world_labels import label_all, sentences_all, summary
    from tracer.files import require_file

    goal = output or beside(path)
    require_file(goal, "world.labels.jsonl")
    with ProgressBar("labelling") as progress:
        work = sentences_all if sentences else label_all
        found = work(failures(path)[: n or None], goal, jobs, progress)
    result: dict[str, Any] = {"labels": str(goal), **summary(found)}
    if as_json:
        print(json.dumps(result, indent=2))
        return
    print("\n".join(f"{name}: {value}" for name, value in result.items()))


def failures(path: Path) -> list[Recording]:
    """The failed runs of a log, in its order."""
    from tracer.cli.bench import read

    return [each for each in read([path]) if each.run.outcome == "failure"]


def bench(
    n: Annotated[int, typer.Option("--n", min=0, help="How many failed runs.")] = 40,
    successful: Annotated[
        int | None, typer.Option("--successful", min=0, help="How many successful runs. Default: as many.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=9000, help="Other seeds give other worlds.")] = 0,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Hold every method to runs of the agent world whose true cause is measured first.

    Lives fresh runs, labels the failed ones by intervention, and lets each method name the step: from the log, with a
    language model, by replay. `forks` is what a method lived; successful runs are judged with their outcome hidden.

    \b
    Example: tracer bench world --n 20 --seed 3
    Example: tracer bench world --n 0 --successful 200
    """
    from tracer.data.agent_telemetry import require as require_telemetry
    from tracer.lm import require

    require()
    require_telemetry()
    from tracer.analyses.bench_world import bench_world

    with ProgressBar("measuring") as progress:
        found = _lived(n, n if successful is None else successful, seed, jobs, progress)
        failed = [each for each in found if each.run.outcome == "failure"]
        good = [each for each in found if each.run.outcome == "success"]
        result = {"seed": seed, **bench_world(failed, good, jobs, progress)}
    if as_json:
        print(json.dumps(result, indent=2))
        return
    from tracer.cli.output import print_report
    from tracer.viz.bench_world import world_report

    print_report(world_report(result))


def _lived(failed: int, successful: int, seed: int, jobs: int, progress: ProgressBar) -> list[Recording]:
    """So many failed and successful runs, through their telemetry: they are read like anybody's."""
    import tempfile

    from tracer.analyses.bench_world import LENGTHS
    from tracer.cli.bench import read
    from tracer.data.agent_runs import runs
    from tracer.data.agent_telemetry import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.jsonl"
        write(runs(seed, failed, successful, jobs, progress, LENGTHS), path)
        return read([path])
