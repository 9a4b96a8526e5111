"""Pydantic AI's own attributes, in the versions of its instrumentation that real files hold.

Version 1 kept the messages as JSON lists of the events that they would have been (`events` on a model's span,
`all_messages_events` on an agent's); from version 2 they are GenAI attributes and `pydantic_ai.all_messages`. An
agent's span had no operation until version 3: it is known by its `agent_name`. Spans named `running 3 tools` only
gather.
"""

from __future__ import annotations

from typing import Any

from tracer.collectors import genai
from tracer.collectors.activity import Activity, text_of
from tracer.collectors.message import Message
from tracer.collectors.messages import decode
from tracer.collectors.payload import structured
from tracer.records import Span

_ALL = "pydantic_ai.all_messages"
_SCOPES = frozenset({"pydantic-ai", "pydantic_ai"})
_SIGNS = ("all_messages_events", "model_request_parameters", _ALL, "pydantic_ai.new_message_index")


def ours(span: Span) -> bool:
    """Does Pydantic AI write here?"""
    return span.scope in _SCOPES or any(sign in span.attributes for sign in _SIGNS)


def activity(span: Span) -> Activity | None:
    """What this span did, or None where it is only bookkeeping."""
    found = span.attributes
    newer = genai.activity(span)
    if newer is None and text_of(found.get("agent_name")) and "tools" not in found:
        newer = Activity("agent", text_of(found["agent_name"]), tuple(structured(found.get(_ALL))))
    if newer is None or newer.kind == "tool":
        return newer
    spoken = list(_events(found.get("events" if newer.kind == "llm" else "all_messages_events")))
    return newer._replace(
        inputs=newer.inputs or tuple(message for choice, message in spoken if not choice),
        outputs=newer.outputs or tuple(message for choice, message in spoken if choice),
    )


def _events(raw: Any) -> list[tuple[bool, Message]]:
    """The messages of version 1, each with whether it is the model's answer."""
    listed = decode(raw)
    events = [event for event in listed if isinstance(event, dict)] if isinstance(listed, list) else []
    return list(
        genai.event_messages({"name": event.get("event.name"), "attributes": _typed(event)} for event in events)
    )


def _typed(event: dict[str, Any]) -> dict[str, Any]:
    """An event whose content blocks say `type`, where version 1 said `kind`."""
    inner = event.get("message")
    fields = {key: value for key, value in event.items() if key != "event.name"}
    if isinstance(inner, dict):
        fields["message"] = _typed(inner)
    if isinstance(blocks := event.get("content"), list):
        fields["content"] = [
            {**block, "type": block.get("kind", block.get("type"))} if isinstance(block, dict) else block
            for block in blocks
        ]
    return fields
