"""The Vercel AI SDK's messages: blocks of type `tool-call` and `tool-result`, and replies that list `toolCalls`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.collectors.activity import as_text
from tracer.collectors.message import Message
from tracer.collectors.messages import decode, normalise

_BLOCKS = frozenset({"tool-call", "tool-result", "tool-error"})


def message(raw: Mapping[str, Any]) -> Message | None:
    """A message, a reply, or a bare call of this SDK; None where it is none of these."""
    blocks = raw.get("content")
    if isinstance(raw.get("role"), str) and isinstance(blocks, list) and any(map(_is_block, blocks)):
        role = "user" if raw["role"] == "tool" else raw["role"]  # a tool's blocks carry the ids of the calls
        found = normalise({**raw, "role": role, "content": [_block(block) for block in blocks]})
        return found._replace(role=raw["role"])
    if "role" in raw:
        return None
    if isinstance(calls := decode(raw.get("toolCalls")), list) and calls:
        words = [{"type": "text", "text": as_text(raw["text"])}] if raw.get("text") else []
        return normalise({"role": "assistant", "content": [*words, *(_block(call, "tool-call") for call in calls)]})
    if {"toolCallId", "toolName"} <= raw.keys():
        return normalise({"role": "assistant", "content": [_block(raw, "tool-call")]})
    return None


def _is_block(block: Any) -> bool:
    return isinstance(block, Mapping) and str(block.get("type")) in _BLOCKS and "toolCallId" in block


def _block(block: Any, kind: str | None = None) -> Any:
    """A block as the one that means the same to everybody else."""
    if not isinstance(block, Mapping) or not (kind or _is_block(block)):
        return block
    kind = kind or str(block["type"])
    if kind == "tool-call":
        given = next((block[key] for key in ("input", "args") if block.get(key) is not None), None)
        return {"type": "tool_use", "id": block.get("toolCallId"), "name": block.get("toolName"), "input": given}
    output = next((block[key] for key in ("output", "result", "error") if block.get(key) is not None), None)
    wrapped = isinstance(output, Mapping) and {"type", "value"} <= output.keys()
    failed = kind == "tool-error" or block.get("isError") is True
    if isinstance(output, Mapping) and wrapped:
        failed = failed or str(output["type"]).startswith("error")
        output = output["value"]
    answer = {"type": "tool_result", "tool_use_id": block.get("toolCallId"), "content": as_text(output)}
    return {**answer, "is_error": True} if failed else answer
