"""Segment files: what was acknowledged, on disk, until the store has it.

A segment is OTLP/JSON, one request per line, so any reader of the format can read it. It is written as NAME.open, and
under its final name NAME.jsonl nothing is added to it any more. Requests that wait together share one fsync (group
commit): while the disk is busy with some, the next ones gather. After a kill the last line may be torn; it was never
acknowledged, and is cut off.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tracer.errors import BusyDatabaseError, TracerError
from tracer.files import make_folder

SEGMENT_BYTES = 4 << 20
"""A segment of this size is finished."""
SEGMENT_SECONDS = 0.5
"""So is one that is this old."""
MAX_WAITING = 32 << 20
"""Bytes that may wait for the disk."""
MAX_BACKLOG = 2 << 30
"""Bytes of segments that may wait for the store (TRACER_COLLECT_BACKLOG overrides)."""

_OPEN = ".open"
FINISHED = ".jsonl"


class FullError(TracerError):
    """The client should come back later: the disk or the store cannot keep up."""


def folder_of(database: Path) -> Path:
    """Where a database's segments stand: beside it, and hidden, so that no `tracer ingest .` reads them."""
    return database.with_name(f".{database.name}.incoming")


def finished(folder: Path) -> list[Path]:
    """The segments that wait for the store, the oldest first."""
    return sorted(folder.glob(f"*{FINISHED}"))


def waiting(folder: Path) -> int:
    """Bytes of the segments that wait for the store; the importer may take one at any moment."""
    total = 0
    for path in finished(folder):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


class Segments:
    """The folder of one receiver. `run` must be running for `append` to come back."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        folder.chmod(0o700)
        self._lock = _lock(folder)
        self.recovered = self._recover()
        """Bytes of acknowledged requests that an earlier receiver left behind."""
        self.fresh = asyncio.Event()
        """Set whenever a segment is finished."""
        self.backlog = waiting(folder)
        self.max_backlog = int(os.environ.get("TRACER_COLLECT_BACKLOG") or MAX_BACKLOG)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._file: int | None = None
        self._path = folder
        self._size = 0
        self._began = 0.0
        if self.backlog:
            self.fresh.set()

    async def append(self, line: bytes) -> None:
        """Return once the line is on disk; FullError where too much waits already."""
        if self._waiting_bytes + len(line) > MAX_WAITING or self.backlog > self.max_backlog:
            raise FullError("too much waits to be written: send it again")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((line, future))
        self._waiting_bytes += len(line)
        self._wake.set()
        await future

    async def run(self) -> None:
        """Write what waits, and finish segments, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), SEGMENT_SECONDS if self._file is not None else None)
            self._wake.clear()
            await self._flush()
            if self._file is not None and self._is_due():
                self._finish()

    async def close(self) -> None:
        """Write what still waits and finish the segment."""
        await self._flush()
        if self._file is not None:
            self._finish()
        os.close(self._lock)

    def settled(self) -> None:
        """The store took some segments: count again what waits."""
        self.backlog = waiting(self.folder)

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        self._waiting_bytes = 0
        try:
            await asyncio.to_thread(self._write, [line for line, _ in batch])
        except OSError as error:
            reason = FullError(f"cannot be written now: {error.strerror}")
            for _, future in batch:
                if not future.done():
                    future.set_exception(reason)
            return
        for _, future in batch:
            if not future.done():  # a client that hung up
                future.set_result(None)

    def _write(self, lines: Sequence[bytes]) -> None:
        """Add the lines, all or none, and wait for the disk."""
        if self._file is None:
            self._begin()
        assert self._file is not None
        try:
            rest = memoryview(b"".join(lines))
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += sum(map(len, lines))

    def _begin(self) -> None:
        self._path = self.folder / f"{time.time_ns():020d}{_OPEN}"
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        _sync(self.folder)  # or a crash may forget the name of what is safely written
        self._size, self._began = 0, time.monotonic()

    def _is_due(self) -> bool:
        return self._size >= SEGMENT_BYTES or time.monotonic() - self._began >= SEGMENT_SECONDS

    def _finish(self) -> None:
        assert self._file is not None
        os.close(self._file)
        self._file = None
        self.backlog += self._size
        _rename(self._path)
        self.fresh.set()

    def _recover(self) -> int:
        """Finish the segments that an earlier receiver had no time to finish; the bytes that wait for the store."""
        for path in sorted(self.folder.glob(f"*{_OPEN}")):
            _cut_torn_line(path)
            _rename(path)
        return waiting(self.folder)


def _cut_torn_line(path: Path) -> None:
    """Cut off what stands behind the last newline."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())


def _rename(path: Path) -> None:
    """Give a finished segment its final name; an empty one goes."""
    if path.stat().st_size:
        path.rename(path.with_suffix(FINISHED))
    else:
        path.unlink()


def _sync(folder: Path) -> None:
    with suppress(OSError):  # some file systems do not sync folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _lock(folder: Path) -> int:
    """Hold the folder for this process; the system lets go of it when the process ends, however it ends."""
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        pass
    except OSError as error:
        os.close(handle)
        raise BusyDatabaseError(
            f"another `tracer collect` already collects into this database ({folder}): stop it, or choose another --db"
        ) from error
    return handle
