"""The simple form: a function `replay(prefix_steps, edited_step)` that gives the new steps, or how it ended.

It may return new steps (`tracer.records.Step`, or dicts with at least `agent` and `content`), an outcome ("success",
"failure", "unknown", True, False), both as a tuple (steps, outcome) or (steps, outcome, answer), or a `Lived`. An
answer that it does not name is the one in its last words, as in a chat loop.
`edited_step` is None where nothing is edited. Where it has parameters named `seed` or `run` it is given them; where it
has one named `begun`, its agents can go on from the middle of their reasoning: it is given the next step as far as that
stands, or None.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tracer.errors import TracerError
from tracer.records import Outcome, Recording, Step
from tracer.replayers.messages import answer_of
from tracer.replaying import Fork, Lived, ReplayError

OUTCOMES: dict[Any, Outcome] = {
    True: "success",
    False: "failure",
    None: "unknown",
    "success": "success",
    "failure": "failure",
    "unknown": "unknown",
}
"""What a function may say of the end."""
_TUPLES = (2, 3)


class OneByOne:
    """A replayer of a simple function: one fork after the other, each kept as soon as it was lived."""

    batch = 1

    def __init__(self, function: Callable[..., Any], name: str, recording: Recording) -> None:
        self.function, self.name = function, name
        self.stand_in: str | None = getattr(function, "stand_in", None)
        self.correct: Any = getattr(function, "correct", None)
        self.revision = revision(function)
        asks = inspect.signature(function).parameters
        self._more = {"run": recording.run} if "run" in asks else {}
        self._seeded = "seed" in asks
        self.continues = "begun" in asks

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """Live the forks again."""
        return [self._live(fork) for fork in forks]

    def _live(self, fork: Fork) -> Lived:
        more: dict[str, Any] = {**self._more, **({"seed": fork.seed} if self._seeded else {})}
        more |= {"begun": fork.begun} if self.continues else {}
        return lived(called(self.name, fork, self.function, list(fork.prefix), fork.edited, **more), self.name)


def revision(function: Any) -> str | None:
    """A digest of the file that a function stands in: where the file has changed, its forks are lived anew."""
    try:
        return hashlib.sha256(Path(inspect.getfile(function)).read_bytes()).hexdigest()[:16]
    except (TypeError, OSError):
        return None


def awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine comes to. Where a loop runs already, as in a notebook, it gets a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def called(name: str, fork: Fork, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What the user's function returns, awaited where it has to be; what it raises becomes one line that says where."""
    try:
        value = function(*given, **named)
        return awaited(value) if inspect.iscoroutine(value) else value
    except TracerError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rsplit('/', 1)[-1]}, line {place.lineno}"
        raise ReplayError(
            f"{name} failed after step {len(fork.kept) - 1} at seed {fork.seed} ({where}): "
            f"{type(error).__name__}: {error}; what was lived before stays"
        ) from error


def lived(value: Any, name: str) -> Lived:
    """What a simple function returned, as a record."""
    if isinstance(value, Lived):
        return value
    if value is None or isinstance(value, bool | str):
        return Lived((), outcome(value, name), None)
    if isinstance(value, tuple) and len(value) in _TUPLES and isinstance(value[0], Sequence | tuple):
        steps, ended, *answer = _steps(value[0], name), *value[1:]
        return Lived(steps, outcome(ended, name), str(answer[0]) if answer and answer[0] else answer_of(steps))
    if isinstance(value, Sequence):
        steps = _steps(value, name)
        return Lived(steps, "unknown", answer_of(steps))
    raise ReplayError(f"{name} returned {type(value).__name__}: return new steps, an outcome, or (steps, outcome)")


def outcome(value: Any, name: str) -> Outcome:
    """How a fork ended, in the words of the records."""
    try:
        return OUTCOMES[value]
    except (KeyError, TypeError):
        raise ReplayError(f"{name} gave the outcome {value!r:.80}: give success, failure, unknown, or a bool") from None


def _steps(values: Sequence[Any], name: str) -> tuple[Step, ...]:
    return tuple(_step(place, value, name) for place, value in enumerate(values))


def _step(place: int, value: Any, name: str) -> Step:
    if isinstance(value, Step):
        return value
    if not isinstance(value, Mapping):
        raise ReplayError(f"{name} gave {type(value).__name__} for a step: give a Step, or a dict with agent, content")
    try:
        return Step.model_validate({"index": place, "kind": "message", **value})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ReplayError(f"{name} gave a step that cannot be read: {field}: {first['msg'].lower()}") from error
