"""Reasoning is found wherever a producer puts it, once, and leaves the text that it stood in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.collectors.messages import merge_reasoning, normalise
from tracer.collectors.reasoning import split_think
from tracer.errors import BadInputError


def assistant(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", **fields}


@pytest.mark.parametrize(
    ("message", "text", "reasoning", "origin"),
    [
        (assistant(content="42", reasoning_content="6 × 7"), "42", "6 × 7", "reasoning_content"),
        (assistant(content="42", reasoning="6 × 7"), "42", "6 × 7", "reasoning"),
        (assistant(content="42", thinking="6 × 7"), "42", "6 × 7", "thinking"),
        (assistant(content="<think>6 × 7</think>\n\n42"), "42", "6 × 7", "<think>"),
        (assistant(content="6 × 7\n</think>\n42"), "42", "6 × 7\n", "<think> opened in the prompt"),
        (assistant(content="<think>6 × 7 is, let me"), "", "6 × 7 is, let me", "<think>"),
        (assistant(content="<think>a</think>b\n<think>c</think>d"), "b\nd", "a\n\nc", "<think>"),
        (assistant(content="<think>6 × 7</think>42", reasoning_content="6 × 7"), "42", "6 × 7", "reasoning_content"),
        (assistant(content="42", reasoning="6 × 7", reasoning_content="6 × 7"), "42", "6 × 7", "reasoning_content"),
        (
            assistant(
                content=[{"type": "thinking", "thinking": "6 × 7", "signature": "s"}, {"type": "text", "text": "42"}]
            ),
            "42",
            "6 × 7",
            "thinking block",
        ),
        (
            assistant(content="42", reasoning_details=[{"type": "reasoning.text", "text": "6 × 7"}]),
            "42",
            "6 × 7",
            "reasoning_details",
        ),
        (
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "6 × 7"}]},
            "",
            "6 × 7",
            "reasoning item",
        ),
    ],
)
def test_reasoning_is_readable(message: dict[str, Any], text: str, reasoning: str, origin: str) -> None:
    """One field, one text, one origin."""
    found = normalise(message)
    assert (found.text, found.reasoning, found.reasoning_state, found.reasoning_origin) == (
        text,
        reasoning,
        "present",
        origin,
    )


@pytest.mark.parametrize(
    "message",
    [
        assistant(content="42", reasoning_content="\n Six.\r\n\nSeven \n"),
        assistant(content="42", reasoning="\n Six.\r\n\nSeven \n"),
        assistant(content="<think>\n Six.\r\n\nSeven \n</think>\n\n42"),
        assistant(content="\n Six.\r\n\nSeven \n</think>\n\n42"),
        assistant(content=[{"type": "thinking", "thinking": "\n Six.\r\n\nSeven \n"}, {"type": "text", "text": "42"}]),
    ],
)
def test_reasoning_keeps_every_byte(message: dict[str, Any]) -> None:
    """White space at its ends too, for its sentences are addressed by their position in it."""
    assert normalise(message).reasoning == "\n Six.\r\n\nSeven \n"


@pytest.mark.parametrize(
    "message",
    [
        assistant(content=[{"type": "redacted_thinking", "data": "c2VhbGVk"}, {"type": "text", "text": "42"}]),
        assistant(content=[{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "text", "text": "42"}]),
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    ],
)
def test_sealed_reasoning_is_unreadable_not_absent(message: dict[str, Any]) -> None:
    """It was there; nobody can read it; no analysis may claim to."""
    found = normalise(message)
    assert (found.reasoning, found.reasoning_state) == (None, "unreadable")


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "What does </think> mean?"},
        {"role": "user", "content": "<think>not a model</think>"},
        assistant(content="Wrap it in `<think>` please."),
        assistant(content="Close it with `</think>` please."),
        assistant(content="Line one\n<think> is the tag to use."),
        assistant(content="42", reasoning=None, reasoning_content=""),
        assistant(content="42", reasoning={"effort": "high"}),
    ],
)
def test_talk_about_reasoning_is_no_reasoning(message: dict[str, Any]) -> None:
    """Users quote tags, models explain them, and requests carry settings under the same name."""
    found = normalise(message)
    assert (found.text, found.reasoning_state) == (message["content"], "absent")


def test_an_answer_that_opens_with_its_own_reasoning_says_it_once() -> None:
    """Some servers put the thought in the field and leave it in the text, without tags."""
    thought = "First I multiply six by seven, then I check the result."
    found = normalise(assistant(content=f"{thought}\n\nIt is 42.", reasoning_content=thought))
    assert (found.text, found.reasoning) == ("It is 42.", thought)


def test_a_reasoning_item_belongs_to_what_it_led_to() -> None:
    """Two reasoning items before one call: both are the call's."""
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "go"},
        {"type": "reasoning", "summary": [{"text": "one"}]},
        {"type": "reasoning", "summary": [{"text": "two"}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        {"type": "reasoning", "summary": [], "encrypted_content": "x"},
    ]
    merged = merge_reasoning([normalise(item) for item in items])
    assert [(each.role, each.reasoning, each.reasoning_state) for each in merged] == [
        ("user", None, "absent"),
        ("assistant", "one\n\ntwo", "present"),
        ("assistant", None, "unreadable"),
    ]


@given(st.text(alphabet="<>/think \na"))
def test_splitting_loses_no_word(text: str) -> None:
    """Every letter outside tags is in the text or in the thoughts."""
    rest, fragments = split_think(text)
    kept = rest + "".join(fragment.text or "" for fragment in fragments)
    assert sorted(_letters(kept)) == sorted(_letters(text))


def _letters(text: str) -> str:
    for tag in ("<think>", "</think>"):
        text = text.replace(tag, "")
    return "".join(text.split())


KEYS = [
    "role",
    "type",
    "content",
    "text",
    "name",
    "agent",
    "id",
    "call_id",
    "tool_use_id",
    "input",
    "output",
    "error",
    "tool_calls",
    "function",
    "function_call",
    "arguments",
    "tool_responses",
    "is_error",
    "thinking",
    "reasoning",
    "reasoning_details",
    "summary",
]
WORDS = [
    "user",
    "assistant",
    "tool",
    "function",
    "reasoning",
    "thinking",
    "text",
    "tool_use",
    "tool_result",
    "function_call",
    "function_call_output",
    "mcp_call",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner | st.sampled_from(WORDS), max_size=5)
    ),
    max_leaves=15,
)


@given(JSON)
def test_normalise_raises_nothing_but_bad_input(message: Any) -> None:
    """Arbitrary JSON in the place of a message."""
    try:
        normalise(message)
    except BadInputError as error:
        assert "not an object" in str(error)  # noqa: PT017 - most inputs are readable; only the refusal's form is fixed
