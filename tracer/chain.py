"""A chain of thought to be explained: what stands before it, the thinking itself, and where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from tracer.errors import BadInputError
from tracer.records import Run, Step

TAG = "<think>"


class Chain(NamedTuple):
    """The text of one piece of reasoning."""

    prompt: str
    """What the model was given, as far as the log tells; "" where it does not."""
    text: str
    """The reasoning as it stands in the log, but for blanks at its end."""
    source: str
    """RUN:STEP, or the file's path."""
    opening: str = ""
    """What stood between the two in the log, such as a think tag."""
    said: str = ""
    """What was said after the reasoning, as far as the log tells: the answer is in there."""

    @property
    def whole(self) -> str:
        """What the language model reads: the prompt, what opened the reasoning (else a line break), the reasoning."""
        gap = self.opening or ("\n" if self.prompt and not self.prompt[-1].isspace() else "")
        return f"{self.prompt}{gap}{self.text}"

    @property
    def start(self) -> int:
        """Where the reasoning begins in `whole`."""
        return len(self.whole) - len(self.text)

    @property
    def digest(self) -> str:
        """SHA-256 of `whole` and of where the reasoning begins in it."""
        return hashlib.sha256(f"{self.start}:{self.whole}".encode("utf-8", "surrogatepass")).hexdigest()


def of_step(run: Run, steps: Sequence[Step], index: int | None = None) -> Chain:
    """The reasoning of a step; without an index, of the last step that has one that can be read.

    Its prompt is the last message before it that the step's agent did not write, else the run's task. A step without
    reasoning, or with reasoning that its provider sealed, raises BadInputError.
    """
    step = _step(run, steps, index)
    if step.reasoning is None or not step.reasoning.strip():
        sealed = step.reasoning_state == "unreadable"
        why = "its reasoning is sealed by the provider and cannot be read" if sealed else "it holds no reasoning"
        raise BadInputError(f"{run.id}:{step.index}: {why}; steps with reasoning: {_listed(steps)}")
    before = reversed(steps[: step.index])
    given = (each.content for each in before if each.agent != step.agent and each.content.strip())
    opening = TAG if (step.reasoning_origin or "").startswith(TAG) else ""
    # Blanks at the end say nothing, and a small vocabulary may have no word for one.
    return Chain(next(given, run.task), step.reasoning.rstrip(), f"{run.id}:{step.index}", opening, step.content)


def _step(run: Run, steps: Sequence[Step], index: int | None) -> Step:
    if index is not None:
        if index >= len(steps):
            raise BadInputError(f"run {run.id} has no step {index}: its last is {len(steps) - 1}")
        return steps[index]
    readable = [step for step in steps if step.reasoning and step.reasoning.strip()]
    if not readable:
        sealed = any(step.reasoning_state == "unreadable" for step in steps)
        why = (
            "its reasoning is sealed by the provider and cannot be read" if sealed else "no step of it holds reasoning"
        )
        raise BadInputError(f"run {run.id}: {why}; give a run or a text file with a chain of thought")
    return readable[-1]


def _listed(steps: Sequence[Step]) -> str:
    """The steps that could be asked about instead."""
    found = [str(step.index) for step in steps if step.reasoning and step.reasoning.strip()]
    return ", ".join(found[:8]) + (", …" if len(found) > 8 else "") if found else "none"
