"""OTLP/JSON files, as collectors, SDKs and strict protobuf dumps write them."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import otlp
from tracer.collectors.container import Container, open_containers
from tracer.errors import BadInputError
from tracer.records import Span

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
PARENT = "eee19b7ec3c1b173"


def request(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """An ExportTraceServiceRequest as the protocol documents it."""
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    scopes = [{"scope": {"name": "my.library", "version": "1"}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scopes}]}


def span(**fields: Any) -> dict[str, Any]:
    """A span with only what the protocol requires, and these fields."""
    return {"traceId": TRACE, "spanId": SPAN, "name": "chat", **fields}


def container(path: Path, content: str | bytes) -> Container:
    """A real file, opened as the ingest opens it."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (opened,) = open_containers(path)
    return opened


def read(path: Path, *values: Any) -> tuple[Span, ...]:
    """The spans of a file of these requests, one per line."""
    opened = container(path, "\n".join(map(json.dumps, values)))
    assert otlp.COLLECTOR.detect(opened) is None
    return otlp.COLLECTOR.read(opened).spans


def value_of(path: Path, value: Any) -> Any:
    """What an attribute of this AnyValue is read as."""
    (found,) = read(path, request(span(attributes=[{"key": "k", "value": value}])))
    return found.attributes["k"]


def test_a_span_keeps_everything_that_was_sent(tmp_path: Path) -> None:
    """Ids in lower case, times in nanoseconds, events, links, status, resource, scope and the way back."""
    event = {"name": "exception", "timeUnixNano": "7", "attributes": [{"key": "e", "value": {"intValue": "3"}}]}
    link = {"traceId": TRACE.upper(), "spanId": PARENT}
    sent = span(
        traceId=TRACE.upper(),
        spanId=SPAN.upper(),
        parentSpanId=PARENT.upper(),
        kind=3,
        startTimeUnixNano="1544712660000000000",
        endTimeUnixNano=1544712661000000000,
        status={"code": 2, "message": "boom"},
        events=[event],
        links=[link],
        flags=256,
        aFieldOfTheFuture={"x": 1},
    )
    (found,) = read(tmp_path / "t.json", request(sent, **{"service.name": "billing"}))
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE, SPAN, PARENT)
    assert (found.started_ns, found.ended_ns) == (1544712660000000000, 1544712661000000000)
    assert (found.kind, found.service, found.scope) == ("client", "billing", "my.library")
    assert (found.status, found.status_message) == ("error", "boom")
    assert found.events == ({"name": "exception", "time_ns": 7, "attributes": {"e": 3}},)
    assert found.links == ({"trace_id": TRACE, "span_id": PARENT, "attributes": {}},)
    assert found.pointer is not None
    assert found.pointer.path == "/resourceSpans/0/scopeSpans/0/spans/0"


def test_one_request_per_line_keeps_its_line(tmp_path: Path) -> None:
    """The Collector's file exporter writes one request per line."""
    found = read(tmp_path / "t.jsonl", request(span()), request(span(spanId=PARENT)))
    assert [each.pointer.line for each in found if each.pointer] == [1, 2]


def test_a_gzipped_file_reads_as_the_plain_one(tmp_path: Path) -> None:
    """The file exporter may compress."""
    opened = container(tmp_path / "t.json.gz", gzip.compress(json.dumps(request(span())).encode()))
    assert [each.span_id for each in otlp.COLLECTOR.read(opened).spans] == [SPAN]


def test_strict_protobuf_json_has_base64_ids_and_enum_names(tmp_path: Path) -> None:
    """google.protobuf.json_format writes bytes as base64 and enums by name."""
    sent = span(
        traceId=base64.b64encode(bytes.fromhex(TRACE)).decode(),
        spanId=base64.b64encode(bytes.fromhex(SPAN)).decode(),
        parentSpanId=base64.b64encode(bytes.fromhex(PARENT)).decode(),
        kind="SPAN_KIND_SERVER",
        status={"code": "STATUS_CODE_ERROR"},
    )
    (found,) = read(tmp_path / "t.json", request(sent))
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE, SPAN, PARENT)
    assert (found.kind, found.status) == ("server", "error")


def test_snake_case_names_are_read(tmp_path: Path) -> None:
    """preserving_proto_field_name=True writes the .proto's own names."""
    inner = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": PARENT,
        "start_time_unix_nano": "5",
        "end_time_unix_nano": "6",
        "attributes": [{"key": "k", "value": {"int_value": "4"}}],
    }
    sent = {"resource_spans": [{"scope_spans": [{"scope": {"name": "s"}, "spans": [inner]}]}]}
    (found,) = read(tmp_path / "t.json", sent)
    assert (found.span_id, found.parent_id, found.started_ns, found.attributes) == (SPAN, PARENT, 5, {"k": 4})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "a"}, "a"),
        ({"intValue": "42"}, 42),
        ({"intValue": -7}, -7),
        ({"intValue": "99999999999999999999999"}, "99999999999999999999999"),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"boolValue": False}, False),
        ({"boolValue": "true"}, True),
        ({"bytesValue": "AAE="}, "AAE="),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "b"}]}}, [1, "b"]),
        ({"arrayValue": {}}, []),
        (
            {"kvlistValue": {"values": [{"key": "x", "value": {"arrayValue": {"values": [{"boolValue": True}]}}}]}},
            {"x": [True]},
        ),
        ({}, None),
        (None, None),
    ],
)
def test_every_kind_of_value_becomes_plain_json(tmp_path: Path, value: Any, expected: Any) -> None:
    """AnyValue wraps seven kinds; the 64-bit ones may be text."""
    assert value_of(tmp_path / "t.json", value) == expected


def test_an_unfinished_span_has_no_end(tmp_path: Path) -> None:
    """Zero and absence both mean that no time was recorded; an all-zero parent is none."""
    (found,) = read(
        tmp_path / "t.json", request(span(startTimeUnixNano="5", endTimeUnixNano="0", parentSpanId="0" * 16))
    )
    assert (found.started_ns, found.ended_ns, found.parent_id) == (5, None, None)


def test_a_genai_event_sent_as_a_log_record_joins_its_span(tmp_path: Path) -> None:
    """The conventions' events travel on the logs signal, pointing at the span."""
    body = {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "hello"}}]}}
    record = {"traceId": TRACE, "spanId": SPAN, "eventName": "gen_ai.user.message", "timeUnixNano": "9", "body": body}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    (found,) = read(tmp_path / "t.jsonl", logs, request(span()))
    assert found.events == ({"name": "gen_ai.user.message", "time_ns": 9, "attributes": {"content": "hello"}},)


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        ({"spanId": ""}, "spanId"),
        ({"traceId": 7}, "id"),
        ({"startTimeUnixNano": "noon"}, "nanoseconds"),
        ({"startTimeUnixNano": "-4"}, "nanoseconds"),
        ({"attributes": [{"value": {"stringValue": "x"}}]}, "without a key"),
    ],
)
def test_a_malformed_span_is_named_by_its_place(tmp_path: Path, broken: dict[str, Any], word: str) -> None:
    """One line: the file, the line, the place inside, and what is wrong."""
    with pytest.raises(BadInputError) as caught:
        read(tmp_path / "t.jsonl", request(span()), request(span(), span(**broken)))
    message = str(caught.value)
    assert "t.jsonl line 2 at /resourceSpans/0/scopeSpans/0/spans/1" in message
    assert word in message
    assert "\n" not in message


def test_a_value_nested_too_deep_is_refused(tmp_path: Path) -> None:
    """A hundred levels of lists in an attribute mean nothing and cost a stack."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(101):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(BadInputError, match="nested deeper"):
        value_of(tmp_path / "t.json", value)


def test_an_empty_request_is_recognised_and_holds_nothing(tmp_path: Path) -> None:
    """An exporter may flush when there is nothing to send."""
    assert read(tmp_path / "t.json", {"resourceSpans": []}) == ()


@pytest.mark.parametrize("value", [{"batches": []}, {"data": [{"spans": []}]}, {"resourceSpans": "x"}, [1]])
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """Tempo, Jaeger and everything else get a reason in a few words."""
    reason = otlp.COLLECTOR.detect(container(tmp_path / "t.json", json.dumps(value)))
    assert reason is not None
    assert len(reason) < 60


def test_the_protocols_own_example_loads(real_logs: Path) -> None:
    """opentelemetry-proto's examples/trace.json: one span, upper-case ids, a service."""
    (opened,) = open_containers(real_logs / "samples" / "otlp_json" / "trace.json")
    assert otlp.COLLECTOR.detect(opened) is None
    (found,) = otlp.COLLECTOR.read(opened).spans
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE, SPAN, PARENT)
    assert (found.name, found.kind, found.service, found.scope) == (
        "I'm a server span",
        "server",
        "my.service",
        "my.library",
    )
    assert found.attributes == {"my.span.attr": "some value"}


@pytest.mark.parametrize(
    "name", ["otel_jaeger_json/get-inventory.json", "otel_tempo_json/tempo_export_with_batches.json"]
)
def test_jaeger_and_tempo_exports_are_not_taken_for_otlp(real_logs: Path, name: str) -> None:
    """They are other containers of the same spans, with their own readers to come."""
    (opened,) = open_containers(real_logs / "samples" / name)
    assert otlp.COLLECTOR.detect(opened) is not None


def test_a_resource_with_a_nameless_attribute_says_where(tmp_path: Path) -> None:
    """In one line, as with a span."""
    request = {"resourceSpans": [{}, {"resource": {"attributes": [{"key": ["service.name"]}]}}]}
    (tmp_path / "a.json").write_text(json.dumps(request))
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(BadInputError, match="/resourceSpans/1/resource: an attribute without a key"):
        otlp.read(container)
