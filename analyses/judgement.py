"""What a language model said when it was asked which step broke a run, and what the asking took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from tracer.records import Record
from tracer.stats.proportions import Estimate, wilson


class Cost(Record):
    """What was asked of the model, re-asking included."""

    requests: int = 0
    read: int = 0
    """Tokens of all prompts, estimated from their characters (`excerpts.tokens`): not every server counts them."""
    written: int = 0
    """Tokens that the model wrote, by the server's count."""
    seconds: float = 0.0
    """From question to answer, added up."""

    def __add__(self, other: Cost) -> Cost:
        """Both."""
        return Cost(
            requests=self.requests + other.requests,
            read=self.read + other.read,
            written=self.written + other.written,
            seconds=self.seconds + other.seconds,
        )


class Ballot(Record):
    """One sample's answer."""

    state: Literal["named", "abstained", "unreadable", "unfit"]
    """unfit: the log is longer than the model's window allows"""
    step: int | None = None
    agent: str = ""
    """As the model wrote it; who speaks at the step is the log's to say."""
    reason: str = ""
    confidence: float | None = None
    """As the model stated it. It is no probability, and nothing is computed from it."""
    quotes: tuple[str, ...] = ()
    """Words that do stand in the step."""
    dropped: int = 0
    """Quotations that do not, and were dropped."""


class Judgement(Record):
    """All samples of one question."""

    method: str
    offered: tuple[int, ...]
    """Steps that could be named."""
    ballots: tuple[Ballot, ...]
    cut: int = 0
    """Characters of the shown steps that did not fit into the prompt, in the fullest prompt."""
    left_out: int = 0
    """Steps that were not shown."""
    cost: Cost = Cost()

    @property
    def votes(self) -> Counter[int]:
        """Votes of each step."""
        return Counter(each.step for each in self.ballots if each.step is not None)

    @property
    def silent(self) -> int:
        """Samples that named no step."""
        return sum(each.step is None for each in self.ballots)

    def leading(self, order: Sequence[int] = ()) -> int | None:
        """The step with most votes, of equals the first in `order`; None where more samples were silent."""
        place = {step: k for k, step in enumerate(order)}
        ranked = sorted(self.votes.items(), key=lambda pair: (-pair[1], place.get(pair[0], len(place)), pair[0]))
        return ranked[0][0] if ranked and ranked[0][1] >= self.silent else None

    def share(self, step: int) -> Estimate:
        """Of all samples, the silent ones included, how many name the step: Wilson's 95 % interval."""
        return wilson(self.votes[step], len(self.ballots))
