"""What may be set about a search for thought anchors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tracer.durations import duration
from tracer.lm import POCKET


class Resampling(NamedTuple):
    """What the user may set about resampling."""

    rollouts: int | None = None
    """At most, in all; without any limit a fifth of 100 for each prefix."""
    tokens: int | None = None
    width: float | None = None
    """Go on until each interval is this narrow."""
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 1024
    seed: int = 0
    outcome: str | None = None
    """The answer to explain, in place of the trace's own."""
    pattern: str | None = None
    """A regular expression that finds the answer in a rollout."""
    similarity: str | None = None
    paper: bool = False

    @property
    def limited(self) -> bool:
        """Whether the user set a limit."""
        return any(each is not None for each in (self.rollouts, self.tokens, self.width))


class Options(NamedTuple):
    """What the user may set about a search for anchors."""

    method: str = "suppress"
    lm: str = POCKET
    device: str | None = None
    dtype: str | None = None
    resampling: Resampling = Resampling()


DEFAULTS = Options()
ALL = "all"
"""Every method, one after the other."""


class Expected(NamedTuple):
    """What is to come, at most."""

    rollouts: int
    tokens: int
    seconds: float | None
    """At the pace of the first rollouts; None where those were in the store already."""

    @property
    def words(self) -> str:
        """In one line."""
        took = "" if self.seconds is None else f", about {duration(self.seconds)} at the pace of the first ones"
        return f"up to {self.rollouts:,} rollouts and {self.tokens:,} tokens{took}"


Announce = Callable[[Expected], None]
"""Told before many rollouts are drawn."""
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is to do."""
