"""Codex CLI: rollouts of both eras, and the stream of `codex exec --json`.

A rollout's line becomes a span of its thread's trace, so that the rollouts of sub-agents join in any order; the runs
are derived from the lines by `codex_rollout`. Before the envelope (`timestamp`, `type`, `payload`) came, in 2025, the
lines were bare items behind a head with the session's id, and before that one object with `session` and `items`. The
stream of `codex exec` has no times; its reasoning is readable, as a summary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tracer.collectors.codex_rollout import ITEMS, MAIN, NAME, parent_of, runs_from_lines, started_in
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording
from tracer.collectors.json_values import Document
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import json_text, merge_reasoning
from tracer.collectors.times import nanoseconds, utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Pointer, Recording, Span, content_hash

_ENVELOPE = ("timestamp", "type", "payload")
_TYPES = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})
_SAMPLE = 20
_TOOLS = {
    "command_execution": ("shell", ("command",), ("aggregated_output",)),
    "file_change": ("apply_patch", ("changes",), ()),
    "mcp_tool_call": ("tool", ("arguments",), ("error", "result")),
    "web_search": ("web_search", ("query", "action"), ()),
    "collab_tool_call": ("collab", ("prompt", "receiver_thread_ids"), ("agents_states",)),
}
"""Items of the stream that call a tool -> its name, its arguments, what it brought."""


def detect(container: Container) -> str | None:
    """Ours when the first lines are those of a rollout of either era, or of the stream."""
    values = [each.value for each in container.documents[:_SAMPLE] if isinstance(each.value, Mapping)]
    if not values:
        return "no JSON object"
    if any(test(values) for test in (_enveloped, _bare, _single, _streamed)):
        return None
    return "no 'session_meta' line, no head with bare items, no 'thread.started'"


def _enveloped(values: list[Mapping[str, Any]]) -> bool:
    return all(key in values[0] for key in _ENVELOPE) and str(values[0]["type"]) in _TYPES


def _bare(values: list[Mapping[str, Any]]) -> bool:
    """A head with an id and a time, then items, some with records of state between them."""
    head, rest = values[0], values[1:]
    return (
        all(isinstance(head.get(key), str) for key in ("id", "timestamp"))
        and "type" not in head
        and bool(rest)
        and all(str(value.get("type")) in ITEMS or "record_type" in value for value in rest)
    )


def _single(values: list[Mapping[str, Any]]) -> bool:
    session, items = values[0].get("session"), values[0].get("items")
    return isinstance(session, Mapping) and "id" in session and isinstance(items, list)


def _streamed(values: list[Mapping[str, Any]]) -> bool:
    types = [str(value.get("type")) for value in values]
    return types[0] == "thread.started" and all(
        kind.startswith(("thread.", "turn.", "item.", "error")) for kind in types
    )


def read(container: Container) -> Batch:
    """The spans of a rollout, or the runs of a stream."""
    values = [each.value for each in container.documents if isinstance(each.value, Mapping)]
    if _streamed(values[:_SAMPLE]):
        return Batch(tuple(_run(lines, container.source) for lines in _threads(container)))
    spans = tuple(_spans(container))
    return Batch(spans=spans, heads=not any(_is_child(span) for span in spans))


def _lines(container: Container) -> Iterator[tuple[Any, Pointer]]:
    """The lines with their places; those of the oldest era stand in one object."""
    for document in container.documents:
        at = Pointer(file=container.source, line=document.line)
        value = document.value
        if isinstance(value, Mapping) and _single([value]):
            yield value["session"], at.model_copy(update={"path": "/session"})
            for place, item in enumerate(value["items"]):
                yield item, at.model_copy(update={"path": f"/items/{place}"})
        else:
            yield value, at


def _spans(container: Container) -> Iterator[Span]:
    """Each line under its place and content: a session that went on has the same lines at its head."""
    lines = list(_lines(container))
    thread = _thread(lines)
    for order, (value, at) in enumerate(lines):
        line = value if isinstance(value, Mapping) else {"type": "?", "payload": {"value": value}}
        time = nanoseconds(utc(line.get("timestamp")))
        name = _name(line)
        yield Span(
            trace_id=thread,
            span_id=f"{order} {content_hash(line)[:12]}",
            name=name,
            started_ns=time,
            ended_ns=time,
            attributes={"line": dict(line), "order": order, **_link(name, line, thread)},
            format=NAME,
            pointer=at,
        )


def _name(line: Mapping[str, Any]) -> str:
    """The line's type; of a line without an envelope, what it would be in one."""
    if "payload" in line:
        return str(line.get("type") or "?")
    if "record_type" in line:
        return "state"
    return "response_item" if "type" in line else "session_meta" if "id" in line else "?"


def _thread(lines: list[tuple[Any, Pointer]]) -> str:
    """The id in the first head; a rollout without one is known by its first line."""
    for value, _ in lines:
        line = value if isinstance(value, Mapping) else {}
        body = line.get("payload", line)
        if _name(line) == "session_meta" and isinstance(body, Mapping) and isinstance(body.get("id"), str):
            return str(body["id"])
    return content_hash(lines[0][0])[:32]


def _link(name: str, line: Mapping[str, Any], thread: str) -> dict[str, str]:
    """The other thread that a line names, by which the store knows that they belong together.

    `session.id` is one per span, so the head says its parent, and each other line its own thread or the one it started.
    """
    body = line.get("payload", line)
    body = body if isinstance(body, Mapping) else {}
    started = started_in(body)
    other = parent_of(body) if name == "session_meta" else started[1] if started else None
    return {"session.id": other or thread}


def _is_child(span: Span) -> bool:
    body = span.attributes["line"].get("payload")
    return span.name == "session_meta" and isinstance(body, Mapping) and parent_of(body) is not None


def _threads(container: Container) -> Iterator[list[Document]]:
    """The lines of each thread of a stream."""
    current: list[Document] = []
    for document in container.documents:
        if isinstance(document.value, Mapping) and document.value.get("type") == "thread.started" and current:
            yield current
            current = []
        current.append(document)
    yield current


def _run(lines: list[Document], source: str) -> Recording:
    """A run of `codex exec`: the last turn says whether it came to its end."""
    messages: list[Message] = []
    unknown = Counter[str]()
    failed = False
    for document in lines:
        value = document.value if isinstance(document.value, Mapping) else {"type": "?"}
        at = Pointer(file=source, line=document.line)
        kind = str(value.get("type"))
        item = value.get("item")
        if kind == "turn.completed":
            failed = False
            _charge(messages, value.get("usage"))
        elif kind in {"turn.failed", "error"}:
            failed = failed or kind == "turn.failed"
            error = value.get("error", value)
            words = error.get("message") if isinstance(error, Mapping) else error
            messages.append(Message("system", f"{kind}: {words}", pointer=at))
        elif kind == "item.completed" and isinstance(item, Mapping):
            if message := _item(item, at):
                messages.append(message)
            else:
                unknown[_kind(item)] += 1
        elif not kind.startswith(("thread.", "turn.", "item.")):
            unknown[kind] += 1
    others = ", ".join(f"{kind} {count}" for kind, count in sorted(unknown.items()))
    notes = (f"lines that are no steps: {others}",) if others else ()
    raw = [document.value for document in lines]
    made = recording(Conversation(raw, tuple(merge_reasoning(messages)), notes=notes), source, NAME, framework="codex")
    said = [step.content for step in made.steps if step.kind == "message" and step.agent == MAIN]
    ended = {"outcome": "failure", "outcome_source": "turn.failed"} if failed else {}
    return Recording(made.run.model_copy(update={"answer": said[-1] if said else None, **ended}), made.steps)


def _kind(item: Mapping[str, Any]) -> str:
    return str(item.get("type") or item.get("item_type"))


def _item(item: Mapping[str, Any], at: Pointer) -> Message | None:
    """One item of the stream, with the result that it carries; None for a kind that says nothing (a list of to-dos)."""
    kind = _kind(item)
    text = str(item.get("text") or item.get("message") or "")
    if kind == "reasoning":
        return Message(
            "assistant", "", MAIN, text or None, "present" if text else "absent", "reasoning item", pointer=at
        )
    if kind in {"agent_message", "assistant_message"}:
        return Message("assistant", text, MAIN, pointer=at)
    if kind == "error":
        return Message("system", f"error: {text}", pointer=at)
    if kind not in _TOOLS:
        return None
    name, given, brought = _TOOLS[kind]
    call_id = str(item.get("id") or "") or None
    arguments = {key: item[key] for key in given if item.get(key) is not None}
    name = str(item.get("tool") or name)
    call = Call(name, json_text(arguments), call_id)
    return Message("assistant", "", MAIN, calls=(call,), results=_results(item, name, call_id, brought), pointer=at)


def _results(item: Mapping[str, Any], name: str, call_id: str | None, keys: tuple[str, ...]) -> tuple[Result, ...]:
    """What a call brought, where the item says; a search of the web says nothing."""
    value = next((item[key] for key in keys if item.get(key) is not None), None)
    status = item.get("status")
    if value is None and not isinstance(status, str):
        return ()
    content = value if isinstance(value, str) else "" if value is None else json_text(value)
    code = item.get("exit_code")
    outcome = tool_outcome(
        content or ("" if keys else str(status)),
        status=status if isinstance(status, str) else None,
        exit_code=code if isinstance(code, int) else None,
        is_error=True if item.get("error") else None,
    )
    return (Result(content, call_id, name, *outcome),)


def _charge(messages: list[Message], usage: Any) -> None:
    """A turn's tokens, on the last thing that the agent said or did in it."""
    counts = [usage.get(key) if isinstance(usage, Mapping) else None for key in ("input_tokens", "output_tokens")]
    place = max((n for n, each in enumerate(messages) if each.text or each.calls), default=None)
    if place is not None:
        read, wrote = (each if isinstance(each, int) else None for each in counts)
        messages[place] = messages[place]._replace(input_tokens=read, output_tokens=wrote)


COLLECTOR = Collector(NAME, detect, read, runs_from_lines)
