"""Fields: what a text fills in."""

import time

import pytest

from tracer.analyses.fields import fields


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"order": 17, "due_date": null, "lines": [{"sku": "a"}]}', {"order", "due date", "lines", "sku"}),
        ("Here is the form: {'order': 17, 'Currency': 'EUR'}", {"order", "currency"}),
        ("Order: 17\n- **Due date:** 3 May\n* note = fragile", {"order", "due date", "note"}),
        ("order: 17, currency: EUR; note: gift", {"order", "currency", "note"}),
        ("call f(order=17, currency='EUR')", {"order", "currency"}),
        ("Currency:\n", set()),
        ("It is as I said before. Nothing to add", set()),
        ("see https://example.com/a and a == b", set()),
        ("", set()),
    ],
)
def test_fields_are_found_in_json_and_in_prose(text: str, expected: set[str]) -> None:
    """In lower case; a name without a value is none."""
    assert fields(text) == expected


def test_a_table_has_no_end_of_fields() -> None:
    """64 at most, so that a page of data does not fill the memory."""
    assert len(fields("\n".join(f"name{number}: 1" for number in range(1000)))) == 64


HOSTILE = ("a " * 50_000, "\n" + " " * 100_000, '"' * 100_000, ("(" + "_" * 9) * 10_000, "a=" * 50_000)


@pytest.mark.parametrize("text", HOSTILE, ids=range(5))
def test_a_hostile_text_takes_no_time(text: str) -> None:
    """No pattern backtracks for long."""
    began = time.process_time()
    fields(text)
    assert time.process_time() - began < 0.5
