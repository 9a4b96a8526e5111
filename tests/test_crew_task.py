"""CrewAI's tasks as OpenInference dumps them: messages, the last word, and calls that their tools' spans told of."""

import json
from typing import Any

from tracer.collectors import crew_task
from tracer.collectors.message import Message
from tracer.collectors.spans import runs_from_spans
from tracer.records import Span

GIVEN: dict[str, Any] = {"agent": {"role": "buyer"}, "context": "Plan: the buyer looks it up.", "tools": []}
ASKED = {"role": "user", "content": "Look the price up."}
CALL = {"id": "c1", "type": "function", "function": {"name": "price", "arguments": '{"item": "desk"}'}}
TURNS: list[dict[str, Any]] = [
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "249.5", "tool_call_id": "c1"},
]


def output(*messages: dict[str, Any]) -> str:
    """A `TaskOutput` with these messages."""
    return json.dumps({"description": "Look.", "agent": "buyer", "raw": "A desk is 249.50.", "messages": messages})


def test_the_last_word_is_added_where_the_messages_lack_it() -> None:
    """They end with the question when the agent used no tool, and with the answer when it did."""
    answer = {"role": "assistant", "content": "A desk is 249.50."}
    for messages in ([ASKED], [ASKED, answer]):
        found = crew_task.told(json.dumps(GIVEN), output(*messages))
        assert found is not None
        assert [message.text for message in found.inputs] == ["Look the price up."]
        assert [(message.role, message.text) for message in found.outputs] == [("assistant", "A desk is 249.50.")]


def test_a_task_without_messages_or_end_tells_what_it_has() -> None:
    """Its description, else the context that it was given; a value of another shape is no task's."""
    found = crew_task.told(json.dumps(GIVEN), output())
    assert found is not None
    assert [message.text for message in found.inputs] == ["Look."]
    assert crew_task.told(json.dumps(GIVEN), None) == ((Message("user", GIVEN["context"]),), ())
    assert crew_task.told(json.dumps({"agent": "buyer", "context": "", "tools": []}), None) is None
    assert crew_task.told("[]", '{"raw": 1}') is None


def span(number: int, parent: int | None, ended: int, **found: Any) -> Span:
    return Span(
        trace_id="t",
        span_id=f"{number}",
        parent_id=None if parent is None else f"{parent}",
        name="price.run" if parent else "buyer._execute_core",
        started_ns=number,
        ended_ns=ended,
        attributes={key.replace("__", "."): value for key, value in found.items()},
    )


def test_a_call_that_the_tools_span_told_of_is_the_same_in_the_history() -> None:
    """The span has no call id, the history has; the words follow from what the tool brought."""
    task = {"graph__node__id": "buyer", "input__value": json.dumps(GIVEN), "output__value": output(ASKED, *TURNS)}
    tool = {"tool__name": "price", "input__value": '{"item": "desk"}', "output__value": "249.5"}
    ((recording, _),) = runs_from_spans(
        [
            span(1, None, 9, openinference__span__kind="AGENT", **task),
            span(2, 1, 3, openinference__span__kind="TOOL", **tool),
        ]
    )
    assert [(step.agent, step.kind, step.content, step.parents) for step in recording.steps] == [
        ("user", "message", "Look the price up.", ()),
        ("buyer", "tool_call", "", (0,)),
        ("price", "tool_result", "249.5", (1,)),
        ("buyer", "message", "A desk is 249.50.", (2,)),
    ]
