"""Rollouts of the prefixes of one trace, each drawn once ever, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tracer.analyses.onward import Continuation
from tracer.analyses.pools import Drawn
from tracer.answers import How, answer
from tracer.equivalence import same
from tracer.lm.ledger import Ledger
from tracer.lm.local import LocalLM
from tracer.lm.rollouts import STEP, Engine, Request, Rollout, Sampling, digest

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint
    from tracer.lm.remote_rollouts import RemoteEngine


class Case(NamedTuple):
    """A rollout as a case of one prefix."""

    answer: str
    rest: str | None
    """What it writes in place of the trace's next sentence and after; None where it writes that sentence."""


class Outcomes:
    """The outcome of a rollout: the target where its answer equals it, else its answer as spelled."""

    def __init__(self, how: How, target: str | None = None) -> None:
        self.how, self.target = how, target
        self._known: dict[str, str] = {}

    def __call__(self, rollout: Rollout) -> str:
        """The label of a rollout."""
        return self.of(answer(rollout.text, self.how, rollout.finish))

    def of(self, found: str) -> str:
        """The label of an answer."""
        if self.target is None or found == self.target:
            return found
        if found not in self._known:
            self._known[found] = self.target if same(found, self.target) else found
        return self._known[found]


def engine(
    lm: LocalLM | Endpoint, text: str, sampling: Sampling, ledger: Ledger, borders: Sequence[int]
) -> Engine | RemoteEngine:
    """What continues prefixes of a text: in this process over common keys and values, else by a server."""
    if isinstance(lm, LocalLM):
        return Engine(lm, text, sampling, borders=borders)
    from tracer.lm.remote_rollouts import RemoteEngine  # with a server's extra only

    return RemoteEngine(lm, text, sampling, ledger, borders=borders)


class Sampler:
    """Draws what the ledger does not hold, and keeps all that was asked for."""

    def __init__(
        self,
        lm: LocalLM | Endpoint,
        text: str,
        borders: Sequence[int],
        sampling: Sampling,
        ledger: Ledger,
        outcomes: Outcomes,
    ) -> None:
        """`borders`: where the n + 1 prefixes end, as ascending offsets into the text."""
        self.text, self.borders, self.ledger, self.outcomes = text, borders, ledger, outcomes
        self.engine = engine(lm, text, sampling, ledger, borders)
        self.rollouts: list[list[Rollout]] = [[] for _ in borders]
        self.computed = 0
        """Rollouts that were drawn now, and not found in the ledger."""
        ledger.fetch(digest(prefix) for prefix in self.engine.prefixes)

    def __call__(self, wanted: Mapping[int, int]) -> dict[int, list[Drawn]]:
        """So many more rollouts of each prefix."""
        numbers = {
            place: range(len(self.rollouts[place]), len(self.rollouts[place]) + count)
            for place, count in wanted.items()
        }
        self._draw([Request(self.engine.prefixes[place], k) for place, some in numbers.items() for k in some])
        return {place: [self._drawn(place, k) for k in some] for place, some in numbers.items()}

    def _draw(self, requests: Sequence[Request]) -> None:
        held = {prefix: self.ledger.held(digest(prefix)) for prefix in {each.prefix for each in requests}}
        missing = [each for each in requests if each.sample not in held[each.prefix]]
        for rollout in self.engine.rollouts(missing):
            if rollout.sample < STEP:  # what it is handed on as follows from it, and is counted in the pools
                self.ledger.add(rollout)
                self.computed += 1

    def _drawn(self, place: int, number: int) -> Drawn:
        prefix = self.engine.prefixes[place]
        rollout = self.ledger.held(digest(prefix))[number]
        self.rollouts[place].append(rollout)
        return Drawn(self.outcomes(rollout), rollout.tokens, self.engine.follows(Request(prefix, number)))

    def continuations(self) -> list[Continuation]:
        """All rollouts as they were drawn."""
        return [
            Continuation(place, each.text, self.engine.follows(Request(self.engine.prefixes[place], each.sample)))
            for place, rollouts in enumerate(self.rollouts)
            for each in rollouts
        ]

    def cases(self) -> list[list[Case]]:
        """All rollouts by the prefixes that they are rollouts of, those that follow the trace there included."""
        found: list[list[Case]] = [[] for _ in self.borders]
        for place, rollouts in enumerate(self.rollouts):
            for rollout in rollouts:
                label = self.outcomes(rollout)
                last = place + self.engine.follows(Request(self.engine.prefixes[place], rollout.sample))
                for each in range(place, last + 1):
                    rest = rollout.text[self.borders[each] - self.borders[place] :] if each == last else None
                    found[each].append(Case(label, rest))
        return found
