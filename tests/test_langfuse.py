"""Langfuse exports of three frameworks, against Langfuse's own normalised messages; and the shapes of its API."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import langfuse, langfuse_span
from tracer.collectors.container import Container, open_containers
from tracer.collectors.ingest import read_recordings
from tracer.collectors.message import Message
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording, Span

TRACE: dict[str, Any] = {
    "id": "ab" * 16,
    "timestamp": "2025-08-22T09:38:56.228Z",
    "name": "travel",
    "sessionId": None,
    "scores": [],
}


def observation(number: int, kind: str, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    """An observation as the public API gives it."""
    return {
        "id": f"{number:016x}",
        "traceId": TRACE["id"],
        "parentObservationId": None if parent is None else f"{parent:016x}",
        "type": kind,
        "name": f"o{number}",
        "startTime": f"2025-08-22T09:38:56.{number:03}Z",
        "endTime": "2025-08-22T09:38:57.500Z" if parent is None else f"2025-08-22T09:38:56.{number:03}900Z",
        "level": "DEFAULT",
        "metadata": {},
        **fields,
    }


def run_of() -> list[dict[str, Any]]:
    """An agent that asks a model, calls a tool that fails, and answers."""
    call = [{"id": "c1", "type": "function", "function": {"name": "fare", "arguments": '{"city": "Oslo"}'}}]
    asked = [{"role": "user", "content": "Fare?"}]
    said = {"role": "assistant", "content": "", "tool_calls": call}
    history = [*asked, said, {"role": "tool", "tool_call_id": "c1", "content": "no such city"}]
    return [
        observation(1, "AGENT", name="guide"),
        observation(2, "GENERATION", 1, input=json.dumps(asked), output=json.dumps(said), model="m",
                    usageDetails={"input": 10, "output": 5, "total": 15}),
        observation(3, "TOOL", 1, name="fare", input='{"city": "Oslo"}', output="no such city", level="ERROR",
                    statusMessage="LookupError"),
        observation(4, "GENERATION", 1, input={"messages": history}, output={"role": "assistant", "content": "Sorry."},
                    usage={"input": 20, "output": 7}),
    ]  # fmt: skip


def opened(path: Path, *values: Any) -> Container:
    """A real file of these values, one per line."""
    path.write_text("\n".join(map(json.dumps, values)))
    (found,) = open_containers(path)
    return found


def read(path: Path, *values: Any) -> tuple[Span, ...]:
    """The spans of a file that is recognised."""
    container = opened(path, *values)
    assert recognise(container).name == "langfuse"
    return langfuse.COLLECTOR.read(container).spans


def test_every_shape_of_the_api_holds_the_same_run(tmp_path: Path) -> None:
    """With `trace`, with the observations inside the trace, a page of them, a list, one per line, a bucket's export."""
    found = run_of()
    snake = [
        {"".join("_" + c.lower() if c.isupper() else c for c in key): value for key, value in each.items()}
        for each in found
    ]
    shapes: list[list[Any]] = [
        [{"trace": TRACE, "observations": found}],
        [{**TRACE, "observations": found}],
        [{"data": [{**TRACE, "observations": found}], "meta": {}}],
        [{"data": found}],
        [found],
        found[::-1],
        snake,
    ]
    for number, values in enumerate(shapes):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        read(folder / "a.json", *values)
        ((recording,), skipped) = read_recordings([folder])
        assert skipped == []
        assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
            ("user", "message", "Fare?"),
            ("guide", "tool_call", ""),
            ("fare", "tool_result", "no such city"),
            ("guide", "message", "Sorry."),
        ]
        assert sum(step.input_tokens or 0 for step in recording.steps) == 30


def test_a_failed_tool_says_which_rule_told(tmp_path: Path) -> None:
    """Langfuse's level is the status of the span."""
    (tmp_path / "a.json").write_text(json.dumps({"trace": TRACE, "observations": run_of()}))
    ((recording,), _) = read_recordings([tmp_path])
    result = recording.steps[2]
    assert (result.tool_status, result.tool_rule, result.parents) == ("error", "status: error", (1,))


@pytest.mark.parametrize(
    ("scores", "outcome"),
    [
        ([{"name": "correctness", "value": 0, "dataType": "NUMERIC"}], "failure"),
        ([{"name": "isCorrect", "value": 1, "stringValue": "True", "dataType": "BOOLEAN"}], "success"),
        ([{"name": "review", "stringValue": "fail", "dataType": "CATEGORICAL"}], "failure"),
        ([{"name": "toxicity", "value": 0, "dataType": "NUMERIC"}], "unknown"),
        ([{"name": "toxic", "value": 0, "stringValue": "False", "dataType": "BOOLEAN"}], "unknown"),
        ([{"name": "correctness", "value": 0.4}], "unknown"),
        ([{"name": "correctness", "value": 1}, {"name": "review", "stringValue": "fail"}], "unknown"),
    ],
)
def test_only_a_score_of_the_outcome_is_the_outcome(tmp_path: Path, scores: list[Any], outcome: str) -> None:
    """A toxicity of nought is no failure, and two judges that differ settle nothing."""
    (tmp_path / "a.json").write_text(json.dumps({"trace": {**TRACE, "scores": scores}, "observations": run_of()}))
    ((recording,), _) = read_recordings([tmp_path])
    assert recording.run.outcome == outcome


def test_a_download_without_contents_still_tells_the_question_and_the_answer(tmp_path: Path) -> None:
    """The UI leaves observations' fields out; the trace keeps its own. With no observation at all, it stands alone."""
    trace = {**TRACE, "input": {"question": "Fare?"}, "output": '"Sorry."'}
    (tmp_path / "a.json").write_text(json.dumps({"trace": trace, "observations": []}))
    ((recording,), _) = read_recordings([tmp_path])
    assert [(step.agent, step.content) for step in recording.steps] == [("user", "Fare?"), ("travel", "Sorry.")]


@pytest.mark.parametrize(
    ("fields", "word"), [({"id": None}, "'id'"), ({"startTime": "soon-ish"}, "isoformat"), ({"traceId": 7}, "traceId")]
)
def test_a_malformed_observation_is_named_by_its_place(tmp_path: Path, fields: dict[str, Any], word: str) -> None:
    """One line with the pointer."""
    values = [observation(1, "SPAN"), observation(2, "SPAN", **fields)]
    with pytest.raises(BadInputError, match="at /observations/1: malformed observation") as caught:
        read(tmp_path / "a.json", {"trace": TRACE, "observations": values})
    assert word in str(caught.value)


def test_a_truncated_export_loads_nothing(tmp_path: Path) -> None:
    """The bytes end in the middle."""
    (tmp_path / "a.json").write_text(json.dumps({"trace": TRACE, "observations": run_of()})[:-60])
    recordings, skipped = read_recordings([tmp_path])
    assert recordings == []
    assert "\n" not in skipped[0].reason


@pytest.mark.parametrize("value", [{}, [], {"observations": [{"id": 1}]}, {"data": [{"type": "SPAN"}]}, {"trace": {}}])
def test_other_json_is_politely_refused(tmp_path: Path, value: Any) -> None:
    """A reason in a few words."""
    reason = langfuse.COLLECTOR.detect(opened(tmp_path / "a.json", value))
    assert reason is not None
    assert len(reason) < 70


Load = Callable[[str], Recording]


@pytest.fixture(scope="module")
def load(real_logs: Path) -> Load:
    """The one run of a real export, by the head of its name."""

    def run(head: str) -> Recording:
        (path,) = (real_logs / "samples/langfuse").glob(f"{head}*.trace.json")
        ((recording,), skipped) = read_recordings([path])
        assert skipped == []
        return recording

    return run


def told(recording: Recording) -> list[tuple[str, str, str | None]]:
    """Each step as (agent, kind, tool)."""
    return [(step.agent, step.kind, step.tool) for step in recording.steps]


def test_openai_agents_through_openinference(load: Load) -> None:
    """Five observations; the root names the workflow, which does nothing itself."""
    recording = load("openai-agents")
    assert told(recording) == [
        ("Hello world", "system", None),
        ("user", "message", None),
        ("Hello world", "tool_call", "get_weather"),
        ("get_weather", "tool_result", "get_weather"),
        ("Hello world", "message", None),
    ]
    assert recording.steps[3].content == "The weather in Tokyo is sunny."
    assert (recording.run.task, recording.run.framework) == ("What's the weather in Tokyo?", "openai-agents")
    assert [(s.input_tokens, s.output_tokens) for s in recording.steps if s.input_tokens] == [(55, 15), (85, 29)]


def test_pydantic_ai_whose_messages_langfuse_moved(load: Load) -> None:
    """Three runs of two agents, three parallel tools, and an answer given through a tool."""
    recording = load("pydantic-ai")
    tools = ["get_pun_suggestion", "get_dad_joke_suggestion", "get_one_liner_suggestion"]
    assert told(recording) == [
        ("joke_agent", "system", None),
        ("user", "message", None),
        *(("joke_agent", "tool_call", tool) for tool in tools),
        *((tool, "tool_result", tool) for tool in tools),
        ("joke_agent", "message", None),
        ("user", "message", None),
        ("joke_agent", "message", None),
        ("evaluator_agent", "system", None),
        ("user", "message", None),
        ("evaluator_agent", "tool_call", "final_result"),
    ]
    assert sum(step.input_tokens or 0 for step in recording.steps) == 265 + 417 + 502 + 131
    assert sum(step.output_tokens or 0 for step in recording.steps) == 73 + 53 + 14 + 69
    assert recording.run.framework == "pydantic-ai"
    assert recording.steps[8].parents == (5, 6, 7)


def test_langgraph_through_langfuses_own_callback(load: Load) -> None:
    """Nine observations of which three act; the question is what the graph was given, not the prompt before it."""
    recording = load("langgraph")
    assert told(recording) == [
        ("user", "message", None),
        ("user", "message", None),
        ("agent", "tool_call", "Web-Search"),
        ("Web-Search", "tool_result", "Web-Search"),
        ("agent", "message", None),
    ]
    assert recording.run.task == "Search the web for 'example' and summarize."
    assert (recording.run.framework, recording.run.outcome) == ("langgraph", "unknown")
    assert [(s.input_tokens, s.output_tokens) for s in recording.steps if s.input_tokens] == [(60, 15), (108, 51)]


def test_langgraphs_messages_are_those_that_langfuse_itself_shows(real_logs: Path) -> None:
    """The `.chatml.json` beside the trace is Langfuse's own reading of each observation: roles, texts, calls, ids."""
    folder = real_logs / "samples/langfuse"
    oracle = json.loads((folder / "langgraph-python-2025-08-22.chatml.json").read_text())
    (container,) = open_containers(folder / "langgraph-python-2025-08-22.trace.json")
    generations = 0
    for span in langfuse.COLLECTOR.read(container).spans:
        activity = langfuse_span.activity(span)
        if activity is None or activity.kind != "llm":
            continue
        generations += 1
        for side, messages in (("input", activity.inputs), ("output", activity.outputs)):
            assert oracle[span.span_id][side]["success"]
            assert [_ours(each) for each in messages] == [_theirs(each) for each in oracle[span.span_id][side]["data"]]
    assert generations == 2


def test_the_run_says_each_thing_that_langfuse_shows_once(real_logs: Path, load: Load) -> None:
    """Over all observations Langfuse shows every message up to nine times; the steps hold each text once."""
    oracle = json.loads((real_logs / "samples/langfuse/langgraph-python-2025-08-22.chatml.json").read_text())
    shown = Counter(
        message["content"] if isinstance(message["content"], str) else json.dumps(message["content"])
        for sides in oracle.values()
        for side in sides.values()
        for message in side.get("data") or []
        if message["content"]
    )
    steps = Counter(step.content for step in load("langgraph").steps if step.content)
    assert max(shown.values()) > 3
    assert {text for text in shown if not text.startswith("[")} <= steps.keys()
    assert set(steps.values()) == {1}


def _ours(message: Message) -> tuple[Any, ...]:
    result = message.results[0] if message.results else None
    text = result.content if result else message.text
    calls = [(call.id, call.name, call.arguments) for call in message.calls]
    return message.role, text, calls, result.id if result else None


def _theirs(message: dict[str, Any]) -> tuple[Any, ...]:
    calls = [(call["id"], call["name"], call["arguments"]) for call in message.get("tool_calls") or []]
    return message["role"], message["content"], calls, message.get("tool_call_id")


def test_the_messages_beside_a_trace_are_part_of_it(real_logs: Path, call: Callable[..., Any]) -> None:
    """Recognised, told, and no run of their own."""
    folder = real_logs / "samples/langfuse"
    told = call("ingest", folder, "--json")
    assert told.code == 0
    sources = {Path(each["source"]).name: each for each in told.json["sources"]}
    assert {each["format"] for each in sources.values()} == {"langfuse"}
    side = sources["langgraph-python-2025-08-22.chatml.json"]
    assert side["part_of"] == f"{folder}/langgraph-python-2025-08-22.trace.json"
    assert side["runs"] == 0
    assert sum(each["runs"] for each in sources.values()) == 3


def test_messages_without_their_trace_say_what_to_load(tmp_path: Path) -> None:
    """They hold no order and no times."""
    sides = {"input": {"success": True, "data": []}, "output": {"success": False}}
    container = opened(tmp_path / "x.chatml.json", {"o1": sides})
    assert langfuse.COLLECTOR.detect(container) is None
    with pytest.raises(BadInputError, match="load the trace itself"):
        langfuse.COLLECTOR.read(container)
