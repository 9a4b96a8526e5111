"""Runs in the form of Who&When: what our own collector reads back is what was written."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tracer.collectors.ingest import read_recordings
from tracer.errors import TracerError
from tracer.records import Label, Recording, Run, Step, content_hash, run_id
from tracer.who_and_when import TABLE, entry, write

LABEL = Label(team="synth", agent="reader", step=1, stated="1", reason="passes on a wrong value")
MORE = {"fault": "source-pollution", "effect": [1.0, 0.3, 1.0], "stand_in": None}


def recording(*texts: str) -> Recording:
    """A run of a planner and readers, one of them calling a tool."""
    said = texts or ("Plan.", "It saw 4711.", "The answer is 4711.")
    steps = [Step(index=i, agent=("planner", "reader")[i > 0], kind="message", content=t) for i, t in enumerate(said)]
    steps[1] = steps[1].model_copy(update={"kind": "tool_call", "tool": "table", "arguments": '{"of": "whales"}'})
    digest = content_hash(repr(said))
    run = Run(
        id=run_id(digest), content_hash=digest, source="x", format="chat", task="How many whales?", expected="12",
        outcome="failure", parent="0123456789ab",
    )  # fmt: skip
    return Recording(run, tuple(steps))


def test_our_own_collector_reads_the_files_back(tmp_path: Path) -> None:
    """Agents, texts, task, expected answer, outcome, label and group; one step for each, in order."""
    of = recording()
    write(tmp_path / "out", [entry(of, LABEL, MORE), entry(of, None, MORE)])
    (failed, survived), skipped = read_recordings([tmp_path / "out" / "1.json", tmp_path / "out" / "2.json"])
    assert skipped == []
    assert [(step.agent, step.content) for step in failed.steps] == [(step.agent, step.spoken) for step in of.steps]
    assert failed.steps[1].content == 'It saw 4711.\n{"of": "whales"}'
    assert (failed.run.task, failed.run.expected, failed.run.group) == ("How many whales?", "12", "0123456789ab")
    assert (failed.run.outcome, survived.run.outcome) == ("failure", "success")
    [label] = failed.run.labels
    assert (label.agent, label.step, label.reason) == ("reader", 1, "passes on a wrong value")
    assert survived.run.labels == ()


def test_the_table_holds_the_same_runs_as_the_files(tmp_path: Path) -> None:
    """The same addresses, so that who loads both has each run once."""
    entries = [entry(recording(), LABEL, MORE), entry(recording(), None, MORE)]
    write(tmp_path / "out", entries)
    files, _ = read_recordings(sorted((tmp_path / "out").glob("*.json")))
    table, skipped = read_recordings([tmp_path / "out" / TABLE])
    assert skipped == []
    assert [each.run.id for each in table] == [each.run.id for each in files]
    assert pq.read_table(tmp_path / "out" / TABLE).num_rows == 2


def test_the_fields_are_those_of_the_form(tmp_path: Path) -> None:
    """Read by hand from the file, as another tool would: a step is text and counts from 0."""
    write(tmp_path / "out", [entry(recording(), LABEL, MORE)])
    value = json.loads((tmp_path / "out" / "1.json").read_bytes())
    assert (value["mistake_agent"], value["mistake_step"], value["is_correct"]) == ("reader", "1", False)
    assert value["history"][0] == {"content": "Plan.", "role": "assistant", "name": "planner"}
    assert value["history"][int(value["mistake_step"])]["name"] == value["mistake_agent"]
    assert {"question", "ground_truth", "question_ID", "mistake_reason"} <= value.keys()


def test_hostile_text_stays_what_it_is(tmp_path: Path) -> None:
    """Control characters, markup and brackets come back; half a character becomes U+FFFD in files and table alike."""
    texts = ("\x1b[2J</script>", "'; DROP TABLE runs; --", "half \ud800 of one")
    write(tmp_path / "out", [entry(recording(*texts), LABEL, MORE)])
    (from_file,), _ = read_recordings([tmp_path / "out" / "1.json"])
    (from_table,), _ = read_recordings([tmp_path / "out" / TABLE])
    assert from_file.run.id == from_table.run.id
    assert from_file.steps[0].content == texts[0]
    assert from_file.steps[2].content == "half \ufffd of one"


def test_an_export_replaces_an_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    """Numbers that are no longer there go; a folder with other files is refused untouched, before any work."""
    out = tmp_path / "out"
    one = entry(recording(), LABEL, MORE)
    write(out, [one, one, one])
    write(out, [one])
    assert sorted(path.name for path in out.iterdir()) == ["1.json", TABLE]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(TracerError, match=r"holds notes\.txt, which is no export of ours"):
        write(out, [one])
    other = tmp_path / "other"
    other.mkdir()
    (other / "7.json").write_text("{}")
    with pytest.raises(TracerError, match=r"holds 7\.json"):
        write(other, [one])
    assert (other / "7.json").read_text() == "{}"
    with pytest.raises(TracerError, match="is a file: name a folder"):
        write(out / "1.json", [one])
    with pytest.raises(TracerError, match="nothing to export"):
        write(tmp_path / "none", [])


def test_a_run_that_was_right_and_names_no_mistake_has_no_label(tmp_path: Path) -> None:
    """But a failure must name its step, and a success may."""
    history = [{"role": "user", "name": "a", "content": "x"}, {"role": "user", "name": "b", "content": "y"}]
    values = {
        "right": {"is_correct": True, "mistake_agent": "", "mistake_step": ""},
        "spoilt": {"is_correct": True, "mistake_agent": "a", "mistake_step": "0"},
        "wrong": {"is_correct": False, "mistake_agent": "a", "mistake_step": ""},
    }
    for name, value in values.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"history": history, "question": "?", **value}))
    found, skipped = read_recordings([tmp_path / "right.json", tmp_path / "spoilt.json"])
    assert ([len(each.run.labels) for each in found], skipped) == ([0, 1], [])
    _, [told] = read_recordings([tmp_path / "wrong.json"])
    assert "mistake_step is '', not a step number" in told.reason
