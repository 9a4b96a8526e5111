"""What a file is before we ask whose log it is: JSON, JSON Lines, concatenated JSON, text, Parquet, gzip or zip."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple


class Document(NamedTuple):
    """One JSON value of a container."""

    value: Any
    line: int | None = None
    """1-based line on which the value starts, where the container has several values."""


class Container(NamedTuple):
    """A file, or a member of an archive, opened but not yet understood."""

    source: str
    """The path as given; `#member` inside an archive."""
    kind: Literal["json", "jsonl", "text", "parquet", "sqlite"]
    documents: tuple[Document, ...] = ()
    """json: exactly one · jsonl (also concatenated JSON): one per value · parquet: one per row · else none."""
    text: str = ""
    """The decoded text of a `text` container."""
    digest: str = ""
    """SHA-256 of the bytes."""
