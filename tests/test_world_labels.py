"""Labels by intervention: the rules on curves written by hand, and three shipped labels found once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from tracer.analyses.world_labels import (
    Curve,
    Within,
    edges_anew,
    judged,
    label,
    label_all,
    read_labels,
    sentence_anew,
    sentences_all,
    summary,
)
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_runs import shipped
from tracer.data.agents import begun, world
from tracer.data.teams import Turn
from tracer.errors import BadInputError
from tracer.stats import Count

if TYPE_CHECKING:
    from pathlib import Path

SAME = ("run", "status", "reason", "step", "agent", "kind", "fault", "edges")
"""What of a label does not hang on a few lives more or less."""


def curve(*shares: float, n: int = 100) -> Curve:
    """P behind the question and behind each of the turns that follow it."""
    made = world(5)
    turns = [*begun(made), *(Turn("Planner", "Solver", " What is Ana?") for _ in shares[1:])]
    found = Curve(made, turns)
    found.counts = {found.first + k: Count(round(share * n), n) for k, share in enumerate(shares)}
    return found


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((0.9, 0.8, 0.5, 0.2, 0.0), "the largest fall is 0.30"),
        ((1.0, 0.5, 0.48, 0.0, 0.0), "the second-largest fall, 0.48, lies in the interval of the largest"),
        ((0.9, 0.9, 0.1, 0.6, 0.0), "P comes back to 0.60"),
    ],
)
def test_a_run_without_one_dominating_fall_is_diffuse(shares: tuple[float, ...], reason: str) -> None:
    """It falls little by little; it falls twice; it falls and comes back."""
    assert judged(curve(*shares)).reason == reason


def test_the_largest_fall_is_the_one_from_the_step_before() -> None:
    """0.9 to 0.8 to 0.1: the third turn, by 0.7; the second-largest fall is 0.1."""
    found = judged(curve(0.9, 0.8, 0.1, 0.6))
    first = len(begun(world(5))) - 1
    assert (found.place, round(found.fall[0], 6), round(found.second, 6)) == (first + 2, 0.7, 0.1)
    assert found.fall[1] < 0.7 < found.fall[2]


def test_labels_are_read_back_and_a_torn_line_is_lost(tmp_path: Path) -> None:
    """Two whole lines and half a third one, as a killed process leaves it."""
    path = tmp_path / "runs.labels.jsonl"
    path.write_bytes(b'{"run":"a","forks":3}\n{"run":"b","forks":4}\n{"run":"c","fo')
    assert [each["run"] for each in read_labels(path)] == ["a", "b"]
    assert path.read_bytes().endswith(b'"forks":4}\n')
    assert label_all([], path) == []
    assert read_labels(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["words\n", "[1]\n", '{"step": 3}\n'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """In one line that says what to do, and the file is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match="name another with -o"):
        read_labels(path)
    assert path.read_text(encoding="utf-8") == text


def test_a_summary_counts_and_adds_up() -> None:
    """Of two labels one is diffuse."""
    found = summary(
        [
            {"status": "decisive", "fault": "slip", "topology": "star", "forks": 100, "seconds": 2.0, "sentence": None},
            {"status": "diffuse", "fault": "tool", "topology": "star", "forks": 300, "seconds": 3.0},
        ]
    )
    assert found == {
        "runs": 2,
        "diffuse": 1,
        "sentences": 0,
        "faults": {"slip": 1},
        "topologies": {"star": 2},
        "forks": 400,
        "forks_per_run": 200,
        "seconds_per_run": 2.5,
    }


@pytest.mark.parametrize(
    ("fall", "second", "reason"),
    [
        ((0.42, 0.31, 0.52), 0.35, "the second-largest fall, 0.35, lies in the interval of the largest, 0.42"),
        ((0.42, 0.31, 0.52), 0.30, ""),
    ],
)
def test_a_sentence_is_named_only_where_its_fall_stands_out(
    fall: tuple[float, float, float], second: float, reason: str
) -> None:
    """Two that cost about as much share the fall: no label can say which."""
    assert Within(0, 5, "Okay.", fall, second, []).reason == reason


def test_the_sentence_of_a_label_is_measured_anew_and_its_step_stays(tmp_path: Path) -> None:
    """A shipped label, given a sentence that was never there; forks are counted anew.

    The reasoning is one sentence, so both its places are lived 100 times: its falls are the two largest there are.
    """
    pytest.importorskip("torch")
    labels = [each for each in read_labels(shipped()[1]) if each["sentence"] and each["sentence"]["text"] == "Fine."]
    old = min(labels, key=lambda each: each["seconds"])
    [recording] = [each for each in read_recordings([shipped()[0]])[0] if each.run.id == old["run"]]
    wrong = {
        **old,
        "sentence": {**old["sentence"], "text": "Never said."},
        "within": {"shares": [[1, 7], [0, 7], [0, 9]]},
    }
    path = tmp_path / "labels.jsonl"
    path.write_bytes(orjson.dumps(wrong) + b"\n")
    [new] = sentences_all([recording], path, jobs=1)
    assert read_labels(path) == [new]
    assert (new["sentence"]["text"], new["step"], new["curve"]) == ("Fine.", old["step"], old["curve"])
    assert [n for _, n in new["within"]["shares"]] == [100, 100, 100]
    assert new["within"]["fall"][1] > new["within"]["second_fall"]
    assert new["forks"] == old["forks"] - 14 + 200


def test_a_diffuse_run_has_no_sentence() -> None:
    """There is no step to look into, and nothing is lived."""
    [old] = [each for each in read_labels(shipped()[1]) if each["status"] == "diffuse"][:1]
    [recording] = [each for each in read_recordings([shipped()[0]])[0] if each.run.id == old["run"]]
    assert sentence_anew(recording, old) == {**old, "sentence": None, "within": None}


def test_three_shipped_labels_are_found_again() -> None:
    """The cheapest three of different kinds, by living the runs again: the same step, agent, kind and sentence.

    Sums of floats differ from machine to machine and a life with them, so each share may differ by a few lives.
    """
    pytest.importorskip("torch")
    if not shipped()[1].is_file():
        pytest.skip("no runs of the agent world are shipped yet")
    labels = [each for each in read_labels(shipped()[1]) if each["status"] == "decisive"]
    cheapest = {each["fault"]: each for each in sorted(labels, key=lambda each: each["forks"], reverse=True)}
    chosen = sorted(cheapest.values(), key=lambda each: each["forks"])[:3]
    assert len({each["fault"] for each in chosen}) == 3
    recordings = {each.run.id: each for each in read_recordings([shipped()[0]])[0]}
    for old in chosen:
        new = label(recordings[old["run"]])
        assert {key: new[key] for key in SAME} == {key: old[key] for key in SAME}
        assert (new["sentence"] or {}).get("text") == (old["sentence"] or {}).get("text")
        for one, other in zip(old["curve"], new["curve"], strict=True):
            assert one["low"] <= other["p"] <= one["high"]


def test_the_shipped_edges_are_those_of_the_construction() -> None:
    """All 40; and where they are written anew, nothing else of a label changes."""
    labels = read_labels(shipped()[1])
    recordings = read_recordings([shipped()[0]])[0]
    assert edges_anew(recordings, labels) == labels
    emptied = [{**each, "edges": []} for each in labels]
    assert edges_anew(recordings, emptied) == labels


def test_what_was_read_in_notes_comes_from_the_system_message_that_holds_them() -> None:
    """By hand from the file: step 3 tells South its notes, `Ana: Mia plus Kim.` among them; step 4 says it on."""
    [label_] = [each for each in read_labels(shipped()[1]) if each["seed"] == 2000107]
    assert [3, 4] in label_["edges"]
    [steps] = [each.steps for each in read_recordings([shipped()[0]])[0] if each.run.id == label_["run"]]
    assert (steps[3].kind, steps[3].agent, "Ana: Mia plus Kim." in steps[3].content) == ("system", "South", True)
    assert steps[4].content == "to Planner: Ana: Mia plus Kim."
