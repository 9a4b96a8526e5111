"""Runs of the agent world as telemetry: what stands in the spans, worked out from a talk written by hand."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from tracer.collectors.ingest import read_recordings
from tracer.data.agent_telemetry import Told, spans, write
from tracer.data.agents import Tools, World, begun, heard
from tracer.data.problems import Fact, Problem
from tracer.data.team_script import Team

if TYPE_CHECKING:
    from pathlib import Path

ASKED = Problem(0, (Fact("Ana", 6, ("Hal",), "+5"), Fact("Hal", 1)), "Ana")
NOTES = Team(7, ASKED, "star", {"Ana": "North", "Hal": "North"}, files=False, calculator=True, faults=0)
MADE = World(7, NOTES, {}, checked=False, tools=Tools())
SAID = (
    ("Planner", " <think> We need Ana. Ana: North. </think> to North: Ana?"),
    ("North", " <think> Ana: Hal +5. </think> to Planner: Ana: Hal +5."),
    ("Planner", " <think> All facts are here. </think> to Solver: Ana: Hal +5. Hal: 1. What is Ana?"),
    ("Solver", " <think> Hal: 1. </think> to Calc: Ana = 1 +5?"),
    ("Calc", " to Solver: Error."),
    ("Solver", " <think> Error. Try again. </think> to Calc: Ana = 1 +5?"),
    ("Calc", " to Solver: Ana = 1 +5 = 6."),
    ("Solver", " <think> So Ana is 6. </think> to Checker: Ana is 6."),
    ("Reporter", " <think> So Ana is 6. </think> to User: \\boxed{ 6}"),
)
TOLD = Told(MADE, [*begun(MADE), *(heard(MADE, speaker, reply) for speaker, reply in SAID)])


def test_every_turn_is_one_span_below_the_workflow() -> None:
    """Seven turns of agents, two of the calculator; in the order in which they end the workflow is the last."""
    found = [json.loads(line) for line in spans(TOLD).splitlines()]
    names = [each["name"] for each in found]
    assert names == [*["chat pocket"] * 4, "execute_tool Calc", "chat pocket", "execute_tool Calc",
                     *["chat pocket"] * 2, "invoke_workflow team"]  # fmt: skip
    root = found[-1]
    assert {each["parent_id"] for each in found[:-1]} == {root["context"]["span_id"]}
    assert root["resource"]["attributes"] == {"service.name": "team", "tracer.world.seed": 7}
    assert [each["status"]["status_code"] for each in found if each["name"] == "execute_tool Calc"] == [
        "ERROR",
        "UNSET",
    ]


def test_an_agent_is_shown_what_is_for_it_and_its_own_thoughts() -> None:
    """The planner's second turn: the question, its own first message with its reasoning, North's reply without."""
    shown = json.loads(json.loads(spans(TOLD).splitlines()[2])["attributes"]["gen_ai.input.messages"])
    assert [each["role"] for each in shown] == ["user", "assistant", "user"]
    assert [[part["type"] for part in each["parts"]] for each in shown] == [["text"], ["reasoning", "text"], ["text"]]


def test_a_log_is_the_same_for_the_same_run_and_so_is_its_compressed_file(tmp_path: Path) -> None:
    """No clock, no host, no random id."""
    assert spans(TOLD) == spans(TOLD)
    write([TOLD], tmp_path / "one.jsonl.gz")
    write([TOLD], tmp_path / "two.jsonl.gz")
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.jsonl.gz").read_bytes()).decode() == spans(TOLD)


def rows(path: Path) -> list[tuple[Any, ...]]:
    """The steps of the one run in a file."""
    [recording], skipped = read_recordings([path])
    assert not skipped
    assert (recording.run.outcome, recording.run.outcome_source) == ("success", "evaluation")
    assert recording.run.answer == "\\boxed{ 6}"
    keys = ("index", "agent", "kind", "recipient", "tool_status", "parents", "content")
    return [tuple(getattr(step, key) for key in keys) for step in recording.steps]


def test_the_log_is_read_as_it_was_meant(tmp_path: Path) -> None:
    """By hand: the roster first, North's notes before it speaks, hand-offs with who takes over."""
    write([TOLD], tmp_path / "one.jsonl")
    roster = "Team 7: Planner, North, Solver, Reporter."
    assert rows(tmp_path / "one.jsonl") == [
        (0, "Planner", "system", None, None, (), roster),
        (1, "user", "message", None, None, (), "Ana: North. Hal: North. What is Ana?"),
        (2, "Planner", "message", None, None, (1,), "to North: Ana?"),
        (3, "North", "system", None, None, (), f"{roster} Notes: Ana: Hal +5. Hal: 1."),
        (4, "North", "message", None, None, (2,), "to Planner: Ana: Hal +5."),
        (5, "Planner", "handoff", "Solver", None, (4,), "to Solver: Ana: Hal +5. Hal: 1. What is Ana?"),
        (6, "Solver", "tool_call", None, None, (5,), ""),
        (7, "Calc", "tool_result", "Solver", "error", (6,), "Error."),
        (8, "Solver", "tool_call", None, None, (7,), ""),
        (9, "Calc", "tool_result", "Solver", "ok", (8,), "Ana = 1 +5 = 6."),
        (10, "Solver", "handoff", "Reporter", None, (9,), "to Reporter: Ana is 6."),
        (11, "Reporter", "message", None, None, (10,), "\\boxed{ 6}"),
    ]
