"""smolagents' memory: calls and observations in text, joined to what the run knows; broken ones stay text."""

from tracer.collectors.message import Message
from tracer.collectors.smol_memory import CALL, RESPONSE, remembered

CALLS = (
    "Calling tools:\n[{'id': 'c1', 'type': 'function', 'function': {'name': 'price', 'arguments': {'item': 'desk'}}}]"
)


def test_a_call_goes_with_the_words_before_it_and_its_answer_names_it() -> None:
    """The words, the call and the observation are two messages in all."""
    told = [Message("assistant", "I look."), Message(CALL, CALLS), Message(RESPONSE, "Observation:\n[]")]
    spoken, answered = remembered(told)
    assert (spoken.text, spoken.calls[0].id, spoken.calls[0].arguments) == ("I look.", "c1", '{"item":"desk"}')
    assert (answered.results[0].id, answered.results[0].content, answered.results[0].status) == ("c1", "[]", "empty")


def test_an_error_is_the_calls_too() -> None:
    """smolagents may put the call's id before it."""
    _, answered = remembered([Message(CALL, CALLS), Message(RESPONSE, "Call id: c9\nError:\nno such item")])
    assert (answered.results[0].id, answered.results[0].status) == ("c9", "error")


def test_what_cannot_be_read_stays_a_text() -> None:
    """A list that is cut off or hostile, a response of another form, and every other role."""
    told = [
        Message(CALL, CALLS[:40]),
        Message(CALL, "Calling tools:\n" + "[" * 5_000),
        Message(CALL, "Calling tools:\n[1, {'function': 2}]"),
        Message(RESPONSE, "Well."),
        Message("user", CALLS),
    ]
    assert remembered(told) == told


def test_an_answer_to_nothing_is_an_answer_all_the_same() -> None:
    """A history may have been trimmed before it."""
    (answered,) = remembered([Message(RESPONSE, "Observation:\n5988.00")])
    assert (answered.results[0].content, answered.results[0].id) == ("5988.00", None)
