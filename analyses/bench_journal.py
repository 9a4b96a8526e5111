"""A file in which the judgements of a benchmark stand as they come, so that an interrupted one goes on where it was.

One line for each: the CRC-32 of its body in 8 hex digits, a blank, the body as JSON, {"key", "value"}. Lines are only
added. A torn last line was never promised to anybody and is cut off, if it begins as ours do; any other line that fails
its sum is an error, for then the file was damaged or is not ours.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracer.errors import BadInputError, TracerError
from tracer.files import append_whole

_BEGUN = re.compile(rb"[0-9a-f]{0,8}|[0-9a-f]{8} (?:\{.*)?", re.DOTALL)
"""A line of ours as far as it was written, nothing at all included."""


class BenchJournal:
    """Values by key; safe against the death of the process from the moment that `put` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._file = _opened(path)
        try:
            self._read()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)

    def get(self, key: str) -> Any:
        """What was put under a key; None where nothing was."""
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a value, in the file first."""
        body = json.dumps({"key": key, "value": value}).encode()
        with self._lock:
            try:
                append_whole(self._file, b"%08x %b\n" % (zlib.crc32(body), body))
            except OSError as error:
                raise TracerError(f"cannot write {self.path} ({error.strerror}): make room and run again") from error
            self.values[key] = value

    def _read(self) -> None:
        raw = self.path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        for number, line in enumerate(raw[:whole].splitlines(), 1):
            total, _, body = line.partition(b" ")
            if total != b"%08x" % zlib.crc32(body):
                raise BadInputError(f"{self.path}: line {number} is damaged or not ours: name another --journal")
            entry = json.loads(body)
            self.values[entry["key"]] = entry["value"]
        if not _BEGUN.fullmatch(raw, whole):
            raise BadInputError(f"{self.path}: its last line is damaged or not ours: name another --journal")
        if whole < len(raw):
            os.ftruncate(self._file, whole)


def key_of(*parts: Any) -> str:
    """The key of a question: a hash over all that its answer depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _opened(path: Path) -> int:
    """The file for adding to it, locked against a second benchmark."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise TracerError(f"{path} is being written by another benchmark: wait for it, or name another") from error
    return file
