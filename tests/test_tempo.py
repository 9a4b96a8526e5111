"""Tempo's answers: `batches` old and new, base64 ids, and the same model call told by three nested spans."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import otlp, tempo
from tracer.collectors.container import Container, open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording

TRACE, SPAN = "dd547580319ab0312cee07f1def50dad", "21beb323d66610f7"


def group(scopes: str, **fields: Any) -> dict[str, Any]:
    """A batch with one span."""
    span = {"traceId": TRACE, "spanId": SPAN, "name": "x", "startTimeUnixNano": 1777555053780274700, **fields}
    return {"resource": {"attributes": []}, scopes: [{"scope": {"name": "lib"}, "spans": [span]}]}


def opened(path: Path, value: Any) -> Container:
    """A real file, opened as the ingest opens it."""
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    (found,) = open_containers(path)
    return found


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"batches": [group("scopeSpans")]}, "/batches/0/scopeSpans/0/spans/0"),
        (
            {"batches": [group("instrumentationLibrarySpans")]},
            "/batches/0/instrumentationLibrarySpans/0/spans/0",
        ),
        ({"trace": {"resourceSpans": [group("scopeSpans")]}}, "/trace/resourceSpans/0/scopeSpans/0/spans/0"),
        ({"trace": {"batches": [group("scopeSpans")]}, "metrics": {}}, "/trace/batches/0/scopeSpans/0/spans/0"),
    ],
)
def test_every_era_of_the_api_is_read_with_the_way_back(tmp_path: Path, value: Any, path: str) -> None:
    """Version 1 said `batches`, version 2 says `trace.resourceSpans`."""
    container = opened(tmp_path / "t.json", value)
    assert recognise(container).name == "otel_tempo_json"
    (found,) = tempo.COLLECTOR.read(container).spans
    assert (found.trace_id, found.span_id, found.format) == (TRACE, SPAN, "otel_tempo_json")
    assert found.pointer is not None
    assert found.pointer.path == path


def test_ids_in_base64_are_the_same_ids(tmp_path: Path) -> None:
    """Tempo's own JSON encoder writes bytes as base64."""
    ids = {
        key: base64.b64encode(bytes.fromhex(value)).decode() for key, value in (("traceId", TRACE), ("spanId", SPAN))
    }
    (found,) = tempo.COLLECTOR.read(opened(tmp_path / "t.json", {"batches": [group("scopeSpans", **ids)]})).spans
    assert (found.trace_id, found.span_id) == (TRACE, SPAN)


@pytest.mark.parametrize("value", [{}, [], {"batches": 3}, {"batches": [{"id": 1}]}, {"trace": {"id": "x"}}])
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """Many APIs have batches."""
    reason = tempo.COLLECTOR.detect(opened(tmp_path / "t.json", value))
    assert reason is not None
    assert len(reason) < 60


def test_plain_otlp_is_not_tempos(tmp_path: Path) -> None:
    """`resourceSpans` at the top belongs to the protocol itself."""
    container = opened(tmp_path / "t.json", {"resourceSpans": [group("scopeSpans")]})
    assert tempo.COLLECTOR.detect(container) is not None
    assert otlp.COLLECTOR.detect(container) is None


def test_a_broken_span_is_named_by_its_place(tmp_path: Path) -> None:
    """With the pointer into the batches."""
    container = opened(tmp_path / "t.json", {"batches": [group("scopeSpans", spanId=None)]})
    with pytest.raises(BadInputError, match="at /batches/0/scopeSpans/0/spans/0: malformed span: no 'spanId'"):
        tempo.COLLECTOR.read(container)


@pytest.fixture(scope="module")
def real(real_logs: Path) -> Recording:
    """The one run of the real file: Google ADK in kagent, through LiteLLM's OpenAI client."""
    recordings, skipped = read_recordings([real_logs / "samples/otel_tempo_json/tempo_export_with_batches.json"])
    assert skipped == []
    (recording,) = recordings
    return recording


def test_all_spans_of_the_real_file_are_kept(real_logs: Path) -> None:
    """`jq '[.batches[].instrumentationLibrarySpans[].spans[]]|length'` says 86, most of them plumbing."""
    (container,) = open_containers(real_logs / "samples/otel_tempo_json/tempo_export_with_batches.json")
    spans = tempo.COLLECTOR.read(container).spans
    assert len(spans) == len({each.span_id for each in spans}) == 86
    assert {each.service for each in spans} >= {"kagent-controller", "helm_agent"}


def test_the_real_run_is_told_step_by_step(real: Recording) -> None:
    """Two model calls and a tool between them, read from the attributes by eye."""
    assert [(step.agent, step.kind, step.tool) for step in real.steps] == [
        ("helm_agent", "system", None),
        ("user", "message", None),
        ("helm_agent", "tool_call", "helm_list_releases"),
        ("helm_list_releases", "tool_result", "helm_list_releases"),
        ("helm_agent", "message", None),
    ]
    assert [step.parents for step in real.steps] == [(), (), (1,), (2,), (3,)]
    call, result, answer = real.steps[2:]
    assert (call.arguments, call.call_id) == ("{}", "call_w0eKlvnaE7S9GQJeSSs0gn05")
    assert result.content.startswith("NAME       \tNAMESPACE")
    assert result.tool_status == "ok"
    assert answer.content.startswith("There are two Helm releases")
    assert real.run.task == "list all helm releases\n"
    assert (real.run.framework, real.run.outcome) == ("google-adk", "unknown")


def test_usage_that_three_nested_spans_repeat_is_counted_once(real: Recording) -> None:
    """`call_llm`, `generate_content` and `openai.chat` state 2256/13, and then 2392/116, each."""
    assert sum(step.input_tokens or 0 for step in real.steps) == 2256 + 2392
    assert sum(step.output_tokens or 0 for step in real.steps) == 13 + 116
