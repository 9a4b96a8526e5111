"""Problems of the pocket world: a few facts about people's numbers, a question, and rumours that are wrong.

    Q: Jon: Ivy -1. Hal: 1. Ivy: Ana +5. They say Hal is 3. Ana: Hal +5. Cal: Ana plus Hal. What is Cal?

Facts that lead to the answer stand among others that do not, in any order. Sometimes a person has two facts that agree:
then there are two ways to the answer.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from tracer.data.world_words import LARGEST, NAMES


class Fact(NamedTuple):
    """What the problem tells of one person: a number, a step from another person, or the sum of two."""

    subject: str
    value: int
    """The person's true number; of a rumour, what it claims."""
    operands: tuple[str, ...] = ()
    step: str = ""
    """"+5" or "-1"; empty for a number and for a sum."""
    rumor: bool = False

    @property
    def text(self) -> str:
        """The sentence in the prompt."""
        if self.rumor:
            return f"They say {self.subject} is {self.value}."
        return f"{self.subject}: {self.content}."

    @property
    def content(self) -> str:
        """What stands behind the colon."""
        if not self.operands:
            return str(self.value)
        return f"{self.operands[0]} {self.step}" if self.step else " plus ".join(self.operands)


class Problem(NamedTuple):
    """A question with one answer."""

    seed: int
    facts: tuple[Fact, ...]
    """In the order of the prompt, rumours among them."""
    target: str

    @property
    def question(self) -> str:
        """The last sentence of the prompt."""
        return f"What is {self.target}?"

    @property
    def answer(self) -> int:
        """The true number of the person asked for."""
        return next(fact.value for fact in self.facts if fact.subject == self.target and not fact.rumor)

    def of(self, name: str) -> list[int]:
        """Places of the facts about a person, rumours left out."""
        return [k for k, fact in enumerate(self.facts) if fact.subject == name and not fact.rumor]

    def rumor(self, name: str) -> int | None:
        """Place of the rumour about a person."""
        return next((k for k, fact in enumerate(self.facts) if fact.subject == name and fact.rumor), None)


class Shape(NamedTuple):
    """How hard the problems are: training makes rare structure frequent by drawing from another shape."""

    operations: tuple[int, ...] = (2, 3, 4)
    """Drawn from: the number of steps and sums on the way to the answer."""
    facts: tuple[int, int] = (4, 8)
    """Fewest and most, rumours not counted."""
    sums: float = 0.4
    """Share of problems with a sum."""
    shared: float = 0.6
    """Share of sums in which a person on the way is used twice."""
    detours: float = 0.2
    """Share of problems in which one person has two facts."""
    rumors: float = 0.5


FULL = Shape()


def problem(seed: int, shape: Shape = FULL) -> Problem:
    """The problem of a seed; the same text in every process."""
    rng = random.Random(f"problem {seed}")
    while True:
        needed = _needed(rng, shape)
        if needed is not None and all(0 <= fact.value <= LARGEST for fact in needed):
            break
    target = needed[-1].subject
    facts = needed + _others(rng, shape, needed)
    if rng.random() < shape.detours:
        facts += _detour(rng, needed, facts)
    if rng.random() < shape.rumors:
        facts.append(_rumor(rng, needed if rng.random() < 0.85 else facts, target))
    rng.shuffle(facts)
    return Problem(seed, tuple(facts), target)


def _needed(rng: random.Random, shape: Shape) -> list[Fact] | None:
    """The facts on the way to the answer, each below the ones it uses; None when there are too many."""
    names = iter(rng.sample(NAMES, len(NAMES)))
    operations = rng.choice(shape.operations)
    sum_at = rng.randrange(1, operations) if rng.random() < shape.sums and operations > 1 else -1
    facts = [_number(rng, next(names))]
    while (at := sum(bool(fact.operands) for fact in facts)) < operations:
        head = facts[-1]
        if at != sum_at:
            facts.append(_step(rng, next(names), head, above=LARGEST // 2))
            continue
        other = rng.choice(facts[:-1]) if rng.random() < shape.shared else _number(rng, next(names))
        if other not in facts:
            facts.append(other)
        pair = rng.sample((head, other), 2)
        facts.append(Fact(next(names), head.value + other.value, (pair[0].subject, pair[1].subject)))
    return facts if len(facts) <= shape.facts[1] else None


def _number(rng: random.Random, name: str) -> Fact:
    return Fact(name, rng.randint(1, 12))


def _step(rng: random.Random, name: str, operand: Fact, above: int) -> Fact:
    """A step that stays between 0 and `above` where it can."""
    steps = [k for k in range(-9, 10) if k and 0 <= operand.value + k <= max(above, operand.value)]
    size = rng.choice(steps)
    return Fact(name, operand.value + size, (operand.subject,), f"{size:+d}")


def _others(rng: random.Random, shape: Shape, needed: list[Fact]) -> list[Fact]:
    """Facts that nobody needs."""
    names = [name for name in rng.sample(NAMES, len(NAMES)) if name not in {fact.subject for fact in needed}]
    facts = list(needed)
    for name in names[: rng.randint(max(len(needed), shape.facts[0]), shape.facts[1]) - len(needed)]:
        draw = rng.random()
        pair = rng.sample(facts, 2)
        if draw < 0.3:
            facts.append(_number(rng, name))
        elif draw < 0.45 and pair[0].value + pair[1].value <= LARGEST:
            facts.append(Fact(name, pair[0].value + pair[1].value, (pair[0].subject, pair[1].subject)))
        else:
            facts.append(_step(rng, name, pair[0], above=LARGEST))
    return facts[len(needed) :]


def _detour(rng: random.Random, needed: list[Fact], facts: list[Fact]) -> list[Fact]:
    """A second fact about somebody on the way, from a person whose number does not rest on theirs."""
    numbers = [fact for fact in facts if not fact.operands]
    found = [
        (fact, base)
        for fact in needed
        for base in numbers
        if fact.step and base.subject not in fact.operands and 1 <= abs(fact.value - base.value) <= 9
    ]
    if not found:
        return []
    fact, base = rng.choice(found)
    return [Fact(fact.subject, fact.value, (base.subject,), f"{fact.value - base.value:+d}")]


def _rumor(rng: random.Random, facts: list[Fact], target: str) -> Fact:
    """A wrong number for somebody other than the person asked for."""
    fact = rng.choice([fact for fact in facts if fact.subject != target])
    wrong = rng.choice([value for value in range(LARGEST // 2 + 1) if value != fact.value])
    return Fact(fact.subject, wrong, rumor=True)
