"""`tracer blame --replay` as a user calls it: on a system of their own, on the agent world, and how mistakes end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

Call = Callable[..., Any]
APP = '''
import random

def replay(prefix_steps, edited_step, seed):
    """planner, reader, writer: the reader misreads in a quarter of all lives, the writer repeats the reader."""
    said = [step.content for step in [*prefix_steps, *([edited_step] if edited_step else [])]]
    kept, rng = len(said), random.Random(seed)
    if kept < 1:
        said.append("Plan: count the whales.")
    if kept < 2:
        said.append(f"It saw {4711 if rng.random() < 0.25 else 12}.")
    answer = "12" if "12" in said[1] else "4711"
    if kept < 3:
        said.append(f"Answer: {answer}")
    agents = ["planner", "reader", "writer"]
    return [{"agent": agents[k], "content": said[k]} for k in range(kept, 3)], END, answer
'''
HISTORY = [
    {"role": "user", "name": "planner", "content": "Plan: count the whales."},
    {"role": "user", "name": "reader", "content": "It saw 4711."},
    {"role": "user", "name": "writer", "content": "Answer: 4711"},
]


@pytest.fixture
def app(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A failed run, labelled wrongly on purpose, and two modules that live it again; the name of the first.

    The first says how each life ended, the second (`NAME_mute`) only what it answered.
    """
    log = {"question": "How many whales?", "history": HISTORY, "mistake_agent": "writer", "mistake_step": "2"}
    (tmp_path / "log.json").write_text(json.dumps(log | {"ground_truth": "12"}), encoding="utf-8")
    assert call("ingest", "log.json").code == 0
    name = f"whale_blame_{abs(hash(request.node.name))}"  # a module is imported once for all tests
    (tmp_path / f"{name}.py").write_text(APP.replace("END", 'answer == "12"'), encoding="utf-8")
    (tmp_path / f"{name}_mute.py").write_text(APP.replace("END", "None"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_the_planted_fault_is_named_and_the_tiers_are_shown(call: Call, app: str) -> None:
    """The reader misread; the label says the writer, and is not looked at."""
    done = call("blame", "@last", "--replay", "--with", f"{app}:replay")
    assert done.code == 0
    assert done.out.startswith("step 1 · reader")
    assert "of the success rate" in done.out
    assert "structure  step" in done.out
    assert "replay     step 1 (" in done.out
    assert "Nothing was replayed" not in done.out


def test_measured_edges_stay_in_the_graph_and_forks_in_the_store(call: Call, app: str) -> None:
    """One edge from the reader to the answer; the second call lives nothing that the first has lived."""
    found = call("blame", "@last", "--replay", "--with", f"{app}:replay", "--json").json
    edges = [each for each in call("graph", "@last", "--json").json["edges"] if each["origin"] == "measured"]
    assert [(each["source"], each["target"]) for each in edges] == [(1, 2)]
    again = call("blame", "@last", "--replay", "--with", f"{app}:replay", "--json").json
    assert again == found
    assert len(call("runs", "--json").json) == 1


def test_no_label_is_read(call: Call, app: str, tmp_path: Path) -> None:
    """With all labels removed from the database the finding is the same to the last digit."""
    command = ("blame", "@last", "--replay", "--with", f"{app}:replay", "--json")
    found = call(*command).json
    with duckdb.connect(str(tmp_path / "t.duckdb")) as database:
        assert "writer" in database.execute("SELECT labels FROM runs WHERE parent IS NULL").fetchall()[0][0]
        database.execute("UPDATE runs SET labels = '[]' WHERE parent IS NULL")
        database.execute("DELETE FROM forks")
        database.execute("DELETE FROM steps WHERE run IN (SELECT id FROM runs WHERE parent IS NOT NULL)")
        database.execute("DELETE FROM runs WHERE parent IS NOT NULL")
    assert call(*command).json == found


def test_agreement_with_the_recorded_answer_takes_the_place_of_the_truth(call: Call, app: str) -> None:
    """The module does not say how a life ended; only the answer is compared. With the right one marked, that is."""
    command = ("blame", "@last", "--replay", "--with", f"{app}_mute:replay", "--json")
    assert call(*command, "--truth", "agreement").json["candidates"][0]["step"] == 1
    assert call("mark", "@last", "--failed", "--expected", "12").code == 0
    assert call(*command).json["candidates"][0]["step"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--replay",), "--replay and --with belong together"),
        (("--with", "x:y"), "--replay and --with belong together"),
        (("--all", "--lm", "pocket"), "--all explains every run: leave out --lm, --replay and --drill"),
    ],
)
def test_a_mistake_gets_one_line(call: Call, app: str, arguments: tuple[str, ...], words: str) -> None:
    done = call("blame", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_a_run_of_unknown_outcome_is_not_searched_for_a_failure(call: Call, app: str, tmp_path: Path) -> None:
    """Else its last step would take the blame for an end that may have been right."""
    (tmp_path / "unknown.json").write_text(json.dumps(HISTORY), encoding="utf-8")
    assert call("ingest", "unknown.json").code == 0
    done = call("blame", "@last", "--replay", "--with", f"{app}:replay")
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert "--truth agreement" in done.err
    assert call("blame", "@last", "--replay", "--with", f"{app}:replay", "--assume", "failed").code == 0


THINKING = '''
import random

def replay(prefix_steps, edited_step, seed, begun=None):
    """The reader counts in two sentences, of which the second goes wrong in a quarter of all lives."""
    said, rng = [step.content for step in [*prefix_steps, *([edited_step] if edited_step else [])]], random.Random(seed)
    new, kept = [], len(said)
    if kept < 1:
        said.append("Plan: count the whales.")
        new.append({"agent": "planner", "content": said[0]})
    if kept < 2:
        thought = begun.reasoning if begun else "The page is torn."
        if "whales." not in thought:
            thought += f" I see {4711 if rng.random() < 0.25 else 12} whales."
        said.append(f"It saw {4711 if '4711' in thought else 12}.")
        new.append({"agent": "reader", "content": said[1], "reasoning": thought})
    answer = "12" if "12" in said[1] else "4711"
    if kept < 3:
        new.append({"agent": "writer", "content": f"Answer: {answer}"})
    return new, answer == "12", answer
'''


@pytest.fixture
def thinking(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A failed run whose reader thought aloud, and a module that can go on from the middle of its thought."""
    thought = "The page is torn. I see 4711 whales."
    said = [HISTORY[0], {**HISTORY[1], "role": "assistant", "reasoning_content": thought}, {**HISTORY[2]}]
    (tmp_path / "log.json").write_text(json.dumps(said), encoding="utf-8")
    assert call("ingest", "log.json").code == 0
    assert call("mark", "@last", "--failed", "--expected", "12").code == 0
    name = f"whale_drill_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(THINKING, encoding="utf-8")
    whole = THINKING.replace(", begun=None):", "):\n    begun = None")
    (tmp_path / f"{name}_whole.py").write_text(whole, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_the_drill_goes_on_to_the_sentence_that_cost_the_run(call: Call, thinking: str) -> None:
    """The second sentence of the reader's thought; the path is sentence, step, symptom."""
    command = ("blame", "@last", "--replay", "--with", f"{thinking}:replay", "--drill")
    told = call(*command, "--json").json["drill"]
    assert (told["way"], told["where"], told["sentence"], told["sure"]) == ("replay", "sentence", 1, True)
    assert (told["text"], told["start"], told["end"]) == ("I see 4711 whales.", 18, 36)
    assert told["fall"][1] > 0.3
    assert [(link["step"], link["text"]) for link in told["path"]][:2] == [(1, "I see 4711 whales."), (1, "")]
    assert told["path"][-1]["step"] == 2
    assert "sentence 1, “I see 4711 whales.”, costs" in call(*command).out
    assert call(*command, "--json").json["drill"] == told


def test_a_replayer_of_whole_steps_leaves_the_drill_to_a_model(call: Call, thinking: str) -> None:
    """The step is found as before; the pocket model does not know the words, and both are told in one line."""
    pytest.importorskip("torch")
    done = call("blame", "@last", "--replay", "--with", f"{thinking}_whole:replay", "--drill", "--json")
    told = done.json["drill"]
    assert done.json["candidates"][0]["step"] == 1
    assert "parameter `begun`" in told["words"]
    assert "--lm MODEL" in told["words"]


def test_forks_from_inside_a_step_are_kept_and_not_lived_twice(call: Call, thinking: str, tmp_path: Path) -> None:
    """Each says how much of which step was kept."""
    command = ("blame", "@last", "--replay", "--with", f"{thinking}:replay", "--drill", "--json")
    assert call(*command).code == 0
    with duckdb.connect(str(tmp_path / "t.duckdb")) as database:
        count = "SELECT count(*), count(*) FILTER (notes[1] LIKE '%of the reasoning of step 1 kept') FROM runs"
        first = database.execute(count).fetchall()[0]
    assert call(*command).code == 0
    with duckdb.connect(str(tmp_path / "t.duckdb")) as database:
        assert database.execute(count).fetchall()[0] == first
    assert first[1] >= 12
