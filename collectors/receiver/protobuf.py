"""OTLP messages in protobuf <-> the same in OTLP/JSON, the one form in which the rest of the program reads them.

Google's own JSON mapping writes ids as base64 where OTLP/JSON wants hex, and takes ten times as long.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service

from tracer.errors import BadInputError


class Form(NamedTuple):
    """How one signal's requests look in protobuf."""

    request: Callable[[], Message]
    response: Callable[[], Message]
    to_json: Callable[[Any], dict[str, Any]]
    rejected: str
    """The field of the partial success that counts what was rejected."""


def decode(form: Form, body: bytes) -> dict[str, Any]:
    """A request as OTLP/JSON; BadInputError where the bytes are none."""
    request = form.request()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise BadInputError("the body is no OTLP request in protobuf") from error
    return form.to_json(request)


def reply(form: Form, rejected: int, message: str) -> bytes:
    """The response to a request that was taken, whole or in part."""
    response: Any = form.response()
    if rejected or message:
        setattr(response.partial_success, form.rejected, rejected)
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())


def status(message: str) -> bytes:
    """A google.rpc.Status that holds nothing but a message: field 2, a string."""
    text = message.encode()
    return b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _traces(request: Any) -> dict[str, Any]:
    return {"resourceSpans": [_resource_spans(group) for group in request.resource_spans]}


def _resource_spans(group: Any) -> dict[str, Any]:
    scopes = [
        {"scope": _scope(each.scope), "spans": [_span(span) for span in each.spans]} for each in group.scope_spans
    ]
    return {"resource": {"attributes": _attributes(group.resource.attributes)}, "scopeSpans": scopes}


def _span(span: Any) -> dict[str, Any]:
    found = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": _attributes(span.attributes),
    }
    if span.parent_span_id:
        found["parentSpanId"] = span.parent_span_id.hex()
    if span.events:
        found["events"] = [_event(event) for event in span.events]
    if span.links:
        found["links"] = [_link(link) for link in span.links]
    if span.HasField("status"):
        found["status"] = {"code": span.status.code, "message": span.status.message}
    return found


def _event(event: Any) -> dict[str, Any]:
    attributes = _attributes(event.attributes)
    return {"name": event.name, "timeUnixNano": str(event.time_unix_nano), "attributes": attributes}


def _link(link: Any) -> dict[str, Any]:
    attributes = _attributes(link.attributes)
    return {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex(), "attributes": attributes}


def _logs(request: Any) -> dict[str, Any]:
    return {"resourceLogs": [_resource_logs(group) for group in request.resource_logs]}


def _resource_logs(group: Any) -> dict[str, Any]:
    scopes = [
        {"scope": _scope(each.scope), "logRecords": [_log_record(record) for record in each.log_records]}
        for each in group.scope_logs
    ]
    return {"resource": {"attributes": _attributes(group.resource.attributes)}, "scopeLogs": scopes}


def _log_record(record: Any) -> dict[str, Any]:
    return {
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
        "timeUnixNano": str(record.time_unix_nano),
        "observedTimeUnixNano": str(record.observed_time_unix_nano),
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "body": _any_value(record.body),
        "attributes": _attributes(record.attributes),
    }


def _scope(scope: Any) -> dict[str, Any]:
    return {"name": scope.name, "version": scope.version}


def _attributes(pairs: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _any_value(pair.value)} for pair in pairs]


def _any_value(value: Any) -> dict[str, Any]:
    """An AnyValue; one without a value is empty. Protobuf's own limit of 100 levels bounds the recursion."""
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "double_value":
            return {"doubleValue": _double(value.double_value)}
        case "array_value":
            return {"arrayValue": {"values": [_any_value(item) for item in value.array_value.values]}}
        case "kvlist_value":
            return {"kvlistValue": {"values": _attributes(value.kvlist_value.values)}}
        case "bytes_value":
            return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    return {}


def _double(value: float) -> float | str:
    """JSON knows no NaN and no infinities; protobuf's JSON mapping names them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


FORMS: dict[str, Form] = {
    "traces": Form(
        trace_service.ExportTraceServiceRequest, trace_service.ExportTraceServiceResponse, _traces, "rejected_spans"
    ),
    "logs": Form(
        logs_service.ExportLogsServiceRequest, logs_service.ExportLogsServiceResponse, _logs, "rejected_log_records"
    ),
}
"""By the last part of the path that a client posts to."""
