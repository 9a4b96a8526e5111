"""OpenLLMetry in both generations: flat prompts, entities, LangChain's wrappings, hand-offs, and what makes no step."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import openllmetry
from tracer.collectors.conventions import reading
from tracer.collectors.ingest import read_recordings
from tracer.collectors.spans import runs_from_spans
from tracer.records import Recording, Span

REAL = Path(__file__).parent / "data/telemetry"
"""What `scripts/capture_telemetry.py` made; `versions.json` says with which releases."""


def captured(name: str) -> Recording:
    """The one run of a captured file."""
    ((recording,), skipped) = read_recordings([REAL / name])
    assert skipped == []
    return recording


def span(number: int, parent: int | None = None, name: str = "", **found: Any) -> Span:
    """A span with these attributes (`__` for a dot); spans last and nest by their numbers."""
    return Span(
        trace_id="t",
        span_id=f"{number}",
        parent_id=None if parent is None else f"{parent}",
        name=name,
        started_ns=1_000 * number,
        ended_ns=1_000 * number + (900 if parent else 90_000),
        attributes={key.replace("__", "."): value for key, value in found.items()},
    )


def run(*spans: Span) -> Recording:
    """The one run of these spans."""
    ((recording, _),) = runs_from_spans(spans)
    return recording


def flat(head: str, *messages: dict[str, Any]) -> dict[str, Any]:
    """Messages, one attribute per field, as until 2026."""
    return {f"{head}.{n}.{key}": value for n, message in enumerate(messages) for key, value in message.items()}


CALL = {
    "role": "assistant",
    "finish_reason": "tool_calls",
    "tool_calls.0.id": "c1",
    "tool_calls.0.name": "get_fare",
    "tool_calls.0.arguments": '{"city": "Oslo"}',
}
SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Fare?"}
RESULT = {"role": "tool", "content": "420 EUR", "tool_call_id": "c1"}


def first_generation() -> Recording:
    """Two model calls and a tool between them, as the LangChain instrumentation of 2025 wrote them."""
    message = "content='420 EUR' name='get_fare' tool_call_id='c1'"
    wrapped = {"input_str": "{'city': 'Oslo'}", "tags": [], "metadata": {}, "inputs": {"city": "Oslo"}, "kwargs": {}}
    return run(
        span(1, name="guide.agent", traceloop__span__kind="agent", traceloop__entity__name="guide"),
        span(
            2,
            1,
            "ChatOpenAI.chat",
            llm__request__type="chat",
            gen_ai__request__model="m",
            llm__usage__total_tokens=15,
            gen_ai__usage__prompt_tokens=10,
            gen_ai__usage__completion_tokens=5,
            **flat("gen_ai.prompt", SYSTEM, USER),
            **flat("gen_ai.completion", CALL),
        ),
        span(
            3,
            1,
            "get_fare.tool",
            traceloop__span__kind="tool",
            traceloop__entity__name="get_fare",
            traceloop__entity__input=json.dumps(wrapped),
            traceloop__entity__output=json.dumps({"output": message, "kwargs": {}}),
        ),
        span(
            4,
            1,
            "ChatOpenAI.chat",
            llm__request__type="chat",
            gen_ai__usage__prompt_tokens=20,
            gen_ai__usage__completion_tokens=7,
            **flat("gen_ai.prompt", SYSTEM, USER, CALL, RESULT),
            **flat("gen_ai.completion", {"role": "assistant", "content": "420 EUR."}),
        ),
    )


def test_the_first_generation_is_unflattened_and_each_thing_told_once() -> None:
    """The tool message that Python printed is the one that the history repeats."""
    recording = first_generation()
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
        ("guide", "system", "Be brief."),
        ("user", "message", "Fare?"),
        ("guide", "tool_call", ""),
        ("get_fare", "tool_result", "420 EUR"),
        ("guide", "message", "420 EUR."),
    ]
    assert [step.parents for step in recording.steps] == [(), (), (1,), (2,), (3,)]
    call = recording.steps[2]
    assert (call.arguments, call.call_id, call.input_tokens, call.output_tokens) == ('{"city": "Oslo"}', "c1", 10, 5)
    assert sum(step.input_tokens or 0 for step in recording.steps) == 30


def test_the_second_generation_has_genai_attributes_inside_the_same_wrappings() -> None:
    """The arguments and the answer of a tool are still LangChain's callback, as JSON."""
    wrapped = {"input_str": "{}", "tags": [], "inputs": {"city": "Oslo"}, "kwargs": {"tool_call_id": "c1"}}
    dumped = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "ToolMessage"]}
    answer = {**dumped, "kwargs": {"content": [{"type": "text", "text": "420 EUR"}], "tool_call_id": "c1"}}
    (call, result) = run(
        span(
            1,
            name="execute_tool get_fare",
            traceloop__span__kind="tool",
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name="get_fare",
            gen_ai__tool__call__arguments=json.dumps(wrapped),
            gen_ai__tool__call__result=json.dumps({"output": answer}),
        )
    ).steps
    assert (call.tool, call.arguments, call.call_id) == ("get_fare", '{"city":"Oslo"}', "c1")
    assert (result.content, result.tool_status, result.parents) == ("420 EUR", "ok", (0,))


@pytest.mark.parametrize(
    ("output", "rule"),
    [
        ("content='no such city' name='f' tool_call_id='c1' status='error'", "status: error"),
        (
            {
                "lc": 1,
                "type": "constructor",
                "kwargs": {"content": "no such city", "tool_call_id": "c1", "status": "error"},
            },
            "status: error",
        ),
    ],
)
def test_a_tool_messages_own_status_counts(output: Any, rule: str) -> None:
    """LangGraph catches what a tool raises: the span is fine, the message is not."""
    found: dict[str, Any] = {"traceloop__span__kind": "tool", "traceloop__entity__name": "f"}
    result = run(span(1, **found, traceloop__entity__output=json.dumps({"output": output, "kwargs": {}}))).steps[1]
    assert (result.content, result.tool_status, result.tool_rule) == ("no such city", "error", rule)


def test_a_hand_off_names_who_takes_over() -> None:
    """The Agents SDK's instrumentation writes a span `triage → billing.handoff`."""
    found: dict[str, Any] = {"gen_ai__handoff__from_agent": "triage", "gen_ai__handoff__to_agent": "billing"}
    handoff, result = run(span(1, name="triage → billing.handoff", traceloop__span__kind="handoff", **found)).steps
    assert (handoff.kind, handoff.agent, handoff.recipient) == ("handoff", "triage", "billing")
    assert (result.content, result.tool_status) == ("", "ok")


@pytest.mark.parametrize(
    "found",
    [
        {"traceloop.span.kind": "task", "traceloop.entity.name": "should_continue"},
        {"traceloop.span.kind": "task", "gen_ai.operation.name": "invoke_agent"},
        {"traceloop.span.kind": "workflow", "traceloop.entity.name": "LangGraph", "gen_ai.agent.name": "LangGraph"},
        {"llm.request.type": "embedding", "gen_ai.request.model": "e"},
        {"traceloop.association.properties.x": "1"},
    ],
)
def test_bookkeeping_makes_no_step(found: dict[str, Any]) -> None:
    """CrewAI's tasks even call themselves an agent's invocation."""
    noise = Span(trace_id="t", span_id="s", attributes=found, ended_ns=1)
    assert openllmetry.ours(noise)
    assert reading(noise) is None


@pytest.mark.parametrize(
    ("found", "agent"),
    [
        ({"traceloop.span.kind": "workflow", "gen_ai.agent.name": "planner"}, "planner"),
        ({"traceloop.span.kind": "agent", "traceloop.entity.name": "planner"}, "planner"),
        ({"traceloop.span.kind": "agent", "crewai.agent.role": "Planner"}, "Planner"),
        ({"ioa_observe.span.kind": "agent", "ioa_observe.entity.name": "planner.run_all"}, "planner"),
        (
            {
                "llm.request.type": "chat",
                "traceloop.association.properties.langgraph_checkpoint_ns": "planner:1|agent:2",
            },
            "planner",
        ),
        ({"llm.request.type": "chat", "traceloop.association.properties.langgraph_checkpoint_ns": "agent:2"}, None),
    ],
)
def test_agents_are_known_by_attribute_node_or_entity(found: dict[str, Any], agent: str | None) -> None:
    """A node of an agent's own loop names nobody."""
    activity = reading(Span(trace_id="t", span_id="s", attributes=found))
    assert activity is not None
    assert activity.agent == agent


def test_a_decorated_agent_without_model_spans_is_known_by_what_went_in_and_out() -> None:
    """The decorator logs positional arguments, the object itself first."""
    given = {"args": [{"__class__": "Guide"}, "Fare?"], "kwargs": {}}
    found: dict[str, Any] = {"traceloop__span__kind": "agent", "traceloop__entity__name": "guide"}
    recording = run(span(1, **found, traceloop__entity__input=json.dumps(given), traceloop__entity__output='"420 EUR"'))
    assert [(step.agent, step.content) for step in recording.steps] == [("user", "Fare?"), ("guide", "420 EUR")]


def test_the_names_of_2023_are_read_too() -> None:
    """Before the attributes were renamed to gen_ai."""
    recording = run(
        span(
            1,
            llm__request__type="chat",
            llm__request__model="m",
            llm__usage__prompt_tokens=3,
            llm__usage__completion_tokens=2,
            **flat("llm.prompts", USER),
            **flat("llm.completions", {"role": "assistant", "content": "420 EUR"}),
        )
    )
    assert [step.content for step in recording.steps] == ["Fare?", "420 EUR"]
    assert (recording.steps[1].model, recording.steps[1].input_tokens) == ("m", 3)


def test_reasoning_that_was_only_counted_is_unreadable() -> None:
    """The provider kept it."""
    found: dict[str, Any] = flat("gen_ai.completion", {"role": "assistant", "content": "420 EUR"})
    (step,) = run(span(1, llm__request__type="chat", llm__usage__reasoning_tokens=64, **found)).steps
    assert (step.reasoning_state, step.reasoning) == ("unreadable", None)


@pytest.mark.parametrize(
    "text", ["content='\\x' tool_call_id='c1'", "content='" + "a" * 50_000, "content=() tool_call_id='c'"]
)
def test_a_hostile_repr_is_only_text(text: str) -> None:
    """It is parsed as a string literal, and never run."""
    found: dict[str, Any] = {"traceloop__span__kind": "tool", "traceloop__entity__name": "f"}
    result = run(span(1, **found, traceloop__entity__output=json.dumps({"output": text, "kwargs": {}}))).steps[1]
    assert result.kind == "tool_result"
    assert result.content in {text, "\\x"}


GRAPH = [
    ("user", "message", None),
    ("researcher", "tool_call", "get_fare"),
    ("get_fare", "tool_result", "get_fare"),
    ("researcher", "tool_call", "get_fare"),
    ("get_fare", "tool_result", "get_fare"),
    ("researcher", "message", None),
    ("accountant", "message", None),
]
"""The captured graph: a call that fails, the call again, the fare, and the accountant's last word."""


def test_a_real_graph_of_2026_is_told_whole() -> None:
    """Release 0.62.4: GenAI attributes inside Traceloop's wrappings, agents from the graph's nodes."""
    recording = captured("openllmetry_2026.jsonl")
    assert [(step.agent, step.kind, step.tool) for step in recording.steps] == GRAPH
    assert [step.parents for step in recording.steps] == [(), (0,), (1,), (2,), (3,), (4,), (5,)]
    assert [step.tool_status for step in recording.steps if step.kind == "tool_result"] == ["error", "ok"]
    assert recording.steps[2].content == "LookupError: no city Osloo"
    assert sum(step.input_tokens or 0 for step in recording.steps) == 4 * 10
    assert recording.run.framework == "langgraph"


def test_a_real_graph_of_2025_is_told_as_far_as_it_was_logged() -> None:
    """Release 0.40.0 loses the calls of an answer and a tool message's id: the tools' spans tell of the calls."""
    recording = captured("openllmetry_2025.jsonl")
    spoken = [(step.agent, step.content) for step in recording.steps if step.kind == "message" and step.content]
    assert spoken == [
        ("user", "Fare to Oslo in USD?"),
        ("researcher", "Again."),
        ("researcher", "420 EUR."),
        ("accountant", "It is 420 USD."),
    ]
    calls = [(step.tool, step.arguments) for step in recording.steps if step.kind == "tool_call"]
    assert calls == [("get_fare", '{"city":"Osloo"}'), ("get_fare", '{"city":"Oslo"}')]
    assert [step.tool_status for step in recording.steps if step.tool and step.kind == "tool_result"] == ["error", "ok"]
    assert recording.run.framework == "langgraph"


@pytest.mark.parametrize(("side", "role"), [("prompt", "tool"), ("completion", "assistant")])
def test_a_role_that_is_unknown_is_the_one_that_was_not_known_then(side: str, role: str) -> None:
    """Releases of 2025 knew no tool messages, and encoded an empty text."""
    found = {f"gen_ai.{side}.0.role": "unknown", f"gen_ai.{side}.0.content": '""', "llm.request.type": "chat"}
    activity = reading(Span(trace_id="t", span_id="s", attributes=found))
    assert activity is not None
    ((message,),) = [each for each in (activity.inputs, activity.outputs) if each]
    assert (message.role, message.text) == (role, "")


def genai(*parts: tuple[str, dict[str, Any]]) -> str:
    """Messages of one part each, as (role, part)."""
    return json.dumps([{"role": role, "parts": [part]} for role, part in parts])


def test_a_history_that_names_calls_by_their_items_repeats_none() -> None:
    """The Agents instrumentation (0.62) writes `fc_1` in the history for the call that it put out as `call_1`."""
    asked = {"type": "text", "content": "Fare?"}
    answer = {"type": "tool_call_response", "id": "call_1", "response": "420 EUR"}

    def made(name: str) -> dict[str, Any]:
        return {"type": "tool_call", "name": "get_fare", "id": name, "arguments": {"city": "Oslo"}}

    history = genai(("user", asked), ("assistant", made("fc_1")), ("tool", answer))
    said = genai(("assistant", {"type": "text", "content": "420 EUR."}))
    recording = run(
        span(1, name="fares.agent", traceloop__span__kind="agent", gen_ai__agent__name="fares"),
        span(
            2,
            1,
            gen_ai__operation__name="chat",
            gen_ai__input__messages=genai(("user", asked)),
            gen_ai__output__messages=genai(("assistant", made("call_1"))),
        ),
        span(3, 1, gen_ai__operation__name="chat", gen_ai__input__messages=history, gen_ai__output__messages=said),
    )
    assert [step.kind for step in recording.steps] == ["message", "tool_call", "tool_result", "message"]
    assert recording.steps[2].parents == (1,)


def test_a_hand_off_to_nobody_known_makes_no_step() -> None:
    """Its span is over before the taker is known; the call `transfer_to_...` tells."""
    found = {"traceloop.span.kind": "handoff", "gen_ai.handoff.from_agent": "planner"}
    made = span(1, name="planner → unknown.handoff").model_copy(update={"attributes": found})
    assert openllmetry.activity(made) is None


def test_a_crews_tasks_tell_what_no_model_call_does() -> None:
    """Where CrewAI's model calls are not logged, a task has its description, its agent and its output."""
    task = {"traceloop__span__kind": "task", "crewai__task__agent": "buyer", "crewai__task__description": "Two prices."}
    recording = run(
        span(1, name="crewai.workflow", gen_ai__operation__name="invoke_agent"),
        span(2, 1, "Two prices..task", **task, traceloop__entity__output="A desk costs 249.50 EUR."),
    )
    assert [(step.agent, step.content, step.parents) for step in recording.steps] == [
        ("user", "Two prices.", ()),
        ("buyer", "A desk costs 249.50 EUR.", (0,)),
    ]
