"""A LangChain message in any of its dumps -> the common shape. Dicts are walked; no class from a log is ever made.

`dumpd` writes constructors (`{"lc": 1, "type": "constructor", "id": [..., "AIMessage"], "kwargs": {...}}`, with other
prefixes from JavaScript), `messages_to_dict` writes `{"type": "ai", "data": {...}}`, `model_dump` the bare fields,
and `str()` a line of `field=value`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tracer.collectors import langchain_text
from tracer.collectors.activity import text_of, whole
from tracer.collectors.fields import mapping, objects
from tracer.collectors.message import Message, Result
from tracer.collectors.messages import json_text, normalise
from tracer.collectors.tool_outcome import ToolOutcome, from_text, tool_outcome
from tracer.records import Pointer

ROLES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
    "developer": "system",
}
"""LangChain's kinds of message -> roles."""
_SUFFIXES = ("MessageChunk", "Message")
_CALL_BLOCKS = frozenset({"tool_use", "tool_call", "tool_call_chunk", "function_call", "input_json_delta"})
"""Content blocks that repeat what `tool_calls` says."""


class Plain(NamedTuple):
    """A message's kind and its fields."""

    kind: str
    fields: Mapping[str, Any]


def plain(value: Any) -> Plain | None:
    """The kind (`human`, `ai`, `tool`, ...) and the fields of a dumped message; None for anything else."""
    if isinstance(value, str):
        return _shown(value)
    if not isinstance(value, Mapping):
        return None
    kind, inner = value.get("type"), value.get("data")
    if value.get("lc") == 1:
        names, inner = value.get("id"), value.get("kwargs")
        kind = names[-1] if kind == "constructor" and isinstance(names, list) and names else None
    elif not isinstance(inner, Mapping) or "content" not in inner:
        if "role" in value or "source" in value:  # other libraries have a `type` and a `content`, too
            return None
        inner = value
    if not isinstance(kind, str) or not isinstance(inner, Mapping) or "content" not in inner:
        return None
    for suffix in _SUFFIXES:
        kind = kind.removesuffix(suffix)
    kind = kind.lower()
    if kind == "chat":  # any role of its own
        return Plain(str(inner.get("role") or "user"), inner)
    return Plain(kind, inner) if kind in ROLES else None


def _shown(text: str) -> Plain | None:
    """A message as Python shows it, which does not say its kind: replies and answers have fields of their own."""
    fields = langchain_text.fields(text)
    if fields is None:
        return None
    if "tool_call_id" in fields:
        return Plain("tool", fields)
    return Plain("ai" if fields.keys() & {"tool_calls", "invalid_tool_calls", "usage_metadata"} else "human", fields)


def message(found: Plain, at: Pointer) -> Message:
    """The common shape; its agent is the message's own name, if it has one."""
    fields, role = found.fields, ROLES.get(found.kind, found.kind)
    extra = mapping(fields.get("additional_kwargs"))
    if role == "tool":
        return Message("tool", results=(result(fields),), pointer=at)
    calls = [
        {"id": call.get("id"), "name": call.get("name"), "args": call.get("args")}
        for key in ("tool_calls", "invalid_tool_calls")
        for call in objects(fields.get(key))
    ]
    content = fields.get("content")
    if calls and isinstance(content, list):
        content = [block for block in content if str(mapping(block).get("type")) not in _CALL_BLOCKS]
    thought = {key: extra[key] for key in ("reasoning_content", "reasoning") if extra.get(key)}
    older = {key: extra[key] for key in ("tool_calls", "function_call") if extra.get(key) and not calls}
    made = normalise(
        {"role": role, "content": content, "name": fields.get("name"), "tool_calls": calls, **thought, **older}, at
    )
    metadata = mapping(fields.get("response_metadata"))
    return _with_usage(made, fields, metadata)._replace(
        model=text_of(metadata.get("model_name")) or text_of(metadata.get("model"))
    )


def _with_usage(made: Message, fields: Mapping[str, Any], metadata: Mapping[str, Any]) -> Message:
    """Tokens as LangChain counts them, or as the provider did before it counted."""
    usage = mapping(fields.get("usage_metadata"))
    older = mapping(metadata.get("token_usage") or metadata.get("usage"))
    details = mapping(usage.get("output_token_details"))
    made = made._replace(
        input_tokens=whole(usage.get("input_tokens", older.get("prompt_tokens", older.get("input_tokens")))),
        output_tokens=whole(usage.get("output_tokens", older.get("completion_tokens", older.get("output_tokens")))),
    )
    if made.reasoning_state == "absent" and whole(details.get("reasoning")):
        return made._replace(reasoning_state="unreadable", reasoning_origin="usage: reasoning tokens")
    return made


def result(fields: Mapping[str, Any]) -> Result:
    """A tool's answer. Every tool message that no error handler made states `success`, so the text speaks first."""
    content = fields.get("content")
    blocks = {"role": "tool", "content": content if isinstance(content, str | list | None) else json_text(content)}
    [made] = normalise(blocks).results
    return Result(
        made.content,
        text_of(fields.get("tool_call_id")),
        text_of(fields.get("name")),
        *_outcome(made.content, fields.get("status")),
    )


def _outcome(content: str, status: Any) -> ToolOutcome:
    if status == "error":
        return tool_outcome(content, status="error")
    found = from_text(content)
    return ToolOutcome("ok", f"status: {status}") if found.status == "ok" and isinstance(status, str) else found
