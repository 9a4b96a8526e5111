"""A step as somebody who wants its sources sees it: what its speaker had read, what it thought, and what it claims.

    Notes: to North: Ana: 3.                                   source, the system message of North
    Planner: to North: Cal?                                    source
    North: <think> Cal: Ana +5. </think> to Planner: Cal: 8.   own words: thought, then claim

The text is what the speaker saw up to its step, one line a step, as in `transcript`. A source is a line of it, or a
sentence in a line; the claims are the sentences of what the step says, or a span of it. What the agent thought in the
same step is no source but its own: a claim that only says again what was thought rests on what moved the thought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from tracer.analyses.transcript import ADDRESS, Line, lines
from tracer.errors import BadInputError
from tracer.records import Step
from tracer.sentences import split

Unit = Literal["step", "sentence"]
Span = tuple[int, int]
TASK = -1
"""The step of the task, where the log has it but no step says it."""


class Source(NamedTuple):
    """Something that the speaker had read."""

    step: int
    start: int
    """Characters of the text, the speaker's name and the line break included where it is a whole line."""
    end: int
    sentences: tuple[Span, ...]
    """Characters of its sentences."""


class Statement(NamedTuple):
    """A step, and what stands before it."""

    step: int
    text: str
    sources: tuple[Source, ...]
    own: int
    """Where the step's own words begin, behind its speaker's name and the colon."""
    thought: tuple[Span, ...]
    """Sentences of the step's own reasoning."""
    claims: tuple[Span, ...]
    public: bool
    """Whether everything that was said before is read, or only what its speaker said or was told."""

    def words(self, span: Span) -> str:
        """What stands there, on one line."""
        return " ".join(self.text[slice(*span)].split())


def statement(
    steps: Sequence[Step], index: int, *, public: bool, task: str = "", unit: Unit = "step", span: str | None = None
) -> Statement:
    """What step `index` claims, and the sources that its speaker had; `span` is a part of its words, taken as it is."""
    every = lines(steps)
    line = next((each for each in every if each.step == index), None)
    if line is None:
        raise BadInputError(f"step {index} is a system message: it was given, and has no sources")
    seen = [each for each in every if each.step < index and (public or line.speaker in {each.speaker, each.to})]
    pieces, sources, at = [], [], 0
    for step, text, said in _read(steps, seen, line.speaker, task):
        sources += _sources(step, at, text, said, unit)
        pieces.append(text)
        at += len(text)
    own = at + len(line.speaker) + 1
    text = "".join(pieces) + line.text(None)
    thought, content = _own(line, own, len(text))
    claims = [_found(text, own, span, index)] if span is not None else content or thought
    return Statement(index, text, tuple(sources), own, tuple(each for each in thought if each not in claims), tuple(claims), public)


def _read(steps: Sequence[Step], seen: Sequence[Line], viewer: str, task: str) -> Iterator[tuple[int, str, int]]:
    """Each line that the viewer had: its step, its text, and where in it what is said begins."""
    told = " ".join(task.split())
    if told and not any(told in line.said for line in seen):
        yield TASK, f"User: {told}\n", len("User:")
    for line in seen:
        step = line.step if line.step >= 0 else _holder(steps, line)
        yield step, line.text(viewer), len(line.speaker) + 1


def _holder(steps: Sequence[Step], line: Line) -> int:
    """The system message that brings somebody's notes."""
    said = line.said.removeprefix(f" to {line.to}: ")
    return next(k for k, step in enumerate(steps) if step.kind == "system" and said in " ".join(step.content.split()))


def _sources(step: int, at: int, text: str, said: int, unit: Unit) -> Iterator[Source]:
    """A line as one source, or its sentences as several."""
    sentences = tuple(_sentences(text, said, len(text), at))
    if unit == "step":
        yield Source(step, at, at + len(text), sentences)
    else:
        yield from (Source(step, start, end, ((start, end),)) for start, end in sentences)


def _sentences(text: str, start: int, end: int, at: int = 0) -> Iterator[Span]:
    """The sentences of text[start:end] that say something, in characters counted from `at` on."""
    for found in split(text[start:end]):
        if text[start + found.start : start + found.end].strip(" \n<>/think"):
            yield at + start + found.start, at + start + found.end


def _own(line: Line, own: int, end: int) -> tuple[list[Span], list[Span]]:
    """The sentences of what the speaker thought, and of what it says behind the addressee."""
    said = own + len(line.thought)
    found = ADDRESS.match(line.said.lstrip())
    content = said + (found.end() + 1 if found else 0)
    whole = " " * own + line.own
    inner = line.thought.removeprefix(" <think>").removesuffix("</think>")
    begin = own + len(" <think>") if line.thought else own
    return (
        list(_sentences(whole, begin, begin + len(inner))) if line.thought else [],
        list(_sentences(whole, content, end)),
    )


def _found(text: str, own: int, span: str, index: int) -> Span:
    """Where a span stands in the step's own words, whatever white space it is written with."""
    words = span.split()
    found = re.search(r"\s+".join(map(re.escape, words)), text[own:]) if words else None
    if found is None:
        raise BadInputError(f"step {index} does not say {span!r}: give words that stand in it, as `tracer show` prints them")
    return own + found.start(), own + found.end()
