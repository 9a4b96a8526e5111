"""OpenHands V1: the events of the software-agent SDK -> messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, json_text, normalise
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import ToolOutcome, tool_outcome
from tracer.records import Pointer

AGENT = "openhands"
_SOURCES = frozenset({"user", "agent", "environment", "hook"})
_OTHER_KINDS = frozenset({"Condensation", "CondensationRequest", "UserRejectObservation"})
_FAILED = frozenset({"error", "stuck"})
_WORDS = {"Condensation": "summary", "CondensationSummaryEvent": "summary", "ConversationErrorEvent": "detail"}
"""Kinds that say something in a field of their own."""


def is_event(value: Any) -> bool:
    """Does this look like an event of V1?"""
    if not isinstance(value, Mapping):
        return False
    kind = value.get("kind")
    return (
        isinstance(kind, str)
        and (kind.endswith("Event") or kind in _OTHER_KINDS)
        and str(value.get("source")) in _SOURCES
    )


def messages(events: Sequence[tuple[Mapping[str, Any], Pointer]], left_out: Counter[str]) -> list[Message]:
    """What was said and done; each reply of the model is charged with the tokens counted since the one before."""
    found: list[Message] = []
    read = wrote = pending_read = pending_wrote = 0
    model: str | None = None
    for event, at in events:
        if counted := _counted(event):
            pending_read, pending_wrote = pending_read + counted[0] - read, pending_wrote + counted[1] - wrote
            read, wrote, model = counted[0], counted[1], counted[2] or model
        message = _message(event, at)
        if message is None:
            left_out[str(event.get("kind"))] += 1
            continue
        if message.role == "assistant":
            message = message._replace(model=model)
            if pending_read or pending_wrote:
                message = message._replace(input_tokens=pending_read, output_tokens=pending_wrote)
                pending_read = pending_wrote = 0
        found.append(message)
    return _charged(found, pending_read, pending_wrote)


def _charged(found: list[Message], read: int, wrote: int) -> list[Message]:
    """What was counted at the very end belongs to the last reply."""
    last = max((n for n, message in enumerate(found) if message.role == "assistant"), default=None)
    if last is not None and (read or wrote):
        message = found[last]
        found[last] = message._replace(
            input_tokens=(message.input_tokens or 0) + read, output_tokens=(message.output_tokens or 0) + wrote
        )
    return found


def status(events: Sequence[tuple[Mapping[str, Any], Pointer]]) -> str | None:
    """The last state of the conversation, where it is one of failure."""
    states = [event.get("value") for event, _ in events if event.get("key") == "execution_status"]
    return str(states[-1]) if states and str(states[-1]).lower() in _FAILED else None


def _counted(event: Mapping[str, Any]) -> tuple[int, int, str | None] | None:
    """Tokens read and written so far, over all uses of models, and the model of the agent."""
    value = event.get("value") if event.get("kind") == "ConversationStateUpdateEvent" else None
    if isinstance(value, Mapping) and event.get("key") == "full_state":
        value = value.get("stats")
    uses = value.get("usage_to_metrics") if isinstance(value, Mapping) else None
    if not isinstance(uses, Mapping):
        return None
    read = wrote = 0
    for use in uses.values():
        usage = use.get("accumulated_token_usage") if isinstance(use, Mapping) else None
        if isinstance(usage, Mapping):
            read += usage["prompt_tokens"] if isinstance(usage.get("prompt_tokens"), int) else 0
            wrote += usage["completion_tokens"] if isinstance(usage.get("completion_tokens"), int) else 0
    first = next(iter(uses.values()), None)
    model = first.get("model_name") if isinstance(first, Mapping) else None
    return read, wrote, model if isinstance(model, str) else None


def _message(event: Mapping[str, Any], at: Pointer) -> Message | None:
    """The message of one event; None for bookkeeping."""
    kind = str(event.get("kind"))
    started = utc(event.get("timestamp"))
    if kind == "ActionEvent":
        message = _action(event)
    elif kind == "MessageEvent":
        message = _spoken(event)
    elif kind in {"ObservationEvent", "AgentErrorEvent", "UserRejectObservation"}:
        message = Message("tool", results=(_result(event, kind),))
    elif kind == "SystemPromptEvent":
        prompt = event.get("system_prompt")
        message = normalise({"role": "system", "content": prompt})
    elif kind in _WORDS and event.get(_WORDS[kind]):
        message = Message("system", str(event[_WORDS[kind]]))
    else:
        return None
    return message._replace(started=started, pointer=at)


def _thoughtful(event: Mapping[str, Any], content: Any) -> Message:
    """The agent's words, with the reasoning from whichever field holds it, once."""
    blocks = event.get("thinking_blocks")
    listed = [*(blocks if isinstance(blocks, list) else []), *(content if isinstance(content, list) else [content])]
    item = event.get("responses_reasoning_item")
    if isinstance(item, Mapping):
        listed.insert(0, {**item, "type": "reasoning"})
    said = {"role": "assistant", "content": listed, "reasoning_content": event.get("reasoning_content")}
    return normalise(said)._replace(agent=AGENT)


def _action(event: Mapping[str, Any]) -> Message:
    """A call: as the model wrote it, else as the program understood it."""
    message = _thoughtful(event, event.get("thought"))
    called = event.get("tool_call")
    called = called if isinstance(called, Mapping) else {}
    arguments = called.get("arguments", event.get("action"))
    name = str(event.get("tool_name") or called.get("name") or "tool")
    call_id = event.get("tool_call_id") or called.get("id") or event.get("id")
    return message._replace(calls=(Call(name, arguments_text(arguments), str(call_id) if call_id else None),))


def _spoken(event: Mapping[str, Any]) -> Message:
    inner = event.get("llm_message")
    inner = inner if isinstance(inner, Mapping) else {}
    if event.get("source") == "agent" or inner.get("role") == "assistant":
        message = _thoughtful({**event, **inner}, inner.get("content"))
        sender = event.get("sender")
        return message._replace(agent=sender if isinstance(sender, str) and sender else AGENT)
    role = inner.get("role") if event.get("source") == "user" else "system"
    return normalise({"role": role or "user", "content": inner.get("content")})._replace(agent=None)


def _result(event: Mapping[str, Any], kind: str) -> Result:
    """What a call brought, and which field says how it ended."""
    call_id, name = event.get("tool_call_id") or event.get("action_id"), event.get("tool_name")
    observation = event.get("observation")
    observation = observation if isinstance(observation, Mapping) else {"content": observation}
    content = _text(observation)
    if kind == "AgentErrorEvent":
        content, outcome = str(event.get("error") or ""), ToolOutcome("error", "AgentErrorEvent")
    elif kind == "UserRejectObservation":
        content, outcome = str(event.get("rejection_reason") or ""), ToolOutcome("error", "rejected by the user")
    else:
        flag = observation.get("is_error")
        outcome = tool_outcome(
            content, is_error=flag if isinstance(flag, bool) else None, exit_code=_exit_code(observation)
        )
    return Result(content, str(call_id) if call_id else None, name if isinstance(name, str) else None, *outcome)


def _exit_code(observation: Mapping[str, Any]) -> int | None:
    """-1 stands for a command that still runs, or never ran."""
    metadata = observation.get("metadata")
    inner = metadata.get("exit_code") if isinstance(metadata, Mapping) else None
    code = observation.get("exit_code", inner)
    code = inner if code is None else code
    return code if isinstance(code, int) and code != -1 else None


def _text(observation: Mapping[str, Any]) -> str:
    """The words of an observation; of one without, its fields."""
    for key in ("content", "output", "error", "text"):
        value = observation.get(key)
        if value is not None:
            return normalise({"role": "user", "content": value}).text
    rest = {key: value for key, value in observation.items() if key != "kind" and value is not None}
    return json_text(rest) if rest else ""
