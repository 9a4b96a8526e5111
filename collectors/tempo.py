"""Grafana Tempo's answer for one trace: OTLP groups under `batches`, or the newer `trace.resourceSpans`.

The spans are OTLP's, often in the shape of before 2022 (`instrumentationLibrarySpans`), with ids in base64 and
nanoseconds as numbers, which a JSON encoder may have rounded to the nearest 256.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.collectors import otlp
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.records import Span

NAME = "otel_tempo_json"
_SCOPED = frozenset(otlp.SCOPE_LISTS)


def detect(container: Container) -> str | None:
    """`batches`, alone or inside `trace`, with scopes in them; or `trace` with `resourceSpans`."""
    if container.kind not in {"json", "jsonl"}:
        return "not JSON"
    for document in container.documents[:100]:
        path = _path(document.value)
        if path is None:
            return "no list 'batches'"
        groups = _at(document.value, path)
        if groups and not any(isinstance(group, dict) and _SCOPED & group.keys() for group in groups):
            return "'batches' without 'scopeSpans'"
    return None


def read(container: Container) -> Batch:
    """All spans of the answers, in the order of the file."""
    spans: list[Span] = []
    for document in container.documents:
        path = _path(document.value) or ("batches",)
        groups = _at(document.value, path)
        spans += otlp.group_spans(groups, NAME, container.source, document.line, "/" + "/".join(path))
    return Batch(spans=tuple(spans))


def _path(value: Any) -> tuple[str, ...] | None:
    """Where the groups stand."""
    if not isinstance(value, Mapping):
        return None
    inner = value.get("trace")
    for path in (("batches",), ("trace", "batches"), ("trace", "resourceSpans")):
        holder = value if len(path) == 1 else inner
        if isinstance(holder, Mapping) and isinstance(holder.get(path[-1]), list):
            return path
    return None


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


COLLECTOR = Collector(NAME, detect, read)
