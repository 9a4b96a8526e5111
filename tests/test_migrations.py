"""The schema's steps: from nothing, from the oldest form, and never from what is not ours."""

from pathlib import Path

import duckdb
import pytest

from tracer.errors import DatabaseError
from tracer.migrations import MIGRATIONS, migrate, version
from tracer.store import Store

COLUMNS = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"


def test_a_blank_database_gets_every_migration_with_its_record() -> None:
    """Numbered from 1, in order, and a second call does nothing."""
    with duckdb.connect(":memory:") as blank:
        assert version(blank) == 0
        assert migrate(blank) == list(range(1, len(MIGRATIONS) + 1))
        assert migrate(blank) == []
        names = blank.execute("SELECT name FROM migrations ORDER BY number").fetchall()
        assert [name for (name,) in names] == [
            "create_tables",
            "create_views",
            "create_anchors",
            "create_rollouts",
            "create_loose_events",
            "create_forks",
            "create_citations",
        ]


def test_the_oldest_schema_becomes_the_same_as_a_new_one(tmp_path: Path) -> None:
    """A database that stopped at the first migration is brought up to date by opening it, even for reading."""
    path = tmp_path / "old.duckdb"
    with duckdb.connect(path) as old:
        old.execute("CREATE TABLE migrations (number INTEGER, name VARCHAR, applied TIMESTAMP)")
        MIGRATIONS[0](old)
        old.execute("INSERT INTO migrations VALUES (1, 'create_tables', TIMESTAMP '2026-01-01')")
    with Store.open(path, read_only=True) as store, duckdb.connect(":memory:") as blank:
        migrate(blank)
        assert store.database.all(COLUMNS) == blank.execute(COLUMNS).fetchall()
        assert store.verify() == []


@pytest.mark.parametrize("done", range(1, len(MIGRATIONS)))
def test_every_released_schema_becomes_the_same_as_a_new_one_and_keeps_its_rows(tmp_path: Path, done: int) -> None:
    """A database of any earlier version, with a mark in it, is brought up to date by opening it."""
    path = tmp_path / "old.duckdb"
    with duckdb.connect(path) as old:
        assert migrate(old, MIGRATIONS[:done]) == list(range(1, done + 1))
        old.execute("INSERT INTO marks VALUES ('0123456789ab', 'failure', '42')")
    with Store.open(path, read_only=True) as store, duckdb.connect(":memory:") as blank:
        migrate(blank)
        assert store.database.all(COLUMNS) == blank.execute(COLUMNS).fetchall()
        assert store.database.all("SELECT expected FROM marks") == [("42",)]
        assert store.database.all("SELECT * FROM rollouts") == []


def test_a_migration_that_fails_leaves_the_schema_as_it_was() -> None:
    """Its tables and its record come together or not at all."""

    def half(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("CREATE TABLE half (a INTEGER)")
        connection.execute("SELECT 1 FROM nowhere")

    with duckdb.connect(":memory:") as database:
        migrate(database)
        before = database.execute(COLUMNS).fetchall()
        with pytest.raises(duckdb.CatalogException):
            migrate(database, [*MIGRATIONS, half])
        assert database.execute(COLUMNS).fetchall() == before
        assert version(database) == len(MIGRATIONS)


def test_every_view_says_what_it_shows() -> None:
    """The views are the documented way in for SQL."""
    with duckdb.connect(":memory:") as database:
        migrate(database)
        views = dict(database.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
    assert views.keys() == {"v_runs", "v_steps", "v_edges", "v_candidates", "v_forks"}
    assert all(views.values())


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    """It says to upgrade, and does not change a byte."""
    path = tmp_path / "new.duckdb"
    with Store.open(path):
        pass
    with duckdb.connect(path) as newer:
        newer.execute("INSERT INTO migrations VALUES (99, 'later', TIMESTAMP '2030-01-01')")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=r"made by a newer tracer .*: upgrade blametrace"):
        Store.open(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False])
def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    """A DuckDB file with tables that are not ours."""
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(path) as theirs:
        theirs.execute("CREATE TABLE runs (distance DOUBLE)")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="database of another program"):
        Store.open(path, read_only=read_only)
    assert path.read_bytes() == before
