"""Who&When and what shares its schema: one step for each entry, the label beside them, and where a record is broken."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError, UnknownFormatError
from tracer.records import Label, Mark, Recording

CHAT = [
    {"role": "assistant", "name": "Planner", "content": "You are given a task.\n# Plan\n1. compute"},
    {"role": "user", "name": "Coder", "content": "So:\n```python\nprint(41)\n```"},
    {"role": "user", "name": "Computer_terminal", "content": "exitcode: 0 (execution succeeded)\nCode output: 41\n"},
    {
        "role": "user",
        "name": "Computer_terminal",
        "content": "There is no code from the last 1 message for me to execute.",
    },
    {"role": "user", "name": "Coder", "content": "TERMINATE"},
]
TEAM = [
    {"role": "human", "content": "find it"},
    {"role": "Orchestrator (thought)", "content": "Initial plan:\n\nlook"},
    {"role": "Orchestrator (-> WebSurfer)", "content": "look there"},
    {"role": "WebSurfer", "content": "I looked."},
]


def record(**fields: Any) -> dict[str, Any]:
    """A record of the algorithm-generated subset."""
    return {
        "is_correct": False,
        "question": "how many?",
        "question_ID": "q-1",
        "ground_truth": "42",
        "history": CHAT,
        "mistake_agent": "Coder",
        "mistake_step": "1",
        "mistake_reason": "miscounts",
    } | fields


def read(path: Path) -> list[Recording]:
    """The runs of a file, through the same cascade as `tracer ingest`."""
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "whowhen"
    return list(collector.read(container).recordings)


def written(folder: Path, value: Any, name: str = "log.json") -> Path:
    """A value as a JSON file."""
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_a_record_is_a_failed_run_with_its_label(tmp_path: Path) -> None:
    """Task, right answer, group and label are kept apart from the steps."""
    path = written(tmp_path, record())
    [(run, steps)] = read(path)
    assert (run.source, run.format, run.framework) == (str(path), "whowhen", "ag2")
    assert (run.task, run.expected, run.group) == ("how many?", "42", "q-1")
    assert (run.outcome, run.outcome_source) == ("failure", "label")
    assert run.labels == (Label(team="whowhen", agent="Coder", step=1, stated="1", reason="miscounts"),)
    assert len(steps) == len(CHAT)


def test_every_entry_is_a_step_with_its_kind(tmp_path: Path) -> None:
    """The speaker is `name`; the terminal's output belongs to the message before it, whose code is the call's."""
    [(_, steps)] = read(written(tmp_path, record()))
    assert [(step.index, step.agent, step.kind) for step in steps] == [
        (0, "Planner", "plan"),
        (1, "Coder", "tool_call"),
        (2, "Computer_terminal", "tool_result"),
        (3, "Computer_terminal", "system"),
        (4, "Coder", "termination"),
    ]
    assert (steps[1].tool, steps[1].arguments, steps[1].content) == ("code", "print(41)\n", CHAT[1]["content"])
    assert (steps[2].tool_status, steps[2].tool_rule, steps[2].parents) == ("ok", "text: exit code 0", (1,))
    assert steps[4].pointer is not None
    assert (steps[4].pointer.path, steps[4].role) == ("/history/4", "user")


def test_a_role_names_the_agent_before_its_parenthesis(tmp_path: Path) -> None:
    """The hand-crafted subset: who is addressed, and whose answer follows."""
    [(run, steps)] = read(written(tmp_path, record(history=TEAM, mistake_agent="WebSurfer", mistake_step="3")))
    assert run.framework == "magentic-one"
    assert [(step.agent, step.kind, step.recipient) for step in steps] == [
        ("human", "message", None),
        ("Orchestrator", "plan", None),
        ("Orchestrator", "handoff", "WebSurfer"),
        ("WebSurfer", "message", None),
    ]
    assert steps[3].parents == (2,)
    assert steps[2].role == "Orchestrator (-> WebSurfer)"


def test_a_list_of_records_is_many_runs(tmp_path: Path) -> None:
    """As an array, as JSON Lines, as rows of Parquet; the pointer says which."""
    records = [record(question_ID=f"q-{k}", question=f"how many {k}?") for k in range(3)]
    array = read(written(tmp_path, records))
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(each) for each in records), encoding="utf-8")
    lines = read(tmp_path / "log.jsonl")
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "log.parquet")
    rows = read(tmp_path / "log.parquet")
    assert len(array) == 3
    for found in (lines, rows):
        assert [run.id for run, _ in found] == [run.id for run, _ in array]
        assert [run.labels for run, _ in found] == [run.labels for run, _ in array]
        assert [[step.content for step in steps] for _, steps in found] == [
            [step.content for step in steps] for _, steps in array
        ]
    assert array[2].steps[0].pointer is not None
    assert array[2].steps[0].pointer.path == "/2/history/0"


def test_parquet_may_hold_nulls_where_json_has_no_key(tmp_path: Path) -> None:
    """Rows share one schema: a missing `is_correct`, a number for the step, a `groundtruth` under its other name."""
    rows = [
        {"question": "a?", "groundtruth": "1", "history": CHAT, "mistake_agent": "Coder", "mistake_step": 1},
        {"question": "b?", "groundtruth": None, "history": CHAT, "mistake_agent": "Coder", "mistake_step": 4},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    first, second = read(tmp_path / "log.parquet")
    assert [run.labels[0].step for run, _ in (first, second)] == [1, 4]
    assert (first.run.expected, second.run.expected) == ("1", None)
    assert (first.run.group, first.run.outcome) == ("a?", "failure")


def test_items_with_their_own_step_numbers_are_read_alike(tmp_path: Path) -> None:
    """TracerTraj's entries carry `step`; labels count entries, so the position is what counts."""
    history = [
        {"content": "one", "name": "Engineer", "role": "x", "step": 5},
        {"content": "two", "role": "y", "step": 6},
    ]
    [(run, steps)] = read(written(tmp_path, record(history=history, mistake_step=1, mistake_agent="y")))
    assert [(step.index, step.agent, step.content) for step in steps] == [(0, "Engineer", "one"), (1, "y", "two")]
    assert run.labels[0].step == 1


def test_a_run_that_was_right_after_all_is_a_success(tmp_path: Path) -> None:
    """Only a real true says so."""
    assert read(written(tmp_path, record(is_correct=True)))[0].run.outcome == "success"
    assert read(written(tmp_path, record(is_correct="False")))[0].run.outcome == "failure"


def test_the_address_is_that_of_the_content(tmp_path: Path) -> None:
    """The same record in another key order or file is the same run; another label is another."""
    [(one, _)] = read(written(tmp_path, record(), "a.json"))
    [(other, _)] = read(written(tmp_path, dict(reversed(record().items())), "b.json"))
    [(moved, _)] = read(written(tmp_path, record(mistake_step="2"), "c.json"))
    assert one.id == other.id != moved.id


@pytest.mark.parametrize("label", ["", "two", "-1", "1.5", "1, 2", "²", "9" * 20, None, True])
def test_a_label_that_is_no_step_is_one_clear_line(tmp_path: Path, label: Any) -> None:
    """With the place, and what was expected."""
    path = written(tmp_path, [record(), record(mistake_step=label)])
    with pytest.raises(BadInputError) as caught:
        read(path)
    stated = str(label).strip()
    assert str(caught.value) == f"{path}/1: mistake_step is {stated!r}, not a step number counted from 0"


def test_a_history_that_is_json_text_is_the_same_history(tmp_path: Path) -> None:
    """As a table holds it whose column is text; the address is of the value as it stands."""
    numbered = [{**entry, "step": i} for i, entry in enumerate(CHAT)]
    [whole] = read(written(tmp_path, record(history=numbered), "a.json"))
    [text] = read(written(tmp_path, record(history=json.dumps(numbered)), "b.json"))
    told = [[(step.agent, step.kind, step.content) for step in made.steps] for made in (whole, text)]
    assert told[0] == told[1]
    assert (text.run.framework, text.run.labels[0].step, len(text.steps)) == (None, 1, 5)
    assert text.run.id != whole.run.id


@pytest.mark.parametrize(("stated", "step"), [("0", 0), (" 3 ", 3), (2, 2), ("99", 99)])
def test_a_label_may_be_a_text_or_a_number(tmp_path: Path, stated: Any, step: int) -> None:
    """A label past the end is kept: benches list it as a defect."""
    [(run, _)] = read(written(tmp_path, record(mistake_step=stated)))
    assert (run.labels[0].step, run.labels[0].stated) == (step, str(stated).strip())


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (None, "'history' is not a list of messages"),
        ("[]", "'history' is not a list of messages"),
        ({"a": 1}, "'history' is not a list of messages"),
        (["hello"], "'history' holds something that is not a message object"),
        ([*CHAT, None], "'history' holds something that is not a message object"),
    ],
)
def test_a_broken_history_is_one_clear_line(tmp_path: Path, history: Any, complaint: str) -> None:
    """And the file's other records are not taken for whole ones."""
    path = written(tmp_path, record(history=history))
    with pytest.raises(BadInputError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {complaint}"


@pytest.mark.parametrize("missing", ["history", "mistake_step"])
def test_without_label_or_history_it_is_not_guessed_at(tmp_path: Path, missing: str) -> None:
    """The line says which key was missed; no other format takes the file for its own."""
    value = {key: field for key, field in record().items() if key != missing}
    [container] = open_containers(written(tmp_path, value))
    with pytest.raises(UnknownFormatError, match=rf"whowhen \(no key '{missing}'\)"):
        recognise(container)


def test_entries_of_odd_shapes_are_still_steps(tmp_path: Path) -> None:
    """No content, content in blocks, neither name nor role, other types."""
    history = [
        {"name": "a", "content": None},
        {"name": "a", "content": [{"type": "text", "text": "one"}, "two"]},
        {"content": 7},
        {},
    ]
    [(_, steps)] = read(written(tmp_path, record(history=history)))
    assert [(step.agent, step.content) for step in steps] == [
        ("a", ""),
        ("a", "one\ntwo"),
        ("unknown", "7"),
        ("unknown", ""),
    ]


def test_an_empty_history_is_skipped_and_the_others_load(tmp_path: Path) -> None:
    """A run without steps cannot be explained."""
    path = written(tmp_path, [record(history=[]), record()])
    recordings, skipped = read_recordings([path])
    assert [len(steps) for _, steps in recordings] == [5]
    assert list(skipped) == []


def test_all_94_real_runs(real_logs: Path) -> None:
    """Exactly len(history) steps each, agents and labels as the raw file has them."""
    files = sorted((real_logs / "whowhen-dev").glob("*/*.json"))
    assert len(files) == 94
    for path in files:
        raw = json.loads(path.read_bytes())
        [(run, steps)] = read(path)
        agents = [entry.get("name") or entry["role"].partition(" (")[0] for entry in raw["history"]]
        assert [step.agent for step in steps] == agents
        assert [step.content for step in steps] == [entry["content"] for entry in raw["history"]]
        label = run.labels[0]
        assert (label.agent, label.step) == (raw["mistake_agent"], int(raw["mistake_step"]))
        assert (run.task, run.expected, run.group) == (raw["question"], str(raw["ground_truth"]), raw["question_ID"])
        assert (run.outcome, run.framework) == (
            "failure",
            "ag2" if path.parent.name == "Algorithm-Generated" else "magentic-one",
        )


def test_the_real_kinds_are_those_counted_in_the_raw_files(real_logs: Path) -> None:
    """Exit codes, notices, instructions and ledgers, counted with a text search."""
    recordings, _ = read_recordings([real_logs / "whowhen-dev"])
    chats = [step for run, steps in recordings if run.framework == "ag2" for step in steps]
    teams = [step for run, steps in recordings if run.framework == "magentic-one" for step in steps]
    assert (len(chats), len(teams)) == (569, 1533)
    results = [step for step in chats if step.kind == "tool_result"]
    assert len(results) == 129
    assert sum(step.content.startswith("exitcode: 1") for step in results) == 46
    assert all(step.tool_status == "error" for step in results if step.content.startswith("exitcode: 1"))
    assert Counter(step.kind for step in chats)["system"] == 33
    assert Counter(step.kind for step in chats)["termination"] == 35
    marks: Counter[Mark] = Counter(mark for step in teams for mark in step.marks)
    told: tuple[Mark, ...] = ("ledger", "instruction", "next_speaker", "loop", "no_progress", "replan")
    assert [marks[mark] for mark in told] == [387, 353, 324, 113, 96, 23]
    assert Counter(step.kind for step in teams)["termination"] == marks["final_answer"] == 16


def test_two_real_runs_read_by_hand(real_logs: Path) -> None:
    """A chat whose code fails at a literal with a leading zero; a team whose last page ends in a crash."""
    folder = real_logs / "whowhen-dev"
    [(chat, steps)] = read(folder / "Algorithm-Generated/10.json")
    assert [step.kind for step in steps[4:]] == [
        "message",
        "tool_call",
        "tool_result",
        "tool_call",
        "tool_result",
        "message",
    ]
    assert [(step.tool_status, step.parents) for step in steps if step.tool_status] == [("error", (5,)), ("ok", (7,))]
    assert (chat.labels[0].agent, chat.labels[0].step) == ("Validation_Expert", 5)
    [(team, steps)] = read(folder / "Hand-Crafted/1.json")
    assert [step.index for step in steps if step.agent == "WebSurfer"] == [4, 8, 12, 16, 20, 24, 28]
    assert [step.tool_status for step in steps if step.agent == "WebSurfer"] == ["ok"] * 6 + ["error"]
    assert [step.index for step in steps if "loop" in step.marks] == [13, 21, 25]
    assert (team.labels[0].agent, team.labels[0].step) == ("WebSurfer", 12)


def test_entries_with_several_calls_or_results_are_one_step_each(tmp_path: Path) -> None:
    """Labels count entries. The worst outcome counts, and the result answers its call's step."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": "x"}'}},
        {"id": "c2", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
    ]
    responses = [
        {"tool_call_id": "c1", "role": "tool", "content": "42 results"},
        {"tool_call_id": "c2", "role": "tool", "content": ""},
    ]
    history = [
        {"name": "User", "role": "user", "content": "Find x."},
        {"name": "Planner", "role": "assistant", "content": None, "tool_calls": calls},
        {"name": "Tools", "role": "tool", "content": "42 results\n\n", "tool_responses": responses},
        {"name": "Writer", "role": "assistant", "content": "42"},
    ]
    [(_, steps)] = read(written(tmp_path, record(history=history, mistake_agent="Planner")))
    assert [(step.agent, step.kind) for step in steps] == [
        ("User", "message"),
        ("Planner", "tool_call"),
        ("Tools", "tool_result"),
        ("Writer", "message"),
    ]
    assert (steps[1].tool, steps[1].arguments) == ("search, look_up", '{"q": "x"}\n{}')
    assert (steps[2].content, steps[2].tool_status, steps[2].parents) == ("42 results", "empty", (1,))


def test_a_parquet_column_of_numbers_with_a_gap_still_holds_step_numbers(tmp_path: Path) -> None:
    """Such a column comes out as floats."""
    [(run, _)] = read(written(tmp_path, record(mistake_step=3.0)))
    assert (run.labels[0].step, run.labels[0].stated) == (3, "3")


def test_runs_in_this_schema_from_elsewhere_are_not_taken_for_ag2s(tmp_path: Path) -> None:
    """Data sets that number their entries are no Who&When: no probability was fitted on such runs."""
    numbered = [{**entry, "step": i} for i, entry in enumerate(CHAT)]
    [(run, steps)] = read(written(tmp_path, record(history=numbered)))
    assert run.framework is None
    assert len(steps) == len(CHAT)
    [(known, _)] = read(written(tmp_path, record(history=CHAT), "b.json"))
    assert known.framework == "ag2"
