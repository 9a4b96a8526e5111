"""The OpenAI Agents SDK's RunState: a run as it stands, written to go on with it later.

Its items are Responses items with the agent that made each. Usage stands with the replies of the model; a reply's
tokens belong to the first item that it brought. A call that waits for approval is listed twice, and told once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tracer.collectors.activity import text_of
from tracer.collectors.chat import child, where
from tracer.collectors.conversation import Conversation, recording
from tracer.collectors.message import Message, Result
from tracer.collectors.messages import merge_reasoning, normalise
from tracer.collectors.payload import Usage, usage_of
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording

_REPEATS = frozenset({"tool_approval_item", "mcp_approval_request_item"})
_FAILED = "An error occurred while running the tool"
"""How the SDK begins the answer of a tool that raised."""

Item = tuple[Mapping[str, Any], Pointer]


def is_run_state(value: Any) -> bool:
    """A RunState has a version, the agent whose turn it is, and what was generated."""
    return isinstance(value, Mapping) and {"$schemaVersion", "current_agent", "generated_items"} <= value.keys()


def state_recording(state: Mapping[str, Any], at: Pointer, format_name: str) -> Recording:
    """The run of a state."""
    items = list(_items(state, at))
    messages = [*_asked(state.get("original_input"), child(at, "original_input")), *_said(state, items)]
    final = [m.text for m in messages if m.role == "assistant" and m.text.strip() and not m.calls]
    return recording(
        Conversation(state, tuple(merge_reasoning(messages)), notes=tuple(_notes(state))),
        at.file,
        format_name,
        framework="openai-agents",
        answer=final[-1] if final else None,
    )


def _items(state: Mapping[str, Any], at: Pointer) -> Iterator[Item]:
    """What was generated. A hand-off may have filtered that list; the session's keeps all."""
    lists = [(name, state.get(name)) for name in ("generated_items", "session_items")]
    found = [(name, listed) for name, listed in lists if isinstance(listed, list)]
    if not found:
        raise BadInputError(f"{where(child(at, 'generated_items'))}: expected a list")
    name, listed = max(found, key=lambda pair: len(pair[1]))
    for position, item in enumerate(listed):
        place = child(child(at, name), str(position))
        if not isinstance(item, Mapping):
            raise BadInputError(f"{where(place)}: an item is {type(item).__name__}, not an object")
        if item.get("type") not in _REPEATS:
            yield item, place


def _asked(given: Any, at: Pointer) -> Iterator[Message]:
    """The input of the run: a text, or items that another run may have left."""
    if isinstance(given, str):
        yield Message("user", given, pointer=at)
    elif isinstance(given, list):
        for position, item in enumerate(given):
            if isinstance(item, Mapping):
                yield normalise(item, child(at, str(position)))


def _said(state: Mapping[str, Any], items: list[Item]) -> Iterator[Message]:
    usages = _usages(state.get("model_responses"))
    targets = {key: taker for item, _ in items if (taker := _named(item.get("target_agent"))) for key in _keys(item)}
    for item, at in items:
        raw = item.get("raw_item")
        if not isinstance(raw, Mapping):
            raise BadInputError(f"{where(at)}: an item without an object 'raw_item'")
        message = normalise(raw, at)
        keys = _keys(item)
        usage = next((usages.pop(key) for key in keys if key in usages), Usage())
        taker = next((targets[key] for key in keys if key in targets), None)
        yield message._replace(
            agent=message.agent if message.results else _named(item.get("agent")),
            calls=tuple(call._replace(handoff_to=taker or call.handoff_to) for call in message.calls),
            results=tuple(map(_judged, message.results)),
            input_tokens=usage.input,
            output_tokens=usage.output,
        )


def _usages(replies: Any) -> dict[str, Usage]:
    """The usage of each reply, by the id of the first thing in it that becomes a step: reasoning goes with it."""
    found = {}
    for reply in replies if isinstance(replies, list) else []:
        output = reply.get("output") if isinstance(reply, Mapping) else None
        brought = [each for each in output if isinstance(each, Mapping)] if isinstance(output, list) else []
        brought.sort(key=lambda each: each.get("type") == "reasoning")
        found.update({key: usage_of(reply) for each in brought[:1] for key in _keys({"raw_item": each})[:1]})
    return found


def _keys(item: Mapping[str, Any]) -> list[str]:
    """What an item is known by: its own id, then the call's."""
    raw = item.get("raw_item")
    found = [raw.get(key) for key in ("id", "call_id")] if isinstance(raw, Mapping) else []
    return [key for key in found if isinstance(key, str) and key]


def _judged(result: Result) -> Result:
    """The SDK answers for a tool that raised, in words of its own."""
    if result.content.startswith(_FAILED):
        return result._replace(status="error", rule="text: the SDK's notice of an error")
    return result


def _notes(state: Mapping[str, Any]) -> Iterator[str]:
    """Why the run stands where it does."""
    step = state.get("current_step")
    data = step.get("data") if isinstance(step, Mapping) else None
    waiting = data.get("interruptions") if isinstance(data, Mapping) else None
    names = [text_of(each.get("tool_name")) or "a tool" for each in waiting or [] if isinstance(each, Mapping)]
    if names:
        yield f"the run waits for approval of {', '.join(names)}"
    if state.get("terminal_unrecoverable"):
        yield "the run ended and cannot be resumed, says the SDK"


def _named(agent: Any) -> str | None:
    return text_of(agent.get("name")) if isinstance(agent, Mapping) else None
