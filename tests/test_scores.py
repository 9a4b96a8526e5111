"""Scores: which of them speak of the outcome."""

from typing import Any

import pytest

from tracer.collectors.genai import verdicts
from tracer.collectors.scores import evaluation
from tracer.records import Span


@pytest.mark.parametrize(
    ("name", "label", "value", "outcome"),
    [
        ("correctness", None, 1, "success"),
        ("isCorrect", None, False, "failure"),
        ("task_success", None, 1.0, "success"),
        ("correctness", None, 0.5, "unknown"),
        ("review", "Pass", None, "success"),
        ("review", "incorrect", None, "failure"),
        ("toxicity", None, 0, None),
        ("toxic", "no", 0, None),
        ("hallucination", "False", 0, None),
        ("incorrectness", None, 0, None),
        (None, None, None, None),
    ],
)
def test_only_what_speaks_of_the_outcome_becomes_a_verdict(
    name: Any, label: Any, value: Any, outcome: str | None
) -> None:
    """A number of something else says nothing, and neither does one between."""
    event = evaluation(name, label, value)
    assert (event is None) == (outcome is None)
    if event is not None:
        (verdict,) = verdicts(Span(trace_id="t", span_id="s", events=(event,)))
        assert verdict.outcome == outcome
