"""From addresses of successful runs to labelled failures: plant, live on, keep the forks, write the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.errors import NoSuchRunError
from tracer.forking import setting_of
from tracer.records import Label, Recording, Run
from tracer.store import Store
from tracer.who_and_when import entry, require, write

if TYPE_CHECKING:
    from tracer.analyses.synthesis import Planted, Synthesis

Progress = Callable[[str, int, int], None]
TEAM = "synth"
"""Whose labels they are."""


class Options(NamedTuple):
    """What the user may set about a synthesis."""

    replayer: str
    n: int = 10
    """Failures wanted."""
    kinds: tuple[str, ...] = ()
    """None: all."""
    seed: int = 0
    forks: int | None = None
    margin: float | None = None
    budget: int | None = None
    budget_tokens: int | None = None


class Made(NamedTuple):
    """What was planted, and the files that hold it."""

    synthesis: Synthesis
    files: list[Path]


def synthesise(
    path: Path, refs: Sequence[str], folder: Path, options: Options, progress: Progress | None = None
) -> Made:
    """Plant faults in the runs named, or in all that succeeded, and write failures and survivors into the folder."""
    from tracer.analyses.faults import FAULTS
    from tracer.analyses.flips import MARGIN
    from tracer.analyses.replay import Budget
    from tracer.analyses.synthesis import FORKS
    from tracer.analyses.synthesis import synthesise as plant

    require(folder)
    with Store.open(path, read_only=True) as store:
        runs = [store.run(ref) for ref in refs] or _successes(store)
        recordings = [Recording(run, tuple(store.steps(run.id))) for run in {run.id: run for run in runs}.values()]
    settings = [setting_of(path, options.replayer, recording) for recording in recordings]
    found = plant(
        settings,
        options.n,
        kinds=options.kinds or tuple(FAULTS),
        seed=options.seed,
        forks=options.forks or FORKS,
        margin=MARGIN if options.margin is None else options.margin,
        budget=Budget(options.budget, options.budget_tokens),
        progress=progress,
    )
    given = [each for each in found.planted if each.fate != "unconfirmed"]
    return Made(found, write(folder, _entries(path, given)) if given else [])


def _successes(store: Store) -> list[Run]:
    runs = [run for run in store.runs() if run.outcome == "success"]
    if not runs:
        raise NoSuchRunError("no run is known to have succeeded: mark one, `tracer mark RUN --ok`, or name others")
    return runs


def _entries(path: Path, planted: Sequence[Planted]) -> list[dict[str, Any]]:
    with Store.open(path, read_only=True) as store:
        forks = {each.run: Recording(store.run(each.run), tuple(store.steps(each.run))) for each in planted}
    return [entry(forks[each.run], label(each) if each.fate == "failure" else None, _more(each)) for each in planted]


def label(planted: Planted) -> Label:
    """Where the fault was planted."""
    fault = planted.fault
    return Label(team=TEAM, agent=fault.agent, step=fault.step, stated=str(fault.step), reason=fault.reason)


def _more(planted: Planted) -> dict[str, Any]:
    """How it was made, and how sure it is."""
    found = planted.replayed
    return {
        "run": planted.run,
        "parent": planted.parent,
        "fault": planted.fault.kind,
        "planted_step": planted.fault.step,
        "effect": [found.effect, found.low, found.high],
        "forks": found.changed.n,
        "replayer": found.replayer,
        "stand_in": found.stand_in,
    }
