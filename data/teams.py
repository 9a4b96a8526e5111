"""How a team's talk is written: one function renders it for training and for the agents that the model later drives.

    User: to Planner: Ana: North. Hal: South. Cal: North. What is Cal?
    Planner: <think> We need Cal. Cal: North. </think> to North: Cal?
    North: <think> Look up Cal. </think> to Files: Cal?
    Files: to North: Cal: Ana plus Hal.
    North: <think> Cal: Ana plus Hal. </think> to Planner: Cal: Ana plus Hal.

A turn is one line: the speaker, the speaker's own short reasoning, whom it is for, and what is said. What is for a tool
is a call, what a tool says is its result; whoever is spoken to speaks next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from tracer.data.world_words import AGENTS, TOOLS


class Turn(NamedTuple):
    """One line of the talk."""

    speaker: str
    to: str
    content: str
    """With the space before it, as all texts of the world."""
    thought: str = ""
    parents: frozenset[int] = frozenset()
    """The turns whose content this one uses."""

    @property
    def text(self) -> str:
        """The line without the thought, as others see it."""
        return f"{self.speaker}: to {self.to}:{self.content}\n"

    @property
    def full(self) -> str:
        """The line as its speaker wrote it."""
        return f"{self.speaker}:{completion(self)}" if self.thought else self.text


def completion(turn: Turn) -> str:
    """What the speaker adds to the view that ends in its name and a colon."""
    thought = f" <think>{turn.thought} </think>" if turn.thought else ""
    return f"{thought} to {turn.to}:{turn.content}\n"


def visible(turn: Turn, viewer: str | None, public: bool) -> bool:
    """Whether an agent sees a turn: what it said or was told, and in a public talk all but the others' notes."""
    if viewer is None or viewer in {turn.speaker, turn.to}:
        return True
    return public and turn.speaker != "Notes"


def render(turns: Sequence[Turn], viewer: str | None = None, public: bool = False) -> str:
    """The talk as one agent sees it, with that agent's own thoughts; with no viewer all of it and everyone's thoughts.

    An agent's view that ends in `"{viewer}:"` is what the model is asked to continue; its reply ends with the line.
    """
    return "".join(
        turn.full if viewer in {None, turn.speaker} else turn.text for turn in turns if visible(turn, viewer, public)
    )


def prompt(turns: Sequence[Turn], speaker: str, public: bool) -> str:
    """What the model continues when it is the speaker's turn."""
    return f"{render(turns, speaker, public)}{speaker}:"


_TURN = re.compile(r"(?: <think>(?P<thought>[^\n]*?) </think>)? to (?P<to>[A-Z][a-z]+):(?P<content>[^\n]+)\n?")


def parse(speaker: str, reply: str) -> Turn | None:
    """The turn that a reply stands for; None when it is none, or speaks to nobody there is."""
    found = _TURN.fullmatch(reply)
    if found is None or found["to"] not in {*AGENTS, *TOOLS, "User"} - {speaker}:
        return None
    return Turn(speaker, found["to"], found["content"], found["thought"] or "")
