"""`tracer replay` as a user calls it: on their own function, killed and called again, and how each mistake ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.records import Replayed
from tracer.schemas import json_schema
from tracer.store import Store

Call = Callable[..., Any]
APP = '''
import os, random, signal, time
from pathlib import Path

LIVED = Path("lived")

def replay(prefix_steps, edited_step, seed):
    """planner, reader, writer: the reader guesses, the writer repeats the reader."""
    said = [step.content for step in [*prefix_steps, *([edited_step] if edited_step else [])]]
    kept = len(said)
    with LIVED.open("a") as file:
        file.write(f"{kept} {seed}\\n")
    if Path("slow").exists():
        time.sleep(0.3)
        if len(LIVED.read_text().splitlines()) == 12:
            os.kill(os.getpid(), signal.SIGKILL)
    if kept < 1:
        said.append("Plan: count the whales.")
    if kept < 2:
        said.append(f"It saw {random.Random(seed).choice([12, 4711])}. \\x1b[2J")
    answer = "12" if "12" in said[1] else "4711"
    if kept < 3:
        said.append(f"Answer: {answer}")
    agents = ["planner", "reader", "writer"]
    steps = [{"agent": agents[place], "content": said[place], "output_tokens": 5} for place in range(kept, 3)]
    return steps, answer == "12", answer

replay.correct = lambda prefix, step: step.model_copy(update={"content": "It saw 12."}) if step.index == 1 else None

def mute(prefix_steps, edited_step):
    return [{"agent": "writer", "content": "Hm, let me think. " * 50}]  # many words, and no answer in them

def breaks(prefix_steps, edited_step):
    raise RuntimeError("the vendor is down \\x1b[31m")
'''
HISTORY = [
    {"role": "user", "name": "planner", "content": "Plan: count the whales."},
    {"role": "user", "name": "reader", "content": "It saw 4711."},
    {"role": "user", "name": "writer", "content": "Answer: 4711"},
]


@pytest.fixture(name="app")
def _app(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A failed run in the store, and the user's module in the current folder; its name."""
    log = {"question": "How many whales?", "history": HISTORY, "mistake_agent": "reader", "mistake_step": "1"}
    (tmp_path / "log.json").write_text(json.dumps(log | {"ground_truth": "12"}), encoding="utf-8")
    assert call("ingest", "log.json").code == 0
    name = f"whales_{abs(hash(request.node.name))}"  # a module is imported once for all tests
    (tmp_path / f"{name}.py").write_text(APP, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def lived(folder: Path) -> list[str]:
    """What the function was asked for, in order."""
    return (folder / "lived").read_text(encoding="utf-8").splitlines()


def test_an_edit_that_mends_the_run_names_the_cause(call: Call, app: str, tmp_path: Path) -> None:
    """Both shares, the effect, and forks that `show` prints; the run list stays as it was."""
    (tmp_path / "right.txt").write_text("It saw 12.\n", encoding="utf-8")
    done = call("replay", "@last", "--at", 1, "--edit", "right.txt", "--with", f"{app}:replay")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "step 1 · reader: cause"
    assert "step edited      10 of 10 flipped   1.00 [0.72, 1.00]" in lines
    assert "step as it was   0 of 10 flipped    0.00 [0.00, 0.28]" in lines
    assert (
        "20 forks, 20 lived now, 100 tokens" in lines[2].replace(" ·", ",") or "20 lived now · 150 tokens" in lines[2]
    )
    fork = done.err.split("`tracer show ")[1].split("`")[0]
    shown = call("show", fork, "--json").json
    assert [step["content"] for step in shown["steps"]][1] == "It saw 12."
    assert (shown["outcome"], shown["forked_at"]) == ("success", 1)
    assert [row["run"] for row in call("runs", "--json").json] == [shown["parent"]]
    assert call("blame", "--json").json["run"] == shown["parent"]


def test_json_has_the_published_form_and_the_second_call_lives_nothing(call: Call, app: str, tmp_path: Path) -> None:
    """Every fork by its address; hostile text stays out of the terminal."""
    command = ("replay", "@last", "--at", 1, "--resample", 8, "--with", f"{app}:replay")
    first = Replayed.model_validate(call(*command, "--json").json)
    assert set(json_schema("replay")["required"]) <= set(first.model_dump())
    assert (first.drawn, first.intervention, len(first.forks), len(lived(tmp_path))) == (16, "resample", 16, 16)
    again = call(*command)
    assert "16 forks, 0 lived now" in again.out
    assert "\x1b" not in again.out + call("show", first.forks[0].run).out
    assert len(lived(tmp_path)) == 16


def test_another_revision_of_the_system_lives_its_own_forks(call: Call, app: str, tmp_path: Path) -> None:
    """For what changes outside of the function's file; the old ones stay."""
    command = ("replay", "@last", "--at", 1, "--resample", 2, "--with", f"{app}:replay", "--json")
    assert [call(*command, "--revision", name).json["drawn"] for name in ("new prompt", "old", "old")] == [4, 4, 0]
    assert len(lived(tmp_path)) == 8


def test_a_replay_that_was_killed_goes_on(call: Call, app: str, tmp_path: Path) -> None:
    """Killed at the twelfth fork, which dies with it and with at most a second's work; the rest is lived once."""
    (tmp_path / "slow").touch()
    command = [sys.executable, "-m", "tracer", "replay", "@last", "--at", "1", "--resample", "10"]
    killed = subprocess.run([*command, "--with", f"{app}:replay"], capture_output=True, check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    (tmp_path / "slow").unlink()
    with Store.open(tmp_path / "t.duckdb", read_only=True) as store:
        [run] = store.runs()
        kept = len(store.forks(run.id))
        assert store.verify() == []
    assert 4 <= kept <= 11
    found = call("replay", "@last", "--at", 1, "--resample", 10, "--with", f"{app}:replay", "--json").json
    assert (found["drawn"], len(found["forks"])) == (20 - kept, 20)
    assert len(lived(tmp_path)) == 12 + 20 - kept


def test_the_replayer_may_know_the_correct_step(call: Call, app: str) -> None:
    """Asked for with --correct; of another step it knows nothing, and says so."""
    command = ("replay", "@last", "--with", f"{app}:replay", "--correct")
    assert call(*command, "--at", 1, "--json").json["verdict"] == "cause"
    done = call(*command, "--at", 0)
    assert (done.code, done.err) == (
        2, f"error: {app}:replay knows no correct step 0: give one with --edit FILE\n",
    )  # fmt: skip


def test_an_inconclusive_replay_says_what_would_settle_it(call: Call, app: str) -> None:
    """Two forks of each kind are too few, and the margin is the user's to set."""
    command = ("replay", "@last", "--at", 1, "--resample", 2, "--with", f"{app}:replay")
    done = call(*command)
    assert done.out.startswith("step 1 · reader: inconclusive")
    assert "forks of each kind would settle it, if the rates stay" in done.out
    assert call(*command, "--margin", 0.9, "--json").json["verdict"] in {"inconclusive", "not a cause"}


def test_forks_of_unknown_end_are_not_called_a_rate(call: Call, app: str) -> None:
    """The expected answer cannot help where no answer is given: the report says what would."""
    done = call("replay", "@last", "--at", 1, "--resample", 3, "--with", f"{app}:mute")
    assert done.out.startswith("step 1 · reader: inconclusive")
    assert "0 of 0 flipped, 3 of unknown end   – [0.00, 1.00]" in done.out
    assert "how these forks ended is not known: let the replayer say it" in done.out
    assert "would settle" not in done.out + done.err


def test_a_budget_and_a_missing_baseline_are_told(call: Call, app: str, tmp_path: Path) -> None:
    """Five forks, and no more; without a baseline only changed ones."""
    done = call("replay", "@last", "--at", 1, "--budget", 5, "--with", f"{app}:replay")
    assert "the budget ended after 5 of 20 forks" in done.out
    assert len(lived(tmp_path)) == 5
    alone = call("replay", "@last", "--at", 1, "--forks", 4, "--no-baseline", "--with", f"{app}:replay", "--json").json
    assert (alone["kept"], alone["changed"]["n"]) == (None, 4)
    tokens = call("replay", "@last", "--at", 1, "--budget-tokens", 1, "--resample", 9, "--with", f"{app}:replay")
    assert "the budget ended" in tokens.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--at", 9, "--with", "{app}:replay"), 2, "has steps 0 to 2: there is no step 9"),
        (("--at", 1, "--with", "{app}:nobody"), 2, "has no attribute 'nobody'"),
        (
            ("--at", 1, "--with", "nobody"),
            2,
            "there are chat, langgraph, stand-in, world, and your own",
        ),
        (("--at", 1, "--with", "{app}:breaks"), 2, "RuntimeError: the vendor is down ; what was lived before stays"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "gone.txt"), 3, "gone.txt: cannot be read"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "same.txt"), 3, "an edit must change something"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "bad.json"), 3, "bad.json: no JSON"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "odd.json"), 3, "give a JSON object of some of agent"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "kind.json"), 3, "kind.json: kind: input should be"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "same.txt", "--correct"), 2, "choose one"),
        (("--at", 1, "--with", "{app}:replay", "--edit", "same.txt", "--resample", 3), 2, "leave out --edit"),
    ],
)
def test_a_mistake_is_one_line(
    call: Call, app: str, tmp_path: Path, arguments: tuple[Any, ...], code: int, said: str
) -> None:
    """That says what to do, without a traceback; nothing is stored."""
    files = {"same.txt": "It saw 4711.\n", "bad.json": "{", "odd.json": '{"mood": 1}', "kind.json": '{"kind": "song"}'}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = call("replay", "@last", *(str(each).replace("{app}", app) for each in arguments))
    assert done.code == code
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "\x1b" not in done.err
    with Store.open(tmp_path / "t.duckdb", read_only=True) as store:
        assert store.forks(store.run("@last").id) == []


def test_a_step_can_be_edited_field_by_field(call: Call, app: str, tmp_path: Path) -> None:
    """FILE.json sets fields; the others stay."""
    (tmp_path / "edit.json").write_text('{"content": "It saw 12.", "tool": "lens"}', encoding="utf-8")
    command = ("replay", "@last", "--at", 1, "--edit", "edit.json", "--forks", 1, "--with", f"{app}:replay", "--json")
    fork = call(*command).json["forks"][0]["run"]
    step = call("show", f"{fork}:1", "--json").json["steps"][0]
    assert (step["content"], step["tool"], step["agent"]) == ("It saw 12.", "lens", "reader")


def test_removing_a_run_takes_its_forks_along(call: Call, app: str, tmp_path: Path) -> None:
    """And the forks' forks."""
    command = ("--at", 1, "--resample", 2, "--with", f"{app}:replay", "--json")
    fork = call("replay", "@last", *command).json["forks"][0]["run"]
    assert call("replay", fork, *command).code == 0
    assert call("runs", "rm", "@last").code == 0
    with Store.open(tmp_path / "t.duckdb", read_only=True) as store:
        assert store.database.all("SELECT count(*) FROM runs") == [(0,)]
        assert store.database.all("SELECT count(*) FROM forks") == [(0,)]
        assert store.verify() == []
