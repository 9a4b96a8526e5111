"""Run real agent frameworks against a live `tracer collect`, and ask `tracer blame` for the fault that is planted.

    python scripts/live/run.py                          # all of them
    python scripts/live/run.py langgraph-openinference --keep tests/data/live

Each framework gets a virtual environment of its own in a temporary folder (or in TRACER_LIVE_VENVS, where it stays and
is used again), with the versions in requirements/NAME.txt. The telemetry passes a relay on its way to the receiver, so
that what was sent can be kept as it was sent. Needs the extra [serve].
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from live import team  # noqa: E402
from live.relay import Relay  # noqa: E402


class Case(NamedTuple):
    """A framework under one instrumentation."""

    framework: str
    convention: str
    protocol: str = "http/protobuf"

    @property
    def name(self) -> str:
        return f"{self.framework}-{self.convention}"


CASES = {
    case.name: case
    for case in (
        Case("langgraph", "openinference"),
        Case("langgraph", "openllmetry"),
        Case("openai_agents", "openinference"),
        Case("openai_agents", "openllmetry"),
        Case("crewai", "openinference"),
        Case("crewai", "openllmetry"),
        Case("ag2", "openinference"),
        Case("ag2", "native"),
        Case("smolagents", "openinference", "http/json"),
    )
}
PACKAGES = (
    "ag2",
    "crewai",
    "langchain",
    "langgraph",
    "litellm",
    "openai",
    "smolagents",
    "openinference-instrumentation",
    "opentelemetry-exporter-otlp",
    "opentelemetry-instrumentation-",
    "opentelemetry-sdk",
)
"""What the names of the packages begin with whose versions are kept beside a capture."""


class Found(NamedTuple):
    """What came of a case."""

    rank: int | None
    """Of the faulty step among the candidates; None where it is not listed."""
    probability: float | None
    first: str
    """The step that was put first, as agent and words."""


def run(case: Case, python: Path, database: Path) -> list[dict[str, Any]]:
    """Run one case, collected into this database; the requests that were sent."""
    with receiver(database) as port, Relay(port) as relay:
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": relay.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": case.protocol,
            "PYTHONPATH": str(HERE.parent),
            "OPENAI_API_KEY": "none",
        }
        command = [str(python), "-m", f"live.{case.framework}", case.convention]
        subprocess.run(command, env=environment, cwd=database.parent, check=True, timeout=300)
    if relay.refused:
        raise RuntimeError(f"{case.name}: the receiver refused {len(relay.refused)} requests: {relay.refused[:5]}")
    return relay.requests


def judge(database: Path) -> Found:
    """Which rank the planted fault has in the run that was collected."""
    blame = tracer("blame", "@last", "--json", "--db", str(database))
    steps = tracer("show", "@last", "--json", "--db", str(database))["steps"]
    fault = next(step["index"] for step in steps if step["agent"] == "buyer" and is_faulty(step))
    ranked = [candidate["step"] for candidate in blame["candidates"]]
    place = ranked.index(fault) if fault in ranked else None
    first = steps[ranked[0]]
    return Found(
        None if place is None else place + 1,
        None if place is None else blame["candidates"][place]["probability"],
        f"{first['agent']}: {words(first)}",
    )


def words(step: dict[str, Any]) -> str:
    """What a step says, and what it calls."""
    return f"{step['content']} {step['arguments'] or ''}"


def is_faulty(step: dict[str, Any]) -> bool:
    """Is this the planted fault, when it is the first of the buyer's steps that looks like it?"""
    return step["role"] != "system" and team.SCENARIO.fault in words(step)


@contextmanager
def receiver(database: Path) -> Iterator[int]:
    """A `tracer collect` on a free port; on leaving, all that it took is in the database."""
    command = [sys.executable, "-m", "tracer", "collect", "--port", "0", "--json", "--db", str(database)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def tracer(*arguments: str) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run([sys.executable, "-m", "tracer", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def environment_of(framework: str, folder: Path) -> Path:
    """The Python of a virtual environment that holds the framework."""
    home = folder / framework
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():  # an installation that was broken off is begun anew
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        wanted = ["-r", str(HERE / "requirements" / f"{framework}.txt")]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True, timeout=1800)
        done.touch()
    return python


def main() -> int:
    """Run the cases that are named; 1 where the fault is not the first candidate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--keep", type=Path, help="write what was sent into this folder")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in CASES]:
        parser.error(f"no run {unknown[0]!r}; there are: {', '.join(CASES)}")
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        venvs = Path(os.environ.get("TRACER_LIVE_VENVS") or temporary)
        for case in (CASES[name] for name in given.names or CASES):
            python = environment_of(case.framework, venvs)
            database = Path(temporary) / f"{case.name}.duckdb"
            requests = run(case, python, database)
            if given.keep:
                keep(case, python, requests, given.keep)
            found = judge(database)
            missed += found.rank != 1
            print(f"{case.name}: rank {found.rank} ({found.probability}), first is {found.first[:100]!r}", flush=True)
    return int(missed > 0)


def keep(case: Case, python: Path, requests: list[dict[str, Any]], folder: Path) -> None:
    """Write the requests, one a line, and beside them what made them."""
    home = folder / case.framework
    home.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(request, ensure_ascii=False, separators=(",", ":")) for request in requests]
    packed = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    (home / f"{case.convention}.otlp.jsonl.gz").write_bytes(packed)
    manifest = home / "manifest.json"
    known = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    known[case.convention] = {"protocol": case.protocol, "scenario": team.NAME, "versions": versions(python)}
    manifest.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


def versions(python: Path) -> dict[str, str]:
    """Of Python, the framework, its instrumentors and the SDK."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    told = subprocess.run([str(python), "--version"], capture_output=True, text=True, check=True).stdout
    chosen = {each["name"]: each["version"] for each in listed if each["name"].startswith(PACKAGES)}
    return {"python": told.split()[-1], **dict(sorted(chosen.items()))}


if __name__ == "__main__":
    sys.exit(main())
