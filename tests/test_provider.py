"""A provider's reply is a run: what the model said and thought, with the usage that it states."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.records import Recording

COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1764660903,
    "model": "m-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "42"}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "m-2",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "42"}]},
    ],
    "usage": {"input_tokens": 7, "output_tokens": 3},
}


def load(path: Path, *values: Any) -> tuple[Recording, ...]:
    """Through the public door; several values are JSON Lines."""
    path.write_text("\n".join(json.dumps(value) for value in values))
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "chat_reasoning"
    return collector.read(container).recordings


def test_a_chat_completion(tmp_path: Path) -> None:
    """Model, tokens, time and the place of the message."""
    [(run, [step])] = load(tmp_path / "a.json", COMPLETION)
    assert (step.agent, step.kind, step.content, step.model) == ("assistant", "message", "42", "m-1")
    assert (step.input_tokens, step.output_tokens) == (7, 3)
    assert step.started is not None
    assert step.started.isoformat() == "2025-12-02T07:35:03+00:00"
    assert step.pointer is not None
    assert step.pointer.path == "/choices/0/message"
    assert (run.format, run.task, run.started) == ("chat_reasoning", "", step.started)


def test_a_response_of_several_items(tmp_path: Path) -> None:
    """Sealed reasoning goes with the call that it led to; tokens count once."""
    [(_, steps)] = load(tmp_path / "a.json", RESPONSE)
    assert [(step.kind, step.tool, step.content) for step in steps] == [
        ("tool_call", "add", ""),
        ("message", None, "42"),
    ]
    assert [step.reasoning_state for step in steps] == ["unreadable", "absent"]
    assert [step.input_tokens for step in steps] == [7, None]


def test_the_request_comes_first_where_it_was_logged(tmp_path: Path) -> None:
    """Beside the reply, or both wrapped; the task is the user's."""
    messages = [{"role": "user", "content": "6 × 7?"}]
    for logged in (
        {**COMPLETION, "messages": messages},
        {"request": {"messages": messages}, "response": COMPLETION},
        {"request": {"body": {"input": "6 × 7?"}}, "response": {"status_code": 200, "body": RESPONSE}},
    ):
        [(run, steps)] = load(tmp_path / "a.json", logged)
        assert (run.task, steps[0].agent, steps[1].agent) == ("6 × 7?", "user", "assistant")
        assert steps[1].pointer is not None
        assert steps[1].pointer.path in {"/choices/0/message", "/response/choices/0/message", "/response/body/output/1"}


def test_calls_that_repeat_the_history_are_one_run(tmp_path: Path) -> None:
    """The second request holds the first reply."""
    first = {"messages": [{"role": "user", "content": "6 × 7?"}], **COMPLETION}
    history = [
        {"role": "user", "content": "6 × 7?"},
        {"role": "assistant", "content": "42"},
        {"role": "user", "content": "Sure?"},
    ]
    [(_, steps)] = load(tmp_path / "a.jsonl", first, {**COMPLETION, "id": "c2", "messages": history})
    assert [step.content for step in steps] == ["6 × 7?", "42", "Sure?", "42"]


def test_each_choice_is_a_run(tmp_path: Path) -> None:
    """Samples of one prompt are alternatives, not turns."""
    other = {"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "41"}}
    first, second = load(tmp_path / "a.json", {**COMPLETION, "choices": [*COMPLETION["choices"], other]})  # type: ignore[misc]
    assert [first.steps[0].content, second.steps[0].content] == ["42", "41"]
    assert first.run.id != second.run.id
    assert second.run.notes == ("the reply was cut off at the token limit (length)",)


def test_reasoning_that_was_paid_for_but_not_sent_is_unreadable(tmp_path: Path) -> None:
    """Only its token count came back."""
    usage = {"prompt_tokens": 7, "completion_tokens": 300, "completion_tokens_details": {"reasoning_tokens": 290}}
    [(_, [step])] = load(tmp_path / "a.json", {**COMPLETION, "usage": usage})
    assert (step.reasoning_state, step.reasoning_origin) == ("unreadable", "usage: reasoning tokens")


@pytest.mark.parametrize("created", ["yesterday", True, 1e300, None])
def test_a_time_that_is_none_is_left_out(tmp_path: Path, created: Any) -> None:
    """No guess, no crash."""
    [(run, _)] = load(tmp_path / "a.json", {**COMPLETION, "created": created})
    assert run.started is None


def test_a_recorded_deepseek_reply(real_logs: Path) -> None:
    """Read by hand: 18 tokens in, 345 out, reasoning in its own field."""
    [container] = open_containers(real_logs / "samples/chat_reasoning/deepseek_reasoning_content.json")
    [(_, [step])] = recognise(container).read(container).recordings
    assert (step.agent, step.role, step.kind, step.model) == ("assistant", "assistant", "message", "deepseek-reasoner")
    assert step.content.startswith('The word "strawberry" contains three instances')
    assert step.reasoning is not None
    assert step.reasoning.startswith("We are asked: \"How many 'r's")
    assert step.reasoning.endswith("So answer is 3.")
    assert (step.reasoning_state, step.reasoning_origin) == ("present", "reasoning_content")
    assert (step.input_tokens, step.output_tokens) == (18, 345)


def test_a_recorded_anthropic_reply(real_logs: Path) -> None:
    """Read by hand: 51 tokens in, 1,699 out, one signed thinking block, one text."""
    [container] = open_containers(real_logs / "samples/chat_reasoning/anthropic_thinking.json")
    [(_, [step])] = recognise(container).read(container).recordings
    assert (step.agent, step.role, step.kind, step.model) == ("assistant", "assistant", "message", "claude-opus-5")
    assert step.content.startswith("## Step 1: Set up the problem")
    assert step.content.endswith("independently confirming the answer.")
    assert step.reasoning is not None
    assert step.reasoning.startswith("I need to find all roots of this cubic polynomial")
    assert (step.reasoning_state, step.reasoning_origin) == ("present", "thinking block")
    assert (step.input_tokens, step.output_tokens) == (51, 1699)
