"""Rollouts: many continuations of many prefixes of one text.

The text is read once, and every prefix, every sample and every call of the same `Engine` share its keys and values.
Rows are continued side by side; one that has finished leaves, and the next request takes its place. A rollout depends
on the seed, its prefix and its number, and on nothing else: neither on the rows beside it nor on the other requests, up
to the rounding of matrix products (`tracer.lm.sampling`).

A rollout that repeats the text for a while is not computed there: one pass over the text tells which uniforms draw its
tokens (`tracer.lm.following`), so a row starts at the first token that differs. That changes nothing but the time.
With `borders` a rollout is also given as a rollout of each later prefix that it repeats the text up to.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.errors import DoesNotFitError
from tracer.lm.following import Draws, fresh, handed
from tracer.lm.memory import ran_out, release
from tracer.lm.sampling import Drawn, Row, Rules, drawn_by, key, require_sense, uniform

if TYPE_CHECKING:
    from torch import Tensor

    from tracer.lm.local import LocalLM
    from tracer.lm.rows import Start
    from tracer.lm.trunk import Trunk

WIDER = 4
"""So many times the rows of an ordinary batch run side by side: here each takes memory for its own tokens only."""
STEP = 1 << 20
"""Sample k of a prefix that is handed on by s borders is there sample k + s * STEP."""
BRANCHES = 4096
"""Columns for prompts that leave the text; where they are used up all are dropped, and room is made."""

Array = npt.NDArray[np.float64]


class Sampling(NamedTuple):
    """How to draw. The defaults are those of Thought Anchors (arXiv 2506.19143), but for the length."""

    temperature: float = 0.6
    """0: take the likeliest token."""
    top_p: float = 0.95
    """Draw among the likeliest tokens that hold this much probability together."""
    max_tokens: int = 1024
    """Drawn per rollout at most; less where the model's context ends."""
    seed: int = 0


class Rollout(NamedTuple):
    """One continuation of a prefix."""

    prefix: str
    """`digest` of the prefix."""
    sample: int
    """Its number; from STEP on it was handed on from an earlier prefix: see `origin`."""
    text: str
    """Without the end-of-text token."""
    finish: Literal["stop", "length"]
    """`stop`: the model ended; `length`: max_tokens or the model's context ran out."""
    tokens: int
    """How many tokens were drawn, the end-of-text token included."""
    logprob: float
    """Sum of ln p of the drawn tokens, in nats, under the model's own distribution: temperature 1, no top_p."""


class Request(NamedTuple):
    """A rollout that is wanted."""

    prefix: str
    """The text itself."""
    sample: int
    """Below STEP."""


class _Job(NamedTuple):
    """A request, made ready."""

    prefix: str
    sample: int
    prompt: tuple[int, ...]
    key: tuple[int, int]
    room: int
    """Tokens that may be drawn."""
    followed: int
    """The text's next tokens, so many, are drawn first; they need no computing."""
    ended: bool
    """Whether the last of them ends a text."""
    steps: tuple[int, ...]
    """It is a rollout of the prefixes so many borders on, 0 being its own."""


@lru_cache(maxsize=4096)
def digest(prefix: str) -> str:
    """The first 32 hex digits of a prefix's SHA-256."""
    return hashlib.sha256(prefix.encode(errors="surrogatepass")).hexdigest()[:32]


def origin(sample: int) -> tuple[int, int]:
    """(borders that a rollout was handed on by, its number where it was drawn)."""
    return divmod(sample, STEP)


def rollouts(lm: LocalLM, requests: Iterable[Request], sampling: Sampling) -> Generator[Rollout, None, None]:
    """The rollouts that are wanted, each as it finishes: the order is not that of the requests."""
    wanted = list(requests)
    text = max((request.prefix for request in wanted), key=len, default="")
    yield from Engine(lm, text, sampling).rollouts(wanted) if wanted else ()


class Engine:
    """Continues prefixes of one text; what it has read of them is kept from call to call.

    Models with layers that rows cannot share (recurrent ones) are read for each batch anew, in `tracer.lm.sampling`;
    there nothing is handed on. The rollouts that are asked for are the same.
    """

    def __init__(
        self, lm: LocalLM, text: str, sampling: Sampling, *, borders: Sequence[int] = (), follow: bool = True
    ) -> None:
        """`borders`: where the prefixes end, as ascending offsets into the text, if rollouts are to be handed on.

        Without `follow` every token of every rollout is computed, and nothing is handed on.
        """
        require_sense(1, sampling.max_tokens, sampling.temperature, sampling.top_p)
        self.lm, self.text, self.sampling, self.follow = lm, text, sampling, follow
        self.prompts: dict[str, tuple[int, ...]] = {}
        self.ids = self._prompt(text)[: lm.context]
        self.prefixes = [text[:border] for border in borders]
        self.places = {prefix: place for place, prefix in enumerate(self.prefixes)}
        self.marks = [self._mark(prefix) for prefix in self.prefixes]
        """Tokens of each prefix; None where they are not the text's own, or the model has no room behind them."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of each prefix."""
        return [len(self._prompt(prefix)) for prefix in self.prefixes]

    def rollouts(self, requests: Iterable[Request]) -> Generator[Rollout, None, None]:
        """The rollouts that are wanted, each as it finishes, and in the same moment those that it is handed on as.

        Requests are taken one by one as there is room. Closing the iterator early loses what is under way.
        """
        jobs = (self._job(request) for request in requests)
        trunk, _ = self._read
        for job, drawn in self._by_batches(jobs) if trunk is None else self._by_rows(jobs, trunk):
            yield from (self._rollout(job, drawn, step) for step in job.steps)

    def sweep(self, n: int) -> list[Request]:
        """Requests that give each border's prefix n rollouts or more, handed ones counted, from left to right."""
        needed = fresh(self.marks, n, lambda place, k: self._repeats(Request(self.prefixes[place], k))[1])
        return [Request(self.prefixes[place], k) for place, some in enumerate(needed) for k in range(some)]

    def chances(self) -> list[float]:
        """For each border but the last, the exact probability that a rollout repeats the text up to the next border.

        nan where it is not known: the tokens there are not the text's own, or the model shares nothing.
        """
        pairs = zip(self.marks, self.marks[1:], strict=False)
        _, draws = self._read
        return [draws.chance(a, b) if draws and a is not None and b is not None else math.nan for a, b in pairs]

    def follows(self, request: Request) -> int:
        """How many borders on a rollout repeats the text, token for token: known before it is drawn."""
        place = self.places.get(request.prefix)
        if place is None:
            return 0
        later = [border for border, _ in handed(self.marks, place, self._repeats(request)[1])]
        return max(later, default=place) - place

    @cached_property
    def _read(self) -> tuple[Trunk | None, Draws | None]:
        """The text's keys and values, and what draws its tokens; None where the model has layers of another kind."""
        import torch

        from tracer.lm.rows import agrees, served
        from tracer.lm.trunk import Trunk

        if not served(self.lm.model):
            return None, None
        trunk, ids = Trunk(self.lm.model), torch.tensor(self.ids, device=self.lm.device)
        found = np.ones((4, len(self.ids)))  # lower = upper: nothing draws the first token
        last: list[Tensor] = []

        def seen(at: int, logits: Tensor) -> None:
            following = ids[at + 1 : at + 1 + len(logits)]
            drawn = drawn_by(logits[: len(following)], following, self.sampling.temperature, self.sampling.top_p)
            found[:, at + 1 : at + 1 + len(following)] = drawn.cpu().numpy()
            last[:] = [logits[-1]]

        self.lm.batches.run([self.ids], lambda texts: [trunk.path(text, seen) for text in texts], 1)
        return (trunk, Draws(*found)) if agrees(trunk, self.ids, last[0]) else (None, None)

    def _prompt(self, text: str) -> tuple[int, ...]:
        if text not in self.prompts:
            self.prompts[text] = self.lm.prompt(text)
        return self.prompts[text]

    def _mark(self, prefix: str) -> int | None:
        prompt = self._prompt(prefix)
        own = prompt == self.ids[: len(prompt)] and self._room(len(prompt)) > 0
        return len(prompt) if own else None

    def _room(self, tokens: int) -> int:
        """How many tokens may be drawn after so many."""
        most = self.sampling.max_tokens
        return most if self.lm.context is None else min(most, self.lm.context - tokens)

    def _key(self, request: Request) -> tuple[int, int]:
        return key(self.sampling.seed, request.prefix, request.sample)

    def _repeats(self, request: Request) -> tuple[int, int]:
        """How many tokens of the text a rollout draws first, and how many before the first that ends a text."""
        _, draws = self._read
        size = len(self._prompt(request.prefix))
        if draws is None or not self.follow or self._prompt(request.prefix) != self.ids[:size]:
            return 0, 0
        followed = draws.follow(size, uniform(self._key(request), len(self.ids) - size))
        before = next((k for k in range(followed) if self.ids[size + k] in self.lm.ends), followed)
        return min(followed, before + 1), before

    def _job(self, request: Request) -> _Job:
        """One that is handed on may draw as many tokens more as it has repeated: there it is as long as others."""
        prompt = self._prompt(request.prefix)
        self.lm.require_room(len(prompt) + 1)
        followed, before = self._repeats(request)
        room, steps = self._room(len(prompt)), [0]
        if (place := self.places.get(request.prefix)) is not None:
            for later, mark in handed(self.marks, place, before):
                room = max(room, mark - len(prompt) + self._room(mark))
                steps.append(later - place)
        return _Job(
            *request, prompt, self._key(request), room, min(followed, room), before < followed <= room, tuple(steps)
        )

    def _by_rows(self, jobs: Iterator[_Job], trunk: Trunk) -> Iterator[tuple[_Job, Drawn]]:
        """Rows side by side; the next one enters as soon as one is done. When memory runs out half of them go on."""
        slots = self._slots()
        while True:
            live: dict[int, _Job] = {}
            try:
                yield from self._side_by_side(jobs, trunk, slots, live)
                return
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if slots == 1:
                    raise DoesNotFitError(
                        "memory ran out on a single text: take a smaller --lm or fewer tokens"
                    ) from error
            release()
            jobs = chain(live.values(), jobs)
            slots = max(1, min(slots, len(live)) // 2)
            self.lm.batches.rows = max(1, slots // WIDER)

    def _side_by_side(
        self, jobs: Iterator[_Job], trunk: Trunk, slots: int, live: dict[int, _Job]
    ) -> Iterator[tuple[_Job, Drawn]]:
        """`live` tells, also after an error, who is in which slot."""
        from tracer.lm.rows import Rows

        rows = Rows(trunk, self.lm.ends, self.sampling.temperature, self.sampling.top_p)
        free: list[int] = []
        while True:
            if not live:
                trunk.cut(len(self.ids), self._columns)
            starts: dict[int, Start] = {}
            places = chain(free, count(rows.live))
            while len(live) < slots and trunk.size <= self._columns and (job := next(jobs, None)):
                if job.followed == job.room or job.ended:
                    yield job, self._repeated(job)
                    continue
                slot = next(places)
                live[slot] = job
                starts[slot] = self._start(job, trunk)
            if not live:
                return
            rows.enter(list(starts), list(starts.values()))
            moved = rows.leave([slot for slot in free if slot not in live])
            live |= {new: live.pop(old) for old, new in moved.items()}
            done = {slot: rows.result(slot, drawn) for slot, drawn in rows.step()}
            free = sorted(done)
            yield from [(live.pop(slot), done[slot]) for slot in free]

    @property
    def _columns(self) -> int:
        """So many columns the trunk may have before no new prompt is read."""
        return 2 * len(self.ids) + BRANCHES

    def _slots(self) -> int:
        """How many rows run side by side."""
        most = self.sampling.max_tokens if self.lm.context is None else min(self.sampling.max_tokens, self.lm.context)
        return self.lm.fit(most, scored=1, at_most=WIDER * self.lm.batches.rows)

    def _start(self, job: _Job, trunk: Trunk) -> Start:
        from tracer.lm.rows import Start

        ids = self.ids[: len(job.prompt) + job.followed] if job.followed else job.prompt
        own = ids == self.ids[: len(ids)]
        columns = trunk.path(self.ids)[: len(ids) - 1] if own else trunk.path(ids[:-1])
        return Start(columns, ids[-1], *self._repeated(job), uniform(job.key, job.room))

    def _repeated(self, job: _Job) -> Drawn:
        """What a row has drawn before it differs from the text."""
        _, draws = self._read
        here = slice(len(job.prompt), len(job.prompt) + job.followed)
        return Drawn(list(self.ids[here]), draws.logprob[here].tolist() if draws else [])

    def _by_batches(self, jobs: Iterator[_Job]) -> Iterator[tuple[_Job, Drawn]]:
        """Batch after batch, each as slow as its longest row."""
        rules = Rules(self.sampling.temperature, self.sampling.top_p, self.lm.ends, lambda drawn: False)
        while batch := list(islice(jobs, self.lm.batches.rows)):
            rows = [Row(job.prompt, job.key, job.room) for job in batch]
            yield from zip(batch, self.lm.continue_rows(rows, rules), strict=True)

    def _rollout(self, job: _Job, drawn: Drawn, step: int) -> Rollout:
        """A row as a rollout of its own prefix, or of the one so many borders on."""
        prefix = self.prefixes[self.places[job.prefix] + step] if step else job.prefix
        prompt = self._prompt(prefix)
        start = len(prompt) - len(job.prompt)
        here = slice(start, start + self._room(len(prompt)))
        ids, logprobs = drawn.ids[here], drawn.logprobs[here]
        text, finish, tokens = self.lm.as_sample(Row(prompt, job.key, len(ids)), ids)
        return Rollout(digest(prefix), job.sample + step * STEP, text, finish, tokens, sum(logprobs))
