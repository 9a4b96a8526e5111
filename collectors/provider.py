"""A model's replies as the provider sent them: OpenAI chat completions, OpenAI Responses, Anthropic messages.

One run per reply and choice, with the request's messages before it where the log kept them. Tokens are the usage that
the provider states; they belong to the reply's first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from tracer.collectors.chat import child, listed, preamble, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, collapse, recordings
from tracer.collectors.message import Message
from tracer.collectors.messages import decode, is_message, merge_reasoning, normalise
from tracer.errors import BadInputError
from tracer.records import Pointer

NAME = "chat_reasoning"
_TRUNCATED = {"length", "max_tokens", "max_output_tokens"}


def detect(container: Container) -> str | None:
    """Ours when every value is a reply, bare or wrapped as `response`."""
    values = [document.value for document in container.documents[:20]]
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0][:20]
    if not values:
        return "no JSON object"
    if all(_shape(_unwrap(value, "response", Pointer(file=""))[0]) for value in values):
        return None
    return "no reply: neither 'choices[].message' nor typed 'output' nor typed 'content'"


def _unwrap(value: Any, key: str, at: Pointer) -> tuple[Any, Pointer]:
    """Logs of calls and batch results wrap what was sent and what came back, once or twice."""
    for name in (key, "body"):
        if isinstance(value, Mapping) and isinstance(value.get(name), Mapping):
            value, at = value[name], child(at, name)
    return value, at


def _shape(reply: Any) -> str | None:
    """The key that holds what the model said: `choices`, `output` or `content`."""
    if not isinstance(reply, Mapping):
        return None
    choices, output, content = (reply.get(key) for key in ("choices", "output", "content"))
    if _objects(choices) and all(isinstance(choice.get("message"), Mapping) for choice in choices):
        return "choices"
    if _objects(output) and all(is_message(item) for item in output):
        return "output"
    stated = reply.get("type") == "message" or "stop_reason" in reply or "usage" in reply
    if _objects(content) and all("type" in block for block in content) and stated and "role" in reply:
        return "content"
    return None


def _objects(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def read(container: Container) -> Batch:
    """One run per reply (and per further choice); a growing history is one run."""
    found = collapse(_conversations(container))
    return Batch(recordings(found, container.source, NAME))


def _conversations(container: Container) -> Iterator[Conversation]:
    for document in container.documents:
        at = Pointer(file=container.source, line=document.line)
        if isinstance(document.value, list):
            for position, item in enumerate(document.value):
                yield from _replies(item, child(at, str(position)))
        else:
            yield from _replies(document.value, at)


def _replies(value: Any, at: Pointer) -> Iterator[Conversation]:
    """The conversations that end in this reply: one, or one per choice."""
    before = _request(value, at)
    reply, at = _unwrap(value, "response", at)
    shape = _shape(reply)
    if shape == "choices":
        for position, choice in enumerate(reply["choices"]):
            message = normalise(choice["message"], child(child(child(at, "choices"), str(position)), "message"))
            raw = value if position == 0 else {"reply": value, "choice": position}
            yield _conversation(raw, before, [message], reply, choice.get("finish_reason"))
    elif shape == "output":
        details = reply.get("incomplete_details")
        stopped = details.get("reason") if isinstance(details, Mapping) else None
        messages = merge_reasoning(listed(reply["output"], child(at, "output")))
        yield _conversation(value, before, messages, reply, stopped)
    elif shape == "content":
        yield _conversation(value, before, [normalise(reply, at)], reply, reply.get("stop_reason"))
    else:
        raise BadInputError(f"{where(at)}: no model reply here, unlike in the values before")


def _request(value: Any, at: Pointer) -> list[Message]:
    """The messages that were sent, where the log holds them."""
    if not isinstance(value, Mapping):
        return []
    request, at = _unwrap(value, "request", at)
    for key in ("messages", "input"):
        sent = decode(request.get(key))
        if isinstance(sent, list) and all(is_message(item) for item in sent):
            return [*preamble(request, at), *listed(sent, child(at, key))]
        if key == "input" and isinstance(sent, str) and sent:
            return [*preamble(request, at), Message("user", sent, pointer=child(at, key))]
    return []


def _conversation(
    raw: Any, before: list[Message], said: list[Message], reply: Mapping[str, Any], stopped: Any
) -> Conversation:
    model = reply.get("model")
    said = [each._replace(model=model if isinstance(model, str) else None, started=_time(reply)) for each in said]
    said[0] = _with_usage(said[0], reply.get("usage"))
    cut = isinstance(stopped, str) and stopped in _TRUNCATED
    notes = (f"the reply was cut off at the token limit ({stopped})",) if cut else ()
    return Conversation(raw, (*before, *said), reply, notes)


def _with_usage(message: Message, usage: Any) -> Message:
    """Tokens as stated. Reasoning that was paid for but not sent is there, and unreadable."""
    if not isinstance(usage, Mapping):
        return message
    message = message._replace(
        input_tokens=_count(usage, "prompt_tokens", "input_tokens"),
        output_tokens=_count(usage, "completion_tokens", "output_tokens"),
    )
    if message.reasoning_state == "absent" and _reasoning_tokens(usage):
        return message._replace(reasoning_state="unreadable", reasoning_origin="usage: reasoning tokens")
    return message


def _reasoning_tokens(usage: Mapping[str, Any]) -> int | None:
    for key in ("completion_tokens_details", "output_tokens_details"):
        if isinstance(usage.get(key), Mapping):
            return _count(usage[key], "reasoning_tokens", "thinking_tokens")
    return None


def _count(usage: Mapping[str, Any], *keys: str) -> int | None:
    found = [usage[key] for key in keys if isinstance(usage.get(key), int) and not isinstance(usage[key], bool)]
    return found[0] if found else None


def _time(reply: Mapping[str, Any]) -> datetime | None:
    """When the reply was created: Unix seconds in both OpenAI shapes; Anthropic states none."""
    seconds = reply.get("created", reply.get("created_at"))
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


COLLECTOR = Collector(NAME, detect, read)
