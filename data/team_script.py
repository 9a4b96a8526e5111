"""Teams at work on problems of the pocket world: who holds which fact, what the tools answer, what a good agent says.

In a chain one researcher looks up all that is needed; in a star a planner asks several for it, one at a time; a group
does the same with everybody listening. Then a solver computes, with a calculator or without, a checker computes
again from the same facts, and a reporter answers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tracer.data.chains import CLEAN, NOISY, Noise, equation, result, trace
from tracer.data.problems import Fact, Problem, Shape, problem
from tracer.data.teams import Turn, parse, prompt
from tracer.data.world_words import RESEARCHERS, TOOLS

TEAM_SHAPE = Shape(operations=(2, 3), facts=(3, 5), shared=0, detours=0, rumors=0.3)
"""Nobody is needed twice: whoever a reply names is still to be asked for."""
PLAIN = CLEAN._replace(check=0, late=0, filler=0, so_far=0, doubt=0)
"""To the point."""
TOPOLOGIES = ("chain", "star", "group")
MAX_TURNS = 64
"""A talk that goes on for longer has lost its way."""


class Team(NamedTuple):
    """Who works on what, and how."""

    seed: int
    problem: Problem
    topology: str
    holders: dict[str, str]
    """The researcher who can tell of each person, by the person's name."""
    files: bool
    """Whether researchers look facts up in files, or have them in their notes."""
    calculator: bool
    faults: float
    """How often a look-up fails or gives a rumour first, and a calculation fails."""

    @property
    def public(self) -> bool:
        """Whether everybody hears everything."""
        return self.topology == "group"

    @property
    def researchers(self) -> list[str]:
        """Those who hold something, in the order of their names in RESEARCHERS."""
        held = set(self.holders.values())
        return [name for name in RESEARCHERS if name in held]


def team(seed: int, shape: Shape = TEAM_SHAPE, faults: float = 0.1) -> Team:
    """The team of a seed."""
    rng = random.Random(f"team {seed}")
    task = problem(seed, shape)
    topology = rng.choice(TOPOLOGIES)
    count = 1 if topology == "chain" else rng.choice((1, 2, 2, 3))
    who = sorted(rng.sample(RESEARCHERS, count), key=RESEARCHERS.index)
    holders = {name: rng.choice(who) for name in sorted({fact.subject for fact in task.facts})}
    files = topology == "chain" or rng.random() < 0.6
    return Team(seed, task, topology, holders, files, rng.random() < 0.5, faults)


def opening(made: Team) -> list[Turn]:
    """What stands before anybody acts: the notes, and the user's question."""
    question = f" {made.problem.question}"
    notes = [] if made.files else [_notes(made, name) for name in made.researchers]
    if made.topology == "chain":
        return [*notes, Turn("User", made.researchers[0], question)]
    held = "".join(f" {name}: {holder}." for name, holder in made.holders.items())
    return [*notes, Turn("User", "Planner", held + question)]


def _notes(made: Team, researcher: str) -> Turn:
    held = [fact for fact in made.problem.facts if made.holders[fact.subject] == researcher]
    return Turn("Notes", researcher, "".join(f" {fact.text}" for fact in held))


def tool_turn(made: Team, turns: Sequence[Turn]) -> Turn:
    """The answer to the call that was made last; the same call may fail once and then succeed."""
    call = turns[-1]
    before = sum((turn.to, turn.content) == (call.to, call.content) for turn in turns[:-1])
    rng = random.Random(f"tool {made.seed} {call.to} {call.content} {before}")
    fails = before == 0 and rng.random() < made.faults
    said = " Error." if fails else TOOL[call.to](made, call.content, before)
    return Turn(call.to, call.speaker, said, parents=frozenset({len(turns) - 1}))


def _look_up(made: Team, asked: str, before: int) -> str:
    """A rumour comes first where there is one; who asks again gets the fact."""
    name = asked.strip(" ?")
    facts = [fact for fact in made.problem.facts if fact.subject == name]
    facts.sort(key=lambda fact: fact.rumor != (before == 0))
    return f" {facts[0].text}" if facts else " Nothing."


def _calculate(_made: Team, asked: str, _before: int) -> str:
    """ " Ana = 1 +5?" gives " Ana = 1 +5 = 6."; what is no sum gives nothing."""
    found = _EQUATION.fullmatch(asked)
    if found is None or found["value"]:
        return " Nothing."
    return solved(found)


TOOL: dict[str, Callable[[Team, str, int], str]] = {"Files": _look_up, "Calc": _calculate}

_EQUATION = re.compile(
    r" (?P<name>[A-Z][a-z]+) = (?P<first>\d+) (?:(?P<step>[+-]\d+)|plus (?P<second>\d+))(?:\?| = (?P<value>\d+)\.)"
)
_FACT = re.compile(
    r"(?:(?P<subject>[A-Z][a-z]+): "
    r"(?:(?P<value>\d+)|(?P<first>[A-Z][a-z]+) (?:(?P<step>[+-]\d+)|plus (?P<second>[A-Z][a-z]+)))"
    r"|They say (?P<claimed>[A-Z][a-z]+) is (?P<claim>\d+))\."
)
_ASKED = re.compile(r"What is ([A-Z][a-z]+)\?")


def facts_in(text: str) -> list[Fact]:
    """The facts and rumours that a text states, in its order; a fact's own value is not known then, and is 0."""
    found = []
    for match in _FACT.finditer(text):
        if match["claimed"]:
            found.append(Fact(match["claimed"], int(match["claim"]), rumor=True))
        elif match["value"]:
            found.append(Fact(match["subject"], int(match["value"])))
        else:
            operands = tuple(name for name in (match["first"], match["second"]) if name)
            found.append(Fact(match["subject"], 0, operands, match["step"] or ""))
    return found


def equations(text: str) -> list[re.Match[str]]:
    """The computations in a text: `name`, `first`, `step` or `second`, `value`, and the sentence itself."""
    return list(_EQUATION.finditer(text))


def solved(match: re.Match[str]) -> str:
    """The computation with its right value."""
    fact = Fact(match["name"], 0, ("", "") if match["second"] else ("",), match["step"] or "")
    numbers = [int(match[key]) for key in ("first", "second") if match[key]]
    return equation(fact, numbers, result(fact, numbers))


class Said(NamedTuple):
    """What an agent decides to say, before it is a turn."""

    thought: str
    to: str
    content: str
    parents: set[int]


class Scene(NamedTuple):
    """All that an agent's rule looks at."""

    team: Team
    turns: Sequence[Turn]
    me: str
    rng: random.Random
    noise: Noise

    def told(self, *speakers: str) -> list[int]:
        """Turns in which one of them spoke to me."""
        return [k for k, turn in enumerate(self.turns) if turn.to == self.me and turn.speaker in speakers]


def _planner(scene: Scene) -> Said:
    """Ask for whoever is named and not yet told of, first operand first; then hand all to the solver."""
    task = scene.told("User")[-1]
    replies = scene.told(*RESEARCHERS)
    known = {fact.subject: (fact, k) for k in replies for fact in facts_in(scene.turns[k].content)}
    target = _ASKED.findall(scene.turns[task].content)[-1]
    latest = "".join(f" {fact.text}" for fact, told in known.values() if told == replies[-1])
    if agenda := _agenda(target, task, known):
        name, called = next(iter(agenda.items()))
        holder = scene.team.holders[name]
        thought = f"{latest}{_needs(agenda)} {name}: {holder}."
        return Said(thought, holder, f" {name}?", {task, called, len(scene.turns) - 1})
    stated = "".join(f" {fact.text}" for fact, _ in known.values())
    return Said(f"{latest} All facts are here.", "Solver", f"{stated} What is {target}?", {task, *replies})


def _agenda(target: str, task: int, known: dict[str, tuple[Fact, int]]) -> dict[str, int]:
    """Everybody who is needed and unknown, depth first, each with the turn that called for them."""
    found: dict[str, int] = {}
    followed: set[str] = set()  # what agents say may run in a circle
    waiting = [(target, task)]
    while waiting:
        name, called = waiting.pop()
        if name in followed:
            continue
        if name in known:
            followed.add(name)
            fact, told = known[name]
            waiting += [(operand, told) for operand in reversed(fact.operands)]
        else:
            found.setdefault(name, called)
    return found


def _needs(agenda: Iterable[str]) -> str:
    """The whole agenda, so that the next thought need not work it out from the talk: the next one first."""
    return "".join(f" We need {name}." for name in agenda)


def _researcher(scene: Scene) -> Said:
    if scene.team.topology == "chain":
        return _collect(scene)
    asked = scene.told("Planner")[-1]
    name = scene.turns[asked].content.strip(" ?")
    source = scene.told("Files" if scene.team.files else "Notes")[-1:]
    if scene.team.files and (not source or source[-1] < asked):
        return Said(f" Look up {name}.", "Files", f" {name}?", {asked})
    told = scene.turns[source[0]].content
    if told == " Error.":
        return Said(" Error. Try again.", "Files", f" {name}?", {asked, *source})
    facts = sorted((fact for fact in facts_in(told) if fact.subject == name), key=lambda fact: fact.rumor)
    believed = facts[-1].rumor and scene.rng.random() < scene.noise.told
    if believed:
        fact = facts[-1]
        return Said(f" {fact.text}", "Planner", f" {name}: {fact.value}.", {asked, *source})
    if facts[0].rumor:
        return Said(" Wait, only a rumor. Try again.", "Files", f" {name}?", {asked, *source})
    return Said(f" {facts[0].text}", "Planner", f" {facts[0].text}", {asked, *source})


def _collect(scene: Scene) -> Said:
    """In a chain: look up whoever is named and not yet told of, then hand all to the solver."""
    task, results = scene.told("User")[-1], scene.told("Files")
    target = _ASKED.findall(scene.turns[task].content)[-1]
    known: dict[str, tuple[Fact, int]] = {}
    for k in results:
        for fact in facts_in(scene.turns[k].content):
            # A rumour was believed if the same was not asked again; that a later fact takes its place shows the same.
            known[fact.subject] = (Fact(fact.subject, fact.value) if fact.rumor else fact), k
    latest = scene.turns[results[-1]].content if results else ""
    said = [fact for fact in facts_in(latest) if fact.rumor]
    if latest == " Error." or (said and scene.rng.random() >= scene.noise.told):
        opening_ = " Error." if latest == " Error." else " Wait, only a rumor."
        return Said(f"{opening_} Try again.", "Files", scene.turns[results[-1] - 1].content, {task, results[-1]})
    told = "".join(f" {fact.text}" for fact in facts_in(latest))
    if agenda := _agenda(target, task, known):
        name, called = next(iter(agenda.items()))
        return Said(f"{told}{_needs(agenda)}", "Files", f" {name}?", {task, called, len(scene.turns) - 1})
    stated = "".join(f" {fact.text}" for fact, _ in known.values())
    return Said(f"{told} All facts are here.", "Solver", f"{stated} What is {target}?", {task, *results})


def _solver(scene: Scene) -> Said:
    """Compute, and hand on what was asked with the answer behind it; think anew when the checker found another one."""
    handed = scene.told("Planner", *RESEARCHERS)[-1]
    task = _task(scene, handed)
    objections = scene.told("Checker")[-1:]
    if scene.team.calculator and not objections:
        return _calculating(scene, task, handed)
    made = trace(task, scene.rng.randrange(10**9), scene.noise)
    again = f" Wait, check {task.target}." if objections else ""
    return Said(again + made.cot, "Checker", _claim(scene, handed, made.answer), {handed, *objections})


def _task(scene: Scene, told: int) -> Problem:
    """The problem that a turn hands on."""
    content = scene.turns[told].content
    return Problem(scene.team.seed, tuple(facts_in(content)), _ASKED.findall(content)[-1])


def _claim(scene: Scene, handed: int, value: int) -> str:
    """All that the checker needs to work the same out."""
    content = scene.turns[handed].content
    return f"{content} {_ASKED.findall(content)[-1]} is {value}."


def _calculating(scene: Scene, task: Problem, handed: int) -> Said:
    """Think up to the next computation, and let the calculator do it."""
    results = scene.told("Calc")
    if results and scene.turns[results[-1]].content == " Error.":
        call = scene.turns[results[-1] - 1].content
        return Said(" Error. Try again.", "Calc", call, {handed, results[-1]})
    done = [k for k in results if scene.turns[k].content != " Error."]
    sentences = trace(task, scene.team.seed, PLAIN).sentences
    steps = [k for k, sentence in enumerate(sentences) if sentence.kind == "compute"]
    if len(done) == len(steps):
        value = int(equations(scene.turns[done[-1]].content)[-1]["value"])
        return Said(f" So {task.target} is {value}.", "Checker", _claim(scene, handed, value), {handed, *done})
    thought = "".join(s.text for s in sentences[steps[len(done) - 1] + 1 if done else 0 : steps[len(done)]])
    if done:
        thought = _use(task, [equations(scene.turns[k].content)[-1]["name"] for k in done]) + thought
    call = sentences[steps[len(done)]].text.rpartition(" = ")[0] + "?"
    return Said(thought, "Calc", call, {handed, *done})


def _use(task: Problem, computed: Sequence[str]) -> str:
    """What the person computed last is needed for, so that the next thought need not work it out."""
    facts = (fact for fact in task.facts if computed[-1] in fact.operands and fact.subject not in computed)
    return next((f" {fact.text}" for fact in facts), "")


def _checker(scene: Scene) -> Said:
    """Work it out again; what comes out otherwise goes back to the solver."""
    given = scene.told("Solver")[-1]
    claimed = f" {scene.turns[given].content.rpartition('? ')[2]}"
    if scene.rng.random() < scene.noise.check:
        return Said(" Fine.", "Reporter", claimed, {given})
    noise = PLAIN._replace(slip=scene.noise.slip, slip_carry=scene.noise.slip_carry)
    made = trace(_task(scene, given), scene.rng.randrange(10**9), noise)
    found = f" {made.problem.target} is {made.answer}."
    verdict, to = (" That was right.", "Reporter") if found == claimed else (" That was wrong.", "Solver")
    return Said(made.cot + verdict, to, found, {given})


def _reporter(scene: Scene) -> Said:
    told = scene.told("Checker")[-1]
    content = scene.turns[told].content
    return Said(f" So{content}", "User", f" \\boxed{{ {content.split()[-1].rstrip('.')}}}", {told})


RULES: dict[str, Callable[[Scene], Said]] = {
    "Planner": _planner,
    **dict.fromkeys(RESEARCHERS, _researcher),
    "Solver": _solver,
    "Checker": _checker,
    "Reporter": _reporter,
}
"""What each agent says next, given the talk so far."""


def askers(made: Team, agent: str) -> tuple[str, ...]:
    """Whose last words to an agent are the request that its rule works on, in every branch."""
    if agent in RESEARCHERS:
        return ("User",) if made.topology == "chain" else ("Planner",)
    return ASKERS.get(agent, ())


ASKERS = {"Planner": ("User",), "Solver": ("Planner", *RESEARCHERS), "Checker": ("Solver",), "Reporter": ("Checker",)}


def scripted(made: Team, turns: Sequence[Turn], seed: int, noise: Noise = NOISY) -> Turn:
    """The next turn of whoever was spoken to, by rule; the same for the same talk and seed."""
    me = turns[-1].to
    rng = random.Random(f"turn {made.seed} {seed} {len(turns)}")
    said = RULES[me](Scene(made, turns, me, rng, noise))
    return Turn(me, said.to, said.content, said.thought, frozenset(said.parents))


def play(made: Team, speak: Callable[[Sequence[Turn]], Turn | None]) -> list[Turn]:
    """The whole talk: tools answer calls, `speak` gives everybody else's turn, None ends it early."""
    turns = opening(made)
    while turns[-1].to != "User" and len(turns) < MAX_TURNS:
        turn = tool_turn(made, turns) if turns[-1].to in TOOLS else speak(turns)
        if turn is None:
            break
        turns.append(turn)
    return turns


def play_many(teams: Sequence[Team], complete: Callable[[Sequence[str]], list[str]]) -> list[list[Turn]]:
    """Many talks at once, every agent's turn a continuation of its view; a reply that is no turn ends its talk."""
    talks = [opening(made) for made in teams]
    open_ = list(range(len(teams)))
    while open_:
        for k in open_:
            while talks[k][-1].to in TOOLS:
                talks[k].append(tool_turn(teams[k], talks[k]))
        replies = complete([prompt(talks[k], talks[k][-1].to, teams[k].public) for k in open_])
        going = []
        for k, reply in zip(open_, replies, strict=True):
            turn = parse(talks[k][-1].to, reply)
            if turn is not None:
                talks[k].append(turn)
                if turn.to != "User" and len(talks[k]) < MAX_TURNS:
                    going.append(k)
        open_ = going
    return talks


def transcript(made: Team, seed: int, noise: Noise = NOISY) -> list[Turn]:
    """A talk in which everybody follows the rules, slips and beliefs included."""
    return play(made, lambda turns: scripted(made, turns, seed, noise))


def answer_of(turns: Sequence[Turn]) -> int | None:
    """What the user was told."""
    found = re.fullmatch(r" \\boxed\{ (\d+)\}", turns[-1].content) if turns[-1].to == "User" else None
    return int(found[1]) if found else None
