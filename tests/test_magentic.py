"""Magentic-One histories: roles that say who speaks to whom, ledgers, notices, and a member's own results."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import magentic
from tracer.collectors.container import open_containers
from tracer.collectors.magentic import is_magentic, magentic_step, magentic_steps
from tracer.collectors.registry import recognise
from tracer.records import Pointer, Recording, Step

LEDGER = json.dumps(
    {
        "is_request_satisfied": {"reason": "no", "answer": False},
        "is_progress_being_made": {"reason": "no", "answer": False},
        "next_speaker": {"reason": "he can", "answer": "WebSurfer"},
    }
)
HISTORY = [
    ("human", "Find the whale."),
    ("Orchestrator (thought)", "Initial plan:\n\n- look"),
    ("Orchestrator (thought)", f"Updated Ledger:\n{LEDGER}"),
    ("Orchestrator (-> WebSurfer)", "Search for it."),
    ("Orchestrator (thought)", "Next speaker WebSurfer"),
    ("WebSurfer", "I typed 'whale'."),
    ("Orchestrator (-> ComputerTerminal)", "Run it."),
    ("ComputerTerminal", "exitcode: 1\nboom"),
    ("Orchestrator (thought)", "Stalled.... Replanning..."),
    ("Orchestrator (thought)", "New plan:\n\n- look again"),
    ("Orchestrator (thought)", "Request satisfied."),
    ("Orchestrator (termination condition)", "No more rounds. FINAL ANSWER: 7"),
]


def entries(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    """History entries from role and content."""
    return [{"role": role, "content": content} for role, content in pairs]


def one(role: str, content: str = "words") -> Step:
    """The step of one entry."""
    return magentic_step(0, {"role": role, "content": content}, Pointer(file="a.json", path="/0"))


@pytest.fixture
def read(tmp_path: Path) -> Recording:
    """The whole history, read from a file through the cascade."""
    (tmp_path / "team.json").write_text(json.dumps(entries(*HISTORY)), encoding="utf-8")
    [container] = open_containers(tmp_path / "team.json")
    collector = recognise(container)
    assert collector.name == "magentic_one"
    [recording] = collector.read(container).recordings
    return recording


def test_a_history_worked_out_by_hand(read: Recording) -> None:
    """Agent, kind, marks and whom it addresses, entry by entry."""
    assert [(step.agent, step.kind, step.marks, step.recipient) for step in read.steps] == [
        ("human", "message", (), None),
        ("Orchestrator", "plan", (), None),
        ("Orchestrator", "thought", ("ledger", "no_progress"), "WebSurfer"),
        ("Orchestrator", "handoff", ("instruction",), "WebSurfer"),
        ("Orchestrator", "thought", ("next_speaker",), "WebSurfer"),
        ("WebSurfer", "message", (), None),
        ("Orchestrator", "handoff", ("instruction",), "ComputerTerminal"),
        ("ComputerTerminal", "tool_result", (), None),
        ("Orchestrator", "thought", ("stall",), None),
        ("Orchestrator", "plan", ("replan",), None),
        ("Orchestrator", "thought", ("satisfied",), None),
        ("Orchestrator", "termination", ("final_answer",), None),
    ]


def test_a_member_answers_its_latest_instruction(read: Recording) -> None:
    """Which is its declared parent, whatever stands between; nobody else has one."""
    assert {step.index: step.parents for step in read.steps if step.parents} == {5: (3,), 7: (6,)}


def test_a_members_message_is_the_result_of_its_action(read: Recording) -> None:
    """A surfer reports on itself; a terminal returns results; the user and the orchestrator report nothing."""
    found = {step.index: (step.tool_status, step.tool) for step in read.steps if step.tool_status}
    assert found == {5: ("ok", None), 7: ("error", "code")}


def test_the_run_is_of_unknown_outcome(read: Recording) -> None:
    """The file does not say how it ended; the task is what the human asked."""
    run = read.run
    assert (run.outcome, run.outcome_source, run.task, run.labels) == ("unknown", None, "Find the whale.", ())
    assert (run.format, run.framework) == ("magentic_one", "magentic-one")
    assert read.steps[3].pointer is not None
    assert read.steps[3].pointer.path == "/3"


@pytest.mark.parametrize(
    ("role", "agent", "kind", "recipient"),
    [
        ("Orchestrator (-> WebSurfer)", "Orchestrator", "handoff", "WebSurfer"),
        ("Orchestrator (->File Surfer )", "Orchestrator", "handoff", "File Surfer"),
        ("Lead_2 (thought)", "Lead_2", "thought", None),
        ("Orchestrator (termination condition)", "Orchestrator", "termination", None),
        ("WebSurfer", "WebSurfer", "message", None),
        ("Dr. Who (1)", "Dr. Who (1)", "message", None),
        ("Orchestrator (-> )", "Orchestrator (-> )", "message", None),
        ("(thought)", "(thought)", "message", None),
    ],
)
def test_the_agent_is_the_part_before_the_parenthesis(role: str, agent: str, kind: str, recipient: str | None) -> None:
    """Only for the three kinds that the framework writes; any other parenthesis belongs to the name."""
    found = one(role)
    assert (found.agent, found.kind, found.recipient, found.role) == (agent, kind, recipient, role)


def test_a_termination_without_an_answer_is_none() -> None:
    """The mark is for what states the run's answer."""
    assert one("Orchestrator (termination condition)", "Max rounds reached.").marks == ()


@pytest.mark.parametrize("role", ["human", "user", "User", "system"])
def test_who_asks_reports_no_result(role: str) -> None:
    """An empty question is no empty result."""
    assert one(role, "").tool_status is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        ["Orchestrator (thought)"],
        [{"role": "Orchestrator (thought)"}],
        [{"role": "WebSurfer", "content": "x"}],
        [{"role": None, "content": "x"}, {"role": "Orchestrator (thought)", "content": "x"}],
        [{"role": "Orchestrator (pondering)", "content": "x"}],
    ],
)
def test_other_values_are_no_such_history(value: Any) -> None:
    """It takes content in every entry and one telling role."""
    assert not is_magentic(value)


def test_only_one_json_array_is_asked(tmp_path: Path) -> None:
    """Lines and objects belong to other formats."""
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(entry) for entry in entries(*HISTORY)), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"messages": entries(*HISTORY)}), encoding="utf-8")
    assert magentic.detect(open_containers(tmp_path / "a.jsonl")[0]) == "not one JSON value"
    assert magentic.detect(open_containers(tmp_path / "b.json")[0]) == "no role such as 'Orchestrator (thought)'"


def test_a_role_as_long_as_a_book_costs_no_time() -> None:
    """It is a name, if an odd one."""
    role = "x " * 200_000 + "(thought)"
    assert magentic_steps(entries((role, "a")), "f", "")[0].agent == role


def test_real_roles_are_taken_apart(real_logs: Path) -> None:
    """A real history, as the bare list that Magentic-One writes; counted in the raw file."""
    path = real_logs / "whowhen-dev/Hand-Crafted/1.json"
    history = json.loads(path.read_bytes())["history"]
    steps = magentic_steps(history, "f", "")
    assert len(steps) == 29
    assert {step.agent for step in steps} == {"human", "Orchestrator", "WebSurfer"}
    handed = [step for step in steps if step.kind == "handoff"]
    assert len(handed) == sum("(-> WebSurfer)" in entry["role"] for entry in history) == 7
    assert {step.recipient for step in handed} == {"WebSurfer"}
    assert {step.index: step.parents for step in steps if step.parents} == {
        4: (3,), 8: (6,), 12: (10,), 16: (14,), 20: (18,), 24: (22,), 28: (26,),
    }  # fmt: skip
