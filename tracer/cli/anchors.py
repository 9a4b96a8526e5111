"""`tracer anchors`: which sentences of a chain of thought the rest depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db, Device, Dtype, Lm
from tracer.cli.output import LONG, ProgressBar, hint, print_json, print_report, report_width, warn
from tracer.errors import TracerError
from tracer.text import safe_json

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.anchor_options import Expected
    from tracer.records import Anchors

COMPARE = "compare"


def anchors(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[compare] TARGET",
            help="RUN, RUN:STEP, or a text or JSON file with a chain of thought. Default: @last.",
        ),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="suppress, receivers, surprisal, forced, resample, or all of them.")
    ] = "suppress",
    lm: Lm = "pocket",
    device: Device = None,
    dtype: Dtype = None,
    rollouts: Annotated[
        int | None,
        typer.Option("--rollouts", min=1, help="resample: at most so many in all. Default: 20 for each sentence."),
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option("--budget-tokens", min=1, help="resample: draw at most so many tokens.")
    ] = None,
    ci_width: Annotated[
        float | None,
        typer.Option("--ci-width", min=0.01, max=1.0, help="resample: go on until each interval is this narrow."),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="resample: the answer to explain. Default: the chain's own.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="REGEX", help="resample: how to find the answer in a rollout.")
    ] = None,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="resample: of the draws.")] = 0.6,
    top_p: Annotated[float, typer.Option("--top-p", min=0.0, max=1.0, help="resample: of the draws.")] = 0.95,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="resample: of one rollout.")] = 1024,
    seed: Annotated[int, typer.Option("--seed", help="resample: the same seed draws the same.")] = 0,
    similarity: Annotated[
        str | None,
        typer.Option("--similarity", metavar="MODEL", help="resample: words, or a sentence-transformers folder."),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="resample: 100 rollouts everywhere, and the published formulas, too.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Find the sentences of reasoning that the rest depends on.

    suppress, receivers, surprisal and forced read the text; resample writes it anew from every sentence on and keeps
    each rollout. `compare` shows how far the methods that were run agree. The pocket model explains texts of its own
    small world only.

    \b
    Example: tracer anchors @last:4 --lm ./my-model --method resample
    """
    from tracer.anchor_options import Options, Resampling
    from tracer.anchoring import anchor_all
    from tracer.config import database_path

    given = list(words or [])
    comparing = given[:1] == [COMPARE]
    target, *more = given[comparing:] or ["@last"]
    if more:
        raise TracerError(f"one TARGET at a time: got {target} and {' '.join(more)}")
    database = database_path(db)
    if comparing:
        _compare(target, database, as_json)
        return
    asked = Resampling(
        rollouts, budget_tokens, ci_width, temperature, top_p, max_tokens, seed, outcome, answer, similarity, paper
    )
    with ProgressBar("anchors") as progress:
        found = anchor_all(target, database, Options(method, lm, device, dtype, asked), progress, _foretell)
    for each in found:
        _print(each, as_json, alone=len(found) == 1)
    if not as_json:
        hint("`--json` gives every figure, `--method` another view, `tracer anchors compare` how far the views agree")


def _foretell(expected: Expected) -> None:
    """Before a long job, say what it takes and that it may be broken off."""
    if expected.seconds is not None and expected.seconds > LONG:
        warn(f"{expected.words}; Ctrl-C keeps what is drawn, and --budget-tokens draws less")


def _print(found: Anchors, as_json: bool, alone: bool) -> None:
    """Several answers in JSON stand on a line each."""
    if as_json:
        if alone:
            print_json(found)
        else:
            print(safe_json(found.model_dump_json()))
        return
    from tracer.viz.anchors import anchors_report
    from tracer.viz.resampling import resampling_report

    report = resampling_report if found.method == "resample" else anchors_report
    print_report(report(found, width=report_width()))


def _compare(target: str, database: Path, as_json: bool) -> None:
    """Put the stored answers about one chain side by side."""
    import json

    from tracer.analyses.agreement import compare
    from tracer.anchoring import chain_of
    from tracer.store import Store
    from tracer.viz.agreement import agreement_report

    chain = chain_of(target, database)
    with Store.open(database, read_only=True) as store:
        held = store.all_anchors(chain.digest)
    if len(held) < 2:
        ran = f"only {held[0].method} was run" if held else "no method was run"
        raise TracerError(f"{target}: {ran} on this chain of thought: run others, or `--method all`, first")
    result = compare(held)
    if as_json:
        print(safe_json(json.dumps(result, indent=2)))
    else:
        print_report(agreement_report(result))
