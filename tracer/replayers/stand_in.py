"""A frozen log, where nothing can be run again: a language model writes the rest in the place of everyone who spoke.

`stand-in:MODEL`, MODEL being a folder, a Hugging Face model on this machine, or the address of a server; without it the
pocket model, which refuses texts that are not of its small world.

The model is given the task and the kept steps as a transcript, and writes one step after the other, each in the name
of the agent that spoke there in the log, until the run is as long as it was. Tools do not run: the model makes up what
they bring. So every figure tells how *this model* goes on, not how the system would, and each is labelled so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracer.answers import answer
from tracer.equivalence import NONE, TRUNCATED
from tracer.errors import TracerError
from tracer.records import Recording, Step, ToolStatus
from tracer.replaying import Fork, Lived

if TYPE_CHECKING:
    from tracer.lm import LM

TOKENS = 256
"""A step's at most; one that reaches them is cut, and an answer cut in half is none."""
TEMPERATURE = 0.6
TOP_P = 0.95
"""Both as in `tracer.lm.rollouts`."""
_KEPT = frozenset({"tool_result", "plan", "system", "termination"})
"""Kinds of steps that stay what they are; every other one is what an agent says, for nobody acts."""
_LM = re.compile(r"--lm( MODEL)?")
"""How a model is named elsewhere."""


def make(recording: Recording, model: str) -> StandIn:
    """The replayer of `stand-in:MODEL`."""
    from tracer.lm import POCKET, load

    return StandIn(load(model or POCKET), recording)


class StandIn:
    """A replayer that lets a model write the rest of a log."""

    batch = 1

    def __init__(self, lm: LM, recording: Recording, tokens: int = TOKENS) -> None:
        self.lm, self.tokens = lm, tokens
        self.task, self.steps = recording.run.task, recording.steps
        self.stand_in = f"{lm.name} ({lm.revision[:12]})"
        self.revision = f"{lm.revision} {tokens}"

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """Write the rest of each."""
        return [self._live(fork) for fork in forks]

    def _live(self, fork: Fork) -> Lived:
        said, last = list(fork.kept), ("", "stop")
        for recorded in self.steps[len(said) :]:
            step, finish = self._write(said, recorded, fork.seed)
            said.append(step)
            last = (step.content, finish) if step.kind == "message" and step.content else last
        found = answer(last[0], finish=last[1])
        return Lived(tuple(said[len(fork.kept) :]), "unknown", None if found in {NONE, TRUNCATED} else found)

    def _write(self, said: Sequence[Step], recorded: Step, seed: int) -> tuple[Step, str]:
        """What the model says as the speaker of the recorded step."""
        stops = [f"\n\n{name}:" for name in dict.fromkeys(step.agent for step in self.steps)]
        prompt = f"{self._transcript(said)}{recorded.agent}:"
        try:
            [drawn] = self.lm.sample(
                prompt, 1, max_tokens=self.tokens, temperature=TEMPERATURE, top_p=TOP_P, seed=seed, stop=stops
            )
        except TracerError as error:  # too long a text, or one of another world: the model is named otherwise here
            raise type(error)(_LM.sub("stand-in:MODEL", str(error))) from error
        status: ToolStatus | None = None if recorded.tool_status is None else "unknown"
        step = Step(
            index=recorded.index,
            agent=recorded.agent,
            kind=recorded.kind if recorded.kind in _KEPT else "message",
            role=recorded.role,
            content=drawn.text.strip(),
            tool=recorded.tool if status else None,
            tool_status=status,
            model=self.lm.name,
            output_tokens=drawn.tokens,
        )
        return step, drawn.finish

    def _transcript(self, said: Sequence[Step]) -> str:
        told = [f"{step.agent}: {step.spoken.strip()}\n\n" for step in said]
        opened = any(self.task and self.task in step.content for step in said[:2])
        return "".join([*([] if opened or not self.task else [f"Task: {self.task}\n\n"]), *told])
