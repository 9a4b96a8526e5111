"""OpenInference spans, in the shapes that its instrumentors for LangGraph, OpenAI Agents and smolagents emit."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode, Tracer

from tracer.collectors import openinference, otel_python
from tracer.collectors.container import open_containers
from tracer.collectors.spans import runs_from_spans
from tracer.records import Recording, Span

Emit = Callable[[Tracer], None]
Read = Callable[[Emit], Recording]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Emit spans through the SDK into a console dump, and read back the one run."""

    def run(emit: Emit) -> Recording:
        out = io.StringIO()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
        emit(provider.get_tracer("test"))
        provider.shutdown()
        path = tmp_path / "spans.json"
        path.write_text(out.getvalue())
        (container,) = open_containers(path)
        ((recording, _),) = runs_from_spans(otel_python.COLLECTOR.read(container).spans)
        return recording

    return run


def node(kind: str, *path: str, **more: Any) -> dict[str, Any]:
    """A LangGraph span's attributes: its kind, and its node in `metadata` only."""
    namespace = "|".join(f"{name}:0000-1111" for name in path)
    return {"openinference.span.kind": kind, "metadata": json.dumps({"langgraph_checkpoint_ns": namespace}), **more}


def messages(side: str, *found: dict[str, Any]) -> dict[str, Any]:
    """Messages flattened as the conventions say."""
    return {
        f"llm.{side}_messages.{n}.{key}": value for n, message in enumerate(found) for key, value in message.items()
    }


USER = {"message.role": "user", "message.content": "Fare to Oslo in USD?"}
CALL = {
    "message.role": "assistant",
    "message.content": "Let me look it up.",
    "message.tool_calls.0.tool_call.id": "c1",
    "message.tool_calls.0.tool_call.function.name": "get_fare",
    "message.tool_calls.0.tool_call.function.arguments": '{"city": "Oslo"}',
}
RESULT = {
    "message.role": "tool",
    "message.content": "420 EUR",
    "message.tool_call_id": "c1",
    "message.name": "get_fare",
}
TOOL_MESSAGE = {
    "type": "tool",
    "data": {"content": "420 EUR", "name": "get_fare", "tool_call_id": "c1", "status": "success"},
}
ANSWER = {"message.role": "assistant", "message.content": "500 USD."}


def langgraph(tracer: Tracer) -> None:
    """Two agents of one graph that share its messages; every span repeats the graph's state."""
    state = {"input.value": json.dumps({"messages": [{"type": "human", "data": {"content": USER["message.content"]}}]})}
    counts = {"llm.token_count.prompt": 10, "llm.token_count.completion": 5}
    with tracer.start_as_current_span("travel", attributes={"openinference.span.kind": "CHAIN", **state}):
        with tracer.start_as_current_span("agent", attributes=node("AGENT", "researcher", "agent", **state)):
            given = {**messages("input", USER), **messages("output", CALL)}
            tracer.start_span("ChatOpenAI", attributes=node("LLM", "researcher", "agent", **given, **counts)).end()
            tracer.start_span("should_continue", attributes=node("CHAIN", "researcher", "agent", **state)).end()
        with tracer.start_as_current_span("tools", attributes=node("CHAIN", "researcher", "tools", **state)):
            tool = {"tool.name": "get_fare", "input.value": "Oslo", "output.value": json.dumps(TOOL_MESSAGE)}
            tracer.start_span("get_fare", attributes=node("TOOL", "researcher", "tools", **tool)).end()
        with tracer.start_as_current_span("accountant", attributes=node("CHAIN", "accountant", **state)):
            given = {
                **messages("input", USER, {**CALL, "message.name": "researcher"}, RESULT),
                **messages("output", ANSWER),
            }
            tracer.start_span("ChatOpenAI", attributes=node("LLM", "accountant", **given, **counts)).end()


def test_a_langgraph_run_has_its_nodes_as_agents_and_no_message_twice(read: Read) -> None:
    """Nine spans, four steps: the loop's own nodes (`agent`, `tools`) name nobody, the graph's nodes do."""
    recording = read(langgraph)
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
        ("user", "message", "Fare to Oslo in USD?"),
        ("researcher", "tool_call", "Let me look it up."),
        ("get_fare", "tool_result", "420 EUR"),
        ("accountant", "message", "500 USD."),
    ]
    assert [step.parents for step in recording.steps] == [(), (0,), (1,), (2,)]
    assert sum(step.input_tokens or 0 for step in recording.steps) == 20
    assert recording.run.task == "Fare to Oslo in USD?"


def test_a_tool_that_raised_keeps_its_exception(read: Read) -> None:
    """The span's status and event speak before any text."""

    def emit(tracer: Tracer) -> None:
        span = tracer.start_span("convert", attributes={"openinference.span.kind": "TOOL", "tool.name": "convert"})
        span.record_exception(ValueError("unknown currency XXX"))
        span.set_status(Status(StatusCode.ERROR))
        span.end()

    result = read(emit).steps[1]
    assert (result.content, result.tool_status) == ("ValueError: unknown currency XXX", "error")


@pytest.mark.parametrize(
    "output",
    [
        TOOL_MESSAGE,
        {"lc": 1, "type": "constructor", "kwargs": {"content": "420 EUR", "tool_call_id": "c1"}},
        {"graph": None, "update": {"messages": [TOOL_MESSAGE]}, "goto": "accountant"},
    ],
)
def test_a_langchain_tools_answer_is_its_content(read: Read, output: dict[str, Any]) -> None:
    """A tool message, a dumped one, or a command that carries one: the words and the call's id, not the JSON."""

    def emit(tracer: Tracer) -> None:
        tool = {"openinference.span.kind": "TOOL", "tool.name": "get_fare", "output.value": json.dumps(output)}
        tracer.start_span("get_fare", attributes=tool).end()

    result = read(emit).steps[1]
    assert (result.content, result.tool_status) == ("420 EUR", "ok")


@pytest.mark.parametrize(
    ("well", "content", "status"), [(True, "420 EUR", "ok"), (True, "[]", "empty"), (False, "no such city", "error")]
)
def test_what_ag2_executed_is_the_answer_and_whether_it_went_well(
    read: Read, well: bool, content: str, status: str
) -> None:
    """Its `execute_function` returns a pair of the two."""

    def emit(tracer: Tracer) -> None:
        output = json.dumps([well, {"name": "get_fare", "role": "function", "content": content}])
        tool = {"openinference.span.kind": "TOOL", "tool.name": "get_fare", "output.value": output}
        tracer.start_span("get_fare", attributes=tool).end()

    result = read(emit).steps[1]
    assert (result.content, result.tool_status) == (content, status)


def test_an_agent_that_was_given_nothing_was_not_told_none(read: Read) -> None:
    """AG2's instrumentor prints Python's None where the messages were not passed as an argument."""

    def emit(tracer: Tracer) -> None:
        found = {"openinference.span.kind": "AGENT", "agent.name": "buyer", "input.value": "None"}
        tracer.start_span("buyer.generate_reply", attributes={**found, "output.value": "Two desks."}).end()

    assert [(step.agent, step.content) for step in read(emit).steps] == [("buyer", "Two desks.")]


def test_responses_items_are_read_from_the_output_value(read: Read) -> None:
    """The OpenAI Agents instrumentor flattens no Responses item; the span's JSON value holds them."""
    items = [{"type": "function_call", "call_id": "h1", "name": "transfer_to_accountant", "arguments": "{}"}]
    history = [
        {"role": "user", "content": "Pay."},
        *items,
        {"type": "function_call_output", "call_id": "h1", "output": "ok"},
    ]
    answer = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Paid."}]}]

    def model(tracer: Tracer, given: list[dict[str, Any]], output: list[dict[str, Any]]) -> None:
        values = {"input.value": json.dumps(given), "output.value": json.dumps(output)}
        flat = messages("input", {"message.role": "user", "message.content": "Pay."})
        tracer.start_span("generation", attributes={"openinference.span.kind": "LLM", **values, **flat}).end()

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("run", attributes={"openinference.span.kind": "CHAIN"}):
            agent = {"openinference.span.kind": "AGENT", "agent.name": "triage", "graph.node.id": "triage"}
            with tracer.start_as_current_span("triage", attributes=agent):
                model(tracer, history[:1], items)
                handoff = {"openinference.span.kind": "TOOL", "input.value": "triage", "output.value": "accountant"}
                tracer.start_span("handoff to accountant", attributes=handoff).end()
            agent = {"openinference.span.kind": "AGENT", "agent.name": "accountant"}
            with tracer.start_as_current_span("accountant", attributes={**agent, "graph.node.parent_id": "triage"}):
                model(tracer, history, answer)

    recording = read(emit)
    assert [(step.agent, step.kind) for step in recording.steps] == [
        ("user", "message"),
        ("triage", "handoff"),
        ("transfer_to_accountant", "tool_result"),
        ("accountant", "message"),
    ]
    assert recording.steps[1].recipient == "accountant"
    assert recording.steps[3].content == "Paid."


def test_an_agent_without_model_spans_is_known_by_what_went_in_and_out(read: Read) -> None:
    """Entry points log their arguments; what was asked is the message, and the tool's keywords are its arguments."""

    def emit(tracer: Tracer) -> None:
        asked = {"input.value": json.dumps({"task": "Fare?", "stream": False}), "output.value": "420 EUR"}
        with tracer.start_as_current_span("boss.run", attributes={"openinference.span.kind": "AGENT", **asked}):
            logged = json.dumps({"args": [], "kwargs": {"city": "Oslo"}})
            tool = {
                "openinference.span.kind": "TOOL",
                "tool.name": "get_fare",
                "input.value": logged,
                "output.value": "420",
            }
            tracer.start_span("SimpleTool", attributes=tool).end()

    recording = read(emit)
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == [
        ("user", "message", "Fare?"),
        ("boss", "tool_call", ""),
        ("get_fare", "tool_result", "420"),
        ("boss", "message", "420 EUR"),
    ]
    assert recording.steps[1].arguments == '{"city":"Oslo"}'


def test_a_retriever_and_a_guardrail_are_asked_and_answer(read: Read) -> None:
    """Both work as tools; what a retriever finds is its documents."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("root", attributes={"openinference.span.kind": "CHAIN"}):
            found = {
                "retrieval.documents.0.document.content": "Oslo",
                "retrieval.documents.1.document.content": "Bergen",
            }
            retriever = {"openinference.span.kind": "RETRIEVER", "input.value": "cities", **found}
            tracer.start_span("search", attributes=retriever).end()
            guard = {"openinference.span.kind": "GUARDRAIL", "input.value": "x", "output.value": "blocked"}
            tracer.start_span("policy", attributes=guard).end()

    steps = read(emit).steps
    assert [(step.tool, step.kind) for step in steps[::2]] == [("search", "tool_call"), ("policy", "tool_call")]
    assert [step.content for step in steps[1::2]] == ["Oslo\n\nBergen", "blocked"]


def test_a_judge_is_no_part_of_the_run_but_its_word_counts(read: Read) -> None:
    """The evaluator's own model call makes no step; its label becomes the outcome."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("root", attributes={"openinference.span.kind": "CHAIN"}):
            tracer.start_span("m", attributes={"openinference.span.kind": "LLM", **messages("output", ANSWER)}).end()
            judged = {"openinference.span.kind": "EVALUATOR", "output.value": '{"label": "incorrect", "score": 0}'}
            with tracer.start_as_current_span("correctness", attributes=judged):
                asked = messages("input", {"message.role": "user", "message.content": "Is it right?"})
                tracer.start_span("judge", attributes={"openinference.span.kind": "LLM", **asked}).end()

    recording = read(emit)
    assert [step.content for step in recording.steps] == ["500 USD."]
    assert (recording.run.outcome, recording.run.outcome_source) == ("failure", "evaluation")


def test_typed_contents_and_reasoning_are_told_apart(read: Read) -> None:
    """Text parts join, a thought is reasoning, a picture is named."""
    parts = {
        "message.role": "assistant",
        "message.contents.0.message_content.type": "reasoning",
        "message.contents.0.message_content.text": "Think.",
        "message.contents.1.message_content.type": "text",
        "message.contents.1.message_content.text": "Answer.",
        "message.contents.2.message_content.type": "image",
    }

    def emit(tracer: Tracer) -> None:
        tracer.start_span("m", attributes={"openinference.span.kind": "LLM", **messages("output", parts)}).end()

    (step,) = read(emit).steps
    assert (step.content, step.reasoning) == ("Answer.\n[image]", "Think.")


def test_a_thought_that_is_a_message_of_its_own_goes_with_what_it_led_to(read: Read) -> None:
    """As the OpenAI Agents instrumentor flattens a reasoning item of the Responses API before a call."""
    thought = {
        "message.role": "assistant",
        "message.contents.0.message_content.type": "reasoning",
        "message.contents.0.message_content.text": "Look it up.",
    }
    call = {
        "message.role": "assistant",
        "message.tool_calls.0.tool_call.id": "c1",
        "message.tool_calls.0.tool_call.function.name": "get_fare",
    }

    def emit(tracer: Tracer) -> None:
        found = {"openinference.span.kind": "LLM", **messages("output", thought, call)}
        tracer.start_span("m", attributes=found).end()

    (step,) = read(emit).steps
    assert (step.kind, step.tool, step.reasoning) == ("tool_call", "get_fare", "Look it up.")


def test_a_hostile_index_costs_nothing() -> None:
    """Indices give the order, not the length, of a list."""
    found = openinference.unflatten({"a.999999999.x": 2, "a.3.x": 1, "a.y.x": 0, "b.0.x": 9}, "a")
    assert found == [{"x": 1}, {"x": 2}]


def test_a_chain_alone_is_no_activity() -> None:
    """Bookkeeping spans stay spans."""
    span = Span(trace_id="t", span_id="s", attributes={"openinference.span.kind": "CHAIN", "input.value": "x"})
    assert openinference.activity(span) is None
