"""What many agents say at once, all driven by one model: each reply is the model's own sample for that agent's view.

A reply depends on the view, the temperature and the seed, and on nothing else: it is

    lm.sample(view, 1, temperature=..., seed=..., stop=["\\n"])[0]

and a test holds it to that. Lives that share their beginning ask for the same words over and over, so what the model
holds to be next is kept for every text that was reached, and asked once: rows walk over what is known with their own
random numbers, and the model is asked where one leaves it. Rows that are at the same text are one row of the batch.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tracer.data.greedy import LONGEST_REPLY
from tracer.errors import MissingExtraError
from tracer.lm.sampling import Row, key, uniform

if TYPE_CHECKING:
    import torch

    from tracer.data.voice_pages import Known
    from tracer.lm.local import LocalLM

ROWS = 24
"""Different texts that are read side by side."""
KEPT = 80_000
"""Texts whose next word is kept: 150 MB at most."""
READ = 24_000
"""Words whose reading is kept: 100 MB at most, before the rows under way are added."""


class Ask(NamedTuple):
    """Somebody's turn to speak."""

    view: str
    temperature: float
    """Above 0."""
    seed: int
    """Of all that this life draws; the view makes the numbers of two turns different."""


class _Text:
    """A text that was reached, what the model holds to be next, and the texts one word further."""

    __slots__ = ("after", "cumulative")

    def __init__(self) -> None:
        self.cumulative: array[float] | None = None  # over the vocabulary; None: not asked yet
        self.after: dict[int, _Text] = {}

    def drawn(self, number: float) -> int:
        """The word that a number in [0, 1) draws, as `tracer.lm.sampling.choose` does."""
        assert self.cumulative is not None
        return min(bisect_right(self.cumulative, number * self.cumulative[-1]), len(self.cumulative) - 1)


class _Walk:
    """A reply on its way."""

    __slots__ = ("ids", "numbers", "prompt", "temperature", "text")

    def __init__(self, row: Row, temperature: float, text: _Text) -> None:
        self.prompt, self.temperature, self.text = row.prompt, temperature, text
        self.numbers: list[float] = uniform(row.key, row.max_tokens).tolist()
        self.ids: list[int] = []

    @property
    def read(self) -> list[int]:
        """The tokens so far."""
        return [*self.prompt, *self.ids]

    def step(self, ends: frozenset[int]) -> bool:
        """Say one more word; whether it was the last."""
        word = self.text.drawn(self.numbers[len(self.ids)])
        self.ids.append(word)
        if word in ends or len(self.ids) == len(self.numbers):
            return True
        self.text = self.text.after.setdefault(word, _Text())
        return False


class Voices:
    """Speaks for every agent of every life, with one model."""

    def __init__(self, lm: LocalLM) -> None:
        self.lm = lm
        [self.stop] = lm.prompt("\n")
        self.ends = lm.ends | {self.stop}
        self.asked = 0
        """Words that the model itself was asked for."""
        self._known: OrderedDict[tuple[str, float], tuple[tuple[int, ...], _Text]] = OrderedDict()
        self._kept = 0
        self._read_before: Known | None = None

    def say(self, asks: Sequence[Ask]) -> list[str]:
        """Each one's reply up to and without the end of the line.

        "" where the view leaves no room for one, or where it is none of the model's texts any more: now and then
        somebody before it has said a word that the model does not know.
        """
        walks = [self._begun(ask) for ask in asks]
        open_ = [walk for walk in walks if walk.numbers and not self._walked(walk)]
        open_.sort(key=lambda walk: len(walk.prompt) + len(walk.ids), reverse=True)
        while open_:
            groups = _grouped(open_)
            self._read(groups[:ROWS])
            open_ = [walk for group in groups[ROWS:] for walk in group]
        return [self._words(walk) for walk in walks]

    def _begun(self, ask: Ask) -> _Walk:
        place = ask.view, ask.temperature
        if place not in self._known:
            self._forget()
            self._known[place] = self._prompt(ask.view), _Text()
        self._known.move_to_end(place)
        prompt, text = self._known[place]
        left = (LONGEST_REPLY if self.lm.context is None else self.lm.context - len(prompt)) if prompt else 0
        room = max(0, min(LONGEST_REPLY, left))
        return _Walk(Row(prompt, key(ask.seed, ask.view, 0), room), ask.temperature, text)

    def _prompt(self, view: str) -> tuple[int, ...]:
        """The tokens of a view; none where the model refuses it."""
        try:
            return self.lm.prompt(view)
        except MissingExtraError:
            return ()

    def _forget(self) -> None:
        """Make room: the views that were asked for longest ago go first."""
        if self._kept > KEPT:
            for _ in range(len(self._known) // 2):
                self._known.popitem(last=False)
            self._kept //= 2

    def _walked(self, walk: _Walk) -> bool:
        """Go on over what is known; whether that was all."""
        while walk.text.cumulative is not None:
            if walk.step(self.ends):
                return True
        return False

    def _read(self, groups: list[list[_Walk]]) -> None:
        """Let the model speak for walks at a few different texts until all are done."""
        import torch

        from tracer.data.voice_pages import Page

        with torch.inference_mode():
            page = Page(self._tokens(), [group[0].read for group in groups])
            while groups:
                self._learn(groups, page.logits)
                going = [[walk for walk in group if not walk.step(self.ends)] for group in groups]
                for row, (group, left) in enumerate(zip(groups, going, strict=True)):
                    if not left:
                        page.learned(row, group[0].read)
                split = [(row, part) for row, left in enumerate(going) for part in _grouped(left)]
                groups = [part for _, part in split]
                if groups:
                    page.choose([row for row, _ in split])
                    page.read(torch.tensor([part[0].ids[-1:] for part in groups]))

    def _tokens(self) -> Known:
        """What was read so far, unless it has become too much."""
        from tracer.data.voice_pages import Known

        if self._read_before is None:
            self._read_before = Known(self.lm.model)
        if len(self._read_before.places) > READ:
            self._read_before.clear()
        return self._read_before

    def _learn(self, groups: Sequence[Sequence[_Walk]], logits: torch.Tensor) -> None:
        import torch

        heat = torch.tensor([group[0].temperature for group in groups], dtype=torch.float64)
        cumulative = (logits.double() / heat[:, None]).softmax(-1).cumsum(-1).numpy()
        for group, row in zip(groups, cumulative, strict=True):
            group[0].text.cumulative = array("d", row.tobytes())
        self.asked += len(groups)
        self._kept += len(groups)

    def _words(self, walk: _Walk) -> str:
        return self.lm.as_sample(Row(walk.prompt, (0, 0), 1), walk.ids, ["\n"]).text if walk.ids else ""


def _grouped(walks: Sequence[_Walk]) -> list[list[_Walk]]:
    """Those at the same text together."""
    found: dict[int, list[_Walk]] = {}
    for walk in walks:
        found.setdefault(id(walk.text), []).append(walk)
    return list(found.values())
