"""RunStates of the OpenAI Agents SDK: a finished one, one that waits, old and broken ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.ingest import read_recordings
from tracer.collectors.run_state import is_run_state, state_recording
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording

REAL = Path(__file__).parent / "data/openai_agents"
AT = Pointer(file="state.json")


def state(**fields: Any) -> dict[str, Any]:
    """A state with only what makes it one."""
    return {"$schemaVersion": "1.0", "current_agent": {"name": "a"}, "generated_items": [], **fields}


def read(value: dict[str, Any]) -> Recording:
    """The run of a state."""
    return state_recording(value, AT, "openai_agents")


def test_a_finished_run_is_told_with_its_agents_errors_and_reasoning() -> None:
    """The same run as the trace beside it, where the SDK exported no text at all."""
    ((recording,), skipped) = read_recordings([REAL / "run_state.json"])
    assert skipped == []
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
        ("user", "message", "What is the fare to Oslo in USD?"),
        ("triage", "handoff", ""),
        ("transfer_to_fares", "tool_result", '{"assistant": "fares"}'),
        ("fares", "tool_call", ""),
        ("get_fare", "tool_result", "An error occurred while running the tool. Please try again."),
        ("fares", "tool_call", ""),
        ("get_fare", "tool_result", "420 EUR"),
        ("fares", "message", "The fare to Oslo is 420 USD."),
    ]
    handoff, failed, answer = recording.steps[1], recording.steps[4], recording.steps[7]
    assert handoff.recipient == "fares"
    assert (failed.tool_status, failed.tool_rule, failed.parents) == (
        "error",
        "text: the SDK's notice of an error",
        (3,),
    )
    assert answer.reasoning == "The tool says 420. The user wants USD, so 420 USD."
    assert recording.run.answer == "The fare to Oslo is 420 USD."
    assert answer.pointer is not None
    assert answer.pointer.path == "/generated_items/7"


def test_tokens_are_those_that_the_context_sums() -> None:
    """`jq .context.usage`: 100 in and 20 out, over four replies."""
    usage = json.loads((REAL / "run_state.json").read_text())["context"]["usage"]
    ((recording,), _) = read_recordings([REAL / "run_state.json"])
    assert sum(step.input_tokens or 0 for step in recording.steps) == usage["input_tokens"] == 100
    assert sum(step.output_tokens or 0 for step in recording.steps) == usage["output_tokens"] == 20


def test_a_run_that_waits_says_for_what_and_tells_the_call_once() -> None:
    """The approval repeats the call."""
    ((recording,), _) = read_recordings([REAL / "run_state_interrupted.json"])
    assert [(step.agent, step.kind, step.tool) for step in recording.steps] == [
        ("user", "message", None),
        ("triage", "handoff", "transfer_to_fares"),
        ("transfer_to_fares", "tool_result", "transfer_to_fares"),
        ("fares", "tool_call", "book"),
    ]
    assert recording.run.notes == ("the run waits for approval of book",)
    assert recording.run.outcome == "unknown"


def test_the_input_may_be_items_and_the_session_may_hold_more() -> None:
    """A hand-off's filter shortens what the next agent sees, not what happened."""
    said = {"type": "message_output_item", "agent": {"name": "a"}, "raw_item": {"role": "assistant", "content": "Yo"}}
    given = [{"role": "system", "content": "Brief."}, {"role": "user", "content": "Hi"}]
    recording = read(state(original_input=given, session_items=[said], generated_items=[]))
    assert [(step.agent, step.content) for step in recording.steps] == [
        ("system", "Brief."),
        ("user", "Hi"),
        ("a", "Yo"),
    ]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"generated_items": 3}, "/generated_items: expected a list"),
        ({"generated_items": ["x"]}, "/generated_items/0: an item is str"),
        ({"generated_items": [{"type": "x"}]}, "/generated_items/0: an item without an object 'raw_item'"),
    ],
)
def test_a_broken_state_is_named_by_its_place(fields: dict[str, Any], place: str) -> None:
    """One line."""
    with pytest.raises(BadInputError, match=place):
        read(state(**fields))


@pytest.mark.parametrize("value", [{}, [], {"$schemaVersion": "1.0"}, {"current_agent": {}, "generated_items": []}])
def test_other_values_are_no_states(value: Any) -> None:
    """All three keys make it one."""
    assert not is_run_state(value)
    assert is_run_state(state())
