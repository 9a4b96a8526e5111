"""OpenTelemetry whose output depends on nothing but the program: seeded ids, a clock of its own, no machine in it.

The spans are the SDK's, and the exporter that writes them is the caller's. Between the two, `SteadySpans` replaces what
differs from one machine or run to the next: times, the UUIDs that a framework draws, and folders in tracebacks.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Status

_START_NS = 1_767_603_600_000_000_000  # 2026-01-05 09:00 UTC
_PAUSE_NS = {"LLM": 1_800_000_000, "TOOL": 240_000_000}
_OTHER_PAUSE_NS = 2_000_000
"""How long the clock stands still before a span of a kind ends: spans of one thread never overlap by accident."""
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_FOLDER = re.compile(r"/[^\s\"'\\]*/(?=(?:site-packages|python3\.\d+|tracer|data)/)")
"""What stands before the package in a traceback's file names."""


class SeededIds(IdGenerator):
    """Span and trace ids from a seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1


class SteadySpans(SpanProcessor):
    """Holds a run's spans until shutdown, then exports them in the order in which they ended."""

    def __init__(self, exporter: SpanExporter, seed: str) -> None:
        self._exporter = exporter
        self._seed = seed
        self._now = _START_NS
        self._started: dict[int, int] = {}
        self._ended: list[ReadableSpan] = []
        self._uuids: dict[str, str] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._now += _OTHER_PAUSE_NS
        self._started[_span_id(span)] = self._now

    def on_end(self, span: ReadableSpan) -> None:
        kind = str((span.attributes or {}).get("openinference.span.kind"))
        self._now += _PAUSE_NS.get(kind, _OTHER_PAUSE_NS)
        self._ended.append(self._steady(span))

    def shutdown(self) -> None:
        self._exporter.export(self._ended)
        self._exporter.shutdown()

    def _steady(self, span: ReadableSpan) -> ReadableSpan:
        """The same span, at the clock's times."""
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._clean(span.attributes or {}),
            events=[Event(event.name, self._clean(event.attributes or {}), self._now) for event in span.events],
            links=span.links,
            kind=span.kind,
            status=self._status(span.status),
            start_time=self._started[_span_id(span)],
            end_time=self._now,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _status(self, status: Status) -> Status:
        return Status(status.status_code, self._text(status.description) if status.description else None)

    def _clean(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._text(value) if isinstance(value, str) else value for key, value in attributes.items()}

    def _text(self, text: str) -> str:
        return _FOLDER.sub("", _UUID.sub(lambda found: self._numbered(found[0]), text))

    def _numbered(self, drawn: str) -> str:
        """The n-th UUID that appears is always the same one."""
        name = f"{self._seed}-{len(self._uuids)}"
        return self._uuids.setdefault(drawn, str(uuid.uuid5(uuid.NAMESPACE_URL, name)))


def _span_id(span: ReadableSpan) -> int:
    if span.context is None:
        raise ValueError(f"span {span.name!r} has no context")
    return int(span.context.span_id)
