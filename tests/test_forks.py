"""Which text goes on from which, worked out by hand."""

import itertools

from tracer.analyses.forks import WHOLE, Fork, forks


def test_of_those_that_begin_alike_one_is_read_and_the_others_fork_from_it() -> None:
    """{2} and {2, 4} are the same up to part 4; {1} shares nothing with them but what stands before part 1."""
    one, two, both = frozenset({1}), frozenset({2}), frozenset({2, 4})
    assert forks([one, two, both]) == [Fork(one, WHOLE, 1, 1), Fork(two, WHOLE, 2, 1), Fork(both, two, 4, 2)]


def test_leaving_one_out_forks_from_the_whole_text() -> None:
    """Each of them has a first part of its own that it lacks."""
    found = forks([frozenset({part}) for part in range(5)])
    assert [(fork.origin, fork.part, fork.generation) for fork in found] == [(WHOLE, part, 1) for part in range(5)]


def test_every_text_is_the_same_as_its_origin_up_to_the_part_and_comes_after_it() -> None:
    """All subsets of six parts: each once, its origin read before; in all as many parts as a tree of them has nodes.

    Each of the 2^k beginnings of k parts is one node, and half of them keep part k: 1 + 2 + 4 + ... + 32 = 63 parts,
    of which the whole text is 6.
    """
    subsets = [frozenset(each) for size in range(1, 7) for each in itertools.combinations(range(6), size)]
    found = forks(subsets)
    read, seen = 0, {WHOLE}
    for choice, origin, part, _ in found:
        assert origin in seen
        assert {each for each in choice if each < part} == {each for each in origin if each < part}
        assert (part in choice) != (part in origin)
        seen.add(choice)
        read += sum(each not in choice for each in range(part, 6))
    assert seen == {WHOLE, *subsets}
    assert len(found) == len(subsets)
    assert read == 63 - 6
