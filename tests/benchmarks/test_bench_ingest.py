"""How quickly files are read, against the least that it could take, and how much memory a large one needs.

TRACER_BENCH_MB (32) is the size of the file whose time is taken, TRACER_BENCH_LARGE_MB (512) that of the one whose
memory is watched; 2048 is the size that the limit is about.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import tracer
from tracer.store import Store

MEGABYTES = int(os.environ.get("TRACER_BENCH_MB") or 32)
LARGE = int(os.environ.get("TRACER_BENCH_LARGE_MB") or 512)
SHARE = 0.5
"""Of the speed of orjson and one Arrow insert."""
MEMORY = 1 << 30
ROUNDS = 3
SAID = (
    "the planner asked seven clerks to count every bike in hall four and none of them agreed on 157 so she took "
    "the mean and told the writer who put it into the report without a second look at what the first one had said"
)
WORDS = SAID.split()
LENGTH = 210
"""Words of a message, about 1,000 characters: those of the 94 labelled runs have 1,215 on average."""


def write(path: Path, megabytes: int) -> None:
    """Conversations of eight messages, one a line; every message differs from all others."""
    chance = random.Random(3)
    texts = [" ".join(chance.choices(WORDS, k=LENGTH)) for _ in range(1000)]
    number = 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes << 20:
            for _ in range(50):
                number += 1
                said = [f"{number} {k} {chance.choice(texts)}" for k in range(8)]
                roles = ("user", "assistant") * 4
                messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
                file.write(json.dumps({"messages": messages}) + "\n")


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    write(path, MEGABYTES)
    return path


def fresh(folder: Path) -> Iterator[Path]:
    """Paths of databases that do not exist yet."""
    for number in range(1000):
        yield folder / f"{number}.duckdb"


def test_ingest_reaches_half_the_speed_of_parsing_and_one_insert(
    benchmark: BenchmarkFixture, log: Path, tmp_path: Path
) -> None:
    """In seconds of this process's own time, the best of three rounds each, in turns."""
    databases = fresh(tmp_path)
    first = next(databases)
    tracer.ingest([log], first)  # loads the libraries, too
    with Store.open(first, read_only=True) as store:
        names = [name for (name,) in store.database.all("SELECT column_name FROM (DESCRIBE steps)")]
        rows = [dict(zip(names, row, strict=True)) for row in store.database.all("SELECT * FROM steps")]

    def least() -> float:
        began = time.process_time()
        with log.open("rb") as file:
            parsed = [orjson.loads(line) for line in file]
        with Store.open(next(databases)) as store, store.database.transaction():
            store.database.insert("steps", rows)
        assert parsed
        return time.process_time() - began

    def ours() -> float:
        began = time.process_time()
        assert tracer.ingest([log], next(databases)).steps == len(rows)
        return time.process_time() - began

    pairs = benchmark.pedantic(lambda: [(least(), ours()) for _ in range(ROUNDS)], rounds=1)  # type: ignore[no-untyped-call]
    bound, took = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    size = log.stat().st_size / (1 << 20)
    print(
        f"\n{size:.0f} MiB, {len(rows):,} steps: {took:.2f} s ({size / took:.0f} MiB/s); parsing and one insert of the "
        f"same rows {bound:.2f} s; {bound / took:.0%} of its speed"
    )
    assert bound / took >= SHARE


def test_a_large_file_is_read_in_bounded_memory(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The largest resident size of a process that reads it: about what half of the file takes."""
    sizes = (LARGE // 2, LARGE)
    peaks = benchmark.pedantic(lambda: [peak(tmp_path, size) for size in sizes], rounds=1)  # type: ignore[no-untyped-call]
    print("\n" + ", ".join(f"{size} MiB: {found >> 20} MiB" for size, found in zip(sizes, peaks, strict=True)))
    assert max(peaks) < MEMORY
    growth = (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])
    assert peaks[1] + growth * max(0, 2048 - LARGE) < MEMORY  # as a straight line to 2 GiB


def peak(folder: Path, megabytes: int) -> int:
    """Bytes that `tracer ingest` of a file of so many MiB holds at most."""
    log, db = folder / f"{megabytes}.jsonl", folder / f"{megabytes}.duckdb"
    write(log, megabytes)
    code = "import resource, sys; from tracer.cli import main; code = main(sys.argv[1:]); "
    code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", code, "ingest", str(log), "--db", str(db)], capture_output=True, text=True, check=True
    )
    log.unlink()
    db.unlink()
    return int(done.stderr.splitlines()[-1]) << 10
