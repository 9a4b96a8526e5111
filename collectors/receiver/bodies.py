"""The body of a request, within limits: of size, of what it may unpack to, and of time.

What unpacks is bounded while it unpacks, so that a small bomb costs no more than an honest body of the largest size.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from tracer.errors import TracerError

MAX_BODY = 20 << 20
"""Bytes of a body, unpacked: the OpenTelemetry Collector's limit."""
SECONDS = 15.0
"""How long a client may take to send it."""
_GZIP = 31
"""zlib's window bits for gzip, and nothing else."""
_PIECE = 1 << 16


class BodyError(TracerError):
    """A body that is refused, with the HTTP status that says why."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def read_body(stream: AsyncIterator[bytes], encoding: str) -> bytes:
    """The body as the client wrote it, before it was packed."""
    if encoding not in {"", "identity", "gzip"}:
        raise BodyError(415, f"Content-Encoding {encoding!r} is not known here: send gzip, or nothing")
    try:
        async with asyncio.timeout(SECONDS):
            try:
                return await (_gunzip(stream) if encoding == "gzip" else _plain(stream))
            except BodyError:
                await _drain(stream)
                raise
    except TimeoutError as error:
        raise BodyError(408, f"the body did not come within {SECONDS:g} s") from error


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Take the rest of a refused body, up to a limit: a client that cannot send it all never reads why."""
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size > 4 * MAX_BODY:
            return


async def _plain(stream: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        _refuse_large(len(body))
    return bytes(body)


async def _gunzip(stream: AsyncIterator[bytes]) -> bytes:
    """All members of a gzip stream, unpacked as they come."""
    body = bytearray()
    unpack, begun = zlib.decompressobj(_GZIP), False
    try:
        async for chunk in stream:
            rest = chunk
            while rest:
                if unpack.eof:
                    unpack = zlib.decompressobj(_GZIP)
                body += unpack.decompress(rest, _PIECE)
                begun = True
                _refuse_large(len(body))
                rest = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    except zlib.error as error:
        raise BodyError(400, "the body is no gzip, or damaged") from error
    if begun and not unpack.eof:
        raise BodyError(400, "the body's gzip is cut off")
    return bytes(body)


def _refuse_large(size: int) -> None:
    if size > MAX_BODY:
        raise BodyError(413, f"the body is larger than {MAX_BODY >> 20} MiB: send smaller batches")
