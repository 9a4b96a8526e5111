"""Cutting long steps: what stays, how much, and who gets how much room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.analyses.excerpts import AROUND, excerpt, reused, shares, tokens
from tracer.records import Edge, TextSpan


def test_a_text_that_fits_is_whole() -> None:
    assert excerpt(10, 10) == (((0, 10),), 0)
    assert excerpt(0, 10) == ((), 0)


def test_without_spans_the_beginning_and_the_end_stay() -> None:
    """Two thirds and one third of 90."""
    assert excerpt(1000, 90) == (((0, 60), (970, 1000)), 910)


def test_reused_spans_stay_with_what_is_around_them_heaviest_first() -> None:
    """Room 600: ends take 300 (200 and 100), the first span 5 + 160; the second would be too much."""
    found = excerpt(10_000, 600, [(5000, 5005), (7000, 7200)])
    assert found.parts == ((0, 200), (5000 - AROUND, 5005 + AROUND), (9900, 10_000))
    assert found.cut == 10_000 - 465


def test_spans_beside_each_other_share_their_surroundings() -> None:
    found = excerpt(10_000, 800, [(5000, 5005), (5050, 5060)])
    assert found.parts[1] == (5000 - AROUND, 5060 + AROUND)


@given(st.integers(0, 3000), st.integers(0, 2000), st.lists(st.tuples(st.integers(0, 2999), st.integers(0, 60))))
def test_an_excerpt_never_exceeds_its_room_and_loses_no_count(
    length: int, room: int, wanted: list[tuple[int, int]]
) -> None:
    spans = [(start, min(length, start + size)) for start, size in wanted if start < length]
    found = excerpt(length, room, spans)
    kept = sum(high - low for low, high in found.parts)
    assert kept + found.cut == length
    assert kept <= max(room, 0)
    assert all(low < high for low, high in found.parts)
    assert all(before[1] < after[0] for before, after in zip(found.parts, found.parts[1:], strict=False))


def test_room_that_small_steps_leave_goes_to_the_long_ones() -> None:
    """100 for 10, 1000 and 1000: 10, 45, 45; with three times the weight the second gets three times as much."""
    assert shares([10, 1000, 1000], [1, 1, 1], 100) == pytest.approx([10, 45, 45])
    assert shares([10, 1000, 1000], [1, 3, 1], 90) == pytest.approx([10, 60, 20])
    assert shares([10, 20], [1, 1], 100) == [10, 20]
    assert shares([10, 20], [1, 1], -5) == [0, 0]
    assert shares([], [], 100) == []


def test_tokens_are_estimated_on_the_high_side() -> None:
    """Three plain characters, or one other, to a token."""
    assert tokens("abcabc") == 2
    assert tokens("東京") == 2
    assert tokens("") == 0


def test_the_spans_of_a_step_are_those_of_its_edges_heaviest_first() -> None:
    def edge(source: int, target: int, weight: float, start: int) -> Edge:
        spans = (TextSpan(start=start, end=start + 2, text="xx"),)
        return Edge(
            source=source,
            target=target,
            origin="reused",
            weight=weight,
            reason="",
            source_spans=spans,
            target_spans=spans,
        )

    edges = [edge(0, 1, 0.2, 10), edge(1, 2, 0.9, 20), edge(0, 2, 1.0, 30)]
    assert reused(edges, 1) == [(20, 22), (10, 12)]
