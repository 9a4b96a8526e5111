"""Claims that nothing before them supports: where an agent made something up.

A value of a claim is a word with a digit or a capital letter, but for the sentence's first word, which only says what
it is about. A value is made up if the model would not have written it although it had read all that the speaker had,

    ln p(value | everything before it)  <  -UNLIKELY,

and it does not come from the sources either: none of their sentences has it beside another word of the claim (the
number of one thing, said of another, is made up, too), or they do not make it likelier by RAISED. It stays made up when
the speaker first thinks it and then says it: a claim has the made-up values of the thoughts that it rests on, where it
has the same word. What the speaker said itself in earlier steps does count, but is told as such.

Needs torch and transformers through `reading`; imported on use only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tracer.analyses.log_odds import Array, logprob
from tracer.analyses.reading import MOVES, Reading
from tracer.lm.offsets import token_spans

UNLIKELY = 2.0
"""Nats: less than one time in seven."""
RAISED = 4.0
"""Nats."""
_WORD = re.compile(r"\S+")
_NAME = re.compile(r"[^\W\d_]{3,}")
"""Words of three letters and more."""
_EDGES = ".,:;!?\"'()[]{}<>*`“”„‘’"


class Value(NamedTuple):
    """A word of the step that can be true or false."""

    text: str
    logprob: float
    """Given everything before it, in nats."""
    raised: float
    """By how much the sources raise that."""
    known: bool
    """Whether it stands in a source, beside another word of the claim."""

    @property
    def made_up(self) -> bool:
        """Whether neither the model nor a source has it."""
        return self.logprob < -UNLIKELY and not (self.known and self.raised >= RAISED)


class Support:
    """The values of a statement's sentences: those of the thought first, then the claims, as `Reading.own` has them."""

    def __init__(self, reading: Reading, whole: Array, nothing: Array) -> None:
        """`whole` and `nothing` are the odds of the step's own words with every source, and with none."""
        self.reading = reading
        self.whole, self.nothing = logprob(whole), logprob(nothing)
        spans = (span for source in reading.statement.sources for span in source.sentences)
        self.sentences = [(told, _names(told)) for told in map(reading.statement.words, spans)]
        self.thoughts = len(reading.statement.thought)
        self.values = [list(self._values(place)) for place in range(len(reading.own))]

    def _values(self, place: int) -> Iterator[Value]:
        statement, told = self.reading.statement, self.reading.text.told
        start, end = (*statement.thought, *statement.claims)[place]
        for number, found in enumerate(_WORD.finditer(statement.text, start, end)):
            word = found[0].strip(_EDGES)
            if word and any(c.isdigit() or (number and c.isupper()) for c in word):
                [(first, last)] = token_spans(self.reading.offsets, [found.span()])
                if first < last:
                    part = slice(first - told, last - told)
                    likely = float(self.whole[part].sum())
                    known = self._stands(word, statement.text[start:end])
                    yield Value(word, likely, likely - float(self.nothing[part].sum()), known)

    def _stands(self, word: str, claim: str) -> bool:
        """Whether a sentence of a source has a word, and another one of the claim, if that has any."""
        others, whole = _names(claim) - {word.casefold()}, _whole(word)
        return any(
            word in told and whole.search(told) and (not others or others & names) for told, names in self.sentences
        )

    def made_up(self, claim: int) -> list[str]:
        """The values of a claim that are made up, each once."""
        place = self.thoughts + claim
        said = {value.text for value in self.values[place]}
        first = [value.text for value in self.values[place] if value.made_up]
        rests = (r for r in range(self.thoughts) if self.reading.rests_on[place, r] >= MOVES)
        again = [value.text for r in rests for value in self.values[r] if value.made_up and value.text in said]
        return list(dict.fromkeys([*first, *again]))


def _names(text: str) -> frozenset[str]:
    return frozenset(each.casefold() for each in _NAME.findall(text))


def said_before(words: Sequence[str], earlier: Sequence[tuple[int, str]]) -> int | None:
    """The first of the speaker's own earlier steps that holds all of these words; None where none does."""
    patterns = [_whole(word) for word in words]
    return next((step for step, text in earlier if all(each.search(text) for each in patterns)), None)


def _whole(word: str) -> re.Pattern[str]:
    """The word where it is no part of another one."""
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
