"""A run as ATIF: valid by the published rules, and read back as it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.ingest import read_recordings
from tracer.records import Recording, Run, Step
from tracer.viz.trajectory import trajectory

RUN = Run(id="0" * 12, content_hash="0" * 64, source="a", format="chat", outcome="failure", outcome_source="reward")
AGENT_ONLY = {"model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics"}
FIELDS = AGENT_ONLY | {"step_id", "timestamp", "source", "message", "observation", "extra"}
STEPS = (
    Step(index=0, agent="user", kind="message", role="user", content="Fix it."),
    Step(index=1, agent="lead", kind="tool_call", role="assistant", content="<think>odd", reasoning="So.",
         reasoning_state="present", reasoning_origin="thinking block", tool="ls", arguments='{"a": 1}', call_id="c1",
         input_tokens=5, output_tokens=2, model="m"),
    Step(index=2, agent="lead", kind="handoff", role="assistant", tool="go", arguments="to the left", recipient="b"),
    Step(index=3, agent="ls", kind="tool_result", role="tool", content='[{"type": "text", "text": "x"}]', tool="ls",
         call_id="c1", tool_status="error", tool_rule="exit code 2", parents=(1,)),
    Step(index=4, agent="go", kind="tool_result", role="tool", tool="go", tool_status="empty", parents=(2,)),
    Step(index=5, agent="b", kind="plan", role="user", content=" spaced ", marks=("replan",),
         reasoning_state="unreadable"),
    Step(index=6, agent="user", kind="message", role="user", content="", input_tokens=3),
)  # fmt: skip


def faults(value: dict[str, Any]) -> list[str]:
    """What the published models (the package `atif` 1.8.0) would refuse, rule by rule."""
    found = [f"no {key}" for key in ("schema_version", "agent", "steps") if key not in value]
    found += [f"agent without {key}" for key in ("name", "version") if not isinstance(value["agent"].get(key), str)]
    for number, step in enumerate(value["steps"], start=1):
        found += [f"unknown {key}" for key in step.keys() - FIELDS]
        found += ["not sequential"] if step["step_id"] != number else []
        found += ["no source"] if step["source"] not in {"system", "user", "agent"} else []
        found += ["no message"] if not isinstance(step["message"], str) else []
        found += [f"{key} of a {step['source']}" for key in AGENT_ONLY & step.keys() if step["source"] != "agent"]
        calls = step.get("tool_calls", [])
        found += ["arguments"] * sum(not isinstance(call["arguments"], dict) for call in calls)
        ids = {call["tool_call_id"] for call in calls}
        for result in step.get("observation", {}).get("results", []):
            found += ["unmatched"] if calls and result.get("source_call_id") not in ids | {None} else []
    return found


def back(tmp_path: Path, recording: Recording) -> Recording:
    value = trajectory(recording.run, recording.steps)
    assert faults(value) == []
    (tmp_path / "a.json").write_text(json.dumps(value))
    [found] = read_recordings([tmp_path / "a.json"])[0]
    assert found.run.format == "atif"
    return found


def bare(steps: tuple[Step, ...]) -> list[Step]:
    """Without the way back to the bytes, which are others now."""
    return [step.model_copy(update={"pointer": None, "span_id": None}) for step in steps]


def test_everything_a_step_holds_comes_back(tmp_path: Path) -> None:
    """Late results, raw arguments, text that looks like something else, reasoning that nobody can read."""
    run, steps = back(tmp_path, Recording(RUN, STEPS))
    assert bare(steps) == list(STEPS)
    assert (run.outcome, run.outcome_source, run.format) == ("failure", "reward", "atif")


def test_a_call_and_its_result_are_one_step_and_the_totals_are_stated() -> None:
    """Seven steps of ours, six of ATIF: the result without an id stands alone."""
    value = trajectory(RUN, STEPS)
    assert [step["source"] for step in value["steps"]] == ["user", "agent", "agent", "system", "agent", "user"]
    acted = value["steps"][1]
    assert (acted["tool_calls"][0]["arguments"], acted["reasoning_content"]) == ({"a": 1}, "So.")
    assert acted["observation"]["results"][0]["source_call_id"] == "c1"
    assert value["steps"][2]["tool_calls"][0]["arguments"] == {"input": "to the left"}
    assert value["final_metrics"] == {"total_prompt_tokens": 8, "total_completion_tokens": 2, "total_steps": 6}
    assert value["agent"]["name"] == "lead"


@pytest.mark.parametrize("name", ["claude_code", "codex_cli", "tau2_bench", "atif", "swe_agent", "mini_swe_agent"])
def test_every_real_run_is_valid_and_comes_back(real_logs: Path, tmp_path: Path, name: str) -> None:
    """Also those that were ATIF before."""
    for recording in read_recordings([real_logs / "samples" / name])[0]:
        found = back(tmp_path, recording)
        assert bare(found.steps) == bare(recording.steps)
        assert found.run.outcome == recording.run.outcome


def test_labelled_runs_of_many_agents_come_back(real_logs: Path, tmp_path: Path) -> None:
    """Group chats, in which the log's role is relative."""
    recordings = read_recordings([real_logs / "whowhen-dev"])[0][:20]
    for recording in recordings:
        assert bare(back(tmp_path, recording).steps) == bare(recording.steps)
    assert len(recordings) == 20
