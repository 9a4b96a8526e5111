"""From paths to the store: walk, open, recognise, read, add. One bad file is told and passed over; the rest load."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tracer.collectors.collector import Collector
from tracer.collectors.container import Container, beside_log, is_log_folder, open_containers
from tracer.collectors.parts import can_be_cut, parts
from tracer.collectors.redacted import redacted
from tracer.collectors.registry import derive, recognise
from tracer.errors import BadInputError
from tracer.records import Recording, Span
from tracer.redaction import Redactor
from tracer.rows import sane
from tracer.store import Added, Source, Store

Progress = Callable[[str, int, int], None]
"""Told before each file: its path, how many are done, how many there are."""


class Loaded(NamedTuple):
    """A file, or archive member, that was recognised, and what it holds."""

    source: str
    format: str
    runs: int
    steps: int
    new: int
    """How many of its runs were not in the store before."""
    part_of: str | None = None
    """The source of the run that this file belongs to, when it began none of its own."""


class Skipped(NamedTuple):
    """A file, or a part of one, that was passed over, and why."""

    source: str
    reason: str


class Ingested(NamedTuple):
    """What was added in all, what each file holds, and what was passed over."""

    runs: int
    steps: int
    spans: int
    sources: list[Loaded]
    skipped: list[Skipped]


def refusal(skipped: Sequence[tuple[str, str]]) -> str:
    """Why nothing was loaded: a file's own reason where there is only one."""
    if not skipped:
        return "nothing was loaded: there is no file; hidden ones are read only when named"
    if len(skipped) == 1:
        return ": ".join(skipped[0])
    return f"nothing was loaded: none of {len(skipped):,} files is a log that can be read"


def ingest(
    paths: Sequence[Path], store: Store, *, progress: Progress | None = None, redactor: Redactor | None = None
) -> Ingested:
    """Read every log under the paths into the store; files that are in it already are not parsed again.

    With a redactor, only what it leaves reaches the store; what was loaded without it counts as another content.
    Raises BadInputError when a path does not exist; what is wrong inside a file is told in `skipped`.
    """
    _require(paths)
    own = {store.path.resolve(), store.path.with_name(store.path.name + ".wal").resolve()}
    files = list(_walk(paths, own))
    total = Ingested(0, 0, 0, [], [])
    for done, path in enumerate(files):
        if progress:
            progress(str(path), done, len(files))
        total = _ingest_file(path, store, total, redactor)
    return total


def read_recordings(paths: Sequence[Path]) -> tuple[list[Recording], list[Skipped]]:
    """Every run in the logs under the paths, without a store; spans are joined within what was given.

    Raises BadInputError when a path does not exist; what is wrong inside a file is told in the second value.
    """
    recordings: list[Recording] = []
    spans: list[Span] = []
    skipped: list[Skipped] = []
    _require(paths)
    for path in _walk(paths, set()):
        try:
            for container in open_containers(path):
                batch = recognise(container).read(container)
                recordings += [recording for recording in batch.recordings if recording.steps]
                spans += batch.spans
        except BadInputError as error:
            skipped.append(Skipped(sane(str(path)), sane(str(error).removeprefix(f"{path}: "))))
    if spans:
        recordings += [recording for recording, _ in derive(spans)]
    return recordings, skipped


def _require(paths: Sequence[Path]) -> None:
    """Refuse to begin when a path is not there or cannot be looked at."""
    for path in paths:
        try:
            path.stat()
        except FileNotFoundError as error:
            raise BadInputError(f"{path}: no such file or folder") from error
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error


def _walk(paths: Sequence[Path], own: set[Path]) -> Iterator[Path]:
    """The files below each path, sorted; each once, hidden ones only when named, and never the store's own."""
    seen = set(own)
    for path in paths:
        for file in _below(path) if path.is_dir() else [path]:
            if (real := file.resolve()) not in seen:
                seen.add(real)
                yield file


def _below(folder: Path) -> Iterator[Path]:
    """Files of a folder, then the folders that may not be listed; a log that is a folder counts as one file.

    Linked folders are not followed, so a loop of links ends.
    """
    closed: list[OSError] = []
    for name, folders, files in os.walk(folder, onerror=closed.append):
        if is_log_folder(files):
            folders.clear()
            yield Path(name)
            yield from (Path(name, each) for each in beside_log(files))
            continue
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(name, each) for each in sorted(files) if not each.startswith("."))
    yield from (Path(error.filename) for error in closed)


def _ingest_file(path: Path, store: Store, total: Ingested, redactor: Redactor | None) -> Ingested:
    """Add one file; on trouble nothing of the part that is in trouble."""
    if held := _loaded_before(path, store, redactor):
        total.sources.append(_loaded(held._replace(source=str(path)), new=0))
        return total
    if can_be_cut(path):
        return _ingest_parts(path, store, total, redactor)
    with _unswept():
        return _ingest_whole(path, store, total, redactor)


def _ingest_whole(path: Path, store: Store, total: Ingested, redactor: Redactor | None) -> Ingested:
    try:
        containers = open_containers(path)
    except BadInputError as error:
        return _skip(total, str(path), error)
    for container in containers:
        try:
            total = _ingest_container(container, store, total, redactor)
        except BadInputError as error:
            total = _skip(total, container.source, error)
    return total


def _ingest_parts(path: Path, store: Store, total: Ingested, redactor: Redactor | None) -> Ingested:
    """Add a large file part by part. When it breaks off, what was added stays, and a second time goes on from there."""
    digests: list[str] = []
    found = total._replace(sources=[], skipped=[])
    try:
        for part in parts(path):
            digests.append(_digest(part.container.digest, redactor))
            with _unswept():
                found = _ingest_container(part.container, store, found, redactor, part.collector)
    except BadInputError as error:
        found = _skip(found, str(path), error)
    else:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256")
        held = store.join_sources(str(path), _digest(whole.hexdigest(), redactor), digests)
        if held:
            found.sources[:] = [_loaded(held, new=sum(each.new for each in found.sources))]
    total.sources.extend(_joined(found.sources))
    total.skipped.extend(found.skipped)
    return found._replace(sources=total.sources, skipped=total.skipped)


def _joined(parts: list[Loaded]) -> list[Loaded]:
    """What the parts of one file hold together."""
    if not parts:
        return []
    runs, steps, new = (sum(counts) for counts in zip(*(each[2:5] for each in parts), strict=True))
    return [parts[0]._replace(runs=runs, steps=steps, new=new)]


@contextmanager
def _unswept() -> Iterator[None]:
    """No search for cycles while records are made by the hundred thousand: there are none, and looking takes half the
    time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _loaded_before(path: Path, store: Store, redactor: Redactor | None) -> Source | None:
    """What the store knows of a file with these bytes. A packed file's digest is known only once it is open."""
    try:
        if not store.has_sources() or not path.is_file():
            return None
        with path.open("rb") as file:
            return store.source(_digest(hashlib.file_digest(file, "sha256").hexdigest(), redactor))
    except OSError:
        return None  # opening it again gives the reason


def _digest(digest: str, redactor: Redactor | None) -> str:
    """The name under which the store knows a content."""
    return redactor.rehash(digest) if redactor else digest


def _ingest_container(
    container: Container,
    store: Store,
    total: Ingested,
    redactor: Redactor | None,
    collector: Collector | None = None,
) -> Ingested:
    """Recognise, read, redact and add one container."""
    if container.defect:
        raise BadInputError(container.defect)
    digest = _digest(container.digest, redactor)
    if held := store.source(digest):
        total.sources.append(_loaded(held._replace(source=container.source), new=0))
        return total
    collector = collector or recognise(container)
    batch = collector.read(container)
    if redactor:
        batch = redacted(batch, redactor)
    recordings = [recording for recording in batch.recordings if recording.steps]
    if empty := len(batch.recordings) - len(recordings):
        total.skipped.append(Skipped(container.source, "no steps" if empty == 1 else f"{empty} runs without steps"))
    empty_file = not recordings and not batch.spans and not batch.events
    if empty_file and batch.part_of:  # it only repeats what that file holds
        total.sources.append(Loaded(sane(container.source), collector.name, 0, 0, 0, sane(batch.part_of)))
        return total
    if empty_file:
        return total if empty else _skip(total, container.source, BadInputError("holds no runs"))
    added = store.add(
        container.source,
        digest,
        collector.name,
        recordings,
        batch.spans,
        derive,
        events=batch.events,
        part_of=batch.part_of,
        heads=batch.heads,
    )
    return _count(total, added)


def _count(total: Ingested, added: Added) -> Ingested:
    joined = {sane(source) for source in added.joined}
    total.sources[:] = [
        each._replace(part_of=sane(added.holds.source)) if each.source in joined else each for each in total.sources
    ]
    total.sources.append(_loaded(added.holds, new=added.runs))
    return total._replace(
        runs=total.runs + added.runs, steps=total.steps + added.steps, spans=total.spans + added.spans
    )


def _loaded(held: Source, *, new: int) -> Loaded:
    return Loaded(sane(held.source), held.format, held.runs, held.steps, new, held.part_of)


def _skip(total: Ingested, source: str, error: BadInputError) -> Ingested:
    """Note why, without the path that the note holds already."""
    total.skipped.append(Skipped(sane(source), sane(str(error).removeprefix(f"{source}: "))))
    return total
