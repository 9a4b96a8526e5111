"""The Vercel AI SDK's messages, as its telemetry and Langfuse keep them."""

from typing import Any

import pytest

from tracer.collectors import vercel_ai
from tracer.collectors.payload import messages_of


def test_calls_and_answers_keep_their_ids() -> None:
    """In the spelling of version 5 (`input`, `output`) and of those before (`args`, `result`)."""
    call = {"type": "tool-call", "toolCallId": "c1", "toolName": "fare"}
    answer = {"type": "tool-result", "toolCallId": "c1", "toolName": "fare"}
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Fare?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Looking."}, {**call, "input": {"city": "Oslo"}}]},
        {"role": "tool", "content": [{**answer, "output": {"type": "text", "value": "420 EUR"}}]},
        {"role": "assistant", "content": [{**call, "args": {"city": "Oslo"}}]},
        {"role": "tool", "content": [{**answer, "result": {"eur": 420}}]},
    ]
    user, asked, told, again, older = messages_of({"messages": history}, "user")
    assert (user.role, user.text) == ("user", "Fare?")
    assert (asked.text, asked.calls[0].id, asked.calls[0].name) == ("Looking.", "c1", "fare")
    assert asked.calls[0].arguments == again.calls[0].arguments == '{"city":"Oslo"}'
    assert (told.role, told.results[0].id, told.results[0].content) == ("tool", "c1", "420 EUR")
    assert older.results[0].content == '{"eur":420}'


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool-result", "toolCallId": "c1", "output": {"type": "error-text", "value": "no"}},
        {"type": "tool-error", "toolCallId": "c1", "error": "no"},
        {"type": "tool-result", "toolCallId": "c1", "result": "no", "isError": True},
    ],
)
def test_an_answer_may_say_that_it_failed(block: dict[str, Any]) -> None:
    """In three ways."""
    message = vercel_ai.message({"role": "tool", "content": [block]})
    assert message is not None
    assert (message.results[0].content, message.results[0].status, message.results[0].rule) == (
        "no",
        "error",
        "is_error",
    )


@pytest.mark.parametrize(
    "reply",
    [
        {"text": "Looking.", "toolCalls": [{"toolCallId": "c1", "toolName": "fare", "input": {}}]},
        {"text": "Looking.", "toolCalls": '[{"toolCallId": "c1", "toolName": "fare", "args": "{}"}]'},
    ],
)
def test_a_reply_lists_its_calls(reply: dict[str, Any]) -> None:
    """As values, or as JSON text."""
    (message,) = messages_of(reply, "assistant")
    assert (message.role, message.text, message.calls[0].id, message.calls[0].arguments) == (
        "assistant",
        "Looking.",
        "c1",
        "{}",
    )


@pytest.mark.parametrize("raw", [{}, {"role": "user", "content": "x"}, {"text": "x"}, {"toolCalls": []}])
def test_anything_else_is_not_its(raw: dict[str, Any]) -> None:
    """Plain messages are read by their own provider's rules."""
    assert vercel_ai.message(raw) is None
