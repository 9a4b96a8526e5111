"""Traces of the OpenAI Agents SDK, as `scripts/capture_openai_agents.py` made them with SDK 0.24.0, and broken ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import openai_agents
from tracer.collectors.container import Container, open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording

REAL = Path(__file__).parent / "data/openai_agents"


def read(path: Path) -> Recording:
    """The one run of a file."""
    (container,) = open_containers(path)
    assert recognise(container).name == "openai_agents"
    ((recording,), skipped) = read_recordings([path])
    assert skipped == []
    return recording


def opened(path: Path, *values: Any) -> Container:
    """A real file of these values, one per line."""
    path.write_text("\n".join(map(json.dumps, values)))
    (found,) = open_containers(path)
    return found


def items() -> list[dict[str, Any]]:
    """The items of the real chat trace: `wc -l` says 16."""
    return [json.loads(line) for line in (REAL / "trace_chat.jsonl").read_text().splitlines()]


STEPS = [
    ("triage", "system", "Hand over."),
    ("user", "message", "What is the fare to Oslo in USD?"),
    ("triage", "handoff", ""),
    ("transfer_to_fares", "tool_result", '{"assistant": "fares"}'),
    ("fares", "system", "You know fares."),
    ("fares", "tool_call", ""),
    ("get_fare", "tool_result", "An error occurred while running the tool. Please try again."),
    ("fares", "tool_call", ""),
    ("get_fare", "tool_result", "420 EUR"),
    ("fares", "message", "The fare to Oslo is 420 USD."),
]
"""What the script lets the model say, and what the two agents and the tool are told and tell."""


def told(recording: Recording) -> list[tuple[str, str, str]]:
    """Each step as (agent, kind, content)."""
    return [(step.agent, step.kind, step.content) for step in recording.steps]


def test_a_trace_of_chat_completions_tells_the_whole_run() -> None:
    """Four generations, two function spans and a hand-off: ten steps, each thing once."""
    recording = read(REAL / "trace_chat.jsonl")
    assert told(recording) == STEPS
    assert [step.parents for step in recording.steps] == [(), (), (1,), (2,), (), (3,), (5,), (6,), (7,), (8,)]
    handoff, failed = recording.steps[2], recording.steps[6]
    assert (handoff.recipient, handoff.tool, handoff.call_id) == ("fares", "transfer_to_fares", "h1")
    assert (failed.tool_status, failed.tool_rule, failed.call_id) == ("error", "status: error", "c1")
    assert (recording.steps[8].tool_status, recording.steps[3].tool_status) == ("ok", "ok")
    assert recording.steps[5].arguments == '{"city": "Osloo"}'


def test_tokens_are_those_that_the_task_itself_sums() -> None:
    """Turns and the task repeat the usage of the calls below them: 100 in, 20 out."""
    (task,) = [each["span_data"]["data"] for each in items() if each.get("span_data", {}).get("name") == "task"]
    recording = read(REAL / "trace_chat.jsonl")
    assert sum(step.input_tokens or 0 for step in recording.steps) == task["usage"]["input_tokens"] == 100
    assert sum(step.output_tokens or 0 for step in recording.steps) == task["usage"]["output_tokens"] == 20
    assert recording.run.framework == "openai-agents"
    assert (recording.run.task, recording.run.answer) == (STEPS[1][2], STEPS[9][2])


def test_a_trace_of_responses_says_that_it_holds_no_messages() -> None:
    """The default export keeps only ids and usage of model calls; tools and hand-offs are told."""
    recording = read(REAL / "trace_responses.json")
    assert recording.run.notes == ("4 model calls were logged without their messages",)
    acted = [(step.agent, step.kind, step.tool) for step in recording.steps if step.tool]
    assert acted == [
        ("triage", "handoff", "transfer_to_fares"),
        ("transfer_to_fares", "tool_result", "transfer_to_fares"),
        ("fares", "tool_call", "get_fare"),
        ("get_fare", "tool_result", "get_fare"),
        ("fares", "tool_call", "get_fare"),
        ("get_fare", "tool_result", "get_fare"),
    ]
    assert sum(step.input_tokens or 0 for step in recording.steps) == 100


def test_every_wrapping_and_order_holds_the_same_run(tmp_path: Path) -> None:
    """A body, an array, several bodies, spans without their trace, spans twice."""
    lines = items()
    wrappings: list[list[Any]] = [
        [{"data": lines}],
        [lines],
        lines[::-1],
        [{"data": lines[:7]}, {"data": lines[7:]}],
        lines[1:],
        [*lines, *lines],
    ]
    for number, values in enumerate(wrappings):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        opened(folder / "a.json", *values)
        assert told(read(folder / "a.json")) == STEPS


def test_traces_of_one_group_are_one_conversation(tmp_path: Path) -> None:
    """`group_id` ties the turns of a chat together."""
    first = [{**each, **({"group_id": "chat 1"} if each["object"] == "trace" else {})} for each in items()]
    second = [
        {**each, **({"trace_id": "trace_2", "id": f"2{each['id']}"} if "trace_id" in each else {"id": "trace_2"})}
        for each in first
    ]
    for each in second:
        each["parent_id"] = f"2{each['parent_id']}" if each.get("parent_id") else None
    opened(tmp_path / "a.json", *first, *second)
    assert len(read_recordings([tmp_path])[0]) == 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"span_data": None}, "span_data"), ({"id": None}, "'id'"), ({"started_at": "soon-ish"}, "isoformat")],
)
def test_a_malformed_span_is_named_by_its_place(tmp_path: Path, fields: dict[str, Any], word: str) -> None:
    """One line with the pointer."""
    container = opened(tmp_path / "a.json", {"data": [items()[0], {**items()[1], **fields}]})
    with pytest.raises(BadInputError, match="at /data/1: malformed span") as caught:
        openai_agents.COLLECTOR.read(container)
    assert word in str(caught.value)


def test_a_trace_that_was_cut_off_while_running_keeps_what_ended(tmp_path: Path) -> None:
    """Spans are exported as they end, so the last ones and the root are missing."""
    opened(tmp_path / "a.json", *items()[:8])
    recording = read(tmp_path / "a.json")
    assert told(recording)[:3] == STEPS[:3]


@pytest.mark.parametrize(
    "value", [{}, [], {"object": "response"}, {"data": [{"object": "list"}]}, {"$schemaVersion": "1"}]
)
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """A reason in one line."""
    reason = openai_agents.COLLECTOR.detect(opened(tmp_path / "a.json", value))
    assert reason is not None
    assert "\n" not in reason


def test_the_failed_run_can_be_blamed(call: Callable[..., Any]) -> None:
    """Loaded, marked and asked: the answer is one of the steps of the agent that took over."""
    assert call("ingest", REAL / "trace_chat.jsonl").code == 0
    assert call("mark", "@last", "--failed").code == 0
    found = call("blame", "--json").json
    assert found["run"]
    assert {each["agent"] for each in found["candidates"]} <= {"triage", "fares", "get_fare", "user"}
