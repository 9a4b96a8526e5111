"""Orchestrators' bookkeeping: plans, ledgers, notices, and what only looks like them."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.collectors.orchestrator import Bookkeeping, bookkeeping, ledger_of


def ledger(**answers: Any) -> dict[str, Any]:
    """A progress ledger with a reason for each answer."""
    return {key: {"reason": "so", "answer": answer} for key, answer in answers.items()}


CALM = ledger(is_request_satisfied=False, is_in_loop=False, is_progress_being_made=True, next_speaker="WebSurfer")


@pytest.mark.parametrize(
    ("value", "marks", "speaker"),
    [
        (CALM, ("ledger",), "WebSurfer"),
        (CALM | ledger(is_in_loop=True), ("ledger", "loop"), "WebSurfer"),
        (CALM | ledger(is_progress_being_made=False), ("ledger", "no_progress"), "WebSurfer"),
        (CALM | ledger(is_request_satisfied=True), ("ledger", "satisfied"), "WebSurfer"),
        (CALM | ledger(is_in_loop=True, is_progress_being_made=False), ("ledger", "loop", "no_progress"), "WebSurfer"),
        ({"is_in_loop": True, "next_speaker": "Coder"}, ("ledger", "loop"), "Coder"),
        (CALM | ledger(next_speaker=["a", "b"]), ("ledger",), None),
        (CALM | ledger(is_in_loop="true"), ("ledger",), "WebSurfer"),
    ],
)
@pytest.mark.parametrize("head", ["", "  ", "Updated Ledger:\n", "Progress ledger "])
def test_a_ledger_says_how_it_goes(
    head: str, value: dict[str, Any], marks: tuple[str, ...], speaker: str | None
) -> None:
    """With reasons or bare, behind a heading or not, and whatever follows; only a real true or false counts."""
    assert bookkeeping(f"{head}{json.dumps(value)}\n\nand so on") == Bookkeeping("thought", marks, speaker)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Next speaker WebSurfer", Bookkeeping("thought", ("next_speaker",), "WebSurfer")),
        ("Next speaker: Coder.", Bookkeeping("thought", ("next_speaker",), "Coder")),
        ("Next speaker: Web_Surfer-2", Bookkeeping("thought", ("next_speaker",), "Web_Surfer-2")),
        ("Stalled.... Replanning...", Bookkeeping("thought", ("stall",))),
        ("**Stalled**: again", Bookkeeping("thought", ("stall",))),
        ("Replan counter exceeded... Terminating.", Bookkeeping("thought", ("stall",))),
        ("Request satisfied.", Bookkeeping("thought", ("satisfied",))),
        ("Initial plan:\n\nWe are working", Bookkeeping("plan")),
        ("Plan: look it up", Bookkeeping("plan")),
        ("New plan:\n\nagain", Bookkeeping("plan", ("replan",))),
        ("Updated plan:\nagain", Bookkeeping("plan", ("replan",))),
        ("We begin.\n\n## Plan\n1. look", Bookkeeping("plan")),
        ("We begin.\n\n## Task and suggestions from manager", Bookkeeping("plan")),
    ],
)
def test_plans_and_notices(text: str, expected: Bookkeeping) -> None:
    """By how they begin; a plan also by its heading."""
    assert bookkeeping(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I planned it",
        "Planes stall at low speed",
        "The next speaker is unknown",
        "{",
        '{"a": 1}',
        '{"next_speaker": "x"}',
        "{broken: true",
        '["is_in_loop", "next_speaker"]',
        f"He wrote: {json.dumps(CALM)}",
    ],
)
def test_an_ordinary_text_is_no_bookkeeping(text: str) -> None:
    """One ledger key is not enough, and a ledger quoted in a sentence is a quotation."""
    assert bookkeeping(text) == Bookkeeping()


def test_a_heading_far_down_a_page_makes_no_plan() -> None:
    """Only the first 4,000 characters are asked."""
    assert bookkeeping("x" * 5_000 + "\n# Plan\n") == Bookkeeping()


@pytest.mark.parametrize("text", ['{"a":' * 20_000, "[" * 20_000, '{"next_speaker": ' + "[" * 50_000])
def test_a_nesting_bomb_is_an_ordinary_text(text: str) -> None:
    """It is neither a ledger nor a crash."""
    began = time.process_time()
    assert ledger_of(text) is None
    assert time.process_time() - began < 1


@given(st.text(max_size=200))
def test_any_text_can_be_asked(text: str) -> None:
    """Bookkeeping or not, the answer has the shape of one."""
    assert bookkeeping(text).kind in {None, "plan", "thought"}
