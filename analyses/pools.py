"""Rollouts by the prefixes that they are rollouts of.

R_i are the rollouts of prefix i: sentences 0 to i - 1 stand, the rest is written anew. A rollout of R_i that writes
sentence i token for token is one of R_{i+1}, too, and so on; it is counted at each.

How probably that happens, a model that can be read tells without a rollout: the product of the chances of the
sentence's tokens. With f_i known, effect(i) = (1 - f_i)(P_{i+1} - Q_i), Q_i being P(target) of the rollouts that go on
otherwise, so that no sentence moves P by more than 1 - f_i. This is exact, and it is most of what makes resampling
cheap: of the sentences of a chain of thought a model writes many the same way each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tracer.stats import Z95, Count, Estimate, fisher
from tracer.stats.nested import Share, effect, share

SMALL, OFFSET = 5.0, 8.0
"""Of `spread`."""


class Drawn(NamedTuple):
    """One rollout, as far as the statistics need to know it."""

    label: str
    """Its outcome; `none` and `truncated` are outcomes like others."""
    tokens: int = 0
    follows: int = 0
    """How many further sentences of the trace it writes token for token before it leaves it; 0: none is shared."""


class Case(NamedTuple):
    """A rollout as a case of one prefix."""

    label: str
    followed: bool
    """Whether it goes on with the trace's next sentence, so that it is a case of the next prefix as well."""


class Pools:
    """All rollouts so far of a trace of n sentences, at prefixes 0 to n."""

    def __init__(self, sentences: int, target: str, chances: Sequence[float] = ()) -> None:
        """`chances`: of each sentence, how probably a rollout of its prefix writes it; nan, or none, if not known."""
        self.target = target
        known = [None if math.isnan(each) else min(1.0, max(0.0, 1 - each)) for each in chances]
        self.diverging: list[float | None] = known or [None] * sentences
        """Of each sentence, how probably a rollout of its prefix goes on otherwise, where that is known."""
        self.cases: list[list[Case]] = [[] for _ in range(sentences + 1)]
        self.fresh = [0] * (sentences + 1)
        """Rollouts drawn from each prefix, without those that came from earlier ones."""
        self.tokens = [0] * (sentences + 1)
        """Tokens of those."""
        self._counts = [[Count(0, 0), Count(0, 0)] for _ in range(sentences + 1)]  # diverged, followed

    def add(self, prefix: int, rollouts: Sequence[Drawn]) -> None:
        """New rollouts of a prefix; each is a case of those behind it as far as it follows the trace."""
        for drawn in rollouts:
            self.fresh[prefix] += 1
            self.tokens[prefix] += drawn.tokens
            last = min(prefix + drawn.follows, len(self.cases) - 1)
            for place in range(prefix, last + 1):
                self.cases[place].append(Case(drawn.label, place < last))
                hits, n = self._counts[place][place < last]
                self._counts[place][place < last] = Count(hits + (drawn.label == self.target), n + 1)

    def diverged(self, prefix: int) -> Count:
        """The cases that go on otherwise than the trace."""
        return self._counts[prefix][0]

    def followed(self, prefix: int) -> Count:
        """The cases that go on with the trace's next sentence."""
        return self._counts[prefix][1]

    def all(self, prefix: int) -> Count:
        """All cases of a prefix."""
        one, two = self._counts[prefix]
        return Count(one.hits + two.hits, one.n + two.n)

    def room(self, sentence: int) -> float:
        """How far a sentence can move P(target) at most."""
        diverging = self.diverging[sentence]
        return 1.0 if diverging is None else diverging

    def shares(self) -> list[Share | None]:
        """P(target) at each prefix, from the last one back; None where neither cases nor later prefixes tell it."""
        found: list[Share | None] = []
        after: Share | None = None
        for prefix in reversed(range(len(self.cases))):
            diverging = self.diverging[prefix] if prefix < len(self.diverging) else None
            told = bool(self.cases[prefix]) or (after is not None and diverging is not None and diverging < 1)
            after = share(self.diverged(prefix), self.followed(prefix).n, after, diverging) if told else None
            found.append(after)
        return found[::-1]

    def effect(self, sentence: int, after: Share | None) -> Estimate:
        """What a sentence adds to P(target); as much as it can where its prefix or the next one has no case."""
        room = self.room(sentence)
        if after is None or not (self.cases[sentence] or self.diverging[sentence] is not None):
            return Estimate(0.0, -room, room, 0)
        diverged = self.diverged(sentence)
        z = spread(min(diverged.n, after.cases), room)
        return effect(diverged, self.followed(sentence).n, after, z, self.diverging[sentence])

    def p_value(self, sentence: int, after: Share | None) -> float:
        """Fisher's mid-p: rollouts that go on otherwise than the trace against those with the sentence.

        Where chances are known, the latter count as as many cases as their share is worth.
        """
        if self.diverging[sentence] is None or after is None:
            return fisher(self.diverged(sentence), self.all(sentence + 1), middle=True)
        if not self.diverging[sentence]:
            return 1.0
        cases = round(after.cases)
        return fisher(self.diverged(sentence), Count(round(after.value * cases), cases), middle=True)


def spread(n: float, room: float = 1.0) -> float:
    """The z of an effect's 95 % interval that rests on n cases on its smaller side.

    1.96 less SMALL / (n + OFFSET): with 1.96 throughout, intervals from few cases cover 98 to 99 % under the rule of
    `tracer.analyses.allocation`, because counts are coarse and because a sentence that looks large by chance gets more
    rollouts, which pull it back. A sentence with little room gets no more for looking large, so it takes that part
    only. SMALL was fitted on planted traces; `tests/slow` measures the coverage on others.
    """
    return Z95 - SMALL * room / (n + OFFSET)
