"""Where an object or a list of them should be, anything may stand."""

from typing import Any

import pytest

from tracer.collectors.fields import mapping, objects


@pytest.mark.parametrize(("value", "found"), [({"a": 1}, {"a": 1}), (None, {}), ([], {}), ("a", {}), (3, {})])
def test_anything_but_an_object_is_an_empty_one(value: Any, found: dict[str, Any]) -> None:
    """So that a reader may ask it for a key."""
    assert mapping(value) == found


@pytest.mark.parametrize(("value", "found"), [([{"a": 1}, 2], [{"a": 1}]), (None, []), ({"a": 1}, []), ("ab", [])])
def test_only_the_objects_of_a_list_count(value: Any, found: list[Any]) -> None:
    """So that a reader may walk it."""
    assert objects(value) == found
