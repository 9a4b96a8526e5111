"""The agent world: what a seed settles, how a talk goes on, how tools go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tracer.data.agents import LONGEST, LOST, Life, Tools, World, begun, heard, live, over, solved, used, world
from tracer.data.problems import Fact, Problem
from tracer.data.team_script import Team
from tracer.data.teams import Turn, prompt
from tracer.data.world_words import RESEARCHERS

ASKED = Problem(0, (Fact("Ana", 6, ("Hal",), "+5"), Fact("Hal", 1), Fact("Hal", 3, rumor=True)), "Ana")
STAR = Team(0, ASKED, "star", {"Ana": "North", "Hal": "South"}, files=True, calculator=True, faults=0)
HEAT = dict.fromkeys(("Planner", "North", "South", "Solver", "Reporter"), 0.35)
BY_HAND = World(0, STAR, HEAT, checked=False, tools=Tools())
CALL = [*begun(BY_HAND), Turn("Planner", "South", " Hal?"), Turn("South", "Files", " Hal?")]


def test_a_world_is_the_same_in_every_process() -> None:
    """Two hash seeds, one world."""
    code = "from tracer.data.agents import world; print([world(seed) for seed in range(20)])"
    command = [sys.executable, "-c", code]
    found = {
        subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_teams_have_three_to_eight_agents_and_every_agent_a_temperature() -> None:
    """Of 300 worlds."""
    worlds = [world(seed) for seed in range(300)]
    assert {len(each.agents) for each in worlds} <= set(range(3, 9))
    assert all(set(each.heat) == set(each.agents) for each in worlds)
    assert set(Counter(each.team.topology for each in worlds)) == {"chain", "star", "group"}
    assert {"Checker" in each.agents for each in worlds} == {True, False}


def test_who_hands_over_to_a_checker_that_is_not_there_speaks_to_the_reporter() -> None:
    """The team has none."""
    reply = " <think> So Ana is 6. </think> to Checker: Ana is 6."
    assert heard(BY_HAND, "Solver", reply) == Turn("Solver", "Reporter", " Ana is 6.", " So Ana is 6.")
    assert heard(BY_HAND._replace(checked=True), "Solver", reply).to == "Checker"


@pytest.mark.parametrize(
    ("reply", "turn"),
    [
        (" <think> Hal: 1.", Turn("North", LOST, "", " Hal: 1.")),
        (" to Kim: Hal: 1.", Turn("North", LOST, " to Kim: Hal: 1.")),
        ("", Turn("North", LOST, "")),
        (" <think> A. </think> to Solver: B. </think> to Files: C", Turn("North", "Solver", " B. to Files: C", " A.")),
    ],
)
def test_a_reply_that_names_nobody_is_lost_and_tags_are_no_content(reply: str, turn: Turn) -> None:
    """Cut off while thinking; to somebody who is no agent; empty; with a second thought in what is said."""
    assert heard(BY_HAND, "North", reply) == turn


def test_a_talk_is_over_when_nobody_speaks_any_more() -> None:
    """The user was answered, nobody was spoken to, an agent that is not there was, or it is too long."""
    assert not over(BY_HAND, CALL)
    assert over(BY_HAND, [*CALL, Turn("South", "User", " \\boxed{ 1}")])
    assert over(BY_HAND, [*CALL, Turn("South", LOST, "")])
    assert over(BY_HAND, [*CALL, Turn("South", "West", " Hal?")])
    assert over(BY_HAND, CALL * LONGEST)


def test_a_good_tool_gives_the_rumour_first_and_then_the_fact() -> None:
    """As in the teams that the model was trained on."""
    first = used(BY_HAND, CALL, 5)
    assert first == Turn("Files", "South", " They say Hal is 3.", parents=frozenset({2}))
    assert used(BY_HAND, [*CALL, first, CALL[-1]], 5).content == " Hal: 1."


def test_tools_go_wrong_as_often_as_they_are_said_to_and_differ_by_life() -> None:
    """Of 1,000 lives 300 +- 45 errors, 200 +- 40 empty answers, 100 +- 30 old figures; asked again, none."""
    made = BY_HAND._replace(tools=Tools(0.3, 0.2, 0.1))
    asked = [*begun(made), Turn("Planner", "North", " Ana?"), Turn("North", "Files", " Ana?")]
    said = Counter(used(made, asked, life).content for life in range(1_000))
    right = said.pop(" Ana: Hal +5.")
    assert said.pop(" Error.") == pytest.approx(300, abs=45)
    assert said.pop(" Nothing.") == pytest.approx(200, abs=40)
    assert sum(said.values()) == pytest.approx(100, abs=30)
    assert all(text.startswith(" Ana: Hal ") for text in said)
    assert right > 300
    again = [*asked, Turn("Files", "North", " Error."), asked[-1]]
    assert {used(made, again, life).content for life in range(50)} == {" Ana: Hal +5."}


def test_a_calculator_never_gives_old_figures() -> None:
    """It has none."""
    made = BY_HAND._replace(tools=Tools(stale=1.0))
    asked = [*begun(made), Turn("Solver", "Calc", " Ana = 1 +5?")]
    assert used(made, asked, 3).content == " Ana = 1 +5 = 6."


def test_a_bad_calculator_is_a_little_off_and_a_file_never_is() -> None:
    """1 + 5 comes out between 3 and 9, but never as 6; what is no sum gives nothing, as ever."""
    made = BY_HAND._replace(tools=Tools(wrong=1.0))
    asked = [*begun(made), Turn("Solver", "Calc", " Ana = 1 +5?")]
    said = {used(made, asked, life).content for life in range(100)}
    assert said == {f" Ana = 1 +5 = {value}." for value in (3, 4, 5, 7, 8, 9)}
    assert used(made, [*asked[:-1], Turn("Solver", "Calc", " Ana?")], 0).content == " Nothing."
    assert used(made, CALL, 0).content == " They say Hal is 3."


def test_a_life_does_not_depend_on_the_others() -> None:
    """Alone, among others, and with its beginning kept, it goes the same way; another seed goes another way."""
    pytest.importorskip("torch")
    from tracer.data.agent_replay import voices

    made = [world(seed) for seed in (2_000_298, 2_000_233, 2_000_298)]
    lives = [Life(each, begun(each), seed) for each, seed in zip(made, (1, 2, 3), strict=True)]
    talks = live(lives, voices())
    assert [live([life], voices())[0] for life in lives] == talks
    assert talks[0] != talks[2]
    whole = talks[0]
    assert live([Life(made[0], whole[:5], 1)], voices()) == [whole]
    assert live([Life(made[0], whole, 9)], voices()) == [whole]


def test_a_turn_may_go_on_from_its_own_beginning() -> None:
    """The reply starts with the words that were kept, and is drawn from behind them."""
    pytest.importorskip("torch")
    from tracer.data.agent_replay import voices

    made = world(2_000_298)
    said = " <think> We need Leo."
    [talk] = live([Life(made, begun(made), 1, said)], voices())
    turn = talk[len(begun(made))]
    assert turn.thought.startswith(" We need Leo.")
    assert turn.speaker in RESEARCHERS
    assert prompt(talk, turn.speaker, False).count("We need Leo.") == 1


def test_a_run_is_solved_when_the_user_hears_the_right_number() -> None:
    """6 it is."""
    assert solved(BY_HAND, [*CALL, Turn("Reporter", "User", " \\boxed{ 6}")])
    assert not solved(BY_HAND, [*CALL, Turn("Reporter", "User", " \\boxed{ 3}")])
    assert not solved(BY_HAND, CALL)
