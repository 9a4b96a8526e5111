"""Two runs side by side, as the page's data."""

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.analyses.divergence import diverge
from tracer.records import Candidate, Finding, Outcome, Run, Step
from tracer.reported import Reported
from tracer.viz.comparison import comparison, names, shown


def told(*texts: str, outcome: Outcome = "failure", agent: str = "reader", **run: Any) -> Reported:
    """A run of one agent, whose second step, if any, leads."""
    steps = [Step(index=index, agent=agent, kind="message", content=text) for index, text in enumerate(texts)]
    candidates = (Candidate(rank=1, step=1, agent=agent, probability=0.4),) if len(texts) > 1 else ()
    made = Run(id="a1b2c3d4e5f6", content_hash="0", source="x.json", format="chat", outcome=outcome, **run)
    finding = Finding(
        run=made.id, analysis="blame", version=1, verdict="inconclusive", method="ranker", candidates=candidates
    )
    return Reported(made, steps, [], finding, {}, {})


def rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as the page inflates them."""
    found: list[dict[str, Any]] = json.loads(zlib.decompress(base64.b64decode(data["rows"])))["rows"]
    return found


def compare(left: Reported, right: Reported) -> dict[str, Any]:
    return comparison(left, right, diverge(left.steps, right.steps))


@pytest.mark.parametrize(
    ("left", "right", "called"),
    [
        ("failure", "success", ("failed run", "good run")),
        ("success", "failure", ("good run", "failed run")),
        ("unknown", "success", ("run of unknown outcome", "good run")),
        ("failure", "failure", ("first run", "second run")),
        ("success", "success", ("first run", "second run")),
        ("unknown", "failure", ("first run", "second run")),
    ],
)
def test_a_run_is_called_good_only_beside_one_that_is_not(
    left: Outcome, right: Outcome, called: tuple[str, str]
) -> None:
    """Else there is nothing to tell them apart by but their places."""
    assert names(told(outcome=left).run, told(outcome=right).run) == called


def test_the_page_says_where_they_part_and_by_which_words() -> None:
    """The step that leads is marked; the words are slices of the text that is shown."""
    data = compare(told("Hello.", "I saw 4711."), told("Hello.", "I saw 12.", outcome="success"))
    assert (data["first"], data["sum"]) == (1, "The two runs part at step 1 · reader")
    assert data["parting"] == [
        "The step before it is the same",
        "the failed run says “4711”, the good run “12”",
    ]
    row = rows(data)[1]
    assert (row["how"], row["left"]["part"]) == ("changed", "lead")
    assert [row[side]["text"][slice(*row[side]["spans"][0])] for side in ("left", "right")] == ["4711", "12"]


def test_slices_are_counted_as_browsers_count() -> None:
    """A whale is one code point and two UTF-16 units."""
    data = compare(told("🐋🐋 42"), told("🐋🐋 43"))
    assert rows(data)[0]["left"]["spans"] == [[5, 7]]


def test_equal_runs_say_so() -> None:
    """There is no place where they part."""
    data = compare(told("one", "two"), told("one", "two"))
    assert (data["first"], data["parting"]) == (None, [])
    assert data["sum"] == "The two runs say the same in all 2 steps"


def test_runs_that_differ_at_once_say_so() -> None:
    """Words are quoted only where they are few enough to tell the difference."""
    data = compare(told("I saw 4711 whales."), told("I saw 12 whales."))
    assert data["sum"] == "The two runs differ from their first step on"
    assert data["parting"] == ["the first run says “4711”, the second run “12”"]
    assert compare(told("Yes, of course."), told("No, never."))["parting"] == []


def test_a_step_that_only_one_run_has_is_told() -> None:
    """By the name of the run that has it."""
    data = compare(told("one", "two"), told("one", outcome="success"))
    assert data["sum"] == "The two runs part at step 1 · reader, which only the failed run has"
    assert rows(data)[1]["right"] is None
    other = compare(told("one"), told("one", "two", outcome="success"))
    assert other["sum"] == "The two runs part at step 1 · reader, which only the good run has"


def test_what_to_know_first_is_noted() -> None:
    """How many rows are what; other tasks; no agent in common; and what a parting does not prove."""
    data = compare(told("one", task="Count."), told("one", agent="writer", task="Write."))
    assert data["notes"] == [
        "2 rows: 0 the same, 0 changed, 1 only in the first run, 1 only in the second run.",
        "The two runs had different tasks.",
        "No agent takes part in both runs, so no step of one stands beside a step of the other.",
        "That runs part at a step does not prove that the step is wrong: compare it with the ranking.",
    ]


def test_a_long_text_is_shown_around_the_first_word_that_differs() -> None:
    """From a word's beginning on; it is told that text was cut."""
    text = "word " * 500
    data = compare(told(f"{text}42 {text}"), told(f"{text}43 {text}"))
    side = rows(data)[0]["left"]
    assert side["cut"] == [True, True]
    assert side["text"].startswith("word ")
    assert [side["text"][start:end] for start, end in side["spans"]] == ["42"]


@given(st.text(max_size=50), st.integers(1, 60), st.data())
def test_a_window_holds_what_it_says(text: str, width: int, data: st.DataObject) -> None:
    """At most its width, the words' slices inside, and cut exactly where something is missing."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    words = [(start, end)] if end > start else []
    window = shown(text, words, width)
    assert window.text in text
    assert len(window.text) <= width
    assert (window.cut_before or window.cut_behind) == (len(window.text) < len(text))
    for a, b in window.words:
        assert window.text[a:b]
        assert window.text[a:b] in text[start:end]
