"""Rollouts by the prefixes that they are rollouts of.

R_i are the rollouts of prefix i: sentences 0 to i - 1 stand, the rest is written anew. A rollout of R_i that writes
sentence i token for token is one of R_{i+1}, too, and so on; it is counted at each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracer.stats import Z95, Count, Estimate
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

    def __init__(self, sentences: int, target: str) -> None:
        self.target = target
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

    def shares(self) -> list[Share | None]:
        """P(target) at each prefix, from the last one back; None where there is no case."""
        found: list[Share | None] = []
        after: Share | None = None
        for prefix in reversed(range(len(self.cases))):
            after = share(self.diverged(prefix), self.followed(prefix).n, after) if self.cases[prefix] else None
            found.append(after)
        return found[::-1]

    def effect(self, sentence: int, after: Share | None) -> Estimate:
        """What a sentence adds to P(target); -1 to 1 where its prefix or the next one has no case."""
        if after is None or not self.cases[sentence]:
            return Estimate(0.0, -1.0, 1.0, 0)
        diverged = self.diverged(sentence)
        return effect(diverged, self.followed(sentence).n, after, spread(min(diverged.n, after.cases)))


def spread(n: float) -> float:
    """The z of an effect's 95 % interval that rests on n cases on its smaller side.

    1.96 less SMALL / (n + OFFSET): with 1.96 throughout, intervals from few cases cover 98 to 99 % under the rule of
    `tracer.analyses.allocation`, because counts are coarse and because a sentence that looks large by chance gets more
    rollouts, which pull it back. SMALL was fitted on planted traces; `tests/slow` measures the coverage on others.
    """
    return Z95 - SMALL / (n + OFFSET)
