"""Google ADK: requests and replies in Gemini's shape, tools with MCP answers, and spans that only gather."""

import json
from typing import Any

import pytest

from tracer.collectors.conventions import reading
from tracer.collectors.spans import runs_from_spans
from tracer.records import Recording, Span

SCOPE = "gcp.vertex.agent"
REQUEST: dict[str, Any] = {
    "model": "gemini-2.5-flash",
    "config": {"system_instruction": "Be brief.", "tools": []},
    "contents": [{"role": "user", "parts": [{"text": "Fare?"}]}],
}
CALL = {"function_call": {"id": "adk-1", "name": "get_fare", "args": {"city": "Oslo"}}}
USAGE = {"prompt_token_count": 10, "candidates_token_count": 5, "thoughts_token_count": 3}


def span(number: int, parent: int | None, name: str, **found: Any) -> Span:
    """A span of ADK's own tracer; keyword names are put behind its head."""
    return Span(
        trace_id="t",
        span_id=f"{number}",
        parent_id=None if parent is None else f"{parent}",
        name=name,
        scope=SCOPE,
        started_ns=1_000 * number,
        ended_ns=1_000 * number + (900 if parent else 90_000),
        attributes={key if "." in key else f"{SCOPE}.{key}": value for key, value in found.items()},
    )


def run(*spans: Span) -> Recording:
    """The one run of these spans."""
    ((recording, _),) = runs_from_spans(spans)
    return recording


def model_call(number: int, request: Any, reply: Any) -> Span:
    """ADK's span around a model call."""
    found = {"gen_ai.system": SCOPE, "gen_ai.request.model": "gemini-2.5-flash"}
    return span(number, 1, "call_llm", llm_request=json.dumps(request), llm_response=json.dumps(reply), **found)


def tool(number: int, response: Any, **found: Any) -> Span:
    """ADK's span of a tool."""
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_fare", "gen_ai.tool.call.id": "adk-1"}
    args = json.dumps({"city": "Oslo"})
    return span(
        number,
        1,
        "execute_tool get_fare",
        **{**named, **found},
        tool_call_args=args,
        tool_response=json.dumps(response),
    )


def test_a_run_is_told_from_requests_and_replies() -> None:
    """The system instruction, the question, the call, its answer once, the last word; thoughts are reasoning."""
    again = [*REQUEST["contents"], {"role": "model", "parts": [CALL]}]
    answered = {"function_response": {"id": "adk-1", "name": "get_fare", "response": {"result": "420 EUR"}}}
    second = {**REQUEST, "contents": [*again, {"role": "user", "parts": [answered]}]}
    thought = [{"text": "It is cheap.", "thought": True}, {"text": "420 EUR."}]
    recording = run(
        span(1, None, "agent_run [guide]"),
        model_call(2, REQUEST, {"content": {"role": "model", "parts": [CALL]}, "usage_metadata": USAGE}),
        tool(3, {"result": "420 EUR"}),
        span(4, 1, "execute_tool (merged tools)", tool_call_args="N/A", **{"gen_ai.tool.name": "(merged tools)"}),
        model_call(5, second, {"content": {"role": "model", "parts": thought}, "usage_metadata": USAGE}),
    )
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
        ("guide", "system", "Be brief."),
        ("user", "message", "Fare?"),
        ("guide", "tool_call", ""),
        ("get_fare", "tool_result", "420 EUR"),
        ("guide", "message", "420 EUR."),
    ]
    call, answer = recording.steps[2], recording.steps[4]
    assert (call.arguments, call.call_id, call.input_tokens, call.output_tokens) == ('{"city":"Oslo"}', "adk-1", 10, 5)
    assert (call.reasoning_state, answer.reasoning, answer.reasoning_state) == ("unreadable", "It is cheap.", "present")
    assert recording.run.framework == "google-adk"


@pytest.mark.parametrize(
    ("response", "content", "status", "rule"),
    [
        ({"content": [{"type": "text", "text": "420 EUR"}], "isError": False}, "420 EUR", "ok", "text"),
        ({"content": [{"type": "text", "text": "no city"}], "isError": True}, "no city", "error", "status: error"),
        ({"status": "error", "error_message": "no city"}, None, "error", "status: error"),
        ({"error": "no city"}, '{"error":"no city"}', "error", "status: error"),
        ({"result": {"eur": 420}}, '{"eur":420}', "ok", "text"),
    ],
)
def test_a_tools_answer_is_unwrapped_and_may_say_that_it_failed(
    response: Any, content: str | None, status: str, rule: str
) -> None:
    """MCP tools, ADK's habit of a `status`, and plain functions, whose value is put under `result`."""
    result = run(span(1, None, "invocation"), tool(2, response)).steps[1]
    assert (result.tool_status, result.tool_rule) == (status, rule)
    assert content is None or result.content == content


def test_a_transfer_names_the_agent_that_takes_over() -> None:
    """ADK hands over by a tool of this name."""
    args = {"tool_call_args": json.dumps({"agent_name": "billing"}), "tool_response": '{"result": null}'}
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "transfer_to_agent"}
    handoff = run(span(1, None, "execute_tool transfer_to_agent", **args, **named)).steps[0]
    assert (handoff.kind, handoff.recipient) == ("handoff", "billing")


def test_content_that_was_not_captured_leaves_the_call_and_its_counts() -> None:
    """`ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=false` writes `{}`."""
    found = {"gen_ai.usage.input_tokens": 10, "gen_ai.request.model": "m"}
    (step,) = run(span(1, None, "call_llm", llm_request="{}", llm_response="{}", **found)).steps
    assert (step.content, step.input_tokens) == ("", 10)


def test_a_reply_that_is_only_an_error_says_so() -> None:
    """Blocked or malformed replies carry a code."""
    reply = {"error_code": "SAFETY", "error_message": "blocked"}
    recording = run(span(1, None, "agent_run [guide]"), model_call(2, REQUEST, reply))
    assert recording.steps[-1].content == "SAFETY: blocked"


def test_a_request_that_was_cut_off_is_counted() -> None:
    """An attribute limit cut the JSON: its pieces are no messages."""
    whole = json.dumps(REQUEST)
    found = {"gen_ai.request.model": "m"}
    recording = run(span(1, None, "call_llm", llm_request=whole[:40], llm_response="{}", **found))
    assert recording.run.notes == ("1 spans hold messages that cannot be read (cut off?)",)


@pytest.mark.parametrize("name", ["invocation", "send_data", "execute_tool (merged tools)"])
def test_spans_that_only_gather_make_no_step(name: str) -> None:
    """Whatever they hold of the parts."""
    found = {"tool_call_args": "N/A", "gen_ai.tool.name": "(merged tools)"} if "tool" in name else {"event_id": "e"}
    assert reading(span(1, None, name, **found)) is None
