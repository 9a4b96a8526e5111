"""AgentOps exports: nested attributes, events in columns, tools, the end of a session, and a real crew."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import agentops
from tracer.collectors.container import Container, open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording, Span

TRACE = "b520ab60214d54b570cf701c7ad28faf"


def span(number: int, parent: int | None, name: str, attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A span as the export nests it."""
    return {
        "span_id": f"{number:016x}",
        "parent_span_id": "" if parent is None else f"{parent:016x}",
        "span_name": name,
        "span_kind": "Client",
        "service_name": "agentops",
        "start_time": f"2025-08-04T15:12:2{number}.400849+00:00",
        "end_time": f"2025-08-04T15:12:{59 if parent is None else f'2{number}'}.900000+00:00",
        "status_code": "OK",
        "span_attributes": attributes,
        "resource_attributes": {"service": {"name": "agentops"}},
        **fields,
    }


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    """A trace export."""
    return {"trace": {"freeplan_truncated": False, "trace_id": TRACE}, "spans": list(spans)}


def opened(path: Path, value: Any) -> Container:
    """A real file, opened as the ingest opens it."""
    path.write_text(json.dumps(value))
    (found,) = open_containers(path)
    return found


def spans(path: Path, value: Any) -> tuple[Span, ...]:
    """The spans of a file that is recognised."""
    container = opened(path, value)
    assert recognise(container).name == "agentops"
    return agentops.COLLECTOR.read(container).spans


def read(folder: Path, value: Any) -> Recording:
    """The one run of a file."""
    spans(folder / "a.json", value)
    ((recording,), skipped) = read_recordings([folder])
    assert skipped == []
    return recording


def kind(name: str, **more: Any) -> dict[str, Any]:
    """AgentOps' own attributes."""
    return {"agentops": {"span": {"kind": name}, **more}}


def test_a_span_keeps_everything_flat_again(tmp_path: Path) -> None:
    """Objects become dotted keys, lists of objects indices, lists of values stay; events and links stand in columns."""
    attributes = {"gen_ai": {"prompt": [{"role": "user", "content": "Hi"}], "n": 2}, "tags": ["a", "b"], "empty": {}}
    columns = {
        "event_names": ["exception"],
        "event_timestamps": ["2025-08-04T15:12:21Z"],
        "event_attributes": [{"exception": {"type": "E"}}],
        "link_trace_ids": ["ab" * 16],
        "link_span_ids": ["cd" * 8],
    }
    (found,) = spans(tmp_path / "a.json", export(span(1, None, "x", attributes, **columns, status_code="ERROR")))
    assert found.attributes == {
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "Hi",
        "gen_ai.n": 2,
        "tags": ["a", "b"],
        "empty": {},
    }
    assert found.events[0] == {
        "name": "exception",
        "time_ns": 1754320341000000000,
        "attributes": {"exception.type": "E"},
    }
    assert found.links == ({"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {}},)
    assert (found.trace_id, found.parent_id, found.status, found.service) == (TRACE, None, "error", None)


def test_tools_of_ones_own_are_calls(tmp_path: Path) -> None:
    """A decorated tool logs its arguments and its result; a failed one says so in its status."""
    given = {"tool": {"name": "fare", "parameters": '{"city": "Oslo"}', "result": "no such city", "status": "failed"}}
    agent = {**kind("agent", entity={"name": "Guide"}), "agent": {"name": "guide"}}
    recording = read(
        tmp_path, export(span(1, None, "guide.agent", agent), span(2, 1, "fare.tool", {**kind("tool"), **given}))
    )
    call, result = recording.steps
    assert (call.agent, call.tool, call.arguments) == ("guide", "fare", '{"city": "Oslo"}')
    assert (result.content, result.tool_status, result.tool_rule) == ("no such city", "error", "status: failed")


@pytest.mark.parametrize(
    ("state", "outcome"), [("Fail", "failure"), ("Success", "unknown"), ("Indeterminate", "unknown")]
)
def test_a_session_that_failed_is_a_failed_run(tmp_path: Path, state: str, outcome: str) -> None:
    """Success only means that the program ended."""
    root = kind("session", session={"end_state": state})
    model = {"gen_ai": {"completion": [{"role": "assistant", "content": "Yo"}]}, **kind("llm")}
    assert read(tmp_path, export(span(1, None, "s", root), span(2, 1, "m", model))).run.outcome == outcome


@pytest.mark.parametrize(
    ("fields", "word"), [({"span_id": None}, "span_id"), ({"start_time": "soon-ish"}, "isoformat")]
)
def test_a_malformed_span_is_named_by_its_place(tmp_path: Path, fields: dict[str, Any], word: str) -> None:
    """One line with the pointer."""
    with pytest.raises(BadInputError, match="at /spans/1: malformed span") as caught:
        spans(tmp_path / "a.json", export(span(1, None, "x", {}), span(2, 1, "y", {}, **fields)))
    assert word in str(caught.value)


@pytest.mark.parametrize("value", [{}, [], {"spans": []}, {"spans": [1]}, {"trace": {}, "spans": [{"span_id": "1"}]}])
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """A reason in a few words."""
    reason = agentops.COLLECTOR.detect(opened(tmp_path / "a.json", value))
    assert reason is not None
    assert len(reason) < 60


def test_the_real_crew_has_two_agents_and_two_model_calls(real_logs: Path) -> None:
    """Seven spans; the workflow's 481 and 496 tokens are those of the two calls, 210 + 271 and 83 + 413."""
    path = real_logs / "samples/agentops/crewai_agentops_trace.json"
    (container,) = open_containers(path)
    assert len(agentops.COLLECTOR.read(container).spans) == 7
    ((recording,), skipped) = read_recordings([path])
    assert skipped == []
    assert [(step.agent, step.kind) for step in recording.steps] == [
        ("Website Researcher", "system"),
        ("user", "message"),
        ("Website Researcher", "message"),
        ("Songwriter", "system"),
        ("user", "message"),
        ("Songwriter", "message"),
    ]
    assert [(s.input_tokens, s.output_tokens) for s in recording.steps if s.input_tokens] == [(210, 83), (271, 413)]
    assert sum(step.input_tokens or 0 for step in recording.steps) == 481
    assert sum(step.output_tokens or 0 for step in recording.steps) == 496
    assert {step.model for step in recording.steps if step.input_tokens} == {"ollama/llama3:latest"}
    assert (recording.run.framework, recording.run.outcome) == ("crewai", "unknown")
    assert recording.run.task.startswith("\nCurrent Task: Research this URL")
    assert [step.parents for step in recording.steps] == [(), (), (1,), (), (), (4,)]
