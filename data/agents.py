"""The agent world: teams that really fail. Every agent is a sample of the pocket model, every tool may err.

`world(seed)` settles the team, its problem, how hasty each agent is and how good the tools are: in most teams one or
two agents are sampled at a higher temperature than the others. `live` lets a talk go on from wherever it stands.
Nothing is planted: what goes wrong is what the model says, or what a tool gives, in that life. Another seed of the life
gives other words and other tool faults, in the same world.

    world(7)                                   the team, its tools, its temperatures
    live([Life(world(7), opening, seed=1)])    a whole run of it
    live([Life(world(7), turns[:9], seed=2)])  the first nine turns kept, all that follows lived again
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracer.data.problems import Fact
from tracer.data.team_script import TEAM_SHAPE, TOOL, Team, answer_of, opening, team
from tracer.data.teams import Turn, parse, prompt
from tracer.data.voices import Ask, Voices
from tracer.data.world_words import LARGEST, STEPS, TOOLS

REVISION = "agents-2"
"""Changes when the same seed gives another run."""
LONGEST = 40
"""Turns; a team that has no answer by then has none."""
STEADY = 0.35
"""Temperature of every agent that is not hasty."""
LOST = ""
"""Whom a reply is for that names nobody: it ends the run."""


class Tools(NamedTuple):
    """How often a call goes wrong when it is made for the first time; who asks again is answered."""

    error: float = 0.0
    empty: float = 0.0
    stale: float = 0.0
    """Only a look-up: it gives an older figure, and nothing shows it."""
    wrong: float = 0.0
    """Only the calculator: its result is a little off."""


class World(NamedTuple):
    """What a seed settles; all lives of a run share it."""

    seed: int
    team: Team
    heat: dict[str, float]
    """Temperature by agent."""
    checked: bool
    """Whether there is a checker; without one, what the solver finds goes to the reporter."""
    tools: Tools

    @property
    def agents(self) -> list[str]:
        """Who is there."""
        first = [] if self.team.topology == "chain" else ["Planner"]
        return [*first, *self.team.researchers, "Solver", *(["Checker"] if self.checked else []), "Reporter"]


class Life(NamedTuple):
    """A talk so far, and the seed of how it goes on."""

    world: World
    turns: Sequence[Turn]
    seed: int
    said: str = ""
    """How the next turn begins, where its beginning is kept, too; it is an agent's."""


class Climate(NamedTuple):
    """What kind of team it is: who in it is hasty, and how good its tools are."""

    hasty: dict[str, float]
    """Temperature of those who are not steady; "Researcher" stands for one of them, and who is not there is skipped."""
    tools: Tools
    checked: float
    """How often there is a checker."""
    rumors: float = TEAM_SHAPE.rumors
    """How often hearsay is among the facts."""
    operations: tuple[int, ...] = TEAM_SHAPE.operations
    """How many computations lead to the answer: drawn from these."""


GOOD = Tools(error=0.1, empty=0.04)
CLIMATES: dict[str, tuple[float, Climate]] = {
    "hearsay": (0.3, Climate({"Researcher": 1.1}, GOOD, 0.7, rumors=1.0)),
    "hasty research": (0.1, Climate({"Researcher": 1.2}, GOOD, 0.7)),
    "hasty plan": (0.08, Climate({"Planner": 1.2, "Solver": 0.6}, GOOD, 0.7)),
    "hasty sums": (0.1, Climate({"Solver": 1.0}, GOOD, 0.3)),
    "hasty check": (0.07, Climate({"Solver": 1.0, "Checker": 1.0}, GOOD, 1.0, operations=(2,))),
    "bad calculator": (0.24, Climate({"Checker": 1.0}, GOOD._replace(wrong=0.4), 1.0, operations=(2,))),
    "unchecked calculator": (0.1, Climate({}, GOOD._replace(wrong=0.25), 0.0, operations=(2,))),
    "old files": (0.05, Climate({}, Tools(error=0.1, empty=0.04, stale=0.08), 0.7)),
}
"""Each with its share of the worlds."""


def world(seed: int) -> World:
    """The world of a seed."""
    rng = random.Random(f"world {seed}")
    name = rng.choices(list(CLIMATES), [share for share, _ in CLIMATES.values()])[0]
    climate = CLIMATES[name][1]
    shape = TEAM_SHAPE._replace(rumors=climate.rumors, operations=climate.operations)
    made = team(seed, shape, faults=0)
    found = World(seed, made, {}, rng.random() < climate.checked, climate.tools)
    named = {"Researcher": rng.choice(made.researchers)}
    heat = {named.get(agent, agent): each for agent, each in climate.hasty.items()}
    return found._replace(heat={agent: heat.get(agent, STEADY) for agent in found.agents})


def begun(made: World) -> list[Turn]:
    """What stands before anybody acts."""
    return opening(made.team)


def live(lives: Sequence[Life], voices: Voices) -> list[list[Turn]]:
    """The whole talks, each from where it stands to its end; a life does not depend on the others."""
    talks = [list(life.turns) for life in lives]
    open_ = [k for k, life in enumerate(lives) if not over(life.world, talks[k])]
    while open_:
        for k in open_:
            if talks[k][-1].to in TOOLS:
                talks[k].append(used(lives[k].world, talks[k], lives[k].seed))
        open_ = [k for k in open_ if not over(lives[k].world, talks[k])]
        asks = [_ask(lives[k], talks[k]) for k in open_]
        for k, reply in zip(open_, voices.say(asks), strict=True):
            said = lives[k].said if len(talks[k]) == len(lives[k].turns) else ""
            talks[k].append(heard(lives[k].world, talks[k][-1].to, said + reply))
        open_ = [k for k in open_ if not over(lives[k].world, talks[k])]
    return talks


def _ask(life: Life, turns: Sequence[Turn]) -> Ask:
    speaker = turns[-1].to
    said = life.said if len(turns) == len(life.turns) else ""
    return Ask(prompt(turns, speaker, life.world.team.public) + said, life.world.heat[speaker], life.seed)


def over(made: World, turns: Sequence[Turn]) -> bool:
    """Whether nobody speaks any more: the user was answered, nobody was spoken to, or the talk is too long."""
    spoken_to = turns[-1].to
    return len(turns) >= LONGEST or spoken_to not in {*made.agents, *TOOLS}


def heard(made: World, speaker: str, reply: str) -> Turn:
    """A reply as a turn; where it names nobody, it is for LOST. Tags beyond the thought's own are dropped."""
    found = _REPLY.fullmatch(reply)
    thought, said = (found["thought"], found["said"] or "") if found else ("", reply)
    said = _TAG.sub("", said)
    shown = f" <think>{thought} </think>" if found else ""
    turn = parse(speaker, shown + said)
    if turn is None:
        return Turn(speaker, LOST, said, thought)
    if turn.to == "Checker" and not made.checked:
        return turn._replace(to="Reporter")
    return turn


_REPLY = re.compile(r" <think>(?P<thought>.*?)(?: </think>(?P<said>.*))?", re.DOTALL)
_TAG = re.compile(r" ?</?think>")


def used(made: World, turns: Sequence[Turn], seed: int) -> Turn:
    """What the tool gives that was called last, in a life of this seed."""
    call = turns[-1]
    before = sum((turn.to, turn.content) == (call.to, call.content) for turn in turns[:-1])
    rng = random.Random(f"tool {made.seed} {seed} {call.to} {call.content} {before}")
    draw = rng.random() if before == 0 else 1.0
    said = TOOL[call.to](made.team, call.content, before)
    for fault, give in FAULTS.items():
        share = getattr(made.tools, fault)
        if draw < share:
            said = give(said, rng)
            break
        draw -= share
    return Turn(call.to, call.speaker, said, parents=frozenset({len(turns) - 1}))


def _stale(said: str, rng: random.Random) -> str:
    """An older figure in the place of a look-up's; what holds none, or a sum, is given as it is."""
    from tracer.data.team_script import facts_in

    facts = [] if "=" in said else [fact for fact in facts_in(said) if not fact.rumor]
    if len(facts) != 1 or len(facts[0].operands) == 2:
        return said
    [fact] = facts
    return f" {_older(fact, rng).text}"


def _off(said: str, rng: random.Random) -> str:
    """Another number behind the last sign of equality; what holds no sum is given as it is."""
    sum_, sign, value = said.rpartition(" = ")
    right = int(value.rstrip(".")) if sign else -1
    wrong = [number for number in range(max(0, right - 3), min(LARGEST, right + 3) + 1) if number != right]
    return f"{sum_} = {rng.choice(wrong)}." if sign else said


def _older(fact: Fact, rng: random.Random) -> Fact:
    if fact.step:
        return fact._replace(step=rng.choice([step for step in STEPS if step != fact.step]))
    return fact._replace(value=rng.choice([value for value in range(1, LARGEST // 3) if value != fact.value]))


FAULTS: dict[str, Callable[[str, random.Random], str]] = {
    "error": lambda _said, _rng: " Error.",
    "empty": lambda _said, _rng: " Nothing.",
    "stale": _stale,
    "wrong": _off,
}
"""How a tool goes wrong: the right answer -> what it gives."""


def solved(made: World, turns: Sequence[Turn]) -> bool:
    """Whether the user was told the right number."""
    return answer_of(turns) == made.team.problem.answer
