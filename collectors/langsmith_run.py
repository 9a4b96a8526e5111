"""A LangSmith run as a span: those of its exports and ingest bodies, and those that its SDK sends as OpenTelemetry.

What was given and what came back are whatever the wrapped client takes and returns. Models, tools and retrievers are
named as such; everything else is a chain, and is an agent only where it says so: by its metadata, by the hand-offs that
it may make (OpenAI Agents SDK), or by a name that ends in "agent". A LangGraph node is the agent of what runs in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from tracer.collectors.activity import Activity, as_text, first, text_of, tool_result, whole
from tracer.collectors.agents_span import handoff
from tracer.collectors.langgraph_node import LOOP, UNNAMED, node_agent
from tracer.collectors.message import Call, Message
from tracer.collectors.messages import decode
from tracer.collectors.payload import Usage, messages_of, sealed, tool_message, usage_of
from tracer.records import Span

Kind = Literal["llm", "tool", "agent"]
KINDS: dict[str, Kind] = {"llm": "llm", "tool": "tool", "retriever": "tool"}
"""`run_type` -> what the run did. chain, prompt, parser and embedding make no step, unless a chain is an agent."""
TYPE, INPUTS, OUTPUTS, METADATA = "langsmith.span.kind", "langsmith.inputs", "langsmith.outputs", "langsmith.metadata"
_NAMED_AGENT = re.compile(r"[\w -]{1,80}[_ -]agent\Z|[A-Z]\w{1,80}Agent\Z")


def ours(span: Span) -> bool:
    """Is this a run?"""
    return TYPE in span.attributes


def activity(span: Span) -> Activity | None:
    """What this run did, or None where it is only bookkeeping."""
    found = span.attributes
    metadata = _metadata(found)
    inputs, outputs = decode(first(found, INPUTS, "gen_ai.prompt")), decode(first(found, OUTPUTS, "gen_ai.completion"))
    kind = KINDS.get(str(found.get(TYPE)))
    if handed := _handoff(span, inputs):
        return handed
    agent = text_of(first(metadata, "lc_agent_name", "agent_name")) or node_agent(metadata)
    if kind == "tool":
        return _tool(span, agent, inputs, outputs)
    if kind is None:
        agent = _chains_agent(span, metadata)
        return Activity("agent", agent, _asked(inputs), messages_of(outputs, "assistant")) if agent else None
    spent = _usage(found, metadata, outputs)
    return Activity(
        kind="llm",
        agent=agent,
        inputs=_asked(inputs),
        outputs=sealed(messages_of(outputs, "assistant"), spent.reasoning),
        model=_model(found, metadata, outputs),
        input_tokens=spent.input,
        output_tokens=spent.output,
    )


def _metadata(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run's metadata, whole or one attribute per key."""
    whole_one = decode(found.get(METADATA))
    if isinstance(whole_one, Mapping):
        return whole_one
    head = f"{METADATA}."
    return {key.removeprefix(head): value for key, value in found.items() if key.startswith(head)}


def _asked(inputs: Any) -> tuple[Message, ...]:
    prompts = inputs.get("prompts") if isinstance(inputs, Mapping) else None
    if isinstance(prompts, list) and prompts and all(isinstance(each, str) for each in prompts):
        return tuple(Message("user", each) for each in prompts)
    return messages_of(inputs, "user")


def _chains_agent(span: Span, metadata: Mapping[str, Any]) -> str | None:
    """The agent that a chain is, if it is one."""
    named = text_of(first(metadata, "lc_agent_name", "agent_name"))
    if named and named == span.name:
        return named
    parameters = span.attributes.get("langsmith.invocation_params")
    hands_over = isinstance(parameters, Mapping) and "handoffs" in parameters
    telling = span.name not in UNNAMED and span.name not in LOOP
    return span.name if telling and (hands_over or _NAMED_AGENT.match(span.name)) else None


def _handoff(span: Span, inputs: Any) -> Activity | None:
    """The Agents SDK's hand-off: a chain that is given who hands over to whom."""
    if not isinstance(inputs, Mapping) or not inputs.keys() >= {"from_agent", "to_agent"}:
        return None
    return handoff(span, text_of(inputs["from_agent"]), text_of(inputs["to_agent"]))


def _tool(span: Span, agent: str | None, inputs: Any, outputs: Any) -> Activity:
    raw = outputs["output"] if isinstance(outputs, Mapping) and outputs.keys() == {"output"} else outputs
    content, call_id, status = tool_message(raw) or (_text(raw), None, None)
    asked = inputs["input"] if isinstance(inputs, Mapping) and inputs.keys() == {"input"} else inputs
    call_id = text_of(first(span.attributes, "gen_ai.tool.call.id")) or call_id
    name = span.name or "tool"
    return Activity(
        kind="tool",
        agent=agent,
        call=Call(name, as_text(asked), call_id),
        result=tool_result(span, content, call_id, name, status),
    )


def _text(raw: Any) -> str | None:
    """A tool's or a retriever's answer as text; None where none was recorded."""
    documents = raw.get("documents") if isinstance(raw, Mapping) else raw
    if isinstance(documents, list) and documents and all(_page(each) is not None for each in documents):
        return "\n\n".join(_page(each) or "" for each in documents)
    return None if raw in (None, {}) else as_text(raw)


def _page(document: Any) -> str | None:
    inner = document.get("kwargs", document) if isinstance(document, Mapping) else None
    text = inner.get("page_content") if isinstance(inner, Mapping) else None
    return text if isinstance(text, str) else None


def _usage(found: Mapping[str, Any], metadata: Mapping[str, Any], outputs: Any) -> Usage:
    """Tokens as the run states them, else its reply."""
    replied = usage_of(outputs)
    listed = usage_of(metadata) if replied == Usage() else replied
    stated = [whole(found.get(f"gen_ai.usage.{side}_tokens")) for side in ("input", "output")]
    return Usage(
        listed.input if listed.input is not None else stated[0],
        listed.output if listed.output is not None else stated[1],
        listed.reasoning,
    )


def _model(found: Mapping[str, Any], metadata: Mapping[str, Any], outputs: Any) -> str | None:
    replied = outputs.get("model") if isinstance(outputs, Mapping) else None
    return text_of(replied) or text_of(first(metadata, "ls_model_name")) or text_of(found.get("gen_ai.request.model"))
