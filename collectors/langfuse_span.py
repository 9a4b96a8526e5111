"""Langfuse's attributes on a span: those of its exports, and those that its SDK sends as OpenTelemetry.

An observation keeps the attributes that it came with, so the convention that wrote them reads it; what that leaves
open (Langfuse moves messages into its own fields) comes from the observation's type, input and output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tracer.collectors.activity import Activity, as_text, first, text_of, tool_result, whole
from tracer.collectors.conventions import reading
from tracer.collectors.langgraph_node import UNNAMED, node_agent
from tracer.collectors.message import Call
from tracer.collectors.messages import decode
from tracer.collectors.payload import messages_of, sealed, tool_message
from tracer.records import Span

HEAD = "langfuse.observation."
KINDS: dict[str, Literal["llm", "tool", "agent", "evaluator"]] = {
    "GENERATION": "llm",
    "TOOL": "tool",
    "RETRIEVER": "tool",
    "GUARDRAIL": "tool",
    "AGENT": "agent",
    "EVALUATOR": "evaluator",
}
"""Type of an observation -> what it did. SPAN, EVENT, CHAIN and EMBEDDING make no step, but a SPAN may be a tool's."""


def ours(span: Span) -> bool:
    """Is this an observation?"""
    return f"{HEAD}type" in span.attributes


def activity(span: Span) -> Activity | None:
    """What this observation did, or None where it is only bookkeeping."""
    found = span.attributes
    told = reading(span)
    kind = told.kind if told else _kind(found)
    if kind is None:
        return None
    told = told or Activity(kind)
    agent = told.agent or _agent(span, kind)
    if kind == "tool":
        return _tool(span, told._replace(agent=agent))
    spent = _usage(found)
    inputs = told.inputs or messages_of(found.get(f"{HEAD}input"), "user")
    outputs = told.outputs or messages_of(found.get(f"{HEAD}output"), "assistant")
    return told._replace(
        agent=agent,
        inputs=inputs,
        outputs=sealed(outputs, spent[2]) if kind == "llm" else outputs,
        model=told.model or text_of(found.get(f"{HEAD}model.name")),
        input_tokens=told.input_tokens if told.input_tokens is not None else spent[0],
        output_tokens=told.output_tokens if told.output_tokens is not None else spent[1],
    )


def _kind(found: Mapping[str, Any]) -> Literal["llm", "tool", "agent", "evaluator"] | None:
    stated = str(found.get(f"{HEAD}type")).upper()
    if stated in {"SPAN", "CHAIN"} and _answers_a_call(found.get(f"{HEAD}output")):
        return "tool"
    return KINDS.get(stated)


def _answers_a_call(output: Any) -> bool:
    """Is the output a tool message itself? Before there were types, a tool was a SPAN that returned one."""
    raw = decode(output)
    inner = (raw.get("data") or raw.get("kwargs") or raw) if isinstance(raw, Mapping) else None
    return isinstance(inner, Mapping) and bool(inner.get("tool_call_id")) and "content" in inner


def _agent(span: Span, kind: str) -> str | None:
    """The graph's node, or an agent's own name."""
    metadata = decode(span.attributes.get(f"{HEAD}metadata"))
    if isinstance(metadata, Mapping) and (node := node_agent(metadata)):
        return node
    return span.name if kind == "agent" and span.name and span.name not in UNNAMED else None


def _tool(span: Span, told: Activity) -> Activity:
    """The tool's call and its answer, from its own attributes or from the observation's fields."""
    found = span.attributes
    output = found.get(f"{HEAD}output")
    content, call_id, status = tool_message(output) or (None if output is None else as_text(output), None, None)
    call = told.call or Call(span.name or "tool", as_text(found.get(f"{HEAD}input")), call_id)
    if not call.arguments:
        call = call._replace(arguments=as_text(found.get(f"{HEAD}input")))
    known = told.result
    if known is None or (not known.content and known.status != "error"):
        known = tool_result(span, content, call.id or call_id, call.name, status)
    return told._replace(call=call._replace(id=call.id or call_id), result=known)


def _usage(found: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Tokens in, out, and spent on reasoning."""
    usage = decode(found.get(f"{HEAD}usage_details"))
    if not isinstance(usage, Mapping):
        return None, None, None
    return (
        whole(first(usage, "input", "prompt_tokens", "input_tokens")),
        whole(first(usage, "output", "completion_tokens", "output_tokens")),
        whole(first(usage, "output_reasoning", "completion_details.reasoning", "reasoning", "output_reasoning_tokens")),
    )
