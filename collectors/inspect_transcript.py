"""The transcript of one Inspect sample -> messages in the order in which they came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tracer.collectors.activity import text_of, whole
from tracer.collectors.chat import child
from tracer.collectors.fields import objects
from tracer.collectors.message import Message, Result
from tracer.collectors.messages import json_text, normalise
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Pointer

_ATTACHMENT = "attachment://"
_UNSEEN = frozenset({"scorer", "scorers"})
"""Spans whose calls of models grade the run and are no part of it."""
_MEDIA = {"video": "video_url", "data": "file"}
"""Content parts that the general reader knows by another name."""
_MAX_NESTING = 50
"""Spans in spans; a log with more, or with a loop, is read as if it ended there."""


class _Event(NamedTuple):
    """One event, with where it stands and when it was over."""

    value: Mapping[str, Any]
    at: Pointer
    ended: datetime | None
    path: tuple[Mapping[str, Any], ...]
    """Old logs nest events in tools, subtasks and steps: those around this one, outermost first."""


class Transcript:
    """The messages of a sample; each is told once, though every call of a model repeats what came before."""

    def __init__(self, sample: Mapping[str, Any], at: Pointer) -> None:
        attachments = sample.get("attachments")
        self._attachments: Mapping[str, Any] = attachments if isinstance(attachments, Mapping) else {}
        self._pool, self._pool_at = _pool(sample, at)
        self._ids: set[str] = set()
        self._texts: set[tuple[str, str]] = set()
        self._answered: set[str] = set()
        self.messages: list[Message] = []
        events = sample.get("events")
        found = list(_flat(events, child(at, "events"), ())) if isinstance(events, list) else []
        self._spans = {
            str(event.value.get("id")): event.value for event in found if event.value.get("event") == "span_begin"
        }
        times = [time for event in found for time in (utc(event.value.get("timestamp")), event.ended) if time]
        self.started, self.ended = min(times, default=None), max(times, default=None)
        for event in _by_end(found):
            self._event(event)
        for position, message in enumerate(sample.get("messages") or []):
            self._told(message, child(child(at, "messages"), str(position)), None)

    def resolved(self, value: Any) -> Any:
        """The value with its long texts back in place; Inspect stores each once, apart."""
        if isinstance(value, str):
            key = value.removeprefix(_ATTACHMENT)
            return self._attachments.get(key, value) if key != value else value
        if isinstance(value, list):
            return [self.resolved(each) for each in value]
        if isinstance(value, Mapping):
            return {key: self.resolved(each) for key, each in value.items()}
        return value

    def _event(self, event: _Event) -> None:
        around = [*self._around(event.value.get("span_id")), *reversed(event.path)]
        if any(str(span.get("type")) in _UNSEEN for span in around):
            return
        agents = [name for span in around if (name := _agent(span))]
        kind = event.value.get("event")
        if kind == "model":
            self._model(event, agents)
        elif kind == "tool" and not event.value.get("pending"):
            self._tool(event)

    def _around(self, span_id: Any) -> Iterator[Mapping[str, Any]]:
        """The spans around, innermost first."""
        for _ in range(_MAX_NESTING):
            span = self._spans.get(str(span_id))
            if span is None:
                return
            yield span
            span_id = span.get("parent_id")

    def _model(self, event: _Event, agents: Sequence[str]) -> None:
        """What this call was given and nobody had told, then its reply."""
        value = event.value
        agent = agents[0] if agents else text_of(value.get("role"))
        above = next((name for name in agents if name != agent), None)
        for message, at in self._inputs(event):
            self._told(message, at, above)
        output = value.get("output")
        choices = output.get("choices") if isinstance(output, Mapping) else None
        first = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(first, Mapping) and isinstance(first.get("message"), Mapping):
            at = child(child(child(child(event.at, "output"), "choices"), "0"), "message")
            self._reply(event, first["message"], at, agent)
        elif value.get("error"):
            said = Message("system", str(value["error"]), agent or "assistant", ended=event.ended, pointer=event.at)
            self.messages.append(said)

    def _inputs(self, event: _Event) -> Iterator[tuple[Any, Pointer]]:
        """The messages of a call: inline, or as ranges of a pool."""
        listed = event.value.get("input")
        for position, message in enumerate(listed if isinstance(listed, list) else []):
            yield message, child(child(event.at, "input"), str(position))
        refs = event.value.get("input_refs")
        for pair in refs if isinstance(refs, list) else []:
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int) for end in pair):
                start, end = max(0, pair[0]), min(pair[1], len(self._pool))
                yield from ((self._pool[n], child(self._pool_at, str(n))) for n in range(start, end))

    def _reply(self, event: _Event, message: Mapping[str, Any], at: Pointer, agent: str | None) -> None:
        self._remember(message)
        made = _message(self.resolved(message), at)
        usage = event.value["output"].get("usage")
        if isinstance(usage, Mapping) and event.value.get("cache") != "read":  # an answer from the cache cost nothing
            made = made._replace(
                input_tokens=whole(usage.get("input_tokens")), output_tokens=whole(usage.get("output_tokens"))
            )
            if made.reasoning_state == "absent" and whole(usage.get("reasoning_tokens")):
                made = made._replace(reasoning_state="unreadable", reasoning_origin="usage: reasoning tokens")
        model = message.get("model") or event.value["output"].get("model") or event.value.get("model")
        started = utc(event.value.get("timestamp"))
        self.messages.append(made._replace(agent=agent, model=text_of(model), started=started, ended=event.ended))

    def _tool(self, event: _Event) -> None:
        """A tool's answer. A call that handed the work to an agent is over when the agent is."""
        value = event.value
        if value.get("agent") and str(value.get("id")) in self._answered:
            return  # a hand-over is answered before the agent starts, and logged when it has finished
        if isinstance(value.get("message_id"), str):
            self._ids.add(value["message_id"])
        self._answered.add(str(value.get("id")))
        content = self.resolved(value.get("result"))
        stated = {"content": content, "error": value.get("error"), "function": value.get("function")}
        result = _result({"tool_call_id": value.get("id"), **stated})
        started = utc(value.get("timestamp"))
        self.messages.append(Message("tool", results=(result,), started=started, ended=event.ended, pointer=event.at))

    def _told(self, message: Any, at: Pointer, above: str | None) -> None:
        """Tell a message unless it was told. A question to a sub-agent is the words of the agent above it."""
        if not isinstance(message, Mapping) or self._known(message):
            return
        self._remember(message)
        made = _message(self.resolved(message), at)
        if above and made.role == "user" and message.get("source") == "input":
            made = made._replace(agent=above)
        self.messages.append(made._replace(model=text_of(message.get("model"))))

    def _known(self, message: Mapping[str, Any]) -> bool:
        """By its id; without one, or when a filter rewrote it for another agent, by its words."""
        if isinstance(message.get("id"), str) and message["id"] in self._ids:
            return True
        if message.get("role") == "tool":
            return str(message.get("tool_call_id")) in self._answered
        if message.get("role") == "assistant" or not message.get("id"):
            return self._key(message) in self._texts
        return False

    def _remember(self, message: Mapping[str, Any]) -> None:
        if isinstance(message.get("id"), str):
            self._ids.add(message["id"])
        if message.get("role") == "tool":
            self._answered.add(str(message.get("tool_call_id")))
        self._texts.add(self._key(message))

    def _key(self, message: Mapping[str, Any]) -> tuple[str, str]:
        """Role and words, without the `[agent] ` that a hand-over puts before them."""
        text = text_of_input(self.resolved(message.get("content")))
        head, bracket, rest = text.partition("] ")
        words = rest if bracket and head.startswith("[") and "\n" not in head else text
        calls = message.get("tool_calls")
        return str(message.get("role")), words.strip() or json_text(calls)


def _pool(sample: Mapping[str, Any], at: Pointer) -> tuple[Sequence[Any], Pointer]:
    """The messages that calls of models refer to by number, and where they stand: this key has moved once."""
    data = sample.get("events_data")
    if isinstance(data, Mapping) and isinstance(data.get("messages"), list):
        return data["messages"], child(child(at, "events_data"), "messages")
    pool = sample.get("message_pool")
    return pool if isinstance(pool, list) else [], child(at, "message_pool")


def _flat(events: Sequence[Any], at: Pointer, path: tuple[Mapping[str, Any], ...]) -> Iterator[_Event]:
    """All events in order; those that old logs nest in another one come before it, for it ends after them."""
    steps: list[Mapping[str, Any]] = []
    for position, value in enumerate(events):
        if not isinstance(value, Mapping):
            continue
        here = child(at, str(position))
        if value.get("event") == "step":
            if value.get("action") == "begin":
                steps.append(value)
            elif steps:
                steps.pop()
        around = (*path, *steps)
        inner = value.get("events")
        nested: list[_Event] = []
        if isinstance(inner, list) and inner and len(path) < _MAX_NESTING:
            nested = list(_flat(inner, child(here, "events"), (*around, value)))
        yield from nested
        # Logs of 2024 state no end: then it is the start, or the end of the last event inside.
        ends = [utc(value.get("timestamp")), *(event.ended for event in nested)]
        ended = utc(value.get("completed")) or max((end for end in ends if end), default=None)
        yield _Event(value, here, ended, around)


def _by_end(events: Sequence[_Event]) -> list[_Event]:
    """In the order in which they were over: a tool is logged when it starts, and may hold a whole agent's work."""
    times, last = [], None
    for event in events:
        last = event.ended or last
        times.append(last)
    if None in times:
        return list(events)
    order = sorted(range(len(events)), key=lambda position: times[position])  # type: ignore[arg-type, return-value]
    return [events[position] for position in order]


def _agent(span: Mapping[str, Any]) -> str | None:
    """The agent whose work a span is; in old logs a tool that calls models, or that names the agent it hands to."""
    if span.get("event") == "tool":
        asks = any(event.get("event") in ("model", "subtask") for event in objects(span.get("events")))
        return text_of(span.get("agent")) or (text_of(span.get("function")) if asks else None)
    return text_of(span.get("name")) if span.get("type") == "agent" else None


def text_of_input(value: Any) -> str:
    """The words of a content or of a sample's input: text, parts, or messages of which the user's count."""
    if isinstance(value, str):
        return value
    found = []
    for part in value if isinstance(value, list) else []:
        if isinstance(part, Mapping) and "role" in part:
            found += [text_of_input(part.get("content"))] if part["role"] == "user" else []
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
            found.append(part["text"])
    return "\n".join(found)


def _message(message: Mapping[str, Any], at: Pointer) -> Message:
    """Inspect's message in the common shape: its calls name the function flat, its tools state an error."""
    if message.get("role") == "tool":
        return Message("tool", results=(_result(message),), pointer=at)
    content = message.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else content
    calls = [
        {"id": call.get("id"), "name": call.get("function"), "arguments": call.get("arguments")}
        for call in objects(message.get("tool_calls"))
    ]
    made = normalise({**message, "content": parts, "tool_calls": calls}, at)
    hosted = tuple(_hosted(part) for part in content or [] if _is_hosted(part)) if isinstance(content, list) else ()
    return made._replace(agent=None, results=(*made.results, *hosted))


def _part(part: Any) -> Any:
    """A content part as the general reader knows it."""
    if not isinstance(part, Mapping):
        return part
    if part.get("type") == "reasoning" and part.get("redacted"):  # `reasoning` holds ciphertext then
        return {"type": "reasoning", "summary": part.get("summary"), "encrypted_content": part.get("reasoning")}
    if _is_hosted(part):
        return {"type": "tool_use", "id": part.get("id"), "name": part.get("name"), "input": part.get("arguments")}
    return {**part, "type": _MEDIA.get(str(part.get("type")), part.get("type"))}


def _is_hosted(part: Any) -> bool:
    """A tool that the provider ran itself: call and answer in one part."""
    return isinstance(part, Mapping) and part.get("type") == "tool_use"


def _hosted(part: Mapping[str, Any]) -> Result:
    error = part.get("error")
    content = str(error or part.get("result") or "")
    return Result(
        content,
        text_of(part.get("id")),
        text_of(part.get("name")),
        *tool_outcome(content, is_error=True if error else None),
    )


def _result(message: Mapping[str, Any]) -> Result:
    """A tool's answer; its error is typed (timeout, permission, parsing, ...), or in old logs a bare text."""
    error = message.get("error") or message.get("tool_error")
    name = text_of(message.get("function"))
    content = message.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else content
    [made] = normalise({"role": "tool", "content": parts, "tool_call_id": message.get("tool_call_id")}).results
    if not error:
        return made._replace(name=name)
    kind = str(error.get("type") or "unknown") if isinstance(error, Mapping) else "unknown"
    said = str(error.get("message") or "") if isinstance(error, Mapping) else str(error)
    text = made.content or said
    return Result(text, made.id, name, *tool_outcome(text, error_type=kind))
