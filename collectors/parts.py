"""A large file of JSON Lines, read part by part, so that memory does not grow with the file.

Only a format whose lines stand for themselves can be cut: it says after which line (`Collector.divide`). Everything
else is opened whole, within the size limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tracer.collectors.collector import Collector
from tracer.collectors.container import Container, Document
from tracer.collectors.json_values import loads
from tracer.collectors.registry import recognise
from tracer.config import max_bytes
from tracer.errors import BadInputError, UnknownFormatError

LARGE = 64 << 20
"""Bytes from which a file is looked at as one to be cut."""
PART = 8 << 20
"""Bytes of one part, or a little less."""


class Part(NamedTuple):
    """Some lines of a file, and who reads them."""

    container: Container
    collector: Collector


def can_be_cut(path: Path) -> bool:
    """Is this a large file of JSON Lines, in a format whose lines stand for themselves?"""
    try:
        if not path.is_file() or path.stat().st_size < LARGE:
            return False
        first = next(_parts(path), None)
    except (OSError, BadInputError, UnknownFormatError):
        return False  # opening it whole gives the reason
    return first is not None


def parts(path: Path) -> Iterator[Part]:
    """The file, part by part, in order. BadInputError names the line that is no JSON."""
    try:
        yield from _parts(path)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _parts(path: Path) -> Iterator[Part]:
    """Nothing where the first lines are in a format that cannot be cut."""
    collector: Collector | None = None
    lines: list[bytes] = []
    number, size = 1, PART
    with path.open("rb") as file:
        while block := _read_lines(path, file, size):
            lines += block
            _refuse_large(path, lines)
            container = _container(str(path), lines, number)
            collector = collector or recognise(container)
            if collector.divide is None:
                return
            whole = _whole_lines(container, collector, number)
            if whole < 0:
                return
            # What belongs together is parsed again with each part that is added to it: not too often.
            size = PART if whole else max(PART, sum(map(len, lines)))
            if whole:
                yield Part(_container_of(container, lines[:whole], number + whole), collector)
                lines, number = lines[whole:], number + whole
        if lines and collector:
            container = _container(str(path), lines, number)
            yield Part(_container_of(container, lines, number + len(lines)), collector)


def _read_lines(path: Path, file: BinaryIO, size: int) -> list[bytes]:
    """About so many bytes, to the end of a line; empty at the end of the file."""
    data = file.read(size)
    while data and not data.endswith(b"\n"):
        rest = file.readline(size)
        if not rest:
            break
        data += rest
        _refuse_large(path, [data])
    if not data:
        return []
    return data.removesuffix(b"\n").split(b"\n")  # not splitlines: a lone carriage return ends no line of JSON Lines


def _refuse_large(path: Path, lines: list[bytes]) -> None:
    if sum(map(len, lines)) > max_bytes():
        raise BadInputError(
            f"{path}: more than {max_bytes():,} bytes belong together (set TRACER_MAX_BYTES to raise the limit)"
        )


def _container(source: str, lines: list[bytes], first: int) -> Container:
    found = []
    for number, line in enumerate(lines, start=first):
        if line.strip():
            try:
                found.append(Document(loads(line), number))
            except ValueError as error:
                raise BadInputError(f"{source}, line {number}: no JSON value") from error
    return Container(source, "jsonl", tuple(found))


def _whole_lines(container: Container, collector: Collector, first: int) -> int:
    """How many lines can be read without those that follow; less than 0 where the file must be read whole."""
    assert collector.divide is not None
    documents = container.documents
    count = collector.divide(container)
    if count <= 0:
        return count
    return (documents[count].line or 0) - first if count < len(documents) else (documents[-1].line or 0) - first + 1


def _container_of(container: Container, lines: list[bytes], end: int) -> Container:
    documents = tuple(each for each in container.documents if (each.line or 0) < end)
    digest = hashlib.sha256(b"part\n" + b"\n".join(lines)).hexdigest()  # a single part is not its file
    return container._replace(documents=documents, digest=digest)
