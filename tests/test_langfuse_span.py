"""Observations as spans: types, tools of before there were types, and what the original attributes leave open."""

from typing import Any

import pytest

from tracer.collectors import langfuse_span
from tracer.records import Span

ANSWER = {"content": "420", "type": "tool", "name": "fare", "tool_call_id": "c1", "status": "success"}


def observation(kind: str, name: str = "o", **found: Any) -> Span:
    """An observation as a span; fields below the SDK's head, other attributes with `__` for a dot."""
    fields = {f"langfuse.observation.{key}": value for key, value in found.items() if "__" not in key}
    others = {key.replace("__", "."): value for key, value in found.items() if "__" in key}
    attributes = {"langfuse.observation.type": kind, **fields, **others}
    return Span(trace_id="t", span_id="s", name=name, started_ns=1, ended_ns=2, attributes=attributes)


@pytest.mark.parametrize("kind", ["SPAN", "CHAIN", "TOOL"])
def test_what_returns_a_tool_message_is_a_tool(kind: str) -> None:
    """LangChain's callback wrote SPAN before Langfuse had types."""
    activity = langfuse_span.activity(observation(kind, "fare", input="{'city': 'Oslo'}", output=ANSWER))
    assert activity is not None
    assert activity.call is not None
    assert activity.result is not None
    assert (activity.kind, activity.call.name, activity.call.id) == ("tool", "fare", "c1")
    assert (activity.result.content, activity.result.status) == ("420", "ok")


@pytest.mark.parametrize("output", [{"messages": [ANSWER]}, "tools", None, {"content": "x"}])
def test_a_graphs_node_is_no_tool(output: Any) -> None:
    """It returns the state, in which the tool's message stands."""
    assert langfuse_span.activity(observation("SPAN", "tools", output=output)) is None


@pytest.mark.parametrize("kind", ["EVENT", "EMBEDDING", "CHAIN", "SPAN"])
def test_bookkeeping_makes_no_step(kind: str) -> None:
    """Whatever it holds."""
    assert langfuse_span.activity(observation(kind, input="x", output="y")) is None


def test_messages_that_langfuse_moved_come_from_its_own_fields() -> None:
    """The original attributes say what it was, the fields what was said."""
    span = observation(
        "GENERATION",
        input=[{"role": "user", "parts": [{"type": "text", "content": "Fare?"}]}],
        output=[{"role": "assistant", "parts": [{"type": "text", "content": "420"}]}],
        gen_ai__operation__name="chat",
        gen_ai__usage__input_tokens=3,
        usage_details={"input": 99, "output": 5, "output_reasoning": 2},
        metadata={"langgraph_checkpoint_ns": "planner:1"},
    )
    activity = langfuse_span.activity(span)
    assert activity is not None
    assert (activity.inputs[0].text, activity.outputs[0].text, activity.agent) == ("Fare?", "420", "planner")
    assert (activity.input_tokens, activity.output_tokens) == (3, 5)
    assert activity.outputs[0].reasoning_state == "unreadable"


def test_an_agent_is_named_by_itself_unless_nobody_named_it() -> None:
    """A graph without a name is called LangGraph."""
    named, unnamed = (langfuse_span.activity(observation("AGENT", name)) for name in ("planner", "LangGraph"))
    assert named is not None
    assert unnamed is not None
    assert (named.agent, unnamed.agent) == ("planner", None)
