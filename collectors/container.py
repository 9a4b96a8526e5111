"""What a file is before we ask whose log it is: JSON, JSON Lines, concatenated JSON, text, Parquet, gzip or zip.

Bytes decide, not suffixes: exporters write JSON Lines into `.json`, pretty-printed documents into `.jsonl` and JSON
into `.md`. Nothing is unpacked to disk, and what an archive may expand to is bounded. A few logs are a whole folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from tracer.collectors import archive
from tracer.collectors.json_lines import json_lines
from tracer.collectors.json_values import Document, documents, looks_like_json
from tracer.config import max_bytes
from tracer.errors import BadInputError

__all__ = ["Container", "Document", "beside_log", "is_log_folder", "open_containers"]

_FOLDER_LOGS = {"base_solution.json": ("problem.json", "chunks_labeled.json", "chunks.json")}
"""Logs that are a folder: the file that each has, and the others that are read. At least one of these is there, too."""
_ZIP_LOGS = {"header.json": "samples/", "_journal/start.json": "samples/"}
"""Logs that are a zip: the file that each has, and where the others stand that are read."""

_EVENT_FILE = re.compile(r"event-\d+(?:-[\w-]+)?\.json\Z")
"""One event of an OpenHands conversation: a folder of them is one log."""

_BUFFER = 256 << 10
"""Bytes that are read at once: of lines of a few thousand, the usual 8,192 would hold but one or two."""
_SQLITE = b"SQLite format 3\x00"
_PARQUET = b"PAR1"
_FOREIGN = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"\x7fELF": "an ELF program",
    b"MZ\x90": "a Windows program",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"BZh9": "a bzip2 archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
}
_BYTE_ORDER_MARKS = {  # UTF-32 before UTF-16: its little-endian mark begins with UTF-16's
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_FENCE = re.compile(r"^```[ \t]*(?:json|jsonl|ndjson)?[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Container(NamedTuple):
    """A file, or a member of an archive, opened but not yet understood."""

    source: str
    """The path as given; `#member` inside an archive."""
    kind: Literal["json", "jsonl", "text", "parquet", "sqlite", "folder"]
    documents: tuple[Document, ...] = ()
    """json: exactly one · jsonl (also concatenated JSON): one per value · parquet: one per row · folder, also in a zip:
    one, in which the names of its JSON files lead to their values · else none."""
    text: str = ""
    """The decoded text of a `text` container."""
    digest: str = ""
    """SHA-256 of the bytes, after decompression."""
    defect: str | None = None
    """The line that says why a member of an archive could not be opened; the other members still load."""


def open_containers(path: Path) -> list[Container]:
    """Open a file: one container, or one per member of a zip. BadInputError names the file and what to do."""
    source = str(path)
    try:
        if path.is_dir() and is_log_folder(each.name for each in path.iterdir()):
            return [_open_folder(path)]
        if not path.is_file():  # asked first: opening a named pipe would wait for ever
            raise BadInputError(f"{source}: {_what_instead(path)}")
        with io.BufferedReader(path.open("rb", buffering=0), _BUFFER) as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                file.seek(0)
                return [Container(source, "sqlite", digest=hashlib.file_digest(file, "sha256").hexdigest())]
            _refuse_large(source, path.stat().st_size)
            file.seek(0)
            if by_line := _open_lines(source, file):
                return [by_line]
            file.raw.seek(0)  # the buffer would mean one copy more of the whole file
            data = file.raw.readall()
    except OSError as error:
        raise BadInputError(f"{source}: cannot be read: {error.strerror or error}") from error
    if archive.is_gzip(data):
        data = archive.gunzip(source, data)
        if by_line := _open_lines(source, io.BytesIO(data)):
            return [by_line]
    if archive.is_zip(data):
        return _open_zip_log(source, data) or list(_members(source, data))
    return [_sniff(source, data)]


def is_log_folder(names: Iterable[str]) -> bool:
    """Is a folder with these files one log, to be read as a whole?"""
    return _log_files(names) != []


def beside_log(names: Iterable[str]) -> list[str]:
    """The files in a folder of events that are no events: other logs, for all we know. Other folders are read whole."""
    held = set(names)
    others = [] if held & _FOLDER_LOGS.keys() else held - set(_log_files(held))
    return sorted(name for name in others if not name.startswith("."))


def _log_files(names: Iterable[str]) -> list[str]:
    """The files to read of a log that is a folder; none where it is no such log."""
    held = set(names)
    for marker, others in _FOLDER_LOGS.items():
        if marker in held and (found := [name for name in others if name in held]):
            return [marker, *found]
    return sorted(filter(_EVENT_FILE.match, held))


def _open_folder(path: Path) -> Container:
    """The JSON files of a log that is a folder, as one document."""
    values, digest = {}, hashlib.sha256()
    for name in _log_files(each.name for each in path.iterdir()):
        members = open_containers(path / name)
        if [member.kind for member in members] != ["json"]:
            raise BadInputError(f"{path / name}: not one JSON value")
        values[name] = members[0].documents[0].value
        digest.update(f"{name} {members[0].digest}\n".encode())
    return Container(str(path), "folder", (Document(values),), digest=digest.hexdigest())


def _open_zip_log(source: str, data: bytes) -> list[Container]:
    """The JSON files of a log that is a zip, as one document, and each that cannot be opened; [] for any other zip."""
    markers = _ZIP_LOGS.keys() & set(archive.names(source, data))
    if not markers:
        return []
    prefixes = tuple(_ZIP_LOGS[marker] for marker in markers)
    values: dict[str, Any] = {}
    defects = []
    for member in archive.unzip(source, data, lambda name: name in markers or name.startswith(prefixes)):
        name = f"{source}#{member.name}"
        try:
            if member.defect:
                raise BadInputError(f"{name}: {member.defect}")
            values[member.name] = _open(name, member.data).documents[0].value
        except (BadInputError, IndexError) as error:
            defects.append(Container(name, "text", defect=str(error) if str(error) else f"{name}: no JSON"))
    if not markers & values.keys():
        raise BadInputError(f"{source}: {str(defects[0].defect).removeprefix(f'{defects[0].source}: ')}")
    return [Container(source, "folder", (Document(values),), digest=hashlib.sha256(data).hexdigest()), *defects]


def _what_instead(path: Path) -> str:
    """What stands where a file should."""
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        return "a folder that cannot be listed"
    return "not a regular file" if path.exists() else "no such file"


def _refuse_large(source: str, size: int) -> None:
    if size > max_bytes():
        raise BadInputError(
            f"{source}: {size:,} bytes; the limit is {max_bytes():,} (set TRACER_MAX_BYTES to raise it)"
        )


def _members(source: str, data: bytes) -> Iterator[Container]:
    for member in archive.unzip(source, data):
        name = f"{source}#{member.name}"
        try:
            if member.defect:
                raise BadInputError(f"{name}: {member.defect}")
            yield _open(name, member.data)
        except BadInputError as error:
            yield Container(name, "text", defect=str(error))


def _open_lines(source: str, file: BinaryIO) -> Container | None:
    """A file as JSON Lines, without ever holding all of its bytes; None where it must be looked at as a whole."""
    digest = hashlib.sha256()

    def lines() -> Iterator[bytes]:
        for line in file:
            digest.update(line)
            yield line

    found = json_lines(lines())
    return _of_values(source, found, digest.hexdigest()) if found else None


def _of_values(source: str, found: tuple[Document, ...], digest: str) -> Container:
    """One value is a document, and has no line; several are lines."""
    if len(found) == 1:
        return Container(source, "json", (Document(found[0].value),), digest=digest)
    return Container(source, "jsonl", found, digest=digest)


def _open(source: str, data: bytes) -> Container:
    """Plain bytes, or an archive inside an archive, which is not opened."""
    return _open_lines(source, io.BytesIO(data)) or _sniff(source, data)


def _sniff(source: str, data: bytes) -> Container:
    """What is no plain JSON Lines."""
    digest = hashlib.sha256(data).hexdigest()
    if not data or data.isspace():
        raise BadInputError(f"{source}: the file is empty")
    if archive.is_gzip(data) or archive.is_zip(data) or data.startswith(_SQLITE):
        raise BadInputError(f"{source}: an archive or database inside an archive: unpack it first")
    if data.startswith(_PARQUET):
        return Container(source, "parquet", tuple(_rows(source, data)), digest=digest)
    text = _decode(source, data)
    try:
        found = documents(text) if looks_like_json(text) else _fenced(source, text)
    except BadInputError as error:
        raise BadInputError(f"{source}: {error}") from error
    if not found:
        return Container(source, "text", text=text, digest=digest)
    return _of_values(source, found, digest)


def _decode(source: str, data: bytes) -> str:
    """UTF-8, or UTF-16/32 where a byte order mark says so."""
    if data[8:12] == b"DUCK" and b"\x00" in data[12:20]:  # the magic stands behind a checksum
        raise BadInputError(f"{source}: a DuckDB database, not a log")
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise BadInputError(f"{source}: {what}, not a log")
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise BadInputError(f"{source}: invalid {name} at byte {error.start}: {error.reason}") from error
    if "\x00" in text:
        raise BadInputError(f"{source}: binary data (a NUL at character {text.index(chr(0))}), not a log")
    return text


def _fenced(source: str, text: str) -> tuple[Document, ...]:
    """The JSON blocks of a Markdown file; a block that does not parse is prose.

    The suffix has a say here: a plain-text log may quote fenced JSON without being JSON.
    """
    found: list[Document] = []
    if source.lower().endswith((".md", ".markdown")):
        for block in _FENCE.finditer(text):
            before = text.count("\n", 0, block.start(1))
            try:
                values = documents(block[1]) if looks_like_json(block[1]) else ()
            except BadInputError:
                continue
            found.extend(Document(each.value, before + (each.line or 1)) for each in values)
    return tuple(found)


def _rows(source: str, data: bytes) -> Iterator[Document]:
    """The rows of a Parquet file as plain Python, within the size limit."""
    import pyarrow as pa  # heavy, and only Parquet needs it
    import pyarrow.parquet as pq

    try:
        size, line = 0, 0
        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches(batch_size=256):
            size += batch.nbytes
            _refuse_large(source, size)
            for row in batch.to_pylist():
                line += 1
                yield Document(_plain(row), line)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise BadInputError(f"{source}: truncated or damaged Parquet: {reason}") from error


def _plain(cell: Any) -> Any:
    """What JSON can hold: bytes become text, and what JSON has no word for its own text."""
    if isinstance(cell, dict):
        return {str(key): _plain(value) for key, value in cell.items()}
    if isinstance(cell, list | tuple):
        return [_plain(value) for value in cell]
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)
