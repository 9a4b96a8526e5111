"""Which answers of a trace are the same answer: classes, each with one spelling that stands for it.

Own rules first (`tracer.quantities`), which are exact; then math-verify, in a worker process, for the formulas whose
values agree. Equality is closed under transitivity, so the classes do not depend on the order of the answers. What
math-verify does not settle in time is held different, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from tracer.judge import Fingerprint, Judge, Leaf, close, installed, shared_judge
from tracer.quantities import Amount, Formula, Number, Several, Value, read
from tracer.units import Unit
from tracer.worker import OverLimitError

NONE = "none"
"""The class of the rollouts that ended without an answer."""
TRUNCATED = "truncated"
"""The class of the rollouts that were cut off before they gave one."""


class Classes(NamedTuple):
    """Answers put into classes."""

    labels: list[str]
    """For each answer the spelling that stands for its class: the most frequent one, the first one among equals."""
    expected: str | None
    """The label of the expected answer's class; its own spelling where nobody gave it."""
    rule: str
    """By which rules: with math-verify or without."""
    undecided: int
    """Formulas and pairs of formulas that took math-verify too long: held different."""


def classes(answers: Sequence[str], expected: str | None = None) -> list[str]:
    """For each answer the spelling that stands for its class; see `grouped`."""
    return grouped(answers, expected).labels


def same(first: str, second: str) -> bool:
    """Whether two answers, taken by themselves, are one."""
    return len(set(classes([first, second]))) == 1


def grouped(
    answers: Sequence[str], expected: str | None = None, *, maths: bool | None = None, judge: Judge | None = None
) -> Classes:
    """Put the answers of one trace (those of all its prefixes) and the expected one into classes.

    A number without a unit is read in the unit that the expected answer has, else in the one that most answers have.
    `none` and `truncated` are classes of their own. `maths`: whether to ask math-verify; by default where it is
    installed (the extra [math]). `judge`: by default the one of this process.
    """
    maths = installed() if maths is None else maths
    spellings = Counter(answers)
    distinct = dict.fromkeys([*spellings, *([] if expected is None else [expected])])
    values = {each: read(each) for each in distinct if each not in {NONE, TRUNCATED}}
    stands, undecided = _equal_leaves(values.values(), (judge or shared_judge()) if maths else None)
    wanted = values.get(expected) if expected is not None else None
    unit = _usual_unit([wanted] if wanted else []) or _usual_unit(values[each] for each in answers if each in values)
    keys: dict[str, object] = {each: each for each in distinct}
    keys |= {each: _key(value, stands, unit) for each, value in values.items()}
    standing = _standing(spellings, keys)
    label = None if expected is None else standing.get(keys[expected], expected)
    rule = "own rules and math-verify" if maths else "own rules; equality of formulas was left out (extra [math])"
    return Classes([standing[keys[each]] for each in answers], label, rule, undecided)


def _standing(spellings: Counter[str], keys: dict[str, object]) -> dict[object, str]:
    """Class -> its most frequent spelling; a Counter keeps the order of coming, and max takes the first."""
    members: dict[object, list[str]] = {}
    for each in spellings:
        members.setdefault(keys[each], []).append(each)
    return {key: max(each, key=spellings.__getitem__) for key, each in members.items()}


def _usual_unit(values: Iterable[Value]) -> Unit | None:
    """The unit of most amounts, the first one among equals."""
    counts = Counter(value.unit for value in values if isinstance(value, Amount))
    return max(counts, key=counts.__getitem__) if counts else None


def _key(value: Value, stands: dict[Leaf, Leaf], unit: Unit | None) -> object:
    """Equal for equal answers. Only a whole answer may lack its unit; the parts of a list are what they are."""
    if isinstance(value, Number | Formula):
        return stands[value] if unit is None else _key(Amount(value, unit), stands, None)
    if isinstance(value, Amount):
        size = stands[value.size]
        if isinstance(size, Number):
            return Amount(Number(size.value * value.unit.factor), Unit(Fraction(1), value.unit.dimension))
        return Amount(size, value.unit)
    if isinstance(value, Several):
        items = [_key(item, stands, None) for item in value.items]
        return (value.brackets, *(sorted(items, key=repr) if value.brackets == "{}" else items))
    return value


def _leaves(value: Value) -> Iterator[Leaf]:
    if isinstance(value, Several):
        for item in value.items:
            yield from _leaves(item)
    elif isinstance(value, Amount):
        yield value.size
    elif isinstance(value, Number | Formula):
        yield value


def _equal_leaves(values: Iterable[Value], judge: Judge | None) -> tuple[dict[Leaf, Leaf], int]:
    """Number or formula -> the one that stands for all its equals (a number, if one does); how many are undecided."""
    leaves = list(dict.fromkeys(leaf for value in values for leaf in _leaves(value)))
    leaves.sort(key=_numbers_first)
    if judge is None or not any(isinstance(leaf, Formula) for leaf in leaves):
        return {leaf: leaf for leaf in leaves}, 0
    prints, undecided = _fingerprints(leaves, judge)
    nodes = {leaf: _settled(leaf, prints) for leaf in leaves}
    groups = {node: [node] for node in nodes.values()}
    for first, second in _candidates({nodes[leaf]: found for leaf, found in prints.items()}):
        if groups[first] is groups[second]:
            continue
        try:
            equal = judge.equal(first, second)
        except OverLimitError:
            equal, undecided = False, undecided + 1
        if equal:
            groups[first].extend(groups[second])
            groups |= dict.fromkeys(groups[second], groups[first])
    return {leaf: min(groups[node], key=_numbers_first) for leaf, node in nodes.items()}, undecided


def _settled(leaf: Leaf, prints: dict[Leaf, Fingerprint]) -> Leaf:
    """A formula that is a rational number, as that number."""
    exact = prints[leaf].exact if leaf in prints else None
    return leaf if exact is None else Number(exact)


def _numbers_first(leaf: Leaf) -> tuple[bool, Leaf]:
    return isinstance(leaf, Formula), leaf


def _fingerprints(leaves: list[Leaf], judge: Judge) -> tuple[dict[Leaf, Fingerprint], int]:
    """Those that can be read, and how many took too long."""
    prints, undecided = {}, 0
    for leaf in leaves:
        try:
            if found := judge.fingerprint(leaf):
                prints[leaf] = found
        except OverLimitError:
            undecided += 1
    return prints, undecided


def _candidates(prints: dict[Leaf, Fingerprint]) -> Iterator[tuple[Leaf, Leaf]]:
    """Pairs that could be equal: of one value, or without a value and of the same symbols."""
    values = [(found.value.real, leaf, found.value) for leaf, found in prints.items() if found.value is not None]
    values.sort(key=lambda each: each[0])
    for k, (low, first, one) in enumerate(values):
        for high, second, other in values[k + 1 :]:
            if not close(low, high):
                break
            if close(one, other) and (isinstance(first, Formula) or isinstance(second, Formula)):
                yield first, second
    others: dict[tuple[str, ...], list[Leaf]] = {}
    for leaf, found in prints.items():
        if found.value is None:
            others.setdefault(found.symbols, []).append(leaf)
    for alike in others.values():
        yield from combinations(alike, 2)
