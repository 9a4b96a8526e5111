"""A message as `str()` gives it: its fields are read as literals, and nothing in them is run."""

import pytest

from tracer.collectors import langchain_text


def test_fields_are_told_apart_outside_of_quotes_and_brackets() -> None:
    """A value that holds `name=value` is one value; what is no literal stays a text."""
    shown = "content='a b=1' when=datetime.date(2026, 1, 5) calls=[{'args': {'q': 'c=2'}}] name='it\\'s'"
    assert langchain_text.fields(shown) == {
        "content": "a b=1",
        "when": "datetime.date(2026, 1, 5)",
        "calls": [{"args": {"q": "c=2"}}],
        "name": "it's",
    }


@pytest.mark.parametrize(
    "text",
    [
        "content=",
        "content='a",
        "content=('a'",
        "content='a'",
        "content=__import__('os')",
        "content=" + "a=1 " * 100_000,
    ],
)
def test_a_text_that_only_begins_like_a_message_stays_a_text(text: str) -> None:
    """It takes two fields, closed quotes, and no more fields than a message has."""
    assert langchain_text.fields(text) is None
