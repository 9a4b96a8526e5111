"""Runs as they come in: what state each is in, and who is to blame as soon as one has failed.

It only reads the database, for a moment at a time, so it works beside `tracer collect` and after `tracer ingest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from tracer.errors import BusyDatabaseError, DatabaseError
from tracer.explanation import Explanation, Options, explain
from tracer.records import Run
from tracer.store import Progress, Store

State = Literal["running", "failed", "ok", "ended"]
"""running: its outermost span has not come yet, and something came lately · ended: nobody said how."""

QUIET = 60.0
"""Seconds without a new span after which a run counts as ended: its outermost span may never come."""


class Seen(NamedTuple):
    """A run at one look."""

    run: Run
    state: State
    steps: int
    agents: int


def look(path: Path, now: datetime | None = None, wait: float = 1.0) -> list[Seen] | None:
    """Every run with its state, the newest last; None while another process holds the database."""
    if not path.exists():
        return []
    try:
        with Store.open(path, read_only=True, wait=wait) as store:
            progress, summaries = store.progress(), store.summaries()
    except BusyDatabaseError:
        return None
    except DatabaseError:
        if path.exists():
            raise
        return []
    moment = now or datetime.now(UTC)
    return [Seen(each.run, _state(each.run, progress, moment), each.steps, len(each.agents)) for each in summaries]


def _state(run: Run, progress: Mapping[str, Progress], now: datetime) -> State:
    if run.outcome != "unknown":
        return "failed" if run.outcome == "failure" else "ok"
    found = progress.get(run.id)
    if found is None or found.complete:
        return "ended"
    is_quiet = found.last is None or (now - found.last).total_seconds() > QUIET
    return "ended" if is_quiet else "running"


class Watch:
    """What was seen so far, so that each change is told once and each failure blamed once, or again when it grew."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self.options = options
        self.seen: dict[str, Seen] = {}
        self._blamed: dict[str, int] = {}
        """Run -> how many steps it had when it was blamed."""

    def changes(self, now: datetime | None = None) -> list[Seen]:
        """The runs that are new or differ from the last look."""
        found = look(self.path, now)
        if found is None:
            return []
        changed = [each for each in found if not _same(self.seen.get(each.run.id), each)]
        self.seen = {each.run.id: each for each in found}
        return changed

    def settle(self) -> None:
        """Take the failures of before as known: only what fails from now on is blamed."""
        self._blamed = {each.run.id: each.steps for each in self.seen.values() if each.state == "failed"}

    def blame(self, changed: Iterable[Seen]) -> list[Explanation]:
        """Explain those of the runs that have failed, unless they were explained as they are now."""
        found = []
        for each in changed:
            if each.state == "failed" and self._blamed.get(each.run.id) != each.steps:
                try:
                    found.append(explain(self.path, each.run.id, self.options))
                except BusyDatabaseError:
                    self.seen.pop(each.run.id)  # so that the next look finds it changed, and it is asked for again
                    continue
                self._blamed[each.run.id] = each.steps
        return found


def _same(before: Seen | None, now: Seen) -> bool:
    return before is not None and (before.state, before.steps, before.agents) == (now.state, now.steps, now.agents)
