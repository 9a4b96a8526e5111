"""Failed runs whose cause is known, made from successful ones: plant a fault, and live the rest again.

Nothing after the fault is edited: the system itself lives on from it. The label is by construction, the step at which
the fault was planted, and it is confirmed by replay: of the forks with the fault more must fail than of those without
(`tracer.analyses.replay`), by more than the margin.

    failure      confirmed: a fork that failed is given out, with the label
    survived     every fork with the fault succeeds: one is given out as a negative, without a label
    unconfirmed  all else, such as a fault that fails a run that fails anyway now and then: counted, never given out
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat, zip_longest
from random import Random
from typing import Literal, NamedTuple

from tracer.analyses.faults import FAULTS, Fault, Scene, faults
from tracer.analyses.flips import MARGIN
from tracer.analyses.replay import NO_BUDGET, Budget, Change, Setting, replay
from tracer.errors import TracerError
from tracer.records import Replayed

FORKS = 4
"""With the fault and without it; three that all fail beside three that all succeed are confirmed."""
Fate = Literal["failure", "survived", "unconfirmed"]
Progress = Callable[[str, int, int], None]


class Planted(NamedTuple):
    """A fault with what came of it."""

    parent: str
    fault: Fault
    replayed: Replayed
    fate: Fate
    run: str
    """The fork that stands for it: one that failed, or one that survived."""


class Synthesis(NamedTuple):
    """All faults that were planted."""

    planted: list[Planted]
    forks: int
    """That were lived now."""
    ended: Literal["enough", "no more places", "budget"]


def synthesise(
    settings: Sequence[Setting],
    n: int,
    *,
    kinds: Sequence[str] = tuple(FAULTS),
    seed: int = 0,
    forks: int = FORKS,
    margin: float = MARGIN,
    budget: Budget = NO_BUDGET,
    progress: Progress | None = None,
) -> Synthesis:
    """Plant faults in the runs until n of them are failures; every kind in turn, in every run.

    A run that did not succeed has nothing to be spoilt, and an unknown kind is the user's mistake: TracerError.
    """
    _require(settings, kinds)
    planted: list[Planted] = []
    drawn = spent = failures = 0
    for setting, fault in _in_turn(settings, kinds, seed):
        if failures >= n:
            return Synthesis(planted, drawn, "enough")
        left = Budget(_left(budget.forks, drawn), _left(budget.tokens, spent))
        if 0 in left:
            return Synthesis(planted, drawn, "budget")
        if progress:
            progress(f"{fault.kind} at step {fault.step} of {setting.recording.run.id}", failures, n)
        change = Change("edit", fault.edited)
        found = replay(setting, fault.step, change, forks=forks, margin=margin, budget=left)
        drawn, spent = drawn + found.drawn, spent + (found.tokens or 0) * (found.drawn > 0)
        if found.changed.n + found.changed.unknown < forks:
            return Synthesis(planted, drawn, "budget")
        planted.append(_told(setting, fault, found))
        failures += planted[-1].fate == "failure"
    return Synthesis(planted, drawn, "enough" if failures >= n else "no more places")


def _require(settings: Sequence[Setting], kinds: Sequence[str]) -> None:
    for kind in kinds:
        if kind not in FAULTS:
            raise TracerError(f"no fault {kind!r}; there are: {', '.join(FAULTS)}")
    for setting in settings:
        if setting.recording.run.outcome != "success":
            run = setting.recording.run
            raise TracerError(f"run {run.id} is no success ({run.outcome}): faults are planted in runs that succeeded")


def _in_turn(settings: Sequence[Setting], kinds: Sequence[str], seed: int) -> Iterator[tuple[Setting, Fault]]:
    """The first fault of each kind in each run, then the second of each, and so on; the order of runs is drawn."""
    runs = Random(seed).sample(list(settings), len(settings))
    scenes = [(setting, Scene(setting.recording)) for setting in runs]
    lines = [zip(repeat(setting), faults(scene, kind, seed)) for setting, scene in scenes for kind in kinds]
    for row in zip_longest(*lines):
        yield from (pair for pair in row if pair is not None)


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


def _told(setting: Setting, fault: Fault, found: Replayed) -> Planted:
    changed = [row for row in found.forks if row.arm == "changed"]
    failed = [row for row in changed if row.flipped]
    fate: Fate = "unconfirmed"
    if found.verdict == "cause":
        fate = "failure"
    elif not failed and found.changed.unknown == 0:
        fate = "survived"
    return Planted(setting.recording.run.id, fault, found, fate, (failed or changed)[0].run)
