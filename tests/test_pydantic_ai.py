"""Pydantic AI's spans in the three versions of its instrumentation."""

import json
from typing import Any

import pytest

from tracer.collectors.conventions import reading
from tracer.collectors.spans import runs_from_spans
from tracer.records import Recording, Span


def span(number: int, parent: int | None, name: str, **found: Any) -> Span:
    """A span of Pydantic AI's tracer (`__` for a dot)."""
    return Span(
        trace_id="t",
        span_id=f"{number}",
        parent_id=None if parent is None else f"{parent}",
        name=name,
        scope="pydantic-ai",
        started_ns=1_000 * number,
        ended_ns=1_000 * number + (900 if parent else 90_000),
        attributes={key.replace("__", "."): value for key, value in found.items()},
    )


def run(*spans: Span) -> Recording:
    """The one run of these spans."""
    ((recording, _),) = runs_from_spans(spans)
    return recording


CALLS = [{"id": "c1", "type": "function", "function": {"name": "get_fare", "arguments": '{"city":"Oslo"}'}}]
ASKED = [
    {"event.name": "gen_ai.system.message", "role": "system", "content": "Be brief."},
    {"event.name": "gen_ai.user.message", "role": "user", "content": "Fare?"},
]
CALLED = {"event.name": "gen_ai.assistant.message", "role": "assistant", "tool_calls": CALLS}
ANSWERED = {"event.name": "gen_ai.tool.message", "role": "tool", "id": "c1", "name": "get_fare", "content": "420 EUR"}
THOUGHT = [{"kind": "thinking", "text": "It is cheap."}, {"kind": "text", "text": "420 EUR."}]


def choice(message: dict[str, Any]) -> dict[str, Any]:
    """The model's answer as an event."""
    return {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", **message}}


EXPECTED = [
    ("guide", "system", "Be brief."),
    ("user", "message", "Fare?"),
    ("guide", "tool_call", ""),
    ("get_fare", "tool_result", "420 EUR"),
    ("guide", "message", "420 EUR."),
]


def test_version_1_keeps_events_as_json() -> None:
    """On the spans of the model; blocks say `kind` there. The agent's span has no operation, only a name."""
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m", "model_request_parameters": "{}"}
    usage = {"gen_ai__usage__input_tokens": 10, "gen_ai__usage__output_tokens": 5}
    tool = {"gen_ai__tool__name": "get_fare", "gen_ai__tool__call__id": "c1", "tool_arguments": '{"city":"Oslo"}'}
    whole = {"gen_ai__usage__input_tokens": 20, "gen_ai__usage__output_tokens": 10}
    recording = run(
        span(1, None, "agent run", agent_name="guide", model_name="m", all_messages_events="[]", **whole),
        span(2, 1, "chat m", **chat, **usage, events=json.dumps([*ASKED, choice({"tool_calls": CALLS})])),
        span(3, 1, "running 1 tool", tools=["get_fare"]),
        span(4, 1, "running tool", **tool, tool_response="420 EUR"),
        span(
            5, 1, "chat m", **chat, **usage, events=json.dumps([*ASKED, CALLED, ANSWERED, choice({"content": THOUGHT})])
        ),
    )
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == EXPECTED
    assert [step.parents for step in recording.steps] == [(), (), (1,), (2,), (3,)]
    assert recording.steps[4].reasoning == "It is cheap."
    assert sum(step.input_tokens or 0 for step in recording.steps) == 20
    assert recording.run.framework == "pydantic-ai"


@pytest.mark.parametrize("name", ["joke run", "invoke_agent guide"])
def test_versions_2_and_3_keep_all_messages_on_the_agent(name: str) -> None:
    """Enough to tell the run where no model span was recorded."""
    parts = [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Fare?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "get_fare", "arguments": {"city": "Oslo"}}],
        },
        {
            "role": "user",
            "parts": [{"type": "tool_call_response", "id": "c1", "name": "get_fare", "result": "420 EUR"}],
        },
        {"role": "assistant", "parts": [{"type": "text", "content": "420 EUR."}]},
    ]
    named = {"gen_ai__operation__name": "invoke_agent"} if name.startswith("invoke") else {}
    found = {"agent_name": "guide", "gen_ai__agent__name": "guide", "pydantic_ai__all_messages": json.dumps(parts)}
    recording = run(span(1, None, name, **found, **named))
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == EXPECTED


def test_version_1_tells_an_agent_alone_from_its_events() -> None:
    """The same, in the event era."""
    events = [*ASKED, CALLED, ANSWERED, {"event.name": "gen_ai.assistant.message", "content": THOUGHT}]
    recording = run(span(1, None, "agent run", agent_name="guide", all_messages_events=json.dumps(events)))
    assert [(step.agent, step.kind, step.content) for step in recording.steps] == EXPECTED


def test_spans_that_only_gather_make_no_step() -> None:
    """`running 3 tools` names tools, but is none."""
    assert reading(span(1, None, "running 3 tools", tools=["a", "b", "c"])) is None


def test_events_that_are_no_list_are_nothing() -> None:
    """Cut off, or of another kind."""
    chat = {"gen_ai__operation__name": "chat", "model_request_parameters": "{}"}
    activity = reading(span(1, None, "chat m", **chat, events='[{"event.na'))
    assert activity is not None
    assert (activity.inputs, activity.outputs) == ((), ())
