"""The schema, as numbered steps. Each is applied in a transaction together with its record in `migrations`.

A step that has been released is never edited: a change is a new step at the end of the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from tracer.errors import DatabaseError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Migration(Protocol):
    """One step of the schema."""

    __name__: str

    def __call__(self, connection: DuckDBPyConnection, /) -> None:
        """Change the tables."""


# No primary keys: DuckDB checks a unique index before the deletes of the same transaction are done, so rebuilding a
# run under its own id would fail. The store keeps ids unique and `verify` counts them.
_TABLES = """
CREATE TABLE sources (digest VARCHAR NOT NULL, source VARCHAR NOT NULL, format VARCHAR NOT NULL, runs BIGINT NOT NULL,
    steps BIGINT NOT NULL, spans BIGINT NOT NULL, part_of VARCHAR, added TIMESTAMP NOT NULL);
CREATE TABLE runs (seq BIGINT NOT NULL, id VARCHAR NOT NULL, content_hash VARCHAR NOT NULL, source VARCHAR NOT NULL,
    format VARCHAR NOT NULL, framework VARCHAR, task VARCHAR NOT NULL, outcome VARCHAR NOT NULL,
    outcome_source VARCHAR, answer VARCHAR, expected VARCHAR, "group" VARCHAR, started TIMESTAMP, ended TIMESTAMP,
    labels VARCHAR NOT NULL, notes VARCHAR[] NOT NULL);
CREATE TABLE steps (run VARCHAR NOT NULL, index INTEGER NOT NULL, agent VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    role VARCHAR, content VARCHAR NOT NULL, reasoning VARCHAR, reasoning_state VARCHAR NOT NULL,
    reasoning_origin VARCHAR, recipient VARCHAR, tool VARCHAR, arguments VARCHAR, call_id VARCHAR,
    tool_status VARCHAR, tool_rule VARCHAR, marks VARCHAR[] NOT NULL, model VARCHAR, input_tokens BIGINT,
    output_tokens BIGINT, started TIMESTAMP, ended TIMESTAMP, raw_time VARCHAR, parents INTEGER[] NOT NULL,
    span_id VARCHAR, pointer VARCHAR);
CREATE TABLE spans (trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, parent_id VARCHAR, name VARCHAR NOT NULL,
    kind VARCHAR, service VARCHAR, scope VARCHAR, started_ns BIGINT, ended_ns BIGINT, status VARCHAR NOT NULL,
    status_message VARCHAR, attributes VARCHAR NOT NULL, events VARCHAR NOT NULL, links VARCHAR NOT NULL,
    resource VARCHAR NOT NULL, format VARCHAR NOT NULL, pointer VARCHAR, conversation VARCHAR);
CREATE TABLE source_runs (digest VARCHAR NOT NULL, run VARCHAR NOT NULL);
CREATE TABLE source_traces (digest VARCHAR NOT NULL, trace_id VARCHAR NOT NULL);
CREATE TABLE run_traces (run VARCHAR NOT NULL, trace_id VARCHAR NOT NULL);
CREATE TABLE marks (run VARCHAR NOT NULL, outcome VARCHAR NOT NULL, expected VARCHAR);
CREATE TABLE graphs (run VARCHAR NOT NULL, edges BIGINT NOT NULL);
CREATE TABLE edges (run VARCHAR NOT NULL, source INTEGER NOT NULL, target INTEGER NOT NULL, origin VARCHAR NOT NULL,
    weight DOUBLE NOT NULL, reason VARCHAR NOT NULL, source_spans VARCHAR NOT NULL, target_spans VARCHAR NOT NULL);
CREATE TABLE findings (run VARCHAR NOT NULL, analysis VARCHAR NOT NULL, method VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL, body VARCHAR NOT NULL);
"""

_VIEWS = """
CREATE VIEW v_runs AS
    SELECT r.id AS run, r.source, r.format, r.framework, r.task, coalesce(m.outcome, r.outcome) AS outcome,
        CASE WHEN m.outcome IS NULL THEN r.outcome_source ELSE 'user' END AS outcome_source,
        r.answer, coalesce(m.expected, r.expected) AS expected, r."group", s.steps, s.agents, r.started, r.ended, r.seq
    FROM runs r LEFT JOIN marks m ON m.run = r.id LEFT JOIN (
        SELECT run, sum(steps) AS steps, list(agent ORDER BY first) AS agents
        FROM (SELECT run, agent, count(*) AS steps, min(index) AS first FROM steps GROUP BY run, agent) GROUP BY run
    ) s ON s.run = r.id;
CREATE VIEW v_steps AS
    SELECT run, index AS step, agent, kind, role, content, reasoning, reasoning_state, recipient, tool, arguments,
        call_id, tool_status, tool_rule, marks, model, input_tokens, output_tokens, started, ended, parents, span_id
    FROM steps;
CREATE VIEW v_edges AS
    SELECT e.run, e.source, e.target, e.origin, e.weight, e.reason, s.agent AS source_agent, t.agent AS target_agent
    FROM edges e LEFT JOIN steps s ON s.run = e.run AND s.index = e.source
        LEFT JOIN steps t ON t.run = e.run AND t.index = e.target;
CREATE VIEW v_candidates AS
    SELECT run, analysis, method, verdict, c.rank, c.step, c.agent, c.probability, c.cues
    FROM (SELECT run, analysis, method, verdict, unnest(from_json(json_extract(body, '$.candidates'),
        '[{"rank":"INTEGER","step":"INTEGER","agent":"VARCHAR","probability":"DOUBLE","cues":["VARCHAR"]}]')) AS c
        FROM findings);
COMMENT ON VIEW v_runs IS 'One row per run. outcome is the user''s mark where there is one; agents stand in order of
appearance; seq counts ingestion. Times are UTC.';
COMMENT ON VIEW v_steps IS 'One row per step, counted from 0. tool_status (ok, error, empty, unknown) belongs to
tool_result steps. Times are UTC.';
COMMENT ON VIEW v_edges IS 'Information that went from step source into step target. origin says how we know (declared,
reused, similar, measured); weight is in [0, 1].';
COMMENT ON VIEW v_candidates IS 'Steps that may be the root cause, by analysis and method. probability is calibrated, in
[0, 1], and NULL for methods that only rank.';
"""


_ANCHORS = """
CREATE TABLE anchors (content VARCHAR NOT NULL, target VARCHAR NOT NULL, method VARCHAR NOT NULL,
    model VARCHAR NOT NULL, revision VARCHAR NOT NULL, parameters VARCHAR NOT NULL, body VARCHAR NOT NULL);
"""

# The key is prefix, revision, temperature, top_p, max_tokens, seed and sample; `model` is a name for people. `raw` is
# the exact text where it holds lone surrogates, which no VARCHAR can: UTF-8 in which they are encoded as they stand.
_ROLLOUTS = """
CREATE TABLE rollouts (prefix VARCHAR NOT NULL, model VARCHAR NOT NULL, revision VARCHAR NOT NULL,
    temperature DOUBLE NOT NULL, top_p DOUBLE NOT NULL, max_tokens BIGINT NOT NULL, seed BIGINT NOT NULL,
    sample BIGINT NOT NULL, text VARCHAR NOT NULL, raw BLOB, finish VARCHAR NOT NULL, tokens BIGINT NOT NULL,
    logprob DOUBLE NOT NULL);
"""

# Log records that name a span, until the span comes; `event` is one item of spans.events.
_LOOSE_EVENTS = """
CREATE TABLE loose_events (trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, event VARCHAR NOT NULL);
"""

# A fork is a run like any other, so `runs` says whose it is; `forks` knows it by what it was made from, in one digest.
_FORKS = """
ALTER TABLE runs ADD COLUMN parent VARCHAR;
ALTER TABLE runs ADD COLUMN forked_at INTEGER;
CREATE TABLE forks (key VARCHAR NOT NULL, run VARCHAR NOT NULL, replayer VARCHAR NOT NULL, seed BIGINT NOT NULL,
    stand_in VARCHAR);
CREATE OR REPLACE VIEW v_runs AS
    SELECT r.id AS run, r.source, r.format, r.framework, r.task, coalesce(m.outcome, r.outcome) AS outcome,
        CASE WHEN m.outcome IS NULL THEN r.outcome_source ELSE 'user' END AS outcome_source,
        r.answer, coalesce(m.expected, r.expected) AS expected, r."group", s.steps, s.agents, r.started, r.ended, r.seq
    FROM runs r LEFT JOIN marks m ON m.run = r.id LEFT JOIN (
        SELECT run, sum(steps) AS steps, list(agent ORDER BY first) AS agents
        FROM (SELECT run, agent, count(*) AS steps, min(index) AS first FROM steps GROUP BY run, agent) GROUP BY run
    ) s ON s.run = r.id
    WHERE r.parent IS NULL;
CREATE VIEW v_forks AS
    SELECT f.run, r.parent, r.forked_at, f.replayer, f.seed, f.stand_in, r.outcome, r.answer
    FROM forks f JOIN runs r ON r.id = f.run;
COMMENT ON VIEW v_runs IS 'One row per run that was logged; what came of replaying one stands in v_forks. outcome is the
user''s mark where there is one; agents stand in order of appearance; seq counts ingestion. Times are UTC.';
COMMENT ON VIEW v_forks IS 'One row per fork: a run of which the first forked_at steps are those of its parent.
stand_in names the model that spoke where the system itself was not run.';
"""

_CITATIONS = """
CREATE TABLE citations (run VARCHAR NOT NULL, step INTEGER NOT NULL, method VARCHAR NOT NULL, model VARCHAR,
    revision VARCHAR, parameters VARCHAR NOT NULL, body VARCHAR NOT NULL);
"""


def create_tables(connection: DuckDBPyConnection) -> None:
    """Runs, steps, spans and what ties them to each other and to their source files."""
    connection.execute(_TABLES)


def create_views(connection: DuckDBPyConnection) -> None:
    """The documented way in for people who write SQL."""
    connection.execute(_VIEWS)


def create_anchors(connection: DuckDBPyConnection) -> None:
    """What was found inside chains of thought, by content, so that a file that was never ingested has a place, too."""
    connection.execute(_ANCHORS)


def create_rollouts(connection: DuckDBPyConnection) -> None:
    """What a model wrote after a prefix, once per sample: the dearest rows of all, shared by every method."""
    connection.execute(_ROLLOUTS)


def create_loose_events(connection: DuckDBPyConnection) -> None:
    """Events that travelled apart from their span and came before it."""
    connection.execute(_LOOSE_EVENTS)


def create_forks(connection: DuckDBPyConnection) -> None:
    """Runs that were lived again from a step on, with their parents."""
    connection.execute(_FORKS)


def create_citations(connection: DuckDBPyConnection) -> None:
    """Which earlier steps led to what a step says."""
    connection.execute(_CITATIONS)


MIGRATIONS: list[Migration] = [
    create_tables,
    create_views,
    create_anchors,
    create_rollouts,
    create_loose_events,
    create_forks,
    create_citations,
]


def version(connection: DuckDBPyConnection) -> int | None:
    """How many migrations the database has had: 0 when blank, None when its tables are not ours."""
    query = "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
    tables = {name for (name,) in connection.execute(query).fetchall()}
    if not tables:
        return 0
    if "migrations" not in tables or "runs" not in tables:
        return None
    row = connection.execute("SELECT max(number) FROM migrations").fetchone()
    return int(row[0] or 0) if row else 0


def migrate(connection: DuckDBPyConnection, migrations: Sequence[Migration] = MIGRATIONS) -> list[int]:
    """Bring the database up to date and return the numbers that were applied."""
    done = version(connection)
    if done is None or done > len(migrations):
        raise DatabaseError("this database is not one that this version of tracer can bring up to date")
    applied = []
    for number, migration in enumerate(migrations[done:], start=done + 1):
        connection.begin()
        try:
            _apply(connection, number, migration)
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
        applied.append(number)
    return applied


def _apply(connection: DuckDBPyConnection, number: int, migration: Migration) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER, name VARCHAR, applied TIMESTAMP)")
    migration(connection)
    record = [number, migration.__name__, datetime.now(UTC).replace(tzinfo=None)]
    connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", record)
