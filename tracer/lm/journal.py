"""Journals: what comes in one by one over hours, safe from `kill -9` the moment it is written.

DuckDB lets one process write, and is slow row by row, so entries go to a file beside the database first. Each process
has a journal of its own and holds a lock on it while it lives. A journal without a holder was left behind by a process
that ended, and whoever opens the database next takes it in. An entry is one line: the CRC-32 of its body in 8 hex
digits, a blank, the body, which holds no newline itself:

    9b2d1c0e {"prefix": "...", "sample": 3, "text": "..."}

Lines are only ever added at the end, each by one write, so no line but the last can be torn, and that one lacks its
newline: it was never promised to anybody and is passed over. Any other line that fails its sum was damaged on the disk,
or is not ours.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tracer.errors import DatabaseError, TracerError
from tracer.files import append_whole

SYNC = 5.0
"""Seconds between two calls that bring the journal to the disk itself: so much a power cut may lose, a kill nothing."""
_SUFFIX = ".journal"


class Line(NamedTuple):
    """One whole line of a journal."""

    raw: bytes
    body: bytes | None
    """None where the line fails its sum."""


class Journal:
    """This process's journal of one database: a file from the first entry on."""

    def __init__(self, database: Path) -> None:
        self.size = 0
        """Bytes in the file."""
        self._database = database
        self._path = database
        self._file: int | None = None
        self._synced = 0.0

    def append(self, body: bytes) -> None:
        """Add one entry; once this returns, the death of the process cannot lose it."""
        if b"\n" in body:
            raise ValueError("an entry is one line")
        line = b"%08x %b\n" % (zlib.crc32(body), body)
        try:
            if self._file is None:
                self._path, self._file = _create(self._database)
                self.size = 0
            append_whole(self._file, line)
            self.size += len(line)
            if time.monotonic() - self._synced > SYNC:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Bring everything to the disk and let go of the file, so that anyone may take it in."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            os.fsync(file)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        finally:
            os.close(file)


def _create(database: Path) -> tuple[Path, int]:
    """A new, locked journal. One that is taken for a left-over before its lock is there is given up."""
    while True:
        path = database.with_name(f"{_prefix(database)}{secrets.token_hex(4)}{_SUFFIX}")
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return path, file
        os.close(file)


def journals(database: Path) -> list[Path]:
    """All journals of a database, those that are being written included."""
    start = _prefix(database)
    files = database.parent.iterdir()
    return sorted(path for path in files if path.name.startswith(start) and path.name.endswith(_SUFFIX))


def _prefix(database: Path) -> str:
    return f"{database.name}.rollouts-"


def lines(path: Path) -> Iterator[Line]:
    """The whole lines of a journal, in order; none where another process has just taken it in."""
    try:
        with path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    yield Line(raw, _body(raw))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from error


def _body(raw: bytes) -> bytes | None:
    total, _, body = raw.removesuffix(b"\n").partition(b" ")
    return body if total == b"%08x" % zlib.crc32(body) else None


@contextmanager
def leftovers(database: Path) -> Iterator[list[Path]]:
    """The journals that nobody writes any more, held against others for as long as the block lasts."""
    with ExitStack() as held:
        found = []
        for path in journals(database):
            try:
                file = os.open(path, os.O_RDONLY)
                held.callback(os.close, file)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (FileNotFoundError, BlockingIOError):  # taken in just now, or being written
                continue
            except OSError as error:
                raise _unreadable(path, error) from error
            found.append(path)
        yield found


def _unwritable(path: Path, error: OSError) -> TracerError:
    return TracerError(f"cannot write {path} ({error.strerror}): make room there and run again, what is drawn stays")


def _unreadable(path: Path, error: OSError) -> DatabaseError:
    return DatabaseError(f"{path} cannot be read ({error.strerror}): mend that, or move the file away")
