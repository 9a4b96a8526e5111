"""The store: one DuckDB file that holds everything that was read, and what was found out about it.

A *source* is one file (or archive member), known by the digest of its bytes. It brought *runs* whole, or *spans*, from
which the runs of their traces are derived, again whenever a trace grows. A run has *steps*, and may have *edges* (its
graph), *findings* (one per analysis and method) and a *mark* (the user's word on the outcome, apart from the log's).
A *fork* is a run that was lived again from a step of another one, its parent: it answers to its address, but it is not
listed among the runs, and `@last` never means it.

Invariant, which `verify` checks: a run's id is the first 12 hex digits of its content hash, and unique; its steps are
numbered from 0 without a gap; every other row belongs to a run that exists. So loading the same content twice changes
nothing, and one source is added in one transaction or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tracer import rows
from tracer.checks import TABLES_OF_RUN, problems
from tracer.database import WAIT, Database, connect, require
from tracer.errors import DatabaseError, NoSuchRunError
from tracer.records import Anchors, Cited, Edge, Finding, Outcome, Recording, Run, Span, Step
from tracer.traces import Change, Derive, Events, add_spans

_RUN = ", ".join(f'r."{name}"' for name in rows.columns(Run))
_MARKED = _RUN.replace('r."outcome_source"', "CASE WHEN m.run IS NULL THEN r.outcome_source ELSE 'user' END").replace(
    'r."outcome"', "coalesce(m.outcome, r.outcome)"
)
"""A run's columns with the user's mark in the place of the log's outcome."""
_RUNS = f"""SELECT {_MARKED.replace('r."expected"', "coalesce(m.expected, r.expected)")}
    FROM runs r LEFT JOIN marks m ON m.run = r.id"""  # noqa: S608
_SHORTEST_PREFIX = 4


class Source(NamedTuple):
    """One loaded file, and what it holds."""

    digest: str
    source: str
    format: str
    runs: int
    steps: int
    spans: int
    part_of: str | None = None
    """The source that this one is a part of: its format says so, or its spans joined a run that the other began."""


class Added(NamedTuple):
    """What a file added to the store, and what it holds in all."""

    runs: int
    steps: int
    spans: int
    holds: Source
    joined: tuple[str, ...] = ()
    """Sources loaded earlier that turned out to be part of this one."""


class Summary(NamedTuple):
    """A run with the number of its steps and its cast."""

    run: Run
    steps: int
    agents: tuple[str, ...]
    """In order of appearance."""


class Progress(NamedTuple):
    """How far a run is that was derived from spans."""

    complete: bool
    """Each of its traces has its outermost span, which is the last to come."""
    last: datetime | None
    """When the latest of its spans ended."""


class Mark(NamedTuple):
    """The user's word on how a run ended."""

    run: str
    outcome: Outcome
    expected: str | None = None


class ForkKey(NamedTuple):
    """What makes a fork the one it is, and who lived it."""

    key: str
    """A digest of all that the fork was made from."""
    replayer: str
    seed: int
    stand_in: str | None = None


class Store:
    """The database of one project; use it in a `with` block and keep the block short, for it locks others out."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        self.path = path
        self._digests: set[str] | None = None
        """Digests that may be loaded: most files that are asked about are not, and that needs no query."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        read_only: bool = False,
        must_exist: bool = False,
        on_statement: Callable[[str], None] | None = None,
        wait: float = WAIT,
    ) -> Self:
        """Open the file, waiting up to `wait` seconds for another process; `on_statement` sees every SQL statement.

        A missing file is made, unless it is opened for reading or `must_exist`.
        """
        if read_only or must_exist:
            require(path)
        return cls(Database(connect(path, read_only=read_only, wait=wait), on_statement), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.database.connection.close()

    def add(
        self,
        source: str,
        digest: str,
        format: str,  # noqa: A002
        recordings: Sequence[Recording],
        spans: Sequence[Span],
        derive: Derive,
        *,
        events: Events = (),
        part_of: str | None = None,
        heads: bool = False,
    ) -> Added:
        """Add what one file brought, in one transaction; content that is known already changes nothing.

        `events` belong to spans that the file does not hold. `part_of` is the source of which this one is a part, where
        that is known without the store. With `heads`, files loaded before whose spans are in a run of this source
        become part of it.
        """
        if held := self.source(digest):
            return Added(0, 0, 0, held._replace(source=source))
        with self.database.transaction():
            new = self._add_recordings(source, recordings)
            change = Change(0, 0, 0, 0, 0, None)
            if spans or events:
                change = add_spans(self.database, source, spans, derive, self._insert, events)
            runs, steps = _size(recordings)
            holds = Source(
                digest=digest,
                source=rows.sane(source),
                format=format,
                runs=runs + change.held_runs,
                steps=steps + change.held_steps,
                spans=len(spans),
                part_of=rows.sane(part_of) if part_of else change.part_of,
            )
            joined = self._behead(holds) if heads else ()
            if joined:
                holds = holds._replace(part_of=None)
            self._remember(holds, recordings, {span.trace_id for span in spans} | {trace for (trace, _), _ in events})
        runs, steps = _size(new)
        return Added(runs + change.runs, steps + change.steps, change.spans, holds, joined)

    def _behead(self, head: Source) -> tuple[str, ...]:
        """Make the sources of spans in this source's runs part of it; which these were."""
        found = self.database.all(
            """UPDATE sources SET part_of = $head WHERE part_of IS NULL AND source <> $head AND digest IN (
                SELECT digest FROM source_traces JOIN run_traces USING (trace_id) JOIN runs ON runs.id = run
                WHERE runs.source = $head) RETURNING source""",
            {"head": head.source},
        )
        return tuple(source for (source,) in found)

    def is_blank(self) -> bool:
        """Whether nothing was ever loaded, drawn or found out, or all of it was removed."""
        tables = ("sources", "runs", "anchors", "rollouts")
        return not any(self.database.all(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)  # noqa: S608

    def has_sources(self) -> bool:
        """Whether any file was loaded: if not, there is no need to ask which."""
        return bool(self._known())

    def _known(self) -> set[str]:
        if self._digests is None:
            self._digests = {known for (known,) in self.database.all("SELECT digest FROM sources")}
        return self._digests

    def source(self, digest: str) -> Source | None:
        """The loaded file with these bytes, if any."""
        if digest not in self._known():
            return None
        found = self.database.all(f"SELECT {', '.join(Source._fields)} FROM sources WHERE digest = ?", [digest])  # noqa: S608
        return Source(*found[0]) if found else None

    def join_sources(self, source: str, digest: str, parts: Sequence[str]) -> Source | None:
        """Put one loaded file in the place of those that were its parts, and return it."""
        listed = {"digest": digest, "source": rows.sane(source), "parts": list(parts)}
        these = "digest IN (SELECT unnest($parts::VARCHAR[]))"
        with self.database.transaction():
            self.database.all(
                f"""INSERT INTO sources SELECT $digest, $source, any_value(format), sum(runs), sum(steps), sum(spans),
                    NULL, max(added) FROM sources WHERE {these} HAVING count(*) > 0""",  # noqa: S608
                listed,
            )
            del listed["source"]
            for table, column in (("source_runs", "run"), ("source_traces", "trace_id")):
                self.database.all(
                    f"INSERT INTO {table} SELECT DISTINCT $digest, {column} FROM {table} WHERE {these}",  # noqa: S608
                    listed,
                )
            for table in ("sources", "source_runs", "source_traces"):
                self.database.all(f"DELETE FROM {table} WHERE {these}", {"parts": listed["parts"]})  # noqa: S608
        self._digests = None
        return self.source(digest)

    def _add_recordings(self, source: str, recordings: Sequence[Recording]) -> list[Recording]:
        """Insert the runs that are not there yet, and return them."""
        hashes = dict(self.database.all(_in("SELECT id, content_hash FROM runs", "id"), [_ids(recordings)]))
        new = []
        for recording in recordings:
            run = recording.run
            if run.id not in hashes:
                hashes[run.id] = run.content_hash
                new.append(recording)
            if hashes[run.id] != run.content_hash:
                raise DatabaseError(f"{source}: another run has the address {run.id}: load this file into another --db")
        self._insert(new)
        return new

    def _insert(self, recordings: Sequence[Recording]) -> None:
        """Append runs and their steps."""
        [(last,)] = self.database.all("SELECT coalesce(max(seq), 0) FROM runs")
        runs = [run for run, _ in recordings]
        self.database.insert_records("runs", runs, seq=range(last + 1, last + 1 + len(runs)))
        held = [step for _, steps in recordings for step in steps]
        self.database.insert_records("steps", held, run=[run.id for run, steps in recordings for _ in steps])

    def _remember(self, holds: Source, recordings: Sequence[Recording], ids: Iterable[str]) -> None:
        """Write down that the file is loaded, and what hangs on it."""
        if self._digests is not None:
            self._digests.add(holds.digest)
        added = datetime.now(UTC).replace(tzinfo=None)
        self.database.insert("sources", [holds._asdict() | {"added": added}])
        self.database.insert("source_runs", [{"digest": holds.digest, "run": run} for run in _ids(recordings)])
        traces = sorted(set(map(rows.sane, ids)))
        self.database.insert("source_traces", [{"digest": holds.digest, "trace_id": trace} for trace in traces])

    def runs(self) -> list[Run]:
        """All runs but forks, the newest ingested last, each with the user's mark where there is one."""
        return [rows.from_row(Run, row) for row in self.database.all(f"{_RUNS} WHERE r.parent IS NULL ORDER BY r.seq")]

    def forks(self, parent: str) -> list[Run]:
        """The forks of a run, in the order in which they were kept."""
        query = f"{_RUNS} WHERE r.parent = ? ORDER BY r.seq"
        return [rows.from_row(Run, row) for row in self.database.all(query, [parent])]

    def held_forks(self, keys: Iterable[str]) -> dict[str, Run]:
        """Those of the forks that were lived before, by their keys."""
        pairs = self.database.all(_in("SELECT key, run FROM forks", "key"), [sorted(set(keys))])
        query = _in(_RUNS, "r.id")
        runs = [rows.from_row(Run, row) for row in self.database.all(query, [[run for _, run in pairs]])]
        by_id = {run.id: run for run in runs}
        return {key: by_id[run] for key, run in pairs if run in by_id}

    def add_forks(self, lived: Sequence[tuple[ForkKey, Recording]]) -> None:
        """Keep forks that were lived, all or none; one that another process kept meanwhile stays as it is."""
        with self.database.transaction():
            held = self.held_forks(key.key for key, _ in lived)
            new = {key.key: (key, recording) for key, recording in lived if key.key not in held}
            self._insert([recording for _, recording in new.values()])
            self.database.insert("forks", [key._asdict() | {"run": fork.run.id} for key, fork in new.values()])

    def summaries(self) -> list[Summary]:
        """All runs as in `runs`, with the number of steps and the agents."""
        sizes = {
            run: (steps, tuple(agents))
            for run, steps, agents in self.database.all("SELECT run, steps, agents FROM v_runs")
        }
        return [Summary(run, *sizes[run.id]) for run in self.runs()]

    def progress(self) -> dict[str, Progress]:
        """How far each run is that was derived from spans, by its id."""
        query = """SELECT run, bool_and(complete), to_timestamp(max(last) / 1e9)::TIMESTAMP FROM (
                SELECT r.run, coalesce(bool_or(s.parent_id IS NULL AND s.ended_ns IS NOT NULL), true) AS complete,
                    max(coalesce(s.ended_ns, s.started_ns)) AS last
                FROM run_traces r LEFT JOIN spans s ON s.trace_id = r.trace_id GROUP BY r.run, r.trace_id
            ) GROUP BY run"""
        return {
            run: Progress(complete, last and last.replace(tzinfo=UTC))
            for run, complete, last in self.database.all(query)
        }

    def run(self, ref: str) -> Run:
        """The run of an address: 12 hex digits, a unique prefix of at least 4, or @last, the last ingested."""
        if ref == "@last":
            found = self.database.all(f"{_RUNS} WHERE r.parent IS NULL ORDER BY r.seq DESC LIMIT 1")
            if not found:
                raise NoSuchRunError("the database holds no runs: run `tracer ingest LOGS` first")
            return rows.from_row(Run, found[0])
        if len(ref) < _SHORTEST_PREFIX:
            raise NoSuchRunError(f"{ref!r} is no address: give at least {_SHORTEST_PREFIX} hex digits, or @last")
        found = self.database.all(f"{_RUNS} WHERE starts_with(r.id, ?) ORDER BY r.seq", [rows.sane(ref.lower())])
        if len(found) != 1:
            raise NoSuchRunError(self._why_not_one(ref, [str(row[0]) for row in found]))
        return rows.from_row(Run, found[0])

    def _why_not_one(self, ref: str, ids: Sequence[str]) -> str:
        if ":" in ref:
            return f"{ref!r} names a step: give the run alone, {ref.partition(':')[0]}"
        if ids:
            listed = ", ".join(ids[:4]) + (", …" if len(ids) > 4 else "")
            return f"{len(ids)} runs start with {ref!r}: {listed}; give more digits"
        [(count,)] = self.database.all("SELECT count(*) FROM runs")
        return f"no run {ref!r} among {count}: `tracer runs` lists them"

    def steps(self, run_id: str) -> list[Step]:
        """The steps of a run, in order."""
        query = f"SELECT {', '.join(rows.columns(Step))} FROM steps WHERE run = ? ORDER BY index"  # noqa: S608
        return [rows.from_row(Step, row) for row in self.database.all(query, [run_id])]

    def steps_of(self, run_ids: Sequence[str]) -> dict[str, list[Step]]:
        """The steps of several runs by their ids, in one query; a run without steps has an empty list."""
        columns = rows.columns(Step)
        query = _in(f"SELECT run, {', '.join(columns)} FROM steps", "run") + " ORDER BY run, index"  # noqa: S608
        found: dict[str, list[Step]] = {run: [] for run in run_ids}
        for run, *row in self.database.all(query, [list(found)]):
            found[run].append(rows.from_row(Step, row))
        return found

    def spans(self, run_id: str) -> list[Span]:
        """The telemetry that a run was derived from, by start; empty for a run that was logged as such."""
        query = f"""SELECT {", ".join(rows.columns(Span))} FROM spans
            WHERE trace_id IN (SELECT trace_id FROM run_traces WHERE run = ?)
            ORDER BY started_ns NULLS LAST, ended_ns NULLS LAST, trace_id, span_id"""  # noqa: S608
        return [rows.from_row(Span, row) for row in self.database.all(query, [run_id])]

    def save_edges(self, run_id: str, edges: Iterable[Edge]) -> None:
        """Keep a run's graph, in the place of an earlier one."""
        self.save_graphs({run_id: list(edges)})

    def save_graphs(self, graphs: Mapping[str, Sequence[Edge]]) -> None:
        """Keep the graphs of several runs, by their ids, all or none."""
        runs = [{"run": run_id} for run_id in graphs]
        with self.database.transaction():
            self.database.delete("edges", runs)
            self.database.delete("graphs", runs)
            self.database.insert(
                "edges", [rows.to_row(edge, run=run) for run, edges in graphs.items() for edge in edges]
            )
            self.database.insert("graphs", [{"run": run, "edges": len(edges)} for run, edges in graphs.items()])

    def edges(self, run_id: str) -> list[Edge] | None:
        """The graph of a run; None when it was never computed."""
        if not self.database.all("SELECT 1 FROM graphs WHERE run = ?", [run_id]):
            return None
        query = f"""SELECT {", ".join(rows.columns(Edge))} FROM edges WHERE run = ?
            ORDER BY target, source, origin, reason"""  # noqa: S608
        return [rows.from_row(Edge, row) for row in self.database.all(query, [run_id])]

    def save_finding(self, finding: Finding) -> None:
        """Keep a finding, in the place of an earlier one of the same run, analysis and method."""
        self.save_findings([finding])

    def save_findings(self, findings: Sequence[Finding]) -> None:
        """Keep several findings, all or none."""
        keys = [{name: getattr(finding, name) for name in ("run", "analysis", "method")} for finding in findings]
        bodies = [{"verdict": finding.verdict, "body": rows.to_json(finding)} for finding in findings]
        with self.database.transaction():
            self.database.delete("findings", keys)
            self.database.insert("findings", [key | body for key, body in zip(keys, bodies, strict=True)])

    def findings(self, run_id: str) -> list[Finding]:
        """What was found out about a run."""
        query = "SELECT body FROM findings WHERE run = ? ORDER BY analysis, method"
        return [Finding.model_validate_json(body) for (body,) in self.database.all(query, [run_id])]

    def anchors(
        self, content: str, method: str, model: str, revision: str, parameters: Mapping[str, Any]
    ) -> Anchors | None:
        """What a method found in a chain of thought, if it was asked before with the same model and parameters."""
        query = """SELECT body FROM anchors
            WHERE content = ? AND method = ? AND model = ? AND revision = ? AND parameters = ?"""
        asked = [content, method, model, revision, rows.to_json(dict(parameters))]
        found = self.database.all(query, asked)
        return Anchors.model_validate_json(found[0][0]) if found else None

    def all_anchors(self, content: str) -> list[Anchors]:
        """What every method found in a chain of thought, with whatever model and parameters; by method, then model."""
        query = "SELECT body FROM anchors WHERE content = ? ORDER BY method, model, revision, parameters"
        return [Anchors.model_validate_json(body) for (body,) in self.database.all(query, [content])]

    def save_anchors(self, found: Anchors) -> None:
        """Keep what was found, in the place of an earlier answer to the same question."""
        key = {name: getattr(found, name) for name in ("content", "method", "model", "revision")}
        key["parameters"] = rows.to_json(found.parameters)
        with self.database.transaction():
            self.database.delete("anchors", [key])
            self.database.insert("anchors", [key | {"target": rows.sane(found.target), "body": rows.to_json(found)}])

    def citation(
        self, run_id: str, step: int, method: str, revision: str | None, parameters: Mapping[str, Any]
    ) -> Cited | None:
        """The sources that a method found of a step, if it was asked before with the same model and parameters."""
        query = """SELECT body FROM citations WHERE run = ? AND step = ? AND method = ?
            AND revision IS NOT DISTINCT FROM ? AND parameters = ?"""
        found = self.database.all(query, [run_id, step, method, revision, rows.to_json(dict(parameters))])
        return Cited.model_validate_json(found[0][0]) if found else None

    def save_citation(self, found: Cited) -> None:
        """Keep the sources of a step, in the place of an earlier answer to the same question."""
        key: dict[str, Any] = {name: getattr(found, name) for name in ("run", "step", "method")}
        key["parameters"] = rows.to_json(found.parameters)
        more = {"model": found.model, "revision": found.revision, "body": rows.to_json(found)}
        with self.database.transaction():
            self.database.all(
                """DELETE FROM citations WHERE run = ? AND step = ? AND method = ?
                AND revision IS NOT DISTINCT FROM ? AND parameters = ?""",
                [found.run, found.step, found.method, found.revision, key["parameters"]],
            )
            self.database.insert("citations", [key | more])

    def mark(self, run_id: str, outcome: Outcome, expected: str | None = None) -> None:
        """Set how a run ended, over what its log says; an expected answer given earlier stays unless replaced."""
        self.mark_all([Mark(run_id, outcome, expected)])

    def mark_all(self, marks: Iterable[Mark]) -> None:
        """Set how several runs ended, all or none."""
        with self.database.transaction():
            for run_id, outcome, expected in marks:
                earlier = self.database.all("SELECT expected FROM marks WHERE run = ?", [run_id])
                kept = earlier[0][0] if earlier and expected is None else expected
                self._forget(run_id, ("marks",))
                self.database.insert(
                    "marks", [{"run": run_id, "outcome": outcome, "expected": kept and rows.sane(kept)}]
                )

    def remove(self, run_id: str) -> None:
        """Drop a run, its forks and all that hangs on them, and forget its files: loading them brings it back."""
        traces = (
            "SELECT trace_id FROM run_traces WHERE run = $run EXCEPT SELECT trace_id FROM run_traces WHERE run <> $run"
        )
        files = f"""SELECT digest FROM source_runs WHERE run = $run
            UNION SELECT digest FROM source_traces WHERE trace_id IN ({traces})"""  # noqa: S608
        with self.database.transaction():
            digests = [digest for (digest,) in self.database.all(files, {"run": run_id})]
            for table in ("sources", "source_traces", "source_runs"):
                self.database.delete(table, [{"digest": digest} for digest in digests])
            for table in ("spans", "loose_events"):
                self.database.all(f"DELETE FROM {table} WHERE trace_id IN ({traces})", {"run": run_id})  # noqa: S608
            for each in reversed(self._family(run_id)):
                self._forget(each, ("marks", *TABLES_OF_RUN))
                self.database.all("DELETE FROM runs WHERE id = ?", [each])

    def _family(self, run_id: str) -> list[str]:
        """A run, its forks, their forks, and so on."""
        query = """WITH RECURSIVE family(id) AS (
            SELECT ? UNION SELECT r.id FROM runs r JOIN family f ON r.parent = f.id) SELECT id FROM family"""
        return [found for (found,) in self.database.all(query, [run_id])]

    def _forget(self, run_id: str, tables: Iterable[str]) -> None:
        for table in tables:
            self.database.all(f"DELETE FROM {table} WHERE run = ?", [run_id])  # noqa: S608

    def verify(self) -> list[str]:
        """Every broken promise of this module's invariant, one line each; empty when the database is sound."""
        return problems(self.database)

    def export_parquet(self, folder: Path) -> list[Path]:
        """Write every table as FOLDER/TABLE.parquet and return the files."""
        from tracer.parquet import export

        return export(self.database, folder)


def _in(select: str, column: str) -> str:
    """The query for the rows whose column is in a list that is given as the one parameter."""
    return f"{select} WHERE {column} IN (SELECT unnest(?::VARCHAR[]))"


def _ids(recordings: Sequence[Recording]) -> list[str]:
    """The runs' ids, each once."""
    return list(dict.fromkeys(recording.run.id for recording in recordings))


def _size(recordings: Sequence[Recording]) -> tuple[int, int]:
    """Number of different runs, and of their steps."""
    steps = {recording.run.id: len(recording.steps) for recording in recordings}
    return len(steps), sum(steps.values())
