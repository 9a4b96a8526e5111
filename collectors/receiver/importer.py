"""From finished segments to the store, in a process of its own: parsing must not hold up the next acknowledgement.

The database is open only while a parsed batch is added, and as long closed again, so that `tracer blame` finds its
turn. A segment is deleted once its transaction is committed; when a kill comes between the two, the next import finds
each span under its own id, and changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson

from tracer.collectors import otlp
from tracer.collectors.collector import Batch
from tracer.collectors.container import Container, Document
from tracer.collectors.receiver.segments import finished
from tracer.collectors.spans import runs_from_spans
from tracer.database import WAIT
from tracer.errors import BadInputError, BusyDatabaseError, TracerError
from tracer.store import Store

BATCH_BYTES = 4 << 20
"""Segments of so many bytes together go into one transaction: a trace is derived anew for each."""
MIN_CLOSED = 0.2
"""Seconds for which the database stays closed at least."""
BAD = ".bad"
_NICENESS = 10
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from tracer.collectors.receiver.importer import serve; serve(*sys.argv[2:])"
)


class Imported(NamedTuple):
    """What one opening of the database brought."""

    runs: int = 0
    steps: int = 0
    spans: int = 0
    trouble: tuple[str, ...] = ()
    """What could not be stored, and where it is kept."""


def import_next(folder: Path, database: Path, *, wait: float = WAIT) -> Imported | None:
    """Bring the oldest finished segments into the store; None when there are none.

    Raises BusyDatabaseError, and leaves them where they are, when another process holds the database for longer than
    `wait` seconds.
    """
    paths = list(_oldest(folder))
    if not paths:
        return None
    lines = list(_lines(paths))
    began = datetime.fromtimestamp(int(paths[0].stem) / 1e9, UTC) if paths[0].stem.isdecimal() else datetime.now(UTC)
    source = f"collect {began:%Y-%m-%dT%H:%M:%S.%fZ}"
    try:
        found = _add(source, lines, database, wait)
    except BadInputError:
        found = _add_each(source, lines, database, paths[0].with_suffix(BAD))
    for path in paths:
        path.unlink(missing_ok=True)
    return found


def _lines(paths: Sequence[Path]) -> Iterator[bytes]:
    """Of all that are still there: the importer of a receiver that was killed may be at work, too, until it is done."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield from path.read_bytes().splitlines()


def _oldest(folder: Path) -> Iterator[Path]:
    size = 0
    for path in finished(folder):
        with suppress(FileNotFoundError):
            own = path.stat().st_size
            size += own
            if size > BATCH_BYTES and size > own:
                return
            yield path


def _add(source: str, lines: Sequence[bytes], database: Path, wait: float) -> Imported:
    """Add the requests in one transaction. They are parsed before the database is opened."""
    batch = _parse(source, lines)
    digest = hashlib.sha256(b"\n".join(lines)).hexdigest()
    with Store.open(database, wait=wait) as store:
        added = store.add(source, digest, otlp.COLLECTOR.name, (), batch.spans, runs_from_spans, events=batch.events)
    return Imported(*added[:3])


def _parse(source: str, lines: Sequence[bytes]) -> Batch:
    try:
        documents = tuple(Document(orjson.loads(line), number) for number, line in enumerate(lines, start=1))
    except ValueError as error:
        raise BadInputError(f"{source}: a damaged line") from error
    return otlp.read(Container(source, "jsonl", documents))


def _add_each(source: str, lines: Sequence[bytes], database: Path, bad: Path) -> Imported:
    """Add the requests one by one, and keep aside those that cannot be stored."""
    total, trouble = [0, 0, 0], []
    for line in lines:
        try:
            added = _add(source, [line], database, WAIT)
            total = [before + more for before, more in zip(total, added[:3], strict=True)]
        except BadInputError as error:
            with bad.open("ab") as file:
                file.write(line + b"\n")
            trouble.append(f"{error}: the request is kept in {bad}")
    return Imported(total[0], total[1], total[2], tuple(trouble))


def start(folder: Path, database: Path) -> subprocess.Popen[bytes]:
    """The importing process: a newline tells it that there is something new, the end of its input that it may end."""
    import json

    arguments = [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path), str(folder), str(database)]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603


def serve(folder: str, database: str) -> None:
    """The child: import whenever told to, and report each opening as a line of JSON, until the parent has gone."""
    with suppress(AttributeError, OSError):
        os.nice(_NICENESS)
    alive = True
    while alive:
        alive = os.read(0, 4096) != b""
        _import_all(Path(folder), Path(database))


def _import_all(folder: Path, database: Path) -> None:
    while True:
        began = time.monotonic()
        try:
            found = import_next(folder, database)
        except TracerError as error:
            _report({"error": str(error)})
            if not isinstance(error, BusyDatabaseError) or _parent_has_gone():
                return
            continue
        if found is None:
            return
        _report(found._asdict())
        time.sleep(max(MIN_CLOSED, time.monotonic() - began))


def _parent_has_gone() -> bool:
    """Whether the input has ended. What else waits in it may be swallowed: we import until nothing is left anyway."""
    readable, _, _ = select.select([0], [], [], 0)
    return bool(readable) and os.read(0, 4096) == b""


def _report(found: dict[str, object]) -> None:
    with suppress(BrokenPipeError):  # the receiver was killed: what it left is imported all the same
        sys.stdout.buffer.write(orjson.dumps(found) + b"\n")
        sys.stdout.buffer.flush()
