"""Causes: failed runs that broke at the same place stand together."""

from typing import Any

import pytest

from tracer.analyses.causes import Case, case, causes
from tracer.records import Candidate, Finding, Run, Step


def run(name: str) -> Run:
    return Run(id=name, content_hash=name, source="s", format="f")


def finding(name: str, step: int, probability: float | None, verdict: Any = "inconclusive", *cues: str) -> Finding:
    first = Candidate(rank=1, step=step, agent="a", probability=probability, cues=cues)
    return Finding(run=name, analysis="blame", version=1, method="m", verdict=verdict, candidates=(first,))


def failing(name: str, words: str, probability: float | None = 0.5) -> Case:
    steps = [
        Step(index=0, agent="a", kind="tool_call", tool="t", arguments="{}", call_id="c"),
        Step(index=1, agent="t", kind="tool_result", content=words, call_id="c", parents=(0,), tool_status="error"),
    ]
    found = case(run(name), steps, finding(name, 0, probability))
    assert found is not None
    return found


def talking(name: str, *cues: str) -> Case:
    found = case(run(name), [Step(index=0, agent="a", kind="message")], finding(name, 0, 0.25, "root_cause", *cues))
    assert found is not None
    return found


def test_equal_failures_of_one_tool_are_one_cause() -> None:
    """Numbers apart, and with one word of five changed; another failure is another cause. By hand."""
    cases = [failing(f"r{k}", f"Error: no customer for order {k}") for k in range(3)]
    cases += [failing("r3", "Error: no client for order 3", 0.9), failing("r4", "Error: permission denied")]
    cases += [talking("r5", "assumes something"), talking("r6", "assumes something"), talking("r7")]
    found = causes(cases, 10, {1: frozenset({"r0", "r1", "r2"}), 2: frozenset({"r3", "r0"})})
    assert [(each.rank, each.kind, each.tool, each.sign, each.runs) for each in found] == [
        (1, "tool_call", "t", "Error: no customer for order #", 4),
        (2, "message", None, "assumes something", 2),
        (3, "tool_call", "t", "Error: permission denied", 1),
        (4, "message", None, "", 1),
    ]
    first = found[0]
    assert first.variants == ("Error: no client for order #",)
    assert first.impact == pytest.approx((0.5 * 3 + 0.9) / 10)
    assert (first.share.value, first.inconclusive, first.patterns) == (0.4, 4, (1,))
    assert first.examples == ("r3:0", "r0:0", "r1:0", "r2:0")
    assert found[1].inconclusive == 0


def test_a_method_without_probabilities_counts_runs() -> None:
    """Then the impact is the share."""
    [found] = causes([failing("r0", "Error: x", None)], 4)
    assert found.impact == found.share.value == 0.25


def test_a_run_without_a_candidate_is_no_case() -> None:
    """There is nothing to tie it to others by."""
    empty = Finding(run="r", analysis="blame", version=1, method="m", verdict="no_failure")
    assert case(run("r"), [], empty) is None
    assert causes([], 3) == []


def test_the_order_of_the_runs_changes_nothing_but_the_examples() -> None:
    """Clusters are found the same way round."""
    cases = [failing(f"r{k}", words) for k, words in enumerate(["Error: a b c d", "Error: a b c e", "Error: a b f e"])]
    one, other = causes(cases, 3), causes(cases[::-1], 3)
    told, again = ([(each.sign, each.variants, each.runs) for each in found] for found in (one, other))
    assert told == again
