"""A task of CrewAI as its OpenInference instrumentor dumps it: what the agent was told, what it said and was answered.

The span of a task holds the agent and the context it was given, as one JSON value, and the `TaskOutput` as another:
the agent's messages, and the task's result as `raw`. The last word is not always among the messages.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tracer.collectors.activity import as_text
from tracer.collectors.message import Message
from tracer.collectors.messages import decode
from tracer.collectors.payload import structured

_OUTPUT = {"description", "raw", "agent"}
_GIVEN = {"agent", "context", "tools"}


class Told(NamedTuple):
    """The two sides of a task."""

    inputs: tuple[Message, ...]
    outputs: tuple[Message, ...]


def told(given: Any, brought: Any) -> Told | None:
    """The messages in a task's input and output values; None where the values are no task's."""
    task, output = decode(given), decode(brought)
    if isinstance(output, dict) and output.keys() >= _OUTPUT:
        said = structured(output.get("messages"))
        before = next((n for n, message in enumerate(said) if message.role == "assistant"), len(said))
        asked = said[:before] or _words("user", output["description"])
        last = said[-1].text if said else None
        raw = [] if last == output["raw"] else _words("assistant", output["raw"])
        return Told(tuple(asked), (*said[before:], *raw))
    if isinstance(task, dict) and task.keys() >= _GIVEN and isinstance(task["agent"], dict):
        return Told(tuple(_words("user", task["context"])), tuple(_words("assistant", brought)))
    return None


def _words(role: str, value: Any) -> list[Message]:
    text = as_text(value)
    return [Message(role, text)] if text.strip() else []
