"""What a user waits for: start-up, loading 94 labelled runs, blaming them all. Limits in seconds, on two cores."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import tracer

Fastest = Callable[[Callable[[], object], int], float]

RUNS = 94
HELP_LIMIT = 0.4
LOAD_LIMIT = 3.0
BLAME_LIMIT = 15.0


@pytest.fixture
def fastest(benchmark: BenchmarkFixture) -> Fastest:
    """Runs an action so many times, puts its times into the table, and returns the shortest in seconds."""

    def measure(action: Callable[[], object], rounds: int) -> float:
        benchmark.pedantic(action, rounds=rounds)  # type: ignore[no-untyped-call]
        assert benchmark.stats is not None
        return float(benchmark.stats["min"])

    return measure


@pytest.fixture(scope="module")
def labelled(real_logs: Path) -> Path:
    """The labelled development runs."""
    return real_logs / "whowhen-dev"


@pytest.fixture
def databases(tmp_path: Path) -> Callable[[], Path]:
    """A path at which nothing stands yet, at each call."""
    numbers = count()
    return lambda: tmp_path / f"{next(numbers)}.duckdb"


@pytest.fixture(scope="module")
def loaded(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that holds them."""
    db = tmp_path_factory.mktemp("loaded") / "bench.duckdb"
    run_python("-m", "tracer", "ingest", str(labelled), "--db", str(db))
    return db


def run_python(*arguments: str) -> str:
    """What a fresh interpreter prints: its whole life is what the user waits for."""
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_start_of_bare_python(fastest: Fastest) -> None:
    """An interpreter that starts and ends: the part of the wait that is not ours."""
    assert fastest(lambda: run_python("-c", "pass"), 7) > 0


def test_help(fastest: Fastest) -> None:
    """`tracer --help`."""
    assert fastest(lambda: run_python("-m", "tracer", "--help"), 7) <= HELP_LIMIT


def test_load_through_the_command_line(fastest: Fastest, labelled: Path, databases: Callable[[], Path]) -> None:
    """`tracer ingest` of all files into a new database."""
    assert (
        fastest(lambda: run_python("-m", "tracer", "ingest", str(labelled), "--db", str(databases())), 3) <= LOAD_LIMIT
    )


def test_load_through_the_library(fastest: Fastest, labelled: Path, databases: Callable[[], Path]) -> None:
    """`tracer.ingest` of all files into a new database, in a process that has loaded its libraries."""
    assert fastest(lambda: tracer.ingest([labelled], db=databases()), 3) <= LOAD_LIMIT


def test_blame_of_all(fastest: Fastest, loaded: Path) -> None:
    """`tracer blame --all` over every loaded run, one JSON object a line."""
    lines: list[str] = []

    def blame() -> None:
        lines[:] = run_python("-m", "tracer", "blame", "--all", "--json", "--db", str(loaded)).splitlines()

    assert fastest(blame, 2) <= BLAME_LIMIT
    assert len(lines) == RUNS
