"""What rollouts write in the place of a sentence."""

import pytest

from tracer.analyses.alternatives import TOLD, alternatives, first_sentence


def test_the_first_sentence_of_a_rollout_is_what_stands_there() -> None:
    """Blanks around it do not count; a rollout that writes nothing has an empty one."""
    assert first_sentence("  One. Two.") == "One."
    assert first_sentence(" ") == ""


def test_equal_replacements_count_together_the_most_frequent_first() -> None:
    """Three rollouts say B and two of these end in 7; two say A, which is the sentence itself."""
    found = alternatives(
        ["B", "A", "B", "C", "B", "A"], ["7", "7", "5", "none", "7", "7"], [0.1, 1, 0.1, 0, 0.1, 1], "7", 0.8
    )
    assert [(each.text, each.count, each.similar) for each in found] == [
        ("B", 3, False),
        ("C", 1, False),
        ("A", 2, True),
    ]
    assert found[0].share == pytest.approx(2 / 3, abs=1e-6)
    assert found[0].answers == {"7": 2, "5": 1}
    assert (found[2].share, found[2].similarity) == (1, 1)


def test_a_replacement_at_the_threshold_says_the_same() -> None:
    """As in the paper, only what is less alike is another sentence."""
    assert [each.similar for each in alternatives(["A", "B"], ["x", "x"], [0.8, 0.79], "x", 0.8)] == [False, True]


def test_only_the_most_frequent_of_either_side_are_told() -> None:
    """Twenty different and twenty similar ones were written once each."""
    texts = [f"S{k}" for k in range(40)]
    found = alternatives(texts, ["x"] * 40, [0.0] * 20 + [1.0] * 20, "x", 0.8)
    assert len(found) == 2 * TOLD
    assert sum(each.similar for each in found) == TOLD


def test_without_rollouts_there_is_nothing_to_tell() -> None:
    """A prefix that got none."""
    assert alternatives([], [], [], "x", 0.8) == ()
