"""tau-bench results: the reward is the outcome, and the simulated user is an agent."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import tau_bench
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError


def result(reward: Any, **fields: Any) -> dict[str, Any]:
    return {
        "task_id": 3,
        "reward": reward,
        "info": {},
        "traj": [{"role": "user", "content": "Hi"}],
        "trial": 0,
        **fields,
    }


@pytest.mark.parametrize(
    ("reward", "outcome"), [(1.0, "success"), (0.0, "failure"), (0.5, "failure"), (None, "unknown"), (True, "unknown")]
)
def test_the_reward_is_the_outcome(tmp_path: Path, reward: Any, outcome: str) -> None:
    """Half a reward is a failure; no number is no verdict."""
    (tmp_path / "a.json").write_text(json.dumps([result(reward)]))
    [container] = open_containers(tmp_path / "a.json")
    [(run, _)] = recognise(container).read(container).recordings
    assert (run.outcome, run.outcome_source) == (outcome, None if outcome == "unknown" else "reward")


def test_trials_of_one_task_share_a_group_and_differ_in_address(tmp_path: Path) -> None:
    """One result per line is as good as an array."""
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(result(0, trial=trial)) for trial in range(2)))
    [container] = open_containers(tmp_path / "a.jsonl")
    first, second = recognise(container).read(container).recordings
    assert first.run.group == second.run.group == "3"
    assert first.run.id != second.run.id


def test_a_result_without_a_trajectory_says_where(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "a.json").write_text(json.dumps([result(0), result(0, traj=None)]))
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(BadInputError, match="at /1: a result without a list 'traj'"):
        tau_bench.read(container)


def test_all_200_real_runs(real_logs: Path) -> None:
    """84 successes; every tool result joined to its call; error texts are errors. Counted in the raw file."""
    [container] = open_containers(real_logs / "samples/tau_bench/gpt-4o-airline.json")
    collector = recognise(container)
    assert collector.name == "tau_bench"
    recordings = collector.read(container).recordings
    assert Counter(run.outcome for run, _ in recordings) == {"success": 84, "failure": 116}
    assert len({run.id for run, _ in recordings}) == 200
    assert len({run.group for run, _ in recordings}) == 50
    steps = [step for _, steps in recordings for step in steps]
    assert len(steps) == 2454 + 1490 + 1164 + 200
    results = [step for step in steps if step.kind == "tool_result"]
    assert len(results) == 1164
    assert all(len(step.parents) == 1 and step.agent == step.tool for step in results)
    assert all((step.tool_status == "error") == step.content.startswith("Error") for step in results)
    assert sum(step.tool_status == "empty" for step in results) == 28
    assert sum(step.kind == "handoff" for step in steps) == 48


def test_the_first_real_run(real_logs: Path) -> None:
    """Read by hand: task, speakers, the failed booking."""
    [container] = open_containers(real_logs / "samples/tau_bench/gpt-4o-airline.json")
    run, steps = tau_bench.read(container).recordings[0]
    assert (run.task, run.outcome) == (
        "Hi! I'm looking to book a flight from New York to Seattle on May 20th.",
        "failure",
    )
    assert [step.agent for step in steps[:4]] == ["system", "user", "assistant", "user"]
    assert (steps[6].kind, steps[6].tool, steps[6].arguments) == (
        "tool_call",
        "get_user_details",
        '{"user_id":"mia_li_3668"}',
    )
    assert (steps[21].tool, steps[21].tool_status, steps[21].parents) == ("book_reservation", "error", (20,))
    assert steps[21].pointer is not None
    assert steps[21].pointer.path == "/0/traj/21"
