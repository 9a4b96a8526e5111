"""One message of a conversation, whatever provider wrote it: the shape between the wire and a step."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tracer.records import Pointer, ReasoningState, ToolStatus


class Call(NamedTuple):
    """A tool call that a message makes."""

    name: str
    arguments: str
    """JSON text, or the raw text where it is no JSON."""
    id: str | None = None
    handoff_to: str | None = None
    """The agent that takes over, when the call is a hand-off."""


class Result(NamedTuple):
    """A tool's answer that a message carries."""

    content: str
    id: str | None = None
    name: str | None = None
    status: ToolStatus = "unknown"
    rule: str | None = None


class Message(NamedTuple):
    """A normalised message. `agent` is None where the log names nobody."""

    role: str
    text: str = ""
    agent: str | None = None
    reasoning: str | None = None
    reasoning_state: ReasoningState = "absent"
    reasoning_origin: str | None = None
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    raw_time: str | None = None
    span_id: str | None = None
    pointer: Pointer | None = None
