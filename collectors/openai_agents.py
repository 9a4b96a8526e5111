"""OpenAI Agents SDK: traces as its exporters send them, and the RunState that it writes to go on later.

A trace is a list of items: one `trace`, and its `trace.span`s as they ended, bare, one per line, or under `data` as in
the HTTP body. With the Responses API a trace holds no text of any message; the RunState does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tracer.collectors.agents_span import HEAD
from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.otel_python import unix_ns
from tracer.collectors.run_state import is_run_state, state_recording
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

NAME = "openai_agents"
_OBJECTS = frozenset({"trace", "trace.span"})


def detect(container: Container) -> str | None:
    """Items whose `object` is a trace or a span of one; or a RunState."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    for value, _ in _items(container):
        if is_run_state(value):
            return None
        if not isinstance(value, Mapping) or value.get("object") not in _OBJECTS:
            return "no 'object' that is 'trace' or 'trace.span', and no '$schemaVersion' with 'current_agent'"
        return None if "span_data" in value or value["object"] == "trace" else "no key 'span_data'"
    return "empty"


def read(container: Container) -> Batch:
    """The spans of all traces; one run per RunState."""
    items = list(_items(container))
    traces = {value["id"]: value for value, _ in items if _is(value, "trace") and isinstance(value.get("id"), str)}
    spans = tuple(_span(value, at, traces) for value, at in items if _is(value, "trace.span"))
    return Batch(tuple(state_recording(value, at, NAME) for value, at in items if is_run_state(value)), spans)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, Mapping) and value.get("object") == kind


def _items(container: Container) -> Iterator[tuple[Any, Pointer]]:
    """Each item with its place: of a body, of an array, or alone."""
    for document in container.documents:
        value, at = document.value, Pointer(file=container.source, line=document.line)
        if isinstance(value, Mapping) and isinstance(value.get("data"), list) and "object" not in value:
            value, at = value["data"], child(at, "data")
        if isinstance(value, list):
            yield from ((item, child(at, str(position))) for position, item in enumerate(value))
        else:
            yield value, at


def _span(raw: Mapping[str, Any], at: Pointer, traces: Mapping[str, Mapping[str, Any]]) -> Span:
    try:
        return _parsed(raw, at, traces)
    except (ValueError, OverflowError) as error:
        raise BadInputError(f"{where(at)}: malformed span: {str(error).splitlines()[0]}") from error


def _parsed(raw: Mapping[str, Any], at: Pointer, traces: Mapping[str, Mapping[str, Any]]) -> Span:
    data, error = raw.get("span_data"), raw.get("error")
    if not isinstance(data, Mapping):
        raise ValueError("no object 'span_data'")
    trace_id, span_id, parent = raw.get("trace_id"), raw.get("id"), raw.get("parent_id")
    if not isinstance(trace_id, str) or not isinstance(span_id, str) or not trace_id or not span_id:
        raise ValueError("no 'trace_id' or no 'id'")
    return Span(
        format=NAME,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent if isinstance(parent, str) and parent else None,
        name=str(data.get("name") or data.get("type") or ""),
        scope="openai_agents",
        started_ns=unix_ns(raw.get("started_at")),
        ended_ns=unix_ns(raw.get("ended_at")),
        status="error" if error else "unset",
        status_message=_message(error),
        attributes={
            **{f"{HEAD}{key}": value for key, value in data.items() if value is not None},
            **({} if parent else _of_trace(traces.get(trace_id, {}))),
        },
        pointer=at,
    )


def _of_trace(trace: Mapping[str, Any]) -> dict[str, Any]:
    """What the trace says of itself; its group is the conversation that several traces are turns of."""
    named = {
        "gen_ai.workflow.name": trace.get("workflow_name"),
        "gen_ai.conversation.id": trace.get("group_id"),
        f"{HEAD}metadata": trace.get("metadata"),
    }
    return {name: value for name, value in named.items() if value}


def _message(error: Any) -> str | None:
    """`message: details`, of which either may be missing."""
    if not isinstance(error, Mapping):
        return str(error) if error else None
    data = error.get("data")
    inner = data.get("error") if isinstance(data, Mapping) else None
    return ": ".join(str(part) for part in (error.get("message"), inner) if part) or "error"


COLLECTOR = Collector(NAME, detect, read)
