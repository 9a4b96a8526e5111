"""gzip and zip, read in memory and never trusted: what comes out is bounded in bytes and in proportion.

Zips that are packed with zstd (method 93) need a package before Python 3.14, whose own zipfile reads them.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracer.config import max_bytes
from tracer.errors import BadInputError, MissingExtraError

MAX_RATIO = 100
"""Expanded to packed size. Logs pack 5 to 50 times."""
FREE_BYTES = 16 << 20
"""Up to here the ratio does not matter: a short log may repeat itself, and 16 MiB hurt nobody."""

_ZSTD = 93
_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, struct.error)


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


def names(source: str, data: bytes) -> list[str]:
    """The names of a zip's files, as they stand in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return [info.filename for info in file.infolist() if not info.is_dir()]
    except _DAMAGE as error:
        raise BadInputError(f"{source}: truncated or damaged zip: {error}") from error


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


def unzip(source: str, data: bytes, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Member]:
    """The wanted files of a zip in the archive's own order; the bound holds for all of them together."""
    left = allowance(len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            for info in file.infolist():
                if info.is_dir() or not wanted(info.filename):
                    continue
                member = _member(file, data, info, left)
                left -= len(member.data)
                if left < 0:
                    limit = allowance(len(data))
                    raise BadInputError(f"{source}: expands beyond {limit:,} bytes: unpack it first if you trust it")
                yield member
    except _DAMAGE as error:
        raise BadInputError(f"{source}: truncated or damaged zip: {error}") from error


def _member(file: zipfile.ZipFile, data: bytes, info: zipfile.ZipInfo, left: int) -> Member:
    """Read one file, or say why not. Control characters in its name would break the one line of an error."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in info.filename)
    if info.flag_bits & 1:
        return Member(name, b"", "encrypted: unpack it first")
    try:
        with file.open(info) as stream:
            return Member(name, stream.read(left + 1))
    except NotImplementedError:
        if info.compress_type == _ZSTD:
            return _zstd_member(name, data, info, left)
        return Member(name, b"", f"packed with method {info.compress_type}, unknown here: unpack it first")
    except _DAMAGE as error:
        return Member(name, b"", f"damaged: {error}")


def _zstd_member(name: str, data: bytes, info: zipfile.ZipInfo, left: int) -> Member:
    """What zipfile would do with method 93 if it knew it: find the packed bytes, unpack, compare the checksum."""
    try:
        import zstandard  # in the extra [inspect]
    except ImportError:
        return Member(name, b"", str(MissingExtraError.for_extra("inspect", "a zip packed with zstd")))
    lengths = struct.unpack_from("<HH", data, info.header_offset + 26)  # of the name and the extra field before them
    start = info.header_offset + 30 + sum(lengths)
    packed = io.BytesIO(data[start : start + info.compress_size])
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as stream:
            content = stream.read(left + 1)
    except zstandard.ZstdError as error:
        return Member(name, b"", f"damaged: {error}")
    if len(content) <= left and zlib.crc32(content) != info.CRC:
        return Member(name, b"", "damaged: the checksum does not fit")
    return Member(name, content)
