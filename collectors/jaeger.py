"""Jaeger JSON: what its UI downloads and its query API answers, one or many traces in `data`.

A trace lists its spans and, by id, the processes that they ran in. Times are microseconds, attributes are typed `tags`,
events are `logs`, a parent is a reference of type CHILD_OF and every other reference is a link. Storage back ends write
one span per line with its `process` inside; old agents wrote 64-bit trace ids, and ids without their leading zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.messages import decode
from tracer.collectors.otlp import canonical_id
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

NAME = "otel_jaeger_json"
_KEYS = frozenset({"data", "spans", "operationName"})
"""An object without any of them holds no span."""
_HEX = frozenset("0123456789abcdefABCDEF")
_KINDS = frozenset({"internal", "server", "client", "producer", "consumer"})


class _Place(NamedTuple):
    """A raw span, the processes of its trace, and where it stands."""

    raw: Any
    processes: Mapping[str, Any]
    at: Pointer


def detect(container: Container) -> str | None:
    """A Jaeger span has an `operationName` and, in the trace or in itself, its `process`."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    place = next(_places(container, strict=False), None)
    if place is None:
        return "no list 'data[].spans'"
    raw = place.raw
    if not isinstance(raw, dict) or "operationName" not in raw:
        return "no key 'operationName'"
    return None if {"references", "process", "processID", "parentSpanID"} & raw.keys() else "no key 'references'"


def read(container: Container) -> Batch:
    """All spans, in the order of the file."""
    return Batch(spans=tuple(_span(place) for place in _places(container, strict=True)))


def _places(container: Container, *, strict: bool) -> Iterator[_Place]:
    """Each raw span: of an answer's traces, of one trace, of an array of either, or alone on its line."""
    waiting = [
        (document.value, Pointer.trusted({"file": container.source, "line": document.line}))
        for document in container.documents
        if strict or type(document.value) is not dict or not _KEYS.isdisjoint(document.value)
    ]
    waiting.reverse()
    while waiting:
        value, at = waiting.pop()
        inner = next((key for key in ("data", "spans") if isinstance(value, dict) and key in value), None)
        if isinstance(value, dict) and inner == "spans":
            yield from _of_trace(value, at, strict=strict)
        elif isinstance(value, dict) and "operationName" in value:
            yield _Place(value, {}, at)
        elif isinstance(value, dict) and isinstance(value.get("data"), list):
            at = child(at, "data")
            waiting += [(item, child(at, str(i))) for i, item in reversed(list(enumerate(value["data"])))]
        elif isinstance(value, list) and "/" not in (at.path or "").removeprefix("/data"):
            waiting += [(item, child(at, str(i))) for i, item in reversed(list(enumerate(value)))]
        elif strict:
            raise BadInputError(f"{where(at)}: no trace with 'spans' here")


def _of_trace(trace: Mapping[str, Any], at: Pointer, *, strict: bool) -> Iterator[_Place]:
    spans, processes = trace["spans"], trace.get("processes")
    if not isinstance(spans, list):
        if strict:
            raise BadInputError(f"{where(child(at, 'spans'))}: expected a list")
        return
    at = child(at, "spans")
    for index, raw in enumerate(spans):
        yield _Place(raw, processes if isinstance(processes, dict) else {}, child(at, str(index)))


def _span(place: _Place) -> Span:
    try:
        return _parsed(place)
    except (ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(f"{where(place.at)}: malformed span: {reason}") from error


def _parsed(place: _Place) -> Span:
    raw = place.raw
    if not isinstance(raw, dict):
        raise ValueError("expected an object")
    found = tags(raw.get("tags") or raw.get("tag"))
    process = raw.get("process") or place.processes.get(str(raw.get("processID")))
    process = process if isinstance(process, dict) else {}
    trace_id, span_id = _id(raw.get("traceID"), 16), _id(raw.get("spanID"), 8)
    if trace_id is None or span_id is None:
        raise ValueError("no 'traceID' or no 'spanID'")
    parent, links = _references(raw, trace_id)
    started = _nanoseconds(raw.get("startTime"))
    lasted = _nanoseconds(raw.get("duration")) if raw.get("duration") is not None else None
    service = process.get("serviceName")
    return Span(
        format=NAME,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent,
        name=str(raw.get("operationName") or ""),
        kind=kind if (kind := str(found.get("span.kind") or "").lower()) in _KINDS else None,
        service=service if isinstance(service, str) and service else None,
        scope=_text(found.get("otel.scope.name") or found.get("otel.library.name")),
        started_ns=started or None,
        ended_ns=None if started is None or lasted is None else started + lasted,
        status=_status(found),
        status_message=_text(found.get("otel.status_description")),
        attributes=found,
        events=tuple(_event(log) for log in _list(raw.get("logs"))),
        links=links,
        resource={**tags(process.get("tags") or process.get("tag")), **({"service.name": service} if service else {})},
        pointer=place.at,
    )


def tags(raw: Any) -> dict[str, Any]:
    """Tags as a plain dict, each value in its type; storage back ends may write them as an object with @ for dots."""
    if isinstance(raw, dict):
        return {key.replace("@", "."): value for key, value in raw.items()}
    found = {}
    for item in _list(raw):
        if not isinstance(item, dict) or not isinstance(item.get("key"), str):
            raise ValueError("a tag without a key")
        found[item["key"]] = _typed(item.get("type"), item.get("value"))
    return found


def _typed(kind: Any, value: Any) -> Any:
    """Numbers and truth values that a back end wrote as text."""
    if not isinstance(value, str) or str(kind) not in {"int64", "float64", "bool"}:
        return decode(value) if kind == "string" and isinstance(value, str) and value.startswith('["') else value
    if kind == "bool":
        return value.lower() == "true"
    try:
        return int(value) if kind == "int64" else float(value)
    except ValueError:
        return value


def _references(raw: Mapping[str, Any], trace_id: str) -> tuple[str | None, tuple[dict[str, Any], ...]]:
    """The parent, and the links. Where no reference is CHILD_OF the span keeps the parent that it names itself."""
    parent = _id(raw.get("parentSpanID"), 8)
    links: list[dict[str, Any]] = []
    for item in _list(raw.get("references")):
        if not isinstance(item, dict):
            raise ValueError("a reference that is no object")
        trace, span = _id(item.get("traceID"), 16) or trace_id, _id(item.get("spanID"), 8)
        if span is None:
            continue
        if item.get("refType", "CHILD_OF") == "CHILD_OF" and parent is None and trace == trace_id:
            parent = span
        elif (trace, span) != (trace_id, parent):
            links.append({"trace_id": trace, "span_id": span, "attributes": {}})
    return parent, tuple(links)


def _id(value: Any, size: int) -> str | None:
    """An id at its full length: Jaeger leaves leading zeros out."""
    short = isinstance(value, str) and 0 < len(value) < 2 * size and _HEX.issuperset(value)
    return canonical_id(value.zfill(2 * size) if short else value, size)


def _status(found: Mapping[str, Any]) -> Literal["unset", "ok", "error"]:
    """OpenTelemetry's word, else the `error` tag of OpenTracing."""
    code = str(found.get("otel.status_code") or "").upper()
    if code == "ERROR" or str(found.get("error", "")).lower() == "true":
        return "error"
    return "ok" if code == "OK" else "unset"


def _event(log: Any) -> dict[str, Any]:
    """A log's fields; its name is the field `event`."""
    if not isinstance(log, dict):
        raise ValueError("a log that is no object")
    fields = tags(log.get("fields"))
    name = fields.pop("event", None) or fields.get("message")
    return {"name": str(name or ""), "time_ns": _nanoseconds(log.get("timestamp")), "attributes": fields}


def _nanoseconds(microseconds: Any) -> int | None:
    if microseconds is None or microseconds == "":
        return None
    number = int(microseconds) if isinstance(microseconds, str) else microseconds
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < (1 << 63) // 1000:
        raise ValueError(f"a time that is no number of microseconds: {str(microseconds)[:40]!r}")
    return int(number) * 1000


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise ValueError("tags, references or logs that are no list")
    return value or []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


COLLECTOR = Collector(NAME, detect, read)
