"""From the runs of a store to what the failed ones have in common; graphs and findings are kept in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracer.errors import NoSuchRunError, TracerError
from tracer.explanation import DEFAULTS, Explanation, Held, Options, Progress, explain_held
from tracer.fleet import Patterns
from tracer.records import Run
from tracer.stats import MEASURES
from tracer.store import Store

if TYPE_CHECKING:
    from tracer.analyses.elements import Element

DEFAULT = next(iter(MEASURES))
_AT_ONCE = 200
"""Runs whose steps are read in one query."""


class Fleet(NamedTuple):
    """Runs whose end is known, with what each is made of."""

    failed: list[Held]
    spectra: dict[str, frozenset[Element]]
    """By run, successful ones included, in the order of ingestion."""
    unknown: int


def patterns(
    path: Path,
    refs: Sequence[str] = (),
    measure: str = DEFAULT,
    options: Options = DEFAULTS,
    progress: Progress | None = None,
) -> Patterns:
    """What failed runs have that successful ones have not, and where they broke: of `refs`, or of all runs.

    `measure`, a name in `tracer.stats.MEASURES`, says which suspect comes first. Runs whose outcome nobody states are
    left out and counted. Raises TracerError when no run failed.
    """
    if measure not in MEASURES:
        raise TracerError(f"no measure {measure!r}; there are: {', '.join(MEASURES)}")
    fleet = gather(path, refs)
    if not fleet.failed:
        raise NoSuchRunError(_none_failed(fleet))
    return compare(fleet, explain_held(path, fleet.failed, options, progress), measure, options.method)


def gather(path: Path, refs: Sequence[str] = ()) -> Fleet:
    """Read the runs, and what each is made of."""
    from tracer.analyses.elements import Element, spectrum

    failed, spectra = [], dict[str, frozenset[Element]]()
    with Store.open(path, read_only=True) as store:
        runs = _runs(store, refs)
        known = [run for run in runs if run.outcome != "unknown"]
        for start in range(0, len(known), _AT_ONCE):
            some = known[start : start + _AT_ONCE]
            steps = store.steps_of([run.id for run in some])
            spectra |= {run.id: spectrum(steps[run.id]) for run in some}
            failed += [Held(run, steps[run.id], store.edges(run.id)) for run in some if run.outcome == "failure"]
    return Fleet(failed, spectra, len(runs) - len(spectra))


def compare(fleet: Fleet, explained: Sequence[Explanation], measure: str, method: str) -> Patterns:
    """What the runs have in common, given what blame says of the failed ones."""
    from tracer.analyses.causes import case, causes
    from tracer.analyses.patterns import suspects
    from tracer.analyses.spectra import tabulate

    broken = {held.run.id for held in fleet.failed}
    ids = list(fleet.spectra)
    table = tabulate(list(fleet.spectra.values()), [run in broken for run in ids])
    told = suspects(table, ids, measure)
    cases = [found for each in explained if (found := case(each.run, each.steps, each.finding))]
    return Patterns(
        failed=len(broken),
        succeeded=len(ids) - len(broken),
        unknown=fleet.unknown,
        tested=len(told.suspects) if len(ids) > len(broken) else 0,
        method=method,
        measure=measure,
        suspects=tuple(told.suspects),
        causes=tuple(causes(cases, len(broken), told.holders)),
        notes=_notes(fleet, len(ids) - len(broken)),
    )


def _runs(store: Store, refs: Sequence[str]) -> list[Run]:
    if not refs:
        return store.runs()
    return list({run.id: run for run in (store.run(ref) for ref in refs)}.values())


def _none_failed(fleet: Fleet) -> str:
    total = len(fleet.spectra) + fleet.unknown
    if not total:
        return "the database holds no runs: run `tracer ingest LOGS` first"
    counts = f"{total:,} in all, {fleet.unknown:,} of unknown outcome"
    return f"no run is known to have failed ({counts}): say so with `tracer mark RUN --failed`, or --csv FILE for many"


def _notes(fleet: Fleet, succeeded: int) -> tuple[str, ...]:
    notes = []
    if fleet.unknown == 1:
        notes.append("1 run does not say how it ended and is left out: `tracer mark` says it")
    elif fleet.unknown:
        notes.append(f"{fleet.unknown:,} runs do not say how they ended and are left out: `tracer mark` says it")
    if not succeeded:
        needing = " and ".join(name for name, measure in MEASURES.items() if measure.needs_successes)
        notes.append(f"no run succeeded, so nothing sets the failed ones apart: {needing} need successful runs")
    return tuple(notes)
