"""Files that we write, whole or not at all, and the folders they go to."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tracer.errors import TracerError


def make_folder(path: Path) -> Path:
    """Make a folder, with those above it, unless it is there; return the path."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TracerError(
            f"cannot make the folder {path} ({error.strerror}): name one in a folder you may write to"
        ) from error
    return path


def write_whole(path: Path, data: bytes) -> Path:
    """Write beside the goal and rename, so that nobody ever sees half a file; return the path."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise TracerError(
            f"cannot write {path} ({error.strerror}): name a file in a folder you may write to"
        ) from error
    return path


def require_file(path: Path, example: str) -> None:
    """Say before the work, not after it, that nothing can be written there; `example` is what such a file is called."""
    if path.is_dir():
        raise TracerError(f"{path} is a folder: name a file in it, such as {path / example}")
    if not path.parent.is_dir():
        raise TracerError(f"cannot write {path} (there is no folder {path.parent}): make it, or name another file")


def append_whole(file: int, line: bytes) -> None:
    """Add the whole line to an open file or, where the disk is full, nothing of it."""
    before, rest = os.fstat(file).st_size, memoryview(line)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except BaseException:
        os.ftruncate(file, before)
        raise
