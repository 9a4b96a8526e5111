"""What the world knows of a turn: how it should have been, what it really rests on, and in which way it went wrong.

None of this decides which step broke a run; that is measured by living it again (`tracer.analyses.world_labels`). It
gives the step found there its name, and the correct turn that is put in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracer.data.agents import LOST, Tools, World, used
from tracer.data.chains import CLEAN
from tracer.data.problems import Fact, Problem
from tracer.data.team_script import askers, equations, facts_in, scripted, solved
from tracer.data.teams import Turn, visible
from tracer.data.world_words import TOOLS

CALM = CLEAN._replace(check=0, late=0, filler=0, so_far=0, doubt=0)
KINDS = ("slip", "misread", "rumour", "tool", "hand-off", "check")
"""A computation that does not hold · a fact told otherwise than it was read · hearsay taken for a fact · a tool that
failed, found nothing or gave an old figure, and nobody noticed · something left out, changed or sent astray when
handing on · a wrong claim let pass by who was to check it."""
_BROKEN = {" Error.", " Nothing."}
_CLAIM = re.compile(r"([A-Z][a-z]+) is (\d+)\.")


def correct(made: World, turns: Sequence[Turn], place: int) -> Turn | None:
    """The turn that should stand at a place, given all before it; None where the talk had lost its way already.

    What the scripted agents say, but that a checker hands the right number on instead of arguing about a wrong one.
    """
    before = turns[:place]
    if turns[place].speaker in TOOLS:
        return used(made._replace(tools=Tools()), before, 0)
    # The rule knows one way in which a tool fails.
    before = [turn._replace(content=" Error.") if turn.content in _BROKEN else turn for turn in before]
    # Whether to use the calculator is the solver's own choice.
    calls = any(turn.to == "Calc" for turn in turns[: place + 1])
    try:
        turn = scripted(made.team._replace(calculator=calls), before, 0, CALM)
    except (LookupError, StopIteration, ValueError, AttributeError, RecursionError):  # facts may run in a circle
        return None
    # A checker that objects starts a quarrel that may end either way; the right number helps whoever gets it.
    objects = turn.speaker == "Checker" and turn.to == "Solver"
    return turn._replace(to="Reporter") if objects or (turn.to == "Checker" and not made.checked) else turn


def parents(made: World, turns: Sequence[Turn], place: int) -> frozenset[int]:
    """The turns whose content a turn uses: as its speaker's rule says where it did what the rule does.

    Where it did otherwise: what it was told last, the request that it works on, since every branch of every rule uses
    that, and whatever it says again, each time from who told it last. The rules read facts from there alone, also
    where the same was overheard before.
    """
    turn = turns[place]
    if turn.speaker in TOOLS:
        return frozenset({place - 1})
    right = correct(made, turns, place)
    if right is not None and (right.to, right.content) == (turn.to, turn.content):
        return right.parents
    last = {fact.text: k for k in _seen(made, turns, place) for fact in facts_in(turns[k].content)}
    said = {fact.text for fact in facts_in(turn.thought + turn.content)}
    request = _told(turns, place, askers(made.team, turn.speaker))
    return frozenset({place - 1, *request[-1:], *(last[text] for text in said & set(last))})


def _told(turns: Sequence[Turn], place: int, speakers: Sequence[str]) -> list[int]:
    """Where one of them spoke to the speaker of a turn."""
    return [k for k in range(place) if turns[k].to == turns[place].speaker and turns[k].speaker in speakers]


def _seen(made: World, turns: Sequence[Turn], place: int) -> list[int]:
    viewer = turns[place].speaker
    return [k for k in range(place) if turns[k].speaker != viewer and visible(turns[k], viewer, made.team.public)]


class Case(NamedTuple):
    """A turn with what its speaker had before it."""

    made: World
    turns: Sequence[Turn]
    place: int

    @property
    def turn(self) -> Turn:
        return self.turns[self.place]

    @property
    def last(self) -> Turn:
        """What the speaker was told last."""
        return self.turns[self.place - 1]

    @property
    def known(self) -> list[Fact]:
        """All facts and rumours that the speaker was shown."""
        return [fact for k in _seen(self.made, self.turns, self.place) for fact in facts_in(self.turns[k].content)]


def fault(made: World, turns: Sequence[Turn], place: int) -> str:
    """In which of KINDS a turn that broke a run went wrong."""
    case = Case(made, turns, place)
    return next((kind for kind, test in TESTS.items() if test(case)), "hand-off")


def _tool(case: Case) -> bool:
    """A tool's own answer; or a failed one that was not asked for again."""
    if case.turn.speaker in TOOLS:
        return True
    return case.last.speaker in TOOLS and case.last.content in _BROKEN and case.turn.to != case.last.speaker


def _rumour(case: Case) -> bool:
    """It says as a fact, or takes over, what only hearsay says."""
    claims = {(fact.subject, fact.value) for fact in case.known if fact.rumor}
    facts = {(fact.subject, fact.value) for fact in case.known if not fact.rumor and not fact.operands}
    told = [fact for fact in facts_in(case.turn.content) if not fact.operands]
    took = {(fact.subject, fact.value) for fact in facts_in(case.turn.thought) if fact.rumor}
    doubted = "only a rumor" in case.turn.thought
    return bool({(f.subject, f.value) for f in told} & claims - facts or (took & claims and not doubted))


def _check(case: Case) -> bool:
    """The checker hands on the very claim that it was given, and the claim is not what the facts give."""
    if case.turn.speaker != "Checker" or case.turn.to != "Reporter":
        return False
    given, passed = _CLAIM.findall(case.last.content), _CLAIM.findall(case.turn.content)
    right = correct(case.made, case.turns, case.place)
    return bool(given and passed and given[-1] == passed[-1] and right and right.content != case.turn.content)


def _slip(case: Case) -> bool:
    """A computation in the thought, or one asked of the calculator, does not hold or is not the one that is due."""
    thought = case.turn.thought
    if any(found["value"] and found[0] != solved(found) for found in equations(thought)):
        return True
    if case.turn.to == LOST or case.turn.to not in {*case.made.agents, *TOOLS, "User"}:
        return False
    return case.turn.speaker in {"Solver", "Checker", "Reporter"} and not _misread(case)


def _misread(case: Case) -> bool:
    """The thought, or what is said, states a fact that nobody told."""
    stated = [*_read(case), *facts_in(case.turn.content)]
    return any(not fact.rumor and fact.text not in _texts(case) for fact in stated)


def _read(case: Case) -> list[Fact]:
    """The facts in the thought; numbers that it has computed, and says again, are none."""
    values = {(found["name"], found["value"]) for found in equations(case.turn.thought)}
    return [
        fact for fact in facts_in(case.turn.thought) if fact.operands or (fact.subject, str(fact.value)) not in values
    ]


def _texts(case: Case) -> set[str]:
    computed = {
        f"{found['name']}: {found['value']}."
        for k in _seen(case.made, case.turns, case.place)
        for found in equations(case.turns[k].content)
        if found["value"]
    }
    return {fact.text for fact in case.known} | computed


TESTS: dict[str, Callable[[Case], bool]] = {
    "tool": _tool,
    "check": _check,
    "rumour": _rumour,
    "slip": _slip,
    "misread": _misread,
}
"""Each kind's test, in the order in which they are asked; what meets none is a bad hand-off."""


def suspect(made: World, turns: Sequence[Turn]) -> int | None:
    """Where a failed run most likely broke, by the rules and without living it again; None where they see nothing.

    The first turn that says something untrue, or nothing that can be used; a wrong computation that a checker then had
    before it is the checker's. It decides nothing but which runs are kept when one kind is frequent enough.
    """
    first = next((k for k in range(len(turns)) if not _sound(made, turns, k)), None)
    if first is None or turns[first].speaker not in {"Solver", "Calc"} or not made.checked:
        return first
    passed = range(first + 1, len(turns))
    return next((k for k in passed if turns[k].speaker == "Checker" and turns[k].to == "Reporter"), first)


def _sound(made: World, turns: Sequence[Turn], place: int) -> bool:
    """Whether a turn says only what is true, to somebody who is there, and hands on all that is needed."""
    turn, problem = turns[place], made.team.problem
    if turn.speaker in {"User", "Notes"} or turn.content in _BROKEN:
        return True
    if turn.speaker == "Calc":
        return all(found[0] == solved(found) for found in equations(turn.content))
    if turn.to == LOST or turn.to not in {*made.agents, *TOOLS, "User"}:
        return False
    values = {fact.subject: fact.value for fact in problem.facts if not fact.rumor}
    texts = {fact.text for fact in problem.facts} | {f"{name}: {value}." for name, value in values.items()}
    rumors_only = turn.speaker in TOOLS
    facts = facts_in(turn.content)
    if any(fact.text not in texts or (fact.rumor and not rumors_only) for fact in facts):
        return False
    if any(values.get(name) != int(value) for name, value in _CLAIM.findall(turn.content) if not rumors_only):
        return False
    if any(values.get(found["name"]) != int(equations(solved(found))[0]["value"]) for found in equations(turn.content)):
        return False
    if turn.to == "Solver" and turn.speaker != "Checker":
        return _complete(problem, {fact.text for fact in facts}) and turn.content.endswith(f" {problem.question}")
    return turn.to != "User" or turn.content == f" \\boxed{{ {problem.answer}}}"


def _complete(problem: Problem, told: set[str]) -> bool:
    """Whether the answer follows from these facts."""
    waiting = [problem.target]
    while waiting:
        known = [fact for fact in problem.facts if fact.subject == waiting[-1] and fact.text in told]
        waiting.pop()
        if not known:
            return False
        waiting += known[0].operands
    return True
