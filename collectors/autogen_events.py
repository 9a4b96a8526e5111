"""The events of `autogen_core`'s logger -> steps. They hold no times; a team's own messages in them do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracer.collectors.autogen_chat import Told, finished, is_chat_message, message, thoughtful
from tracer.collectors.chat import child
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, decode, is_message, json_text, normalise
from tracer.collectors.steps import steps_from_messages
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Pointer, Step

KEYS: Mapping[str, tuple[str, ...]] = {
    "LLMCall": ("messages", "response"),
    "LLMStreamStart": ("messages",),
    "LLMStreamEnd": ("response",),
    "ToolCall": ("tool_name", "arguments"),
    "Message": ("payload", "delivery_stage"),
    "MessageDropped": ("payload", "kind"),
    "MessageHandlerException": ("exception", "handling_agent"),
    "AgentConstructionException": ("exception", "agent_id"),
}
"""An event's type -> what it holds."""
_FAILURES = {"MessageHandlerException": "handling_agent", "AgentConstructionException": "agent_id"}
_UUID = re.compile(r"_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")

Event = tuple[Mapping[str, Any], Pointer]


def is_core_event(value: Any) -> bool:
    """Is this one event of the core's logger?"""
    keys = KEYS.get(str(value.get("type"))) if isinstance(value, Mapping) else None
    return keys is not None and all(key in value for key in keys)


def read_core(events: Sequence[Event]) -> tuple[tuple[Step, ...], Any, list[str]]:
    """Steps, the value that gives the run its address, and notes. What is no event is counted."""
    known = [event for event in events if is_core_event(event[0])]
    reader = _Team() if any(_inside(event) for event in known) else _Core()
    for event in known:
        reader.event(event)
    notes = [f"{len(events) - len(known)} lines are no events of autogen_core"] if len(known) < len(events) else []
    dropped = Counter(event["type"] for event, _ in known)["MessageDropped"]
    notes += [f"{dropped} messages were dropped"] if dropped else []
    steps = finished(steps_from_messages(thoughtful(reader.messages)), reader.told)
    return steps, [event for event, _ in known], notes


def agent_name(value: Any) -> str | None:
    """`type/key`, where a team adds its own id to the type."""
    return _UUID.sub("", value.partition("/")[0]) or None if isinstance(value, str) else None


def _inside(event: Event) -> list[tuple[Mapping[str, Any], Pointer]]:
    """A team's messages in what one agent sent: `message`, `messages`, `response`."""
    value, at = event
    payload = decode(value.get("payload")) if value.get("type") == "Message" else None
    return list(_chat_messages(payload, child(at, "payload"))) if isinstance(payload, Mapping) else []


def _chat_messages(value: Any, at: Pointer) -> Iterator[tuple[Mapping[str, Any], Pointer]]:
    if is_chat_message(value):
        yield value, at
    elif isinstance(value, list):
        for position, each in enumerate(value):
            yield from _chat_messages(each, child(at, str(position)))
    elif isinstance(value, Mapping):
        for key in ("messages", "message", "response", "inner_messages", "chat_message"):  # inner ones came before
            if key in value:
                yield from _chat_messages(value[key], child(at, key))


def _failed(event: Mapping[str, Any], at: Pointer) -> Message:
    """An agent that could not handle a message, or could not be made."""
    return Message("system", str(event["exception"]), agent_name(event[_FAILURES[event["type"]]]), pointer=at)


class _Team:
    """A team's messages, each told once, with the prompts and the models that only the calls of models tell."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.told: Told = {}
        self._seen: set[str] = set()
        self._models: dict[str | None, str] = {}

    def event(self, event: Event) -> None:
        value, at = event
        if value["type"] == "LLMCall":
            self._call(value, at)
        elif value["type"] in _FAILURES:
            self.messages.append(_failed(value, at))
        for told, place in _inside(event):
            key = str(told.get("id") or json_text(told))
            if key not in self._seen and told["type"] != "ModelClientStreamingChunkEvent":
                self._seen.add(key)
                made = message(told, place)
                model = self._models.get(made.agent) if made.input_tokens is not None else None
                self.messages.append(made._replace(model=model))
                self.told[place.line, place.path] = told

    def _call(self, value: Mapping[str, Any], at: Pointer) -> None:
        agent, response, asked = agent_name(value.get("agent_id")), value["response"], value["messages"]
        if isinstance(response, Mapping) and isinstance(response.get("model"), str):
            self._models[agent] = response["model"]
        for position, each in enumerate(asked if isinstance(asked, list) else []):
            if isinstance(each, Mapping) and each.get("role") in {"system", "developer"}:
                key = json_text(each)
                if key not in self._seen:
                    self._seen.add(key)
                    self.messages.append(normalise(each, child(child(at, "messages"), str(position))))


class _Core:
    """Calls of models, what tools brought, and what agents sent each other."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.told: Told = {}
        self._words: set[str] = set()
        self._open: list[Call] = []

    def event(self, event: Event) -> None:
        value, at = event
        kind, agent = value["type"], agent_name(value.get("agent_id"))
        if kind in {"LLMCall", "LLMStreamStart"}:
            self._asked(value["messages"], at)
        if kind in {"LLMCall", "LLMStreamEnd"}:
            self._replied(value, at, agent)
        elif kind == "ToolCall":
            self._tool(value, at, agent)
        elif kind == "Message" and str(value["delivery_stage"]).endswith("SEND"):
            self._sent(value, at)
        elif kind in _FAILURES:
            self.messages.append(_failed(value, at))

    def _asked(self, values: Any, at: Pointer) -> None:
        """What nobody had said yet."""
        for position, each in enumerate(values if isinstance(values, list) else []):
            if is_message(each):
                made = normalise(each, child(child(at, "messages"), str(position)))
                if not made.results and made.role not in {"assistant", "model"} and self._new(made.text):
                    self.messages.append(made)

    def _replied(self, value: Mapping[str, Any], at: Pointer, agent: str | None) -> None:
        response = value["response"] if isinstance(value["response"], Mapping) else {"content": value["response"]}
        choices = response.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        said = first.get("message") if isinstance(first, Mapping) else response
        fields = said if isinstance(said, Mapping) else {"content": said}
        made = normalise({"role": "assistant", **fields}, child(at, "response"))
        model = response.get("model")
        self._new(made.text)
        self._open += made.calls
        self.messages.append(
            made._replace(
                agent=agent,
                model=model if isinstance(model, str) else None,
                input_tokens=_count(value.get("prompt_tokens")),
                output_tokens=_count(value.get("completion_tokens")),
            )
        )

    def _tool(self, value: Mapping[str, Any], at: Pointer, agent: str | None) -> None:
        """The event names no call: the tool's first open one is meant, else nobody called it but the agent's code."""
        name = str(value["tool_name"])
        call = next((each for each in self._open if each.name == name), None)
        if call is None:
            call = Call(name, arguments_text(value["arguments"]))
            self.messages.append(Message("assistant", agent=agent, calls=(call,), pointer=at))
        else:
            self._open.remove(call)
        text = value.get("result")
        text = text if isinstance(text, str) else "" if text is None else json_text(text)
        self.messages.append(Message("tool", results=(Result(text, call.id, name, *tool_outcome(text)),), pointer=at))

    def _sent(self, value: Mapping[str, Any], at: Pointer) -> None:
        """A message of the application's own kind; its words where it has a `content`, else all of it."""
        payload = decode(value["payload"])
        content = payload.get("content") if isinstance(payload, Mapping) else None
        text = content if isinstance(content, str) else payload if isinstance(payload, str) else json_text(payload)
        sender = agent_name(value.get("sender"))
        if text not in {"", "{}", "Message could not be serialized"} and self._new(text):
            self.messages.append(Message("assistant" if sender else "user", text, sender, pointer=at))

    def _new(self, text: str) -> bool:
        """Is it said for the first time?"""
        new = text not in self._words
        self._words.add(text)
        return new


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
