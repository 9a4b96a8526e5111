"""Fields of a log that may hold anything: what is of another type counts as empty."""

from typing import Any

import pytest

from tracer.collectors.fields import items, mapping, objects

ODD = (None, "text", 3, True, ("a",))


@pytest.mark.parametrize("value", ODD)
def test_what_is_neither_an_object_nor_a_list_counts_as_empty(value: Any) -> None:
    """A text is no list of letters, and a tuple is nothing that JSON knows."""
    assert (mapping(value), items(value), objects(value)) == ({}, [], [])


def test_an_object_and_a_list_come_back_as_they_are() -> None:
    """Not copied: a log may be large."""
    held: dict[str, Any] = {"a": 1}
    listed = [held, 2]
    assert mapping(held) is held
    assert items(listed) is listed


def test_objects_leaves_out_what_is_none() -> None:
    """Their order stays."""
    assert objects([{"a": 1}, 2, "x", [{}], {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert mapping([{"a": 1}]) == {}
    assert items({"a": 1}) == []
