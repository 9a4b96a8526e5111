"""What a benchmark has asked of a language model so far, what the rest will take, and when to begin nothing more.

    tokens of the rest  =  tokens of the runs judged here / their number  *  runs that are left

and seconds alike, by the clock, so runs that are judged side by side count once. Runs from a journal cost nothing.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from tracer.analyses.bench_journal import BenchJournal
from tracer.analyses.judgement import Cost, Judgement

PILOT = 4
"""Runs that a forecast is made from."""


class Expected(NamedTuple):
    """What is to come."""

    runs: int
    tokens: float
    seconds: float


class SpentError(Exception):
    """The budget is spent, and a run that was not begun would need more."""


class Spending:
    """Counts for several threads."""

    def __init__(self, budget: int | None = None) -> None:
        """`budget`: tokens, read and written, after which no other run is begun."""
        self.budget = budget
        self.runs = 0
        """Runs that were judged here and not taken from a journal."""
        self.cost = Cost()
        self._lock = threading.Lock()
        self._began = time.monotonic()

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.cost.read + self.cost.written

    @property
    def over(self) -> bool:
        """Whether no other run may be begun."""
        return self.budget is not None and self.tokens >= self.budget

    def add(self, cost: Cost) -> None:
        """One judgement more, of a run that was asked about before or not."""
        with self._lock:
            self.cost += cost

    def judged(self) -> None:
        """One run more."""
        with self._lock:
            self.runs += 1

    def expected(self, left: int) -> Expected | None:
        """What so many runs more will take; None before PILOT runs are known."""
        if self.runs < PILOT:
            return None
        seconds = time.monotonic() - self._began
        return Expected(left, self.tokens * left / self.runs, seconds * left / self.runs)


class Book:
    """The journal as one run sees it: what is not in there is asked for, if there is budget, and paid."""

    def __init__(self, journal: BenchJournal, spent: Spending) -> None:
        self.journal, self.spent = journal, spent
        self.asked = False
        """Whether anything of this run was not in the journal."""

    def get(self, key: str) -> Judgement | None:
        """What was judged before; a run that is begun may go on."""
        kept = self.journal.get(key)
        if kept is not None:
            return Judgement.model_validate(kept)
        if self.spent.over and not self.asked:
            raise SpentError
        self.asked = True
        return None

    def put(self, key: str, found: Judgement) -> None:
        """Keep what was judged now, and what it took."""
        self.journal.put(key, found.model_dump(mode="json", exclude_defaults=True))
        self.spent.add(found.cost)
