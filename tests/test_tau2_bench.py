"""tau2 results: both sides have tools, the reward is the outcome, and the files of one experiment find each other."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import tau2_bench
from tracer.collectors.container import open_containers
from tracer.collectors.ingest import ingest
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording
from tracer.store import Store

DATA = Path(__file__).parent / "data" / "tau2_bench"
INFO = {
    "agent_info": {"implementation": "llm_agent", "llm": "gpt-a"},
    "user_info": {"implementation": "user_simulator", "llm": "gpt-u"},
    "environment_info": {"domain_name": "telecom", "policy": "Be kind."},
}


def call(name: str, call_id: str, requestor: str = "assistant") -> dict[str, Any]:
    return {"id": call_id, "name": name, "arguments": {"on": True}, "requestor": requestor}


def answer(call_id: str, content: str, requestor: str = "assistant", *, error: bool = False) -> dict[str, Any]:
    return {"id": call_id, "role": "tool", "content": content, "requestor": requestor, "error": error}


def said(role: str, content: str | None, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": None, "timestamp": "2026-01-05T09:00:00.5"} | fields


MESSAGES = [
    said("assistant", "Hi! How can I help you today?"),
    said("user", "My phone has no signal.", usage={"prompt_tokens": 7, "completion_tokens": 6}),
    said(
        "assistant",
        None,
        tool_calls=[call("get_line", "a1"), call("get_bill", "a2")],
        usage={"prompt_tokens": 20, "completion_tokens": 5},
        raw_data={"finish_reason": "tool_calls", "message": {"role": "assistant", "reasoning_content": "Look first."}},
    ),
    {"role": "tool", "tool_messages": [answer("a1", '{"line": 1}'), answer("a2", "Error: no bill", error=True)]},
    said("assistant", "Please turn airplane mode off."),
    said("user", None, tool_calls=[call("toggle_airplane_mode", "u1", "user")]),
    answer("u1", "Airplane mode is now ON.", "user"),
    said("user", "Done. ###STOP###"),
]


def simulation(reward: Any = 0.0, **fields: Any) -> dict[str, Any]:
    found = {"id": "s", "task_id": "9", "termination_reason": "user_stop", "trial": 0, "messages": MESSAGES}
    times = {"start_time": "2026-01-05T09:00:00", "end_time": "2026-01-05T09:01:00"}
    return found | times | {"reward_info": None if reward is None else {"reward": reward}} | fields


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def results(*simulations: Any) -> dict[str, Any]:
    held = {"simulations": list(simulations)} if simulations else {}
    return {"timestamp": "2026-01-05T09:02:00", "info": INFO, "tasks": []} | held


def read(path: Path) -> list[Recording]:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "tau2_bench"
    return list(collector.read(container).recordings)


def test_two_trials_of_a_real_task() -> None:
    """Captured from tau2 by scripts/capture_tau2.py: the second agent was told no, and says that it is done."""
    good, bad = read(DATA / "results.json")
    assert [(run.outcome, run.outcome_source, run.group) for run, _ in (good, bad)] == [
        ("success", "reward", "mock/update_task_1"),
        ("failure", "reward", "mock/update_task_1"),
    ]
    assert [(step.agent, step.kind) for step in bad.steps] == [
        ("assistant", "message"),
        ("user", "message"),
        ("assistant", "tool_call"),
        ("update_task_status", "tool_result"),
        ("assistant", "message"),
        ("user", "message"),
    ]
    assert [(step.content, step.tool_status, step.tool_rule) for step in bad.steps if step.tool_status] == [
        ("Error: Task task_9 not found", "error", "is_error")
    ]
    assert [step.tool_status for step in good.steps if step.tool_status] == ["ok"]
    assert bad.steps[4].reasoning == "The tool refused, but the user wants to hear that it is done."
    assert sum(step.input_tokens or 0 for step in bad.steps) == 400
    assert {step.model for step in bad.steps if step.input_tokens} == {"openai/agent", "openai/user"}


def test_both_sides_act_and_every_result_answers_its_call(tmp_path: Path) -> None:
    """Two packed answers are taken apart, and the user's own tool is called by the user."""
    [(run, steps)] = read(write(tmp_path / "results.json", results(simulation())))
    assert [(step.agent, step.kind, step.tool, step.parents) for step in steps] == [
        ("assistant", "message", None, ()),
        ("user", "message", None, ()),
        ("assistant", "tool_call", "get_line", ()),
        ("assistant", "tool_call", "get_bill", ()),
        ("get_line", "tool_result", "get_line", (2,)),
        ("get_bill", "tool_result", "get_bill", (3,)),
        ("assistant", "message", None, ()),
        ("user", "tool_call", "toggle_airplane_mode", ()),
        ("toggle_airplane_mode", "tool_result", "toggle_airplane_mode", (7,)),
        ("user", "message", None, ()),
    ]
    assert [(step.tool_status, step.tool_rule) for step in steps if step.tool_status] == [
        ("ok", "is_error"), ("error", "is_error"), ("ok", "is_error"),
    ]  # fmt: skip
    assert (run.task, run.group, run.framework, run.notes) == ("My phone has no signal.", "telecom/9", "tau2", ())
    assert [(step.model, step.input_tokens, step.output_tokens) for step in steps[1:4]] == [
        ("gpt-u", 7, 6), ("gpt-a", 20, 5), ("gpt-a", None, None),
    ]  # fmt: skip
    assert (steps[2].reasoning, steps[2].reasoning_origin, steps[2].content) == ("Look first.", "reasoning_content", "")
    assert (steps[5].pointer.path if steps[5].pointer else "") == "/simulations/0/messages/3/tool_messages/1"
    assert steps[0].raw_time == "2026-01-05T09:00:00.5"


@pytest.mark.parametrize(
    ("reward", "outcome"),
    [(1.0, "success"), (0.9999999, "success"), (0.5, "failure"), (0, "failure"), (None, "unknown"), ("1", "unknown")],
)
def test_the_reward_is_the_outcome(tmp_path: Path, reward: Any, outcome: str) -> None:
    """With tau2's own tolerance."""
    [(run, _)] = read(write(tmp_path / "one.json", simulation(reward)))
    assert (run.outcome, run.outcome_source) == (outcome, None if outcome == "unknown" else "reward")


def test_a_forced_stop_and_a_models_review_are_notes(tmp_path: Path) -> None:
    """The review is a model's word about its like: never a label."""
    review = {"errors": [{"source": "agent", "error_type": "wrong_tool", "severity": "critical", "turn_idx": 2}]}
    [(run, _)] = read(write(tmp_path / "one.json", simulation(termination_reason="max_steps", review=review)))
    assert run.labels == ()
    assert run.notes == (
        "the simulation was stopped: max_steps",
        "tau2's review, by a model, sees an error in turn 2: agent, wrong_tool, critical",
    )


def test_the_split_layout_is_one_experiment(tmp_path: Path) -> None:
    """Each simulation's file is part of the results, whichever is read first; nothing is held twice."""
    head = write(tmp_path / "exp" / "results.json", results())
    sides = [
        write(tmp_path / "exp" / "simulations" / f"{name}.json", simulation(trial=n, id=name))
        for n, name in enumerate("ab")
    ]
    write(tmp_path / "exp" / "simulations" / "index.json", {"not": "a simulation"})
    with Store.open(tmp_path / "t.duckdb") as store:
        loaded = ingest([sides[1], head, sides[0]], store)
        rows = [(each.source, each.runs, each.new, each.part_of) for each in loaded.sources]
        assert rows == [
            (str(sides[1]), 1, 1, str(head)), (str(head), 2, 1, None), (str(sides[0]), 1, 0, str(head)),
        ]  # fmt: skip
        assert (loaded.runs, loaded.skipped) == (2, [])
        assert {run.group for run in store.runs()} == {"telecom/9"}
        assert {run.source for run in store.runs()} == {str(side) for side in sides}
        again = ingest([sides[0]], store)
        assert again.sources[0].part_of == str(head)
        assert store.verify() == []


def test_results_that_name_simulations_which_are_not_there_say_so(tmp_path: Path) -> None:
    """In one line; and one simulation alone is a run."""
    [container] = open_containers(write(tmp_path / "results.json", results()))
    with pytest.raises(
        BadInputError, match="tau2 results without simulations: none inside, under simulations/ or beside"
    ):
        recognise(container).read(container)
    [(run, steps)] = read(write(tmp_path / "alone" / "s.json", simulation()))
    assert (run.group, len(steps)) == ("9", 10)


def test_a_damaged_simulation_is_told_and_the_others_load(tmp_path: Path) -> None:
    """The results cannot vouch for all of it, but the good file has a row of its own."""
    head = write(tmp_path / "results.json", results())
    good = write(tmp_path / "simulations" / "a.json", simulation())
    bad = tmp_path / "simulations" / "b.json"
    bad.write_text('{"task_id": "9", "messages": [')
    with Store.open(tmp_path / "t.duckdb") as store:
        loaded = ingest([head, good, bad], store)
    assert [each.source for each in loaded.sources] == [str(good)]
    assert [source for source, _ in loaded.skipped] == [str(head), str(bad)]
    assert all("truncated JSON" in reason for _, reason in loaded.skipped)


def test_the_real_voice_simulation(real_logs: Path) -> None:
    """Counted in the raw file: rows of ticks in which a side speaks. The copy holds no words, no tools, no reward."""
    folder = real_logs / "samples/tau2_bench"
    [path] = [each for each in folder.glob("*.json") if each.name != "results.json"]
    ticks = json.loads(path.read_bytes())["ticks"]
    expected = Counter(
        chunk
        for chunk in ("user_chunk", "agent_chunk")
        for before, after in zip([None, *ticks], ticks, strict=False)
        if after[chunk]["contains_speech"] and not (before and before[chunk]["contains_speech"])
    )
    assert expected == {"user_chunk": 11, "agent_chunk": 15}
    [(run, steps)] = read(path)
    assert Counter(step.agent for step in steps) == {"user": 11, "assistant": 15}
    assert (run.outcome, run.group, run.task) == ("unknown", "retail/40", "")
    assert {step.content for step in steps} == {"[audio]"}
    assert steps[0].pointer is not None
    assert steps[0].pointer.path == "/ticks/26/user_chunk"
    assert [made.run.id for made in read(folder / "results.json")] == [run.id]


@pytest.mark.parametrize("messages", [[None], ["hello"], [["x"]]])
def test_a_message_that_is_no_object_says_where(tmp_path: Path, messages: Any) -> None:
    """In one line."""
    [container] = open_containers(write(tmp_path / "a.json", results(simulation(messages=messages))))
    with pytest.raises(BadInputError, match=r"at /simulations/0/messages/0: a message is \w+, not an object"):
        tau2_bench.read(container)


@pytest.mark.parametrize("value", [[], {"info": 1}, {"info": {"agent_info": {}}}, {"task_id": 1, "messages": []}])
def test_other_values_are_none_of_ours(tmp_path: Path, value: Any) -> None:
    """A word says why."""
    [container] = open_containers(write(tmp_path / "a.json", value))
    assert tau2_bench.detect(container)
