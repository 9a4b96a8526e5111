"""From the database to what a report needs: runs explained, with what is known of their reasoning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tracer.chain import of_step
from tracer.errors import NoSuchRunError, TracerError
from tracer.explanation import DEFAULTS, Explanation, Held, Options, Progress, explain_held, hold, last_failed
from tracer.records import Anchors, Run, Step
from tracer.reported import Reported
from tracer.store import Store

MOST = 2
"""Runs that stand side by side."""


def report_runs(path: Path, refs: Sequence[str] = (), options: Options = DEFAULTS) -> list[Reported]:
    """One run, or two to compare; without an address the last failed run. More, or one twice, is the user's mistake."""
    if len(refs) > MOST:
        raise TracerError(f"a report is of one run, or of two to compare: got {len(refs)}; `--all` reports every run")
    with Store.open(path, read_only=True) as store:
        runs = [store.run(ref) for ref in refs] or [last_failed(store)]
        if len({run.id for run in runs}) < len(runs):
            raise TracerError(f"both addresses are run {runs[0].id}: name two runs to compare, or one")
        held, answers = _held(store, runs)
    return _reported(explain_held(path, held, options), answers)


def report_all(path: Path, options: Options = DEFAULTS, progress: Progress | None = None) -> list[Reported]:
    """Every run, those that succeeded too, in the order of ingestion; `progress` counts each twice: read, explained."""
    tell = progress or (lambda _item, _done, _total: None)
    with Store.open(path, read_only=True) as store:
        runs = store.runs()
        if not runs:
            raise NoSuchRunError("the database holds no runs: run `tracer ingest LOGS` first")
        held, answers = _held(store, runs, lambda item, done, total: tell(item, done, 2 * total))
    found = explain_held(path, held, options, lambda item, done, total: tell(item, total + done, 2 * total))
    return _reported(found, answers)


def report_explained(path: Path, explained: Explanation) -> Reported:
    """An explanation at hand, with the answers that the database holds about its reasoning, where there is one."""
    answers: dict[int, list[Anchors]] = {}
    if path.exists():
        with Store.open(path, read_only=True) as store:
            answers = dict(_answers(store, explained.run, explained.steps, _asked(store)))
    [reported] = _reported([explained], [answers])
    return reported


def _held(
    store: Store, runs: Sequence[Run], progress: Progress | None = None
) -> tuple[list[Held], list[dict[int, list[Anchors]]]]:
    asked = _asked(store)
    held, answers = [], []
    for done, run in enumerate(runs):
        held.append(hold(store, run))
        answers.append(dict(_answers(store, run, held[-1].steps, asked)))
        if progress:
            progress(run.id, done + 1, len(runs))
    return held, answers


def _asked(store: Store) -> set[str]:
    """Digests of the chains of thought about which an answer is held: mostly few, or none."""
    return {content for (content,) in store.database.all("SELECT DISTINCT content FROM anchors")}


def _answers(store: Store, run: Run, steps: Sequence[Step], asked: set[str]) -> Iterator[tuple[int, list[Anchors]]]:
    """The answers about each step's reasoning."""
    thinking = [step for step in steps if step.reasoning and step.reasoning.strip()] if asked else []
    for step in thinking:
        digest = of_step(run, steps, step.index).digest
        if digest in asked:
            yield step.index, store.all_anchors(digest)


def _reported(found: Sequence[Explanation], answers: Sequence[Mapping[int, Sequence[Anchors]]]) -> list[Reported]:
    from tracer.analyses.agreement import compare

    return [
        Reported(*each, anchors, {index: compare(known) for index, known in anchors.items() if len(known) > 1})
        for each, anchors in zip(found, answers, strict=True)
    ]
