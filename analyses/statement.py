"""A step as somebody who wants its sources sees it: what its speaker was told, what it thought, and what it claims.

    Notes: to North: Ana: 3.                                   source, the system message of North
    Planner: to North: Cal?                                    source
    North: <think> Cal: Ana +5. </think> to Planner: Cal: 8.   own words: thought, then claim

One line a step, as in `transcript`. A source is a line that somebody else said to the speaker, or in its hearing, or a
sentence of it. What the speaker said and thought in earlier steps is left out: it says again what others had said, and
as long as it stands there it hides what they did. Where nobody else said anything it is all there is, and is taken.
What is thought in the step itself is no source either: a claim that says again what was thought rests on what moved
the thought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from tracer.analyses.transcript import ADDRESS, NOTES, Line, lines
from tracer.errors import BadInputError
from tracer.records import Step
from tracer.sentences import split

Unit = Literal["step", "sentence"]
Span = tuple[int, int]
TASK = -1
"""The step of the task, where the log has it but no step says it."""
_OPEN, _CLOSE = " <think>", " </think>"


class Source(NamedTuple):
    """Something that the speaker had been told."""

    step: int
    start: int
    """Characters of the text; a whole line has the speaker's name and the line break."""
    end: int
    sentences: tuple[Span, ...]


class Statement(NamedTuple):
    """A step, and what stands before it."""

    step: int
    speaker: str
    text: str
    sources: tuple[Source, ...]
    own: int
    """Where the step's own words begin, behind its speaker's name and the colon."""
    thought: tuple[Span, ...]
    """Sentences of the step's own reasoning."""
    claims: tuple[Span, ...]

    def words(self, span: Span) -> str:
        """What stands there, on one line."""
        return " ".join(self.text[slice(*span)].split())


class Hearing(NamedTuple):
    """What of a run is taken for what the speaker was told."""

    public: bool = False
    """Everything that was said, not only what was said to it."""
    own: bool = False
    """What it said and thought itself in earlier steps, too."""
    prompts: bool = False
    """Its system messages whole, not only the notes in them."""


def statement(
    steps: Sequence[Step],
    index: int,
    hearing: Hearing | None = None,
    *,
    task: str = "",
    unit: Unit = "step",
    span: str | None = None,
) -> Statement:
    """What step `index` claims, and the sources that its speaker had; `span`: the claim is these words of the step."""
    hearing = hearing or Hearing()
    line = next((each for each in lines(steps) if each.step == index), None)
    if line is None:
        raise BadInputError(f"step {index} is a system message: it was given to an agent, and has no sources")
    heard = list(_heard(steps, line, hearing))
    if not heard and not hearing.own:
        heard = list(_heard(steps, line, hearing._replace(own=True)))
    told = " ".join(task.split())
    if told and line.speaker != "User" and not any(told in each.said for each in heard):
        heard.insert(0, Line(TASK, "User", "", "", f" {told}"))
    if not heard:
        raise BadInputError(f"step {index} has no earlier step that {line.speaker} could have had it from")
    pieces: list[str] = []
    sources: list[Source] = []
    at = 0
    for each in heard:
        text = each.text(line.speaker)
        sources += _sources(each, at, text, unit)
        pieces.append(text)
        at += len(text)
    text, own = "".join(pieces) + line.text(None), at + len(line.speaker) + 1
    thought, content = _own(line, own)
    claims = [_found(text, own, span, index)] if span is not None else content or thought
    return Statement(
        index,
        line.speaker,
        text,
        tuple(sources),
        own,
        tuple(each for each in thought if each not in claims),
        tuple(claims),
    )


def _heard(steps: Sequence[Step], line: Line, hearing: Hearing) -> Iterator[Line]:
    """The lines that the speaker of a line had before it: what it was given to begin with, then what was said."""
    yield from _given(steps, line, hearing.prompts)
    for each in lines(steps):
        heard = hearing.public or line.speaker in {each.speaker, each.to}
        if 0 <= each.step < line.step and heard and (hearing.own or each.speaker != line.speaker):
            yield each


def _given(steps: Sequence[Step], line: Line, prompts: bool) -> Iterator[Line]:
    """The speaker's system messages, or of each what stands behind `Notes:`; the same text once."""
    found: dict[str, Line] = {}
    for step in steps:
        if step.kind == "system" and step.agent == line.speaker:
            said, notes = " ".join(step.content.split()), NOTES.search(step.content)
            if prompts and said:
                found.setdefault(said, Line(step.index, "System", step.agent, "", f" to {step.agent}: {said}"))
            elif notes:
                kept = f" to {step.agent}: {' '.join(notes[1].split())}"
                found.setdefault(kept, Line(step.index, "Notes", step.agent, "", kept))
    yield from found.values()


def _sources(line: Line, at: int, text: str, unit: Unit) -> Iterator[Source]:
    """A line as one source, or its sentences as several."""
    sentences = tuple(_sentences(text, _content(line, len(line.speaker) + 1), len(text), at))
    if unit == "step":
        yield Source(line.step, at, at + len(text), sentences)
    else:
        yield from (Source(line.step, start, end, ((start, end),)) for start, end in sentences)


def _sentences(text: str, start: int, end: int, at: int = 0) -> Iterator[Span]:
    """The sentences of text[start:end] that say something, in characters counted from `at` on."""
    for found in split(text[start:end]):
        if text[start + found.start : start + found.end].strip():
            yield at + start + found.start, at + start + found.end


def _content(line: Line, at: int) -> int:
    """Where what is said begins, behind the addressee, in a text that holds it from `at` on."""
    found = ADDRESS.match(line.said.lstrip())
    return at + (found.end() + 1 if found else 0)


def _own(line: Line, own: int) -> tuple[list[Span], list[Span]]:
    """The sentences of what the speaker thought, and of what it says."""
    whole, said = line.own, len(line.thought)
    inside = (len(_OPEN), said - len(_CLOSE)) if line.thought else (0, 0)
    return list(_sentences(whole, *inside, own)), list(_sentences(whole, _content(line, said), len(whole), own))


def _found(text: str, own: int, span: str, index: int) -> Span:
    """Where a span stands in the step's own words, whatever white space it is written with."""
    words = span.split()
    found = re.search(r"\s+".join(map(re.escape, words)), text[own:]) if words else None
    if found is None:
        raise BadInputError(
            f"step {index} does not say {' '.join(words)!r}: `tracer show RUN:{index}` prints what it says"
        )
    return own + found.start(), own + found.end()
