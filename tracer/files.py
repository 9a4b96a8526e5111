"""Files that we write: whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tracer.errors import TracerError


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
