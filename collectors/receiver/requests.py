"""One export request: from its body to the line that is kept, and to the reply.

What is acknowledged must be readable later, so every span is read once here, by the reader that the importer uses. One
that cannot be read is rejected and counted in the partial success; the others of its request are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from tracer.collectors import json_values, otlp
from tracer.collectors.receiver import protobuf
from tracer.errors import BadInputError
from tracer.records import Pointer

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
Redact = Callable[[Any], Any]
"""A JSON value -> the same without what must not be kept."""

_REASONS = 3
"""Different reasons that a reply names."""
_NOWHERE = Pointer(file="request")


class Levels(NamedTuple):
    """Where a signal's records stand: the names of the three nested lists, the protocol's and other writers'."""

    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    records: tuple[str, ...]
    check: Callable[[Mapping[str, Any]], str | None]
    """Why a record cannot be kept, or None."""


class Taken(NamedTuple):
    """What a request came to."""

    line: bytes
    """The request as one line of OTLP/JSON; empty when it holds nothing to keep."""
    kept: int
    rejected: int
    reason: str
    """Why some were rejected, in one line."""


def take(signal: str, content_type: str, body: bytes, redact: Redact | None = None) -> Taken:
    """Read a request; BadInputError where it is none at all."""
    if not body:
        return Taken(b"", 0, 0, "")
    request = protobuf.decode(protobuf.FORMS[signal], body) if content_type == PROTOBUF else _json(body)
    kept, reasons = _sift(request, LEVELS[signal])
    if redact:
        request = redact(request)
    line = orjson.dumps(request) + b"\n" if kept else b""
    listed = "; ".join(list(dict.fromkeys(reasons))[:_REASONS])
    return Taken(line, kept, len(reasons), listed)


def reply(signal: str, content_type: str, taken: Taken) -> bytes:
    """The response in the request's content type; the partial success is there only when there is something to say."""
    if content_type == PROTOBUF:
        return protobuf.reply(protobuf.FORMS[signal], taken.rejected, taken.reason)
    if not taken.rejected:
        return b"{}"
    counted = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}[signal]
    return orjson.dumps({"partialSuccess": {counted: str(taken.rejected), "errorMessage": taken.reason}})


def refusal(content_type: str, code: int, message: str) -> bytes:
    """A google.rpc.Status in the request's content type."""
    if content_type == PROTOBUF:
        return protobuf.status(message)
    return orjson.dumps({"code": code, "message": message})


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json_values.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError(f"the body is no UTF-8 (byte {error.start})") from error
    except ValueError as error:
        raise BadInputError("the body is no JSON") from error
    if not isinstance(value, dict):
        raise BadInputError("the body is no OTLP request: expected a JSON object")
    return value


def _sift(request: dict[str, Any], levels: Levels) -> tuple[int, list[str]]:
    """Drop the records that cannot be kept from the request; how many stay, and why each of the others does not."""
    kept, reasons = 0, []
    for group in _objects(request, levels.groups):
        for scope in _objects(group, levels.scopes):
            for name, records in _lists(scope, levels.records):
                verdicts = [(record, _verdict(record, levels)) for record in records]
                scope[name] = [record for record, verdict in verdicts if verdict is None]
                kept += len(scope[name])
                reasons += [verdict for _, verdict in verdicts if verdict is not None]
    return kept, reasons


def _verdict(record: Any, levels: Levels) -> str | None:
    return levels.check(record) if isinstance(record, dict) else "a record that is no object"


def _lists(holder: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[str, list[Any]]]:
    found = []
    for name in names:
        value = holder.get(name)
        if value is not None and not isinstance(value, list):
            raise BadInputError(f"{name!r} is no list")
        found += [(name, value)] if value else []
    return found


def _objects(holder: Mapping[str, Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for name, items in _lists(holder, names):
        if not all(isinstance(item, dict) for item in items):
            raise BadInputError(f"{name!r} holds something that is no object")
        found += items
    return found


def _check_span(raw: Mapping[str, Any]) -> str | None:
    """The protocol's own conditions (ids of 16 and 8 bytes, not all zero), then those of our reader."""
    try:
        span = otlp.read_span(raw, "otlp_json", {}, None, _NOWHERE)
    except BadInputError as error:
        return str(error).partition("malformed span: ")[2] or str(error)
    if not (_is_hex(span.trace_id, 32) and _is_hex(span.span_id, 16)):
        return "a trace id of other than 16 bytes, or a span id of other than 8"
    return None


def _check_log_record(raw: Mapping[str, Any]) -> str | None:
    """Kept are events of a span, which hold the messages of the older GenAI conventions."""
    try:
        event = otlp.log_event(raw)
    except ValueError as error:
        return str(error).splitlines()[0]
    return None if event else "a log record that is no named event of a span"


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and not text.strip("0123456789abcdef")


LEVELS: dict[str, Levels] = {
    "traces": Levels(
        ("resourceSpans", "resource_spans"),
        ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans"),
        ("spans",),
        _check_span,
    ),
    "logs": Levels(
        ("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs"), ("logRecords", "log_records"), _check_log_record
    ),
}
