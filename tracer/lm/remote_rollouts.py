"""Rollouts by a model behind a server: what `Engine` does in this process, as far as the server lets one.

Where it gives the log-probabilities of a text and of what it draws, a rollout that repeats the text token for token is
one of the next prefix, too, and how probably that happens is known (`tracer.lm.following` says why that is exact). As
the tokens of a rollout are known in the moment only in which it is drawn, it is kept as a rollout of each prefix that
it was handed on to: under the number `sample + k * STEP` where it repeats the text k borders on. Where the server gives
no log-probabilities, every prefix has its own rollouts only.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise, takewhile
from typing import TYPE_CHECKING, NamedTuple

from tracer.lm.chances import chance
from tracer.lm.completions import Choice, Draw
from tracer.lm.following import handed
from tracer.lm.rollouts import STEP, Request, Rollout, Sampling, digest
from tracer.lm.sampling import require_sense

if TYPE_CHECKING:
    from tracer.lm.endpoint import Drawn, Endpoint
    from tracer.lm.ledger import Ledger


class _Read(NamedTuple):
    """The text in the server's tokens."""

    choice: Choice
    tokens: tuple[str, ...]
    marks: list[int | None]
    """Tokens of each prefix; None where they are not the beginning of the text's."""


class RemoteEngine:
    """Continues prefixes of one text."""

    def __init__(
        self,
        lm: Endpoint,
        text: str,
        sampling: Sampling,
        ledger: Ledger,
        *,
        borders: Sequence[int],
        follow: bool = True,
    ) -> None:
        """`borders`: where the prefixes end, as ascending offsets into the text. See `Engine` for `follow`."""
        require_sense(1, sampling.max_tokens, sampling.temperature, sampling.top_p)
        self.lm, self.text, self.sampling, self.ledger, self.follow = lm, text, sampling, ledger, follow
        self.prefixes = [text[:border] for border in borders]
        self.places = {prefix: place for place, prefix in enumerate(self.prefixes)}

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each prefix."""
        return self.lm.tokens(self.prefixes)

    def rollouts(self, requests: Iterable[Request]) -> Generator[Rollout, None, None]:
        """The rollouts that are wanted, each as it comes; closing the iterator early loses what is under way."""
        wanted = [(each.prefix, each.sample) for each in requests]
        extra = self._extra if self._read and self.follow else 0
        sampling = self.sampling
        draw = Draw(sampling.max_tokens + extra, sampling.temperature, sampling.top_p, sampling.seed)
        for drawn in self.lm.draw(wanted, draw, logprobs=True) if wanted else ():
            for border, skipped in reversed(self._handed(drawn)):
                self.ledger.add(self._rollout(drawn, border - self.places[drawn.wanted.prefix], skipped))
            yield self._rollout(drawn, 0, 0)

    def chances(self) -> list[float]:
        """For each border but the last, how probably a rollout repeats the text up to the next; nan where unknown."""
        read = self._read
        if read is None or not self.lm.server.has("sampling"):  # else a top_k of the model's own may apply
            return [math.nan] * (len(self.prefixes) - 1)
        return [
            math.nan if a is None or b is None else math.prod(self._chance(read.choice, k) for k in range(a, b))
            for a, b in pairwise(read.marks)
        ]

    def follows(self, request: Request) -> int:
        """How many borders on a rollout that the ledger holds repeats the text."""
        place = self.places.get(request.prefix)
        if place is None or not self.follow or self._read is None:
            return 0
        later = range(1, len(self.prefixes) - place)
        return max(
            (k for k in later if self.ledger.holds(digest(self.prefixes[place + k]), request.sample + k * STEP)),
            default=0,
        )

    @cached_property
    def _read(self) -> _Read | None:
        if not (self.lm.server.has("echo") and self.lm.server.has("logprobs")):
            return None
        [choice] = self.lm.echo([self.text])
        ends = self.lm.token_ends(self.text)
        if ends is None or choice.tokens is None:
            return None
        counts = {end: k for k, end in enumerate(ends, 1)}
        found = [counts.get(len(each)) for each in self.prefixes]
        marks = [mark if mark == length else None for mark, length in zip(found, self.lengths, strict=True)]
        return _Read(choice, choice.tokens, marks)

    @property
    def _extra(self) -> int:
        """A rollout that is handed on draws as many tokens more as it has repeated, to be as long there as others."""
        known = [mark for mark in self._read.marks if mark is not None] if self._read else []
        return known[-1] - known[0] if known else 0

    def _chance(self, choice: Choice, place: int) -> float:
        tokens, values, top = choice.tokens or (), choice.logprobs or (), choice.top or ()
        if place >= min(len(tokens), len(values), len(top)):
            return math.nan
        return chance(tokens[place], values[place], top[place], self.sampling.temperature, self.sampling.top_p)

    def _handed(self, drawn: Drawn) -> list[tuple[int, int]]:
        """(border, tokens before it) of each later border up to which the rollout repeats the text."""
        read, place = self._read, self.places.get(drawn.wanted.prefix)
        if read is None or place is None or not self.follow or (start := read.marks[place]) is None:
            return []
        pairs = zip(read.tokens[start:], drawn.choice.tokens or (), strict=False)
        followed = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return [(border, mark - start) for border, mark in handed(read.marks, place, followed)]

    def _rollout(self, drawn: Drawn, step: int, skipped: int) -> Rollout:
        """A draw as a rollout of its own prefix or, without the tokens that it repeated, of one so many borders on."""
        place = self.places.get(drawn.wanted.prefix, 0)
        prefix = self.prefixes[place + step] if step else drawn.wanted.prefix
        sample, tokens = drawn.sample, drawn.choice.tokens
        start, size = len(prefix) - len(drawn.wanted.prefix), drawn.sample.tokens - skipped
        values = (drawn.choice.logprobs or (math.nan,))[skipped:]
        text, finish = sample.text[start:], sample.finish
        if tokens is not None and size > self.sampling.max_tokens:
            ends = list(accumulate(map(len, tokens)))
            size = self.sampling.max_tokens
            text, finish = sample.text[start : ends[skipped + size - 1]], "length"
            values = values[:size]
        return Rollout(digest(prefix), drawn.number + step * STEP, text, finish, size, math.fsum(values))
