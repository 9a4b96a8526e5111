"""Inspect AI logs: the `.eval` zip, the one JSON object, or one sample of either (versions 2 and 3 of the format).

A sample is a run. Its transcript of events is the truth, since the sample's own messages leave sub-agents out: each
call of a model adds the messages that nobody had seen before and its reply, each tool event the tool's answer. The
agent is the nearest enclosing span of type `agent`. What a scorer asks a model is no step of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tracer.collectors.chat import child
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.inspect_transcript import Transcript, text_of_input
from tracer.collectors.steps import steps_from_messages
from tracer.collectors.times import utc
from tracer.errors import BadInputError
from tracer.records import Outcome, Pointer, Recording, Run, content_hash, run_id

NAME = "inspect_ai"
HEADERS = ("header.json", "_journal/start.json")
"""The log without its samples: written at the end, and at the start."""
LOG_KEYS = ("version", "status", "eval", "plan")
SAMPLE_KEYS = ("id", "epoch", "input", "messages")
_GRADES: dict[str, Outcome] = {"C": "success", "I": "failure", "N": "failure"}
"""Correct, incorrect, no answer. P, partially correct, says neither."""


class _Sample(NamedTuple):
    """A sample and the log it stands in."""

    value: Mapping[str, Any]
    at: Pointer
    log: Mapping[str, Any]


def detect(container: Container) -> str | None:
    """Ours: the zip, the log as JSON, or one sample."""
    if container.kind not in {"json", "folder"}:
        return "not one JSON value and no .eval"
    value = container.documents[0].value
    if not isinstance(value, Mapping):
        return "no JSON object"
    if container.kind == "folder":
        return None if any(name in value for name in HEADERS) else f"no member {HEADERS[0]!r}"
    if all(key in value for key in SAMPLE_KEYS) and ("events" in value or "scores" in value):
        return None
    missing = [key for key in LOG_KEYS if key not in value]
    if missing:
        return f"no key {missing[0]!r}"
    return None if isinstance(value["eval"], Mapping) and "task" in value["eval"] else "no key 'eval.task'"


def read(container: Container) -> Batch:
    """One run for each sample."""
    return Batch(tuple(_recording(sample) for sample in _samples(container)))


def _samples(container: Container) -> Iterator[_Sample]:
    value, at = container.documents[0].value, Pointer(file=container.source)
    if container.kind == "folder":
        log = next(value[name] for name in HEADERS if name in value)
        members = [name for name in value if name.startswith("samples/")]
        if any(name.count("/") > 1 for name in members):
            raise BadInputError(f"{at.file}: samples in chunks: `inspect log convert --to json` writes them whole")
        yield from (_sample(value[name], at.model_copy(update={"member": name}), log) for name in members)
    elif "eval" not in value:
        members = [""]
        yield _sample(value, at, {})
    else:
        members = value.get("samples") or []
        for position, item in enumerate(members if isinstance(members, list) else []):
            yield _sample(item, child(child(at, "samples"), str(position)), value)
        log = value
    if not members:
        raise BadInputError(
            f"{container.source}: an Inspect log without samples (status {log.get('status', 'started')!r})"
        )


def _sample(value: Any, at: Pointer, log: Any) -> _Sample:
    where = f"{at.file}#{at.member}" if at.member else f"{at.file}{at.path or ''}"
    if not isinstance(value, Mapping) or not isinstance(value.get("messages"), list | None):
        raise BadInputError(f"{where}: not an Inspect sample: no list 'messages'")
    return _Sample(value, at, log if isinstance(log, Mapping) else {})


def _recording(sample: _Sample) -> Recording:
    transcript = Transcript(sample.value, sample.at)
    steps = steps_from_messages(transcript.messages)
    digest = content_hash(sample.value)
    outcome, said_by = _outcome(sample.value)
    eval_ = sample.log.get("eval")
    task = eval_.get("task") if isinstance(eval_, Mapping) else None
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=sample.at.file,
        format=NAME,
        framework="inspect_ai",
        task=text_of_input(transcript.resolved(sample.value.get("input"))),
        outcome=outcome,
        outcome_source=said_by,
        answer=_answer(transcript.resolved(sample.value.get("scores"))),
        expected=_target(transcript.resolved(sample.value.get("target"))),
        group=f"{task}/{sample.value.get('id')}" if task else str(sample.value.get("id")),
        started=utc(sample.value.get("started_at")) or transcript.started,
        ended=utc(sample.value.get("completed_at")) or transcript.ended,
        notes=tuple(_notes(sample)),
    )
    return Recording(run, steps)


def _outcome(sample: Mapping[str, Any]) -> tuple[Outcome, str | None]:
    """The first score is the headline. A sample that broke before it was scored has failed."""
    scores = sample.get("scores")
    for name, score in scores.items() if isinstance(scores, Mapping) else ():
        verdict = _grade(score.get("value") if isinstance(score, Mapping) else score)
        return verdict, None if verdict == "unknown" else f"score: {name}"
    return ("failure", "error") if sample.get("error") else ("unknown", None)


def _grade(value: Any) -> Outcome:
    """A letter, a truth value, or a number of which only the ends of [0, 1] say something."""
    if isinstance(value, str):
        return _GRADES.get(value.strip().upper(), "unknown")
    if not isinstance(value, int | float):
        return "unknown"
    return "success" if value >= 1 else "failure" if value <= 0 else "unknown"


def _answer(scores: Any) -> str | None:
    found = (
        [score.get("answer") for score in scores.values() if isinstance(score, Mapping)]
        if isinstance(scores, Mapping)
        else []
    )
    return next((answer for answer in found if isinstance(answer, str) and answer.strip()), None)


def _target(target: Any) -> str | None:
    """One right answer, or several of which any will do."""
    texts = [each for each in (target if isinstance(target, list) else [target]) if isinstance(each, str) and each]
    return " | ".join(texts) or None


def _notes(sample: _Sample) -> Iterator[str]:
    """How the sample ended, where it did not simply end; and scores that say something else than the first."""
    error, limit, scores = (sample.value.get(key) for key in ("error", "limit", "scores"))
    if isinstance(error, Mapping):
        yield f"the sample ended with an error: {error.get('message')}"
    if isinstance(limit, Mapping):
        yield f"the sample was stopped by its {limit.get('type')} limit ({limit.get('limit')})"
    if isinstance(scores, Mapping) and len(scores) > 1:
        values = (score.get("value") if isinstance(score, Mapping) else score for score in scores.values())
        yield "scores: " + ", ".join(f"{name} {value}" for name, value in zip(scores, values, strict=True))
    if sample.log.get("status") not in {None, "success"}:
        yield f"the evaluation's status is {sample.log['status']!r}"


COLLECTOR = Collector(NAME, detect, read)
