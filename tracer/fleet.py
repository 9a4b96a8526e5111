"""What many runs have in common: the records of `tracer patterns` and of `tracer gate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tracer.records import Outcome, Record, StepKind, Verdict

Status = Literal["pattern", "explained", "undecided", "untested"]
"""pattern: more frequent in failed runs than chance explains, also beyond the patterns above it · explained: so only
because of a pattern above it · undecided: chance explains it · untested: too few runs, or none that succeeded."""


class Figure(Record):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Suspect(Record):
    """Something that some runs have and others have not: an agent, a tool that fails, a field that is dropped, ..."""

    rank: int | None
    """Of a pattern, from 1."""
    kind: str
    words: str
    same: tuple[str, ...] = ()
    """What else exactly the same runs have: nothing here can tell these apart."""
    failed: int
    """Failed runs that have it."""
    succeeded: int
    measures: dict[str, Figure | None]
    """By name, those of `tracer.stats.MEASURES`; None where the measure needs successful runs and there are none."""
    p: float | None
    """Fisher's exact test of no relation with failing; None where nothing was tested."""
    q: float | None
    """p after Benjamini-Hochberg over all that was tested."""
    status: Status
    explained_by: int | None = None
    """The rank of the pattern that explains it."""
    examples: tuple[str, ...] = ()
    """Failed runs that have it."""


class Cause(Record):
    """Failed runs that broke at the same place in the same way, as far as blame can tell."""

    rank: int
    agent: str
    kind: StepKind
    tool: str | None
    sign: str
    """How the blamed action failed, else the cue that speaks most for it; empty where nothing does."""
    variants: tuple[str, ...] = ()
    """Other wordings of the same failure."""
    runs: int
    share: Figure
    """Of the failed runs."""
    impact: float
    """The share of failures for which blame expects this place to be the right one: the sum of its probabilities over
    the failed runs, divided by their number. The share itself for a method that gives no probabilities."""
    inconclusive: int
    """Runs of it in which no step stands out: the leading one was taken."""
    patterns: tuple[int, ...] = ()
    """Ranks of the patterns that most of its runs have."""
    examples: tuple[str, ...] = ()
    """Addresses of blamed steps, the most probable first."""


class Patterns(Record):
    """What failed runs have in common that successful ones have not, and where they broke."""

    schema_id: str = Field(default="urn:blametrace:schema:patterns:1", alias="schema")
    failed: int
    succeeded: int
    unknown: int
    """Runs of which nobody says how they ended: they are left out."""
    tested: int
    """How many suspects were tested: equal sets of runs count once."""
    method: str
    """Of the blame."""
    measure: str
    """By which suspects come first."""
    suspects: tuple[Suspect, ...]
    causes: tuple[Cause, ...]
    notes: tuple[str, ...] = ()


class Blamed(Record):
    """A failed run in a gate."""

    run: str
    source: str
    task: str
    outcome: Outcome
    outcome_source: str | None
    verdict: Verdict
    step: int | None
    agent: str | None
    probability: float | None
    basis: str | None
    why: tuple[str, ...] = ()
    above: bool
    """Whether the probability exceeds the limit: then the gate does not open."""


class Worse(Record):
    """What failed more often than in the baseline, by more than chance explains."""

    kind: Literal["failure rate", "cause", "pattern"]
    words: str
    before: tuple[int, int]
    """Runs that failed with it, of how many."""
    now: tuple[int, int]
    p: float
    """Fisher's exact test of equal shares."""
    q: float
    """p after Benjamini-Hochberg over all that was compared."""


class Gate(Record):
    """Whether logs may pass."""

    schema_id: str = Field(default="urn:blametrace:schema:gate:1", alias="schema")
    passed: bool
    runs: int
    failed: int
    succeeded: int
    unknown: int
    limit: float
    failures: tuple[Blamed, ...]
    compared: int | None = None
    """With how many figures of the baseline; None without one."""
    worse: tuple[Worse, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, and why."""
