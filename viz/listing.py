"""Many runs with what was found out about each: the rows of the run list, in whatever medium."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tracer.records import Finding, Run, Step
from tracer.reported import Reported
from tracer.text import one_line
from tracer.viz import wording
from tracer.viz.page import page
from tracer.viz.run_data import run_data

TASK = 300
"""Characters of a task that the list holds; the run itself has it whole."""


class Listed(NamedTuple):
    """One run of the list."""

    run: str
    outcome: str
    told: str
    """How the run ended and who says so, in words."""
    verdict: str
    reason: str
    step: int | None
    """The leading candidate, if any; so are the next five."""
    agent: str
    probability: float | None
    figure: str
    basis: str
    about: str
    """What the probability rests on."""
    steps: int
    agents: int
    tokens: int | None
    """Read and written, where the log counts them."""
    started: str
    """UTC, to the second; "" where the log does not say."""
    duration: float | None
    """Seconds."""
    format: str
    task: str


def listed(run: Run, steps: Sequence[Step], finding: Finding) -> Listed:
    """The row of one run."""
    first = wording.leading(finding)
    began, ended = _times(run, steps)
    return Listed(
        run=wording.run_id(run),
        outcome=run.outcome,
        told=wording.outcome(run, finding),
        verdict=finding.verdict,
        reason=one_line(finding.verdict_reason, TASK),
        step=first.step if first else None,
        agent=wording.agent(first.agent) if first else "",
        probability=first.probability if first else None,
        figure=wording.figure(first, finding) if first else "",
        basis=wording.basis(finding) if first and first.probability is not None else "",
        about=wording.about(first, finding) if first else "",
        steps=len(steps),
        agents=len({step.agent for step in steps}),
        tokens=_tokens(steps),
        started=began.isoformat(sep=" ", timespec="seconds")[:19] if began else "",
        duration=(ended - began).total_seconds() if began and ended and ended >= began else None,
        format=one_line(run.framework or run.format, 24),
        task=one_line(run.task or "", TASK),
    )


def html_list(found: Sequence[Reported]) -> str:
    """Every run in one page: a list, and each run's report behind its row."""
    rows = [listed(each.run, each.steps, each.finding) for each in found]
    contents = {"kind": "list", "sum": tally(rows), "list": [row._asdict() for row in rows]}
    return page(f"{tally(rows)} · tracer", contents, (run_data(*each) for each in found), lines=_lines(rows))


def tally(rows: Sequence[Listed]) -> str:
    """What the list holds, in one line: "5 runs: 2 root cause, 2 inconclusive, 1 no failure"."""
    order = ("root_cause", "inconclusive", "no_failure")
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in order}
    told = ", ".join(f"{count:,} {verdict.replace('_', ' ')}" for verdict, count in counts.items() if count)
    return f"{wording.count(len(rows), 'run')}: {told}" if told else "no runs"


def _lines(rows: Sequence[Listed]) -> list[str]:
    """The list for a reader whose browser runs no script."""
    told = (f"run {row.run}: {row.told}; {row.verdict.replace('_', ' ')}" for row in rows)
    where = (f", step {row.step} by {row.agent}, {row.figure}" if row.step is not None else "" for row in rows)
    return [tally(rows), *map("".join, zip(told, where, strict=True))]


def _times(run: Run, steps: Sequence[Step]) -> tuple[datetime | None, datetime | None]:
    """When the run began and ended; where it does not say so itself, by its steps."""
    begun = [run.started] if run.started else [step.started for step in steps if step.started]
    done = [run.ended] if run.ended else [time for step in steps if (time := step.ended or step.started)]
    return min(map(_utc, begun), default=None), max(map(_utc, done), default=None)


def _utc(time: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _tokens(steps: Sequence[Step]) -> int | None:
    counts = [count for step in steps for count in (step.input_tokens, step.output_tokens) if count is not None]
    return sum(counts) if counts else None
