"""OpenTelemetry's GenAI conventions, in their three eras.

Up to 1.36 each message was an event (`gen_ai.user.message`, ..., `gen_ai.choice`); from 1.37 the messages are the
attributes `gen_ai.system_instructions`, `gen_ai.input.messages` and `gen_ai.output.messages`, as values or as JSON
text, on the span or on the event `gen_ai.client.inference.operation.details`; the drafts of 2026 add hand-offs
(`gen_ai.transfer.target.name`). Attributes of all eras are read wherever they stand: real emitters mix them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from tracer.collectors.activity import Activity, Verdict, as_text, first, text_of, tool_result, verdict, whole
from tracer.collectors.message import Call, Message
from tracer.collectors.messages import decode, normalise
from tracer.records import Span

KINDS: dict[str, Literal["llm", "tool", "agent"]] = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "completion": "llm",
    "execute_tool": "tool",
    "retrieval": "tool",
    "invoke_agent": "agent",
    "invoke_workflow": "agent",
}
"""`gen_ai.operation.name` -> what the span did. Others (embeddings, create_agent, plan, memory) make no step."""

_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_DETAILS = "gen_ai.client.inference.operation.details"


def activity(span: Span) -> Activity | None:
    """What this span did, or None where no GenAI attribute says."""
    details: dict[str, Any] = next((event["attributes"] for event in span.events if event.get("name") == _DETAILS), {})
    found = {**details, **span.attributes}
    kind = _kind(found, span)
    if kind is None:
        return None
    agent = text_of(first(found, "gen_ai.agent.name", "agent_name")) or text_of(found.get("gen_ai.agent.id"))
    if kind == "tool":
        return _tool(span, found, agent)
    inputs, readable = _messages(found.get("gen_ai.input.messages"), "user")
    outputs, finished = _messages(found.get("gen_ai.output.messages"), "assistant")
    if kind == "agent" and not inputs and not outputs:
        inputs, readable = _messages(found.get("pydantic_ai.all_messages"), "user")
    spoken = list(event_messages(span.events))
    return Activity(
        kind=kind,
        agent=agent or (_named_after(span, "invoke_agent") if kind == "agent" else None),
        inputs=(*_instructions(found), *_rejoined(inputs or [m for choice, m in spoken if not choice])),
        outputs=outputs or tuple(m for choice, m in spoken if choice),
        model=text_of(first(found, "gen_ai.response.model", "gen_ai.request.model")),
        input_tokens=whole(first(found, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")),
        output_tokens=whole(first(found, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")),
        unreadable=not (readable and finished),
    )


def conversation(span: Span) -> str | None:
    """What ties several traces to one run."""
    return text_of(span.attributes.get("gen_ai.conversation.id"))


def verdicts(span: Span) -> Iterator[Verdict]:
    """The evaluations that stand on this span."""
    for event in span.events:
        if event.get("name") == "gen_ai.evaluation.result":
            found = event["attributes"]
            label = first(found, "gen_ai.evaluation.score.label", "gen_ai.evaluation.label")
            score = found.get("gen_ai.evaluation.score.value", found.get("gen_ai.evaluation.score"))
            yield verdict(str(found.get("gen_ai.evaluation.name") or "evaluation"), label, score)


def _rejoined(history: Sequence[Message]) -> tuple[Message, ...]:
    """A history in which every call has the id that its answer names.

    OpenLLMetry for the OpenAI Agents SDK names a call in the history by its item (`fc_...`), and in the output and the
    answer by its call id (`call_...`). A call that nothing answers takes the id of the next answer to no call.
    """
    answered = {result.id for message in history for result in message.results}
    named = {call.id for message in history for call in message.calls}
    orphans = iter(result.id for message in history for result in message.results if result.id not in named)
    if answered <= named:
        return tuple(history)

    def call(made: Call) -> Call:
        return made if made.id in answered else made._replace(id=next(orphans, made.id))

    return tuple(each._replace(calls=tuple(map(call, each.calls))) for each in history)


def _kind(found: dict[str, Any], span: Span) -> Literal["llm", "tool", "agent"] | None:
    operation = found.get("gen_ai.operation.name")
    if isinstance(operation, str):
        return KINDS.get(operation.lower())
    if "gen_ai.tool.name" in found or "gen_ai.tool.call.id" in found:
        return "tool"
    speaks = any(key in found for key in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.request.model"))
    return "llm" if speaks or any(event.get("name") == "gen_ai.choice" for event in span.events) else None


def _tool(span: Span, found: dict[str, Any], agent: str | None) -> Activity:
    name = text_of(found.get("gen_ai.tool.name")) or _named_after(span, "execute_tool") or span.name
    call_id = text_of(found.get("gen_ai.tool.call.id"))
    arguments = first(found, "gen_ai.tool.call.arguments", "tool_arguments", "gen_ai.retrieval.query.text")
    target = text_of(found.get("gen_ai.transfer.target.name"))
    content = first(found, "gen_ai.tool.call.result", "tool_response", "gen_ai.retrieval.documents")
    text = None if content is None else as_text(content)
    if content is None and "gen_ai.tool.call.result" in found:
        text = as_text(found["gen_ai.tool.call.result"])
    return Activity(
        kind="tool",
        agent=agent,
        call=Call(name, as_text(arguments), call_id, target),
        result=tool_result(span, text, call_id, name),
    )


def _named_after(span: Span, operation: str) -> str | None:
    """`invoke_agent planner` is named after its agent."""
    head, _, rest = span.name.partition(" ")
    return text_of(rest) if head == operation else None


def _instructions(found: dict[str, Any]) -> tuple[Message, ...]:
    raw = decode(found.get("gen_ai.system_instructions"))
    if not raw:
        return ()
    parts = raw if isinstance(raw, list) else [raw]
    return (normalise({"role": "system", "content": [_block(part) for part in parts]}),)


def _messages(raw: Any, role: str) -> tuple[tuple[Message, ...], bool]:
    """The messages of an attribute, and whether they could be read."""
    value = decode(raw)
    if value is None or value == "":
        return (), True
    if isinstance(value, str):
        # A finished text is an answer; a list that is no JSON was cut off, and its pieces are not messages.
        cut = value.lstrip().startswith(("[", "{"))
        return ((), False) if cut or role == "user" else ((Message(role, value),), True)
    items = value if isinstance(value, list) else [value]
    return tuple(message(item, role) for item in items if isinstance(item, dict)), True


def message(raw: dict[str, Any], role: str) -> Message:
    """A message of any era: typed `parts`, or `content` with `tool_calls`."""
    fields = {**raw, "role": text_of(raw.get("role")) or role}
    if isinstance(parts := raw.get("parts"), list):
        fields["content"] = [_block(part) for part in parts]
    blocks = fields.get("content")
    if fields["role"] == "tool" and isinstance(blocks, list) and any(map(_is_answer, blocks)):
        # The parts carry the call ids, as they do in a user's message.
        return normalise({"role": "user", "content": blocks})._replace(role="tool")
    if fields["role"] == "tool":
        fields.setdefault("tool_call_id", raw.get("id"))
    return normalise(fields)


def _is_answer(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def _block(part: Any) -> Any:
    """A part as the content block that means the same."""
    if not isinstance(part, dict):
        return part
    kind = str(part.get("type", "text"))
    content = first(part, "content", "text")
    if kind == "text":
        return {"type": "text", "text": as_text(content)}
    if kind in {"reasoning", "thinking"}:
        return {**part, "type": "reasoning"}
    if kind in {"tool_call", "server_tool_call"}:
        arguments = part["arguments"] if "arguments" in part else part.get("server_tool_call")
        return {"type": "tool_use", "id": part.get("id"), "name": part.get("name"), "input": arguments}
    if kind in {"tool_call_response", "server_tool_call_response"}:
        # The JSON schema says `response`, the prose examples say `result`; emitters follow either.
        answer = first(part, "response", "result", "server_tool_call_response", "content")
        return {"type": "tool_result", "tool_use_id": part.get("id"), "content": answer}
    if kind in {"blob", "file", "uri"}:
        return {"type": "text", "text": f"[{part.get('modality') or part.get('mime_type') or 'file'}]"}
    return {"type": "text", "text": as_text(content)} if content is not None else part


def event_messages(events: Iterable[dict[str, Any]]) -> Iterator[tuple[bool, Message]]:
    """The messages of the event era in order, each with whether it is the model's answer."""
    for event in sorted(events, key=lambda e: e.get("time_ns") or 0):
        name, found = event.get("name"), event.get("attributes") or {}
        if name in _EVENT_ROLES:
            yield False, message({"role": _EVENT_ROLES[name], **_unprefixed(found)}, _EVENT_ROLES[name])
        elif name == "gen_ai.choice":
            fields = _unprefixed(found)
            inner = decode(fields.pop("message", None))
            spoken = inner if isinstance(inner, dict) else {} if inner is None else {"content": inner}
            yield True, message({**fields, **spoken, "role": "assistant"}, "assistant")
        elif name in {"gen_ai.content.prompt", "gen_ai.content.completion"}:
            answer = name.endswith("completion")
            messages, _ = _messages(
                first(found, "gen_ai.prompt", "gen_ai.completion"), "assistant" if answer else "user"
            )
            yield from ((answer, each) for each in messages)


def _unprefixed(found: dict[str, Any]) -> dict[str, Any]:
    """An event's fields; some emitters put the whole message into one field as JSON text."""
    body = decode(found.get("gen_ai.event.content"))
    return {**found, **(body if isinstance(body, dict) else {})}
