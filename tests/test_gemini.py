"""Gemini's contents in both spellings: parts known by the field that they fill."""

from typing import Any

import pytest

from tracer.collectors import gemini


@pytest.mark.parametrize(
    ("call", "response"), [("function_call", "function_response"), ("functionCall", "functionResponse")]
)
def test_calls_answers_thoughts_and_words_are_told_apart(call: str, response: str) -> None:
    """A model's turn, then the answer, which Gemini sends in a user's name."""
    parts = [
        {"text": "Hm.", "thought": True},
        {"text": "Let me look."},
        {call: {"id": "a", "name": "f", "args": {"x": 1}}},
    ]
    said = gemini.message({"role": "model", "parts": parts}, "user")
    assert (said.role, said.text, said.reasoning) == ("assistant", "Let me look.", "Hm.")
    assert (said.calls[0].id, said.calls[0].name, said.calls[0].arguments) == ("a", "f", '{"x":1}')
    answer = gemini.message({"role": "user", "parts": [{response: {"id": "a", "response": {"result": "420"}}}]}, "user")
    assert (answer.role, answer.results[0].content, answer.results[0].id) == ("tool", "420", "a")


def test_code_that_ran_and_files_leave_a_trace() -> None:
    """A failed run of code is an error; a file is named by its type; a signature alone is nothing."""
    parts = [
        {"executable_code": {"code": "1/0"}},
        {"code_execution_result": {"outcome": "OUTCOME_FAILED", "output": "ZeroDivisionError"}},
        {"inline_data": {"mime_type": "image/png", "data": "aGk="}},
        {"thought_signature": "x"},
    ]
    found = gemini.message({"role": "model", "parts": parts}, "user")
    assert (found.calls[0].name, found.calls[0].arguments) == ("code", "1/0")
    assert (found.results[0].content, found.results[0].status) == ("ZeroDivisionError", "error")
    assert found.text == "[image/png]"


@pytest.mark.parametrize(
    ("response", "content", "failed"),
    [
        ("420", "420", False),
        ({"result": "420"}, "420", False),
        ({"result": {"status": "error", "why": "x"}}, '{"status":"error","why":"x"}', True),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb", False),
        ({"isError": True, "content": []}, '{"isError":true,"content":[]}', True),
        ({"error": "x"}, '{"error":"x"}', True),
        ({"error": None, "rows": 3}, '{"error":null,"rows":3}', False),
        (None, "", False),
    ],
)
def test_an_answer_is_unwrapped(response: Any, content: str, failed: bool) -> None:
    """Only what says that it failed has failed."""
    assert gemini.answered(response) == (content, failed)


@pytest.mark.parametrize("value", [None, [], {}, {"parts": 3}, {"parts": [{"type": "text", "content": "x"}]}])
def test_typed_parts_are_not_geminis(value: Any) -> None:
    """The GenAI conventions name the type of a part."""
    assert not gemini.is_content(value)
