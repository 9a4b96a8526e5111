"""Replaying a step: what is lived, what is counted, and what the store spares."""

from collections.abc import Callable, Sequence

import pytest

from tracer.analyses.replay import Budget, Change, Setting, Shelf, key, live, replay
from tracer.errors import TracerError
from tracer.records import Outcome, Recording, Run, Step, content_hash, run_id
from tracer.replaying import Fork, Lived, Replayer, ReplayError

SAID = ("Count the whales.", "It saw 4711.", "Fine.", "The answer is 4711.")


def recording(outcome: Outcome = "failure", answer: str | None = "4711", expected: str | None = "12") -> Recording:
    """planner, reader, checker, writer; the reader slips at step 1."""
    agents = ("planner", "reader", "checker", "writer")
    steps = tuple(Step(index=i, agent=agents[i], kind="message", content=text) for i, text in enumerate(SAID))
    digest = content_hash(SAID)
    run = Run(
        id=run_id(digest), content_hash=digest, source="whales.json", format="chat", outcome=outcome, answer=answer,
        expected=expected, task="How many whales?",
    )  # fmt: skip
    return Recording(run, steps)


class Team:
    """A real little team: who comes after a step speaks again; the reader is right at even seeds."""

    def __init__(self, tokens: int | None = None, batch: int = 4, says: bool = True) -> None:
        self.tokens, self.batch, self.says = tokens, batch, says
        self.asked: list[Fork] = []

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """What the rest of the team says."""
        self.asked += forks
        return [self._live(fork) for fork in forks]

    def _live(self, fork: Fork) -> Lived:
        said = [step.content for step in fork.kept]
        agents = ("planner", "reader", "checker", "writer")
        while len(said) < 4:
            place = len(said)
            number = "12" if any("12" in text for text in said) else "4711"
            options = (SAID[0], "It saw 12." if fork.seed % 2 == 0 else SAID[1], SAID[2], f"The answer is {number}.")
            said.append(options[place])
        steps = tuple(
            Step(index=place, agent=agents[place], kind="message", content=said[place], output_tokens=self.tokens)
            for place in range(len(fork.kept), 4)
        )
        answer = said[3].split()[-1].rstrip(".")
        known: Outcome = "success" if answer == "12" else "failure"
        return Lived(steps, known if self.says else "unknown", answer)


def setting(team: Replayer, of: Recording | None = None, shelf: Shelf | None = None) -> Setting:
    """The team lives forks of the run."""
    return Setting(of or recording(), "team", team, Shelf() if shelf is None else shelf)


def edited(text: str, index: int = 1) -> Change:
    """The step with another content."""
    return Change("edit", recording().steps[index].model_copy(update={"content": text}))


def test_mending_the_slip_is_found_to_be_the_cause() -> None:
    """Ten of ten edited forks succeed, none of ten kept ones: by hand, +1.00 [0.61, 1.00]."""
    found = replay(setting(Team()), 1, edited("It saw 12."))
    assert (found.changed.flips, found.changed.n, found.kept and found.kept.flips) == (10, 10, 0)
    assert (found.verdict, found.step, found.agent, found.basis, found.recorded) == (
        "cause", 1, "reader", "outcome", "failure",
    )  # fmt: skip
    assert found.low == pytest.approx(0.6075, abs=1e-4)
    assert found.drawn == 20


def test_an_edit_of_an_innocent_step_is_no_cause() -> None:
    """The checker's words change nothing: 20 of 20 forks of either kind fail again."""
    found = replay(setting(Team()), 2, edited("All right.", 2), forks=20)
    assert (found.verdict, found.changed.flips, found.kept and found.kept.flips) == ("not a cause", 0, 0)


def test_saying_an_earlier_step_anew_flips_as_often_with_it_as_without() -> None:
    """The plan comes before the slip: re-living from it also avoids the slip, and so does keeping it. No effect."""
    plan, slip = (replay(setting(Team()), at, Change("resample"), forks=40) for at in (0, 1))
    assert plan.kept is not None
    assert (plan.changed.flips, plan.kept.flips, plan.verdict) == (20, 20, "inconclusive")
    assert slip.kept is not None
    assert (slip.changed.flips, slip.kept.flips, slip.verdict) == (20, 0, "cause")


def test_the_last_step_has_nothing_to_compare_with() -> None:
    """After it nothing happens, so only changed forks are lived."""
    team = Team()
    found = replay(setting(team), 3, Change("resample"), forks=16)
    assert (found.kept, found.changed.n, found.verdict, len(team.asked)) == (None, 16, "not a cause", 16)


def test_every_fork_is_a_run_that_knows_its_parent() -> None:
    """The kept steps stand first, word for word, then the edit, then what happened anew, numbered from 0."""
    shelf = Shelf()
    of = recording()
    found = replay(setting(Team(), of, shelf), 1, edited("It saw 12."), forks=1)
    by_id = {each.run.id: each for each in shelf.values()}
    changed = by_id[found.forks[0].run]
    assert (changed.run.parent, changed.run.forked_at, changed.run.outcome) == (of.run.id, 1, "success")
    assert [step.content for step in changed.steps] == [SAID[0], "It saw 12.", "Fine.", "The answer is 12."]
    assert [step.index for step in changed.steps] == [0, 1, 2, 3]
    assert changed.run.id == changed.run.content_hash[:12]


def test_the_same_forks_are_lived_once() -> None:
    """Again: none. Five more of each kind: only these. The kept forks of a step are the next one's changed ones."""
    team, shelf = Team(), Shelf()
    first = replay(setting(team, shelf=shelf), 1, Change("resample"), forks=5)
    again = replay(setting(team, shelf=shelf), 1, Change("resample"), forks=5)
    assert (first.drawn, again.drawn, first.forks) == (10, 0, again.forks)
    assert replay(setting(team, shelf=shelf), 1, Change("resample"), forks=10).drawn == 10
    assert replay(setting(team, shelf=shelf), 2, Change("resample"), forks=10).drawn == 10
    assert len(team.asked) == len(set(team.asked)) == 30


def test_another_system_lives_its_own_forks() -> None:
    """A replayer that says that it has changed is asked again."""
    shelf, old, new = Shelf(), Team(), Team()
    new.revision = "2"  # type: ignore[attr-defined]
    replay(setting(old, shelf=shelf), 1, Change("resample"), forks=5)
    assert replay(setting(new, shelf=shelf), 1, Change("resample"), forks=5).drawn == 10


def test_a_killed_replay_goes_on_where_it_stopped() -> None:
    """What was lived in whole batches before is kept: 8 of 20; the rest is lived once."""
    shelf, lived = Shelf(), list[Fork]()
    team = Team(batch=4)

    def dies(forks: Sequence[Fork]) -> list[Lived]:
        if len(lived) == 8:
            raise KeyboardInterrupt
        lived.extend(forks)
        return team(forks)

    dies.batch = 4  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        replay(setting(dies, shelf=shelf), 1, Change("resample"))
    assert len(shelf) == 8
    assert replay(setting(team, shelf=shelf), 1, Change("resample")).drawn == 12


def test_a_budget_of_forks_ends_it_and_is_told() -> None:
    """Seven are lived, changed and kept in turn; the same call with more goes on from there."""
    shelf, team = Shelf(), Team()
    found = replay(setting(team, shelf=shelf), 1, edited("It saw 12."), budget=Budget(forks=7))
    assert (found.drawn, found.changed.n, found.kept and found.kept.n) == (7, 4, 3)
    assert found.notes[0] == "the budget ended after 7 of 20 forks: the same call with more goes on from there"
    assert replay(setting(team, shelf=shelf), 1, edited("It saw 12.")).drawn == 13


def test_a_budget_of_tokens_ends_it_after_the_batch_that_spends_it() -> None:
    """Four forks at a time; a changed one has two new steps of 10 tokens, a kept one, too: 80 a batch."""
    found = replay(setting(Team(tokens=10)), 1, edited("It saw 12."), budget=Budget(tokens=100))
    assert (found.drawn, found.tokens) == (8, 160)
    assert replay(setting(Team()), 1, edited("It saw 12.")).tokens is None


def test_where_the_replayer_does_not_know_the_expected_answer_decides() -> None:
    """Without one, the end of a fork is unknown and counts nowhere."""
    found = replay(setting(Team(says=False)), 1, edited("It saw 12."))
    assert (found.changed.flips, found.verdict) == (10, "cause")
    blind = replay(setting(Team(says=False), recording(expected=None)), 1, edited("It saw 12."))
    assert (blind.changed.n, blind.changed.unknown, blind.verdict) == (0, 10, "inconclusive")
    assert blind.settles is None


def test_forks_lived_before_the_right_answer_was_named_are_judged_by_it_afterwards() -> None:
    """Naming it is the advice that such a replay gives: nothing has to be lived again for it."""
    shelf, change = Shelf(), edited("It saw 12.")
    replay(setting(Team(says=False), recording(expected=None), shelf), 1, change)
    found = replay(setting(Team(says=False), recording(), shelf), 1, change)
    assert (found.drawn, found.changed.flips, found.changed.unknown) == (0, 10, 0)


def test_where_no_outcome_is_known_another_answer_is_a_flip() -> None:
    """The run's answer is compared, equal numbers in another spelling counting as one."""
    of = recording("unknown", answer="4,711", expected=None)
    found = replay(setting(Team(says=False), of), 1, edited("It saw 12."))
    assert (found.basis, found.recorded, found.verdict) == ("answer", "4,711", "cause")
    with pytest.raises(TracerError, match="tracer mark"):
        replay(setting(Team(), recording("unknown", None, None)), 1, edited("It saw 12."))


def test_forks_that_are_word_for_word_the_same_are_told() -> None:
    """A system without chance gives one case, however often it is asked."""
    found = replay(setting(Team()), 1, edited("It saw 12."))
    assert found.notes == tuple(
        f"all 10 {kind} forks are word for word the same: the seed changes nothing, so it is one case"
        for kind in ("changed", "kept")
    )


@pytest.mark.parametrize("wrong", [lambda forks: [], lambda forks: None, lambda forks: ["success"] * len(forks)])
def test_a_replayer_that_returns_something_else_is_told(wrong: Callable[[Sequence[Fork]], list[Lived]]) -> None:
    """In one line; nothing is kept."""
    shelf = Shelf()
    with pytest.raises(ReplayError, match="must return a list with one Lived for each of the 16 forks"):
        live(setting(wrong, shelf=shelf), [Fork((), None, seed) for seed in range(16)])
    assert not shelf


def test_progress_is_told_before_each_batch() -> None:
    """How many are there, of how many."""
    told: list[tuple[int, int]] = []
    replay(
        setting(Team(batch=4)), 1, edited("It saw 12."), progress=lambda _item, done, total: told.append((done, total))
    )
    assert told == [(0, 20), (4, 20), (8, 20), (12, 20), (16, 20)]


def test_whatever_agents_say_can_be_kept() -> None:
    """Half a character, control characters and nothing at all: each fork has an address, the same every time."""

    def babbles(forks: Sequence[Fork]) -> list[Lived]:
        texts = ("half \ud800 of one", "\x1b[2J\x00", "")
        said = [Step(index=0, agent="\ud800", kind="message", content=texts[fork.seed]) for fork in forks]
        return [Lived((step,), "failure", None) for step in said]

    ids = []
    for _ in range(2):
        shelf = Shelf()
        told = live(setting(babbles, shelf=shelf), [Fork((), None, seed) for seed in range(3)])
        assert len(shelf) == len(told.recordings) == 3
        ids.append([each.run.id for each in shelf.values()])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


def test_forks_from_inside_a_step_are_others_than_forks_before_it() -> None:
    """Each beginning has its own key; without one it is the key that forks had before there were beginnings."""
    team = Team()
    steps = recording().steps
    thoughts = (None, "So", "So it")
    begun = [Step(index=1, agent="reader", kind="thought", reasoning=each) if each else None for each in thoughts]
    keys = {key(setting(team), Fork(steps[:1], None, 0, each)) for each in begun}
    assert len(keys) == 3
    assert key(setting(team), Fork(steps[:1], None, 0)) in keys


def test_a_replayer_of_whole_steps_is_never_asked_to_go_on_inside_one() -> None:
    """It would live the step from its start, and the figures would mean something else."""
    steps = recording().steps
    begun = Step(index=1, agent="reader", kind="thought", reasoning="So")
    with pytest.raises(ReplayError, match="cannot go on from inside a step"):
        live(setting(Team()), [Fork(steps[:1], None, 0, begun)])
