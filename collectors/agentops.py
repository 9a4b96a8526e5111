"""AgentOps: a trace with its spans, whose dotted attributes the export nested into objects and lists.

Flattened again they are OpenLLMetry's (`gen_ai.prompt.0.content`) with AgentOps' own kinds beside them. A workflow's
span repeats the tokens of all models below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.fields import items
from tracer.collectors.otel_python import unix_ns
from tracer.collectors.otlp import canonical_id
from tracer.collectors.scores import evaluation
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

NAME = "agentops"
_SDK = frozenset({"", "agentops", "default_application"})
"""What the SDK calls a service that nobody named."""


def detect(container: Container) -> str | None:
    """A `trace` with `spans`, each with `span_attributes`."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    for document in container.documents[:20]:
        value = document.value
        if not isinstance(value, Mapping) or not isinstance(value.get("spans"), list):
            return "no list 'spans'"
        spans = value["spans"]
        if not spans and "freeplan_truncated" not in str(value.get("trace")):
            return "no spans"
        if spans and not (isinstance(spans[0], Mapping) and {"span_attributes", "span_id"} <= spans[0].keys()):
            return "no key 'span_attributes'"
    return None if container.documents else "empty"


def read(container: Container) -> Batch:
    """All spans, in the order of the file."""
    places = ((document.value, Pointer(file=container.source, line=document.line)) for document in container.documents)
    return Batch(spans=tuple(span for value, at in places for span in _spans(value, at)))


def _spans(value: Any, at: Pointer) -> Iterator[Span]:
    listed = value.get("spans") if isinstance(value, Mapping) else None
    if not isinstance(listed, list):
        raise BadInputError(f"{where(at)}: no list 'spans' here")
    trace = value.get("trace")
    own = trace.get("trace_id") if isinstance(trace, Mapping) else None
    for position, raw in enumerate(listed):
        place = child(child(at, "spans"), str(position))
        try:
            yield _parsed(raw, own or value.get("trace_id"), place)
        except (ValueError, OverflowError) as error:
            raise BadInputError(f"{where(place)}: malformed span: {str(error).splitlines()[0]}") from error


def _parsed(raw: Any, trace: Any, at: Pointer) -> Span:
    if not isinstance(raw, Mapping):
        raise ValueError("expected an object")
    trace_id, span_id = canonical_id(raw.get("trace_id") or trace, 16), canonical_id(raw.get("span_id"), 8)
    if trace_id is None or span_id is None:
        raise ValueError("no 'trace_id' or no 'span_id'")
    attributes = {**flatten(raw.get("attributes")), **flatten(raw.get("span_attributes"))}
    resource = flatten(raw.get("resource_attributes"))
    status = str(raw.get("status_code") or "").upper()
    return Span(
        format=NAME,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=canonical_id(raw.get("parent_span_id"), 8),
        name=str(raw.get("span_name") or ""),
        kind=str(raw.get("span_kind") or "").lower() or None,
        service=service if (service := str(raw.get("service_name") or "")) not in _SDK else None,
        started_ns=unix_ns(raw.get("start_time")),
        ended_ns=unix_ns(raw.get("end_time")),
        status=_STATUS.get(status.removeprefix("STATUS_CODE_"), "unset"),
        status_message=str(raw.get("status_message") or "") or None,
        attributes=attributes,
        events=(*_events(raw), *_end(attributes)),
        links=_links(raw),
        resource=resource,
        pointer=at,
    )


_STATUS: dict[str, Literal["ok", "error"]] = {"OK": "ok", "ERROR": "error"}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted keys, lists of objects by index; a list of plain values stays whole."""
    found: dict[str, Any] = {}
    waiting = [(prefix, value)] if value is not None else []
    while waiting:
        key, item = waiting.pop()
        objects = isinstance(item, list) and any(isinstance(each, Mapping) for each in item)
        if isinstance(item, Mapping) and (item or not key):
            waiting += [(f"{key}.{name}" if key else str(name), inner) for name, inner in reversed(list(item.items()))]
        elif isinstance(item, list) and objects:
            waiting += [(f"{key}.{index}", inner) for index, inner in reversed(list(enumerate(item)))]
        else:
            found[key] = item
    return found


def _events(raw: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Events stand as columns: names, times and attributes, each a list."""
    names, times, attributes = (items(raw.get(f"event_{column}")) for column in ("names", "timestamps", "attributes"))
    return tuple(
        {
            "name": str(name),
            "time_ns": unix_ns(times[position]) if position < len(times) else None,
            "attributes": flatten(attributes[position]) if position < len(attributes) else {},
        }
        for position, name in enumerate(names)
    )


def _end(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """A session that its program ended as failed; one that merely ended says nothing."""
    state = str(attributes.get("agentops.session.end_state") or "").lower()
    event = evaluation("session end state", "fail", None) if state in {"fail", "failed", "failure", "error"} else None
    return (event,) if event else ()


def _links(raw: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    traces, spans = items(raw.get("link_trace_ids")), items(raw.get("link_span_ids"))
    pairs = ((canonical_id(trace, 16), canonical_id(span, 8)) for trace, span in zip(traces, spans, strict=False))
    return tuple({"trace_id": trace, "span_id": span, "attributes": {}} for trace, span in pairs if trace and span)


COLLECTOR = Collector(NAME, detect, read)
