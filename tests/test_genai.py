"""The GenAI conventions in their three eras, as the real SDK emits them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode, Tracer

from tracer.collectors import otel_python
from tracer.collectors.container import open_containers
from tracer.collectors.spans import runs_from_spans
from tracer.records import Recording

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


def said(recording: Recording) -> list[tuple[str, str, str]]:
    """Each step as (agent, kind, content)."""
    return [(step.agent, step.kind, step.content) for step in recording.steps]


def text(role: str, content: str) -> dict[str, Any]:
    """A message of one text part."""
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def test_the_event_era_is_read_from_span_events(read: Read) -> None:
    """Up to 1.36: one event per message, `gen_ai.choice` for the answer, old names of the counts."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("chat gpt-4", attributes={"gen_ai.operation.name": "chat"}) as span:
            span.set_attributes({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4"})
            span.add_event("gen_ai.system.message", {"content": "Be brief."})
            span.add_event("gen_ai.user.message", {"content": "Weather in Paris?"})
            calls = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}]
            span.add_event("gen_ai.assistant.message", {"tool_calls": json.dumps(calls)})
            span.add_event("gen_ai.tool.message", {"content": "rainy, 57F", "id": "c1"})
            answer = {"role": "assistant", "content": "It rains."}
            span.add_event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": json.dumps(answer)})
            span.set_attributes({"gen_ai.usage.prompt_tokens": 30, "gen_ai.usage.completion_tokens": 4})

    recording = read(emit)
    assert said(recording) == [
        ("system", "system", "Be brief."),
        ("user", "message", "Weather in Paris?"),
        ("assistant", "tool_call", ""),
        ("weather", "tool_result", "rainy, 57F"),
        ("assistant", "message", "It rains."),
    ]
    call, result, answer = recording.steps[2:]
    assert (call.tool, call.arguments, call.call_id) == ("weather", '{"city":"Paris"}', "c1")
    assert (result.call_id, result.tool_status, result.parents) == ("c1", "ok", (2,))
    assert (answer.model, answer.input_tokens, answer.output_tokens) == ("gpt-4", 30, 4)
    assert recording.run.task == "Weather in Paris?"


MESSAGES = [
    text("user", "Weather in Paris?"),
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy, 57F"}]},
]
ANSWER = {
    "role": "assistant",
    "parts": [{"type": "reasoning", "content": "57F is 14C."}, {"type": "text", "content": "Rain, 14C."}],
    "finish_reason": "stop",
}
SYSTEM = [{"type": "text", "content": "Be brief."}]


def as_attributes(tracer: Tracer) -> None:
    """1.37 and later, messages as JSON text on the span."""
    with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.system_instructions", json.dumps(SYSTEM))
        span.set_attribute("gen_ai.input.messages", json.dumps(MESSAGES))
        span.set_attribute("gen_ai.output.messages", json.dumps([ANSWER]))


def as_details(tracer: Tracer) -> None:
    """1.37 and later, messages on the operation's event."""
    with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
        details = {
            "gen_ai.system_instructions": json.dumps(SYSTEM),
            "gen_ai.input.messages": json.dumps(MESSAGES),
            "gen_ai.output.messages": json.dumps([ANSWER]),
        }
        span.add_event("gen_ai.client.inference.operation.details", details)


def encoded_twice(tracer: Tracer) -> None:
    """Some exporters encode what is JSON text already."""
    with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
        span.set_attribute("gen_ai.system_instructions", json.dumps(json.dumps(SYSTEM)))
        span.set_attribute("gen_ai.input.messages", json.dumps(json.dumps(MESSAGES)))
        span.set_attribute("gen_ai.output.messages", json.dumps(json.dumps([ANSWER])))


def with_result(tracer: Tracer) -> None:
    """The prose of the conventions says `result` where the schema says `response`."""
    response = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "rainy, 57F"}]}
    with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
        span.set_attribute("gen_ai.system_instructions", json.dumps(SYSTEM))
        span.set_attribute("gen_ai.input.messages", json.dumps([*MESSAGES[:2], response]))
        span.set_attribute("gen_ai.output.messages", json.dumps([ANSWER]))


@pytest.mark.parametrize("emit", [as_attributes, as_details, encoded_twice, with_result])
def test_the_attribute_era_is_read_wherever_the_messages_stand(read: Read, emit: Emit) -> None:
    """On the span, on its event, encoded twice, with either word for the answer: the same five steps."""
    recording = read(emit)
    assert said(recording) == [
        ("system", "system", "Be brief."),
        ("user", "message", "Weather in Paris?"),
        ("assistant", "tool_call", ""),
        ("weather", "tool_result", "rainy, 57F"),
        ("assistant", "message", "Rain, 14C."),
    ]
    assert recording.steps[4].reasoning == "57F is 14C."
    assert recording.steps[4].reasoning_state == "present"


def test_parts_of_every_kind_leave_a_trace(read: Read) -> None:
    """Pictures and files are named, an unknown part keeps its JSON, a server's own tool is a call and a result."""
    parts = [
        {"type": "text", "content": "Look:"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
        {"type": "uri", "mime_type": "application/pdf", "uri": "https://example.org/a.pdf"},
        {"type": "hologram", "depth": 3},
    ]
    server = [
        {"type": "server_tool_call", "id": "s1", "name": "web_search", "server_tool_call": {"query": "q"}},
        {"type": "server_tool_call_response", "id": "s1", "server_tool_call_response": {"hits": 2}},
    ]

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
            span.set_attribute("gen_ai.input.messages", json.dumps([{"role": "user", "parts": parts}]))
            span.set_attribute("gen_ai.output.messages", json.dumps([{"role": "assistant", "parts": server}]))

    question, call, result = read(emit).steps
    assert question.content == 'Look:\n[image]\n[application/pdf]\n{"type":"hologram","depth":3}'
    assert (call.tool, call.arguments) == ("web_search", '{"query":"q"}')
    assert (result.content, result.parents) == ('{"hits":2}', (1,))


def test_a_tools_span_is_the_call_that_the_model_made(read: Read) -> None:
    """One call step and one result step, though the call stands in three places and the result in two."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("invoke_agent guide", attributes={"gen_ai.operation.name": "invoke_agent"}):
            with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as chat:
                chat.set_attribute("gen_ai.input.messages", json.dumps(MESSAGES[:1]))
                chat.set_attribute("gen_ai.output.messages", json.dumps(MESSAGES[1:2]))
            with tracer.start_as_current_span("execute_tool weather") as tool:
                tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"})
                tool.set_attributes({"gen_ai.tool.call.id": "c1", "gen_ai.tool.call.result": "rainy, 57F"})
                tool.set_attribute("gen_ai.tool.call.arguments", '{"city": "Paris"}')
            with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as chat:
                chat.set_attribute("gen_ai.input.messages", json.dumps(MESSAGES))
                chat.set_attribute("gen_ai.output.messages", json.dumps([ANSWER]))

    recording = read(emit)
    assert said(recording) == [
        ("user", "message", "Weather in Paris?"),
        ("guide", "tool_call", ""),
        ("weather", "tool_result", "rainy, 57F"),
        ("guide", "message", "Rain, 14C."),
    ]
    assert [step.parents for step in recording.steps] == [(), (0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("how", "content", "status", "rule"),
    [
        ("status", "ValueError: no table", "error", "status: error"),
        ("error.type", "TimeoutError", "error", "error.type: TimeoutError"),
        ("exception", "ValueError: no table", "error", "exception event"),
        ("text", "Traceback (most recent call last):\n  boom", "error", "text: traceback"),
        ("empty", "[]", "empty", "text: an empty value"),
        ("silent", "", "unknown", "result not recorded"),
    ],
)
def test_how_a_tool_ended_and_who_says_so(read: Read, how: str, content: str, status: str, rule: str) -> None:
    """Stated failures come first, then the text; a result that nobody recorded is unknown, not empty."""

    def emit(tracer: Tracer) -> None:
        span = tracer.start_span("execute_tool t", attributes={"gen_ai.operation.name": "execute_tool"})
        if how in {"status", "exception"}:
            span.record_exception(ValueError("no table"))
        if how == "status":
            span.set_status(Status(StatusCode.ERROR))
        if how == "error.type":
            span.set_attribute("error.type", "TimeoutError")
        if how in {"text", "empty"}:
            span.set_attribute("gen_ai.tool.call.result", content)
        span.end()

    call, result = read(emit).steps
    assert (call.kind, call.tool) == ("tool_call", "t")
    assert (result.content, result.tool_status, result.tool_rule) == (content, status, rule)


def test_a_transfer_is_a_hand_off(read: Read) -> None:
    """The drafts of 2026 mark the tool's span with the agent that takes over."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("execute_tool route") as span:
            span.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.transfer.target.name": "billing"})
            span.set_attributes({"gen_ai.transfer.mode": "pass_control", "gen_ai.agent.name": "triage"})

    handoff = read(emit).steps[0]
    assert (handoff.kind, handoff.agent, handoff.recipient) == ("handoff", "triage", "billing")


@pytest.mark.parametrize(
    ("name", "label", "score", "outcome"),
    [
        ("task", "fail", None, "failure"),
        ("task", "Correct", None, "success"),
        ("task", None, 0.0, "failure"),
        ("task", None, 1, "success"),
        ("task", None, 0.4, "unknown"),
        ("Toxicity", None, 0.0, "unknown"),
        ("hallucination_rate", "none", 0, "unknown"),
        ("risk", None, 1, "unknown"),
        ("account_match", None, 0, "failure"),
        ("violence", "fail", 1, "failure"),
    ],
)
def test_an_evaluation_is_the_outcome(
    read: Read, name: str, label: str | None, score: float | None, outcome: str
) -> None:
    """Its label, else a score of exactly 0 or 1 where more is better; a score between says neither."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span(
            "invoke_agent a", attributes={"gen_ai.operation.name": "invoke_agent"}
        ) as span:
            span.set_attribute("gen_ai.output.messages", json.dumps([text("assistant", "42")]))
            found = {
                "gen_ai.evaluation.name": name,
                "gen_ai.evaluation.score.label": label,
                "gen_ai.evaluation.score.value": score,
            }
            span.add_event(
                "gen_ai.evaluation.result", {key: value for key, value in found.items() if value is not None}
            )

    run = read(emit).run
    assert run.outcome == outcome
    assert run.outcome_source == (None if outcome == "unknown" else "evaluation")


@pytest.mark.parametrize(
    "found",
    [
        [{"role": ["user"], "parts": {"type": "text"}}],
        [{"role": "user", "parts": [{"type": {"a": 1}}, None, 3, {"type": "tool_call"}]}],
        [{"role": "tool", "parts": [{"type": "tool_call_response", "response": [None]}]}, 7, None],
        {"role": "user", "content": {"text": None}},
    ],
)
def test_messages_of_the_wrong_shape_are_read_as_far_as_they_go(read: Read, found: Any) -> None:
    """A log may hold anything where a message should be; the answer after it is not lost."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
            span.set_attribute("gen_ai.input.messages", json.dumps(found))
            span.set_attribute("gen_ai.output.messages", json.dumps([ANSWER]))

    assert read(emit).steps[-1].content == "Rain, 14C."


def test_messages_cut_off_by_an_attribute_limit_are_counted_not_guessed(read: Read) -> None:
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts JSON text in the middle: no step is made of the pieces."""

    def emit(tracer: Tracer) -> None:
        with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
            span.set_attribute("gen_ai.input.messages", json.dumps(MESSAGES)[:60])
            span.set_attribute("gen_ai.output.messages", json.dumps([ANSWER]))

    recording = read(emit)
    assert said(recording) == [("assistant", "message", "Rain, 14C.")]
    assert recording.run.notes == ("1 spans hold messages that cannot be read (cut off?)",)


def test_a_failed_model_call_is_a_step_that_says_why(read: Read) -> None:
    """The exception stands where the answer should."""

    def emit(tracer: Tracer) -> None:
        span = tracer.start_span("chat m", attributes={"gen_ai.operation.name": "chat"})
        span.set_attribute("gen_ai.input.messages", json.dumps(MESSAGES[:1]))
        span.record_exception(TimeoutError("model took 60 s"))
        span.set_status(Status(StatusCode.ERROR, "TimeoutError: model took 60 s"))
        span.end()

    recording = read(emit)
    assert said(recording)[1] == ("system", "system", "TimeoutError: model took 60 s")
    assert (recording.run.outcome, recording.run.outcome_source) == ("failure", "status")
