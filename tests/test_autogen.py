"""AutoGen 0.4: a team's messages in a result, in a state, one per line, and inside the events of the core's logger.

The files under data/autogen are of autogen-agentchat 0.7.5, made by scripts/capture_autogen.py, whose script says who
says what.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import autogen
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.records import Recording, Step

DATA = Path(__file__).parent / "data" / "autogen"
TOLD = [
    ("user", "message", None, None),
    ("planner", "handoff", "researcher", "transfer_to_researcher"),
    ("planner", "tool_result", "planner", "transfer_to_researcher"),
    ("planner", "handoff", "researcher", None),
    ("researcher", "tool_call", None, "price"),
    ("researcher", "tool_result", "researcher", "price"),
    ("researcher", "message", None, None),
    ("researcher", "tool_call", None, "price"),
    ("researcher", "tool_result", "researcher", "price"),
    ("researcher", "message", None, None),
    ("researcher", "handoff", "writer", "transfer_to_writer"),
    ("researcher", "tool_result", "researcher", "transfer_to_writer"),
    ("researcher", "handoff", "writer", None),
    ("writer", "message", None, None),
]
"""Fifteen messages, of which the writer's thought goes with its answer."""


def read(path: Path) -> Recording:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "autogen"
    [recording] = collector.read(container).recordings
    return recording


def told(steps: tuple[Step, ...]) -> list[tuple[str, str, str | None, str | None]]:
    return [(step.agent, step.kind, step.recipient, step.tool) for step in steps if step.kind != "system"]


def check(steps: tuple[Step, ...]) -> None:
    """What both captured files say."""
    assert told(steps) == TOLD
    results = [step for step in steps if step.kind == "tool_result"]
    assert [(step.content, step.tool_status, step.tool_rule) for step in results[1:3]] == [
        ("no article 'widget'", "error", "is_error"), ("12.5 EUR", "ok", "is_error"),
    ]  # fmt: skip
    summaries = [step for step in steps if step.agent == "researcher" and step.kind == "message"]
    assert [step.parents for step in summaries] == [(step.index,) for step in results[1:3]]
    last = steps[-1]
    assert (last.content, last.reasoning, last.reasoning_origin) == (
        "Three widgets cost 35 EUR. TERMINATE", "Three times 12.5: twice is 25, so thrice is 35.", "ThoughtEvent",
    )  # fmt: skip
    assert sum(step.input_tokens or 0 for step in steps) == 500
    assert sum(step.output_tokens or 0 for step in steps) == 50
    assert last.started is not None


def test_a_task_result() -> None:
    """Five calls of 100 and 10 tokens; why it stopped is no verdict."""
    run, steps = read(DATA / "task_result.json")
    check(steps)
    assert (run.task, run.outcome, run.notes) == (
        "What do three widgets cost, in EUR?", "unknown", ("the team stopped: Text 'TERMINATE' mentioned",),
    )  # fmt: skip
    assert steps[4].pointer is not None
    assert steps[4].pointer.path == "/messages/4"


def test_the_core_s_events_hold_the_same_messages_once() -> None:
    """Each stands in several payloads; the prompts and the model stand in the calls of models only."""
    run, steps = read(DATA / "core_events.jsonl")
    check(steps)
    prompts = ["You are the planner.", "You are the researcher.", "You are the writer."]
    assert [step.content for step in steps if step.kind == "system"] == prompts
    assert {step.model for step in steps if step.input_tokens} == {"scripted-1"}
    assert run.notes == ()


def test_events_behind_a_formatter(tmp_path: Path) -> None:
    """As `logging.basicConfig` writes them, among lines of another logger."""
    lines = (DATA / "core_events.jsonl").read_text().splitlines()
    text = "\n".join(f"INFO:autogen_core.events:{line}\nINFO:autogen_core:Publishing {{}}" for line in lines)
    (tmp_path / "run.log").write_text(text)
    _, steps = read(tmp_path / "run.log")
    check(steps)
    assert steps[0].pointer is not None
    assert (steps[0].pointer.line, steps[0].pointer.path) == (1, "/payload/messages/0")


def test_messages_as_a_list_one_per_line_and_in_a_saved_state(tmp_path: Path) -> None:
    """`run_stream` yields the messages and then the whole result; a state holds the thread of its manager."""
    result = json.loads((DATA / "task_result.json").read_text())
    messages = result["messages"]
    (tmp_path / "list.json").write_text(json.dumps(messages))
    (tmp_path / "stream.jsonl").write_text("\n".join(json.dumps(each) for each in [*messages, result]))
    inner = {"RoundRobinManager": {"message_thread": messages}, "writer": {"message_thread": messages[:1]}}
    (tmp_path / "state.json").write_text(json.dumps({"type": "TeamState", "agent_states": inner}))
    studio = {"task": messages[0], "team_result": {"task_result": result, "usage": "", "duration": 1.0}}
    (tmp_path / "studio.json").write_text(json.dumps(studio))
    for name in ("list.json", "stream.jsonl", "state.json", "studio.json"):
        check(read(tmp_path / name).steps)


def message(kind: str, source: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"source": source, "models_usage": None, "content": content, "type": kind} | fields


def test_other_kinds_of_messages(tmp_path: Path) -> None:
    """Pictures, code and its exit, who speaks next, pieces of a stream, a plan, an object, a bare result."""
    code = [{"code": "print(1)", "language": "python"}]
    messages = [
        message("MultiModalMessage", "user", ["Look:", {"data": "iVBOR"}]),
        message("SelectSpeakerEvent", "manager", ["coder"]),
        message("ModelClientStreamingChunkEvent", "coder", "pri"),
        message("CodeGenerationEvent", "coder", "Run:\n```python\nprint(1)\n```", retry_attempt=0, code_blocks=code),
        {
            "source": "coder",
            "type": "CodeExecutionEvent",
            "retry_attempt": 0,
            "result": {"exit_code": 1, "output": "no"},
        },
        message("ThoughtEvent", "coder", "Hm."),
        message("ToolCallExecutionEvent", "other", [{"content": "Error: x", "call_id": "c9"}]),
        message("TextMessage", "orchestrator", "Plan: do it again."),
        message("StructuredMessage[Answer]", "writer", {"sum": 1}),
        message("TextMessage", "writer", "<think>One is one.</think>It is one."),
        message("StopMessage", "limit", "Text 'one' mentioned"),
    ]
    (tmp_path / "a.json").write_text(json.dumps({"messages": messages, "stop_reason": None}))
    run, steps = read(tmp_path / "a.json")
    assert [(step.agent, step.kind, step.content, step.tool_status) for step in steps] == [
        ("user", "message", "Look:\n[image]", None),
        ("manager", "thought", "coder", None),
        ("coder", "tool_call", "Run:\n```python\nprint(1)\n```", None),
        ("coder", "tool_result", "no", "error"),
        ("coder", "thought", "", None),
        ("other", "tool_result", "Error: x", "error"),
        ("orchestrator", "plan", "Plan: do it again.", None),
        ("writer", "message", '{"sum":1}', None),
        ("writer", "message", "It is one.", None),
        ("limit", "termination", "Text 'one' mentioned", None),
    ]
    assert (steps[1].marks, steps[1].recipient) == (("next_speaker",), "coder")
    assert (steps[2].arguments, steps[3].tool_rule, steps[3].parents) == ("print(1)", "exit code 1", (2,))
    assert (steps[4].reasoning, steps[8].reasoning, run.notes) == ("Hm.", "One is one.", ())


def test_an_application_on_the_core_alone(tmp_path: Path) -> None:
    """Calls of models and tools, what agents sent, a failure; the ids of agents are `type/key`."""
    asked = [{"role": "system", "content": "Add."}, {"role": "user", "content": "One and one?"}]
    calls = [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}]
    reply = {"model": "m", "choices": [{"message": {"role": "assistant", "content": None, "tool_calls": calls}}]}
    used = {"prompt_tokens": 9, "completion_tokens": 2, "agent_id": "adder/default"}
    final = {"content": [{"type": "text", "text": "Two."}], "role": "assistant"}
    sent = {"kind": "MessageKind.DIRECT", "delivery_stage": "DeliveryStage.SEND", "receiver": "adder/default"}
    events = [
        {"type": "Message", "payload": '{"content": "One and one?"}', "sender": None, **sent},
        {"type": "LLMCall", "messages": asked, "response": reply, **used},
        {"type": "ToolCall", "tool_name": "add", "arguments": {"a": 1}, "result": "2", "agent_id": "adder/default"},
        {
            "type": "ToolCall",
            "tool_name": "clock",
            "arguments": {},
            "result": "Error: late",
            "agent_id": "adder/default",
        },
        {"type": "LLMStreamEnd", "response": final, **used},
        {"type": "Message", "payload": '{"sum": 2}', "sender": "adder/default", **sent},
        {"type": "Message", "payload": '{"sum": 2}', "sender": "adder/default", **sent, "delivery_stage": "DELIVER"},
        {"type": "MessageDropped", "payload": "{}", "sender": None, "receiver": None, "kind": "MessageKind.DIRECT"},
        {"type": "MessageHandlerException", "payload": "{}", "handling_agent": "judge/1", "exception": "boom"},
    ]
    (tmp_path / "core.jsonl").write_text("\n".join(json.dumps(event) for event in events))
    run, steps = read(tmp_path / "core.jsonl")
    assert [(step.agent, step.kind, step.content, step.tool, step.tool_status) for step in steps] == [
        ("user", "message", "One and one?", None, None),
        ("system", "system", "Add.", None, None),
        ("adder", "tool_call", "", "add", None),
        ("add", "tool_result", "2", "add", "ok"),
        ("adder", "tool_call", "", "clock", None),
        ("clock", "tool_result", "Error: late", "clock", "error"),
        ("adder", "message", "Two.", None, None),
        ("adder", "message", '{"sum":2}', None, None),
        ("judge", "system", "boom", None, None),
    ]
    assert Counter(step.input_tokens for step in steps)[9] == 2
    assert (steps[2].model, steps[3].parents, run.notes) == ("m", (2,), ("1 messages were dropped",))


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"messages": []},
        {"messages": [{"source": "a", "content": "x"}]},
        [{"source": "a", "type": "text", "content": "x"}],
        {"agent_states": {"a": None}},
        {"type": "ToolCall"},
        {"type": ["LLMCall"]},
        "INFO:autogen_core.events:{",
    ],
)
def test_other_values_are_none_of_ours(tmp_path: Path, value: Any) -> None:
    """A word says why."""
    (tmp_path / "a").write_text(value if isinstance(value, str) else json.dumps(value))
    [container] = open_containers(tmp_path / "a")
    assert autogen.detect(container)
