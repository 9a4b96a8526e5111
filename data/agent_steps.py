"""Turns of the agent world as steps of a run, and back: what a log of it says is all that re-living needs.

    Planner: <think> Leo: 1. All facts are here. </think> to Solver: Jon: Leo +4. Leo: 1. What is Jon?

is a hand-off of Planner's to Solver with its content `to Solver: Jon: ...` and its reasoning; a call has the question
as its argument; a tool's answer is a result; the answer to the user stands alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tracer.data.agents import LOST, World, begun, heard
from tracer.data.team_script import answer_of
from tracer.data.teams import Turn
from tracer.data.world_words import TOOLS
from tracer.records import Step, StepKind, ToolStatus

HANDS_ON = ("Solver", "Checker", "Reporter")
"""To be spoken to by another agent means, for these, to take the work over."""
TRANSFER = "transfer_to_"
STATUS: dict[str, ToolStatus] = {" Error.": "error", " Nothing.": "empty"}
_ROSTER = re.compile(r"Team (\d{1,16}): ")
_ADDRESS = re.compile(r"to ([A-Z][a-z]+):(.*)", re.DOTALL)


def roster(made: World) -> str:
    """The system message that heads every run: which team this is, and who belongs to it."""
    return f"Team {made.seed}: {', '.join(made.agents)}."


def seed_of(steps: Sequence[Step]) -> int | None:
    """The seed of the world that a run was lived in; None where no roster tells."""
    found = (_ROSTER.match(step.content) for step in steps if step.kind == "system")
    return next((int(match[1]) for match in found if match), None)


def instructions(made: World, agent: str) -> str:
    """An agent's system message: the roster, and what it has in its notes."""
    notes = "".join(turn.content for turn in begun(made)[:-1] if turn.to == agent)
    return f"{roster(made)} Notes:{notes}" if notes else roster(made)


def content_of(turn: Turn) -> str:
    """What a message says, its addressee included."""
    if turn.to == LOST:
        return turn.content
    return turn.content.lstrip() if "User" in {turn.to, turn.speaker} else f"to {turn.to}:{turn.content}"


def call_id(place: int) -> str:
    """Of the call at a place among the turns."""
    return f"call_{place}"


def steps_of(made: World, turns: Sequence[Turn]) -> list[Step]:
    """The turns as the steps that are read from their telemetry, system messages included."""
    steps: list[Step] = []
    before = 0
    for place, index in enumerate(places(made, turns)):
        if index is not None:
            steps += (_system(made, turns[place].speaker, k) for k in range(len(steps), index))
            steps.append(_step(turns, place, index, before))
            before = index
    return steps


def places(made: World, turns: Sequence[Turn]) -> list[int | None]:
    """The step of each turn; None for notes, which are no steps of their own.

    A roster stands before the first, and an agent's notes before the first time that it speaks.
    """
    first = len(begun(made)) - 1
    holders = {turn.to for turn in begun(made)[:first]}
    found: list[int | None] = [None] * first
    index = 1
    for turn in turns[first:]:
        if turn.speaker in holders:
            holders.remove(turn.speaker)
            index += 1
        found.append(index)
        index += 1
    return found


def noted(made: World, turns: Sequence[Turn]) -> list[int | None]:
    """`places`, with notes at the system message that holds them, right before their holder speaks; None if never."""
    found = places(made, turns)
    speaks = {turn.speaker: index for turn, index in reversed(list(zip(turns, found, strict=True)))}
    for k, turn in enumerate(turns[: len(begun(made)) - 1]):
        index = speaks.get(turn.to)
        found[k] = None if index is None else index - 1
    return found


def _system(made: World, speaker: str, index: int) -> Step:
    first = made.agents[0] if speaker == "User" else speaker
    return Step(index=index, agent=first, kind="system", role="system", content=instructions(made, speaker))


def _step(turns: Sequence[Turn], place: int, index: int, before: int) -> Step:
    turn = turns[place]
    if turn.speaker in TOOLS:
        return Step(
            index=index,
            agent=turn.speaker,
            kind="tool_result",
            role="tool",
            content=turn.content.strip(),
            recipient=turn.to,
            tool=turn.speaker,
            call_id=call_id(place - 1),
            tool_status=STATUS.get(turn.content, "ok"),
            parents=(before,),
        )
    if turn.speaker == "User":
        return Step(index=index, agent="user", kind="message", role="user", content=turn.content.strip())
    kind, tool = _kind(turn)
    calls = tool is not None
    return Step(
        index=index,
        agent=turn.speaker,
        kind=kind,
        role="assistant",
        content="" if kind == "tool_call" else content_of(turn),
        reasoning=turn.thought.strip() or None,
        reasoning_state="present" if turn.thought.strip() else "absent",
        recipient=turn.to if kind == "handoff" else None,
        tool=tool,
        arguments=_arguments(turn) if kind == "tool_call" else "{}" if calls else None,
        call_id=call_id(place) if calls else None,
        parents=(before,),
    )


def _arguments(turn: Turn) -> str:
    return json.dumps({"query": turn.content.strip()}, separators=(",", ":"))


def _kind(turn: Turn) -> tuple[StepKind, str | None]:
    if turn.to in TOOLS:
        return "tool_call", turn.to
    if turn.thought and not turn.content.strip():
        return "thought", None
    return ("handoff", f"{TRANSFER}{turn.to}") if turn.to in HANDS_ON else ("message", None)


def turns_of(made: World, steps: Sequence[Step]) -> list[Turn]:
    """The talk that these steps tell of; at least what stands before anybody acts."""
    spoken = [step for step in steps if step.kind != "system" and step.role != "user"]
    turns = begun(made)
    for step in spoken:
        turns.append(_turn(made, turns, step))
    return turns


def _turn(made: World, turns: Sequence[Turn], step: Step) -> Turn:
    thought = f" {step.reasoning.strip()}" if step.reasoning and step.reasoning.strip() else ""
    if step.kind == "tool_result":
        parents = frozenset({len(turns) - 1})
        return Turn(step.agent, turns[-1].speaker, f" {step.content.strip()}", parents=parents)
    if step.kind == "tool_call" and step.tool in TOOLS:
        return Turn(step.agent, step.tool, f" {_query(step)}", thought)
    found = _ADDRESS.match(step.content)
    if found:
        shown = f" <think>{thought} </think>" if thought else ""
        return heard(made, step.agent, f"{shown} to {found[1]}:{found[2]}")
    if step.content.startswith("\\boxed"):
        return Turn(step.agent, "User", f" {step.content}", thought)
    return Turn(step.agent, LOST, step.content, thought)


def _query(step: Step) -> str:
    try:
        found = json.loads(step.arguments or "")
    except ValueError:
        return ""
    return str(found.get("query", "")).strip() if isinstance(found, dict) else ""


def stated(turns: Sequence[Turn]) -> str | None:
    """The answer that the user was given, as the log has it."""
    return content_of(turns[-1]) if answer_of(turns) is not None else None
