"""What our export added is given back, and nonsense in its place changes nothing."""

from typing import Any

import pytest

from tracer.collectors.atif_own import restored
from tracer.records import Step

STEPS = (Step(index=0, agent="user", kind="message"), Step(index=1, agent="lead", kind="message", content="read"))


def document(*own: Any) -> dict[str, Any]:
    plain = {"agent": "a", "kind": "message"}
    added = [plain | each if isinstance(each, dict) else each for each in own]
    return {"steps": [{"source": "agent", "message": "said", "extra": {"tracer": each}} for each in added]}


def test_the_additions_are_given_back_in_their_own_order() -> None:
    """The words come from the standard part, as they are."""
    first, second = restored(document({"index": 1, "agent": "b", "parents": [0]}, {"index": 0, "agent": "a"}), STEPS)
    assert (first.index, first.agent, first.content) == (0, "a", "said")
    assert (second.index, second.agent, second.parents) == (1, "b", (0,))


@pytest.mark.parametrize(
    "own",
    [
        ({}, {"index": 0}),
        ({"index": 0}, {"index": 0}),
        ({"index": 0}, {"index": 5}),
        ({"index": 0, "parents": [1]}, {"index": 1}),
        ({"index": 0, "kind": "hologram"}, {"index": 1}),
        ({"index": "x"}, {"index": 1}),
        ({"index": 0}, "tracer"),
        ({"index": 0},),
    ],
)
def test_what_does_not_fit_leaves_the_steps_as_they_were_read(own: tuple[Any, ...]) -> None:
    """A gap, a parent that comes later, an unknown kind: foreign text."""
    assert restored(document(*own), STEPS) == STEPS


def test_keys_that_are_no_fields_are_ignored() -> None:
    """An export of a later version."""
    own = [{"index": 0, "aura": "blue", "pointer": {"file": "/etc/passwd"}}, {"index": 1}]
    assert [step.pointer for step in restored(document(*own), STEPS)] == [None, None]
