"""Formats of other packages: the docs' example as an installed distribution, and what broken ones may not do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tracer.collectors.registry import BUILT_IN, COLLECTORS
from tracer.store import Store

PAGE = Path(__file__).parent.parent / "docs" / "concepts" / "plug-ins.md"
LOG = [
    {"acme_run": "r1", "who": "planner", "said": "count the bikes"},
    {"acme_run": "r2", "who": "planner", "said": "count the cars"},
    {"acme_run": "r1", "who": "counter", "said": "157", "ok": False},
]


def block(language: str) -> str:
    """The page's one fenced block in a language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def install(site: Path, module: str, code: str, name: str, **entries: str) -> None:
    """Lay a distribution down as an installer does: its module, its metadata, its entry points."""
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    metadata = site / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{each} = {value}\n" for each, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[tracer.collectors]\n{lines}")


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Path:
    """A folder of installed packages with the example in it."""
    site = tmp_path / "site"
    site.mkdir()
    project = tomllib.loads(block("toml"))["project"]
    install(site, "acme_logs", block("python"), project["name"], **project["entry-points"]["tracer.collectors"])
    return site


def ingest(site: Path, log: Path, db: Path) -> subprocess.CompletedProcess[str]:
    """`tracer ingest` in an interpreter that has these packages."""
    command = [sys.executable, "-m", "tracer", "ingest", str(log), "--db", str(db), "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    """A log of the example's tool, and a chat beside it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "acme.jsonl").write_text("".join(json.dumps(each) + "\n" for each in LOG))
    (folder / "chat.json").write_text(json.dumps([{"role": "user", "content": "hello"}]))
    return folder


def test_the_example_of_the_docs_is_short_and_reads_its_format(site: Path, log: Path, tmp_path: Path) -> None:
    """Two runs, by hand: r1 with two steps, which failed, and r2 with one, of which nothing is said."""
    assert len(block("python").splitlines()) + len(block("toml").splitlines()) < 60
    done = ingest(site, log, tmp_path / "t.duckdb")
    assert done.stderr == ""
    found = {Path(each["source"]).name: each for each in json.loads(done.stdout)["sources"]}
    assert (found["acme.jsonl"]["format"], found["acme.jsonl"]["runs"], found["acme.jsonl"]["steps"]) == ("acme", 2, 3)
    assert found["chat.json"]["format"] == "chat"
    with Store.open(tmp_path / "t.duckdb", read_only=True) as store:
        runs = {run.task: run for run in store.runs() if run.format == "acme"}
        assert {task: run.outcome for task, run in runs.items()} == {
            "count the bikes": "failure",
            "count the cars": "unknown",
        }
        assert [(step.agent, step.content) for step in store.steps(runs["count the bikes"].id)] == [
            ("planner", "count the bikes"),
            ("counter", "157"),
        ]


BROKEN = {
    "raises": "raise RuntimeError('no luck\\n today')",
    "missing": "X = 1",
    "wrong": "COLLECTOR = 7",
    "taken": "from tracer.collectors import Collector\nCOLLECTOR = Collector('chat', lambda c: None, lambda c: None)",
}


def test_a_broken_plug_in_gives_one_line_and_stops_nothing(site: Path, log: Path, tmp_path: Path) -> None:
    """Each of them, with its name, its distribution and the reason; the good one still reads its file."""
    for name, code in BROKEN.items():
        install(site, f"broken_{name}", code, f"broken-{name}", **{name: f"broken_{name}:COLLECTOR"})
    done = ingest(site, log, tmp_path / "t.duckdb")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert [line.split(" is left out: ")[0] for line in lines] == [
        f"plug-in {name} (broken-{name} 1.0)" for name in sorted(BROKEN)
    ]
    assert lines[1].endswith("RuntimeError: no luck today")
    assert lines[2].endswith("there is a format 'chat' already")
    assert {each["format"] for each in json.loads(done.stdout)["sources"]} == {"acme", "chat"}


def test_a_plug_in_that_stumbles_over_a_file_costs_that_file_only(site: Path, log: Path, tmp_path: Path) -> None:
    """An error in `detect` is a no; one in `read`, or a wrong result, passes the file over in one line."""
    code = """
from tracer.collectors import Batch, Collector

def asked(container):
    if "chat" in container.source:
        raise KeyError("oops")
    return None

def read(container):
    raise ValueError("two\\nlines")

STUMBLES = Collector("a_stumbles", asked, read)
"""
    install(site, "stumbles", code, "stumbles", stumbles="stumbles:STUMBLES")
    (site / "acme_logs-1.0.dist-info" / "entry_points.txt").unlink()
    done = ingest(site, log, tmp_path / "t.duckdb")
    report = json.loads(done.stdout)
    assert [each["format"] for each in report["sources"]] == ["chat"]
    [skipped] = report["skipped"]
    assert skipped["reason"] == "the plug-in stumbles 1.0 failed: ValueError: two lines"


def test_the_built_in_formats_are_one_line_each() -> None:
    """Each line names a module, and the module's collector is in the cascade at its place."""
    assert len(BUILT_IN) == len(set(BUILT_IN)) == len(COLLECTORS)
