"""LangSmith runs and ingest bodies: merging, ancestry, shapes, feedback, and the real body of a reasoning model."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import langsmith
from tracer.collectors.container import Container, open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording, Span

ROOT = "a8b34ded-ccd2-4fb7-bccb-000000000001"


def uuid(number: int) -> str:
    """A run's id."""
    return f"{ROOT[:-1]}{number}"


def run(number: int, kind: str, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    """A run as the API gives it."""
    line = [1, number] if parent in {None, 1} and number != 1 else [1] if number == 1 else [1, parent or 1, number]
    return {
        "id": uuid(number),
        "trace_id": ROOT,
        "parent_run_id": None if parent is None else uuid(parent),
        "dotted_order": ".".join(f"20241011T20582454443{each}Z{uuid(each)}" for each in line),
        "run_type": kind,
        "name": f"r{number}",
        "start_time": f"2024-10-11T20:58:2{number}.000000",
        "end_time": "2024-10-11T20:58:39.500000" if parent is None else f"2024-10-11T20:58:2{number}.900000",
        **fields,
    }


def dumped(kind: str, **fields: Any) -> dict[str, Any]:
    """A LangChain message as `dumpd` writes it."""
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": fields}


NODE = {
    "extra": {"metadata": {"langgraph_checkpoint_ns": "planner:1", "langgraph_node": "planner", "ls_model_name": "m"}}
}
CALL = [{"name": "fare", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}]
HUMAN = dumped("HumanMessage", content="Fare?")
SAID = dumped("AIMessage", content="", tool_calls=CALL, usage_metadata={"input_tokens": 10, "output_tokens": 5})
ANSWER = dumped("AIMessage", content="Sorry.", usage_metadata={"input_tokens": 20, "output_tokens": 7})
TOOL = dumped("ToolMessage", content="no such city", tool_call_id="c1", status="error")
RUNS = [
    run(1, "chain", name="LangGraph", inputs={"messages": [HUMAN]}),
    run(2, "llm", 1, inputs={"messages": [[HUMAN]]}, outputs={"generations": [[{"message": SAID}]]}, **NODE),
    run(3, "tool", 1, name="fare", inputs={"input": "{'city': 'Oslo'}"}, outputs={"output": TOOL}, **NODE),
    run(
        4,
        "llm",
        1,
        inputs={"messages": [[HUMAN, SAID, TOOL]]},
        outputs={"generations": [[{"message": ANSWER}]]},
        **NODE,
    ),
    run(5, "parser", 1, outputs={"output": "Sorry."}),
]


def opened(path: Path, *values: Any) -> Container:
    """A real file of these values, one per line."""
    path.write_text("\n".join(map(json.dumps, values)))
    (found,) = open_containers(path)
    return found


def spans(path: Path, *values: Any) -> tuple[Span, ...]:
    """The spans of a file that is recognised."""
    container = opened(path, *values)
    assert recognise(container).name == "langsmith"
    return langsmith.COLLECTOR.read(container).spans


def read(folder: Path, *values: Any) -> Recording:
    """The one run of a file of these values."""
    spans(folder / "a.json", *values)
    ((recording,), skipped) = read_recordings([folder])
    assert skipped == []
    return recording


def halves(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The same runs as the SDK sends them: what begins, and what ends; the end has no inputs."""
    begun = [{**each, "end_time": None, "outputs": {}} for each in found]
    ended = [{**each, "inputs": None, "start_time": None, "run_type": None, "name": None} for each in found]
    return {"post": begun, "patch": ended}


@pytest.mark.parametrize(
    "values",
    [
        [RUNS],
        RUNS,
        RUNS[::-1],
        [{"runs": RUNS}],
        [halves(RUNS)],
        [{"post": halves(RUNS)["post"]}, {"patch": halves(RUNS)["patch"]}],
        [{**RUNS[0], "child_runs": RUNS[1:]}],
        [[{key: value for key, value in each.items() if key != "parent_run_id"} for each in RUNS]],
        [[{**each, "inputs": json.dumps(each.get("inputs")), "extra": json.dumps(each.get("extra"))} for each in RUNS]],
    ],
    ids=["array", "lines", "backwards", "page", "body", "two bodies", "nested", "dotted order alone", "encoded"],
)
def test_every_shape_holds_the_same_run(tmp_path: Path, values: list[Any]) -> None:
    """The graph's node is the agent; the tool message's own status counts; the parser makes no step."""
    recording = read(tmp_path, *values)
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
        ("user", "message", "Fare?"),
        ("planner", "tool_call", ""),
        ("fare", "tool_result", "no such city"),
        ("planner", "message", "Sorry."),
    ]
    result = recording.steps[2]
    assert (result.tool_status, result.tool_rule, result.call_id) == ("error", "status: error", "c1")
    assert [step.parents for step in recording.steps] == [(), (0,), (1,), (2,)]
    assert [(s.input_tokens, s.output_tokens) for s in recording.steps if s.input_tokens] == [(10, 5), (20, 7)]
    assert recording.run.framework == "langgraph"


def test_a_run_that_has_not_ended_stays_open(tmp_path: Path) -> None:
    """Only its beginning was sent: the process was killed."""
    begun = [{**each, "end_time": None, "outputs": {}} for each in RUNS[:3]]
    recording = read(tmp_path, {"post": begun, "patch": []})
    assert [step.kind for step in recording.steps] == ["message", "tool_call"]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"feedback_stats": {"correctness": {"n": 1, "avg": 0.0}}}, "failure"),
        ({"feedback_stats": {"correctness": {"n": 1, "avg": 1.0}, "toxicity": {"n": 1, "avg": 0.0}}}, "success"),
        ({"feedback_stats": {"user_score": {"n": 1, "avg": 0.0}}}, "unknown"),
        ({"feedback": [{"key": "review", "value": "incorrect"}]}, "failure"),
        ({"error": "Traceback ... ValueError: no"}, "failure"),
    ],
)
def test_the_outcome_is_what_feedback_or_the_roots_error_says(
    tmp_path: Path, fields: dict[str, Any], outcome: str
) -> None:
    """A score of something else says nothing."""
    assert read(tmp_path, [{**RUNS[0], **fields}, *RUNS[1:]]).run.outcome == outcome


@pytest.mark.parametrize(
    ("value", "word"),
    [([run(1, "llm", start_time="soon-ish")], "isoformat"), ([run(1, "llm"), {"run_type": "llm"}], "'id'")],
)
def test_a_malformed_run_is_named_by_its_place(tmp_path: Path, value: Any, word: str) -> None:
    """One line with the pointer."""
    with pytest.raises(BadInputError, match=r"a\.json, at /\d") as caught:
        langsmith.COLLECTOR.read(opened(tmp_path / "a.json", value))
    assert word in str(caught.value)


def test_a_truncated_body_loads_nothing(tmp_path: Path) -> None:
    """The bytes end in the middle."""
    (tmp_path / "a.json").write_text(json.dumps(halves(RUNS))[:-60])
    recordings, skipped = read_recordings([tmp_path])
    assert (recordings, len(skipped)) == ([], 1)


@pytest.mark.parametrize(
    "value", [{}, [], {"post": []}, {"post": [1]}, [{"run_type": "llm"}], {"run_type": "x", "id": "1"}]
)
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """A reason in a few words."""
    reason = langsmith.COLLECTOR.detect(opened(tmp_path / "a.json", value))
    assert reason is not None
    assert len(reason) < 60


def test_the_real_body_is_one_call_of_a_reasoning_model(real_logs: Path) -> None:
    """`post` and `patch` are one run; of its 2497 tokens 1408 were spent on reasoning that was not sent."""
    path = real_logs / "samples/langsmith/langsmith_py_wrap_openai_reasoning.json"
    ((recording,), skipped) = read_recordings([path])
    assert skipped == []
    question, answer = recording.steps
    assert (question.agent, question.kind, answer.agent, answer.kind) == ("user", "message", "assistant", "message")
    assert question.content.startswith("Write a bash script that takes a matrix")
    assert answer.content.startswith("Certainly! Below is a **Bash script**")
    assert (answer.input_tokens, answer.output_tokens) == (43, 2497)
    assert (answer.reasoning_state, answer.reasoning) == ("unreadable", None)
    assert answer.model == "o1-mini-2024-09-12"
    assert (recording.run.outcome, recording.run.format) == ("unknown", "langsmith")
