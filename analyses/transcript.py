"""A run as the text that a language model reads: the whole talk with everybody's thoughts, or what one agent saw of it.

    Planner: <think> We need Cal. </think> to North: Cal?
    North: <think> Look up Cal. </think> to Files: Cal?
    Files: to North: Cal: Ana plus Hal.

One line a step: who, the own reasoning, for whom, what. This is how the pocket model was taught to read a talk
(`tracer.data.teams`). Of system prompts only notes are read, and they stand first; line breaks inside a step become
blanks. Which steps an agent saw no log tells: what it said or was told, or all that was said where the talk is public.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from tracer.analyses.view import USER_ROLES
from tracer.records import Step

NOTES = re.compile(r"\bNotes:(.*)", re.DOTALL)
ADDRESS = re.compile(r"to ([^\s:]{1,64}):")


class Line(NamedTuple):
    """One step as a line; of a system prompt `step` is -1."""

    step: int
    speaker: str
    to: str
    thought: str
    said: str

    @property
    def own(self) -> str:
        """What follows the speaker's name and its colon, as the speaker wrote it."""
        return f"{self.thought}{self.said}\n"

    def text(self, viewer: str | None) -> str:
        """The line as somebody sees it: thoughts are the speaker's own; None sees all."""
        return f"{self.speaker}:{self.own if viewer in {None, self.speaker} else self.said + chr(10)}"


class Place(NamedTuple):
    """Where in a text a step stands, in characters."""

    step: int
    start: int
    """Behind the speaker's name and its colon."""
    said: int
    """Where the reasoning ends, and the addressee stands."""
    content: int
    """Where that ends, and what is told begins."""
    end: int
    """Behind the line break."""


class Read(NamedTuple):
    """A text, and where the steps in it stand."""

    text: str
    places: tuple[Place, ...]


def lines(steps: Sequence[Step]) -> list[Line]:
    """The steps as lines, notes first."""
    notes = dict.fromkeys(_notes(steps))
    return [*notes, *(_line(steps, k) for k, step in enumerate(steps) if step.kind != "system")]


def _notes(steps: Sequence[Step]) -> Iterator[Line]:
    for step in steps:
        found = NOTES.search(step.content) if step.kind == "system" else None
        if found:
            yield Line(-1, "Notes", step.agent, "", f" to {step.agent}: {_flat(found[1])}")


def _line(steps: Sequence[Step], index: int) -> Line:
    step = steps[index]
    name = "User" if step.agent.lower() in USER_ROLES else step.agent
    thought = f" <think> {_flat(step.reasoning)} </think>" if step.reasoning and step.reasoning.strip() else ""
    said = _said(step)
    if found := ADDRESS.match(said):
        return Line(index, name, found[1], thought, f" {said}")
    to = _addressee(steps, index)
    return Line(index, name, to, thought, (f" to {to}: {said}" if to else f" {said}").rstrip())


def _said(step: Step) -> str:
    said = _flat(step.content)
    if step.kind == "tool_call":
        said = f"{said} {asked(step)}".strip()
    return said


def asked(call: Step) -> str:
    """The one text among a call's arguments, else the arguments as they are."""
    arguments = call.arguments or ""
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return _flat(arguments)
    values = list(found.values()) if isinstance(found, dict) else []
    return _flat(values[0]) if len(values) == 1 and isinstance(values[0], str) else _flat(arguments)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _addressee(steps: Sequence[Step], index: int) -> str:
    """For whom a step is that does not say so itself: the tool it calls, whoever is named, else who acts next."""
    step = steps[index]
    if step.kind == "tool_call" and step.tool:
        return step.tool
    if step.recipient:
        return step.recipient
    if index == len(steps) - 1:
        return "User"
    return next((each.agent for each in steps[index + 1 :] if each.kind != "system"), "")


def whole(steps: Sequence[Step]) -> Read:
    """The talk with everybody's thoughts."""
    return _read(lines(steps), None)


def view(steps: Sequence[Step], agent: str, *, public: bool, until: int | None = None) -> Read:
    """What an agent saw by the end, or up to and with step `until`; the places are its own steps."""
    last = len(steps) if until is None else until
    seen = [
        line
        for line in lines(steps)
        if line.step <= last and (agent in {line.speaker, line.to} or (public and line.step >= 0))
    ]
    return _read(seen, agent)


def _read(seen: Sequence[Line], viewer: str | None) -> Read:
    pieces: list[str] = []
    places, at = [], 0
    for line in seen:
        text = line.text(viewer)
        if line.step >= 0 and viewer in {None, line.speaker}:
            start = at + len(line.speaker) + 1
            said = start + len(line.thought)
            content = said + (found.end() if (found := ADDRESS.match(line.said.lstrip())) else -1) + 1
            places.append(Place(line.step, start, said, content, at + len(text)))
        pieces.append(text)
        at += len(text)
    return Read("".join(pieces), tuple(places))
