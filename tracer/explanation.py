"""From a stored run to its explanation: graph, ranking, verdict; kept in the store so that SQL can ask for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Literal, NamedTuple

from tracer.errors import BadInputError, NoSuchRunError
from tracer.records import Edge, Finding, Run, Step
from tracer.store import Store

Assumption = Literal["failed", "ok"]
Progress = Callable[[str, int, int], None]
"""Told what was done last, how many are done, how many there are."""


class Options(NamedTuple):
    """What the user may set about a blame."""

    method: str = "ranker"
    assume: Assumption | None = None
    """Overrides how the run ended."""
    top: int = 5
    """Candidates listed."""
    ranker: Path | None = None
    """A ranker of the user's in the place of the shipped one."""
    failure_model: Path | None = None
    """A P(failed) of the user's in the place of the shipped one."""


class Explanation(NamedTuple):
    """A run, its information dependency graph, and what a method says of it."""

    run: Run
    steps: Sequence[Step]
    edges: Sequence[Edge]
    finding: Finding

    def _repr_html_(self) -> str:
        """The report in a notebook: the same page, in a frame that can neither reach the notebook nor the network."""
        from tracer.viz.notebook import framed

        return framed(*self)

    def _repr_markdown_(self) -> str:
        """The report where a notebook shows Markdown only."""
        from tracer.viz.markdown import markdown_report

        return markdown_report(*self)


DEFAULTS = Options()


class Held(NamedTuple):
    """A run as the store holds it."""

    run: Run
    steps: Sequence[Step]
    edges: Sequence[Edge] | None
    """Its graph, where it was computed before."""


def explain(path: Path, ref: str | None = None, options: Options = DEFAULTS) -> Explanation:
    """Explain one run: `ref`, or the last failed one, and keep graph and finding in the store."""
    with Store.open(path, read_only=True) as store:
        held = hold(store, store.run(ref) if ref else last_failed(store))
    [explained] = explain_held(path, [held], options)
    return explained


def explain_all(path: Path, options: Options = DEFAULTS, progress: Progress | None = None) -> list[Explanation]:
    """Explain every run that is not known to have succeeded, in the order of ingestion."""
    with Store.open(path, read_only=True) as store:
        runs = [run for run in store.runs() if run.outcome != "success" or options.assume == "failed"]
        held = [hold(store, run) for run in runs]
    return explain_held(path, held, options, progress)


def hold(store: Store, run: Run) -> Held:
    """The run with what the store has of it."""
    return Held(run, store.steps(run.id), store.edges(run.id))


def explain_held(
    path: Path, held: Sequence[Held], options: Options = DEFAULTS, progress: Progress | None = None
) -> list[Explanation]:
    """Explain runs that were read from the store before, and keep graphs and findings there."""
    found = []
    for done, explained in enumerate(_explained(held, options)):
        if progress:
            progress(explained.run.id, done + 1, len(held))
        found.append(explained)
    _keep(path, found, {run.id for run, _, edges in held if edges is None})
    return found


def graph(path: Path, ref: str = "@last") -> tuple[Run, Sequence[Step], Sequence[Edge]]:
    """A run with its information dependency graph, computed once and then kept."""
    from tracer.graph import dependency_graph

    with Store.open(path, read_only=True) as store:
        run = store.run(ref)
        steps, edges = store.steps(run.id), store.edges(run.id)
    if edges is None:
        edges = dependency_graph(steps, run.task)
        if _may_change(path):
            with Store.open(path) as store:
                store.save_edges(run.id, edges)
    return run, steps, edges


def last_failed(store: Store) -> Run:
    """The run ingested last that failed; without one, the last whose outcome nobody stated."""
    runs = store.runs()
    for outcome in ("failure", "unknown"):
        if found := [run for run in runs if run.outcome == outcome]:
            return found[-1]
    if runs:
        raise NoSuchRunError("no run failed; name one to ask about it anyway, or mark one: `tracer mark RUN --failed`")
    raise NoSuchRunError("the database holds no runs: run `tracer ingest LOGS` first")


def _explained(held: Sequence[Held], options: Options) -> Iterator[Explanation]:
    from tracer.analyses.blame import blame
    from tracer.analyses.failure import load as load_failure
    from tracer.analyses.ranker import load as load_ranker
    from tracer.graph import dependency_graph

    ranker = load_ranker(*read_file(options.ranker)) if options.ranker else None
    failure_model = load_failure(*read_file(options.failure_model)) if options.failure_model else None
    for run, steps, kept in held:
        edges = kept if kept is not None else dependency_graph(steps, run.task)
        finding = blame(
            run,
            steps,
            edges=edges,
            method=options.method,
            model=ranker,
            failure_model=failure_model,
            assume=options.assume,
            top=options.top,
        )
        yield Explanation(run, steps, edges, finding)


def read_file(path: Path) -> tuple[str, str]:
    """A file's text, and its name for messages."""
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error


def _keep(path: Path, found: Sequence[Explanation], new_graphs: Set[str]) -> None:
    if not _may_change(path):
        return
    with Store.open(path) as store:
        store.save_graphs({each.run.id: each.edges for each in found if each.run.id in new_graphs})
        store.save_findings([each.finding for each in found])


def _may_change(path: Path) -> bool:
    """A database in an archive or on another's share can be asked, too; then nothing is kept in it."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)
