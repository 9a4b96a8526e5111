"""The store's tables as Parquet files, for any other tool. DuckDB may touch no other file, so pyarrow writes them."""

from __future__ import annotations

from pathlib import Path

from tracer.database import Database
from tracer.errors import BadInputError, TracerError
from tracer.files import make_folder

_OURS = b"tracer.table"
"""Key in a Parquet file's metadata that says it is an export, and may be replaced by the next one."""
_BATCH = 50_000
"""Rows held in memory at once."""


def export(database: Database, folder: Path) -> list[Path]:
    """Write each table as FOLDER/TABLE.parquet, whole or not at all; a file that is no export is never replaced."""
    query = "SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1"
    files = {table: folder / f"{table}.parquet" for (table,) in database.all(query)}
    for path in files.values():
        if path.exists() and not _is_export(path):
            raise BadInputError(f"{path} is no export of tracer and stays: choose another folder")
    make_folder(folder)
    for table, path in files.items():
        try:
            _write(database, table, path)
        except OSError as error:
            raise TracerError(f"cannot write {path} ({error.strerror}): name a folder you may write to") from error
    return list(files.values())


def _write(database: Database, table: str, path: Path) -> None:
    """Write beside the goal and then rename, so that a reader never sees half a file."""
    import pyarrow.parquet as pq

    half = path.with_suffix(".part")
    reader = database.connection.sql(f"SELECT * FROM {table} ORDER BY ALL").to_arrow_reader(_BATCH)  # noqa: S608
    schema = reader.schema.with_metadata({_OURS: table})
    with pq.ParquetWriter(half, schema) as writer:
        for batch in reader:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    half.replace(path)


def _is_export(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _OURS in (pq.read_schema(path).metadata or {})
    except (pa.ArrowInvalid, OSError):
        return False
