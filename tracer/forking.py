"""From an address to a replay: find the run and the replayer, make the change, live the forks, keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from pydantic import ValidationError

from tracer.errors import BadInputError, NoSuchRunError, TracerError
from tracer.records import Recording, Replayed, Step
from tracer.replaying import Fork, ReplayError, load
from tracer.store import ForkKey, Store

if TYPE_CHECKING:
    from tracer.analyses.replay import Change, Setting

Progress = Callable[[str, int, int], None]
_EDITABLE = frozenset({"agent", "kind", "content", "reasoning", "recipient", "tool", "arguments", "tool_status"})
"""Fields of a step that an edit may set."""


class Options(NamedTuple):
    """What the user may set about a replay."""

    replayer: str
    edit: Path | None = None
    """A text that takes the place of the step's content, or a JSON object of fields of the step."""
    correct: bool = False
    """Ask the replayer for the step as it should have been."""
    forks: int | None = None
    """Of each kind."""
    compare: bool = True
    """Whether to live the unchanged step again, too."""
    margin: float | None = None
    budget: int | None = None
    budget_tokens: int | None = None
    revision: str | None = None
    """The user's word for this version of the system; forks of other versions are lived anew."""


class StoreKeeper:
    """Forks of one replayer in the store, which is held only while it is read or written."""

    def __init__(self, path: Path, replayer: str, stand_in: str | None) -> None:
        self._path, self._replayer, self._stand_in = path, replayer, stand_in

    def held(self, keys: Iterable[str]) -> Mapping[str, Recording]:
        """Those that were lived before."""
        with Store.open(self._path, read_only=True) as store:
            runs = store.held_forks(keys)
            return {key: Recording(run, tuple(store.steps(run.id))) for key, run in runs.items()}

    def keep(self, lived: Sequence[tuple[str, Fork, Recording]]) -> None:
        """Keep what was lived now, all of it or nothing."""
        named = [(ForkKey(key, self._replayer, fork.seed, self._stand_in), found) for key, fork, found in lived]
        with Store.open(self._path) as store:
            store.add_forks(named)


def replay(path: Path, ref: str, at: int, options: Options, progress: Progress | None = None) -> Replayed:
    """What changing step `at` of a stored run does to how it ends."""
    from tracer.analyses.flips import MARGIN
    from tracer.analyses.replay import FORKS, Budget
    from tracer.analyses.replay import replay as replayed

    with Store.open(path, read_only=True) as store:
        run = store.run(ref)
        recording = Recording(run, tuple(store.steps(run.id)))
    if not at < len(recording.steps):
        raise NoSuchRunError(f"run {run.id} has steps 0 to {len(recording.steps) - 1}: there is no step {at}")
    setting = setting_of(path, options.replayer, recording, options.revision)
    return replayed(
        setting,
        at,
        _change(setting, at, options),
        forks=FORKS if options.forks is None else options.forks,
        compare=options.compare,
        margin=MARGIN if options.margin is None else options.margin,
        budget=Budget(options.budget, options.budget_tokens),
        progress=progress,
    )


def setting_of(path: Path, name: str, recording: Recording, revision: str | None = None) -> Setting:
    """The replayer of a name for a run, with the store as its keeper."""
    from tracer.analyses.replay import Setting

    replayer = load(name, recording)
    keeper = StoreKeeper(path, name, getattr(replayer, "stand_in", None))
    return Setting(recording, name, replayer, keeper, revision)


def _change(setting: Setting, at: int, options: Options) -> Change:
    from tracer.analyses.replay import Change

    step = setting.recording.steps[at]
    if options.edit and options.correct:
        raise TracerError("--edit gives the step and --correct asks the replayer for it: choose one")
    if options.edit:
        return Change("edit", edited(step, options.edit))
    if options.correct:
        return Change("correct", _corrected(setting, at))
    return Change("resample")


def edited(step: Step, file: Path) -> Step:
    """The step with the text of a file as its content, or with the fields of a JSON file (FILE.json)."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    fields: dict[str, Any] = {"content": text.removesuffix("\n")}
    if file.suffix == ".json":
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadInputError(f"{file}: no JSON: {error}; a plain text needs another ending than .json") from error
    if not isinstance(fields, dict) or not fields.keys() <= _EDITABLE:
        raise BadInputError(f"{file}: give a JSON object of some of {', '.join(sorted(_EDITABLE))}")
    try:
        new = Step.model_validate(step.model_dump() | fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInputError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from error
    if new == step:
        raise BadInputError(f"{file}: says what step {step.index} says already: an edit must change something")
    return new


def _corrected(setting: Setting, at: int) -> Step:
    """The step as it should have been, as the replayer knows it."""
    steps = setting.recording.steps
    correct = getattr(setting.replayer, "correct", None)
    found = correct(steps[:at], steps[at]) if callable(correct) else None
    if not isinstance(found, Step):
        raise ReplayError(f"{setting.name} knows no correct step {at}: give one with --edit FILE")
    if found == steps[at]:
        raise ReplayError(f"{setting.name} says that step {at} is correct as it is: there is nothing to change")
    return found
