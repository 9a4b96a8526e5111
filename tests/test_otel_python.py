"""Span dumps of the real Python SDK: on the console, per line, in an array, unfinished and broken."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer

from tracer.collectors import otel_python
from tracer.collectors.container import Container, open_containers
from tracer.errors import BadInputError
from tracer.records import Span


def pretty(span: ReadableSpan) -> str:
    """The console exporter's own format."""
    return f"{span.to_json()}\n"


def compact(span: ReadableSpan) -> str:
    """One span per line."""
    return f"{span.to_json(indent=None)}\n"


def console(emit: Callable[[Tracer], None], formatter: Callable[[ReadableSpan], str] = pretty) -> str:
    """What ConsoleSpanExporter prints for these spans."""
    out = io.StringIO()
    exporter = ConsoleSpanExporter(out=out, formatter=formatter)
    provider = TracerProvider(resource=Resource.create({"service.name": "travel"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    emit(provider.get_tracer("test"))
    provider.shutdown()
    return out.getvalue()


def two_spans(tracer: Tracer) -> None:
    """A failed child inside a parent that links to nothing."""
    with tracer.start_as_current_span("parent", kind=SpanKind.SERVER) as parent:
        child = tracer.start_span("child", start_time=1_700_000_000_123_456_000, attributes={"n": 1, "t": ("a", "b")})
        child.add_event("exception", {"exception.type": "ValueError"}, timestamp=1_700_000_000_500_000_000)
        child.add_link(parent.get_span_context(), {"why": "test"})
        child.set_status(Status(StatusCode.ERROR, "no table"))
        child.end(end_time=1_700_000_001_000_000_000)


def opened(path: Path, text: str) -> Container:
    """A real file, opened as the ingest opens it."""
    path.write_text(text)
    (found,) = open_containers(path)
    return found


def read(path: Path, text: str) -> tuple[Span, ...]:
    """The spans of a dump that is recognised."""
    found = opened(path, text)
    assert otel_python.COLLECTOR.detect(found) is None
    return otel_python.COLLECTOR.read(found).spans


def test_the_consoles_concatenated_output_is_read(tmp_path: Path) -> None:
    """Pretty-printed objects, one after another, without a comma between them."""
    child, parent = read(tmp_path / "spans.jsonl", console(two_spans))
    assert (child.name, child.parent_id, child.trace_id) == ("child", parent.span_id, parent.trace_id)
    assert (len(child.trace_id), len(child.span_id)) == (32, 16)
    assert (child.started_ns, child.ended_ns) == (1_700_000_000_123_456_000, 1_700_000_001_000_000_000)
    assert (child.status, child.status_message) == ("error", "no table")
    assert child.attributes == {"n": 1, "t": ["a", "b"]}
    assert [event["name"] for event in child.events] == ["exception"]
    assert child.events[0]["time_ns"] == 1_700_000_000_500_000_000
    assert child.links == ({"trace_id": parent.trace_id, "span_id": parent.span_id, "attributes": {"why": "test"}},)
    assert (parent.kind, parent.status, parent.service, parent.parent_id) == ("server", "unset", "travel", None)


def test_lines_and_arrays_hold_the_same_spans(tmp_path: Path) -> None:
    """One compact object per line, or all of them in an array, is the same dump."""
    lines = console(two_spans, compact)
    array = "[" + ",".join(lines.splitlines()) + "]"
    by_line, by_array = read(tmp_path / "a.jsonl", lines), read(tmp_path / "b.json", array)
    bare = [[span.model_copy(update={"pointer": None}) for span in spans] for spans in (by_line, by_array)]
    assert bare[0] == bare[1]
    assert [span.pointer.line for span in by_line if span.pointer] == [1, 2]
    assert [span.pointer.path for span in by_array if span.pointer] == ["/0", "/1"]


def test_an_unfinished_span_has_no_end(tmp_path: Path) -> None:
    """A dump on start (some frameworks write both) has a null end."""
    texts: list[str] = []

    def emit(tracer: Tracer) -> None:
        span = tracer.start_span("running", links=[Link(tracer.start_span("other").get_span_context())])
        assert isinstance(span, ReadableSpan)
        texts.append(span.to_json())

    console(emit)
    (found,) = read(tmp_path / "t.json", texts[0])
    assert (found.name, found.ended_ns) == ("running", None)
    assert len(found.links) == 1


def test_a_truncated_dump_is_one_line_of_error(tmp_path: Path) -> None:
    """The process died while printing."""
    with pytest.raises(BadInputError) as caught:
        read(tmp_path / "cut.json", console(two_spans)[:-40])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("context", {"trace_id": "0x" + "0" * 32, "span_id": "0x" + "1" * 16}, "trace_id"),
        ("context", None, "context"),
        ("start_time", "yesterday-ish", "isoformat"),
        ("events", ["x"], "event"),
    ],
)
def test_a_malformed_span_is_named_by_its_place(tmp_path: Path, field: str, value: Any, word: str) -> None:
    """The second of two lines is broken; the message says so."""
    first, second = console(two_spans, compact).splitlines()
    broken = json.dumps({**json.loads(second), field: value})
    with pytest.raises(BadInputError, match=r"t\.jsonl line 2: malformed span") as caught:
        read(tmp_path / "t.jsonl", f"{first}\n{broken}")
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "value", [{"resourceSpans": []}, [{"role": "user", "content": "hi"}], [3], {"context": {}}, []]
)
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """A reason in a few words, not an exception."""
    reason = otel_python.COLLECTOR.detect(opened(tmp_path / "t.json", json.dumps(value)))
    assert reason is not None
    assert len(reason) < 60
