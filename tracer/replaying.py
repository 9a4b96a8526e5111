"""Living a run again from a step on: what a fork is, what comes of it, and who can do it.

Nothing here runs an agent. A *replayer* is a function of the user's, or one of the ready-made ones of BUILT_IN, each
over a system that the user names behind a colon: `langgraph:my_app:graph`.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from tracer.errors import BadInputError, TracerError
from tracer.records import Outcome, Recording, Step

GROUP = "tracer.replayers"
"""The entry point group under which an installed package offers a replayer."""


class Fork(NamedTuple):
    """Keep the prefix steps, then the edited step if there is one, and let everything after it happen again."""

    prefix: tuple[Step, ...]
    edited: Step | None
    seed: int
    begun: Step | None = None
    """The next step as far as it stands: its agent, and a reasoning that breaks off. Its agent goes on from there; what
    is lived holds the whole step, its beginning included. Only replayers that `continues` says so of are given any."""

    @property
    def kept(self) -> tuple[Step, ...]:
        """The steps that stand before anything happens anew."""
        return self.prefix if self.edited is None else (*self.prefix, self.edited)


class Lived(NamedTuple):
    """What came of a fork."""

    steps: tuple[Step, ...]
    """What happened after the kept steps; these may be repeated before it."""
    outcome: Outcome
    answer: str | None


Replayer = Callable[[Sequence[Fork]], list[Lived]]
"""Lives forks again, each by itself: as many as it was given, in their order.

It may have attributes: `batch`, how many forks it likes at once; `revision`, a text that changes when the system does,
so that its forks are lived anew; `stand_in`, the model that speaks where the system itself cannot be run;
`correct(prefix, step)`, the step as it should have been, or None; `continues`, True where an agent can go on from the
middle of its reasoning (`Fork.begun`).
"""
Maker = Callable[[Recording, str], Replayer]
"""Gives the replayer of one run; the text is what the user wrote behind the built-in's name and a colon."""

ASKED_FOR = frozenset({"seed", "run", "begun"})
"""Parameters that a function of the simple form may have besides; it gets them by name."""
BATCH = 16
"""Forks that a replayer is given at once, where it does not say: so many a killed replay may lose."""
BUILT_IN: dict[str, str] = {
    "chat": "tracer.replayers.chat:make",
    "langgraph": "tracer.replayers.langgraph:make",
    "stand-in": "tracer.replayers.stand_in:make",
    "world": "tracer.data.agent_replay:make",
}
"""Name -> where its Maker stands; each is imported when it is asked for."""
ONE_BY_ONE = "tracer.replayers.function:OneByOne"
"""What makes a replayer of a function of one fork."""


class ReplayError(TracerError):
    """A replayer cannot be found, or did not do what it should."""


def load(name: str, recording: Recording) -> Replayer:
    """The replayer of a name, for one run: a built-in, an entry point, or a function as `module:function`.

    The function has one parameter (the forks) or is of the simple form of `tracer.replayers.function`.
    """
    head, _, rest = name.partition(":")
    if head in BUILT_IN:
        maker: Maker = named(BUILT_IN[head])
        return maker(recording, rest)
    offered = {each.name: each for each in entry_points(group=GROUP)}
    if name in offered:
        return adapted(offered[name].load(), name, recording)
    if not head or not rest:
        known = ", ".join([*BUILT_IN, *offered])
        raise ReplayError(f"no replayer {name!r}: there are {known}, and your own as module:function")
    return adapted(named(name), name, recording)


def continues(replayer: Replayer) -> bool:
    """Whether it can go on from inside a step."""
    return bool(getattr(replayer, "continues", False))


def named(where: str) -> Any:
    """What stands at `module:name`; modules of the current folder are found, too."""
    module, _, path = where.partition(":")
    if not module or not path:
        raise ReplayError(f"{where!r} names nothing: write module:name, as in my_app:replay")
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - as the interpreter itself would put it there
        sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise ReplayError(f"{where}: there is no module {error.name!r} here") from error
    except AttributeError as error:
        raise ReplayError(f"{where}: {error}") from error
    except Exception as error:
        raise BadInputError(f"{where}: importing it failed: {type(error).__name__}: {error}") from error
    return found


def adapted(function: Any, name: str, recording: Recording) -> Replayer:
    """A user's function as a replayer, by the number of parameters that it must be given."""
    needed = _needed(function, name)
    if needed == 1:
        replayer: Replayer = function
        return replayer
    if needed == 2:
        made: Replayer = named(ONE_BY_ONE)(function, name, recording)
        return made
    raise ReplayError(f"{name} takes {needed} parameters: a replayer takes (forks), or (prefix_steps, edited_step)")


def _needed(function: Any, name: str) -> int:
    try:
        given = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise ReplayError(f"{name} is {type(function).__name__}, not a function") from error
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    asked = [each for name, each in given.items() if each.default is each.empty and name not in ASKED_FOR]
    return sum(each.kind in positional for each in asked)


def whole(fork: Fork, lived: Lived) -> tuple[Step, ...]:
    """All steps of a fork that was lived: those kept, then the new ones, numbered from 0.

    New steps that were numbered from 0 had their parents counted so, too; parents that do not stand before are dropped.
    """
    kept = fork.kept
    new = lived.steps[len(kept) :] if kept and lived.steps[: len(kept)] == kept else lived.steps
    shift = len(kept) if new and new[0].index == 0 else 0
    found = [step.model_copy(update={"index": place}) for place, step in enumerate(kept)]
    for place, step in enumerate(new, start=len(kept)):
        parents = tuple(parent + shift for parent in step.parents if 0 <= parent + shift < place)
        found.append(step.model_copy(update={"index": place, "parents": parents}))
    return tuple(found)
