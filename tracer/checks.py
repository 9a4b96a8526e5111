"""What `tracer db verify` looks for: one SQL query per broken promise, each giving one line per problem."""

from __future__ import annotations

import duckdb

from tracer.database import Database
from tracer.migrations import migrate

TABLES_OF_RUN = ("steps", "edges", "graphs", "findings", "run_traces", "source_runs", "forks", "citations")
"""Tables whose rows belong to a run. Marks are left out: the user's word may wait for a run to come back, and
so may a fork for its parent."""

_QUERIES = [
    "SELECT 'run ' || id || ' does not match its content hash' FROM runs WHERE id <> left(content_hash, 12)",
    "SELECT 'run ' || id || ' is there ' || count(*) || ' times' FROM runs GROUP BY id HAVING count(*) > 1",
    "SELECT 'run ' || id || ' has no steps' FROM runs WHERE id NOT IN (SELECT run FROM steps)",
    """SELECT 'run ' || run || ': its steps are not numbered 0 to ' || (count(*) - 1) FROM steps GROUP BY run
        HAVING min(index) <> 0 OR max(index) <> count(*) - 1 OR count(DISTINCT index) <> count(*)""",
    """SELECT 'run ' || run || ': an edge joins steps ' || source || ' and ' || target || ', not both of which exist'
        FROM edges e WHERE NOT EXISTS (SELECT 1 FROM steps s WHERE s.run = e.run AND s.index = e.source)
        OR NOT EXISTS (SELECT 1 FROM steps s WHERE s.run = e.run AND s.index = e.target)""",
    """SELECT 'fork ' || min(run) || ' is there ' || count(*) || ' times' FROM forks
        GROUP BY key HAVING count(*) > 1""",
    """SELECT 'span ' || span_id || ' of trace ' || trace_id || ' is there ' || count(*) || ' times'
        FROM spans GROUP BY trace_id, span_id HAVING count(*) > 1""",
    """SELECT 'source ' || source || ' is there ' || count(*) || ' times' FROM sources
        GROUP BY digest, source HAVING count(*) > 1""",
    """SELECT 'sample ' || sample || ' of prefix ' || prefix || ' is there ' || count(*) || ' times' FROM rollouts
        GROUP BY prefix, revision, temperature, top_p, max_tokens, seed, sample HAVING count(*) > 1""",
    *(
        f"SELECT '{table}: ' || count(*) || ' rows of run ' || run || ', which does not exist' FROM {table} "  # noqa: S608
        "WHERE run NOT IN (SELECT id FROM runs) GROUP BY run"
        for table in TABLES_OF_RUN
    ),
]
_SCHEMA = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"


def problems(database: Database) -> list[str]:
    """Every broken promise, in words; empty when the database is sound."""
    drift = _schema_drift(database)
    return drift or [line for query in _QUERIES for (line,) in database.all(query + " ORDER BY 1")]


def _schema_drift(database: Database) -> list[str]:
    """Columns that differ from those of a new database."""
    with duckdb.connect(":memory:") as blank:
        migrate(blank)
        expected = {(table, column): kind for table, column, kind in blank.execute(_SCHEMA).fetchall()}
    found = {(table, column): kind for table, column, kind in database.all(_SCHEMA)}
    return [
        f"schema: {'.'.join(key)} is {found.get(key, 'missing')}, not {expected.get(key, 'known')}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ]
