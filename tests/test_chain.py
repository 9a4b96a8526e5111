"""A chain of thought taken from a run: its prompt, its text, what opened it."""

import pytest

from tracer.chain import Chain, of_step
from tracer.errors import BadInputError
from tracer.records import Run, Step

RUN = Run(id="0123456789ab", content_hash="0" * 64, source="x", format="chat", task="the task")


def step(index: int, agent: str, content: str = "", **more: object) -> Step:
    """One step."""
    return Step.model_validate({"index": index, "agent": agent, "kind": "message", "content": content, **more})


def thinking(index: int, text: str, origin: str = "reasoning_content") -> Step:
    """A step with reasoning."""
    return step(index, "solver", reasoning=text, reasoning_state="present", reasoning_origin=origin)


def test_the_prompt_is_the_last_word_of_somebody_else() -> None:
    """What the agent itself said before is not what it was asked."""
    steps = [
        step(0, "user", "first"),
        step(1, "user", "How many?"),
        step(2, "solver", "Hm"),
        thinking(3, "Two. Three."),
    ]
    found = of_step(RUN, steps, 3)
    assert found == Chain("How many?", "Two. Three.", "0123456789ab:3")
    assert found.whole == "How many?\nTwo. Three."
    assert found.whole[found.start :] == "Two. Three."


def test_without_a_prompt_the_task_stands_there() -> None:
    """A run may begin with the thinking."""
    assert of_step(RUN, [thinking(0, "So.")]).prompt == "the task"


def test_a_think_tag_is_put_back() -> None:
    """The model was trained with the tag, so it must read it; blanks at the end of the thought are left out."""
    found = of_step(RUN, [step(0, "user", "Q\n"), thinking(1, " So.  ", "<think>")])
    assert found.whole == "Q\n<think> So."
    assert found.text == " So."


def test_without_an_index_the_last_readable_thought_is_taken() -> None:
    """A later step without reasoning does not count."""
    steps = [thinking(0, "One."), thinking(1, "Two."), step(2, "solver", "Done")]
    assert of_step(RUN, steps).source == "0123456789ab:1"


@pytest.mark.parametrize(
    ("steps", "index", "words"),
    [
        ([step(0, "a", "x")], 0, "it holds no reasoning; steps with reasoning: none"),
        ([step(0, "a", "x"), thinking(1, "y")], 0, "steps with reasoning: 1"),
        ([step(0, "a", reasoning_state="unreadable")], 0, "sealed by the provider"),
        ([step(0, "a", reasoning_state="unreadable")], None, "sealed by the provider"),
        ([step(0, "a", "x")], None, "no step of it holds reasoning"),
        ([step(0, "a", "x")], 7, "has no step 7: its last is 0"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(steps: list[Step], index: int | None, words: str) -> None:
    """Nothing is attributed on empty text."""
    with pytest.raises(BadInputError, match=words) as caught:
        of_step(RUN, steps, index)
    assert "\n" not in str(caught.value)


def test_two_chains_with_the_same_letters_differ_by_where_the_thought_begins() -> None:
    """The digest is the key under which an answer is kept."""
    assert Chain("a ", "b", "x").digest != Chain("", "a b", "x").digest
    assert Chain("a ", "b", "x").digest == Chain("a ", "b", "y").digest
