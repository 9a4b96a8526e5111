"""Jaeger JSON: the UI's download, one trace, a back end's lines; ids without zeros, and what is broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import jaeger
from tracer.collectors.container import Container, open_containers
from tracer.collectors.ingest import read_recordings
from tracer.errors import BadInputError
from tracer.records import Recording, Span

TRACE = "5edab84350c3da3b38a026540a681652"


def tag(key: str, value: Any, kind: str = "string") -> dict[str, Any]:
    """A typed tag."""
    return {"key": key, "type": kind, "value": value}


def span(number: int, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    """A span as Jaeger writes it, ids at full length."""
    references = [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": f"{parent:016x}"}] if parent else []
    base = {"traceID": TRACE, "spanID": f"{number:016x}", "operationName": f"op {number}", "references": references}
    return {**base, "startTime": 1_700_000_000_000_000 + number, "duration": 5, "tags": [], "processID": "p1", **fields}


def trace(*spans: dict[str, Any]) -> dict[str, Any]:
    """One trace with one process."""
    processes = {"p1": {"serviceName": "billing", "tags": [tag("host.name", "h")]}}
    return {"traceID": TRACE, "spans": list(spans), "processes": processes, "warnings": None}


def opened(path: Path, text: str) -> Container:
    """A real file, opened as the ingest opens it."""
    path.write_text(text)
    (found,) = open_containers(path)
    return found


def read(path: Path, *values: Any) -> tuple[Span, ...]:
    """The spans of a file of these values, one per line."""
    container = opened(path, "\n".join(map(json.dumps, values)))
    assert jaeger.COLLECTOR.detect(container) is None
    return jaeger.COLLECTOR.read(container).spans


def test_a_span_keeps_its_times_tags_logs_links_and_process(tmp_path: Path) -> None:
    """Microseconds become nanoseconds; tags keep their types; a log is an event; a follower is a link."""
    follows = {"refType": "FOLLOWS_FROM", "traceID": "ab" * 16, "spanID": "cd" * 8}
    parent = {"refType": "CHILD_OF", "traceID": TRACE, "spanID": f"{1:016x}"}
    tags = [
        tag("span.kind", "client"),
        tag("otel.scope.name", "lib"),
        tag("otel.status_code", "ERROR"),
        tag("otel.status_description", "boom"),
        tag("n", 3, "int64"),
        tag("wide", "9007199254740993", "int64"),
        tag("flag", True, "bool"),
    ]
    logs = [{"timestamp": 1_700_000_000_000_003, "fields": [tag("event", "exception"), tag("exception.type", "E")]}]
    raw = span(2, references=[parent, follows], tags=tags, logs=logs)
    (found,) = read(tmp_path / "t.json", {"data": [trace(raw)]})
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE, f"{2:016x}", f"{1:016x}")
    assert (found.started_ns, found.ended_ns) == (1_700_000_000_000_002_000, 1_700_000_000_000_007_000)
    assert (found.kind, found.scope, found.service, found.name) == ("client", "lib", "billing", "op 2")
    assert (found.status, found.status_message) == ("error", "boom")
    assert (found.attributes["n"], found.attributes["wide"], found.attributes["flag"]) == (3, 9007199254740993, True)
    assert found.events == (
        {"name": "exception", "time_ns": 1_700_000_000_000_003_000, "attributes": {"exception.type": "E"}},
    )
    assert found.links == ({"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {}},)
    assert found.resource == {"host.name": "h", "service.name": "billing"}
    assert found.pointer is not None
    assert found.pointer.path == "/data/0/spans/0"


def test_every_wrapping_holds_the_same_spans(tmp_path: Path) -> None:
    """An answer with `data`, a trace alone, an array of traces, a trace per line, a span per line."""
    first, second = span(1), span(2, parent=1)
    process = {"serviceName": "billing", "tags": [tag("host.name", "h")]}
    lines = [{**each, "process": process} for each in (first, second)]
    wrappings: list[list[Any]] = [
        [{"data": [trace(first, second)], "total": 0}],
        [trace(first, second)],
        [[trace(first, second)]],
        [{"data": [trace(first)]}, {"data": [trace(second)]}],
        lines,
    ]
    found = [read(tmp_path / f"{n}.json", *values) for n, values in enumerate(wrappings)]
    bare = [[each.model_copy(update={"pointer": None}) for each in spans] for spans in found]
    assert all(each == bare[0] for each in bare)
    assert len(bare[0]) == 2


def test_ids_without_their_leading_zeros_are_the_same_ids(tmp_path: Path) -> None:
    """Go printed them as numbers, and 64-bit traces are the low half of a 128-bit id."""
    short = span(1, traceID="ab12", spanID="7", references=[{"traceID": "ab12", "spanID": "5"}])
    (found,) = read(tmp_path / "t.json", {"data": [trace(short)]})
    assert found.trace_id == "ab12".zfill(32)
    assert (found.span_id, found.parent_id) == ("7".zfill(16), "5".zfill(16))


def test_a_parent_may_stand_in_a_field_and_an_error_in_a_tag(tmp_path: Path) -> None:
    """As before OpenTelemetry; a storage back end writes tags as an object."""
    raw = span(2, references=[], parentSpanID="1", tags=None, tag={"error": True, "http@method": "GET"})
    (found,) = read(tmp_path / "t.json", trace(raw))
    assert (found.parent_id, found.status) == (f"{1:016x}", "error")
    assert found.attributes["http.method"] == "GET"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"traceID": ""}, "traceID"),
        ({"startTime": "soon"}, "malformed span"),
        ({"startTime": -1}, "microseconds"),
        ({"tags": 1}, "no list"),
        ({"tags": [{"value": 1}]}, "without a key"),
        ({"references": ["x"]}, "reference"),
        ({"logs": [3]}, "log"),
    ],
)
def test_a_malformed_span_is_named_by_its_place(tmp_path: Path, fields: dict[str, Any], word: str) -> None:
    """One line, with the path of the second span."""
    with pytest.raises(BadInputError, match=r"t\.json, at /data/0/spans/1: malformed span") as caught:
        read(tmp_path / "t.json", {"data": [trace(span(1), span(2, **fields))]})
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_download_loads_nothing(tmp_path: Path) -> None:
    """The file says where it breaks."""
    whole = json.dumps({"data": [trace(span(1), span(2, parent=1))]})
    with pytest.raises(BadInputError, match=r"cut off|truncated"):
        opened(tmp_path / "t.json", whole[:-30])


@pytest.mark.parametrize("value", [{"data": []}, {"data": [{"id": 1}]}, {"spans": [{"name": "x"}]}, [], [1], {}])
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """A reason in a few words, not an exception."""
    reason = jaeger.COLLECTOR.detect(opened(tmp_path / "t.json", json.dumps(value)))
    assert reason is not None
    assert len(reason) < 60


@pytest.fixture(scope="module")
def real(real_logs: Path) -> Recording:
    """The one run of the real file: two services, LangGraph behind A2A."""
    recordings, skipped = read_recordings([real_logs / "samples/otel_jaeger_json/get-inventory.json"])
    assert skipped == []
    (recording,) = recordings
    return recording


def test_all_spans_of_the_real_file_are_kept(real_logs: Path) -> None:
    """`jq '.data[0].spans|length'` says 77; 73 of them make no step."""
    (container,) = open_containers(real_logs / "samples/otel_jaeger_json/get-inventory.json")
    spans = jaeger.COLLECTOR.read(container).spans
    assert len(spans) == len({each.span_id for each in spans}) == 77
    assert {each.service for each in spans} == {"packetpanic.supervisor", "packetpanic.detector"}
    assert sum(each.parent_id is None for each in spans) == 1


def test_the_real_run_is_told_step_by_step(real: Recording) -> None:
    """Four model calls in time, one tool span, and the answer that went back over A2A."""
    assert [(step.agent, step.kind, step.tool) for step in real.steps] == [
        ("supervisor_agent", "system", None),
        ("user", "message", None),
        ("supervisor_agent", "tool_call", "query_detector"),
        ("detector_agent", "system", None),
        ("detector_agent", "tool_call", "pyats_list_devices"),
        ("pyats_list_devices", "tool_result", "pyats_list_devices"),
        ("detector_agent", "message", None),
        ("query_detector", "tool_result", "query_detector"),
        ("supervisor_agent", "message", None),
    ]
    assert [step.parents for step in real.steps] == [(), (), (1,), (), (2,), (4,), (5,), (2,), (7,)]
    assert real.steps[6].content == real.steps[7].content
    assert [step.tool_status for step in real.steps if step.kind == "tool_result"] == ["ok", "ok"]
    assert all(step.reasoning_state == "absent" for step in real.steps)


def test_the_real_runs_tokens_are_those_of_its_four_model_calls(real: Recording) -> None:
    """`gen_ai.usage.*` of the spans named ChatLiteLLM.chat; the model's name stands in LangChain's metadata only."""
    counted = [(step.input_tokens, step.output_tokens) for step in real.steps if step.input_tokens]
    assert counted == [(806, 84), (3412, 39), (3702, 386), (1224, 271)]
    assert {step.model for step in real.steps if step.input_tokens} == {"anthropic/claude-opus-4-5-20251101"}
    assert (real.run.format, real.run.framework, real.run.outcome) == ("otel_jaeger_json", "langgraph", "unknown")
    assert real.run.task.startswith("Hola!")
