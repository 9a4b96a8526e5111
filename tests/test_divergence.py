"""Where two runs part: steps aligned, words compared, and both bounded whatever the runs hold."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.analyses import divergence as method
from tracer.analyses.divergence import diverge
from tracer.analyses.matching import heaviest
from tracer.analyses.word_changes import changed_words
from tracer.divergence import said
from tracer.records import Step


def run(*told: str) -> list[Step]:
    """Each step as "agent: text", or as "agent kind: text"."""
    steps = []
    for index, line in enumerate(told):
        who, _, text = line.partition(": ")
        agent, _, kind = who.partition(" ")
        steps.append(Step.model_validate({"index": index, "agent": agent, "kind": kind or "message", "content": text}))
    return steps


def places(left: Sequence[Step], right: Sequence[Step]) -> list[tuple[int | None, int | None, str]]:
    return [(row.left, row.right, row.how) for row in diverge(left, right).rows]


def test_equal_runs_never_part() -> None:
    """White space does not count."""
    found = diverge(run("a: one", "b: two  words"), run("a: one", "b: two\nwords "))
    assert found.first is None
    assert [row.how for row in found.rows] == ["same", "same"]


def test_the_first_step_that_says_something_else_is_where_they_part() -> None:
    """The changed step stands beside its counterpart, and the words that differ are given on both sides."""
    left = run("user: How many?", "reader: I saw 4711 whales.", "writer: The answer is 4711.")
    right = run("user: How many?", "reader: I saw 12 whales.", "writer: The answer is 12.")
    found = diverge(left, right)
    assert found.first == 1
    assert places(left, right) == [(0, 0, "same"), (1, 1, "changed"), (2, 2, "changed")]
    row = found.rows[1]
    assert [said(left[1])[slice(*words)] for words in row.left_words] == ["4711"]
    assert [said(right[1])[slice(*words)] for words in row.right_words] == ["12"]


def test_a_step_that_only_one_run_has_stands_alone() -> None:
    """And what follows is aligned again."""
    left = run("user: Go.", "checker: Is that right?", "writer: Done.")
    right = run("user: Go.", "writer: Done.")
    assert places(left, right) == [(0, 0, "same"), (1, None, "left"), (2, 1, "same")]
    assert places(right, left) == [(0, 0, "same"), (None, 1, "right"), (1, 2, "same")]


def test_of_several_steps_of_an_agent_the_most_alike_are_matched() -> None:
    """Not merely the next one."""
    left = run("a: start", "coder: import csv and read the orders table")
    right = run("a: start", "coder: hello there", "coder: import csv and read the shipments table")
    assert places(left, right) == [(0, 0, "same"), (None, 1, "right"), (1, 2, "changed")]


def test_another_kind_of_step_is_a_change_and_another_agent_is_none() -> None:
    """The same agent answers instead of calling a tool; a stranger's step is never beside it."""
    assert places(run("a tool_call: look up"), run("a: no need")) == [(0, 0, "changed")]
    assert places(run("a: same words"), run("b: same words")) == [(0, None, "left"), (None, 0, "right")]


def test_how_a_tool_ended_counts() -> None:
    """The same text as a failure is not the same."""
    [step] = run("shell tool_result: done")
    left, right = (step.model_copy(update={"tool_status": status}) for status in ("ok", "error"))
    assert places([left], [right]) == [(0, 0, "changed")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 2026-01-05 09:00:01 it began", "at 2026-02-07T11:10:59.123Z it began"),
        ("id 123e4567-e89b-42d3-a456-426614174000", "id 00000000-e89b-42d3-a456-426614174000"),
        ("answers call_a1b2c3d4e5", "answers call_99z8y7x6w5"),
        ("digest 0123456789abcdef0123", "digest fedcba98765432100000"),
    ],
)
def test_times_and_identifiers_do_not_part_two_runs(one: str, other: str) -> None:
    """They differ in every two runs; what differs is marked all the same."""
    found = diverge(run(f"a: {one}"), run(f"a: {other}"))
    assert found.first is None
    assert found.rows[0].left_words
    assert found.rows[0].right_words


def test_a_functions_name_is_no_identifier() -> None:
    """Only what holds a digit is one."""
    assert diverge(run("a: call_weather_service"), run("a: call_traffic_service")).first == 0


def test_reasoning_is_compared_where_nothing_was_said() -> None:
    """Else it is not."""
    thoughts = [Step(index=0, agent="a", kind="thought", reasoning=text) for text in ("eight", "nine")]
    assert diverge(thoughts[:1], thoughts[1:]).first == 0
    spoken = [step.model_copy(update={"content": "The same."}) for step in thoughts]
    assert diverge(spoken[:1], spoken[1:]).first is None


def test_empty_runs_have_no_rows() -> None:
    """One against nothing is one-sided."""
    assert diverge([], []).rows == ()
    assert places(run("a: x"), []) == [(0, None, "left")]


lines = st.lists(st.sampled_from(["a: one two three", "a: one two four", "b: five", "a tool_call: one", "c: "]))


@given(lines, lines)
def test_every_step_stands_in_exactly_one_row_and_in_order(left: list[str], right: list[str]) -> None:
    """Whatever the runs hold; and seen from the other side, the same rows are the same."""
    found = diverge(run(*left), run(*right))
    assert [row.left for row in found.rows if row.left is not None] == list(range(len(left)))
    assert [row.right for row in found.rows if row.right is not None] == list(range(len(right)))
    assert (found.first is None) == (left == right)


@given(lines, lines)
def test_runs_that_are_cut_for_their_length_keep_every_step(left: list[str], right: list[str]) -> None:
    """With room for six pairs of steps at a time."""
    room, method.CELLS = method.CELLS, 6  # type: ignore[misc]
    try:
        found = diverge(run(*left), run(*right))
    finally:
        method.CELLS = room  # type: ignore[misc]
    assert [row.left for row in found.rows if row.left is not None] == list(range(len(left)))
    assert [row.right for row in found.rows if row.right is not None] == list(range(len(right)))


def test_the_heaviest_matching_is_found() -> None:
    """By hand: 3 + 3 beats 5 alone; a zero is never matched."""
    assert heaviest(np.array([[3, 5], [0, 3]], dtype=np.float32)) == [(0, 0), (1, 1)]
    assert heaviest(np.array([[3, 7], [0, 3]], dtype=np.float32)) == [(0, 1)]
    assert heaviest(np.zeros((2, 2), dtype=np.float32)) == []


@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 3), max_size=7))
def test_with_scores_of_one_it_is_the_longest_common_subsequence(one: list[int], other: list[int]) -> None:
    """Against the textbook recursion."""

    def longest(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        if one[i] == other[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    scores = np.array([[a == b for b in other] for a in one], dtype=np.float32).reshape(len(one), len(other))
    pairs = heaviest(scores)
    assert len(pairs) == longest(0, 0)
    assert all(one[i] == other[j] for i, j in pairs)


def words(text: str, slices: Sequence[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in slices]


@pytest.mark.parametrize(
    ("left", "right", "gone", "come"),
    [
        ("grew by 14.2 %.", "grew by 8.3 %.", ["14.2"], ["8.3"]),
        ("grew by 14.2 %.", "grew by 14.3 %.", ["14.2"], ["14.3"]),
        ("use the old table", "use the table", ["old"], []),
        ("same", "same", [], []),
        ("", "all new", [], ["all new"]),
        ("a b c d", "x y c d", ["a b"], ["x y"]),
        ("🐋 42 whales", "🐋 43 whales", ["42"], ["43"]),
    ],
)
def test_the_words_that_differ_are_whole_words(left: str, right: str, gone: list[str], come: list[str]) -> None:
    """A number with its point is one word; neighbours are one change."""
    found = changed_words(left, right)
    assert (words(left, found.left), words(right, found.right)) == (gone, come)


@given(st.text(alphabet="ab .,1\n", max_size=40), st.text(alphabet="ab .,1\n", max_size=40))
def test_without_the_changes_both_texts_have_the_same_words(left: str, right: str) -> None:
    """So nothing that differs is left unmarked."""
    found = changed_words(left, right)

    def rest(text: str, slices: Sequence[tuple[int, int]]) -> str:
        for start, end in reversed(slices):
            text = text[:start] + text[end:]
        return "".join(text.split())

    assert rest(left, found.left) == rest(right, found.right)


def test_long_runs_and_long_texts_take_seconds_at_most() -> None:
    """10,000 steps that all say the same against as many that part at once; a text of a million letters."""
    many = run("a: x") * 10_000
    began = time.monotonic()
    assert diverge(many, run("a: y", *["a: x"] * 9_990)).first == 0
    mixed = run(*(f"a: {place % 77} {place % 13}" for place in range(3_000)))
    assert diverge(mixed, mixed[::-1]).first == 0
    changed_words("word " * 200_000, "ward " * 200_000)
    assert time.monotonic() - began < 20
