"""What went into a call or came out of it, in whatever JSON shape a tracer kept it: messages, or at least a text.

Tracers store the arguments and the answer of the client that they wrap. So the same field holds chat messages,
Responses items, LangChain messages as plain dicts or dumped constructors (walked, never instantiated), typed parts,
whole provider replies, or a plain text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracer.collectors import gemini, genai
from tracer.collectors.activity import as_text, text_of, whole
from tracer.collectors.message import Message
from tracer.collectors.messages import decode, is_message, merge_reasoning, normalise
from tracer.collectors.reasoning import FIELDS

ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "developer": "system"}
_CLASSES = {
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
"""LangChain's message classes -> roles. Python and JavaScript dumps differ in all but the last part of the id."""
_KNOWN_ROLES = frozenset({"system", "user", "assistant", "tool"})
_MORE = (*FIELDS, "tool_calls", "function_call")
"""What LangChain keeps in `additional_kwargs` where its message class has no field for it."""
_LISTS = ("messages", "input", "inputs", "contents", "outputs", "output", "generations", "choices", "data")
"""Keys of a request, a reply or a graph's state that may hold its messages."""
_QUESTIONS = ("task", "question", "query", "prompt", "input", "text", "topic")
_ANSWERS = ("output", "answer", "text", "result", "content", "response", "final_result", "output_text")
_MAX_WRAPS = 4


class Usage(NamedTuple):
    """Tokens as a reply states them."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    """Of the output, those spent on reasoning."""


def messages_of(value: Any, role: str) -> tuple[Message, ...]:
    """The messages in a value; where it holds none, its text as one message of this role."""
    found = structured(value)
    return tuple(found or plain(value, role))


def structured(value: Any, depth: int = 0) -> list[Message]:
    """The messages in a value; none unless all of a list is such."""
    raw = decode(value)
    if isinstance(raw, Mapping):
        if (message := any_message(raw)) is not None:
            return [message]
        return _wrapped(raw, depth)
    if not isinstance(raw, list) or not raw:
        return []
    if isinstance(raw[0], list):  # LangChain batches; a trace holds one call, so one list
        return structured(raw[0], depth + 1) if depth < _MAX_WRAPS else []
    found = [any_message(item) for item in raw if not _is_definition(item)]
    known = [message for message in found if message is not None]
    return merge_reasoning(known) if len(known) == len(found) else []


def _wrapped(raw: Mapping[str, Any], depth: int) -> list[Message]:
    """Messages one level down: of a request with its system prompt, of a reply, of an LLMResult, of a graph's state."""
    if depth >= _MAX_WRAPS:
        return []
    for key in _LISTS:
        inner = decode(raw.get(key))
        if key in {"choices", "generations"} and isinstance(inner, list):
            flat = [each for item in inner for each in (item if isinstance(item, list) else [item])]
            inner = [each.get("message") or each.get("text") for each in flat if isinstance(each, Mapping)]
            inner = [{"role": "assistant", "content": each} if isinstance(each, str) else each for each in inner]
        if isinstance(inner, list | Mapping) and (found := structured(inner, depth + 1)):
            before = next((raw[name] for name in ("system", "instructions") if raw.get(name) and key != "output"), None)
            return [*([normalise({"role": "system", "content": before})] if before else []), *found]
    return []


def any_message(raw: Any) -> Message | None:
    """{"type": "human", "data": {...}}, a dumped constructor, typed parts, or a provider's message; else None."""
    if not isinstance(raw, Mapping):
        return None
    if isinstance(raw.get("parts"), list) and isinstance(raw.get("role"), str):
        if gemini.is_content(raw):
            return gemini.message(raw, "user")
        return genai.message({**raw, "role": ROLES.get(raw["role"], raw["role"])}, "user")
    inner = raw.get("data") or raw.get("kwargs") or raw
    if not isinstance(inner, Mapping):
        return None
    role = ROLES.get(kind := _kind(raw, inner), kind)
    more = inner.get("additional_kwargs")
    if isinstance(more, Mapping):
        inner = {**inner, **{field: more[field] for field in _MORE if more.get(field) and not inner.get(field)}}
    fields = {**inner, "role": role} if role in _KNOWN_ROLES and "content" in inner else dict(inner)
    if role == "tool" and inner.get("status") == "error":
        fields["is_error"] = True
    return normalise(fields) if is_message(fields) else None


def _kind(raw: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    """What a message says it is: a role, a type, or the class that dumped it."""
    path = raw.get("id")
    name = path[-1] if raw.get("type") == "constructor" and isinstance(path, Sequence) and path else None
    if isinstance(name, str) and name.removesuffix("Chunk") in _CLASSES:
        return _CLASSES[name.removesuffix("Chunk")]
    return str(inner.get("role") or inner.get("type") or raw.get("type"))


def _is_definition(item: Any) -> bool:
    """Some tracers append the tools on offer to the messages, as if a tool had said them."""
    content = decode(item.get("content")) if isinstance(item, Mapping) and item.get("role") == "tool" else None
    return isinstance(content, Mapping) and content.get("type") == "function" and "function" in content


def plain(value: Any, role: str) -> list[Message]:
    """A value as one text: what an entry point is asked, what it answers, else the value as it is."""
    raw = decode(value)
    keys = _QUESTIONS if role == "user" else _ANSWERS
    if isinstance(raw, Mapping):
        if isinstance(raw.get("args"), list) and isinstance(raw.get("kwargs"), Mapping):
            last = {"input": raw["args"][-1]} if raw["args"] else {}  # a decorated function: its object comes first
            raw = {**last, **raw["kwargs"]}
        told = [raw[key] for key in keys if isinstance(raw.get(key), str) and raw[key].strip()]
        if told:
            return [Message(role, told[0])]
    elif isinstance(raw, str):  # a text that was encoded once more
        value = raw
    text = as_text(value)
    return [Message(role, text)] if text.strip() and raw not in ({}, []) else []


def tool_message(value: Any) -> tuple[str, str | None, str | None] | None:
    """The content, call id and status of a LangChain tool message, bare, dumped, or in a graph's command; else None."""
    raw = decode(value)
    update = raw.get("update") if isinstance(raw, Mapping) else None
    for holder in (update, raw):
        listed = holder.get("messages") if isinstance(holder, Mapping) else None
        if isinstance(listed, list) and listed:
            raw = listed[-1]  # a LangGraph command or node: it moves the graph on, and answers on the way
            break
    inner = (raw.get("data") or raw.get("kwargs") or raw) if isinstance(raw, Mapping) else None
    if not isinstance(inner, Mapping) or "content" not in inner or "tool_call_id" not in inner:
        return None
    message = normalise({"role": "tool", "content": inner["content"]})
    status = "error" if inner.get("status") == "error" else None
    return message.results[0].content, text_of(inner["tool_call_id"]), status


def usage_of(value: Any) -> Usage:
    """The tokens that a reply states, in any provider's words or LangChain's."""
    raw = decode(value)
    for holder in _holders(raw):
        for key in ("usage", "usage_metadata", "token_usage", "usageMetadata"):
            stated = holder.get(key)
            if isinstance(stated, Mapping) and stated:
                return _stated(stated)
    return Usage()


def _holders(raw: Any) -> list[Mapping[str, Any]]:
    """Where a reply may state its usage: itself, its `llm_output`, its message, that message's metadata."""
    found = [raw] if isinstance(raw, Mapping) else []
    for holder in list(found):
        found += [inner for key in ("llm_output", "kwargs", "output") if isinstance(inner := holder.get(key), Mapping)]
        listed = holder.get("generations") or holder.get("messages")
        while isinstance(listed, list) and listed:
            listed = listed[-1]
        message = listed.get("message", listed) if isinstance(listed, Mapping) else None
        message = message.get("kwargs", message) if isinstance(message, Mapping) else None
        found += [message] if isinstance(message, Mapping) else []
    metadata = [inner for holder in found if isinstance(inner := holder.get("response_metadata"), Mapping)]
    return [*found, *metadata]


def _stated(usage: Mapping[str, Any]) -> Usage:
    def count(*names: str) -> int | None:
        return next((found for name in names if (found := whole(usage.get(name))) is not None), None)

    details = [
        inner
        for key in ("completion_tokens_details", "output_tokens_details", "output_token_details")
        if isinstance(inner := usage.get(key), Mapping)
    ]
    thought = [whole(inner.get(key)) for inner in details for key in ("reasoning_tokens", "reasoning")]
    return Usage(
        count("input_tokens", "prompt_tokens", "prompt_token_count", "promptTokenCount", "input"),
        count("output_tokens", "completion_tokens", "candidates_token_count", "candidatesTokenCount", "output"),
        next((each for each in thought if each), None) or count("thoughts_token_count", "thoughtsTokenCount"),
    )


def sealed(outputs: Sequence[Message], reasoning_tokens: int | None) -> tuple[Message, ...]:
    """Reasoning that was paid for but not sent is there, and unreadable."""
    absent = all(message.reasoning_state == "absent" for message in outputs)
    if not outputs or not reasoning_tokens or not absent:
        return tuple(outputs)
    first = outputs[0]._replace(reasoning_state="unreadable", reasoning_origin="usage: reasoning tokens")
    return (first, *outputs[1:])
