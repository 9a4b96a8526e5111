"""The messages of an AutoGen AgentChat team -> steps.

A thought belongs to what its agent said next. A hand-off message names who takes over; a summary of tool calls is what
the others see of them, and follows from their results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.activity import text_of, whole
from tracer.collectors.fields import mapping, objects
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, json_text
from tracer.collectors.orchestrator import bookkeeping
from tracer.collectors.reasoning import gather, split_think
from tracer.collectors.steps import steps_from_messages
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Pointer, Step

TYPES = frozenset(
    {
        "TextMessage", "MultiModalMessage", "StopMessage", "HandoffMessage", "ToolCallSummaryMessage",
        "ToolCallRequestEvent", "ToolCallExecutionEvent", "ThoughtEvent", "CodeGenerationEvent", "CodeExecutionEvent",
        "MemoryQueryEvent", "UserInputRequestedEvent", "ModelClientStreamingChunkEvent", "SelectSpeakerEvent",
        "SelectorEvent",
    }
)  # fmt: skip
_SILENT = frozenset({"ModelClientStreamingChunkEvent", "UserInputRequestedEvent"})
"""Pieces of a message that comes whole, too, and a question for input that has no words."""
Told = dict[tuple[int | None, str | None], Mapping[str, Any]]
"""Line and path -> the message that stands there."""
_STRUCTURED = "StructuredMessage"
"""The beginning of the types that carry an object of the application's."""


def is_chat_message(value: Any) -> bool:
    """Is this one message of a team?"""
    if not isinstance(value, Mapping) or not isinstance(value.get("source"), str):
        return False
    kind = value.get("type")
    return isinstance(kind, str) and (kind in TYPES or kind.startswith(_STRUCTURED))


def steps_from_chat(values: Sequence[Mapping[str, Any]], places: Sequence[Pointer]) -> tuple[Step, ...]:
    """The steps of a team's messages."""
    messages: list[Message] = []
    for value, at in zip(values, places, strict=True):
        if value["type"] not in _SILENT:
            messages.append(message(value, at))
    steps = steps_from_messages(thoughtful(messages))
    return finished(steps, {_place(at): value for value, at in zip(values, places, strict=True)})


def message(value: Mapping[str, Any], at: Pointer) -> Message:
    """One message of a team in the common shape."""
    source, kind, content = value["source"], value["type"], value.get("content")
    usage = mapping(value.get("models_usage"))
    base = Message(
        "user" if source == "user" else "assistant",
        agent=source,
        input_tokens=whole(usage.get("prompt_tokens")),
        output_tokens=whole(usage.get("completion_tokens")),
        started=utc(value.get("created_at")),
        pointer=at,
    )
    if kind == "ToolCallRequestEvent":
        return base._replace(calls=tuple(_call(each) for each in objects(content)))
    if kind == "ToolCallExecutionEvent":
        results = tuple(_result(each) for each in objects(content))
        return base._replace(role="tool", results=results)
    if kind == "CodeExecutionEvent":
        return base._replace(role="tool", results=(_code_result(value.get("result")),))
    if kind == "ThoughtEvent":
        return base._replace(reasoning=_text(content), reasoning_state="present", reasoning_origin=kind)
    if kind == "CodeGenerationEvent" and isinstance(value.get("code_blocks"), list):
        code = [str(block.get("code") or "") for block in objects(value["code_blocks"])]
        return base._replace(text=_text(content), calls=(Call("code", "\n\n".join(code)),) if code else ())
    if base.role == "user":
        return base._replace(text=_text(content))
    text, inline = split_think(_text(content))  # the first versions leave the thought in the text
    text, thought = gather(text, inline)
    return base._replace(
        text=text, reasoning=thought.text, reasoning_state=thought.state, reasoning_origin=thought.origin
    )


def thoughtful(messages: Sequence[Message]) -> list[Message]:
    """Give each thought to the next message of its agent, if that comes at once."""
    found: list[Message] = []
    for each in messages:
        before = found[-1] if found else None
        thinks = before is not None and before.reasoning_origin == "ThoughtEvent" and not (before.text or before.calls)
        if before and thinks and before.agent == each.agent and each.role == "assistant" and not each.reasoning:
            thought = {key: getattr(before, key) for key in ("reasoning", "reasoning_state", "reasoning_origin")}
            found[-1] = each._replace(**thought)
        else:
            found.append(each)
    return found


def finished(
    steps: Sequence[Step], values: Mapping[tuple[int | None, str | None], Mapping[str, Any]]
) -> tuple[Step, ...]:
    """What the common shape has no word for: hand-overs, what a summary sums up, and an orchestrator's books."""
    found = list(steps)
    answered = {step.call_id: step.index for step in steps if step.kind == "tool_result" and step.call_id}
    for step in steps:
        value = values.get(_place(step.pointer)) if step.pointer else None
        update: dict[str, Any] = {}
        if value and value.get("type") == "HandoffMessage":
            update = {"kind": "handoff", "recipient": text_of(value.get("target"))}
        elif value and value.get("type") == "ToolCallSummaryMessage":
            ids = [text_of(each.get("call_id")) for each in objects(value.get("results"))]
            update = {
                "parents": tuple(answered[each] for each in ids if each and answered.get(each, step.index) < step.index)
            }
        elif value and value.get("type") == "StopMessage":
            update = {"kind": "termination"}
        elif value and value.get("type") == "SelectSpeakerEvent":
            update = {"kind": "thought", "marks": ("next_speaker",), "recipient": step.content or None}
        elif step.kind == "message" and (books := bookkeeping(step.content)).kind:
            update = {"kind": books.kind, "marks": books.marks, "recipient": books.next_agent}
        found[step.index] = step.model_copy(update=update)
    return tuple(found)


def _place(at: Pointer) -> tuple[int | None, str | None]:
    return at.line, at.path


def _call(value: Mapping[str, Any]) -> Call:
    return Call(str(value.get("name") or "tool"), arguments_text(value.get("arguments")), text_of(value.get("id")))


def _result(value: Mapping[str, Any]) -> Result:
    """A tool's answer. The first versions do not say whether it is an error."""
    content, is_error = _text(value.get("content")), value.get("is_error")
    outcome = tool_outcome(content, is_error=is_error if isinstance(is_error, bool) else None)
    return Result(content, text_of(value.get("call_id")), text_of(value.get("name")), *outcome)


def _code_result(value: Any) -> Result:
    value = mapping(value)
    code, content = value.get("exit_code"), _text(value.get("output"))
    outcome = tool_outcome(content, exit_code=code if isinstance(code, int) and not isinstance(code, bool) else None)
    return Result(content, None, "code", *outcome)


def _text(content: Any) -> str:
    """Words; of a mixed content its words, and a placeholder for each picture; of an object its JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_part(part) for part in content)
    return "" if content is None else json_text(content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and ("data" in part or "image_url" in part):
        return "[image]"
    content = part.get("content") if isinstance(part, Mapping) else None
    return content if isinstance(content, str) else json_text(part)
