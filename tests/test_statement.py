"""A step, what its speaker had been told, and what it claims: on a talk written by hand."""

import pytest

from tracer.analyses.statement import TASK, Hearing, statement
from tracer.errors import BadInputError
from tracer.records import Step

STEPS = [
    Step(index=0, agent="North", kind="system", content="Team 7. Notes: Ana: 3."),
    Step(index=1, agent="Planner", kind="message", content="to North: Cal? Ana?"),
    Step(index=2, agent="North", kind="message", content="to Planner: Wait.", reasoning="Let me think."),
    Step(index=3, agent="East", kind="message", content="to Planner: Hal: 4."),
    Step(index=4, agent="North", kind="message", content="to Planner: Cal: 8. Ana:\n3.", reasoning="Ana: 3. Cal = 8."),
]


def test_sources_are_what_others_said_to_the_speaker() -> None:
    """Its notes and the planner; neither what East told the planner nor its own step 2."""
    found = statement(STEPS, 4)
    assert found.text == (
        "Notes: to North: Ana: 3.\nPlanner: to North: Cal? Ana?\n"
        "North: <think> Ana: 3. Cal = 8. </think> to Planner: Cal: 8. Ana: 3.\n"
    )
    assert [source.step for source in found.sources] == [0, 1]
    assert [found.words(span) for span in found.sources[1].sentences] == ["Cal?", "Ana?"]
    assert [found.words(span) for span in found.thought] == ["Ana: 3.", "Cal = 8."]
    assert [found.words(span) for span in found.claims] == ["Cal: 8.", "Ana: 3."]


def test_a_public_talk_and_its_own_words_are_heard_where_asked_for() -> None:
    assert [each.step for each in statement(STEPS, 4, Hearing(public=True)).sources] == [0, 1, 3]
    assert [each.step for each in statement(STEPS, 4, Hearing(own=True)).sources] == [0, 1, 2]


def test_a_span_is_found_whatever_white_space_it_is_written_with() -> None:
    """Also in the thought, which then is no thought of its own any more."""
    found = statement(STEPS, 4, span="Ana:  3.")
    assert [found.words(span) for span in found.claims] == ["Ana: 3."]
    assert len(found.thought) == 2 - (found.claims[0] in found.thought)
    with pytest.raises(BadInputError, match="step 4 does not say 'no such'"):
        statement(STEPS, 4, span="no\nsuch")


def test_sentences_can_be_the_sources() -> None:
    found = statement(STEPS, 4, unit="sentence")
    assert [(each.step, found.words((each.start, each.end))) for each in found.sources] == [
        (0, "Ana: 3."),
        (1, "Cal?"),
        (1, "Ana?"),
    ]


def test_what_cannot_have_sources_says_so() -> None:
    """A system message was given; the first step has nothing before it, unless the log has a task."""
    with pytest.raises(BadInputError, match="system message"):
        statement(STEPS, 0)
    with pytest.raises(BadInputError, match="step 1 has no earlier step"):
        statement(STEPS, 1)
    assert [each.step for each in statement(STEPS, 1, task="Find Cal.").sources] == [TASK]


def test_who_heard_nobody_has_its_own_earlier_steps() -> None:
    steps = [Step(index=k, agent="a", kind="message", content=f"to b: x{k}.") for k in range(3)]
    assert [each.step for each in statement(steps, 2).sources] == [0, 1]
