"""The Python SDK's own span dump: what `span.to_json()` and ConsoleSpanExporter write.

One object per line, pretty-printed objects simply concatenated, or an array; `0x` ids, ISO times, `SpanKind.CLIENT`.
The same span may come twice, first unfinished; the store and `runs_from_spans` keep the finished one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.otlp import canonical_id, nanoseconds
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def detect(container: Container) -> str | None:
    """A span dump has `context.trace_id`, `context.span_id` and `parent_id`."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    for _, raw in _raw_spans(container):
        if not isinstance(raw, dict):
            return "not objects"
        context = raw.get("context")
        if not isinstance(context, dict) or not {"trace_id", "span_id"} <= context.keys():
            return "no key 'context.trace_id'"
        return None if {"parent_id", "attributes"} & raw.keys() else "no key 'parent_id'"
    return "empty"


def read(container: Container) -> Batch:
    """All spans, in the order of the file."""
    return Batch(spans=tuple(_span(raw, pointer) for pointer, raw in _raw_spans(container)))


def _raw_spans(container: Container) -> Iterator[tuple[Pointer, Any]]:
    """Each raw span with its place; an array of spans is as good as a sequence of them."""
    for document in container.documents:
        if isinstance(document.value, list):
            for index, raw in enumerate(document.value):
                yield Pointer(file=container.source, line=document.line, path=f"/{index}"), raw
        else:
            yield Pointer(file=container.source, line=document.line), document.value


def _span(raw: Any, pointer: Pointer) -> Span:
    try:
        return _parsed(raw, pointer)
    except (ValueError, OverflowError) as error:
        place = " ".join(
            [
                pointer.file,
                *([f"line {pointer.line}"] if pointer.line else []),
                *([f"at {pointer.path}"] if pointer.path else []),
            ]
        )
        raise BadInputError(f"{place}: malformed span: {str(error).splitlines()[0]}") from error


def _parsed(raw: Any, pointer: Pointer) -> Span:
    if not isinstance(raw, dict):
        raise ValueError("expected an object")
    trace_id, span_id = _ids(raw.get("context"))
    resource = _attributes(raw.get("resource"))
    scope = raw.get("instrumentation_scope") or raw.get("instrumentation_info")
    status, message = _status(raw.get("status"))
    return Span(
        format="otel_python",
        trace_id=trace_id,
        span_id=span_id,
        parent_id=canonical_id(raw.get("parent_id"), 8),
        name=str(raw.get("name") or ""),
        kind=str(raw.get("kind") or "").rpartition(".")[2].lower() or None,
        service=str(resource["service.name"]) if resource.get("service.name") else None,
        scope=str(scope.get("name") or "") or None if isinstance(scope, dict) else None,
        started_ns=unix_ns(raw.get("start_time")),
        ended_ns=unix_ns(raw.get("end_time")),
        status=status,
        status_message=message,
        attributes=_object(raw.get("attributes")),
        events=tuple(_event(event) for event in _list(raw.get("events"))),
        links=tuple(_link(link) for link in _list(raw.get("links"))),
        resource=resource,
        pointer=pointer,
    )


def _ids(context: Any) -> tuple[str, str]:
    if not isinstance(context, dict):
        raise ValueError("no 'context'")
    trace_id, span_id = canonical_id(context.get("trace_id"), 16), canonical_id(context.get("span_id"), 8)
    if trace_id is None or span_id is None:
        raise ValueError("no 'context.trace_id' or no 'context.span_id'")
    return trace_id, span_id


def _object(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ValueError("attributes that are no object")
    return dict(value or {})


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise ValueError("events or links that are no list")
    return value or []


def _attributes(resource: Any) -> dict[str, Any]:
    """Newer SDKs nest a resource's attributes beside its schema; older ones wrote them bare."""
    if not isinstance(resource, dict):
        return {}
    inner = resource.get("attributes")
    return dict(inner) if isinstance(inner, dict) else dict(resource)


def _status(raw: Any) -> tuple[Literal["unset", "ok", "error"], str | None]:
    code = raw.get("status_code") if isinstance(raw, dict) else raw
    said = raw.get("description") or raw.get("message") if isinstance(raw, dict) else None
    message = None if said is None else str(said)
    match str(code or "").rpartition(".")[2].upper():
        case "OK":
            return "ok", message
        case "ERROR":
            return "error", message
    return "unset", message


def _event(raw: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError("an event that is no object")
    return {
        "name": str(raw.get("name") or ""),
        "time_ns": unix_ns(raw.get("timestamp")),
        "attributes": _object(raw.get("attributes")),
    }


def _link(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError("a link that is no object")
    trace_id, span_id = _ids(raw.get("context"))
    return {"trace_id": trace_id, "span_id": span_id, "attributes": _object(raw.get("attributes"))}


def unix_ns(value: Any) -> int | None:
    """Unix nanoseconds from an ISO time (UTC where it names no zone) or from a number of nanoseconds."""
    if isinstance(value, str) and "-" in value[1:]:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MICROSECOND * 1000
    return nanoseconds(value)


COLLECTOR = Collector("otel_python", detect, read, divide=lambda container: len(container.documents))
