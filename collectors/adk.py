"""Google ADK: what was said stands as JSON in `gcp.vertex.agent.llm_request` and `.llm_response`.

ADK's `call_llm` lies around the spans of the client below it, which may hold the same messages and the same usage;
`span_tree` counts them once. "(merged tools)" gathers the answers of parallel calls that have spans of their own. From
2.x on there is no `call_llm`, and what was said stands in GenAI attributes; tools keep their way of answering.
Old releases named an agent only in the name of its span, `agent_run [planner]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tracer.collectors import gemini, genai
from tracer.collectors.activity import Activity, as_text, first, text_of, tool_result
from tracer.collectors.fields import items
from tracer.collectors.message import Call, Message
from tracer.collectors.messages import decode
from tracer.collectors.payload import sealed, usage_of
from tracer.records import Span

_HEAD = "gcp.vertex.agent."
_AGENT_RUN = re.compile(r"\Aagent_run \[(.+)\]\Z", re.DOTALL)
_TOOL_NAME = re.compile(r"\A(?:execute_tool|tool_call) \[?(.+?)\]?\Z", re.DOTALL)
_MERGED = "(merged tools)"
_UNKNOWN = ("{}", "<not specified>", {"result": "<not specified>"})
"""What ADK writes where there is nothing to write."""


def ours(span: Span) -> bool:
    """Does ADK itself write here?"""
    return span.scope == "gcp.vertex.agent" or any(key.startswith(_HEAD) for key in span.attributes)


def activity(span: Span) -> Activity | None:
    """What this span did, or None where it is only bookkeeping."""
    found = span.attributes
    if named := _AGENT_RUN.match(span.name):
        return Activity("agent", text_of(named[1]))
    if f"{_HEAD}tool_call_args" in found or f"{_HEAD}tool_response" in found:
        return _tool(span)
    newer = genai.activity(span)
    if newer is not None and newer.kind == "tool":
        return _tool(span)
    if f"{_HEAD}llm_request" not in found:
        return newer
    return _model_call(found, newer or Activity("llm"))


def _model_call(found: dict[str, Any], newer: Activity) -> Activity:
    request, reply = decode(found.get(f"{_HEAD}llm_request")), decode(found.get(f"{_HEAD}llm_response"))
    usage = usage_of(reply)
    return newer._replace(
        kind="llm",
        agent=newer.agent,
        inputs=newer.inputs or _asked(request),
        outputs=newer.outputs or sealed(_said(reply), usage.reasoning),
        input_tokens=newer.input_tokens if newer.input_tokens is not None else usage.input,
        output_tokens=newer.output_tokens if newer.output_tokens is not None else usage.output,
        unreadable=newer.unreadable or any(isinstance(each, str) and each.strip() for each in (request, reply)),
    )


def _asked(request: Any) -> tuple[Message, ...]:
    """The system instruction, a text or a content, and the contents before the reply."""
    if not isinstance(request, dict):
        return ()
    config = request.get("config")
    system = first(config, "system_instruction", "systemInstruction") if isinstance(config, dict) else None
    contents = request.get("contents")
    found = [gemini.message(each, "user") for each in items(contents) if gemini.is_content(each)]
    if gemini.is_content(system):
        system = gemini.message(system, "system").text
    return (*([Message("system", as_text(system))] if system else []), *found)


def _said(reply: Any) -> tuple[Message, ...]:
    """The reply's content; the error where there is none."""
    if not isinstance(reply, dict):
        return ()
    if gemini.is_content(content := reply.get("content")):
        return (gemini.message(content, "assistant"),)
    error = [as_text(each) for key in ("error_code", "error_message") if (each := reply.get(key))]
    return (Message("system", ": ".join(error)),) if error else ()


def _tool(span: Span) -> Activity | None:
    found = span.attributes
    named = _TOOL_NAME.match(span.name)
    name = text_of(found.get("gen_ai.tool.name")) or (named[1] if named else span.name)
    if name == _MERGED:
        return None
    arguments = first(found, "gen_ai.tool.call.arguments", f"{_HEAD}tool_call_args")
    raw = decode(first(found, "gen_ai.tool.call.result", f"{_HEAD}tool_response"))
    if gemini.is_content(raw) or (isinstance(raw, dict) and isinstance(raw.get("content"), dict)):
        raw = _response(raw)  # early releases wrote the whole event
    answer = None if raw in (None, {}, *_UNKNOWN) else gemini.answered(raw)
    call_id = text_of(found.get("gen_ai.tool.call.id"))
    call_id = None if call_id in _UNKNOWN else call_id
    status = "error" if answer and answer.failed else None
    content = answer.content if answer else None
    target = _target(name, arguments)
    if target and not content:  # a hand-off answers nothing when it went well
        content, status = None, status or "ok"
    return Activity(
        kind="tool",
        agent=text_of(found.get("gen_ai.agent.name")),
        call=Call(name, as_text(arguments), call_id, target),
        result=tool_result(span, content, call_id, name, status),
    )


def _response(event: Mapping[str, Any]) -> Any:
    content = event.get("content", event)
    parts = items(content.get("parts")) if isinstance(content, dict) else []
    found = [first(part, "function_response", "functionResponse") for part in parts if isinstance(part, dict)]
    return next((each.get("response") for each in found if isinstance(each, dict)), event)


def _target(name: str, arguments: Any) -> str | None:
    """ADK hands over by the tool `transfer_to_agent`."""
    raw = decode(arguments)
    return text_of(raw.get("agent_name")) if name == "transfer_to_agent" and isinstance(raw, dict) else None
