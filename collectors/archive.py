"""gzip and zip, read in memory and never trusted: what comes out is bounded in bytes and in proportion."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tracer.config import max_bytes
from tracer.errors import BadInputError

MAX_RATIO = 100
"""Expanded to packed size. Logs pack 5 to 50 times."""
FREE_BYTES = 16 << 20
"""Up to here the ratio does not matter: a short log may repeat itself, and 16 MiB hurt nobody."""

_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)


class Member(NamedTuple):
    """One file of a zip."""

    name: str
    data: bytes
    defect: str | None = None
    """Why it could not be read."""


def is_gzip(data: bytes) -> bool:
    """By the magic bytes."""
    return data.startswith(b"\x1f\x8b")


def is_zip(data: bytes) -> bool:
    """By the magic bytes; the second form is an archive without members."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def allowance(packed: int) -> int:
    """How many bytes may come out of `packed` bytes."""
    return min(max_bytes(), max(FREE_BYTES, MAX_RATIO * packed))


def gunzip(source: str, data: bytes) -> bytes:
    """The content of a gzip file; BadInputError where it is cut off, damaged or a bomb."""
    limit = allowance(len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(limit + 1)
    except _DAMAGE as error:
        raise BadInputError(f"{source}: truncated or damaged gzip: {error}") from error
    if len(content) > limit:
        raise BadInputError(f"{source}: expands beyond {limit:,} bytes: unpack it first if you trust it")
    return content


def unzip(source: str, data: bytes) -> Iterator[Member]:
    """The files of a zip in the archive's own order; the bound holds for all of them together."""
    left = allowance(len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            for info in file.infolist():
                if info.is_dir():
                    continue
                member = _member(file, info, left)
                left -= len(member.data)
                if left < 0:
                    limit = allowance(len(data))
                    raise BadInputError(f"{source}: expands beyond {limit:,} bytes: unpack it first if you trust it")
                yield member
    except _DAMAGE as error:
        raise BadInputError(f"{source}: truncated or damaged zip: {error}") from error


def _member(file: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> Member:
    """Read one file, or say why not. Control characters in its name would break the one line of an error."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in info.filename)
    if info.flag_bits & 1:
        return Member(name, b"", "encrypted: unpack it first")
    try:
        with file.open(info) as stream:
            return Member(name, stream.read(left + 1))
    except NotImplementedError:
        return Member(name, b"", f"packed with method {info.compress_type}, unknown here: unpack it first")
    except _DAMAGE as error:
        return Member(name, b"", f"damaged: {error}")
