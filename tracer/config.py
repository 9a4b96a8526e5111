"""Where things are: the database and the language model, and the limits that keep a hostile file from eating the
machine."""

import os
from pathlib import Path

DEFAULT_DB = "tracer.duckdb"
MAX_BYTES = 1 << 30
"""Largest file, after decompression, that is read into memory (TRACER_MAX_BYTES overrides)."""


def database_path(given: Path | None) -> Path:
    """Flag, then TRACER_DB, then tracer.duckdb in the current folder."""
    return given or Path(os.environ.get("TRACER_DB") or DEFAULT_DB)


def named_model() -> str | None:
    """The language model of TRACER_LM, for commands that cannot do without one and were given none."""
    return os.environ.get("TRACER_LM") or None


def max_bytes() -> int:
    """The size limit in force."""
    return int(os.environ.get("TRACER_MAX_BYTES") or MAX_BYTES)
