"""Signatures: equal failures look equal, different ones do not."""

import time

import pytest

from tracer.analyses.signatures import ALIKE, alike, signature


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Error: no customer for order 4711", "Error: no customer for order #"),
        ('{"error": {"message": "order A-17 not found"}}', "order <id> not found"),
        ('{"detail": "timeout after 30.5 s", "status": 504}', "timeout after # s"),
        (
            'Traceback (most recent call last):\n  File "/srv/app/m.py", line 3, in f\nValueError: bad date 2024-01-02',
            "ValueError: bad date #-#-#",
        ),
        ("GET https://api.example.com/v1/x?id=3 failed: 503", "GET <url> failed: #"),
        ("No such file: /var/data/run7/out.csv", "No such file: <path>"),
        ("Could not reach ana@example.com", "Could not reach <address>"),
        ("KeyError: 'currency'", "KeyError: …"),
        (
            "Error code: 400 - {'error': {'message': 'It was filtered', 'type': None}}",
            "Error code: # - It was filtered",
        ),
        ("\n\n first words\nand more", "first words"),
        ("  \n ", ""),
        ("{not json", "{not json"),
        ('{"error": 7}', "{…: #}"),
    ],
)
def test_what_varies_is_made_alike(text: str, expected: str) -> None:
    """Numbers, names, places; the line that tells of the failure is the one that is kept."""
    assert signature(text) == expected


def test_a_signature_is_short() -> None:
    """Whatever the text is like, and however long it takes to say it."""
    assert len(signature("Error: " + "word " * 10_000)) <= 90


HOSTILE = ("/a" * 50_000, "'" * 100_000, "a-" * 50_000, "x@" * 50_000, "{" * 100_000, "1." * 50_000)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:2])
def test_a_hostile_text_takes_no_time(text: str) -> None:
    """No pattern backtracks for long."""
    began = time.process_time()
    signature(text)
    assert time.process_time() - began < 0.5


def test_likeness_counts_words() -> None:
    """Dice by hand: 4 words in common of 5 and 5; nothing in common; one empty."""
    assert alike("no customer for order #", "no client for order #") == pytest.approx(0.8)
    assert alike("no customer for order #", "no client for order #") >= ALIKE
    assert alike("timeout", "permission denied") == 0
    assert (alike("", ""), alike("", "x")) == (1, 0)
