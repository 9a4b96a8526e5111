"""Texts with parts left out, in an order in which each goes on from one that was read before it.

    {}       the whole      1 2 3 4
    {2}      forks at 2     1 . 3 4      goes on from {}
    {2, 4}   forks at 4     1 . 3 .      goes on from {2}, which was read to its end

Two texts are the same up to the first part that one of them has and the other has not. Put into a tree by that, no part
is read twice in the same company: of all that begin alike, the first is read whole, and the others fork from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Choice = frozenset[int]
"""The parts that are left out."""
WHOLE: Choice = frozenset()


class Fork(NamedTuple):
    """A text that goes on from another one."""

    choice: Choice
    origin: Choice
    part: int
    """The first part in which they differ."""
    generation: int
    """1 where the origin is the whole text; its own are 2."""


def forks(choices: Sequence[Choice]) -> list[Fork]:
    """Different choices, the whole text not among them, those that others go on from before these."""
    return sorted(_forks(choices), key=lambda fork: fork.generation)


def _forks(choices: Sequence[Choice]) -> Iterator[Fork]:
    waiting = [(WHOLE, list(choices), 1)]
    while waiting:
        origin, others, generation = waiting.pop()
        alike: dict[int, list[Choice]] = defaultdict(list)
        for choice in others:
            alike[min(choice ^ origin)].append(choice)
        for part, (first, *rest) in alike.items():
            yield Fork(first, origin, part, generation)
            waiting.append((first, rest, generation + 1))
