"""Langfuse exports: a trace with its observations, as the UI and the public API give them.

An observation is a span: its original OpenTelemetry attributes stand in `metadata.attributes`, its own fields are kept
under the names that Langfuse's SDK gives them. Fields are JSON values or JSON text, camelCase or (in exports to a
bucket) snake_case. A download from the UI leaves out what observations hold, so the trace's own input and output
stand in for the root's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.fields import mapping, objects
from tracer.collectors.langfuse_span import HEAD
from tracer.collectors.messages import decode
from tracer.collectors.otel_python import unix_ns
from tracer.collectors.scores import evaluation
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

NAME = "langfuse"
TYPES = frozenset(
    {"SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"}
)
_KEYS = frozenset({"data", "observations", "type"})
"""An object without any of them is no trace and no observation."""
_FIELDS = {
    "type": "type",
    "input": "input",
    "output": "output",
    "model.name": "model",
    "model.parameters": "modelParameters",
    "usage_details": "usageDetails",
    "cost_details": "costDetails",
    "level": "level",
    "status_message": "statusMessage",
}
"""Attribute of the SDK, below HEAD -> field of the export."""


_CHATML, _TRACE = ".chatml.json", ".trace.json"


class _Trace(NamedTuple):
    """A trace's own fields, and its observations with their places."""

    fields: Mapping[str, Any]
    observations: Sequence[tuple[Any, Pointer]]
    at: Pointer


def detect(container: Container) -> str | None:
    """A trace with `observations`, or observations: a known `type` with a trace id; or a trace's messages beside it."""
    if container.kind not in {"json", "jsonl", "parquet"}:
        return "not JSON"
    if _is_chatml(container):
        return None
    for trace in _traces(container):
        if not trace.observations:
            return None if {"id", "timestamp"} <= trace.fields.keys() else "no observations"
        first = trace.observations[0][0]
        if not _is_observation(first):
            return "no 'observations' with 'type', 'traceId' and 'startTime'"
        return None
    return "no key 'observations'"


def read(container: Container) -> Batch:
    """All observations as spans; of the file of messages that Langfuse keeps beside a trace, whose they are."""
    if _is_chatml(container):
        name = container.source.removesuffix(_CHATML)
        if name == container.source or ("#" not in name and not Path(f"{name}{_TRACE}").exists()):
            raise BadInputError(f"{container.source}: only the messages of a Langfuse trace: load the trace itself")
        return Batch(part_of=f"{name}{_TRACE}")
    return Batch(spans=tuple(span for trace in _traces(container) for span in _spans(trace)))


def _is_chatml(container: Container) -> bool:
    """The messages of each observation as Langfuse shows them, each side a `success` with its `data`."""
    values = container.documents[0].value if len(container.documents) == 1 else None
    if not isinstance(values, Mapping) or not values:
        return False
    sides = [each.get(side) for each in values.values() if isinstance(each, Mapping) for side in ("input", "output")]
    return len(sides) == 2 * len(values) and all(isinstance(each, Mapping) and "success" in each for each in sides)


def _is_observation(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("type")) in TYPES and _of(value, "traceId") is not None


def _traces(container: Container) -> Iterator[_Trace]:
    loose: list[tuple[Any, Pointer]] = []
    for document in container.documents:
        if not loose and type(document.value) is dict and _KEYS.isdisjoint(document.value):
            continue  # a large file of another format is passed over quickly
        at = Pointer.trusted({"file": container.source, "line": document.line})
        for value, place in _items(document.value, at):
            if isinstance(value, Mapping) and isinstance(value.get("observations"), list):
                yield _trace(value, place)
            elif isinstance(value, Mapping) and (_is_observation(value) or loose):
                loose.append((value, place))
    if loose:
        yield _Trace({}, loose, loose[0][1])


def _items(value: Any, at: Pointer) -> Iterator[tuple[Any, Pointer]]:
    """The value itself, or the items of a list or of a page (`data`)."""
    if isinstance(value, Mapping) and isinstance(value.get("data"), list) and "observations" not in value:
        value, at = value["data"], child(at, "data")
    if isinstance(value, list):
        yield from ((item, child(at, str(position))) for position, item in enumerate(value))
    else:
        yield value, at


def _trace(value: Mapping[str, Any], at: Pointer) -> _Trace:
    """`{trace, observations}`, or the trace itself with its observations; a list of traces holds only their ids."""
    inner = value.get("trace")
    fields = inner if isinstance(inner, Mapping) else value
    listed = child(at, "observations")
    found = [(item, child(listed, str(i))) for i, item in enumerate(value["observations"]) if not isinstance(item, str)]
    return _Trace(fields, found, at)


def _spans(trace: _Trace) -> Iterator[Span]:
    """The observations; for a trace that holds none, the trace itself as the work of an agent."""
    if not trace.observations:
        own = {**trace.fields, "traceId": trace.fields.get("id"), "type": "AGENT"}
        yield _span({**own, "startTime": _of(own, "timestamp"), "endTime": _of(own, "timestamp")}, trace, trace.at)
    for raw, at in trace.observations:
        yield _span(raw, trace, at)


def _span(raw: Any, trace: _Trace, at: Pointer) -> Span:
    try:
        return _parsed(raw, trace, at)
    except (ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(f"{where(at)}: malformed observation: {reason}") from error


def _parsed(raw: Any, trace: _Trace, at: Pointer) -> Span:
    if not isinstance(raw, Mapping):
        raise ValueError("expected an object")
    trace_id, span_id = _of(raw, "traceId"), raw.get("id")
    if not isinstance(trace_id, str) or not isinstance(span_id, str) or not trace_id or not span_id:
        raise ValueError("no 'traceId' or no 'id'")
    parent = _of(raw, "parentObservationId")
    metadata = dict(mapping(decode(raw.get("metadata"))))
    scope = mapping(decode(metadata.pop("scope", None)))
    resource = mapping(decode(metadata.pop("resourceAttributes", None)))
    original = mapping(decode(metadata.pop("attributes", None)))
    level = _of(raw, "level")
    return Span(
        format=NAME,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent if isinstance(parent, str) and parent else None,
        name=str(raw.get("name") or ""),
        service=str(resource["service.name"]) if resource.get("service.name") else None,
        scope=str(scope.get("name") or "") or None,
        started_ns=unix_ns(_of(raw, "startTime")),
        ended_ns=unix_ns(_of(raw, "endTime")),
        status=_status(level),
        status_message=str(_of(raw, "statusMessage") or "") or None,
        attributes={**original, **_own(raw, metadata), **({} if parent else _of_root(trace.fields))},
        events=_events(raw, trace, root=not parent),
        resource=dict(resource),
        pointer=at,
    )


def _status(level: Any) -> Literal["unset", "error"]:
    return "error" if level == "ERROR" else "unset"


def _own(raw: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The observation's fields under the names of Langfuse's SDK."""
    values = {name: _of(raw, field) for name, field in _FIELDS.items()}
    if values["usage_details"] in (None, {}):
        values["usage_details"] = raw.get("usage")
    values["model.name"] = values["model.name"] or _of(raw, "providedModelName")
    values["metadata"] = dict(metadata) or None
    return {f"{HEAD}{name}": value for name, value in values.items() if value is not None}


def _of_root(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the trace says of itself."""
    names = {"langfuse.trace.name": "name", "langfuse.trace.input": "input", "langfuse.trace.output": "output"}
    found = {name: fields.get(field) for name, field in names.items()}
    found |= {"session.id": _of(fields, "sessionId"), "user.id": _of(fields, "userId")}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _events(raw: Mapping[str, Any], trace: _Trace, *, root: bool) -> tuple[dict[str, Any], ...]:
    """The scores of this observation; those of the whole trace stand with its root."""
    listed = objects(trace.fields.get("scores"))
    mine = [each for each in listed if _of(each, "observationId") == raw.get("id")]
    mine += [each for each in listed if root and not _of(each, "observationId")]
    said = (evaluation(each.get("name"), _of(each, "stringValue"), each.get("value")) for each in mine)
    return tuple(event for event in said if event is not None)


def _of(value: Mapping[str, Any], camel: str) -> Any:
    """A field by its name in the API, or by its name in a table."""
    if camel in value:
        return value[camel]
    return value.get("".join("_" + letter.lower() if letter.isupper() else letter for letter in camel))


COLLECTOR = Collector(NAME, detect, read)
