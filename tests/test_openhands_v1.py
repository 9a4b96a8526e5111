"""Events of OpenHands V1: thoughts once, tokens as differences, errors in each of their forms."""

from collections import Counter
from typing import Any

import pytest

from tracer.collectors import openhands_v1
from tracer.collectors.message import Message
from tracer.records import Pointer


def told(*events: dict[str, Any]) -> tuple[list[Message], Counter[str]]:
    left_out: Counter[str] = Counter()
    return openhands_v1.messages([(event, Pointer(file="a")) for event in events], left_out), left_out


def stats(read: int, wrote: int, other: int = 0) -> dict[str, Any]:
    uses = {
        "default": {
            "model_name": "m",
            "accumulated_token_usage": {"prompt_tokens": read, "completion_tokens": wrote},
        },
        "condenser": {"accumulated_token_usage": {"prompt_tokens": other, "completion_tokens": 0}},
    }
    value = {"usage_to_metrics": uses}
    return {"kind": "ConversationStateUpdateEvent", "source": "environment", "key": "stats", "value": value}


def action(call: str, thought: str = "", **more: Any) -> dict[str, Any]:
    words = [{"type": "text", "text": thought}] if thought else []
    return {
        "kind": "ActionEvent",
        "source": "agent",
        "tool_name": "terminal",
        "tool_call_id": call,
        "thought": words,
    } | more


def test_a_thought_that_stands_twice_is_told_once() -> None:
    """Between tags in the content, and in its own field."""
    [message], _ = told(action("c", "<think>I look\n</think>\n\nLooking.", reasoning_content="I look\n"))
    assert (message.text, message.reasoning, message.reasoning_state) == ("Looking.", "I look\n", "present")


def test_sealed_reasoning_cannot_be_read() -> None:
    """Of the Responses API only ciphertext is kept."""
    item = {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x"}
    [message], _ = told(action("c", responses_reasoning_item=item))
    assert (message.reasoning, message.reasoning_state) == (None, "unreadable")


def test_tokens_are_charged_to_what_the_agent_did_next_and_sum_to_the_total() -> None:
    """Counts are of the whole conversation and of all uses; what comes last belongs to the last reply."""
    messages, left_out = told(stats(10, 1), action("c1"), stats(30, 3), stats(30, 3), action("c2"), stats(35, 4, 100))
    assert [(each.input_tokens, each.output_tokens) for each in messages] == [(10, 1), (125, 3)]
    assert {each.model for each in messages} == {"m"}
    assert left_out == {"ConversationStateUpdateEvent": 4}


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ({"kind": "AgentErrorEvent", "error": "no such tool"}, ("no such tool", "error", "AgentErrorEvent")),
        ({"kind": "UserRejectObservation", "rejection_reason": "no"}, ("no", "error", "rejected by the user")),
        ({"observation": {"content": "x", "is_error": True}}, ("x", "error", "is_error")),
        ({"observation": {"output": "x", "exit_code": 2}}, ("x", "error", "exit code 2")),
        ({"observation": {"output": "x", "metadata": {"exit_code": 0}}}, ("x", "ok", "exit code 0")),
        ({"observation": {"content": "x", "metadata": {"exit_code": -1}}}, ("x", "ok", "text")),
        ({"observation": {"content": "", "is_error": False}}, ("", "empty", "text: blank")),
        ({"observation": {"kind": "B", "url": "u"}}, ('{"url":"u"}', "ok", "text")),
    ],
)
def test_how_a_call_ended(event: dict[str, Any], outcome: tuple[str, str, str]) -> None:
    """-1 is no exit code: the command runs still, or never ran."""
    [message], _ = told({"kind": "ObservationEvent", "source": "environment", "tool_call_id": "c", **event})
    [result] = message.results
    assert (result.content, result.status, result.rule, result.id) == (*outcome, "c")


def test_prompts_summaries_and_errors_of_the_program_are_system_messages() -> None:
    """A pause is not."""
    messages, left_out = told(
        {"kind": "SystemPromptEvent", "source": "agent", "system_prompt": {"type": "text", "text": "You program."}},
        {"kind": "Condensation", "source": "environment", "summary": "So far."},
        {"kind": "ConversationErrorEvent", "source": "environment", "detail": "No budget."},
        {"kind": "PauseEvent", "source": "user"},
    )
    assert [(each.role, each.text) for each in messages] == [
        ("system", "You program."),
        ("system", "So far."),
        ("system", "No budget."),
    ]
    assert left_out == {"PauseEvent": 1}


@pytest.mark.parametrize(("value", "status"), [("finished", None), ("error", "error"), ("STUCK", "STUCK")])
def test_only_the_last_state_says_that_it_failed(value: str, status: str | None) -> None:
    """Running, then an end."""
    state = {"kind": "ConversationStateUpdateEvent", "source": "environment", "key": "execution_status"}
    events = [({**state, "value": each}, Pointer(file="a")) for each in ("running", value)]
    assert openhands_v1.status(events) == status
