"""Opening one DuckDB file safely.

A log is untrusted and ends up in this file, so SQL may reach nothing outside it: no other files, no downloads, and no
way to switch that back on. DuckDB lets one process write and then keeps all others out, so opening waits a little.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from tracer import rows
from tracer.errors import BadInputError, BusyDatabaseError, DatabaseError
from tracer.migrations import MIGRATIONS, migrate, version
from tracer.records import Record

WAIT = 10.0
"""Seconds to wait for another process to let go of the database."""
_POLL = 0.1
_LOCKED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
    "memory_limit": "256MB",  # of blocks that it keeps; the rest of what we hold is our own
    "threads": "1",  # our queries are small: a pool of threads costs them more than it gives
}
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_OTHER_MODE = "different configuration"
_NO_DATABASE = "not a valid DuckDB database"


class Database:
    """An open file: statements with parameters, bulk inserts and transactions. Each statement is told to a callable."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, on_statement: Callable[[str], None] | None) -> None:
        self.connection = connection
        self._on_statement = on_statement or (lambda sql: None)

    def all(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        self._on_statement(sql)
        try:
            with _heeding_interrupts():
                return self.connection.execute(sql, parameters).fetchall()
        except duckdb.IOException as error:
            raise _disk_trouble(error) from error

    def insert(self, table: str, batch: Sequence[Mapping[str, Any]]) -> None:
        """Append rows in one go."""
        if batch:
            with self._as_relation(batch):
                self.all(f"INSERT INTO {table} BY NAME SELECT * FROM batch")  # noqa: S608

    def insert_records(self, table: str, records: Sequence[Record], **more: Sequence[Any]) -> None:
        """Append records of one kind; `more` are columns that they do not have themselves, a value for each record."""
        if records:
            with self._as_relation(records, more):
                self.all(f"INSERT INTO {table} BY NAME SELECT * FROM batch")  # noqa: S608

    def insert_new(self, table: str, batch: Sequence[Mapping[str, Any]], key: Sequence[str]) -> int:
        """Append those rows whose `key` columns equal no row's of the table, and return how many they were.

        The rows of one batch must differ in their keys.
        """
        if not batch:
            return 0
        with self._as_relation(batch):
            query = f"INSERT INTO {table} BY NAME SELECT * FROM batch ANTI JOIN {table} USING ({', '.join(key)})"  # noqa: S608
            [(count,)] = self.all(query)
        return int(count)

    def delete(self, table: str, keys: Sequence[Mapping[str, Any]]) -> None:
        """Delete the rows that equal one of `keys` in all of its columns."""
        if keys:
            same = " AND ".join(f"{table}.{name} = batch.{name}" for name in keys[0])
            with self._as_relation(keys):
                self.all(f"DELETE FROM {table} USING batch WHERE {same}")  # noqa: S608

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        with _heeding_interrupts():
            self.connection.begin()
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        try:
            with _heeding_interrupts():
                self.connection.commit()
        except duckdb.TransactionException as error:  # one process writes, so nobody else can be in the way
            raise _disk_trouble(error) from error

    @contextmanager
    def _as_relation(
        self, batch: Sequence[Mapping[str, Any]] | Sequence[Record], more: Mapping[str, Sequence[Any]] | None = None
    ) -> Iterator[None]:
        """The rows, or records with `more` columns, as a relation named `batch`, without a copy through SQL text."""
        import pyarrow as pa

        try:
            made = rows.table(batch) if more is None else rows.record_table(batch, more)  # type: ignore[arg-type]
            with _heeding_interrupts():
                self.connection.register("batch", made)
        except (pa.ArrowInvalid, OverflowError) as error:
            raise BadInputError(f"a value cannot be stored: {error}") from error
        try:
            yield
        finally:
            with suppress(duckdb.TransactionException), _heeding_interrupts():  # an aborted one forgets it as it ends
                self.connection.unregister("batch")


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """Ctrl-C by its own name: DuckDB passes it on as a RuntimeError, or in the last words of an error of its own."""
    try:
        yield
    except (RuntimeError, duckdb.InvalidInputException) as error:
        if str(error).rstrip(" :").endswith(("Query interrupted", "failed: KeyboardInterrupt")):
            raise KeyboardInterrupt from error
        raise


@_heeding_interrupts()
def connect(path: Path, *, read_only: bool = False, wait: float = WAIT) -> duckdb.DuckDBPyConnection:
    """Open the database with its schema up to date; a writer creates a missing one."""
    if not read_only and not path.exists() and path.parent.is_dir():
        _create(path)
    connection = _open(path, read_only, wait)
    try:
        behind = _migrations_behind(connection, path)
        if behind and read_only:
            connection.close()
            connect(path, wait=wait).close()
            return _open(path, True, wait)
        if behind:
            migrate(connection)
    except (duckdb.IOException, duckdb.TransactionException) as error:
        connection.close()
        raise _disk_trouble(error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Make a blank database beside the goal and give it its name at once, so that nobody ever opens half of one.

    Where another process was quicker, its database stays.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        connection = duckdb.connect(half, config=dict(_LOCKED))
        try:
            migrate(connection)
        finally:
            connection.close()
        with suppress(FileExistsError):
            path.hardlink_to(half)
    except (OSError, duckdb.Error):
        return  # opening it under its own name gives the reason, or does without links
    finally:
        remove(half)


def remove(path: Path) -> None:
    """Delete a database with its journal, beside which the next one could not be opened."""
    for name in (path.name, f"{path.name}.wal"):
        path.with_name(name).unlink(missing_ok=True)


def _disk_trouble(error: duckdb.Error) -> DatabaseError:
    """A full or vanished disk, or a damaged block, in one line."""
    reason = str(error).splitlines()[0].rpartition("Failed to commit: ")[2]
    advice = ": make room, then run the same again" if "No space left" in reason else ""
    return DatabaseError(f"the database cannot be read or written: {reason}{advice}")


def require(path: Path) -> None:
    """Refuse to go on without a database."""
    if not path.exists():
        raise DatabaseError(f"no database at {path}: run `tracer ingest LOGS` first")


def _migrations_behind(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """How many migrations are missing; a database that is not ours, or too new, is refused untouched."""
    done = version(connection)
    if done is None:
        raise DatabaseError(f"{path} is a DuckDB database of another program: choose another file with --db")
    if done > len(MIGRATIONS):
        raise DatabaseError(
            f"{path} was made by a newer tracer (schema {done}, this one knows {len(MIGRATIONS)}): upgrade blametrace"
        )
    return len(MIGRATIONS) - done


def _open(path: Path, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
    """Connect, waiting for a lock to be let go."""
    if path.is_file() and not _is_database(path):
        raise DatabaseError(_refusal(path, _NO_DATABASE))
    deadline = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(path, read_only=read_only, config=dict(_LOCKED))
        except duckdb.Error as error:
            holder = _holder(str(error))
            if holder is None:
                raise DatabaseError(_refusal(path, str(error))) from error
            if time.monotonic() >= deadline:
                advice = "wait until it ends, or choose another --db"
                raise BusyDatabaseError(f"{path} is held by {holder}: {advice}") from error
        time.sleep(_POLL)


def _is_database(path: Path) -> bool:
    """Whether DuckDB wrote the file. It takes a name such as runs.json for data, and would keep ours in memory only."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return True  # opening it gives the reason


def _holder(message: str) -> str | None:
    """Who holds the lock, when a lock is what DuckDB complains of."""
    if _OTHER_MODE in message:
        return "this process itself, opened in another mode"
    if "lock" not in message.lower():
        return None
    found = _HOLDER.search(message)
    return f"process {found['pid']} ({found['program'].rsplit('/', 1)[-1]})" if found else "another process"


def _refusal(path: Path, message: str) -> str:
    """Why the file cannot be opened, in one line."""
    if path.is_dir():
        return f"{path} is a folder: name the database file with --db"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist: create it, or choose another --db"
    if _NO_DATABASE in message:
        return f"{path} is not a tracer database: choose another file with --db"
    return f"{path} cannot be opened: {message.splitlines()[0]}"
