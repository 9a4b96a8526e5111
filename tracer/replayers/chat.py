"""An agent loop that is a plain function over chat messages: `run(messages)` goes on from where they end.

`chat:MODULE:FUNCTION`. The function is given the kept steps as messages in OpenAI's form, and returns the new messages,
or all of them, or the last text alone; as a tuple (messages, outcome) where it knows how it ended. A parameter `seed`
is given the fork's seed. Where it does not tell the outcome, the expected answer does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracer.records import Recording, Step
from tracer.replayers.function import called, outcome, revision
from tracer.replayers.messages import Message, answer_of, messages_of, steps_of
from tracer.replaying import Fork, Lived, ReplayError, named


def make(recording: Recording, where: str) -> Chat:
    """The replayer of `chat:MODULE:FUNCTION`."""
    function = named(where)
    if not callable(function):
        raise ReplayError(f"chat:{where} is {type(function).__name__}, not a function over messages")
    return Chat(function, f"chat:{where}", recording)


class Chat:
    """A replayer of one function over messages."""

    batch = 1

    def __init__(self, function: Callable[..., Any], name: str, recording: Recording) -> None:
        self.function, self.name, self.task = function, name, recording.run.task
        self.revision = revision(function)
        self.seeded = "seed" in inspect.signature(function).parameters

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """Live the forks again."""
        return [self._live(fork) for fork in forks]

    def _live(self, fork: Fork) -> Lived:
        given = messages_of(fork.kept, self.task)
        more = {"seed": fork.seed} if self.seeded else {}
        value = called(self.name, fork, self.function, [dict(message) for message in given], **more)
        ended: Any = None
        if isinstance(value, tuple) and len(value) == 2:
            value, ended = value
        steps = self._new(value, given)
        return Lived(steps, outcome(ended, self.name), answer_of(steps or fork.kept))

    def _new(self, value: Any, given: list[Message]) -> tuple[Step, ...]:
        """The steps that are new in what the function returned."""
        if isinstance(value, str):
            return steps_of([{"role": "assistant", "content": value}])
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise ReplayError(f"{self.name} returned {type(value).__name__}: return messages, or the last text")
        return steps_of(value[len(given) :] if value[: len(given)] == given else value)
