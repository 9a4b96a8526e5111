"""OTLP/JSON: an ExportTraceServiceRequest per file, or one per line as the Collector's file exporter writes.

The protocol says lowerCamelCase, hex ids and integers as strings; real files also hold snake_case, base64 ids (strict
protobuf-JSON dumps), numbers, and enums by name. Unknown fields are ignored, as the protocol demands. GenAI events
that travelled as log records join the span they name, also when it stands in another file.
"""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.fields import items, mapping, objects
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

Status = Literal["unset", "ok", "error"]

_HEX = frozenset("0123456789abcdefABCDEF")
SCOPE_LISTS = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans")
_KINDS = {0: None, 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUS: dict[Any, Status] = {0: "unset", 1: "ok", 2: "error", "0": "unset", "1": "ok", "2": "error"}


def detect(container: Container) -> str | None:
    """A request names `resourceSpans`, a list, or `resourceLogs`; a file of metrics is none of ours."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    for document in container.documents[:100]:
        if not isinstance(document.value, dict):
            return "not an object with 'resourceSpans'"
        groups = _field(document.value, "resourceSpans")
        if isinstance(groups, list):
            scoped = not groups or any(isinstance(group, dict) and _scoped(group) for group in groups)
            return None if scoped else "'resourceSpans' without 'scopeSpans'"
        if isinstance(_field(document.value, "resourceLogs"), list):
            return None
    return "no key 'resourceSpans'"


def read(container: Container) -> Batch:
    """All spans of the requests, in the order of the file."""
    spans: list[Span] = []
    events: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for document in container.documents:
        spans += _request_spans(document.value, container.source, document.line)
        for place, event in _log_events(document.value):
            events[place].append(event)
    held = {(span.trace_id, span.span_id) for span in spans}
    joined = tuple(_with_events(span, events.get((span.trace_id, span.span_id), [])) for span in spans)
    return Batch(
        spans=joined, events=tuple((place, event) for place in events if place not in held for event in events[place])
    )


def _request_spans(request: Any, source: str, line: int | None) -> Iterator[Span]:
    if not isinstance(request, dict):
        raise BadInputError(f"{_place(source, line, '')}: not an OTLP request: expected an object with 'resourceSpans'")
    yield from group_spans(_field(request, "resourceSpans"), "otlp_json", source, line, "/resourceSpans")


def group_spans(groups: Any, format_name: str, source: str, line: int | None, at: str) -> Iterator[Span]:
    """The spans of a list of resource groups that stands at a JSON pointer. Tempo keeps the same groups elsewhere."""
    for g, group in _objects(groups, source, line, at):
        try:
            resource = attributes(mapping(group.get("resource")).get("attributes"))
        except ValueError as error:
            raise BadInputError(f"{_place(source, line, f'{at}/{g}/resource')}: {error}") from error
        for scopes in SCOPE_LISTS:
            for s, scope in _objects(group.get(scopes), source, line, f"{at}/{g}/{scopes}"):
                name = _scope_name(scope)
                path = f"{at}/{g}/{scopes}/{s}/spans"
                for i, raw in _objects(scope.get("spans"), source, line, path):
                    pointer = Pointer(file=source, line=line, path=f"{path}/{i}")
                    yield read_span(raw, format_name, resource, name, pointer)


def read_span(
    raw: Mapping[str, Any], format_name: str, resource: dict[str, Any], scope: str | None, pointer: Pointer
) -> Span:
    """One span of a request; BadInputError names its place."""
    try:
        status = mapping(raw.get("status"))
        return Span(
            format=format_name,
            trace_id=_required_id(raw, "traceId", 16),
            span_id=_required_id(raw, "spanId", 8),
            parent_id=canonical_id(_field(raw, "parentSpanId"), 8),
            name=str(raw.get("name") or ""),
            kind=_kind(raw.get("kind")),
            service=_text(resource.get("service.name")),
            scope=scope,
            started_ns=nanoseconds(_field(raw, "startTimeUnixNano")),
            ended_ns=nanoseconds(_field(raw, "endTimeUnixNano")),
            status=_status(status.get("code")),
            status_message=_text(status.get("message")),
            attributes=attributes(raw.get("attributes")),
            events=tuple(_event(event) for event in items(raw.get("events"))),
            links=tuple(_link(link) for link in items(raw.get("links"))),
            resource=resource,
            pointer=pointer,
        )
    except ValueError as error:
        raise BadInputError(
            f"{_place(pointer.file, pointer.line, pointer.path or '')}: malformed span: {str(error).splitlines()[0]}"
        ) from error


def attributes(raw: Any) -> dict[str, Any]:
    """A list of {key, value: AnyValue} as a plain dict; the last of two equal keys wins."""
    found = {}
    for item in items(raw):
        if not isinstance(item, dict) or not isinstance(item.get("key"), str):
            raise ValueError("an attribute without a key")
        found[item["key"]] = any_value(item.get("value"))
    return found


def any_value(value: Any) -> Any:
    """An AnyValue as a JSON value. Bytes stay base64 text; a wrapper of no known kind is None.

    It recurses no deeper than the JSON nests, which json_values bounds.
    """
    if not isinstance(value, dict):
        return value
    for name, content in value.items():
        match name:
            case "stringValue" | "string_value" | "bytesValue" | "bytes_value":
                return content if isinstance(content, str) else str(content)
            case "boolValue" | "bool_value":
                return content if isinstance(content, bool) else str(content).lower() == "true"
            case "intValue" | "int_value":
                return _integer(content)
            case "doubleValue" | "double_value":
                return content if isinstance(content, int | float) else str(content)
            case "arrayValue" | "array_value":
                return [any_value(item) for item in items(mapping(content).get("values"))]
            case "kvlistValue" | "kvlist_value":
                return _kvlist(content)
    return None


def _kvlist(content: Any) -> dict[str, Any]:
    pairs = objects(mapping(content).get("values"))
    return {str(pair.get("key", "")): any_value(pair.get("value")) for pair in pairs}


def canonical_id(value: Any, size: int) -> str | None:
    """An id of `size` bytes as lower-case hex, from hex, 0x-hex or base64; None for an absent or all-zero id.

    An id of another length is no OpenTelemetry id, but names its span all the same: it stays as it is.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 256:
        raise ValueError(f"an id that is no text: {str(value)[:40]!r}")
    text = value.removeprefix("0x")
    if len(text) == 2 * size and _HEX.issuperset(text):
        return text.lower() if text.strip("0") else None
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    if len(decoded) != size:
        return text
    return decoded.hex() if any(decoded) else None


def _required_id(raw: Mapping[str, Any], name: str, size: int) -> str:
    found = canonical_id(_field(raw, name), size)
    if found is None:
        raise ValueError(f"no {name!r}")
    return found


def nanoseconds(value: Any) -> int | None:
    """Unix nanoseconds from a number or its decimal text; 0 and absence mean unknown."""
    if value is None or value == "":
        return None
    number = _integer(value)
    if not isinstance(number, int) or not 0 <= number < 1 << 63:
        raise ValueError(f"a time that is no number of nanoseconds: {str(value)[:40]!r}")
    return number or None


def _integer(value: Any) -> int | str:
    """A 64-bit integer; a wider one, which no store can hold, stays text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and len(value) <= 20 and value.strip().lstrip("+-").isdecimal():
        value = int(value)
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return int(value)
    return str(value)


def _kind(value: Any) -> str | None:
    if isinstance(value, int):
        return _KINDS.get(value)
    name = str(value or "").rpartition("SPAN_KIND_")[2].lower()
    return name if name in _KINDS.values() else None


def _status(code: Any) -> Status:
    if isinstance(code, str):
        code = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, "OK": 1, "ERROR": 2}.get(code.upper(), code)
    return _STATUS.get(code, "unset") if isinstance(code, int | str) else "unset"


def _event(raw: Any) -> dict[str, Any]:
    event = mapping(raw)
    return {
        "name": str(event.get("name") or ""),
        "time_ns": nanoseconds(_field(event, "timeUnixNano")),
        "attributes": attributes(event.get("attributes")),
    }


def _link(raw: Any) -> dict[str, Any]:
    link = mapping(raw)
    return {
        "trace_id": _required_id(link, "traceId", 16),
        "span_id": _required_id(link, "spanId", 8),
        "attributes": attributes(link.get("attributes")),
    }


def _log_events(request: Any) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The named log records of a request that point at a span, as span events."""
    for group in items(_field(mapping(request), "resourceLogs")):
        for scope in items(_field(mapping(group), "scopeLogs")):
            for record in map(mapping, items(_field(mapping(scope), "logRecords"))):
                if event := log_event(record):
                    yield event


def log_event(record: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, Any]] | None:
    """A log record as an event, with the trace and span it names; None when it is no event of a span."""
    trace, span = canonical_id(_field(record, "traceId"), 16), canonical_id(_field(record, "spanId"), 8)
    found = attributes(record.get("attributes"))
    name = _field(record, "eventName") or found.get("event.name")
    if not (trace and span and isinstance(name, str)):
        return None
    body = any_value(record.get("body"))
    inside = body if isinstance(body, dict) else {"body": body}
    time = nanoseconds(_field(record, "timeUnixNano")) or nanoseconds(_field(record, "observedTimeUnixNano"))
    return (trace, span), {"name": name, "time_ns": time, "attributes": {**inside, **found}}


def _with_events(span: Span, events: list[dict[str, Any]]) -> Span:
    return span.model_copy(update={"events": (*span.events, *events)}) if events else span


def _scope_name(scope: Mapping[str, Any]) -> str | None:
    found = _field(scope, "scope") or _field(scope, "instrumentationLibrary")
    return _text(mapping(found).get("name"))


def _scoped(group: Mapping[str, Any]) -> bool:
    return any(name in group for name in SCOPE_LISTS)


def _field(raw: Mapping[str, Any], camel: str) -> Any:
    """A field by its protocol name, or by its snake_case name."""
    if camel in raw:
        return raw[camel]
    return raw.get("".join("_" + letter.lower() if letter.isupper() else letter for letter in camel))


def _objects(value: Any, source: str, line: int | None, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if value is not None and not isinstance(value, list):
        raise BadInputError(f"{_place(source, line, path)}: expected a list")
    for index, item in enumerate(value or []):
        if not isinstance(item, dict):
            raise BadInputError(f"{_place(source, line, f'{path}/{index}')}: expected an object")
        yield index, item


def _place(source: str, line: int | None, path: str) -> str:
    return " ".join(part for part in (source, f"line {line}" if line else "", f"at {path}" if path else "") if part)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


COLLECTOR = Collector("otlp_json", detect, read, divide=lambda container: len(container.documents))
