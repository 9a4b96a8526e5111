"""Messages in whatever shape a tracer kept them: requests, replies, LangChain's dumps, Gemini's contents, texts."""

import json
from typing import Any

import pytest

from tracer.collectors.message import Message
from tracer.collectors.payload import Usage, messages_of, plain, sealed, structured, tool_message, usage_of

USER = {"role": "user", "content": "Fare?"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
}


def dumped(kind: str, **fields: Any) -> dict[str, Any]:
    """A message as LangChain's `dumpd` writes it."""
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": fields}


@pytest.mark.parametrize(
    "value",
    [
        [USER],
        USER,
        json.dumps([USER]),
        json.dumps(json.dumps([USER])),
        {"messages": [USER]},
        {"messages": [[USER]]},
        {"input": [USER]},
        {"input": {"messages": [USER]}},
        {"messages": [{"type": "human", "data": {"content": "Fare?"}}]},
        {"messages": [{"type": "human", "content": "Fare?", "additional_kwargs": {}}]},
        [dumped("HumanMessage", content="Fare?")],
        [{**dumped("HumanMessageChunk", content="Fare?"), "id": ["langchain_core", "messages", "HumanMessageChunk"]}],
        [{"role": "user", "parts": [{"type": "text", "content": "Fare?"}]}],
        {"contents": [{"role": "user", "parts": [{"text": "Fare?"}]}]},
        [USER, {"role": "tool", "content": {"type": "function", "function": {"name": "f"}}}],
        "Fare?",
        json.dumps("Fare?"),
        {"question": "Fare?"},
        {"args": [{"__class__": "Guide"}, "Fare?"], "kwargs": {}},
    ],
)
def test_every_shape_asks_the_same(value: Any) -> None:
    """One message of a user with these words."""
    (message,) = messages_of(value, "user")
    assert (message.role, message.text, message.calls, message.results) == ("user", "Fare?", (), ())


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"message": {"role": "assistant", "content": "420"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "420"}], "stop_reason": "end_turn"},
        {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "420"}]}]},
        {"generations": [[{"text": "420", "message": dumped("AIMessage", content="420")}]], "llm_output": None},
        {"generations": [[{"text": "420"}]]},
        {"content": {"role": "model", "parts": [{"text": "420"}]}, "role": "model", "parts": [{"text": "420"}]},
        {"output": "420"},
        {"answer": "420"},
        "420",
    ],
)
def test_every_reply_says_the_same(value: Any) -> None:
    """One message of an assistant with these words."""
    (message,) = messages_of(value, "assistant")
    assert (message.role, message.text) == ("assistant", "420")


@pytest.mark.parametrize("value", [None, "", {}, [], "{}", "[]"])
def test_nothing_is_no_message(value: Any) -> None:
    """An empty field says nothing."""
    assert messages_of(value, "user") == ()


def test_calls_that_langchain_keeps_aside_are_found() -> None:
    """In `additional_kwargs`, with the reasoning that has no field either."""
    more = {"tool_calls": CALL["tool_calls"], "reasoning_content": "Think."}
    (message,) = structured([dumped("AIMessage", content="", additional_kwargs=more)])
    assert (message.calls[0].id, message.calls[0].name, message.reasoning) == ("c1", "f", "Think.")


def test_a_tool_messages_status_is_kept_and_success_is_not_believed() -> None:
    """LangChain says `success` of whatever did not raise."""
    failed, fine = structured(
        [
            dumped("ToolMessage", content="no", tool_call_id="c1", status="error"),
            dumped("ToolMessage", content="Error: no", tool_call_id="c2", status="success"),
        ]
    )
    assert (failed.results[0].status, failed.results[0].rule) == ("error", "is_error")
    assert (fine.results[0].status, fine.results[0].rule) == ("error", "text: starts as an error")


def test_a_list_that_is_not_all_messages_is_one_text() -> None:
    """Half-read, it would lose the rest."""
    assert structured([USER, {"weather": "fine"}]) == []
    assert messages_of([USER, {"weather": "fine"}], "user")[0].text.startswith('[{"role":"user"')


def test_wrappings_without_end_end() -> None:
    """A hostile value nests its messages for ever."""
    value: Any = [USER]
    for _ in range(200):
        value = {"messages": value}
    assert structured(value) == []


@pytest.mark.parametrize(
    "value",
    [
        {"content": "no", "tool_call_id": "c1", "status": "error"},
        dumped("ToolMessage", content=[{"type": "text", "text": "no"}], tool_call_id="c1", status="error"),
        {"update": {"messages": [{"content": "no", "tool_call_id": "c1", "status": "error"}]}, "goto": "x"},
        {"messages": [USER, {"content": "no", "tool_call_id": "c1", "status": "error"}]},
    ],
)
def test_a_tool_message_is_its_words_its_call_and_its_status(value: Any) -> None:
    """Bare, dumped, in a command, in a node's state."""
    assert tool_message(value) == ("no", "c1", "error")


@pytest.mark.parametrize(
    ("value", "usage"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, Usage(1, 2)),
        (
            {"usage": {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 3}}},
            Usage(1, 2, 3),
        ),
        (
            {"usage_metadata": {"prompt_token_count": 1, "candidates_token_count": 2, "thoughts_token_count": 3}},
            Usage(1, 2, 3),
        ),
        ({"llm_output": {"token_usage": {"prompt_tokens": 1, "completion_tokens": 2}}}, Usage(1, 2)),
        (
            {
                "generations": [
                    [{"message": dumped("AIMessage", usage_metadata={"input_tokens": 1, "output_tokens": 2})}]
                ]
            },
            Usage(1, 2),
        ),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": "many"}}, Usage()),
        ({}, Usage()),
        (None, Usage()),
        ([], Usage()),
    ],
)
def test_usage_is_found_wherever_a_reply_states_it(value: Any, usage: Usage) -> None:
    """In the words of any provider."""
    assert usage_of(value) == usage


def test_reasoning_that_was_counted_but_not_sent_is_unreadable() -> None:
    """But what was sent stays."""
    spoken = Message("assistant", "420")
    thought = spoken._replace(reasoning="Think.", reasoning_state="present")
    assert sealed([spoken], 7)[0].reasoning_state == "unreadable"
    assert sealed([spoken], 0) == (spoken,)
    assert sealed([thought], 7) == (thought,)
    assert sealed([], 7) == ()


def test_plain_values_are_shown_as_they_are() -> None:
    """JSON that holds no question stays JSON."""
    assert plain({"x": 1}, "user")[0].text == '{"x":1}'
    assert plain(["a"], "user")[0].text == '["a"]'
