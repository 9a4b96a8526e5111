"""Reused edges: who told whom what, worked out by hand on runs of a few steps."""

import math
import time

import pytest

from tracer.records import Edge, Step
from tracer.reuse import SPANS_PER_EDGE, first_mentions, reused_edges


def said(*texts: str, agents: str = "abcdefghij") -> list[Step]:
    """Steps by different agents, one for each text."""
    return [Step(index=i, agent=agents[i % 10], kind="message", content=text) for i, text in enumerate(texts)]


def ends(edges: list[Edge]) -> list[tuple[int, int]]:
    """Source and target of each edge."""
    return [(each.source, each.target) for each in edges]


def test_a_value_comes_from_who_told_it_last() -> None:
    """Step 1 repeats what 0 brought, and 2 takes it from 1; the reason says that 0 brought it."""
    found = reused_edges(said("found 417", "took 417", "used 417", "nothing new here"))
    assert ends(found) == [(0, 1), (1, 2)]
    assert found[1].reason == "reuses 417, first said in step 0"
    first = found[0]
    assert (first.origin, first.weight, first.reason) == ("reused", 1.0, "reuses 417")
    assert [(span.start, span.end, span.text) for span in first.source_spans] == [(6, 9, "417")]
    assert [(span.start, span.end, span.text) for span in first.target_spans] == [(5, 8, "417")]


def test_the_weight_is_the_share_of_the_idf_mass() -> None:
    """Two sources: a number in 2 of 4 steps and a rare word in 2 of 4 steps, weights 2 and 1/2 at equal idf."""
    found = reused_edges(said("417", "plankton", "417 plankton", "krill"))
    assert {each.source: each.weight for each in found} == {0: pytest.approx(0.8), 1: pytest.approx(0.2)}


def test_a_rarer_value_weighs_more() -> None:
    """417 stands in 2 of 5 steps, 519 in 3 of 5, last said in step 2: ln(6/3) against ln(6/4)."""
    found = reused_edges(said("417", "519", "519", "417 519", "krill"))
    into = {each.source: each.weight for each in found if each.target == 3}
    rare, common = math.log(6 / 3), math.log(6 / 4)
    assert into == {0: pytest.approx(rare / (rare + common)), 2: pytest.approx(common / (rare + common))}


def test_a_value_in_every_step_carries_nothing() -> None:
    """Its idf is ln 1 = 0."""
    assert reused_edges(said("417", "417", "417")) == []


def test_what_the_task_says_belongs_to_nobody() -> None:
    """Neither the task's values nor those of the opening user and system messages."""
    steps = said("look at 417", "took 417", "and Blue Whale", "the Blue Whale", "krill")
    assert ends(reused_edges(steps, "what is 417?")) == [(2, 3)]
    asked = [steps[0].model_copy(update={"role": "human"}), *steps[1:]]
    assert ends(reused_edges(asked)) == [(2, 3)]


def test_a_user_that_speaks_later_brings_values() -> None:
    """Only what opens the run is the task."""
    steps = said("begin", "it is 417", "so 417", "krill")
    steps[1] = steps[1].model_copy(update={"role": "user", "agent": "user"})
    assert ends(reused_edges(steps)) == [(1, 2)]


def test_arguments_of_a_call_carry_values_too() -> None:
    """The span counts from the start of content, newline, arguments."""
    steps = said("the id is user_417", "I look it up", "krill")
    steps[1] = steps[1].model_copy(update={"arguments": '{"id": "user_417"}'})
    [found] = reused_edges(steps)
    span = found.target_spans[0]
    assert steps[1].spoken[span.start : span.end] == span.text
    assert "user_417" in span.text


def test_light_edges_are_left_out() -> None:
    """A word of 1/2 against fifty numbers of 2 is 0.5 %: below the 5 % that are kept."""
    numbers = " ".join(str(2000 + i) for i in range(50))
    found = reused_edges(said(numbers, "plankton", f"{numbers} plankton", "krill"))
    assert ends(found) == [(0, 2)]
    assert len(found[0].source_spans) == len(found[0].target_spans) == SPANS_PER_EDGE


def test_an_edge_names_its_heaviest_words_and_cuts_long_ones() -> None:
    """Three at most, 40 characters each."""
    quote = '"' + "x y " * 20 + 'z"'
    [found] = reused_edges(said(f"{quote} 417 519 krill", f"krill 519, 417, {quote}", "none"))
    assert found.reason == f"reuses 519, 417, {quote[:39]}…"


def test_first_mentions_belong_to_who_said_a_value_first() -> None:
    """Whoever passed it on; statements and reasoning are not read."""
    steps = said("found 417", "took 417", "used 417", "Jon is 2", "so Jon is 2", "nothing new here")
    assert ends(first_mentions(steps)) == [(0, 1), (0, 2)]


def test_a_digit_counts_with_the_name_it_was_told_of() -> None:
    """2 stands everywhere; that Jon has it was said once, in other words."""
    [found] = reused_edges(said("Jon: 2. Ana: 3.", "2 of us", "so Jon is 2", "krill"))
    assert (found.source, found.target, found.reason) == (0, 2, "reuses Jon is 2")
    assert [span.text for span in found.source_spans] == ["Jon: 2"]


def test_what_an_agent_was_handed_goes_before_what_it_may_have_heard() -> None:
    """0 was given to c, says the log, and 1 said the same to nobody in particular."""
    steps = said("found 417", "has 417", "used 417", "krill", agents="abcabcabca")
    steps[2] = steps[2].model_copy(update={"parents": (0,)})
    assert ends(reused_edges(steps)) == [(0, 1), (0, 2)]


def test_of_what_only_stands_in_the_reasoning_only_what_was_handed_over_counts() -> None:
    """Two agents may work out the same; who was handed it has read it. The words are shown at the source."""
    steps = said("417", "519", "krill", "none", agents="abcabcabca")
    steps[2] = steps[2].model_copy(update={"reasoning": "417 and 519", "parents": (1,)})
    [found] = reused_edges(steps)
    assert (found.source, found.target, found.reason, found.target_spans) == (1, 2, "reuses 519", ())
    assert [span.text for span in found.source_spans] == ["519"]


def test_the_names_of_a_calls_arguments_are_no_values() -> None:
    """`query_text` stands in all three calls, because the tool asks for it; as a word it would be reused."""
    calls = [
        Step(index=k, agent=agent, kind="tool_call", tool="find", arguments=f'{{"query_text": "{words}"}}')
        for k, (agent, words) in enumerate((("a", "whales"), ("b", "plankton"), ("c", "krill")))
    ]
    steps = [*calls, Step(index=3, agent="d", kind="message", content="none")]
    assert reused_edges(steps) == []
    assert ends(first_mentions(steps)) == [(0, 1), (0, 2)]


def test_a_value_said_by_all_of_a_long_run_costs_no_more_than_once() -> None:
    """3,000 steps of 300 agents, each saying what 299 others said; and one that says nothing, so that it counts."""
    steps = [Step(index=k, agent=f"agent {k % 300}", kind="message", content="417") for k in range(3000)]
    began = time.process_time()
    found = reused_edges([*steps, *said("krill")])
    assert time.process_time() - began < 3
    assert len(found) == 2999


def test_a_call_that_is_made_again_takes_nothing() -> None:
    """The same words to the same tool; with others it takes 417 from b, which said it last."""
    call = Step(index=0, agent="a", kind="tool_call", tool="t", arguments='{"id": 417}')
    between = said("", "417", "", "krill")[1]
    rest = [Step(index=3, agent="c", kind="message", content="krill")]
    again, other = (call.model_copy(update={"index": 2, "arguments": each}) for each in (call.arguments, '{"n": 417}'))
    assert ends(reused_edges([call, between, again, *rest])) == [(0, 1)]
    assert ends(reused_edges([call, between, other, *rest])) == [(0, 1), (1, 2)]
