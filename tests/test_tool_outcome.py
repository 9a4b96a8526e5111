"""How a tool call ended: what the log states, then what its text gives away."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.collectors.tool_outcome import ToolOutcome, from_text, tool_outcome

PAGE = "The museum shows whales of every kind, and the sea that they live in. " * 60


@pytest.mark.parametrize(
    ("text", "status", "rule"),
    [
        ("", "empty", "text: blank"),
        (" \n\t", "empty", "text: blank"),
        ("42", "ok", "text"),
        ("exitcode: 0 (execution succeeded)\nCode output: 42", "ok", "text: exit code 0"),
        ("exitcode: 0 (execution succeeded)\nCode output: \n", "empty", "text: exit code 0 without output"),
        ("exitcode: 0 (execution succeeded)\nCode output: None", "empty", "text: exit code 0 without output"),
        ("exitcode: 0 (execution succeeded)\nCode output: []\n", "empty", "text: exit code 0 without output"),
        ("exitcode: 1 (execution failed)\nCode output: boom", "error", "text: exit code 1"),
        ("exitcode: -9 (execution failed)", "error", "text: exit code -9"),
        ("exit code: 127\nsh: foo: not found", "error", "text: exit code 127"),
        ("<returncode>2</returncode>\n<output>\nno\n</output>", "error", "text: exit code 2"),
        ("<returncode>0</returncode>\n<output>\n</output>", "empty", "text: exit code 0 without output"),
        ("The script exited with unix exit code: 1. Its output was: x", "error", "text: exit code 1"),
        ("Process exited with code 1", "error", "text: exit code 1"),
        (
            "exitcode: 0 (execution succeeded)\nCode output: Error: no such page",
            "error",
            "text: exit code 0, but the output reports an error",
        ),
        (
            "exitcode: 0 (execution succeeded)\nCode output: HTTP 404 when asked",
            "error",
            "text: exit code 0, but the output reports an error",
        ),
        (
            "exitcode: 0 (execution succeeded)\nCode output: No results found for whale",
            "empty",
            "text: exit code 0, nothing found",
        ),
        ("exitcode: 0 (execution succeeded)\nCode output: Price: None", "empty", "text: exit code 0, nothing found"),
        ('Traceback (most recent call last):\n  File "a.py"\nKeyError: 1', "error", "text: traceback"),
        ("reading\nTraceback (most recent call last):\n  x", "error", "text: traceback"),
        ("Error: disk full", "error", "text: starts as an error"),
        ("ERROR disk full", "error", "text: starts as an error"),
        ("ValueError: no number", "error", "text: starts as an error"),
        ("bash: foo: command not found", "error", "text: starts as an error"),
        ("cat: a.txt: No such file or directory", "error", "text: starts as an error"),
        ("Permission denied", "error", "text: starts as an error"),
        ("404 not found", "error", "text: starts as an error"),
        ("Tool failed", "error", "text: starts as an error"),
        ("done\nKeyError: 'x'", "error", "text: names an exception"),
        ("We got connection refused there", "error", "text: short and names a failure"),
        ("None", "empty", "text: an empty value"),
        ("[ ]", "empty", "text: an empty value"),
        ("{}", "empty", "text: an empty value"),
        ('""', "empty", "text: an empty value"),
        ("No results found.", "empty", "text: an empty value"),
        ("Empty DataFrame\nColumns: []\nIndex: []", "empty", "text: an empty value"),
        ("(no output)", "empty", "text: an empty value"),
        ("I searched: no results were found for whales", "empty", "text: nothing found"),
        ("The call returned no data, sorry", "empty", "text: nothing found"),
        ("Founding year: None", "empty", "text: nothing found"),
        ("whale not found in the log", "empty", "text: nothing found"),
    ],
)
def test_the_text_gives_it_away(text: str, status: str, rule: str) -> None:
    """The first rule that fires wins, and says that it did."""
    assert from_text(text) == (status, rule)


@pytest.mark.parametrize(
    "text",
    [
        "The error rate fell to 3 percent",
        "There was no error in it",
        "0 errors, 12 warnings",
        "404 whales were seen",
        "The exit code of the programme was changed",
        "Nonesuch is a record label",
        "[1, 2]",
        "0",
        "False",
        "He failed the exam",
    ],
)
def test_a_text_that_only_talks_of_such_things_is_ok(text: str) -> None:
    """ "ok" by the text means no more than that nothing spoke against it."""
    assert from_text(text) == ("ok", "text")


@pytest.mark.parametrize(
    "words",
    [
        "Error 404 was a famous film.",
        "KeyError: a novel.",
        "No results found for the prize.",
        "Traceback (most recent call last): a poem.",
    ],
)
def test_a_long_page_that_quotes_an_error_is_none(words: str) -> None:
    """On 4,000 characters a phrase in the middle is content, on its own it is the outcome."""
    assert from_text(f"{PAGE}\n{words}\n{PAGE}").status == "ok"
    assert from_text(words).status != "ok"


def test_a_crash_that_a_runtime_appended_counts_on_any_page() -> None:
    """A traceback announced as an error is no quotation."""
    crash = "Error while running:\nTraceback (most recent call last):\n  x\n"
    assert from_text(f"{PAGE}\n{crash}") == ("error", "text: traceback")


@pytest.mark.parametrize(
    ("stated", "content", "expected"),
    [
        ({"status": "error"}, "42", ("error", "status: error")),
        ({"status": "STATUS_CODE_ERROR"}, "42", ("error", "status: status_code_error")),
        ({"status": "timeout"}, "", ("error", "status: timeout")),
        ({"is_error": True}, "42", ("error", "is_error")),
        ({"error_type": "KeyError"}, "42", ("error", "error.type: KeyError")),
        ({"exit_code": 3}, "42", ("error", "exit code 3")),
        ({"exit_code": 0}, "Error: x", ("ok", "exit code 0")),
        ({"status": "ok"}, "Error: x", ("ok", "status: ok")),
        ({"is_error": False}, "Error: x", ("ok", "is_error")),
        ({"status": "ok"}, "", ("empty", "text: blank")),
        ({"exit_code": 0}, "[]", ("empty", "text: an empty value")),
        ({"status": "ok", "is_error": True}, "42", ("error", "is_error")),
        ({"status": "whatever"}, "42", ("ok", "text")),
        ({"status": "unset"}, "Error: x", ("error", "text: starts as an error")),
        ({}, "Error: x", ("error", "text: starts as an error")),
    ],
)
def test_what_the_log_states_goes_before_the_text(
    stated: dict[str, object], content: str, expected: tuple[str, str]
) -> None:
    """A stated error stands; a stated success still may have brought nothing; an unknown status states nothing."""
    assert tool_outcome(content, **stated) == expected  # type: ignore[arg-type]


@given(st.text(max_size=200))
def test_any_text_has_an_outcome_and_a_rule(text: str) -> None:
    """Never a doubt, never a crash."""
    found = from_text(text)
    assert isinstance(found, ToolOutcome)
    assert found.status in {"ok", "error", "empty"}
    assert found.rule.startswith("text")


@pytest.mark.parametrize(
    "text", ["x" * 2_000_000, "\n" * 2_000_000, "no " * 500_000, "Error " * 300_000, "{" * 500_000, "a.B" * 300_000]
)
def test_huge_results_are_judged_quickly(text: str) -> None:
    """Two megabytes take less than a second."""
    began = time.process_time()
    from_text(text)
    assert time.process_time() - began < 1
