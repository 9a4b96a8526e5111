"""LangChain's `astream_events`: what starts and ends in a run -> its messages. The stream of tokens is left aside.

A model's end tells what it was given and what it said, a tool's end its answer; the end of a graph's node tells the
messages that no model made. The agent is a message's own name, else the innermost node that names one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracer.collectors.chat import child
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording
from tracer.collectors.langchain_messages import ROLES, Plain, message, plain, result
from tracer.collectors.langgraph_node import node_agent
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, is_message, json_text, normalise
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording

_ENDS = ("on_chat_model_end", "on_llm_end")
_TOOLS = ("on_tool_end", "on_tool_error", "on_retriever_end")


def is_event(value: Any) -> bool:
    """Is this one event of a stream?"""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("event"), str)
        and value["event"].startswith("on_")
        and "run_id" in value
        and isinstance(value.get("data"), Mapping)
    )


def read_events(container: Container, format_name: str) -> tuple[Recording, ...]:
    """One run for each event without a parent; events of v1, which name no parents, are all of one run."""
    runs: dict[str, list[tuple[Mapping[str, Any], Pointer]]] = {}
    for event, at in _events(container):
        if not is_event(event):
            raise BadInputError(f"{at.file}: no event at {f'line {at.line}' if at.line else at.path}, unlike before")
        parents = event.get("parent_ids")
        root = "" if not isinstance(parents, list) else str(parents[0] if parents else event["run_id"])
        runs.setdefault(root, []).append((event, at))
    return tuple(_recording(events, container.source, format_name) for events in runs.values())


def _events(container: Container) -> Iterator[tuple[Any, Pointer]]:
    for document in container.documents:
        at = Pointer(file=container.source, line=document.line)
        if isinstance(document.value, list):
            yield from ((each, child(at, str(position))) for position, each in enumerate(document.value))
        else:
            yield document.value, at


def _recording(events: Sequence[tuple[Mapping[str, Any], Pointer]], source: str, format_name: str) -> Recording:
    stream = _Stream()
    for event, at in events:
        stream.event(event, at)
    ended = any(event["event"] == "on_chain_end" and not event.get("parent_ids") for event, _ in events)
    graph = any("langgraph_node" in _mapping(event.get("metadata")) for event, _ in events)
    notes = () if ended else ("the stream ends before its run does",)
    raw = [event for event, _ in events if not event["event"].endswith("_stream")]
    conversation = Conversation(raw, tuple(stream.messages), notes=notes)
    return recording(conversation, source, format_name, framework="langgraph" if graph else "langchain")


class _Stream:
    """The messages of one run, each told once though every call of a model repeats what came before."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._ids: set[str] = set()
        self._words: set[tuple[str, str, tuple[Call, ...]]] = set()
        self._called: list[Call] = []
        self._answered: set[str] = set()

    def event(self, event: Mapping[str, Any], at: Pointer) -> None:
        kind, data, metadata = event["event"], event["data"], _mapping(event.get("metadata"))
        agent = node_agent(metadata)
        if kind in _ENDS:
            self._told(data.get("input"), child(child(at, "data"), "input"), None)
            self._told(data.get("output"), child(child(at, "data"), "output"), agent, new=True)
        elif kind in _TOOLS:
            self._tool(event, at, agent)
        elif kind == "on_chain_start" and not event.get("parent_ids"):
            self._told(data.get("input"), child(child(at, "data"), "input"), None)
        elif kind == "on_chain_end" and event.get("name") == metadata.get("langgraph_node"):
            self._told(data.get("output"), child(child(at, "data"), "output"), agent)

    def _told(self, value: Any, at: Pointer, agent: str | None, *, new: bool = False) -> None:
        """Every message in a value that was not told before: by its id, by the call that it answers, or by its words.

        What is `new` from a model may say the same again.
        """
        for made, message_id in _messages(value, at, "assistant" if new else "user"):
            words = (made.role, made.text, made.calls)
            answered = {each.id for each in made.results if each.id}
            if message_id in self._ids or (answered and answered <= self._answered):
                continue
            if words in self._words and not answered and not new:
                continue
            if message_id:
                self._ids.add(message_id)
            self._words.add(words)
            self._answered |= answered
            self._called += made.calls
            self.messages.append(made._replace(agent=made.agent or (agent if made.role == "assistant" else None)))

    def _tool(self, event: Mapping[str, Any], at: Pointer, agent: str | None) -> None:
        """A tool's answer; one that no model called is a call of the node that ran it."""
        data, name = event["data"], str(event.get("name") or "tool")
        made = _answer(data, name)
        called = next((call for call in reversed(self._called) if call.id == made.id), None) if made.id else None
        if called is None and not made.id:
            open_ = [call for call in self._called if call.name == name and call.id not in self._answered]
            called = open_[0] if open_ else None
            made = made._replace(id=called.id if called else None)
        if called is None:
            call = Call(name, arguments_text(data.get("input")), made.id)
            self.messages.append(Message("assistant", agent=agent, calls=(call,), pointer=at))
        self._answered.update({made.id} if made.id else set())
        self.messages.append(Message("tool", results=(made,), pointer=at))


def _answer(data: Mapping[str, Any], name: str) -> Result:
    """What a tool brought: a tool message, an error, documents, or any value."""
    call_id = data.get("tool_call_id") if isinstance(data.get("tool_call_id"), str) else None
    if "error" in data:
        error = data["error"]
        kind = (
            error["id"][-1] if isinstance(error, Mapping) and isinstance(error.get("id"), list) and error["id"] else ""
        )
        text = str(error.get("repr") or json_text(error)) if isinstance(error, Mapping) else str(error)
        return Result(text, call_id, name, *tool_outcome(text, error_type=str(kind or "unnamed")))
    output = data.get("output")
    found = plain(output)
    if found and found.kind in {"tool", "function"}:
        made = result(found.fields)
        return made._replace(id=made.id or call_id, name=made.name or name)
    text = output if isinstance(output, str) else "" if output is None else _unmade(output)
    return Result(text, call_id, name, *tool_outcome(text))


def _unmade(output: Any) -> str:
    """A value that is no message: `dumpd` gives what it cannot serialise as Python shows it."""
    if isinstance(output, Mapping) and output.get("lc") == 1 and isinstance(output.get("repr"), str):
        return str(output["repr"])
    return json_text(output)


def _messages(value: Any, at: Pointer, role: str) -> Iterator[tuple[Message, str | None]]:
    """The messages in an input or output, with their ids: a message, lists of them, a state, generations, a text."""
    found = plain(value)
    if found:
        yield message(found, at), _id(found)
    elif isinstance(value, str) and value.strip() and role == "assistant":
        yield Message(role, value, pointer=at), None
    elif is_message(value):
        yield normalise(value, at), value.get("id") if isinstance(value.get("id"), str) else None
    else:
        for each, here, whose in _inside(value, at, role):
            yield from _messages(each, here, whose)


def _inside(value: Any, at: Pointer, role: str) -> Iterator[tuple[Any, Pointer, str]]:
    """What may hold the messages of a value that is none: the members of a list, or the telling key of an object."""
    if isinstance(value, list):
        pair = len(value) == 2 and all(isinstance(each, str) for each in value)  # ("user", "What ...?")
        members = [{"role": ROLES.get(value[0], value[0]), "content": value[1]}] if pair else value
        yield from ((each, at if pair else child(at, str(n)), role) for n, each in enumerate(members))
    elif isinstance(value, Mapping):
        key = next((key for key in ("messages", "generations", "message", "text") if key in value), None)
        if key:
            yield value[key], child(at, key), "assistant" if key in {"generations", "text"} else role
        elif value.get("lc") == 1:
            yield value.get("kwargs"), child(at, "kwargs"), role


def _id(found: Plain) -> str | None:
    return found.fields["id"] if isinstance(found.fields.get("id"), str) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
