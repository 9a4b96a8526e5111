"""`tracer blame`: which step broke a run, and how sure we are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import ProgressBar, hint, print_report, report_width

if TYPE_CHECKING:
    from tracer.explanation import Explanation, Options


class Truth(StrEnum):
    """What a good end of a fork is."""

    outcome = "outcome"
    agreement = "agreement"


class Assumed(StrEnum):
    """How a run is to be taken as ended."""

    failed = "failed"
    ok = "ok"


def _methods() -> list[str]:
    """Names for tab completion; loading them takes a moment, so only then."""
    from tracer.analyses.blame import METHODS

    return list(METHODS)


Method = Annotated[
    str,
    typer.Option(
        "--method",
        help="ranker, rule-r, graphtracer, first-code, first-error, second-actor or last-actor.",
        autocompletion=_methods,
    ),
]


def blame(
    address: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run by address. Default: the last failed one.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run that is not known to have succeeded.")] = False,
    method: Method = "ranker",
    assume: Annotated[
        Assumed | None, typer.Option("--assume", help="Take the run as failed, or as ok, whatever its log says.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many candidates to list.")] = 5,
    ranker: Annotated[
        Path | None, typer.Option("--ranker", metavar="FILE", help="A ranker that `tracer train ranker` made.")
    ] = None,
    failure_model: Annotated[
        Path | None,
        typer.Option("--failure-model", metavar="FILE", help="A P(failed) that `tracer train failure` made."),
    ] = None,
    lm: Annotated[
        str | None,
        typer.Option("--lm", metavar="MODEL", help="Let a language model read the run, too: pocket, or one on disk."),
    ] = None,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Let the chat model at --lm http://HOST:PORT/v1#MODEL (or TRACER_LM) compare."),
    ] = False,
    samples: Annotated[int, typer.Option("--samples", min=1, help="How often the judge votes.")] = 5,
    fusion: Annotated[
        Path | None,
        typer.Option("--fusion", metavar="FILE", help="A weight of the judge that `tracer train fusion` fitted."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Live the run again to measure which step broke it.")
    ] = False,
    replayer: Annotated[
        str | None,
        typer.Option("--with", metavar="REPLAYER", help="Who runs your system again, as in `tracer replay`."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, help="Live at most so many forks. Default: 90.")
    ] = None,
    truth: Annotated[
        Truth,
        typer.Option(
            "--truth",
            metavar="TRUTH",
            help="What a good end is. outcome: the right one; agreement: any other answer than the recorded one.",
        ),
    ] = Truth.outcome,
    white_box: Annotated[
        Path | None,
        typer.Option("--white-box", metavar="FILE", help="Weights for --lm that `tracer train white-box` made."),
    ] = None,
    drill: Annotated[bool, typer.Option("--drill", help="Go on inside the blamed step, to the sentence.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one self-contained HTML file.")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Rank the steps that could have broken a run.

    With a probability, what speaks for each step, and the way from the cause to the symptom.

    The log alone gives a first order; --lm lets a model read the run, --judge lets one compare the candidates,
    --replay lives the run again and measures.

    \b
    Example: tracer blame --html report.html
    Example: tracer blame @last --judge --lm http://127.0.0.1:8000/v1
    Example: tracer blame @last --replay --with my_app:replay --drill
    """
    from tracer.causal_blame import Causal, explain_causally
    from tracer.config import database_path
    from tracer.errors import TracerError
    from tracer.explanation import Options, explain

    options = Options(method, assume.value if assume else None, top, ranker, failure_model)
    if replay != bool(replayer):
        raise TracerError("--replay and --with belong together: --replay --with module:function lives the run again")
    if white_box and not lm:
        raise TracerError("--white-box weighs what a model makes of the run: name one with --lm")
    if fusion and not judge:
        raise TracerError("--fusion weighs the judge: add --judge --lm http://HOST:PORT/v1#MODEL")
    causal = Causal(replayer, budget, truth.value, lm, drill, judge, samples, fusion, white_box)
    if every:
        if address or html or causal.asked:
            given = "RUN" if address else "--html" if html else "--lm, --replay and --drill"
            raise TracerError(f"--all explains every run: leave out {given}")
        _all(database_path(db), options, as_json)
        return
    if causal.asked:
        with ProgressBar("measuring") as progress:
            explained = explain_causally(database_path(db), address, options, causal, progress)
    else:
        explained = explain(database_path(db), address, options)
    if html:
        _write(html, explained)
    if as_json:
        _print_json(explained, indent=2)
        return
    from tracer.viz.terminal import blame_report

    print_report(blame_report(explained.run, explained.steps, explained.finding, width=report_width()))
    candidates = explained.finding.candidates
    if candidates and not html:
        run = explained.run.id
        hint(f"`tracer show {run}:{candidates[0].step}` prints that step, `tracer report {run}` draws the graph")


def _all(path: Path, options: Options, as_json: bool) -> None:
    from tracer.explanation import explain_all
    from tracer.viz.terminal import blame_table

    with ProgressBar("explaining runs") as progress:
        found = explain_all(path, options, progress)
    if as_json:
        for explained in found:
            _print_json(explained)
    elif found:
        print_report(blame_table(((each.run, each.finding) for each in found), width=report_width()))
        hint(f"`tracer blame {found[-1].run.id}` gives the reasons")
    else:
        print("no run to explain: none failed, and none is of unknown outcome")


def _write(path: Path, explained: Explanation) -> None:
    from tracer.viz.html import write_html

    written = write_html(path, *explained)
    hint(f"open {written}")


def _print_json(explained: Explanation, **layout: Any) -> None:
    from tracer.schemas import BlameReport
    from tracer.text import safe_json

    print(safe_json(BlameReport.of(explained.finding).model_dump_json(by_alias=True, **layout)))
