"""The search for the step that broke a run: on outcomes given by hand, and on planted runs."""

import numpy as np
import pytest

from tracer.analyses.bench_falls import PROFILES, Planted, bisected, draw, exhausted, labelled, searched
from tracer.analyses.fall_search import NONE, RULE, Outcome, Rule, Search, _binomial, _indicator, _information, mixed


def lived(search: Search, rates: list[float], repeated: int = 0) -> None:
    """Answer every request with the expected number of successes."""
    while wanted := search.wanted():
        for prefix, count in wanted.items():
            hits = round(rates[prefix] * count)
            search.add(prefix, [Outcome(k < hits, repeated) for k in range(count)])


def test_it_finds_a_fall_from_all_to_nothing() -> None:
    """Steps 0 to 4 leave success certain, step 5 ends it."""
    search = Search(12, tracked=False)
    lived(search, [1.0] * 6 + [0.0] * 6)
    found = search.found()
    assert (found.state, found.step) == ("decisive", 5)
    assert found.posterior[5] >= RULE.sure
    assert found.falls[5].low > max(each.high for j, each in enumerate(found.falls) if j != 5)
    assert found.forks < 60


def test_a_run_that_cannot_succeed_has_no_decisive_step() -> None:
    """Nothing falls where nothing stood: from scratch it fails as well."""
    search = Search(10, tracked=False)
    lived(search, [0.0] * 10)
    assert search.found().state == "diffuse"


def test_the_budget_is_kept() -> None:
    """A level of one half everywhere, down to the recorded failure: noise, until the forks are spent."""
    search = Search(30, budget=21, tracked=False)
    lived(search, [0.5] * 30)
    assert search.found().forks <= 21
    assert search.wanted() == {}


def test_no_budget_asks_for_nothing() -> None:
    search = Search(5, budget=0)
    assert search.wanted() == {}
    assert search.found().state == "spent"


def test_a_run_without_steps_is_diffuse() -> None:
    found = Search(0).found()
    assert (found.state, found.step, found.posterior) == ("diffuse", None, ())


def test_a_fork_that_repeats_the_record_is_a_case_further_down() -> None:
    """From scratch it makes steps 0 and 1 again and leaves at step 2: three prefixes know of it, step 2 is charged."""
    search = Search(4)
    search.add(0, [Outcome(True, 2)])
    assert [each.n for each in search.found().levels] == [1, 1, 1, 0, 0]
    assert search.left[2].tolist() == [0, 1]


def test_a_fork_that_repeats_everything_leaves_nowhere() -> None:
    """It is charged to the last step: that it failed again is sure."""
    search = Search(3)
    search.add(1, [Outcome(False, 99)])
    assert search.went_on.tolist() == [0, 1, 0]
    assert search.left[2].tolist() == [1, 0]


def test_the_same_outcomes_give_the_same_requests() -> None:
    one, two = Search(20), Search(20)
    assert one.wanted() == two.wanted()


def test_a_prior_that_is_right_saves_forks() -> None:
    """The fall is at step 17 of 20; the ranker suspects it, nobody, or step 3. Forks are asked for one by one."""
    forks = []
    for suspect in (17, None, 3):
        prior = None if suspect is None else [float(step == suspect) for step in range(20)]
        search = Search(20, prior, tracked=False, rule=Rule(part=1, parts=1, draws=300))
        lived(search, [1.0] * 18 + [0.0] * 2)
        assert search.found().step == 17
        forks.append(search.forks)
    assert forks[0] < forks[1] <= forks[2] < 40


def test_a_mixed_prior_sums_to_one_and_leaves_nothing_out() -> None:
    found = mixed([1.0, 0.0, 0.0, 0.0], 4)
    assert found.tolist() == [0.625, 0.125, 0.125, 0.125]


def test_information_is_that_of_a_table_written_out() -> None:
    """D is 0 or 1 with 1/2 each; at one prefix a fork tells which, at the other nothing."""
    answer = _indicator(np.array([NONE, 4]))
    likely = _binomial(np.array([[0.0, 0.5], [1.0, 0.5]]), 1)
    told = _information(answer, np.ones((2, 1)), likely)
    assert told - told[1] == pytest.approx([np.log(2), 0.0])


@pytest.mark.parametrize("profile", ["sharp", "drift", "double"])
def test_planted_falls_are_found_with_few_forks(profile: str) -> None:
    """8 runs each; of the 555 to 600 forks that a label takes an eighth is about 75."""
    runs = [draw(profile, 7, k) for k in range(8)]
    ends = [searched(run, np.random.default_rng([7, k]), 75)[-1] for k, run in enumerate(runs)]
    assert sum(step == run.decisive for run, (_, step) in zip(runs, ends, strict=True)) >= 7
    assert sum(forks for forks, _ in ends) / 8 <= 50


def test_a_planted_run_repeats_no_more_than_its_falls_allow() -> None:
    """q_j = r Q + (1 - r) q_{j+1} with Q between 0 and 1, at every step of every profile."""
    for profile in PROFILES:
        for number in range(10):
            run = draw(profile, 0, number)
            assert all(-1e-9 <= run._left(j) <= 1 + 1e-9 for j in range(len(run.repeats)))


def test_baselines_find_a_fall_that_nobody_could_miss() -> None:
    """.99 to .01 behind step 3 of 8, with 32 looks: 3 halvings of 32, 8 prefixes of 32, and 16 to 100 for a label."""
    run, generator = Planted((0.99,) * 4 + (0.01,) * 4 + (0.0,), (0.0,) * 8), np.random.default_rng(0)
    assert bisected(run, generator, 32) == (96, 3)
    assert exhausted(run, generator, 32) == (256, 3)
    assert labelled(run, generator) == (6 * 16 + 2 * 100, 3)
