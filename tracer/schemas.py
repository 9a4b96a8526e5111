"""The JSON that commands print: the form that programs may rely on, published by `tracer schema NAME`.

Within a version fields are only added, so readers must pass over fields they do not know. Every rate is a fraction 0-1,
steps are counted from 0, times are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel

from tracer.fleet import Gate, Patterns
from tracer.records import (
    Anchors,
    Candidate,
    Cited,
    Edge,
    Finding,
    Label,
    Outcome,
    PathStep,
    Replayed,
    Run,
    Step,
    StepKind,
    Verdict,
)

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint
    from tracer.store import Mark, Summary


class Form(BaseModel):
    """A JSON object that a command prints."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True, serialize_by_alias=True)


class LoadedSource(Form):
    """What one file, or archive member, holds."""

    source: str = Field(description="The path as given; #member inside an archive.")
    format: str
    runs: int
    steps: int
    new: int = Field(description="How many of its runs were not in the database before.")
    part_of: str | None = Field(default=None, description="The source it belongs to; absent when it stands alone.")


class SkippedSource(Form):
    """A file, or a part of one, that was passed over."""

    source: str
    reason: str


class IngestReport(Form):
    """`tracer ingest`: the totals count what was added, `sources` what each file holds."""

    runs: int
    steps: int
    spans: int
    sources: list[LoadedSource]
    skipped: list[SkippedSource]

    @classmethod
    def of(cls, ingested: Any) -> Self:
        """The report of what a call of `tracer.ingest` returned."""
        return cls.model_validate(ingested)


class CollectEvent(Form):
    """One line of `tracer collect`: what happened, with the figures of that."""

    event: Literal["listening", "imported", "trouble", "stopped"]
    host: str | None = None
    port: int | None = None
    waiting_bytes: int | None = Field(default=None, description="What an earlier receiver left to be imported.")
    runs: int | None = Field(default=None, description="imported: how many were added.")
    steps: int | None = None
    spans: int | None = Field(default=None, description="imported: how many were added; stopped: received in all.")
    events: int | None = None
    rejected: int | None = Field(default=None, description="Spans and events that could not be taken.")
    refused: int | None = Field(default=None, description="Requests that were turned away.")
    error: str | None = None


class WatchedRun(Form):
    """One line of `tracer watch`: a run that is new or changed. A failed one is followed by a line as of `blame`."""

    run: str
    state: Literal["running", "failed", "ok", "ended"]
    steps: int
    agents: int
    task: str


class RunRow(Form):
    """One run of `tracer runs`."""

    run: str
    source: str
    format: str
    framework: str | None
    outcome: Outcome
    steps: int = Field(description="How many there are.")
    agents: list[str] = Field(description="In order of appearance.")
    task: str


class RunList(RootModel[list[RunRow]]):
    """`tracer runs`: the runs, the newest last."""

    @classmethod
    def of(cls, summaries: Iterable[Summary]) -> Self:
        """The list of the store's summaries."""
        return cls([RunRow(**_run_fields(run), steps=steps, agents=list(agents)) for run, steps, agents in summaries])


class RunReport(Form):
    """`tracer show`: a run with its steps, or with the one step asked for."""

    run: str
    content_hash: str
    source: str
    format: str
    framework: str | None
    task: str
    outcome: Outcome
    outcome_source: str | None
    answer: str | None
    expected: str | None
    group: str | None
    started: datetime | None
    ended: datetime | None
    labels: list[Label]
    notes: list[str]
    parent: str | None = Field(default=None, description="The run of which this one is a fork.")
    forked_at: int | None = Field(default=None, description="How many of its steps are the parent's.")
    agents: list[str] = Field(description="In order of appearance.")
    steps: list[Step]

    @classmethod
    def of(cls, run: Run, steps: Sequence[Step], shown: Sequence[Step]) -> Self:
        """The report of a run of which only the steps `shown` are printed."""
        agents = list(dict.fromkeys(step.agent for step in steps))
        return cls(**_run_fields(run), agents=agents, steps=list(shown))


class Symptom(Form):
    """Where the failure became visible."""

    step: int


class Inside(Form):
    """What `--drill` found inside the blamed step."""

    model_config = ConfigDict(extra="allow")

    step: int
    words: str = Field(description="What was found, or why nothing could be.")
    way: Literal["replay", "rewriting"] | None = Field(
        default=None,
        description="The run was lived again from inside the step, or a model rewrote the step; or neither.",
    )
    sentence: int | None = Field(default=None, description="From 0, among those of the reasoning; null: none of them.")
    start: int | None = Field(
        default=None, description="Characters of the reasoning, white space at its ends left out."
    )
    end: int | None = None
    text: str | None = None
    path: list[PathStep] = Field(description="From the sentence, by the step and the agents, to the symptom.")


class TierRow(Form):
    """What one tier of evidence says."""

    model_config = ConfigDict(extra="allow")

    tier: str
    step: int | None
    probability: float = Field(description="Of that step; for the judge its share of the votes.")
    weight: float | None = Field(default=None, description="In the pool; null for the structure, which is its prior.")
    gave: list[dict[str, float]] = Field(default=[], description="Nats that the tier gave to each candidate.")


class BlameReport(Form):
    """`tracer blame`: which steps could be the root cause; `--all` prints one such object a line."""

    schema_id: str = Field(default="urn:blametrace:schema:blame:1", alias="schema")
    run: str
    verdict: Verdict
    verdict_reason: str
    method: str
    probability_basis: str | None = Field(
        description="in-domain, out-of-domain, measured, uncalibrated (a weight that nobody fitted), "
        "or null for methods that only rank."
    )
    basis_reason: str
    outcome: Outcome
    p_failed: float | None = Field(description="P(the run failed), where the log does not say how it ended.")
    symptom: Symptom | None
    candidates: list[Candidate]
    drill: Inside | None = Field(default=None, description="Null unless `--drill` went on inside the first candidate.")
    tiers: list[TierRow] = Field(
        default=[], description="What each tier named, cheapest first; empty for the log alone."
    )
    judge: dict[str, Any] | None = Field(
        default=None, description="Votes, ballots with reasons and citations, what was cut and dropped, and the cost."
    )

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """The report of a finding."""
        symptom = None if finding.symptom is None else Symptom(step=finding.symptom)
        told = {name: finding.evidence.get(name) for name in ("drill", "judge")}
        told["tiers"] = finding.evidence.get("tiers") or []
        return cls.model_validate(dict(finding) | {"symptom": symptom} | told)


class GraphNode(Form):
    """One step of the graph."""

    step: int
    agent: str
    kind: StepKind
    impact: float | None = Field(default=None, description="How much hangs on the step, from 0 to 1.")


class GraphReport(Form):
    """`tracer graph`: the information dependency graph of a run."""

    schema_id: str = Field(default="urn:blametrace:schema:graph:1", alias="schema")
    run: str
    nodes: list[GraphNode]
    edges: list[Edge]


class StrictScore(Form):
    """Shares of runs in which the label was met exactly."""

    model_config = ConfigDict(extra="allow")

    agent: float
    step: float
    step_ci: tuple[float, float] = Field(description="95 % interval of `step`.")
    top3: float | None = Field(description="Null for language models that name one step only.")
    top5: float | None


class OfficialScore(Form):
    """Shares by the benchmark's own scorer, which looks for substrings."""

    agent: float
    step: float


class MethodScore(Form):
    """One method on one subset."""

    model_config = ConfigDict(extra="allow")

    strict: StrictScore
    official: OfficialScore


class SubsetScore(Form):
    """All methods on one subset."""

    model_config = ConfigDict(extra="allow")

    n: int = Field(description="Runs scored.")
    methods: dict[str, MethodScore]


class WhoWhenReport(Form):
    """`tracer bench whowhen`: how often each method meets the human label."""

    model_config = ConfigDict(extra="allow")

    schema_id: str = Field(default="urn:blametrace:schema:bench-whowhen:1", alias="schema")
    subsets: dict[str, SubsetScore]
    protocol: str
    lm: dict[str, Any] | None = Field(
        default=None,
        description="The language model that was asked: method, answers by kind, tokens, seconds, twins, runs.",
    )


class AlarmRate(Form):
    """Runs of one known outcome, with it hidden."""

    model_config = ConfigDict(extra="allow")

    n: int
    root_cause: float = Field(description="Share that got the verdict root_cause.")
    root_cause_ci: tuple[float, float] = Field(description="95 % interval of `root_cause`.")
    p_failed_above_half: float
    mean_p_failed: float


class AlarmsReport(Form):
    """`tracer bench alarms`: how often a success is accused."""

    schema_id: str = Field(default="urn:blametrace:schema:bench-alarms:1", alias="schema")
    success: AlarmRate
    failure: AlarmRate | None = None


class PocketReport(Form):
    """`tracer bench pocket`: shares of problems that the pocket model solves."""

    model_config = ConfigDict(extra="allow")

    n: int
    greedy: float
    sampled: float = Field(description="One draw each, at temperature 0.8.")
    team_greedy: float


class EdgeScore(Form):
    """One score on one kind of pair."""

    auroc: float
    auroc_ci: tuple[float, float]
    ap: float
    ap_ci: tuple[float, float]


class AnchorsBench(Form):
    """`tracer bench anchors`: white-box scores against edges that are true by construction."""

    model_config = ConfigDict(extra="allow")

    n: int = Field(description="Traces per seed.")
    base_rate: dict[str, float]
    edges: dict[str, dict[str, EdgeScore]]
    decisive: dict[str, Any]


class ResamplingBench(Form):
    """`tracer bench resampling`: resampling against known truth, full sweeps and planted models."""

    model_config = ConfigDict(extra="allow")

    n: int
    adaptive: dict[str, Any] = Field(description="Recall and cost of the default budget against full sweeps.")
    decisive: dict[str, dict[str, float | tuple[float, float]]] = Field(
        description="Method -> top1, top3: how often a slip that decides comes first, among the first three."
    )
    null: dict[str, Any]
    coverage: dict[str, Any]
    engine: dict[str, Any]


class Area(Form):
    """How well a score tells true sources from others."""

    auroc: float
    interval: tuple[float, float] = Field(description="95 %, by drawing runs again.")


class Listed(Form):
    """Of some claims those that were called unsupported."""

    share: float | None = Field(description="null where there was no claim.")
    interval: tuple[float, float] = Field(description="95 %, by Wilson.")
    n: int


class CiteBench(Form):
    """`tracer bench cite`: sources that are true by construction, and claims that were planted."""

    model_config = ConfigDict(extra="allow")

    seed: int
    n: int
    model: dict[str, str]
    sources: dict[str, dict[str, Area]] = Field(
        description="plain (sources that say what no other one says), all -> method -> AUROC."
    )
    pairs: dict[str, dict[str, int]]
    unsupported: dict[str, Listed] = Field(description="Kind of planted claim -> how many were listed.")
    false_listings: Listed = Field(description="Of all other claims.")
    false_among_listed: float


class Point(Form):
    """What a search names after so many forks."""

    forks: float = Field(description="Mean over the runs.")
    step: float = Field(description="Share of runs whose step was named; where none is decisive, none is right.")
    interval: tuple[float, float] = Field(description="95 %, by Wilson.")


class FallsBench(RootModel[dict[str, dict[str, list[Point]]]]):
    """`tracer bench falls`: kind of planted run -> search, bisection, exhaustive -> points in order of their budget."""


class SourceRow(Form):
    """The ranker trained on one source and tested on another, or held out where they are the same."""

    trained_on: Literal["first", "second", "both"]
    tested_on: Literal["first", "second"]
    n: int
    step: float = Field(description="Share of runs whose step came first.")
    interval: tuple[float, float] = Field(description="95 %, by Wilson.")
    log_loss: float | None = Field(description="Nats per run; null where no labelled step is a candidate.")


class SourcesBench(Form):
    """`tracer bench sources`: which labelled runs teach what."""

    first: str
    second: str
    rows: list[SourceRow]


class Figure(Form):
    """One published figure, computed again for every sentence."""

    model_config = ConfigDict(extra="allow")

    n: int
    tolerance: float
    exact: int = Field(description="Reproduced to 1e-9.")
    reproduced: int = Field(description="Within `tolerance`.")
    explained: dict[str, int] = Field(description="Of the others, how many each rule explains.")
    unexplained: int
    largest_deviation: float
    largest_unexplained: float
    deviations: list[dict[str, Any]] = Field(description="One by one: trace, sentence, stored, computed, rule.")


class PaperBench(Form):
    """`tracer bench paper`: published figures of Thought Anchors, and why some come out otherwise."""

    model_config = ConfigDict(extra="allow")

    traces: int
    sentences: int
    encoder: str
    fields: dict[str, Figure]
    consistent: dict[str, dict[str, int]] = Field(description="n, and how many agree with other stored figures.")
    rules: dict[str, str]


class WorldBench(Form):
    """`tracer bench world`: every method on runs whose true cause was measured."""

    model_config = ConfigDict(extra="allow")

    seed: int
    n: int = Field(description="Failed runs.")
    methods: dict[str, dict[str, float | None]] = Field(description="Share right at each level; mean forks.")
    intervals: dict[str, dict[str, tuple[float, float] | None]] = Field(description="95 %, by Wilson.")


class WorldRuns(Form):
    """`tracer bench world-runs`: the file, and how many runs are in it."""

    runs: str
    failed: int
    successful: int
    seed: int


class WorldLabels(Form):
    """`tracer bench world-labels`: the file, how many labels of each kind, and what they cost."""

    labels: str
    runs: int
    diffuse: int = Field(description="Without one decisive step.")
    sentences: int = Field(description="Labels that name a sentence.")
    faults: dict[str, int]
    topologies: dict[str, int]
    forks: int
    forks_per_run: int
    seconds_per_run: float


class Compared(Form):
    """`tracer anchors compare`: how far the methods agree that were run on one chain of thought."""

    content: str = Field(description="Digest of the chain of thought.")
    target: str
    sentences: int
    methods: list[dict[str, Any]] = Field(description="Name, method, model, revision, parameters, what its score is.")
    pairs: list[dict[str, Any]] = Field(description="Two methods: Spearman's rho with its 95 % interval, common top.")
    concordance: dict[str, Any] | None = Field(description="Kendall's W of all, and what chance gives.")
    links: list[dict[str, Any]] = Field(description="The same for their effects of sentence on sentence.")
    notes: list[str] = Field(description="What could not be compared, and why.")


class WrittenReport(Form):
    """`tracer report`: the file that was written."""

    schema_id: str = Field(default="urn:blametrace:schema:report:1", alias="schema")
    file: str
    format: Literal["html", "markdown"]
    kind: Literal["run", "pair", "list"]
    runs: list[str]
    bytes: int


class PlantedFault(Form):
    """A fault that was planted in a demo run, beside the rank that blame gave it."""

    run: str
    file: str
    verdict: Verdict
    agent: str = Field(description="Who makes the planted mistake.")
    planted_step: int
    fault: str = Field(description="What was planted, in words.")
    rank: int | None = Field(description="Among the candidates; null when it is not listed.")


class DemoReport(Form):
    """`tracer demo`: where everything is, and every planted fault."""

    database: str
    report: str
    runs: list[PlantedFault]


class PlantedRun(Form):
    """A fault that was planted in a successful run, and what came of it."""

    run: str = Field(description="The fork that stands for it.")
    parent: str
    fault: str = Field(description="Its kind.")
    step: int = Field(description="Where it was planted.")
    agent: str = Field(description="Who answers for the step.")
    reason: str = Field(description="What was planted, in words.")
    fate: Literal["failure", "survived", "unconfirmed"]
    effect: float = Field(description="Share of forks that fail with the fault less that without it.")
    low: float = Field(description="95 % interval of `effect`.")
    high: float
    stand_in: str | None


class SynthReport(Form):
    """`tracer synth`: the faults that were planted, and the files."""

    schema_id: str = Field(default="urn:blametrace:schema:synth:1", alias="schema")
    failures: int = Field(description="Confirmed and labelled.")
    negatives: int = Field(description="Survived their fault.")
    unconfirmed: int = Field(description="Not given out.")
    forks: int = Field(description="That were lived now.")
    ended: Literal["enough", "no more places", "budget"]
    stand_in: str | None = Field(description="The model that spoke in the place of the system.")
    kinds: dict[str, dict[str, int]] = Field(description="Fault -> failure, survived, unconfirmed.")
    planted: list[PlantedRun]
    files: list[str]

    @classmethod
    def of(cls, synthesis: Any, files: Iterable[Any]) -> Self:
        """The report of what a synthesis planted."""
        planted = [_planted(each) for each in synthesis.planted]
        fates = ("failure", "survived", "unconfirmed")
        pairs: list[tuple[str, str]] = [(each.fault, each.fate) for each in planted]
        told = {kind: {fate: pairs.count((kind, fate)) for fate in fates} for kind, _ in pairs}
        totals = [sum(each[fate] for each in told.values()) for fate in fates]
        return cls(
            failures=totals[0],
            negatives=totals[1],
            unconfirmed=totals[2],
            forks=synthesis.forks,
            ended=synthesis.ended,
            stand_in=next((each.stand_in for each in planted if each.stand_in), None),
            kinds=told,
            planted=planted,
            files=[str(file) for file in files],
        )


class TrainedRanker(Form):
    """`tracer train ranker`: the file, and what the ranker was trained on."""

    ranker: str
    runs: int
    strength: float = Field(description="The L2 penalty that was chosen.")
    cross_validated_log_loss: float


class TrainedWhiteBox(Form):
    """`tracer train white-box`: the weights as they stand in the file, and what they were trained on."""

    version: int
    weights: dict[str, float]
    runs: int
    model: str = Field(description="The language model whose signals they weigh.")
    strength: float = Field(description="The penalty that was chosen.")
    cross_validated: float | None = Field(description="Share of runs whose step came first while held out.")


class TrainedFailure(Form):
    """`tracer train failure`: the file, and what P(failed) was trained on."""

    failure: str
    runs: int
    failures: int
    cross_validated: dict[str, float] = Field(description="AUROC, log-loss and rates of a 10-fold cross-validation.")


class TrainedFusion(Form):
    """`tracer train fusion`: the file, the judge's weight, and what it gains on held-out questions."""

    fusion: str
    runs: int
    weight: float = Field(description="Of the judge beside the ranker; 0: its answers did not help.")
    weights_of_folds: list[float]
    log_loss: float = Field(description="Per run, held out, with the judge.")
    log_loss_without: float
    gain: float = Field(description="log_loss_without - log_loss, nats per run.")
    gain_ci: tuple[float, float] = Field(description="95 % interval of `gain`, over questions.")


class CapabilityRow(Form):
    """One thing that a server can do, or cannot."""

    name: str
    has: bool = Field(description="Whether it was proven, by what came back.")
    found: str = Field(description="What was seen.")
    instead: str = Field(description="What is done where it is lacking.")


class LmCheck(Form):
    """`tracer lm check`: what a model behind a server can do."""

    model: str
    revision: str = Field(description="Of what it writes greedily; another one means other weights.")
    urls: list[str]
    window: int | None = Field(description="Tokens of the longest text; null where the server does not tell.")
    concurrency: int = Field(description="Requests that each server is given at a time.")
    usable: bool = Field(description="Whether it continues texts or answers messages at all.")
    capabilities: list[CapabilityRow]

    @classmethod
    def of(cls, lm: Endpoint, progress: Callable[[str, int, int], None]) -> Self:
        """Ask for every capability."""
        from tracer.lm.capabilities import PROBES

        found = []
        for done, name in enumerate(PROBES):
            progress(name, done, len(PROBES))
            found.append(CapabilityRow.model_validate(lm.server[name]._asdict()))
        return cls(
            model=lm.model,
            revision=lm.revision,
            urls=list(lm.pool.urls),
            window=lm.window,
            concurrency=lm.concurrency or lm.pool.settings.concurrency,
            usable=lm.server.has("completions") or lm.server.has("chat"),
            capabilities=found,
        )


class Removed(Form):
    """`tracer runs rm`: the runs that were dropped."""

    removed: list[str]


class MarkRow(Form):
    """One run that was marked."""

    run: str
    outcome: Outcome
    expected: str | None


class Marked(Form):
    """`tracer mark`: the runs that were marked."""

    marked: list[MarkRow]

    @classmethod
    def of(cls, marks: Iterable[Mark]) -> Self:
        """The report of the marks given."""
        return cls(marked=[MarkRow.model_validate(mark) for mark in marks])


class Verified(Form):
    """`tracer db verify`: every broken promise in words."""

    problems: list[str]


class Exported(Form):
    """`tracer db export`: the files that were written."""

    files: list[str]


class DatabaseFile(Form):
    """`tracer db path`: where the database is."""

    path: str
    exists: bool


SCHEMAS: dict[str, tuple[type[BaseModel], int]] = {
    "ingest": (IngestReport, 1),
    "runs": (RunList, 1),
    "runs-rm": (Removed, 1),
    "show": (RunReport, 1),
    "mark": (Marked, 1),
    "blame": (BlameReport, 1),
    "graph": (GraphReport, 1),
    "report": (WrittenReport, 1),
    "collect": (CollectEvent, 1),
    "watch": (WatchedRun, 1),
    "demo": (DemoReport, 1),
    "train-ranker": (TrainedRanker, 1),
    "train-white-box": (TrainedWhiteBox, 1),
    "train-failure": (TrainedFailure, 1),
    "train-fusion": (TrainedFusion, 1),
    "bench-whowhen": (WhoWhenReport, 1),
    "bench-alarms": (AlarmsReport, 1),
    "bench-pocket": (PocketReport, 1),
    "bench-anchors": (AnchorsBench, 1),
    "bench-resampling": (ResamplingBench, 1),
    "bench-cite": (CiteBench, 1),
    "bench-falls": (FallsBench, 1),
    "bench-sources": (SourcesBench, 1),
    "bench-paper": (PaperBench, 1),
    "bench-world": (WorldBench, 1),
    "bench-world-runs": (WorldRuns, 1),
    "bench-world-labels": (WorldLabels, 1),
    "anchors": (Anchors, 1),
    "anchors-compare": (Compared, 1),
    "cite": (Cited, 1),
    "lm-check": (LmCheck, 1),
    "replay": (Replayed, 1),
    "patterns": (Patterns, 1),
    "gate": (Gate, 1),
    "synth": (SynthReport, 1),
    "db-verify": (Verified, 1),
    "db-export": (Exported, 1),
    "db-path": (DatabaseFile, 1),
}
"""Every published form with its version."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a published form, with its address and version."""
    form, version = SCHEMAS[name]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:blametrace:schema:{name}:{version}",
        "version": version,
    }
    body: dict[str, Any] = _open(form.model_json_schema(mode="serialization", by_alias=True))
    return head | body


def _open(schema: Any) -> Any:
    """The schema without its promise that no field will ever be added."""
    if isinstance(schema, dict):
        closed = {"additionalProperties": False}.items()
        return {key: _open(value) for key, value in schema.items() if (key, value) not in closed}
    return [_open(item) for item in schema] if isinstance(schema, list) else schema


def _run_fields(run: Run) -> dict[str, Any]:
    """A run's fields with its address under the name that all forms use for it."""
    return dict(run) | {"run": run.id}


def _planted(each: Any) -> PlantedRun:
    """One fault of a synthesis, flat."""
    fault, found = each.fault, each.replayed
    return PlantedRun(
        run=each.run,
        parent=each.parent,
        fault=fault.kind,
        step=fault.step,
        agent=fault.agent,
        reason=fault.reason,
        fate=each.fate,
        effect=found.effect,
        low=found.low,
        high=found.high,
        stand_in=found.stand_in,
    )
