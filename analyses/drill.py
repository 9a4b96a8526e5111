"""Inside a blamed step, by replay: the sentence of its reasoning that costs the run.

With S_i the success rate of the run when all steps before it and the first i of its n sentences stand, and the rest of
the step and all later steps are lived again, the sentence is the one with the largest fall

    argmax over i of S_i - S_{i+1},        S_{n+1} being the rate when the whole step stands.

That is the question which `fall_search` answers along a run, so it is asked once more, along a step: sentences in the
place of steps, then what the step says, then all that comes later. A fork that thinks the next recorded sentences word
for word is a fork behind these, too. It ends when a place is SURE to have the largest fall, or with the budget; where
two sentences share the fall it ends unsure. Where the fall is largest behind the last sentence, it is what the step
says, and no sentence is named; where it is largest behind the step, nothing in it broke the run.

It takes a replayer that can go on from inside a step (`tracer.replaying`). Intervals are Newcombe's; forks that count
on both sides of a sentence make them wider than need be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from tracer.analyses.fall_search import Found, Outcome, Rule, Search, State
from tracer.analyses.replay_blame import FIRST_SEED, SEEDS, Check, Progress, same_words
from tracer.errors import BadInputError, TracerError
from tracer.records import Step
from tracer.replaying import Fork, Lived
from tracer.sentences import split
from tracer.stats import Count, difference
from tracer.stats.proportions import Estimate

BUDGET = 120
"""Forks."""
SURE = 0.95
LEAST = 0.25
"""A fall below that is not worth a name: the run broke little by little."""
RULE = Rule(sure=SURE, part=3, parts=2, least=LEAST)
INSIDE_SEED = FIRST_SEED + (1 << 30)
"""Behind the seeds of the search along the run, and before those of labels."""
CONFIRMED = 12
"""Forks on either side of the sentence that is named, at least, where the budget allows."""
EXACT = 1 << 30
"""Cases of a rate that is known."""
Where = Literal["sentence", "said", "later"]


class Sentences(NamedTuple):
    """A reasoning, white space at its ends left out, and where its sentences end."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    """Characters; white space behind a sentence is not its own."""

    @classmethod
    def of(cls, reasoning: str | None, index: int) -> Sentences:
        """Those of a step; one without reasoning raises BadInputError."""
        text = (reasoning or "").strip()
        if not text:
            raise BadInputError(f"step {index} holds no reasoning to go on in")
        spans = split(text)
        ends = tuple(len(text[: span.end].rstrip()) for span in spans)
        return cls(text, tuple(span.start for span in spans), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def sentence(self, place: int) -> str:
        """One sentence."""
        return self.text[self.starts[place] : self.ends[place]]

    def kept(self, count: int) -> str:
        """The first so many."""
        return self.text[: self.ends[count - 1]] if count else ""

    def repeated(self, reasoning: str | None) -> int:
        """With how many of these sentences another reasoning begins, word for word."""
        text = (reasoning or "").strip()
        others = [text[span.start : span.end].strip() for span in split(text)]
        pairs = enumerate(zip(map(self.sentence, range(len(self))), others, strict=False))
        return next((k for k, (one, other) in pairs if one != other), min(len(self), len(others)))


class Drilled(NamedTuple):
    """What was found inside a step."""

    where: Where
    sentence: int | None
    """Its place among the sentences of the reasoning; None where it is none of them."""
    start: int
    """Characters of the reasoning, white space at its ends left out."""
    end: int
    text: str
    fall: Estimate
    """S_i - S_{i+1} there; n counts the forks on the side that has fewer."""
    probability: float
    """That it is the largest."""
    rival: int
    """The likeliest other place: a sentence; n is what the step says, n + 1 all that comes later."""
    rival_probability: float
    counts: tuple[Count, ...]
    """Forks that ended well with 0, 1, ... sentences kept, then with the whole step kept."""
    forks: int
    state: State
    """decisive: settled; diffuse: settled that no place costs LEAST; spent: neither."""

    @property
    def sure(self) -> bool:
        """Whether it is settled which place it is."""
        return self.state == "decisive"


class Inside:
    """The state of a search inside one step."""

    def __init__(self, steps: Sequence[Step], index: int, budget: int) -> None:
        self.steps, self.index = steps, index
        self.sentences = Sentences.of(steps[index].reasoning, index)
        self.last = index == len(steps) - 1
        places = len(self.sentences) + (1 if self.last else 2)
        self.search = Search(places, budget=budget, rule=RULE)
        self.drawn = [0] * places
        self.hits, self.n = [0] * places, [0] * places

    @property
    def counts(self) -> list[Count]:
        """Successes and forks at each place, those that came there from an earlier one included."""
        return [*map(Count, self.hits, self.n), *([Count(0, EXACT)] if self.last else [])]

    def wanted(self) -> dict[int, int]:
        """Forks of which places are to be lived next: those of the search, then those that confirm what it found."""
        if wanted := self.search.wanted():
            return wanted
        if self.search.state != "decisive":
            return {}
        left, at = self.search.budget - self.search.forks, self.search.found().step or 0
        short = {place: CONFIRMED - count.n for place, count in enumerate(self.counts) if place in {at, at + 1}}
        found = {}
        for place, count in short.items():
            if (n := min(count, left)) > 0:
                found[place] = n
                left -= n
        return found

    def forks(self, wanted: Mapping[int, int]) -> list[tuple[int, Fork]]:
        """New forks with their places."""
        found = []
        for place, count in wanted.items():
            found += [(place, self._fork(place, self.drawn[place] + k)) for k in range(count)]
            self.drawn[place] += count
        return found

    def _fork(self, place: int, number: int) -> Fork:
        """A fork behind so many sentences. Those of whole steps are the same that the search along the run lives."""
        if place in {0, len(self.sentences) + 1}:
            kept = self.index + (place > 0)
            return Fork(tuple(self.steps[:kept]), None, FIRST_SEED + kept * SEEDS + number)
        begun = begun_step(self.steps[self.index], self.sentences.kept(place))
        return Fork(tuple(self.steps[: self.index]), None, INSIDE_SEED + place * SEEDS + number, begun)

    def add(self, place: int, fork: Fork, lived: Lived, success: bool) -> None:
        """What came of one fork."""
        repeated = max(0, self._reached(place, fork, lived) - place)
        self.search.add(place, [Outcome(success, repeated)])
        for each in range(place, min(place + repeated, len(self.n) - 1) + 1):
            self.hits[each] += success
            self.n[each] += 1

    def _reached(self, place: int, fork: Fork, lived: Lived) -> int:
        """How many places of the record a fork begins with: sentences, then the whole step."""
        kept = len(fork.prefix)
        new = lived.steps[kept:] if lived.steps[:kept] == fork.prefix else lived.steps
        if place > len(self.sentences) or not new:
            return place
        if same_words(new[0], self.steps[self.index]):
            return len(self.sentences) + 1
        return self.sentences.repeated(new[0].reasoning)


def drill(
    steps: Sequence[Step],
    index: int,
    lived: Callable[[Sequence[Fork]], list[Lived]],
    check: Check,
    budget: int = BUDGET,
    progress: Progress | None = None,
) -> Drilled:
    """The place inside a step; `lived` lives forks as a replayer does, some of them from inside the step."""
    inside = Inside(steps, index, budget)
    while wanted := inside.wanted():
        forks = inside.forks(wanted)
        ended = lived([fork for _, fork in forks])
        if len(ended) != len(forks):
            raise TracerError(f"the replayer was given {len(forks)} forks and returned {len(ended)}")
        for (place, fork), each in zip(forks, ended, strict=True):
            inside.add(place, fork, each, check(each))
        if progress:
            progress("forks inside the step", inside.search.forks, budget)
    return _drilled(inside.sentences, inside.search.found(), inside.counts)


def begun_step(step: Step, reasoning: str) -> Step:
    """A step that has thought so far, and said nothing."""
    return Step(
        index=step.index,
        agent=step.agent,
        kind="thought",
        role=step.role,
        reasoning=reasoning,
        reasoning_state="present",
        parents=step.parents,
    )


def _drilled(inside: Sentences, found: Found, counts: Sequence[Count]) -> Drilled:
    order = sorted(range(len(found.posterior)), key=lambda k: (-found.posterior[k], k))
    at, after = order[:2]
    falls = [difference(behind, before) for before, behind in pairwise([*counts, Count(0, EXACT)])]
    named = at < len(inside)
    end = len(inside.text)
    return Drilled(
        where="sentence" if named else "said" if at == len(inside) else "later",
        sentence=at if named else None,
        start=inside.starts[at] if named else end,
        end=inside.ends[at] if named else end,
        text=inside.sentence(at) if named else "",
        fall=falls[at],
        probability=found.posterior[at],
        rival=after,
        rival_probability=found.posterior[after],
        counts=tuple(counts),
        forks=found.forks,
        state=found.state,
    )
