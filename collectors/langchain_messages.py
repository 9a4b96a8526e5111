"""A LangChain message in any of its dumps -> the common shape. Dicts are walked; no class from a log is ever made.

`dumpd` writes constructors (`{"lc": 1, "type": "constructor", "id": [..., "AIMessage"], "kwargs": {...}}`, with other
prefixes from JavaScript), `messages_to_dict` writes `{"type": "ai", "data": {...}}`, `model_dump` the bare fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


def message(found: Plain, at: Pointer) -> Message:
    """The common shape; its agent is the message's own name, if it has one."""
    fields, role = found.fields, ROLES.get(found.kind, found.kind)
    extra = _mapping(fields.get("additional_kwargs"))
    if role == "tool":
        return Message("tool", results=(result(fields),), pointer=at)
    calls = [
        {"id": call.get("id"), "name": call.get("name"), "args": call.get("args")}
        for key in ("tool_calls", "invalid_tool_calls")
        for call in fields.get(key) or []
        if isinstance(call, Mapping)
    ]
    content = fields.get("content")
    if calls and isinstance(content, list):
        content = [block for block in content if _mapping(block).get("type") not in _CALL_BLOCKS]
    thought = {key: extra[key] for key in ("reasoning_content", "reasoning") if extra.get(key)}
    older = {key: extra[key] for key in ("tool_calls", "function_call") if extra.get(key) and not calls}
    made = normalise(
        {"role": role, "content": content, "name": fields.get("name"), "tool_calls": calls, **thought, **older}, at
    )
    metadata = _mapping(fields.get("response_metadata"))
    return _with_usage(made, fields, metadata)._replace(
        model=_text(metadata.get("model_name")) or _text(metadata.get("model"))
    )


def _with_usage(made: Message, fields: Mapping[str, Any], metadata: Mapping[str, Any]) -> Message:
    """Tokens as LangChain counts them, or as the provider did before it counted."""
    usage = _mapping(fields.get("usage_metadata"))
    older = _mapping(metadata.get("token_usage") or metadata.get("usage"))
    details = _mapping(usage.get("output_token_details"))
    made = made._replace(
        input_tokens=_count(usage.get("input_tokens", older.get("prompt_tokens", older.get("input_tokens")))),
        output_tokens=_count(usage.get("output_tokens", older.get("completion_tokens", older.get("output_tokens")))),
    )
    if made.reasoning_state == "absent" and _count(details.get("reasoning")):
        return made._replace(reasoning_state="unreadable", reasoning_origin="usage: reasoning tokens")
    return made


def result(fields: Mapping[str, Any]) -> Result:
    """A tool's answer. Every tool message that no error handler made states `success`, so the text speaks first."""
    content = fields.get("content")
    blocks = {"role": "tool", "content": content if isinstance(content, str | list | None) else json_text(content)}
    [made] = normalise(blocks).results
    return Result(
        made.content,
        _text(fields.get("tool_call_id")),
        _text(fields.get("name")),
        *_outcome(made.content, fields.get("status")),
    )


def _outcome(content: str, status: Any) -> ToolOutcome:
    if status == "error":
        return tool_outcome(content, status="error")
    found = from_text(content)
    return ToolOutcome("ok", f"status: {status}") if found.status == "ok" and isinstance(status, str) else found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
