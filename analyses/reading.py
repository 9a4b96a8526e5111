"""A statement as a language model reads it: what each claim costs with some of its sources erased.

The words of a claim are its own and those of the thought that it rests on. With nobody's words before it, the thought
sentence r moves a later one t by

    ln p(t | the step's own words) - ln p(t | the same without r)

and t rests on r from MOVES nats on; what r rests on counts for t, too. So a result that was worked out in thought has
the sources of the numbers that went into it, and a claim that no thought and no source brought up has none.

Needs torch and transformers for a model in this process; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tracer.analyses.log_odds import Array, Text, logprob
from tracer.analyses.statement import Hearing, Statement
from tracer.analyses.transcript import Read, lines, view
from tracer.lm.local import LocalLM
from tracer.lm.offsets import Offset, begun, token_spans

if TYPE_CHECKING:
    from tracer.lm.echoed import Echoed
    from tracer.records import Step

MOVES = 1.0
"""Nats."""
Progress = Callable[[int, int], None]
Mask = npt.NDArray[np.bool_]


class Reading:
    """One statement before one model. Sources are named by their place in the statement's list."""

    def __init__(self, lm: LocalLM, statement: Statement) -> None:
        encoded = lm.encode(statement.text)
        lm.require_room(len(encoded.ids))
        self.lm = lm
        self._place(statement, np.array(encoded.ids), encoded.offsets)

    def _place(self, statement: Statement, ids: npt.NDArray[np.int64], offsets: Sequence[Offset]) -> None:
        """Find the sources, the thought and the claims among the tokens."""
        spans = [*((source.start, source.end) for source in statement.sources), *statement.thought, *statement.claims]
        every = token_spans(offsets, spans)
        self.statement, self.offsets = statement, offsets
        self.count, claims = len(statement.sources), len(statement.claims)
        self.own = every[self.count :]
        """Tokens of the sentences of the step's thought, then of its claims."""
        told_from = token_spans(offsets, [(0, statement.own)])[0][1]
        self.text = Text(ids, every[: len(every) - claims], told_from)
        self.read = 0
        """Tokens that were read so far."""

    def erased(self, rows: Sequence[Collection[int]], progress: Progress | None = None) -> Array:
        """The log-odds of each of the step's own words with each row's sources erased, (rows, words)."""
        return self._run(self.text, rows, progress)

    def _run(self, text: Text, rows: Sequence[Collection[int]], progress: Progress | None = None) -> Array:
        from tracer.analyses.erasure import erased

        found = erased(self.lm.model, text, rows, progress)
        self.read += found.read
        return found.odds

    def without(self, parts: Sequence[tuple[int, int]]) -> Array:
        """The odds of the step's own words as they are, then without each of these stretches of the text in turn."""
        spans = token_spans(self.offsets, parts)
        return self._run(Text(self.text.ids, spans, self.text.told), [(), *((k,) for k in range(len(spans)))])

    def words(self, place: int) -> slice:
        """The words of a sentence of the thought or of a claim, as columns of `erased`."""
        start, end = self.own[place]
        return slice(start - self.text.told, end - self.text.told)

    @cached_property
    def rests_on(self) -> Array:
        """(sentences, thoughts) in nats: what each sentence of the thought does to each later one and to each claim."""
        thoughts, nobody = len(self.statement.thought), range(self.count)
        found = np.zeros((len(self.own), thoughts))
        if thoughts:
            rows = [[*nobody], *([*nobody, self.count + r] for r in range(thoughts))]
            logs = logprob(self.erased(rows))
            for t in range(len(self.own)):
                for r in range(min(t, thoughts)):
                    found[t, r] = (logs[0, self.words(t)] - logs[1 + r, self.words(t)]).sum()
        return found

    def carriers(self, claim: int) -> list[int]:
        """The sentences of the thought that a claim rests on, directly or through others."""
        found: set[int] = set()
        waiting = [len(self.statement.thought) + claim]
        while waiting:
            new = {int(r) for r in np.flatnonzero(self.rests_on[waiting.pop()] >= MOVES)} - found
            found |= new
            waiting += new
        return sorted(found)

    @cached_property
    def masks(self) -> list[Mask]:
        """Which of the step's own words count for each claim."""
        return [
            self._mask([len(self.statement.thought) + k, *self.carriers(k)]) for k in range(len(self.statement.claims))
        ]

    def _mask(self, sentences: Sequence[int]) -> Mask:
        found = np.zeros(len(self.text.ids) - self.text.told, dtype=np.bool_)
        for each in sentences:
            found[self.words(each)] = True
        return found


def heard(lm: LocalLM | Echoed, steps: Sequence[Step], index: int) -> Hearing:
    """What the speaker heard, which no log says: all that was said, if that makes its own words likelier by MOVES; else
    what was said to it.

    A model that knows any text reads system messages, too; the pocket model only the notes in them.
    """
    speaker = next((line.speaker for line in lines(steps) if line.step == index), "")
    cost = {public: _cost(lm, view(steps, speaker, public=public, until=index)) for public in (False, True)}
    return Hearing(public=cost[True] < cost[False] - MOVES, prompts=lm.max_unknown >= 1)


def _cost(lm: LocalLM | Echoed, seen: Read) -> float:
    """-ln p of the speaker's own steps in what it saw, in nats."""
    offsets, chosen = _chosen(lm, seen.text)
    spans = begun(offsets, [(place.start, place.end) for place in seen.places])
    return -sum(float(chosen[slice(*span)].sum()) for span in spans)


def _chosen(lm: LocalLM | Echoed, text: str) -> tuple[Sequence[Offset], Array]:
    """Where each token of a text stands, and its ln p given all before it; 0 for the first one."""
    if not isinstance(lm, LocalLM):
        return lm.read(text)
    from tracer.analyses.step_signals import told

    encoded = lm.encode(text)
    lm.require_room(len(encoded.ids))
    return encoded.offsets, told(lm, encoded)[0]
