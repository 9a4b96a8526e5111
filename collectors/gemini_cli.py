"""Gemini CLI: a recorded session, as one JSON object or, in newer versions, as a head and one message per line.

Thoughts are summaries with a subject. Where a message counts tokens of thought and shows none, its reasoning was there
and cannot be read. `tokens.total` is input, output, thoughts and tools: so are the tokens of its steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording
from tracer.collectors.json_values import Document
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, json_text
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording

NAME = "gemini_cli"
MODEL = "gemini"
_KEYS = ("sessionId", "projectHash")
_NOTICES = frozenset({"info", "warning", "error"})
"""What the program itself says."""


def detect(container: Container) -> str | None:
    """Ours when the session's head is there, with its messages inside or behind it."""
    values = [each.value for each in container.documents[:2]]
    if not values or not isinstance(values[0], Mapping):
        return "no JSON object"
    head = values[0]
    if missing := [key for key in _KEYS if key not in head]:
        return f"no key {missing[0]!r}"
    if "messages" in head:
        return None if isinstance(head["messages"], list) else "'messages' is no list"
    return None if len(values) > 1 else "no list 'messages', and no lines behind the head"


def read(container: Container) -> Batch:
    """One run for each object, or one for the lines behind a head."""
    if "messages" not in container.documents[0].value:
        raw = [document.value for document in container.documents]
        return Batch((_recording(raw, list(_standing(container)), container.source),))
    return Batch(tuple(_whole(document, container.source) for document in container.documents))


def _whole(document: Document, source: str) -> Recording:
    at = Pointer(file=source, line=document.line)
    listed = document.value.get("messages") if isinstance(document.value, Mapping) else None
    if not isinstance(listed, list):
        raise BadInputError(f"{where(at)}: no list 'messages', unlike in the values before")
    at = child(at, "messages")
    entries = [(entry, child(at, str(number))) for number, entry in enumerate(listed)]
    return _recording(document.value, entries, source)


def _standing(container: Container) -> Iterator[tuple[Any, Pointer]]:
    """The messages of a session by lines: a message written again replaces itself, and a rewind takes back."""
    entries: dict[str, tuple[Any, Pointer]] = {}
    for document in container.documents[1:]:
        value = document.value
        if not isinstance(value, Mapping) or "$set" in value:
            continue
        rewind = str(value.get("$rewindTo"))
        if rewind in entries:
            order = list(entries)
            for key in order[order.index(rewind) :]:
                del entries[key]
        elif "type" in value:
            key = str(value.get("id") or f"line {document.line}")
            entries[key] = (value, Pointer(file=container.source, line=document.line))
    return iter(entries.values())


def _recording(raw: Any, entries: list[tuple[Any, Pointer]], source: str) -> Recording:
    messages, unknown = [], Counter[str]()
    for entry, at in entries:
        if not isinstance(entry, Mapping):
            raise BadInputError(f"{where(at)}: a message is {type(entry).__name__}, not an object")
        message = _message(entry, at)
        if message is None:
            unknown[str(entry.get("type"))] += 1
        elif message.text.strip() or message.calls or message.reasoning_state != "absent":
            messages.append(message._replace(results=()))
            if message.results:
                messages.append(Message("tool", results=message.results, started=message.started, pointer=at))
    others = ", ".join(f"{kind} {count}" for kind, count in sorted(unknown.items()))
    notes = (f"messages that are no steps: {others}",) if others else ()
    made = recording(Conversation(raw, tuple(messages), notes=notes), source, NAME, framework="gemini-cli")
    said = [step.content for step in made.steps if step.kind == "message" and step.agent == MODEL]
    times = [step.started for step in made.steps if step.started]
    update = {"answer": said[-1] if said else None, "ended": max(times, default=None)}
    return Recording(made.run.model_copy(update=update), made.steps)


def _message(entry: Mapping[str, Any], at: Pointer) -> Message | None:
    """One entry; None where its type is not known."""
    kind, started = str(entry.get("type")), utc(entry.get("timestamp"))
    text = _text(entry.get("content"))
    if kind == "user":
        return Message("user", text, started=started, pointer=at)
    if str(kind) in _NOTICES:
        return Message("system", text, started=started, pointer=at)
    if kind != "gemini":
        return None
    calls = entry.get("toolCalls")
    listed = [each for each in calls if isinstance(each, Mapping)] if isinstance(calls, list) else []
    message = _thoughtful(Message("assistant", text, MODEL, started=started, pointer=at), entry)
    model = entry.get("model")
    return message._replace(
        calls=tuple(_call(each) for each in listed),
        results=tuple(found for each in listed if (found := _result(each))),
        model=model if isinstance(model, str) else None,
    )


def _thoughtful(message: Message, entry: Mapping[str, Any]) -> Message:
    """With its thoughts, or the trace that they left, and its tokens."""
    thoughts, tokens = entry.get("thoughts"), entry.get("tokens")
    counts = {key: value for key, value in tokens.items() if isinstance(value, int)} if _is_object(tokens) else {}
    texts = [text for each in (thoughts if isinstance(thoughts, list) else []) if (text := _thought(each))]
    if texts:
        message = message._replace(reasoning="\n\n".join(texts), reasoning_state="present", reasoning_origin="thoughts")
    elif counts.get("thoughts"):
        message = message._replace(reasoning_state="unreadable", reasoning_origin="tokens: thoughts")
    if not counts:
        return message
    read = counts.get("input", 0) + counts.get("tool", 0)
    return message._replace(input_tokens=read, output_tokens=counts.get("output", 0) + counts.get("thoughts", 0))


def _thought(value: Any) -> str:
    """Its subject and description."""
    parts = [value.get(key) for key in ("subject", "description")] if _is_object(value) else [value]
    return "\n".join(part for part in parts if isinstance(part, str) and part.strip())


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _text(value: Any) -> str:
    """A text, or parts of which some are text."""
    if isinstance(value, Mapping):
        inner = value.get("text")
        return inner if isinstance(inner, str) else json_text(value)
    if isinstance(value, list):
        return "\n".join(_text(each) for each in value)
    return value if isinstance(value, str) else "" if value is None else json_text(value)


def _call(call: Mapping[str, Any]) -> Call:
    identifier = call.get("id")
    return Call(
        str(call.get("name") or "tool"),
        arguments_text(call.get("args")),
        identifier if isinstance(identifier, str) else None,
    )


def _result(call: Mapping[str, Any]) -> Result | None:
    """What a call brought; None while it has no result (it was waiting for the user's word, say)."""
    status, given = call.get("status"), call.get("result")
    texts, errors = [], []
    for part in given if isinstance(given, list) else [given]:
        inner = part.get("functionResponse") if _is_object(part) else None
        response = inner.get("response") if _is_object(inner) else part
        failed = response.get("error") if _is_object(response) else None
        errors += [failed] if failed else []
        output = response.get("output", failed) if _is_object(response) else response
        texts += [_text(response if output is None else output)] if response is not None else []
    content = "\n".join(texts)
    if given is None and str(status) not in {"success", "error", "cancelled"}:
        return None
    outcome = tool_outcome(
        content, status=status if isinstance(status, str) else None, error_type="response.error" if errors else None
    )
    made = _call(call)
    return Result(content, made.id, made.name, outcome.status, outcome.rule)


COLLECTOR = Collector(NAME, detect, read)
