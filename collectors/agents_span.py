"""A span of the OpenAI Agents SDK: what its `span_data` says that it did."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tracer.collectors.activity import Activity, as_text, text_of, tool_result
from tracer.collectors.message import Call
from tracer.collectors.payload import messages_of, sealed, usage_of
from tracer.records import Span

HEAD = "openai_agents."
"""Before the fields of `span_data`, as attributes."""


def ours(span: Span) -> bool:
    """Does the span come from the SDK's own traces?"""
    return f"{HEAD}type" in span.attributes


def activity(span: Span) -> Activity | None:
    """What this span did; None for turns, tasks, lists of tools, speech, and a user's own spans."""
    found = {key.removeprefix(HEAD): value for key, value in span.attributes.items() if key.startswith(HEAD)}
    read = _KINDS.get(str(found.get("type")))
    return read(span, found) if read else None


def _agent(span: Span, found: Mapping[str, Any]) -> Activity:
    return Activity("agent", text_of(found.get("name")))


def _model_call(span: Span, found: Mapping[str, Any]) -> Activity:
    """A `generation` holds its messages; a `response` only its id, unless an exporter of one's own keeps more."""
    usage = usage_of(found)
    reply = found.get("output", found.get("response"))
    return Activity(
        kind="llm",
        inputs=messages_of(found.get("input"), "user"),
        outputs=sealed(messages_of(reply, "assistant"), usage.reasoning),
        model=text_of(found.get("model")),
        input_tokens=usage.input,
        output_tokens=usage.output,
    )


def _function(span: Span, found: Mapping[str, Any]) -> Activity:
    name = text_of(found.get("name")) or "tool"
    output = found.get("output")
    content = None if output is None else as_text(output)
    return Activity(
        "tool",
        call=Call(name, as_text(found.get("input"))),
        result=tool_result(span, content, None, name),
    )


def _handoff(span: Span, found: Mapping[str, Any]) -> Activity:
    """Named as the tool that the model calls for it."""
    return handoff(span, text_of(found.get("from_agent")), text_of(found.get("to_agent")))


def handoff(span: Span, giver: str | None, taker: str | None) -> Activity:
    """One agent hands over to another; that it ended without an error is its result."""
    name = re.sub(r"[^a-z0-9_]", "_", f"transfer_to_{taker or 'agent'}".lower())
    result = tool_result(span, None, None, name, "ok") if span.ended_ns is not None else None
    return Activity("tool", giver, call=Call(name, "", None, taker), result=result)


def _guardrail(span: Span, found: Mapping[str, Any]) -> Activity:
    name = text_of(found.get("name")) or "guardrail"
    verdict = "triggered" if found.get("triggered") else "not triggered"
    return Activity("tool", call=Call(name, ""), result=tool_result(span, verdict, None, name))


_KINDS: dict[str, Callable[[Span, Mapping[str, Any]], Activity]] = {
    "agent": _agent,
    "generation": _model_call,
    "response": _model_call,
    "function": _function,
    "handoff": _handoff,
    "guardrail": _guardrail,
}
