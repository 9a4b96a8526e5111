"""Faults lived on from: what becomes a labelled failure, what a negative, and what is given out as neither."""

import re
from collections.abc import Sequence
from random import Random

import pytest

from tracer.analyses.faults import FAULTS
from tracer.analyses.replay import Budget, Setting, Shelf
from tracer.analyses.synthesis import synthesise
from tracer.errors import TracerError
from tracer.records import Outcome, Recording, Run, Step, content_hash, run_id
from tracer.replaying import Fork, Lived

AGENTS = ("planner", "reader", "counter", "solver", "checker", "reporter")


def number(text: str) -> int:
    """The last number of a text, 0 without one."""
    return int((re.findall(r"\d+", text) or ["0"])[-1])


class Team:
    """Six agents who really add: each reads what the others said, and the answer is right when it is 1911."""

    def __init__(self, luck: float = 1.0) -> None:
        self.luck = luck
        self.lived = 0

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """The rest of each run."""
        self.lived += len(forks)
        return [self._live(fork) for fork in forks]

    def _live(self, fork: Fork) -> Lived:
        said = [step.content for step in fork.kept]
        while len(said) < len(AGENTS) and not (said and said[-1].startswith("We have what we need")):
            said.append(self._say(said))
        answer = number(said[-1])
        if Random(fork.seed).random() > self.luck:
            answer = 0
        steps = [
            Step(index=place, agent=AGENTS[place], kind="message", content=said[place], output_tokens=10)
            for place in range(len(fork.kept), len(said))
        ]
        return Lived(tuple(steps), "success" if answer == 1911 else "failure", str(answer))

    def _say(self, said: Sequence[str]) -> str:
        texts = (
            lambda: "Plan: the reader counts the reef, the counter the bay, the solver adds.",
            lambda: "The reef has 1204 whales.",
            lambda: "The bay has 707 whales.",
            lambda: f"{number(said[1])} and {number(said[2])} make {number(said[1]) + number(said[2])}.",
            lambda: f"I checked it: {number(said[3])} holds.",
            lambda: f"Final answer: {number(said[3])}",
        )
        return texts[len(said)]()


def setting(team: Team, outcome: Outcome = "success") -> Setting:
    """What the team did by itself."""
    [lived] = Team()([Fork((), None, 0)])
    digest = content_hash([step.content for step in lived.steps])
    run = Run(
        id=run_id(digest), content_hash=digest, source="x", format="chat", task="How many whales?", outcome=outcome,
        answer="1911", expected="1911",
    )  # fmt: skip
    return Setting(Recording(run, lived.steps), "team", team, Shelf())


def test_a_polluted_source_fails_the_run_and_is_labelled() -> None:
    """Reader and counter are the only sources; the wrong number reaches the answer by itself, through the solver."""
    made = setting(Team())
    found = synthesise([made], 9, kinds=["source-pollution"])
    assert found.ended == "no more places"
    assert {(each.fault.step, each.fault.agent, each.fate) for each in found.planted} == {
        (1, "reader", "failure"),
        (2, "counter", "failure"),
    }
    shelf = made.keeper
    assert isinstance(shelf, Shelf)
    for each in found.planted:
        fork = next(recording for recording in shelf.values() if recording.run.id == each.run)
        assert (fork.run.outcome, fork.run.parent, fork.run.forked_at) == (
            "failure",
            made.recording.run.id,
            each.fault.step,
        )
        assert fork.steps[each.fault.step].content == each.fault.edited.content
        assert number(fork.steps[5].content) == number(fork.steps[3].content) != 1911


def test_a_run_that_survives_its_fault_is_a_negative() -> None:
    """Nobody listens to the plan or to the checker: a plan skipped and a check waved through change nothing."""
    found = synthesise([setting(Team())], 9, kinds=["check-waved-through", "step-skipped"])
    fates = {(each.fault.kind, each.fault.step): each.fate for each in found.planted}
    assert fates["check-waved-through", 4] == "survived"
    assert {step: fate for (kind, step), fate in fates.items() if kind == "step-skipped"} == {
        0: "survived", 1: "failure", 2: "failure", 3: "failure", 4: "survived", 5: "failure",
    }  # fmt: skip
    assert all(each.replayed.changed.flips == 0 for each in found.planted if each.fate == "survived")


def test_a_system_that_fails_by_itself_confirms_nothing() -> None:
    """Half of the runs fail without any fault, so four forks of each kind prove nothing: no label is given."""
    found = synthesise([setting(Team(luck=0.5))], 3, kinds=["source-pollution"])
    assert {each.fate for each in found.planted} == {"unconfirmed"}
    assert all(each.replayed.kept and each.replayed.kept.flips > 0 for each in found.planted)


def test_it_stops_when_there_are_enough() -> None:
    """Every kind in turn; no fault is planted beyond the last failure."""
    team = Team()
    found = synthesise([setting(team)], 3)
    assert found.ended == "enough"
    assert [each.fate for each in found.planted].count("failure") == 3
    assert found.planted[-1].fate == "failure"
    assert [each.fault.kind for each in found.planted[:2]] == list(FAULTS)[:2]


def test_the_same_call_plants_the_same_and_lives_nothing_twice() -> None:
    """Another seed plants other faults."""
    team = Team()
    made = setting(team)
    first = synthesise([made], 5)
    lived = team.lived
    again = synthesise([made], 5)
    assert (again.planted, again.forks, team.lived) == (
        [each._replace(replayed=each.replayed.model_copy(update={"drawn": 0})) for each in first.planted], 0, lived,
    )  # fmt: skip
    assert [each.fault for each in synthesise([made], 5, seed=1).planted] != [each.fault for each in first.planted]


def test_a_budget_ends_it_and_gives_out_nothing_half_done() -> None:
    """Ten forks are enough for one fault of eight, and not for a second; tokens are counted likewise."""
    team = Team()
    found = synthesise([setting(team)], 9, kinds=["source-pollution"], budget=Budget(forks=10))
    assert (found.ended, len(found.planted), team.lived) == ("budget", 1, 10)
    tokens = synthesise([setting(Team())], 9, kinds=["source-pollution"], budget=Budget(tokens=1))
    assert (tokens.ended, len(tokens.planted)) == ("budget", 1)


def test_faults_are_planted_in_several_runs_in_turn() -> None:
    """The first fault of each kind in each run comes before any second one."""
    one, two = setting(Team()), setting(Team())
    other = two.recording.run.model_copy(update={"id": "f" * 12, "content_hash": "f" * 64})
    two = two._replace(recording=two.recording._replace(run=other))
    found = synthesise([one, two], 9, kinds=["step-skipped"])
    assert {each.parent for each in found.planted[:2]} == {one.recording.run.id, "f" * 12}


@pytest.mark.parametrize("outcome", ["failure", "unknown"])
def test_only_runs_that_succeeded_can_be_spoilt(outcome: Outcome) -> None:
    """Said before anything is lived."""
    team = Team()
    with pytest.raises(TracerError, match=f"is no success \\({outcome}\\)"):
        synthesise([setting(team, outcome)], 1)
    assert team.lived == 0


def test_an_unknown_fault_is_told_with_those_there_are() -> None:
    """One line."""
    with pytest.raises(TracerError, match="no fault 'gremlins'; there are: source-pollution, conflict, "):
        synthesise([setting(Team())], 1, kinds=["gremlins"])
