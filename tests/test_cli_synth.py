"""`tracer synth` as a user calls it: from a successful run to labelled failures that every tool can read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.schemas import SynthReport
from tracer.store import Store

Call = Callable[..., Any]
APP = """
import re

AGENTS = ["planner", "reader", "counter", "solver", "reporter"]

def number(text):
    return int((re.findall(r"\\d+", text) or ["0"])[-1])

def replay(prefix_steps, edited_step):
    said = [step.content for step in [*prefix_steps, *([edited_step] if edited_step else [])]]
    kept = len(said)
    while len(said) < 5:
        said.append([
            lambda: "Plan: the reader counts the reef, the counter the bay, the solver adds.",
            lambda: "The reef has 1204 whales.",
            lambda: "The bay has 707 whales.",
            lambda: f"{number(said[1])} and {number(said[2])} make {number(said[1]) + number(said[2])}.",
            lambda: f"Final answer: {number(said[3])}",
        ][len(said)]())
    answer = number(said[4])
    new = [{"agent": AGENTS[place], "content": said[place]} for place in range(kept, 5)]
    return new, answer == 1911, answer
"""
SAID = (
    ("planner", "Plan: the reader counts the reef, the counter the bay, the solver adds."),
    ("reader", "The reef has 1204 whales."),
    ("counter", "The bay has 707 whales."),
    ("solver", "1204 and 707 make 1911."),
    ("reporter", "Final answer: 1911"),
)


@pytest.fixture(name="app")
def _app(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A successful run in the store, and the user's module in the current folder; its name."""
    history = [{"role": "assistant", "name": who, "content": text} for who, text in SAID]
    log = {"question": "How many whales?", "history": history, "ground_truth": "1911", "is_correct": True}
    (tmp_path / "log.json").write_text(json.dumps(log | {"mistake_agent": None, "mistake_step": None}))
    assert call("ingest", "log.json").code == 0
    name = f"team_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(APP, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_failures_are_labelled_where_the_fault_was_planted(call: Call, app: str, tmp_path: Path) -> None:
    """Each file's label is the step whose text is the fault's; what follows is what the system said, not an edit."""
    done = call("synth", "--n", 4, "--with", f"{app}:replay", "-o", "out", "--json")
    report = SynthReport.model_validate(done.json)
    assert (done.code, report.failures, report.ended) == (0, 4, "enough")
    assert len(report.files) == report.failures + report.negatives + 1
    for path in (tmp_path / "out").glob("*.json"):
        value = json.loads(path.read_text())
        texts = [entry["content"] for entry in value["history"]]
        if value["is_correct"]:
            assert value["mistake_step"] is None
            assert texts[-1].endswith("1911")
            continue
        step = int(value["mistake_step"])
        assert not texts[-1].endswith("1911")
        assert texts[:step] == [text for _, text in SAID[:step]]
        assert texts[step] != SAID[step][1]
        assert value["mistake_agent"] == SAID[step][0]
        assert value["effect"][1] > 0.2


def test_the_files_are_read_back_with_their_labels(call: Call, app: str) -> None:
    """Ingested, they are ordinary runs; the bench scores blame on the failures alone."""
    assert call("synth", "--n", 4, "--with", f"{app}:replay", "-o", "out").code == 0
    loaded = call("ingest", "out", "--json").json
    rows = call("runs", "--json").json
    assert len(rows) == 1 + loaded["runs"]
    assert [row["outcome"] for row in rows].count("failure") == 4
    scored = call("bench", "whowhen", "out", "--json").json
    assert sum(subset["n"] for subset in scored["subsets"].values()) == 4


def test_the_report_says_what_was_planted_and_a_second_call_lives_nothing(call: Call, app: str, tmp_path: Path) -> None:
    """Counts per fault, the failures with their effects, and where the runs are; every fork is in the store."""
    command = ("synth", "@last", "--n", 3, "--fault", "source-pollution", "--with", f"{app}:replay", "-o", "out")
    first = call(*command)
    lines = first.out.splitlines()
    assert lines[0] == "2 failures and 0 that survived their fault"
    assert "16 forks lived; no step is left to plant in" in lines[1]
    assert any(line.split() == ["source-pollution", "2", "2", "0", "0"] for line in lines)
    assert "+1.00 [+0.31, +1.00]" in first.out
    assert first.err == "next: `tracer bench whowhen out` scores blame on them, `tracer ingest out` loads them\n"
    assert "0 forks lived" in call(*command).out
    with Store.open(tmp_path / "t.duckdb", read_only=True) as store:
        assert len(store.forks(store.run("@last").id)) == 16
        assert store.verify() == []


def test_a_stand_in_labels_every_figure(call: Call, tmp_path: Path, app: str) -> None:
    """Where the function says that a model spoke in the place of the system."""
    with (tmp_path / f"{app}.py").open("a") as file:
        file.write('\nreplay.stand_in = "some model"\n')
    command = ("synth", "--n", 1, "--fault", "source-pollution", "--with", f"{app}:replay", "-o", "out")
    lines = call(*command).out.splitlines()
    assert lines[0].endswith("(stand-in)")
    assert any("effect (stand-in)" in line for line in lines)
    assert lines[-1] == "stand-in: some model spoke in the place of the system"
    assert json.loads((tmp_path / "out" / "1.json").read_text())["stand_in"] == "some model"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--fault", "gremlins"), 2, "no fault 'gremlins'; there are: source-pollution"),
        (("nobody",), 2, "no run 'nobody'"),
        (("-o", "log.json"), 3, "log.json is a file: name a folder"),
        (("-o", "."), 3, "which is no export of ours"),
    ],
)
def test_a_mistake_is_one_line(call: Call, app: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    """That says what to do; nothing is lived."""
    done = call("synth", "--with", f"{app}:replay", *arguments)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert said in done.err


def test_without_a_successful_run_it_says_so(call: Call, app: str) -> None:
    """Runs that failed are for blame."""
    assert call("mark", "@last", "--failed").code == 0
    done = call("synth", "--with", f"{app}:replay")
    assert done.code == 2
    assert "no run is known to have succeeded" in done.err
    done = call("synth", "@last", "--with", f"{app}:replay")
    assert "is no success (failure)" in done.err
