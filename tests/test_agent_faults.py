"""What the world knows of a turn: every kind of fault on a turn written by hand, the correct one, its true sources."""

from __future__ import annotations

import pytest

from tracer.data.agent_faults import correct, fault, parents, suspect
from tracer.data.agents import LOST, Tools, World, begun, heard
from tracer.data.problems import Fact, Problem
from tracer.data.team_script import Team, askers, opening, scripted, team, tool_turn
from tracer.data.teams import Turn
from tracer.data.world_words import TOOLS

ASKED = Problem(0, (Fact("Ana", 6, ("Hal",), "+5"), Fact("Hal", 1), Fact("Hal", 3, rumor=True)), "Ana")
STAR = Team(0, ASKED, "star", {"Ana": "North", "Hal": "South"}, files=True, calculator=False, faults=0)
MADE = World(0, STAR, {}, checked=True, tools=Tools())
SAID = """\
Planner: <think> We need Ana. Ana: North. </think> to North: Ana?
North: <think> Look up Ana. </think> to Files: Ana?
Files: to North: Ana: Hal +5.
North: <think> Ana: Hal +5. </think> to Planner: Ana: Hal +5.
Planner: <think> Ana: Hal +5. We need Hal. Hal: South. </think> to South: Hal?
South: <think> Look up Hal. </think> to Files: Hal?
Files: to South: They say Hal is 3.
South: <think> Wait, only a rumor. Try again. </think> to Files: Hal?
Files: to South: Hal: 1.
South: <think> Hal: 1. </think> to Planner: Hal: 1.
Planner: <think> Hal: 1. All facts are here. </think> to Solver: Ana: Hal +5. Hal: 1. What is Ana?
Solver: <think> We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 6. So Ana is 6. </think> to Checker: Ana: Hal +5. Hal: 1. What is Ana? Ana is 6.
Checker: <think> We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 6. So Ana is 6. That was right. </think> to Reporter: Ana is 6.
Reporter: <think> So Ana is 6. </think> to User: \\boxed{ 6}
"""  # noqa: E501 - one turn a line, as the agents see it


def talk(*changed: tuple[int, str]) -> list[Turn]:
    """The talk above from the user's question on, up to the last of the lines that are changed."""
    lines = SAID.splitlines()
    for place, line in changed:
        lines[place - 1] = line
    turns = begun(MADE)
    for line in lines[: max((place for place, _ in changed), default=len(lines))]:
        speaker, _, rest = line.partition(":")
        turns.append(heard(MADE, speaker, rest))
    return turns


CASES: dict[str, list[tuple[int | str, ...]]] = {
    "tool": [
        (3, "Files: to North: Ana: Hal +2."),
        (6, "South: <think> Look up Hal. </think> to Files: Hal?", 7, "Files: to South: Error.", 8,
         "South: <think> Hal: 4. </think> to Planner: Hal: 4."),
    ],
    "rumour": [(8, "South: <think> They say Hal is 3. </think> to Planner: Hal: 3.")],
    "misread": [
        (4, "North: <think> Ana: Hal +3. </think> to Planner: Ana: Hal +3."),
        (11, "Planner: <think> Hal: 1. All facts are here. </think> to Solver: Ana: Hal +5. Hal: 7. What is Ana?"),
    ],
    "hand-off": [
        (11, "Planner: <think> Hal: 1. All facts are here. </think> to Solver: Ana: Hal +5. What is Ana?"),
        (10, "South: <think> Hal: 1. </think> to West: Hal: 1."),
        (12, "Solver: <think> We need Ana."),
    ],
    "slip": [
        (12, "Solver: <think> We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 7. So Ana is 7. </think> to Checker: "
         "Ana: Hal +5. Hal: 1. What is Ana? Ana is 7."),
        (13, "Checker: <think> Ana: Hal +5. Hal: 1. Ana = 1 +5 = 8. So Ana is 8. That was right. </think> "
         "to Reporter: Ana is 8."),
    ],
    "check": [
        (12, "Solver: <think> Ana = 1 +5 = 7. So Ana is 7. </think> to Checker: Ana: Hal +5. Hal: 1. What is Ana? "
         "Ana is 7.", 13, "Checker: <think> Fine. </think> to Reporter: Ana is 7."),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "lines"), [(kind, lines) for kind, cases in CASES.items() for lines in cases])
def test_a_fault_is_called_by_its_kind(kind: str, lines: tuple[int | str, ...]) -> None:
    """The last of the changed turns is the one that broke it."""
    changed = [(int(lines[k]), str(lines[k + 1])) for k in range(0, len(lines), 2)]
    turns = talk(*changed)
    assert fault(MADE, turns, len(turns) - 1) == kind
    assert suspect(MADE, turns) == len(turns) - 1


def test_in_a_sound_talk_nothing_is_suspect() -> None:
    """Rumours that a file gives, and that are not believed, are no fault of anybody's."""
    assert suspect(MADE, talk()) is None


def test_every_turn_of_a_sound_talk_is_the_correct_one() -> None:
    """What the rule says in the place of each is what was said; from the tool the fact itself, not the rumour."""
    turns = talk()
    for place in range(1, len(turns)):
        right = correct(MADE, turns, place)
        assert right is not None
        assert (right.to, right.content) == (turns[place].to, turns[place].content)


def test_a_checker_hands_the_right_number_on() -> None:
    """The solver claims 7; whatever was said in the checker's place, 6 should go to the reporter."""
    lines = CASES["check"][0]
    turns = talk((int(lines[0]), str(lines[1])), (int(lines[2]), str(lines[3])))
    right = correct(MADE, turns, len(turns) - 1)
    assert right is not None
    assert (right.to, right.content) == ("Reporter", " Ana is 6.")
    assert right.thought.endswith(" That was wrong.")


def test_after_a_tool_that_found_nothing_the_correct_turn_asks_again() -> None:
    """The rule knows errors only; nothing is as good as one."""
    turns = talk((7, "Files: to South: Nothing."), (8, "South: <think> Hal: 4. </think> to Planner: Hal: 4."))
    right = correct(MADE, turns, 8)
    assert right is not None
    assert (right.to, right.content) == ("Files", " Hal?")


def test_where_the_talk_has_lost_its_way_nothing_is_correct() -> None:
    """The reporter was spoken to before any checker was."""
    turns = [*talk()[:4], Turn("North", "Reporter", " Ana: Hal +5."), Turn("Reporter", LOST, "")]
    assert correct(MADE, turns, 5) is None


def test_true_sources_are_what_a_turn_uses() -> None:
    """By hand: the planner's hand-off rests on the question (0) and both replies (4, 10), the checker on the claim."""
    turns = talk()
    assert parents(MADE, turns, 11) == {0, 4, 10}
    assert parents(MADE, turns, 9) == {8}
    assert parents(MADE, turns, 13) == {12}
    wrong = talk((11, "Planner: <think> Hal: 1. All facts are here. </think> to Solver: Ana: Hal +5. What is Ana?"))
    assert parents(MADE, wrong, 11) == {0, 4, 10}


def test_who_did_otherwise_than_the_rule_still_worked_on_what_was_asked() -> None:
    """South believes the rumour (7) that it was told when asked about Hal (5): its rule uses both in every branch."""
    believed = talk((8, "South: <think> They say Hal is 3. </think> to Planner: Hal: 3."))
    assert parents(MADE, believed, 8) == {5, 7}


def test_what_is_said_again_comes_from_who_told_it_last() -> None:
    """In a public talk the solver heard `Ana: Hal +5.` from the file (3), from North (4) and from the planner (11)."""
    public = MADE._replace(team=MADE.team._replace(topology="group"))
    claim = "to Checker: Ana: Hal +5. Hal: 1. What is Ana? Ana is 7."
    turns = talk((12, f"Solver: <think> Ana: Hal +5. Ana = 1 +5 = 7. So Ana is 7. </think> {claim}"))
    assert parents(public, turns, 12) == {11}


def test_every_branch_of_every_rule_uses_the_request() -> None:
    """In scripted talks of all topologies, with failing tools, rumours and doubts: 60 teams."""
    for seed in range(60):
        made = team(seed, faults=0.3)
        turns = opening(made)
        while turns[-1].to not in {"User", ""} and len(turns) < 60:
            tool = turns[-1].to in TOOLS
            turns.append(tool_turn(made, turns) if tool else scripted(made, turns, seed))
        for place, turn in enumerate(turns):
            who = askers(made, turn.speaker)
            asked = [k for k in range(place) if turns[k].to == turn.speaker and turns[k].speaker in who]
            if turn.speaker not in {"User", "Notes", *TOOLS}:
                assert asked[-1] in turn.parents


def test_facts_that_run_in_a_circle_have_no_correct_turn() -> None:
    """The planner says that Ana rests on Hal, and Hal on Ana: nobody can work that out, and nothing breaks."""
    circle = "Planner: <think> All facts are here. </think> to Solver: Ana: Hal +5. Hal: Ana +1. What is Ana?"
    turns = talk((11, circle), (12, SAID.splitlines()[11]))
    assert correct(MADE, turns, len(turns) - 1) is None
    assert len(turns) - 2 in parents(MADE, turns, len(turns) - 1)


def test_a_planner_that_was_told_a_circle_asks_for_no_end() -> None:
    """North says that Ana rests on Ana: the planner has all facts there are, and says so."""
    turns = talk((4, "North: <think> Ana: Ana +5. </think> to Planner: Ana: Ana +5."), (5, "Planner: to Solver: no"))
    right = correct(MADE, turns, len(turns) - 1)
    assert right is not None
    assert (right.to, right.content) == ("Solver", " Ana: Ana +5. What is Ana?")
