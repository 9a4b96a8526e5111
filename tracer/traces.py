"""Spans in the store: a trace may arrive in many files and in any order, and its runs are derived anew as it grows.

Traces that name the same conversation, or that one run was derived from, are rebuilt together. Events that travelled
apart from their span (log records) join it, and wait for it when they came first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tracer import rows
from tracer.database import Database
from tracer.records import Recording, Span

Derive = Callable[[Sequence[Span]], list[tuple[Recording, tuple[str, ...]]]]
"""Spans of whole traces -> the runs in them, each with the ids of its traces."""
Insert = Callable[[Sequence[Recording]], None]
"""Appends runs with their steps."""
Key = tuple[str, str]
"""Trace and span id."""
Events = Sequence[tuple[Key, dict[str, Any]]]
"""Events with the span that each belongs to."""

_COLUMNS = (*rows.columns(Span), "conversation")
_OF_RUN = ("runs", "steps", "edges", "graphs", "findings", "run_traces")


class Change(NamedTuple):
    """What adding spans did, and what the file that brought them holds."""

    runs: int
    steps: int
    spans: int
    held_runs: int
    held_steps: int
    part_of: str | None
    """The source of the run that the spans joined, when they began no run of their own."""


def add_spans(
    database: Database,
    source: str,
    spans: Sequence[Span],
    derive: Derive,
    insert: Insert,
    events: Events = (),
) -> Change:
    """Merge spans into their traces, and where that changed anything, replace the runs of these traces."""
    batch = list(map(_row, spans))
    keys = {(row["trace_id"], row["span_id"]) for row in batch}
    traces = _connected(database, batch, {rows.sane(trace) for (trace, _), _ in events})
    stored = {(row["trace_id"], row["span_id"]): row for row in _stored(database, traces)}
    changed = _merge(batch, stored)
    _join_events(database, events, traces, stored, changed)
    before = _owners(database, traces)
    if changed:
        database.delete("spans", [{"trace_id": trace, "span_id": span} for trace, span in changed])
        database.insert("spans", list(changed.values()))
        merged = sorted((stored | changed).values(), key=_in_time)
        derived = [(recording, ids) for recording, ids in derive(list(map(_span, merged))) if recording.steps]
        _replace(database, before, derived, insert)
    after = _owners(database, traces)
    joined = next(iter(before.values())).source if before and not after.keys() - before.keys() else source
    return Change(
        runs=len(after.keys() - before.keys()),
        steps=max(0, sum(owner.steps for owner in after.values()) - sum(owner.steps for owner in before.values())),
        spans=sum(key not in stored for key in changed),
        held_runs=len(_owners(database, {trace for trace, _ in keys})),
        held_steps=_steps_of(database, keys),
        part_of=None if joined == source else joined,
    )


class _Owner(NamedTuple):
    """A run that was derived from traces."""

    source: str
    steps: int


def _owners(database: Database, traces: Iterable[str]) -> dict[str, _Owner]:
    """The runs derived from any of the traces, by id, in order of ingestion."""
    query = """SELECT id, source, (SELECT count(*) FROM steps WHERE run = id) FROM runs
        WHERE id IN (SELECT run FROM run_traces WHERE trace_id IN (SELECT unnest(?::VARCHAR[]))) ORDER BY seq"""
    return {run: _Owner(source, steps) for run, source, steps in database.all(query, [list(traces)])}


def _connected(database: Database, batch: Sequence[Mapping[str, Any]], more: set[str]) -> set[str]:
    """The traces of the batch, and more, and step by step all that share a run or a conversation with one of them."""
    traces = {row["trace_id"] for row in batch} | more
    talks = {row["conversation"] for row in batch if row["conversation"] is not None}
    query = """
        SELECT trace_id, NULL FROM run_traces
            WHERE run IN (SELECT run FROM run_traces WHERE trace_id IN (SELECT unnest($traces::VARCHAR[])))
        UNION SELECT DISTINCT trace_id, conversation FROM spans
            WHERE trace_id IN (SELECT unnest($traces::VARCHAR[]))
                OR conversation IN (SELECT unnest($talks::VARCHAR[]))"""
    while True:
        found = database.all(query, {"traces": list(traces), "talks": list(talks)})
        grown = traces | {trace for trace, _ in found}, talks | {talk for _, talk in found if talk is not None}
        if grown == (traces, talks):
            return traces
        traces, talks = grown


def _stored(database: Database, traces: Iterable[str]) -> list[dict[str, Any]]:
    """The span rows of the traces."""
    query = f"SELECT {', '.join(_COLUMNS)} FROM spans WHERE trace_id IN (SELECT unnest(?::VARCHAR[]))"  # noqa: S608
    return [dict(zip(_COLUMNS, row, strict=True)) for row in database.all(query, [list(traces)])]


def _merge(batch: Iterable[dict[str, Any]], stored: Mapping[Key, dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """The rows that are new or differ: a finished span wins over an unfinished one, then the last wins."""
    changed: dict[Key, dict[str, Any]] = {}
    for row in batch:
        key = (row["trace_id"], row["span_id"])
        old = changed.get(key) or stored.get(key)
        if old is not None and old["events"] != row["events"]:  # it may have been joined by events since
            row["events"] = _united(old["events"], row["events"])
        finishes_nothing = old is not None and old["ended_ns"] is not None and row["ended_ns"] is None
        if not finishes_nothing and not _same(old, row):
            changed[key] = row
    return changed


def _join_events(
    database: Database,
    events: Events,
    traces: Iterable[str],
    stored: Mapping[Key, dict[str, Any]],
    changed: dict[Key, dict[str, Any]],
) -> None:
    """Give events to their spans, those that waited in the store, too; the others wait there from now on."""
    query = "SELECT trace_id, span_id, event FROM loose_events WHERE trace_id IN (SELECT unnest(?::VARCHAR[]))"
    waiting = dict.fromkeys(database.all(query, [list(traces)]), True)
    for (trace, span), event in events:
        waiting.setdefault((rows.sane(trace), rows.sane(span), rows.to_json(event) or ""), False)
    for (trace, span, event), is_kept in waiting.items():
        row = changed.get((trace, span)) or stored.get((trace, span))
        loose = {"trace_id": trace, "span_id": span, "event": event}
        if row is None and not is_kept:
            database.insert("loose_events", [loose])
        elif row is not None:
            united = _united(row["events"], f"[{event}]")
            if united != row["events"]:
                changed[trace, span] = row | {"events": united}
            if is_kept:
                database.delete("loose_events", [loose])


def _united(first: str, second: str) -> str:
    """The events of both lists, each once, in order of time."""
    found = orjson.loads(first)
    found += [event for event in orjson.loads(second) if event not in found]
    return orjson.dumps(sorted(found, key=lambda event: event.get("time_ns") or 0)).decode()


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> bool:
    """Equal in all but the place where they were read."""
    return old is not None and all(old[name] == new[name] for name in _COLUMNS if name != "pointer")


def _replace(
    database: Database,
    before: Iterable[str],
    derived: Sequence[tuple[Recording, tuple[str, ...]]],
    insert: Insert,
) -> None:
    """Put the derived runs in the place of those of before; a mark goes to the run that took over its trace."""
    gone = list(before)
    owned = database.all("SELECT run, trace_id FROM run_traces WHERE run IN (SELECT unnest(?::VARCHAR[]))", [gone])
    for table in _OF_RUN:
        column = "id" if table == "runs" else "run"
        database.all(f"DELETE FROM {table} WHERE {column} IN (SELECT unnest(?::VARCHAR[]))", [gone])  # noqa: S608
    insert([recording for recording, _ in derived])
    pairs = [{"run": r.run.id, "trace_id": rows.sane(trace)} for r, ids in derived for trace in ids]
    database.insert("run_traces", pairs)
    _move_marks(database, owned, {pair["trace_id"]: pair["run"] for pair in pairs})


def _move_marks(database: Database, owned: Sequence[tuple[str, str]], owner: Mapping[str, str]) -> None:
    """Marks of runs whose id vanished, because their traces turned out to be part of another run."""
    alive = set(owner.values())
    heirs = {run: owner[trace] for run, trace in owned if run not in alive and trace in owner}
    for run, heir in heirs.items():
        unmarked = "NOT EXISTS (SELECT 1 FROM marks WHERE run = ?)"
        database.all(f"UPDATE marks SET run = ? WHERE run = ? AND {unmarked}", [heir, run, heir])  # noqa: S608


def _steps_of(database: Database, keys: Iterable[Key]) -> int:
    """How many steps stand on these spans."""
    listed = list(keys)
    query = """SELECT count(*) FROM steps WHERE span_id IN (SELECT unnest(?::VARCHAR[]))
        AND run IN (SELECT run FROM run_traces WHERE trace_id IN (SELECT unnest(?::VARCHAR[])))"""
    [(count,)] = database.all(query, [[span for _, span in listed], list({trace for trace, _ in listed})])
    return int(count)


def _row(span: Span) -> dict[str, Any]:
    return rows.to_row(span, conversation=rows.conversation(span))


def _span(row: Mapping[str, Any]) -> Span:
    return rows.from_row(Span, [row[name] for name in rows.columns(Span)])


def _in_time(row: Mapping[str, Any]) -> tuple[bool, int, int, str, str]:
    """By start, never by arrival, so that the order of the files does not matter; unstarted spans last."""
    started, ended = row["started_ns"], row["ended_ns"]
    return started is None, started or 0, ended or 0, row["trace_id"], row["span_id"]
