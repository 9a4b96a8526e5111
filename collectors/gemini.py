"""Gemini's contents: `{role, parts}` in which a part is known by the field that it fills, in either spelling.

Google ADK keeps its requests and replies in this shape whatever model it talks to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from tracer.collectors.activity import as_text, first, text_of
from tracer.collectors.message import Message
from tracer.collectors.messages import decode, normalise

_ROLES = {"model": "assistant", "function": "tool"}


class Answer(NamedTuple):
    """What a tool answered."""

    content: str
    failed: bool
    """The answer itself says so: MCP's `isError`, a `status` of error, or nothing but an `error`."""


def is_content(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """A list of parts, none of which states a type."""
    parts = value.get("parts") if isinstance(value, Mapping) else None
    return isinstance(parts, list) and all(isinstance(part, Mapping) and "type" not in part for part in parts)


def message(content: Mapping[str, Any], role: str) -> Message:
    """One content as a message; without a role of its own it is by `role`."""
    stated = str(content.get("role") or role)
    blocks = [block for part in content["parts"] if (block := _block(part)) is not None]
    answers = any(block["type"] == "tool_result" for block in blocks)
    found = normalise({"role": _ROLES.get(stated, stated), "content": blocks})
    return found._replace(role="tool") if answers and not found.text else found


def _block(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """A part as the content block that means the same; None for a signature alone."""
    if isinstance(call := first(part, "function_call", "functionCall"), Mapping):
        return {"type": "tool_use", "id": call.get("id"), "name": call.get("name"), "input": call.get("args") or {}}
    if isinstance(response := first(part, "function_response", "functionResponse"), Mapping):
        answer = answered(response.get("response"))
        block = {"type": "tool_result", "tool_use_id": response.get("id"), "content": answer.content}
        return {**block, "is_error": True} if answer.failed else block
    if isinstance(code := first(part, "executable_code", "executableCode"), Mapping):
        return {"type": "tool_use", "id": code.get("id"), "name": "code", "input": code.get("code")}
    if isinstance(ran := first(part, "code_execution_result", "codeExecutionResult"), Mapping):
        failed = text_of(ran.get("outcome")) not in {None, "OUTCOME_OK"}
        return {"type": "tool_result", "content": as_text(ran.get("output")), "is_error": failed}
    if part.get("text") is not None:
        return {"type": "reasoning" if part.get("thought") else "text", "text": as_text(part["text"])}
    if data := first(part, "inline_data", "inlineData", "file_data", "fileData"):
        kind = first(data, "mime_type", "mimeType") if isinstance(data, Mapping) else None
        return {"type": "text", "text": f"[{kind or 'file'}]"}
    return None


def answered(response: Any) -> Answer:
    """A tool's response: MCP content as its text, a lone `result` as itself, anything else as it stands."""
    raw = decode(response)
    if not isinstance(raw, Mapping):
        return Answer(as_text(response), failed=False)
    failed = raw.get("isError") is True or raw.get("status") == "error" or set(raw) in ({"error"}, {"error_message"})
    blocks = raw.get("content")
    if isinstance(blocks, list) and blocks and all(isinstance(each, Mapping) and "type" in each for each in blocks):
        return Answer(normalise({"role": "tool", "content": blocks}).results[0].content, failed)
    if set(raw) == {"result"}:
        inner = answered(raw["result"])
        return Answer(inner.content, failed or inner.failed)
    return Answer(as_text(raw), failed)
