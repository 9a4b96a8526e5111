"""Segment files: whole lines or none, in the order of arrival, found again after a crash, held by one receiver."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest

from tracer.collectors.receiver import importer
from tracer.collectors.receiver.segments import MAX_WAITING, FullError, Segments, finished, folder_of
from tracer.errors import BusyDatabaseError
from tracer.replayers.function import awaited
from tracer.store import Store


async def write(segments: Segments, lines: list[bytes]) -> None:
    """Append all lines at once, and finish."""
    writing = asyncio.create_task(segments.run())
    await asyncio.gather(*(segments.append(line) for line in lines))
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    await segments.close()


def kept(folder: Path) -> bytes:
    """What all finished segments hold together."""
    return b"".join(path.read_bytes() for path in finished(folder))


def test_lines_that_wait_together_are_kept_together_and_in_order(tmp_path: Path) -> None:
    """Five hundred requests at once take one segment and, as the disk is waited for once, no time."""

    async def run() -> None:
        await write(Segments(tmp_path / "in"), [b"%d\n" % number for number in range(500)])

    awaited(run())
    assert kept(tmp_path / "in") == b"".join(b"%d\n" % number for number in range(500))
    assert len(finished(tmp_path / "in")) == 1
    assert (tmp_path / "in").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("torn", "whole"), [(b'{"a":1}\n{"b":', b'{"a":1}\n'), (b'{"a":1}\n', b'{"a":1}\n'), (b'{"b"', b""), (b"", b"")]
)
def test_a_torn_line_is_cut_off_and_the_rest_is_found_again(tmp_path: Path, torn: bytes, whole: bytes) -> None:
    """What stands behind the last newline was never acknowledged."""

    async def run() -> None:
        segments = Segments(tmp_path)
        assert segments.recovered == len(whole)
        assert segments.fresh.is_set() is bool(whole)
        await segments.close()

    (tmp_path / "00000000000000000001.open").write_bytes(torn)
    awaited(run())
    assert kept(tmp_path) == whole
    assert list(tmp_path.glob("*.open")) == []


def test_too_much_that_waits_is_refused_and_takes_nothing_with_it(tmp_path: Path) -> None:
    """The one that does not fit is told to come back; those before it are kept."""

    async def run() -> None:
        segments = Segments(tmp_path)
        first = asyncio.create_task(segments.append(b"x\n"))
        await asyncio.sleep(0)
        with pytest.raises(FullError):
            await segments.append(bytes(MAX_WAITING))
        writing = asyncio.create_task(segments.run())
        await first
        writing.cancel()
        await segments.close()

    awaited(run())
    assert kept(tmp_path) == b"x\n"


def test_a_backlog_that_the_store_does_not_take_stops_the_intake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until some of it is taken."""
    monkeypatch.setenv("TRACER_COLLECT_BACKLOG", "5")

    async def run() -> None:
        segments = Segments(tmp_path)
        with pytest.raises(FullError):
            await segments.append(b"y\n")
        for path in finished(tmp_path):
            path.unlink()
        segments.settled()
        await write(segments, [b"z\n"])

    (tmp_path / "00000000000000000001.jsonl").write_bytes(b"longer than five\n")
    awaited(run())
    assert kept(tmp_path) == b"z\n"


def test_one_receiver_holds_the_folder(tmp_path: Path) -> None:
    """The second is told so, and the third may come when the first has gone."""

    async def run() -> None:
        first = Segments(tmp_path)
        with pytest.raises(BusyDatabaseError, match="another `tracer collect`"):
            Segments(tmp_path)
        await first.close()
        await Segments(tmp_path).close()

    awaited(run())


def test_the_folder_stands_beside_the_database_and_is_hidden() -> None:
    """So that reading the folder of the database as logs passes it over."""
    assert folder_of(Path("logs/live.duckdb")) == Path("logs/.live.duckdb.incoming")


def test_two_importers_at_once_bring_every_span_once(tmp_path: Path) -> None:
    """That of a receiver that was killed goes on until all is in; the next receiver's takes the same segments."""
    folder = folder_of(tmp_path / "t.duckdb")
    folder.mkdir()
    for number in range(1, 41):
        span = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "x", "startTimeUnixNano": "1"}
        line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
        (folder / f"{number:020d}.jsonl").write_text(line + "\n")
    both = [importer.start(folder, tmp_path / "t.duckdb") for _ in range(2)]
    for child in both:
        child.communicate(b"\n", timeout=120)
    assert [child.returncode for child in both] == [0, 0]
    with Store.open(tmp_path / "t.duckdb", read_only=True) as store:
        assert store.database.all("SELECT count(*), count(DISTINCT span_id) FROM spans") == [(40, 40)]
    assert finished(folder) == []
