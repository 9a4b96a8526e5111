"""LangSmith: exported runs, and the bodies that its SDK sends (`post` begins runs, `patch` ends them).

`dotted_order` tells place and ancestry where a run names no parent. Of one run's bodies the later value wins, but
nothing wins over something by being empty. Runs come as an array, one per line, nested in `child_runs`, or as the rows
of a bulk export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.fields import mapping
from tracer.collectors.langsmith_run import INPUTS, METADATA, OUTPUTS, TYPE
from tracer.collectors.messages import decode
from tracer.collectors.otel_python import unix_ns
from tracer.collectors.scores import evaluation
from tracer.errors import BadInputError
from tracer.records import Pointer, Span

NAME = "langsmith"
TYPES = frozenset({"llm", "chain", "tool", "retriever", "embedding", "prompt", "parser"})
_BODIES = ("post", "patch")
_KEYS = frozenset({*_BODIES, "runs", "run_type", "dotted_order"})
"""An object without any of them holds no run."""
_MAX_DEPTH = 100
"""`child_runs` deeper than this are no run's."""

Raw = Mapping[str, Any]


def detect(container: Container) -> str | None:
    """A body with `post` or `patch`, or runs: a `run_type` with a trace, an order or a parent."""
    if container.kind not in {"json", "jsonl", "parquet"}:
        return "not JSON"
    raw, _ = next(_runs(container), (None, None))
    if raw is None:
        return "no run with 'run_type' and 'dotted_order'"
    if not isinstance(raw.get("id"), str):
        return "a run without 'id'"
    placed = {"dotted_order", "trace_id", "parent_run_id"} & raw.keys()
    known = str(raw.get("run_type")) in TYPES or "dotted_order" in raw
    return None if placed and known else "no 'dotted_order'"


def read(container: Container) -> Batch:
    """All runs as spans, each once."""
    merged: dict[str, tuple[dict[str, Any], Pointer]] = {}
    for raw, at in _runs(container):
        key = raw.get("id")
        if not isinstance(key, str) or not key:
            raise BadInputError(f"{where(at)}: a run without 'id'")
        before, place = merged.get(key, ({}, at))
        merged[key] = {**before, **{name: value for name, value in raw.items() if not _says_nothing(value)}}, place
    return Batch(spans=tuple(_span(raw, at) for raw, at in merged.values()))


def _says_nothing(value: Any) -> bool:
    return value is None or value in ({}, [], "")


def _runs(container: Container) -> Iterator[tuple[Raw, Pointer]]:
    for document in container.documents:
        if type(document.value) is dict and _KEYS.isdisjoint(document.value):
            continue  # a large file of another format is passed over quickly
        yield from _within(document.value, Pointer.trusted({"file": container.source, "line": document.line}), 0)


def _within(value: Any, at: Pointer, depth: int) -> Iterator[tuple[Raw, Pointer]]:
    """The runs of a body, a page, an array, or a run with those below it."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _within(item, child(at, str(position)), depth)
    elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
        bodies = [key for key in (*_BODIES, "runs") if isinstance(value.get(key), list)]
        if "run_type" in value or "dotted_order" in value:
            yield value, at
            yield from _within(value.get("child_runs"), child(at, "child_runs"), depth + 1)
        else:
            for key in bodies:
                yield from _within(value[key], child(at, key), depth + 1)


def _span(raw: Raw, at: Pointer) -> Span:
    try:
        return _parsed(raw, at)
    except (ValueError, OverflowError) as error:
        raise BadInputError(f"{where(at)}: malformed run: {str(error).splitlines()[0]}") from error


def _parsed(raw: Raw, at: Pointer) -> Span:
    line = _ancestry(raw)
    extra = mapping(decode(raw.get("extra")))
    runtime = mapping(decode(extra.get("runtime")))
    parent = raw.get("parent_run_id") or (line[-2] if len(line) > 1 else None)
    error = raw.get("error")
    return Span(
        format=NAME,
        trace_id=str(raw.get("trace_id") or (line[0] if line else raw["id"])),
        span_id=str(raw["id"]),
        parent_id=str(parent) if parent else None,
        name=str(raw.get("name") or ""),
        scope=str(runtime.get("library") or runtime.get("sdk") or "") or None,
        started_ns=unix_ns(raw.get("start_time")),
        ended_ns=unix_ns(raw.get("end_time")),
        status="error" if error or raw.get("status") == "error" else "unset",
        status_message=str(error) if error else None,
        attributes=_attributes(raw, extra),
        events=_feedback(raw),
        pointer=at,
    )


def _ancestry(raw: Raw) -> list[str]:
    """The ids from the root to the run: `20241011T205824544431Z<uuid>.20241011T...`."""
    order = raw.get("dotted_order")
    return [part.partition("Z")[2] for part in order.split(".") if "Z" in part] if isinstance(order, str) else []


def _attributes(raw: Raw, extra: Raw) -> dict[str, Any]:
    """The run's fields under the names of LangSmith's own OpenTelemetry export, where it has one."""
    found = {
        TYPE: raw.get("run_type") or "chain",
        INPUTS: decode(raw.get("inputs")),
        OUTPUTS: decode(raw.get("outputs")),
        METADATA: mapping(decode(extra.get("metadata"))) or None,
        "langsmith.invocation_params": mapping(decode(extra.get("invocation_params"))) or None,
        "langsmith.trace.session_name": raw.get("session_name"),
        "langsmith.span.tags": raw.get("tags"),
        "langsmith.dotted_order": raw.get("dotted_order"),
        "langsmith.events": raw.get("events"),
        "gen_ai.usage.input_tokens": raw.get("prompt_tokens"),
        "gen_ai.usage.output_tokens": raw.get("completion_tokens"),
    }
    return {name: value for name, value in found.items() if not _says_nothing(value)}


def _feedback(raw: Raw) -> tuple[dict[str, Any], ...]:
    """What people and evaluators said of the run: `feedback_stats` by key, or a list of feedback."""
    stats = mapping(decode(raw.get("feedback_stats")))
    said = [evaluation(key, None, value.get("avg")) for key, value in stats.items() if isinstance(value, Mapping)]
    listed = raw.get("feedback")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, Mapping):
            said.append(evaluation(each.get("key"), each.get("value"), each.get("score")))
    return tuple(event for event in said if event is not None)


COLLECTOR = Collector(NAME, detect, read)
