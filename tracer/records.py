"""The one vocabulary: what a run is, once its log has been read.

Everything that crosses the disk or a room's border is one of these frozen records. A log is foreign text, so the
records hold it verbatim; escaping happens at each border (SQL, HTML, terminal), never here.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["success", "failure", "unknown"]
StepKind = Literal["message", "plan", "thought", "tool_call", "tool_result", "handoff", "system", "termination"]
ToolStatus = Literal["ok", "error", "empty", "unknown"]
ReasoningState = Literal["absent", "present", "unreadable"]
EdgeOrigin = Literal["declared", "reused", "similar", "measured"]
Verdict = Literal["root_cause", "inconclusive", "no_failure"]
Mark = Literal[
    "ledger", "stall", "loop", "no_progress", "satisfied", "next_speaker", "replan", "instruction", "final_answer"
]
"""What an orchestrator's bookkeeping says in a step; collectors set these, analyses read them.

ledger: a progress ledger · stall: a stall notice · loop / no_progress / satisfied: what the ledger answers ·
next_speaker: only hands the turn on · replan: a plan that replaces an earlier one · instruction: tells another agent
what to do · final_answer: states the run's answer.
"""


class Record(BaseModel):
    """A frozen record; unknown fields are a bug of ours, so they are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def trusted(cls, fields: dict[str, Any]) -> Self:
        """A record of fields that are known to be right, without the check that takes most of the time of making one.
        The fields become its own: whoever hands them over lets go of them.

        For the records that a log has one of per message, in kinds without default factories. All of its fields count
        as given, in one set for all records of the kind: no frozen record changes it, and a copy has its own.
        """
        made = _new(cls)
        defaults, names = _blank(cls)
        _set_fields(made, defaults | fields if len(fields) < len(defaults) else fields)
        _set_given(made, names)
        _set_extra(made, None)
        _set_private(made, None)
        return made


_new = object.__new__
_set_fields, _set_given, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__  # the slots of every model, past the check that frozen ones make
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


@cache
def _blank(kind: type[Record]) -> tuple[dict[str, Any], set[str]]:
    """Every field of a kind in its order, with its default where it has one; and their names.

    The mapping is that of an object's attributes: copies of such a one share their keys, at a third of the memory.
    """
    blank = type(f"_Blank{kind.__name__}", (), {})()
    for name, field in kind.model_fields.items():
        setattr(blank, name, field.default)
    return vars(blank), set(kind.model_fields)


class Pointer(Record):
    """The way back from a step or span to the bytes it came from."""

    file: str
    """Path as the user gave it."""
    member: str | None = None
    """Member inside an archive, or table inside a database."""
    line: int | None = None
    """1-based line, where the container has lines."""
    path: str | None = None
    """RFC 6901 JSON pointer inside the document or line."""


class Step(Record):
    """One thing an agent said or did."""

    index: int
    """Position in the run, from 0."""
    agent: str
    """Who acted. A tool's result is acted by the tool's executor when the log names one, else by the tool."""
    kind: StepKind
    role: str | None = None
    """The role as the log states it (user, assistant, tool, "Orchestrator (thought)", ...)."""
    content: str = ""
    """What was said, without the reasoning."""
    reasoning: str | None = None
    reasoning_state: ReasoningState = "absent"
    reasoning_origin: str | None = None
    """Where the reasoning stood: "reasoning_content", "thinking block", "<think>", ..."""
    recipient: str | None = None
    """Who is addressed, when the log says so; a hand-off names the agent that takes over."""
    tool: str | None = None
    arguments: str | None = None
    """The call's arguments as JSON text, or as the raw text where it is no JSON."""
    call_id: str | None = None
    """Joins a tool_call and its tool_result."""
    tool_status: ToolStatus | None = None
    """Of a tool_result: how the call ended. None for other steps."""
    tool_rule: str | None = None
    """Which rule said so: "status", "is_error", "exit code", "text: traceback", ..."""
    marks: tuple[Mark, ...] = ()
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    raw_time: str | None = None
    """The time as written in the log, where it could mean more than one instant."""
    parents: tuple[int, ...] = ()
    """Indices of steps that the log itself names as this step's origin (call id, reply, hand-off, link)."""
    span_id: str | None = None
    pointer: Pointer | None = None

    @property
    def spoken(self) -> str:
        """What the step gives to others: its content, then on a new line its call's arguments, if not in it."""
        if self.arguments and self.arguments not in self.content:
            return f"{self.content}\n{self.arguments}"
        return self.content


class Label(Record):
    """What a human, or an intervention, says about the cause. Never read by any method; only benches read it."""

    team: str
    agent: str
    step: int
    """From 0, whatever the source counts from."""
    stated: str
    """The step as written in the source."""
    base: Literal[0, 1] = 0
    reason: str = ""


class Run(Record):
    """One attempt at a task by one or more agents."""

    id: str
    """12 hex digits of the content hash."""
    content_hash: str
    source: str
    format: str
    framework: str | None = None
    task: str = ""
    outcome: Outcome = "unknown"
    outcome_source: str | None = None
    """Who said so: "label", "reward", "status", "evaluation", "user", ..."""
    answer: str | None = None
    expected: str | None = None
    """The right answer, where the log holds it. Shown to people, and no blame reads it; a replay compares with it."""
    group: str | None = None
    """What ties this run to others (question id, task id): folds of a cross-validation never cut a group."""
    started: datetime | None = None
    ended: datetime | None = None
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    """What the collector had to leave out or guess, in words."""
    parent: str | None = None
    """The run of which this one is a fork: kept up to a step, and lived again from there."""
    forked_at: int | None = None
    """How many steps of the parent were kept as they are."""


class Span(Record):
    """One span of telemetry as received. Steps are derived from spans; nothing is thrown away."""

    trace_id: str
    """Lower-case hex where the source has 16 bytes."""
    span_id: str
    parent_id: str | None = None
    name: str = ""
    kind: str | None = None
    service: str | None = None
    scope: str | None = None
    started_ns: int | None = None
    """Unix time in nanoseconds, UTC."""
    ended_ns: int | None = None
    """None while the span has not ended."""
    status: Literal["unset", "ok", "error"] = "unset"
    status_message: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = ()
    """Each {"name", "time_ns", "attributes"}."""
    links: tuple[dict[str, Any], ...] = ()
    """Each {"trace_id", "span_id", "attributes"}."""
    resource: dict[str, Any] = Field(default_factory=dict)
    format: str = "opentelemetry"
    """The format of the log that brought it; a run is told to be of its spans' format."""
    pointer: Pointer | None = None


class TextSpan(Record):
    """The exact slice spoken[start:end] of a step (in code points, as Python slices)."""

    start: int
    end: int
    text: str


class Edge(Record):
    """Information that went from one step into another, and how we know."""

    source: int
    target: int
    origin: EdgeOrigin
    weight: float = Field(ge=0, le=1)
    reason: str
    """In words: "answers call c1", "reuses 42.7", ..."""
    source_spans: tuple[TextSpan, ...] = ()
    target_spans: tuple[TextSpan, ...] = ()


class Interval(Record):
    """A 95 % interval of an estimate, with the number of cases behind it."""

    low: float
    high: float
    n: int


class PathStep(Record):
    """One hop on the way from the cause to the symptom."""

    step: int
    agent: str
    text: str
    """The words that were carried over this hop ("" at the first step, or where none were)."""
    origin: EdgeOrigin | None = None


class Candidate(Record):
    """A step that may be the root cause."""

    rank: int
    step: int
    agent: str
    probability: float | None
    """Calibrated P(this step is the decisive one | the run failed); None for methods that only rank."""
    interval: Interval | None = None
    """How often a step with about this probability was the labelled one, on runs that the method was not fitted on:
    95 % interval, with the number of such steps. None where the method knows no such runs."""
    cues: tuple[str, ...] = ()
    path: tuple[PathStep, ...] = ()


class Finding(Record):
    """What one analysis says of one run."""

    run: str
    analysis: str
    version: int
    parameters: dict[str, Any] = Field(default_factory=dict)
    verdict: Verdict
    verdict_reason: str = ""
    """In words: why inconclusive and what would settle it, or why no failure."""
    method: str
    probability_basis: str | None = None
    """Where the probabilities come from: "in-domain", "out-of-domain", "measured", "uncalibrated" (a weight in them
    was never fitted), or None when the method gives none."""
    basis_reason: str = ""
    outcome: Outcome = "unknown"
    p_failed: float | None = None
    """P(failed), where the log does not say how the run ended."""
    symptom: int | None = None
    candidates: tuple[Candidate, ...] = ()
    evidence: dict[str, Any] = Field(default_factory=dict)


class Alternative(Record):
    """A sentence that rollouts write in the place of another one, or that one again, and what they come to."""

    text: str
    count: int
    """Rollouts that write it."""
    similarity: float
    """Cosine with the sentence whose place it takes."""
    similar: bool
    """Whether that reaches the threshold, so that it says the same."""
    share: float
    """P(target) among them."""
    answers: dict[str, int] = Field(default_factory=dict)
    """Answer -> rollouts; of two or more answers that are equal, the spelling that stands for them."""


class Resampled(Record):
    """What resampling says of one sentence. Every interval is a 95 % interval."""

    before: float
    """P(target) when the chain is written anew from this sentence on."""
    after: float
    """P(target) when the sentence stands, and the rest is written anew."""
    effect: float
    """after - before"""
    low: float
    high: float
    n_before: int
    n_after: int
    """Rollouts on either side, those that belong to both included."""
    q: float
    """p-value after Benjamini-Hochberg over the sentences."""
    verdict: Literal["anchor", "no effect", "undecided", "overdetermined"]
    different: int
    """Rollouts in which another sentence stands in its place, less alike than the threshold."""
    counterfactual: tuple[float, float, float] | None = None
    """after - P(target) among those, with its interval; None where they are fewer than ten."""
    divergences: dict[str, tuple[float, float, float]] = Field(default_factory=dict)
    """Of the answers after from those before, less their null floor, with intervals: tv, js (bits), kl (nats)."""
    instead: tuple[tuple[str, int, float], ...] = ()
    """What else is written in its place most often: the sentence, how often, and P(target) then."""
    alternatives: tuple[Alternative, ...] = ()
    """The most frequent ones that say something else, then the most frequent ones that say the same."""
    paper: dict[str, float] | None = None
    """The published fields of Thought Anchors, by their formulas, where they were asked for."""

    @property
    def told(self) -> bool:
        """Whether anything is known of the effect, from rollouts or from how surely the model writes the sentence."""
        return self.high - self.low < 2


class AnchorSentence(Record):
    """One sentence of a chain of thought, with what a method says of it."""

    index: int
    start: int
    """Characters of the text that the model read, prompt included."""
    end: int
    text: str
    part: Literal["prompt", "chain"]
    kind: str | None = None
    """A guess at what it does, one of the eight kinds of `tracer.analyses.sentence_kinds`; None in the prompt."""
    weight: float | None = None
    """How much the rest depends on it, by the method's score; None where the method cannot say."""
    resampled: Resampled | None = None


class Anchors(Record):
    """Which sentences the rest of a chain of thought depends on, by one method and one model."""

    content: str
    """SHA-256 of the chain: the same text asked again is answered from the store."""
    target: str
    """RUN:STEP, or the file's path."""
    method: str
    score: str
    """What `weight` is, in words and units."""
    model: str
    revision: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    sentences: tuple[AnchorSentence, ...] = ()
    matrix: tuple[tuple[float, ...], ...] | None = None
    """Effect of sentence (column) on each later sentence (row); 0 unless the column stands before the row."""
    redundant: tuple[dict[str, Any], ...] = ()
    """Groups of which any one suffices: {"sentences", "target", "single", "joint", "interaction"}."""
    evidence: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Arm(Record):
    """Forks that were all made in one way, and how many of them ended otherwise than the run did."""

    n: int
    """Those whose end is known."""
    flips: int
    unknown: int
    """Those of which nobody could say how they ended: they count nowhere."""
    rate: float
    low: float
    """Wilson's 95 % interval of the rate; 0 to 1 without cases."""
    high: float


class ForkRow(Record):
    """One fork, stored as a run."""

    run: str
    arm: Literal["changed", "kept"]
    seed: int
    outcome: Outcome
    answer: str | None
    flipped: bool | None
    """Whether it ended otherwise than the run did; None where that is not known."""


class Replayed(Record):
    """What living a run again says of one of its steps. Every interval is a 95 % interval."""

    run: str
    step: int
    agent: str
    intervention: Literal["edit", "correct", "resample"]
    replayer: str
    stand_in: str | None = None
    """The model that spoke in the place of the system: then every figure here tells of that model."""
    basis: Literal["outcome", "answer"]
    """What a flip is: another outcome, or another answer where no outcome is known."""
    recorded: str
    """The outcome, or the answer, that the run came to."""
    changed: Arm
    """Forks with the step edited, or said anew."""
    kept: Arm | None
    """Forks with the step as it was; None where there is nothing to compare with."""
    effect: float
    """changed.rate - kept.rate; changed.rate where nothing is kept."""
    low: float
    high: float
    margin: float
    """An effect no larger is none."""
    verdict: Literal["cause", "not a cause", "inconclusive"]
    settles: int | None = None
    """Of an inconclusive one: about so many forks of each kind would settle it, if the rates stay; None if none do."""
    drawn: int
    """Forks that were lived now; the others were in the store."""
    tokens: int | None
    """Tokens of the new steps of all forks, as far as these state them; None where none does."""
    forks: tuple[ForkRow, ...] = ()
    notes: tuple[str, ...] = ()


class CitedSource(Record):
    """Something that the speaker of a step had been told, and what it does to a claim of the step."""

    step: int
    """-1 is the task, where no step says it."""
    agent: str
    score: float
    """By the method; see `Cited.score`."""
    low: float | None = None
    """95 % interval of the score, where the method is no exact one."""
    high: float | None = None
    words: float | None = None
    """How many words of the claim, and of the thoughts it rests on, hang on it; None without a language model."""
    share: float
    """Of the words that hang on any source, or else of all scores, its part from 0 to 1."""
    quote: str
    """The sentence of it that does most, or the one that was asked about."""
    quote_score: float | None = None
    """nats; None where its sentences were not told apart."""


class Claim(Record):
    """Something that a step says, with the sources it was measured against; the strongest come first."""

    text: str
    logprob: float | None = None
    """ln p of its words and of the thoughts it rests on, given every source; in nats. None without a language model."""
    alone: float | None = None
    """The same with no source."""
    rests_on: tuple[str, ...] = ()
    """Sentences that the agent thought in the same step and that the claim says again or follows from."""
    sources: tuple[CitedSource, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Its values that neither a source nor the model accounts for; empty where it is supported."""
    said_before: int | None = None
    """The earlier step of the same agent that holds these values already, where there is one."""


class Faithfulness(Record):
    """Whether the scores of sources say what happens when sources are taken away."""

    k: int
    drop: float
    """nats of log-probability that are lost without the k best sources."""
    all: float
    """nats that are lost without any source."""
    lds: float | None
    """Rank correlation of predicted and true log-odds over fresh random choices of sources, with a 95 % interval."""
    lds_low: float | None
    lds_high: float | None
    choices: int
    deletion: float | None
    """Area under the scaled log-probability as the best sources go one after the other: small is good."""
    insertion: float | None
    """The same as they come: large is good."""


class Cited(Record):
    """Which earlier steps led to what a step says, by one method and one model."""

    run: str
    step: int
    agent: str
    method: str
    score: str
    """What a source's score is, in words and units."""
    model: str | None
    """None where no language model was asked."""
    revision: str | None
    parameters: dict[str, Any] = Field(default_factory=dict)
    whole: Claim
    """All that the step thinks and says, as one claim."""
    claims: tuple[Claim, ...] = ()
    check: Faithfulness | None = None
    """Of the whole step, or of the span that was asked about."""
    cost: dict[str, int] = Field(default_factory=dict)
    """rows: choices of sources that were tried · tokens: read for them · plain: what a pass per row would read ·
    check_tokens: read for the check."""
    notes: tuple[str, ...] = ()


class Recording(NamedTuple):
    """One run as a collector hands it over."""

    run: Run
    steps: tuple[Step, ...]


def content_hash(raw: Any) -> str:
    """SHA-256 of a run's raw value, independent of key order and of our reading of it.

    Because the raw value is hashed, not the records, a run keeps its address when a collector learns to read more.
    """
    payload = raw if isinstance(raw, bytes) else orjson.dumps(raw, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(payload).hexdigest()


def run_id(digest: str) -> str:
    """A run's address: the first 12 hex digits of its content hash."""
    return digest[:12]
