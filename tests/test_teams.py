"""Teams: how their talk is rendered, what its agents do by rule, and what their tools answer."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tracer.data import world_words
from tracer.data.chains import CLEAN, NOISY
from tracer.data.problems import Fact, Problem
from tracer.data.team_script import (
    MAX_TURNS,
    RULES,
    TOPOLOGIES,
    Team,
    answer_of,
    facts_in,
    opening,
    play,
    play_many,
    scripted,
    team,
    tool_turn,
    transcript,
)
from tracer.data.teams import Turn, completion, parse, prompt, render
from tracer.data.world import TEST

CALM = CLEAN._replace(check=0, late=0, filler=0, so_far=0)
ASKED = Problem(0, (Fact("Ana", 6, ("Hal",), "+5"), Fact("Hal", 1), Fact("Hal", 3, rumor=True)), "Ana")
STAR = Team(0, ASKED, "star", {"Ana": "North", "Hal": "South"}, files=True, calculator=True, faults=0)
SEEDS = TEST[:200]


def test_a_star_talks_as_one_writes_by_hand() -> None:
    """The planner asks, researchers look up (a rumour comes first), the calculator computes, the checker agrees."""
    assert render(transcript(STAR, 0, CALM)) == (
        "User: to Planner: Ana: North. Hal: South. What is Ana?\n"
        "Planner: <think> We need Ana. Ana: North. </think> to North: Ana?\n"
        "North: <think> Look up Ana. </think> to Files: Ana?\n"
        "Files: to North: Ana: Hal +5.\n"
        "North: <think> Ana: Hal +5. </think> to Planner: Ana: Hal +5.\n"
        "Planner: <think> Ana: Hal +5. We need Hal. Hal: South. </think> to South: Hal?\n"
        "South: <think> Look up Hal. </think> to Files: Hal?\n"
        "Files: to South: They say Hal is 3.\n"
        "South: <think> Wait, only a rumor. Try again. </think> to Files: Hal?\n"
        "Files: to South: Hal: 1.\n"
        "South: <think> Hal: 1. </think> to Planner: Hal: 1.\n"
        "Planner: <think> Hal: 1. All facts are here. </think> to Solver: Ana: Hal +5. Hal: 1. What is Ana?\n"
        "Solver: <think> We need Ana. Ana: Hal +5. Hal: 1. </think> to Calc: Ana = 1 +5?\n"
        "Calc: to Solver: Ana = 1 +5 = 6.\n"
        "Solver: <think> So Ana is 6. </think> to Checker: Ana: Hal +5. Hal: 1. What is Ana? Ana is 6.\n"
        "Checker: <think> We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 6. So Ana is 6. That was right. </think>"
        " to Reporter: Ana is 6.\n"
        "Reporter: <think> So Ana is 6. </think> to User: \\boxed{ 6}\n"
    )


def test_an_agent_sees_what_it_said_and_was_told() -> None:
    """South's view of the star: nothing of North, and its own thoughts."""
    turns = transcript(STAR, 0, CALM)
    assert render(turns[:8], "South") == (
        "Planner: to South: Hal?\n"
        "South: <think> Look up Hal. </think> to Files: Hal?\n"
        "Files: to South: They say Hal is 3.\n"
    )
    assert prompt(turns[:8], "South", public=False) == render(turns[:8], "South") + "South:"


def test_a_group_hears_everything_but_thoughts_and_notes() -> None:
    """In a public talk the reporter sees each line, and thoughts only of its own."""
    notes = STAR._replace(topology="group", files=False, calculator=False)
    turns = transcript(notes, 0, CALM)
    seen = render(turns, "Reporter", public=True)
    assert turns[0].speaker == "Notes"
    assert "Notes:" not in seen
    assert seen.count("<think>") == 1
    assert seen.count("\n") == sum(turn.speaker != "Notes" for turn in turns)
    assert "Notes: to North: Ana: Hal +5.\n" in render(turns, "North", public=True)


def test_in_a_chain_one_researcher_looks_everything_up() -> None:
    """A rumour is doubted, the calls go down to a number, and the solver gets the facts with the question."""
    chain = STAR._replace(topology="chain", holders={"Ana": "North", "Hal": "North"}, calculator=False)
    turns = transcript(chain, 0, CALM)
    assert render(turns[:8]) == (
        "User: to North: What is Ana?\n"
        "North: <think> We need Ana. </think> to Files: Ana?\n"
        "Files: to North: Ana: Hal +5.\n"
        "North: <think> Ana: Hal +5. We need Hal. </think> to Files: Hal?\n"
        "Files: to North: They say Hal is 3.\n"
        "North: <think> Wait, only a rumor. Try again. </think> to Files: Hal?\n"
        "Files: to North: Hal: 1.\n"
        "North: <think> Hal: 1. All facts are here. </think> to Solver: Ana: Hal +5. Hal: 1. What is Ana?\n"
    )
    assert turns[3].parents == {0, 2}
    assert answer_of(turns) == 6


def test_a_researcher_may_believe_a_rumour_and_then_all_rests_on_it() -> None:
    """The wrong number goes to the solver as a fact."""
    chain = STAR._replace(topology="chain", holders={"Ana": "North", "Hal": "North"}, calculator=False)
    turns = transcript(chain, 0, CALM._replace(told=1))
    assert turns[5].full == (
        "North: <think> They say Hal is 3. All facts are here. </think> to Solver: Ana: Hal +5. Hal: 3. What is Ana?\n"
    )
    assert answer_of(turns) == 8


@pytest.mark.parametrize("calculator", [True, False])
def test_the_checker_sends_a_wrong_answer_back_and_the_solver_thinks_anew(calculator: bool) -> None:
    """One wrong claim, found from the same facts: 1 + 5 is 6 and not 7."""
    made = STAR._replace(calculator=calculator)
    turns = transcript(made, 0, CALM)
    at = next(k for k, turn in enumerate(turns) if turn.to == "Checker")
    later = [*turns[:at], turns[at]._replace(content=" Ana: Hal +5. Hal: 1. What is Ana? Ana is 7.")]
    while later[-1].to != "User":
        later.append(scripted(made, later, 0, CALM))
    thought = "We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 6. So Ana is 6."
    assert "".join(turn.full for turn in later[at + 1 :]) == (
        f"Checker: <think> {thought} That was wrong. </think> to Solver: Ana is 6.\n"
        f"Solver: <think> Wait, check Ana. {thought} </think> to Checker: Ana: Hal +5. Hal: 1. What is Ana? Ana is 6.\n"
        f"Checker: <think> {thought} That was right. </think> to Reporter: Ana is 6.\n"
        "Reporter: <think> So Ana is 6. </think> to User: \\boxed{ 6}\n"
    )


def test_a_failed_tool_is_asked_again() -> None:
    """With a fault in every first call, each call is made twice and the answer still comes."""
    turns = transcript(STAR._replace(faults=1), 0, CALM)
    assert [turn.content for turn in turns if turn.speaker == "Calc"] == [" Error.", " Ana = 1 +5 = 6."]
    assert " Error. Try again." in {turn.thought for turn in turns}
    assert answer_of(turns) == 6


@pytest.mark.parametrize(
    ("tool", "asked", "answer"),
    [
        ("Calc", " Ana = 12 plus 11?", " Ana = 12 plus 11 = 23."),
        ("Calc", " Ana = 3 -9?", " Ana = 3 -9 = 0."),
        ("Calc", " Hal?", " Nothing."),
        ("Calc", " Ana = 1 +5 = 6.", " Nothing."),
        ("Files", " Ana?", " Ana: Hal +5."),
        ("Files", " Mia?", " Nothing."),
        ("Files", " Ana = 1 +5?", " Nothing."),
    ],
)
def test_tools_answer_what_they_can(tool: str, asked: str, answer: str) -> None:
    """Sums and known names; anything else is nothing, never an error of ours."""
    assert tool_turn(STAR, [Turn("Solver", tool, asked)]).content == answer


def test_facts_are_read_back_from_a_text() -> None:
    """Numbers, steps, sums and rumours; other words are passed over."""
    assert facts_in(" Ana: Hal +5. Hmm. Cal: Ana plus Hal. Hal: 1. They say Hal is 3. Ana: North.") == [
        Fact("Ana", 0, ("Hal",), "+5"),
        Fact("Cal", 0, ("Ana", "Hal")),
        Fact("Hal", 1),
        Fact("Hal", 3, rumor=True),
    ]


def test_talks_without_errors_end_in_the_right_answer() -> None:
    """All topologies occur, nobody errs, every talk ends in time."""
    made = [team(seed) for seed in SEEDS]
    assert {each.topology for each in made} == set(TOPOLOGIES)
    for each in made:
        turns = transcript(each, 0, NOISY._replace(slip=0, slip_carry=0, told=0))
        assert answer_of(turns) == each.problem.answer
        assert len(turns) <= MAX_TURNS


def test_turns_rest_on_earlier_turns_that_their_speaker_saw() -> None:
    """Parents come before, and none of them was hidden."""
    for seed in SEEDS:
        made = team(seed)
        turns = transcript(made, 0)
        for at, turn in enumerate(turns):
            for parent in turn.parents:
                assert parent < at
                seen = turns[parent]
                assert turn.speaker in {seen.to, seen.speaker} or (made.public and seen.speaker != "Notes")


def test_a_reply_is_read_as_the_turn_that_was_written() -> None:
    """Rendering and parsing are each other's inverse on every agent's turn."""
    for seed in SEEDS:
        for turn in transcript(team(seed), 0):
            if turn.speaker in RULES:
                assert parse(turn.speaker, completion(turn)) == turn._replace(parents=frozenset())


@pytest.mark.parametrize(
    "reply", ["", " to Nobody: Hal?\n", " to Planner Hal?\n", " <think> Hal?\n", " to South: Hal?\n"]
)
def test_a_reply_that_is_no_turn_is_none(reply: str) -> None:
    """Nobody there, no colon, a thought without end, talking to oneself."""
    assert parse("South", reply) is None


def test_many_talks_at_once_are_the_same_as_one_by_one() -> None:
    """An agent that follows the rules stands in for the model; the views suffice to know whose turn it is."""
    teams = [team(seed) for seed in SEEDS[:20]]
    replies = {
        prompt(turns[:k], turn.speaker, made.public): completion(turn)
        for made in teams
        for turns in [transcript(made, 0, CALM)]
        for k, turn in enumerate(turns)
        if turn.speaker in RULES
    }

    def complete(prompts: Sequence[str]) -> list[str]:
        return [replies[view] for view in prompts]

    for made, turns in zip(teams, play_many(teams, complete), strict=True):
        assert render(turns) == render(transcript(made, 0, CALM))


def test_a_talk_ends_early_on_a_reply_that_is_no_turn() -> None:
    """Then the user was told nothing."""
    (turns,) = play_many([STAR], lambda prompts: [" mumble" for _ in prompts])
    assert turns == opening(STAR)
    assert answer_of(turns) is None
    assert play(STAR, lambda turns: None) == opening(STAR)


def test_a_talk_in_circles_ends() -> None:
    """Two who ask each other for ever are stopped."""
    (turns,) = play_many(
        [STAR],
        lambda prompts: [" to South: Hal?\n" if p.endswith("Planner:") else " to Planner: Hal?\n" for p in prompts],
    )
    assert len(turns) == MAX_TURNS
    assert answer_of(turns) is None


def test_another_process_writes_the_same_talk() -> None:
    """Nothing hangs on string hashing."""
    code = (
        "from tracer.data.team_script import team, transcript\nfrom tracer.data.teams import render\n"
        "print(*(render(transcript(team(seed), 0)) for seed in range(30)))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hashing}, capture_output=True, text=True, check=True,
        ).stdout
        for hashing in ("1", "2")
    }  # fmt: skip
    assert len(printed) == 1


def test_every_talk_survives_the_tokenizer() -> None:
    """Exact round trip, without one unknown token, of whole talks of up to a thousand tokens."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(world_words.tokenizer_json()))
    longest = 0
    for seed in SEEDS:
        text = render(transcript(team(seed), 0))
        encoded = tokenizer.encode(text)
        assert world_words.UNKNOWN not in encoded.tokens, re.findall(r"\S+", text)[:3]
        assert tokenizer.decode(encoded.ids, skip_special_tokens=False) == text
        longest = max(longest, len(encoded.ids))
    assert 400 < longest < 1100
