"""The sentence that costs the run, on a toy system that is really lived again: one agent thinks, another repeats."""

from collections.abc import Sequence
from random import Random

import pytest

from tracer.analyses.drill import BUDGET, CONFIRMED, Drilled, Inside, Sentences, begun_step, drill
from tracer.analyses.replay_blame import FIRST_SEED, SEEDS, differs, stated
from tracer.errors import BadInputError, TracerError
from tracer.records import Step
from tracer.replaying import Fork, Lived
from tracer.stats import Count

RIGHT = ("We need Ana and Ben.", "Ana is 3.", "Ben is 5.", "So it is 8.")
WRONG = ("We need Ana and Hal.", "Ana is 4.", "Ben is 6.", "So it is 9.")
QUESTION = Step(index=0, agent="user", kind="message", content="How many?")


def thinks(sentences: Sequence[str], said: str) -> Step:
    return Step(index=1, agent="thinker", kind="message", content=said, reasoning=" ".join(sentences))


def tells(said: str) -> Step:
    return Step(index=2, agent="teller", kind="message", content=f"Answer: {said}")


class System:
    """A replayer. The thinker errs in sentence k with chance slips[k], which spoils the run with chance harm[k]; it
    says 9 with chance misspeaks whatever it thought; the teller repeats it."""

    continues = True

    def __init__(self, slips: Sequence[float], harm: Sequence[float] = (1, 1, 1, 1), misspeaks: float = 0.0) -> None:
        self.slips, self.harm, self.misspeaks = slips, harm, misspeaks
        self.forks: list[Fork] = []

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        self.forks += forks
        return [self._live(fork) for fork in forks]

    def _live(self, fork: Fork) -> Lived:
        rng, steps = Random(fork.seed), list(fork.prefix)
        if len(steps) == 1:
            steps.append(self._think(fork.begun.reasoning or "" if fork.begun else "", rng))
        said = steps[1].content
        return Lived((*steps, tells(said)), "success" if said == "8" else "failure", said)

    def _think(self, begun: str, rng: Random) -> Step:
        sentences = [each for pair in zip(RIGHT, WRONG, strict=True) for each in pair if each in begun]
        for place in range(len(sentences), len(RIGHT)):
            sentences.append((WRONG if rng.random() < self.slips[place] else RIGHT)[place])
        spoilt = [rng.random() < self.harm[k] for k, each in enumerate(sentences) if each in WRONG]
        return thinks(sentences, "9" if any([*spoilt, rng.random() < self.misspeaks]) else "8")


def record(*wrong: int) -> list[Step]:
    """A run that failed, with these sentences wrong."""
    sentences = [WRONG[k] if k in wrong else RIGHT[k] for k in range(len(RIGHT))]
    return [QUESTION, thinks(sentences, "9"), tells("9")]


def drilled(steps: Sequence[Step], system: System, budget: int = BUDGET) -> Drilled:
    return drill(steps, 1, system, stated, budget)


@pytest.mark.parametrize("place", range(4))
def test_the_wrong_sentence_is_named(place: int) -> None:
    """Each sentence is wrong in 1 of 20 lives; before the wrong one at least .95^4 = 81 % end well, behind it none."""
    found = drilled(record(place), System([0.05] * 4))
    assert (found.where, found.sentence, found.text, found.sure) == ("sentence", place, WRONG[place], True)
    assert found.fall.low > 0.3
    assert found.counts[place + 1].hits == 0
    assert found.forks <= 50


def test_the_place_is_that_of_the_text_in_the_reasoning() -> None:
    """`Ben is 6.` stands behind 20 + 1 + 9 + 1 characters and is 9 long."""
    found = drilled(record(2), System([0.05] * 4))
    assert (found.start, found.end) == (31, 40)
    assert (record(2)[1].reasoning or "")[31:40] == "Ben is 6."


def test_a_filler_that_costs_the_run_is_named_and_the_error_that_follows_it_is_not() -> None:
    """Behind a wrong first sentence nothing is left to lose, so the third, wrong as well, costs nothing."""
    system = System([0.05, 0, 0, 0])
    assert drilled(record(0, 2), system).sentence == 0


def test_where_the_fall_lies_in_what_is_said_no_sentence_is_named() -> None:
    """All four sentences are right, and the thinker says 9; three in ten lives it does so from scratch."""
    found = drilled(record(), System([0.0] * 4, misspeaks=0.3))
    assert (found.where, found.sentence, found.text, found.sure) == ("said", None, "", True)
    assert (found.start, found.end) == (52, 52)  # 20 + 9 + 9 + 11 characters and three blanks


def test_a_fall_shared_by_two_sentences_settles_nothing() -> None:
    """`Ana is 4.` spoils half of the lives and `Ben is 6.` the rest: S is 1, 1, .5, 0, so two falls of .5."""
    found = drilled(record(1, 2), System([0.0] * 4, harm=(1, 0.5, 1, 1)))
    assert not found.sure
    assert {found.sentence, found.rival} == {1, 2}
    assert found.forks == BUDGET
    assert 0.3 < found.counts[2].share < 0.7


def test_what_breaks_later_is_not_laid_at_a_sentence() -> None:
    """The record's teller says 9 although it was told 8, which no life repeats: inside the step nothing falls."""
    steps = [QUESTION, thinks(RIGHT, "8"), tells("9")]
    found = drilled(steps, System([0.0] * 4))
    assert (found.where, found.sentence) == ("later", None)


def test_one_sentence_is_enough() -> None:
    """It is wrong in one of ten lives, and behind it nothing helps."""
    steps = [QUESTION, Step(index=1, agent="thinker", kind="message", content="9", reasoning="Hm, it is.")]

    def live(forks: Sequence[Fork]) -> list[Lived]:
        found = []
        for fork in forks:
            wrong = len(fork.prefix) > 1 or fork.begun is not None or Random(fork.seed).random() < 0.1
            step = Step(index=1, agent="thinker", kind="message", content="8", reasoning="Oh, it is.")
            step = steps[1] if wrong else step
            found.append(Lived((QUESTION, step), "failure" if wrong else "success", step.content))
        return found

    found = drill(steps, 1, live, stated)
    assert (found.sentence, found.text, found.sure) == (0, "Hm, it is.", True)
    assert len(found.counts) == 3  # none kept, one kept, and the whole run, which failed


@pytest.mark.parametrize("reasoning", [None, "", " \n"])
def test_a_step_without_reasoning_cannot_be_drilled(reasoning: str | None) -> None:
    steps = [QUESTION, Step(index=1, agent="thinker", kind="message", content="9", reasoning=reasoning), tells("9")]
    with pytest.raises(BadInputError, match="step 1 holds no reasoning"):
        drilled(steps, System([0.1] * 4))


def test_no_more_is_lived_than_the_budget_allows() -> None:
    """Seven forks settle nothing, and it says so."""
    system = System([0.1] * 4, harm=(0.6, 0.6, 0.6, 0.6))
    found = drilled(record(0, 1, 2, 3), system, budget=7)
    assert (found.forks, len(system.forks), found.sure) == (7, 7, False)


def test_what_is_named_is_confirmed_on_either_side() -> None:
    found = drilled(record(1), System([0.05] * 4))
    assert min(found.counts[1].n, found.counts[2].n) >= CONFIRMED


def test_agreement_with_the_recorded_answer_takes_the_place_of_the_truth() -> None:
    assert drill(record(1), 1, System([0.05] * 4), differs("9")).sentence == 1


def test_forks_of_whole_steps_are_those_of_the_search_along_the_run() -> None:
    """So what that search has lived comes from the store; those from inside the step are nobody else's."""
    system = System([0.05] * 4)
    drilled(record(1), system)
    whole = {len(fork.prefix): fork.seed // SEEDS for fork in system.forks if fork.begun is None}
    first = FIRST_SEED // SEEDS
    assert whole.items() <= {1: first + 1, 2: first + 2}.items()
    inside = [fork for fork in system.forks if fork.begun]
    assert len({fork.seed for fork in inside}) == len(inside)
    assert all(
        (fork.begun.content, fork.begun.tool, fork.begun.arguments) == ("", None, None) for fork in inside if fork.begun
    )


def test_a_fork_that_thinks_on_as_recorded_counts_behind_those_sentences_too() -> None:
    """It began behind one sentence and wrote the next one: it is a fork of places 1 and 2, not of 0 and 3."""
    inside = Inside(record(2), 1, BUDGET)
    [(place, fork)] = inside.forks({1: 1})
    inside.add(place, fork, Lived((QUESTION, thinks(RIGHT, "8"), tells("8")), "success", "8"), success=True)
    assert inside.counts == [Count(0, 0), Count(1, 1), Count(1, 1), Count(0, 0), Count(0, 0), Count(0, 0)]


def test_a_fork_that_repeats_the_step_counts_up_to_the_whole_of_it() -> None:
    """All four sentences and what is said: places 1 to 5."""
    inside = Inside(record(2), 1, BUDGET)
    [(place, fork)] = inside.forks({1: 1})
    inside.add(place, fork, Lived(tuple(record(2)), "failure", "9"), success=False)
    assert inside.counts == [Count(0, 0), *[Count(0, 1)] * 5]


def test_a_replayer_that_tells_no_steps_is_counted_where_it_began() -> None:
    inside = Inside(record(2), 1, BUDGET)
    [(place, fork)] = inside.forks({2: 1})
    inside.add(place, fork, Lived((), "failure", None), success=False)
    assert [count.n for count in inside.counts] == [0, 0, 1, 0, 0, 0]


def test_a_replayer_that_loses_forks_is_told_so() -> None:
    with pytest.raises(TracerError, match="and returned 0"):
        drill(record(1), 1, lambda forks: [], stated)


def test_sentences_keep_the_text_as_it_stands() -> None:
    """White space at the ends is left out, that between sentences belongs to none; two of three are repeated."""
    found = Sentences.of("  One.\n\nTwo.  Three. ", 0)
    assert [found.sentence(k) for k in range(len(found))] == ["One.", "Two.", "Three."]
    assert [found.kept(k) for k in range(4)] == ["", "One.", "One.\n\nTwo.", "One.\n\nTwo.  Three."]
    assert found.repeated("One. Two. Four.") == 2
    assert (found.repeated("One. Two. Thr"), found.repeated(None), found.repeated("Zero.")) == (2, 0, 0)


def test_a_begun_step_holds_its_reasoning_and_nothing_that_it_said() -> None:
    step = Step(
        index=4, agent="a", kind="tool_call", content="x", reasoning="A. B.", tool="t", arguments="{}", call_id="c"
    )
    begun = begun_step(step, "A.")
    assert (begun.index, begun.agent, begun.reasoning) == (4, "a", "A.")
    assert (begun.content, begun.tool, begun.arguments, begun.call_id) == ("", None, None, None)
