"""Is this step the cause? Change it, let everything after it happen again, and count how often the end changes.

Two kinds of forks are lived: *changed* ones (the step edited, or said anew from before it) and *kept* ones (the step as
it was). A fork flips when its outcome differs from the run's; where the run's outcome is unknown, when its answer does.
The step's effect is the difference of the two shares (`tracer.analyses.flips`).

Saying a step anew also avoids its slip, and so does every earlier step's; but the kept forks of an earlier step make
the slip again as often as chance has it, so only the difference is the step's own.

The seeds 0, 1, 2, ... make the forks, changed and kept in turn. What the store holds is not lived again, and what was
lived is kept a second later at most, so a replay that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal, NamedTuple, Protocol

from tracer.analyses.flips import MARGIN, arm, effect, settling, verdict
from tracer.analyses.view import View
from tracer.answers import answer
from tracer.equivalence import NONE, TRUNCATED, same
from tracer.errors import TracerError
from tracer.records import ForkRow, Outcome, Recording, Replayed, Run, Step, run_id
from tracer.replaying import BATCH, Fork, Lived, Replayer, ReplayError, continues, whole
from tracer.rows import to_json

Progress = Callable[[str, int, int], None]
Intervention = Literal["edit", "correct", "resample"]
FORKS = 10
"""Of each kind, unless the user says otherwise."""
EVERY = 1.0
"""Seconds between two times that forks are kept: so much a kill may lose."""
_KINDS: tuple[Literal["changed", "kept"], ...] = ("changed", "kept")


class Change(NamedTuple):
    """What is done to a step."""

    intervention: Intervention
    edited: Step | None = None
    """The step that takes its place; None where it is said anew."""


class Budget(NamedTuple):
    """Where to stop at the latest; what the store holds is free."""

    forks: int | None = None
    tokens: int | None = None
    """Of the new steps, as far as they state them."""


NO_BUDGET = Budget()


class Keeper(Protocol):
    """Where forks are kept: the store, or a dict in a test."""

    def held(self, keys: Iterable[str]) -> Mapping[str, Recording]:
        """Those that were lived before."""

    def keep(self, lived: Sequence[tuple[str, Fork, Recording]]) -> None:
        """Keep what was lived now, all of it or nothing."""


class Shelf(dict[str, Recording]):
    """A keeper in memory, for those who have no store."""

    def held(self, keys: Iterable[str]) -> Mapping[str, Recording]:
        """Those that were lived before."""
        return {key: self[key] for key in keys if key in self}

    def keep(self, lived: Sequence[tuple[str, Fork, Recording]]) -> None:
        """Keep what was lived now."""
        self.update({key: found for key, _, found in lived})


class Setting(NamedTuple):
    """Who lives the forks of which run."""

    recording: Recording
    name: str
    """The replayer as the user names it."""
    replayer: Replayer
    keeper: Keeper
    revision: str | None = None
    """The user's word for this version of the system: forks of other versions are not taken for its own."""

    @property
    def stand_in(self) -> str | None:
        """The model that speaks where the system itself is not run."""
        return getattr(self.replayer, "stand_in", None)


class Told(NamedTuple):
    """Forks with what came of them, as far as the budget went."""

    recordings: dict[Fork, Recording]
    drawn: int
    ended: bool
    """Whether the budget ended it."""


def replay(
    setting: Setting,
    at: int,
    change: Change,
    *,
    forks: int = FORKS,
    compare: bool = True,
    margin: float = MARGIN,
    budget: Budget = NO_BUDGET,
    progress: Progress | None = None,
) -> Replayed:
    """What changing step `at` does to the end of the run; `forks` of each kind, kept ones only where `compare`.

    After the last step nothing happens, so its kept forks could only repeat the run: they are left out.
    """
    run, steps = setting.recording
    basis, recorded = _recorded(run, steps)
    compare = compare and at < len(steps) - 1
    wanted = [fork for seed in range(forks) for fork in _pair(steps, at, change, seed, compare)]
    told = live(setting, wanted, budget, progress)
    rows = tuple(_rows(setting, told, at, change, recorded))
    changed = arm(row.flipped for row in rows if row.arm == "changed")
    kept = arm(row.flipped for row in rows if row.arm == "kept") if compare else None
    found = effect(changed, kept)
    said = verdict(found, margin)
    return Replayed(
        run=run.id,
        step=at,
        agent=steps[at].agent,
        intervention=change.intervention,
        replayer=setting.name,
        stand_in=setting.stand_in,
        basis=basis,
        recorded=recorded,
        changed=changed,
        kept=kept,
        effect=found.value,
        low=found.low,
        high=found.high,
        margin=margin,
        verdict=said,
        settles=settling(changed, kept, margin) if said == "inconclusive" else None,
        drawn=told.drawn,
        tokens=_tokens(told.recordings),
        forks=rows,
        notes=tuple(_notes(setting, told, at, rows, len(wanted))),
    )


def live(setting: Setting, forks: Sequence[Fork], budget: Budget = NO_BUDGET, progress: Progress | None = None) -> Told:
    """Live those forks that the keeper does not hold, in batches, each kept at once, until the budget ends."""
    keys = {fork: key(setting, fork) for fork in forks}
    held = setting.keeper.held(keys.values())
    found = {fork: _judged(setting, held[keys[fork]]) for fork in keys if keys[fork] in held}
    left = [fork for fork in keys if fork not in found]
    size, drawn, spent = getattr(setting.replayer, "batch", BATCH), 0, 0
    with closing(_Pending(setting.keeper)) as pending:
        while drawn < len(left):
            room = len(left) if budget.forks is None else budget.forks
            batch = left[drawn : min(drawn + size, room)]
            if not batch or (budget.tokens is not None and spent >= budget.tokens):
                return Told(found, drawn, ended=True)
            if progress:
                progress(f"{len(found)} forks lived", len(found), len(keys))
            new = {fork: record(setting, fork, lived) for fork, lived in _lived(setting, batch)}
            pending.add([(keys[fork], fork, recording) for fork, recording in new.items()])
            found |= new
            drawn += len(batch)
            spent += _tokens(new) or 0
    return Told(found, drawn, ended=False)


def _judged(setting: Setting, held: Recording) -> Recording:
    """A fork lived before the right answer was named is judged by it now."""
    ended = _outcome(setting.recording.run, Lived((), held.run.outcome, held.run.answer))
    return held._replace(run=held.run.model_copy(update={"outcome": ended}))


class _Pending:
    """Forks on their way to the keeper: opening the store takes longer than many a small system lives."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper, self._waiting = keeper, list[tuple[str, Fork, Recording]]()
        self._kept = time.monotonic()

    def add(self, lived: Sequence[tuple[str, Fork, Recording]]) -> None:
        """Keep these and those that wait, if the last time is long ago."""
        self._waiting += lived
        if time.monotonic() - self._kept > EVERY:
            self.close()

    def close(self) -> None:
        """Keep all that wait."""
        if self._waiting:
            self._keeper.keep(self._waiting)
        self._waiting, self._kept = [], time.monotonic()


def key(setting: Setting, fork: Fork) -> str:
    """A digest of all that a fork is made from: run, replayer and its revision, kept steps, which is edited, seed, and
    the step that stands in part."""
    kept = [step.model_dump(exclude={"pointer", "index"}) for step in fork.kept]
    by = [setting.name, getattr(setting.replayer, "revision", None), setting.revision, setting.stand_in]
    made = [setting.recording.run.content_hash, *by, kept, fork.edited is not None, fork.seed]
    if fork.begun is not None:
        made.append(fork.begun.model_dump(exclude={"pointer", "index"}))
    return _digest(made)


def record(setting: Setting, fork: Fork, lived: Lived) -> Recording:
    """A fork that was lived, as a run with its parent."""
    run = setting.recording.run
    steps = whole(fork, lived) or (Step(index=0, agent=setting.name, kind="system", content="(no steps were given)"),)
    digest = _digest([key(setting, fork), [step.model_dump() for step in steps], lived.outcome])
    child = Run(
        id=run_id(digest),
        content_hash=digest,
        source=f"fork of {run.id}:{len(fork.prefix)}",
        format=run.format,
        framework=run.framework,
        task=run.task,
        outcome=_outcome(run, lived),
        outcome_source="replay" if setting.stand_in is None else "replay, stand-in",
        answer=lived.answer,
        expected=run.expected,
        group=run.group,
        parent=run.id,
        forked_at=len(fork.prefix),
        notes=(f"lived again by {setting.name} at seed {fork.seed}{_inside(fork)}",)
        + ((f"stand-in: {setting.stand_in} spoke in the place of the system",) if setting.stand_in else ()),
    )
    return Recording(child, steps)


def _inside(fork: Fork) -> str:
    """In words, how much of the next step was kept."""
    if fork.begun is None:
        return ""
    return f", {len(fork.begun.reasoning or '')} characters of the reasoning of step {len(fork.prefix)} kept"


def _digest(value: Any) -> str:
    """SHA-256 of a value as it would be stored: what agents say may hold half a character."""
    return hashlib.sha256((to_json(value) or "").encode()).hexdigest()


def _lived(setting: Setting, batch: Sequence[Fork]) -> Iterator[tuple[Fork, Lived]]:
    if any(fork.begun for fork in batch) and not continues(setting.replayer):
        raise ReplayError(f"{setting.name} cannot go on from inside a step: give your function a parameter `begun`")
    lived = setting.replayer(batch)
    if not isinstance(lived, list) or len(lived) != len(batch) or not all(isinstance(each, Lived) for each in lived):
        raise ReplayError(f"{setting.name} must return a list with one Lived for each of the {len(batch)} forks")
    return zip(batch, lived, strict=True)


def _pair(steps: Sequence[Step], at: int, change: Change, seed: int, compare: bool) -> Iterator[Fork]:
    yield Fork(tuple(steps[:at]), change.edited, seed)
    if compare:
        yield Fork(tuple(steps[: at + 1]), None, seed)


def _outcome(run: Run, lived: Lived) -> Outcome:
    """As the replayer says; where it does not, by the expected answer, where there is one."""
    if lived.outcome != "unknown" or not run.expected or not lived.answer:
        return lived.outcome
    return "success" if same(run.expected, lived.answer) else "failure"


def _recorded(run: Run, steps: Sequence[Step]) -> tuple[Literal["outcome", "answer"], str]:
    """What a fork is compared with."""
    if run.outcome != "unknown":
        return "outcome", run.outcome
    said = run.answer or _said(steps)
    if said in {NONE, TRUNCATED}:
        raise TracerError(
            f"how run {run.id} ended is not known, nor its answer: say so with `tracer mark {run.id} --failed`"
        )
    return "answer", said


def _said(steps: Sequence[Step]) -> str:
    """The answer in the last words of substance; `none` without one."""
    return answer(steps[View(steps).symptom].content)


def _flipped(run: Run, recorded: str, fork: Recording) -> bool | None:
    if run.outcome != "unknown":
        return None if fork.run.outcome == "unknown" else fork.run.outcome != run.outcome
    said = fork.run.answer or _said(fork.steps)
    return None if said in {NONE, TRUNCATED} else not same(recorded, said)


def _rows(setting: Setting, told: Told, at: int, change: Change, recorded: str) -> Iterator[ForkRow]:
    for fork, recording in sorted(told.recordings.items(), key=lambda pair: (pair[0].seed, len(pair[0].prefix))):
        changed = len(fork.prefix) == at
        yield ForkRow(
            run=recording.run.id,
            arm=_KINDS[0 if changed else 1],
            seed=fork.seed,
            outcome=recording.run.outcome,
            answer=recording.run.answer,
            flipped=_flipped(setting.recording.run, recorded, recording),
        )


def _tokens(recordings: Mapping[Fork, Recording]) -> int | None:
    """Tokens that the new steps state; None where none does."""
    stated = [
        tokens
        for fork, (_, steps) in recordings.items()
        for step in steps[len(fork.kept) :]
        for tokens in (step.input_tokens, step.output_tokens)
        if tokens is not None
    ]
    return sum(stated) if stated else None


def _notes(setting: Setting, told: Told, at: int, rows: Sequence[ForkRow], wanted: int) -> Iterator[str]:
    if setting.stand_in:
        yield f"stand-in: {setting.stand_in} spoke in the place of the system, so every figure tells of that model"
    if told.ended:
        yield f"the budget ended after {len(rows)} of {wanted} forks: the same call with more goes on from there"
    for name in _KINDS:
        said = [
            tuple(step.spoken for step in steps)
            for fork, (_, steps) in told.recordings.items()
            if (len(fork.prefix) == at) == (name == "changed")
        ]
        if len(said) > 1 and len(set(said)) == 1:
            same_words = f"all {len(said)} {name} forks are word for word the same"
            yield f"{same_words}: the seed changes nothing, so it is one case"
