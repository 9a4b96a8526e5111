"""Steps as chat messages, and back: what the replayers of chat systems share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracer.answers import answer
from tracer.equivalence import NONE, TRUNCATED
from tracer.records import Step

USERS = frozenset({"user", "human"})
SYSTEM = frozenset({"system", "developer"})
_SHORT = 200
"""Characters; a last message that is no longer may be the answer itself."""

Message = dict[str, Any]


def steps_of(messages: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """The steps of chat messages in the form of any of the usual providers."""
    from tracer.collectors.messages import normalise, steps_from_messages  # the roof may reach into the rooms

    return steps_from_messages(
        [
            normalise(message)._replace(
                input_tokens=_stated(message, "input_tokens", "prompt_tokens"),
                output_tokens=_stated(message, "output_tokens", "completion_tokens"),
            )
            for message in messages
        ]
    )


def _stated(message: Mapping[str, Any], *names: str) -> int | None:
    """Tokens that a message's usage states."""
    usage = message.get("usage")
    counts = [usage[name] for name in names if isinstance(usage.get(name), int)] if isinstance(usage, Mapping) else []
    return counts[0] if counts else None


def messages_of(steps: Sequence[Step], task: str = "") -> list[Message]:
    """The messages (OpenAI's form) that the steps tell; the task comes first where no user's message does.

    Calls that an agent makes one after the other, before any result, are one message's, as the form has it.
    """
    found: list[Message] = []
    for step in steps:
        message = _message(step)
        last = found[-1] if found else {}
        if (
            "tool_calls" in message
            and "tool_calls" in last
            and last.get("name") == message["name"]
            and not step.content
        ):
            last["tool_calls"] += message["tool_calls"]
        else:
            found.append(message)
    if task and not any(message["role"] == "user" for message in found):
        found.insert(sum(message["role"] == "system" for message in found[:1]), {"role": "user", "content": task})
    return found


def _message(step: Step) -> Message:
    if step.kind == "tool_result":
        return {"role": "tool", "content": step.content, "tool_call_id": step.call_id or "", "name": step.tool or ""}
    if step.kind == "system" or (step.role or "").lower() in SYSTEM:
        return {"role": "system", "content": step.content}
    if step.agent.lower() in USERS or ((step.role or "").lower() in USERS and step.agent == step.role):
        return {"role": "user", "content": step.content}
    message: Message = {"role": "assistant", "content": step.content, "name": step.agent}
    if step.reasoning:
        message["reasoning_content"] = step.reasoning
    if step.kind in {"tool_call", "handoff"} and step.tool:
        call = {"name": step.tool, "arguments": step.arguments or "{}"}
        message["tool_calls"] = [{"id": step.call_id or "", "type": "function", "function": call}]
    return message


def answer_of(steps: Sequence[Step]) -> str | None:
    """The answer in the last words of an agent: what `tracer.answers` finds, else the words themselves if few."""
    said = next((step.content.strip() for step in reversed(steps) if step.kind != "tool_result" and step.content), "")
    found = answer(said)
    if found not in {NONE, TRUNCATED}:
        return found
    return said if said and len(said) <= _SHORT else None
