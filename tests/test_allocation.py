"""Where rollouts go, and what is said of them: on outcomes that are given by hand or by planted traces."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.special import betaln

from tracer.analyses import bench_allocation as bench
from tracer.analyses.allocation import RULE, Budget, Draw, Forecast, allocate, choose, forecast, nodes
from tracer.analyses.effects import conclude
from tracer.analyses.jumps import jumps
from tracer.analyses.pools import Drawn, Pools, spread
from tracer.analyses.simulator import TARGET, TRACES, Planted, Simulator, anchor, flat, planted
from tracer.errors import TracerError
from tracer.stats import Count, Estimate, difference


def always(labels: Sequence[str]) -> Draw:
    """Every rollout of a prefix has the prefix's label, and 10 tokens."""
    return lambda wanted: {prefix: [Drawn(labels[prefix], 10)] * count for prefix, count in wanted.items()}


def swept(trace: Planted, seed: int = 0, budget: Budget | None = None) -> Pools:
    return allocate(Simulator(trace, seed), TARGET, trace.cost, budget)


def pools_of(target: str, *rollouts: tuple[int, Drawn], sentences: int = 3) -> Pools:
    made = Pools(sentences, target)
    for prefix, drawn in rollouts:
        made.add(prefix, [drawn])
    return made


def test_a_rollout_is_a_case_of_every_prefix_that_it_follows() -> None:
    """Drawn from prefix 0, it writes sentences 0 and 1 and then leaves: it diverges at prefix 2, and not later."""
    pools = pools_of("x", (0, Drawn("x", 7, follows=2)))
    assert [pools.all(prefix) for prefix in range(4)] == [Count(1, 1), Count(1, 1), Count(1, 1), Count(0, 0)]
    assert [pools.diverged(prefix).n for prefix in range(4)] == [0, 0, 1, 0]
    assert (pools.fresh, pools.tokens) == ([1, 0, 0, 0], [7, 0, 0, 0])


def test_a_rollout_cannot_follow_beyond_the_end() -> None:
    """It ends at the last prefix, where nothing is left to follow."""
    pools = pools_of("x", (1, Drawn("x", follows=99)))
    assert [pools.all(prefix).n for prefix in range(4)] == [0, 1, 1, 1]
    assert pools.diverged(3) == Count(1, 1)


def test_jumps_are_the_sum_over_all_segmentations() -> None:
    """Five prefixes have 16 segmentations: their weights, added one by one."""
    hits, cases, prior = [9, 8, 5, 0, 2], [10, 9, 10, 0, 12], 0.2
    weights = np.zeros(4)
    total = 0.0
    for chosen in (set(each) for size in range(5) for each in combinations(range(4), size)):
        bounds = [0, *(place + 1 for place in sorted(chosen)), 5]
        logs = [betaln(1 + sum(hits[a:b]), 1 + sum(cases[a:b]) - sum(hits[a:b])) for a, b in pairwise(bounds)]
        weight = math.exp(math.fsum(logs)) * prior ** len(chosen) * (1 - prior) ** (4 - len(chosen))
        total += weight
        weights[list(chosen)] += weight
    assert jumps(hits, cases, prior) == pytest.approx(list(weights / total), rel=1e-6)


def test_without_rollouts_a_jump_is_as_likely_as_the_prior_says() -> None:
    """Nothing is known of any sentence; one prefix has none."""
    assert jumps([0.0] * 4, [0.0] * 4, 0.3) == pytest.approx([0.3] * 3)
    assert jumps([0.0], [0.0]) == []


def test_first_looks_are_coarse_and_then_close_in_on_the_jump() -> None:
    """Of 16 sentences every fourth prefix is seen first; the halves around sentence 9 follow: prefixes 10 and 9."""
    asked: list[dict[int, int]] = []
    labels = ["right"] * 10 + ["wrong"] * 7

    def draw(wanted: Mapping[int, int]) -> Mapping[int, Sequence[Drawn]]:
        asked.append(dict(wanted))
        return always(labels)(wanted)

    allocate(draw, "right", [10.0] * 17)
    assert asked[0] == dict.fromkeys((0, 4, 8, 12, 16), 10)
    assert asked[1] == {10: 10}
    assert asked[2] == {9: 10}


def test_a_certain_jump_is_an_anchor_and_the_rest_is_none() -> None:
    """Right up to prefix 9, wrong from 10 on: sentence 9 does it, by -1."""
    labels = ["right"] * 10 + ["wrong"] * 7
    found = conclude(allocate(always(labels), "right", [10.0] * 17))
    anchors = [each for each in found.sentences if each.verdict == "anchor"]
    assert [each.sentence for each in anchors] == [9]
    assert anchors[0].effect.value == -1.0
    assert anchors[0].q < 0.01
    assert anchors[0].tokens == 10 * (anchors[0].before.n + anchors[0].after.n)
    assert all(each.verdict in {"no effect", "undecided"} for each in found.sentences if each.sentence != 9)


def test_the_same_outcomes_give_the_same_requests() -> None:
    """Two runs over one simulator's seed agree in every rollout."""
    trace = anchor(0.9, 0.3, 14, 6, follow=0.7)
    assert conclude(swept(trace, 5)) == conclude(swept(trace, 5))
    assert conclude(swept(trace, 5)) != conclude(swept(trace, 6))


@pytest.mark.parametrize("limit", [1, 9, 55, 300])
def test_no_budget_is_passed(limit: int) -> None:
    """Rollouts to the last one; tokens up to what a rollout is longer than expected."""
    trace = flat(0.5, 12)
    assert sum(swept(trace, budget=Budget(rollouts=limit)).fresh) == limit
    longest = 1.25 * max(trace.cost)
    pools = swept(trace, budget=Budget(tokens=limit * 100.0))
    assert sum(pools.tokens) <= limit * 100 * 1.25 + longest


def test_a_width_is_reached_where_nothing_else_limits() -> None:
    """Every interval of a coin's trace is at most .3 wide."""
    found = conclude(swept(flat(0.5, 4), budget=Budget(width=0.3)))
    assert all(each.effect.high - each.effect.low <= 0.3 for each in found.sentences)


def test_what_a_sweep_takes_is_told_before() -> None:
    """31 prefixes of 100 tokens: a fifth of 3,100 rollouts; eleven: no fewer than 300; with a width of .5, 160 each."""
    assert forecast([100.0] * 31) == Forecast(620, 62_000, 3_100, 310_000)
    assert forecast([100.0] * 2).rollouts == 200  # all of a sweep
    cost = [100.0] * 11
    assert forecast(cost) == forecast(cost, Budget.default(cost)) == Forecast(300, 30_000, 1_100, 110_000)
    assert forecast(cost, Budget(width=0.5)) == Forecast(1_760, 176_000, 1_100, 110_000)
    assert forecast(cost, Budget(tokens=5_000)).tokens == 5_000


def test_a_narrow_width_may_take_more_than_the_usual_most() -> None:
    """A width of .1 takes 2 (1.96 / .1)^2 = 769 rollouts of each of two prefixes."""
    assert forecast([1.0, 1.0], Budget(width=0.1)).rollouts == 2 * 769


def test_a_source_that_runs_dry_ends_the_sweep() -> None:
    """An interrupted engine gives nothing more; what came is kept, and no one waits."""
    left = [25]

    def draw(wanted: Mapping[int, int]) -> Mapping[int, Sequence[Drawn]]:
        given = {}
        for prefix, count in wanted.items():
            taken = min(count, left[0])
            left[0] -= taken
            given[prefix] = [Drawn("a")] * taken
        return given

    pools = allocate(draw, "a", [1.0] * 9)
    assert sum(pools.fresh) == 25


def test_each_round_is_shown() -> None:
    """For progress: the rollouts so far never shrink."""
    seen: list[int] = []
    trace = flat(0.5, 8)
    allocate(Simulator(trace, 1), TARGET, trace.cost, watch=lambda pools: seen.append(sum(pools.fresh)))
    assert seen == sorted(seen)
    assert seen[0] == 90  # nine prefixes take a third of the budget at most, so all are looked at
    assert len(seen) > 3


@pytest.mark.parametrize(
    ("cost", "budget", "says"),
    [
        ([1.0], Budget(), "at least one sentence"),
        ([], Budget(), "at least one sentence"),
        ([1.0, 1.0], Budget(rollouts=0), "above 0"),
        ([1.0, 1.0], Budget(tokens=-5.0), "above 0"),
        ([1.0, 1.0], Budget(width=0.0), "above 0"),
        ([1.0, 1.0], Budget(width=math.nan), "above 0"),
    ],
)
def test_impossible_requests_are_refused_in_one_line(cost: list[float], budget: Budget, says: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(TracerError, match=says) as caught:
        allocate(always(["a"]), "a", cost, budget)
    assert "\n" not in str(caught.value)
    with pytest.raises(TracerError, match=says):
        forecast(cost, budget)


def test_nothing_is_asked_of_a_sentence_that_is_decided() -> None:
    """Two prefixes with 150 cases each, all right before and all wrong after: done."""
    pools = Pools(1, "right")
    pools.add(0, [Drawn("right")] * 150)
    assert choose(pools, Budget()) == {}
    pools.add(1, [Drawn("wrong")] * 150)
    assert choose(pools, Budget()) == {}


def test_a_prefix_that_inherited_one_rollout_is_looked_at_properly() -> None:
    """Ten of prefix 0, one of which is a case of prefix 1: nine more, not a second one."""
    pools = Pools(1, "a")
    pools.add(0, [Drawn("a", follows=1)] + [Drawn("a")] * 9)
    assert choose(pools, Budget()) == {1: 9}


def test_a_prefix_without_rollouts_may_be_anything() -> None:
    """No effect is claimed or denied, and its p-value is 1."""
    found = conclude(pools_of("a", (0, Drawn("a")))).sentences[1]
    assert found.effect == Estimate(0.0, -1.0, 1.0, 0)
    assert (found.before.low, found.before.high, found.before.n) == (0.0, 1.0, 0)
    assert (found.p, found.q, found.verdict) == (1.0, 1.0, "undecided")


def test_a_sentence_that_is_nearly_always_written_is_overdetermined() -> None:
    """60 of 64 rollouts write it again, so only 4 tell what happens without; with 12 of 64 there is enough."""
    for others, verdict in ((4, "overdetermined"), (12, "no effect")):
        pools = Pools(1, "a")
        pools.add(0, [Drawn("a", follows=1)] * (64 - others) + [Drawn("a")] * others)
        assert conclude(pools).sentences[0].verdict == verdict


def test_a_sentence_that_is_surely_written_needs_no_rollout() -> None:
    """The model writes it in 97 of 100: it moves P by .03 at most, and P before it follows from P after it."""
    pools = Pools(2, "a", [0.97, math.nan])
    pools.add(1, [Drawn("a")] * 6 + [Drawn("b")] * 4)
    before, after = pools.shares()[:2]
    assert before is not None
    assert after is not None
    assert before.value == pytest.approx(0.03 * 0.5 + 0.97 * 0.6)  # what else it might write may do anything
    said = conclude(pools).sentences[0]
    assert said.effect.value == pytest.approx(0.03 * (0.6 - 0.5))
    assert -0.03 <= said.effect.low < said.effect.high <= 0.03
    assert (said.verdict, said.before.n) == ("overdetermined", 0)


def test_only_sentences_with_room_are_looked_at() -> None:
    """Of six, the second and the fifth may be written otherwise, and of the last nothing is known."""
    pools = Pools(6, "a", [1.0, 0.2, 0.95, 1.0, 0.5, math.nan])
    assert nodes(pools) == [0, 2, 5, 6]
    trace = Planted((0.5,) * 7, (1.0, 0.2, 0.95, 1.0, 0.5, 0.5))
    simulator = Simulator(trace, 1)
    asked: list[dict[int, int]] = []

    def draw(wanted: Mapping[int, int]) -> Mapping[int, Sequence[Drawn]]:
        asked.append(dict(wanted))
        return simulator(wanted)

    allocate(draw, TARGET, trace.cost, chances=[*trace.follow[:-1], math.nan])
    assert asked[0] == dict.fromkeys((0, 2, 5, 6), 10)
    assert {prefix for each in asked for prefix in each} == {0, 2, 5, 6}


def test_two_jumps_that_cancel_are_found_where_chances_are_known() -> None:
    """A rumour believed and taken back in the next sentence: from both ends of a coarse grid nothing is to be seen."""
    trace = Planted((0.95,) * 10 + (0.05,) + (0.95,) * 6, (1.0,) * 9 + (0.04, 0.04) + (1.0,) * 5)
    found = conclude(allocate(Simulator(trace, 4), TARGET, trace.cost, chances=trace.follow))
    assert [each.sentence for each in found.sentences if each.verdict == "anchor"] == [9, 10]
    assert max(each.before.n for each in found.sentences) < 100


def test_with_known_chances_the_reference_effect_is_met() -> None:
    """f = .6, P after it 80 of 100, of those that go on otherwise 3 of 10: .4 (.8 - .3), and .4 of Newcombe's."""
    pools = Pools(1, "a", [0.6])
    pools.add(0, [Drawn("a")] * 3 + [Drawn("b")] * 7)
    pools.add(1, [Drawn("a")] * 80 + [Drawn("b")] * 20)
    before, after = pools.shares()
    assert before is not None
    assert before.value == pytest.approx(0.4 * 0.3 + 0.6 * 0.8)
    plain = difference(Count(3, 10), Count(80, 100), spread(10, room=0.4))
    assert pools.effect(0, after)[:3] == pytest.approx([0.4 * each for each in plain[:3]])


def test_replacements_that_mean_the_same_do_not_count_as_different() -> None:
    """All 64 have other tokens; a caller who compares meanings finds 3 that differ."""
    pools = Pools(1, "a")
    pools.add(0, [Drawn("a")] * 64)
    pools.add(1, [Drawn("a")] * 64)
    assert conclude(pools).sentences[0].verdict == "no effect"
    said = conclude(pools, different=[3]).sentences[0]
    assert (said.verdict, said.different) == ("overdetermined", 3)


@pytest.mark.parametrize(("hits", "expected"), [(0, True), (1, True), (3, False), (37, False), (39, True)])
def test_a_trace_without_room_is_flagged(hits: int, expected: bool) -> None:
    """Below .05 or above .95 before the first sentence, of 40 rollouts."""
    pools = Pools(1, "a")
    pools.add(0, [Drawn("a")] * hits + [Drawn("b")] * (40 - hits))
    assert conclude(pools).saturated is expected
    assert conclude(Pools(1, "a")).saturated is False


def test_any_text_may_be_a_label() -> None:
    """Outcomes are compared and never read."""
    hostile = ["", "\0", "'; drop table", "\ud800", "x" * 100_000, "none", "truncated"]
    pools = Pools(2, "\ud800")
    for prefix in range(3):
        pools.add(prefix, [Drawn(label) for label in hostile])
    found = conclude(pools)
    assert found.sentences[0].before.value == pytest.approx(1 / 7)


def test_three_hundred_sentences_take_seconds() -> None:
    """One jump is found among them."""
    trace = anchor(0.9, 0.2, 300, 123, follow=0.5)
    found = conclude(swept(trace, budget=Budget(rollouts=2_000)))
    assert max(found.sentences, key=lambda each: each.strength).sentence == 123


def test_the_simulator_draws_what_was_planted() -> None:
    """P(target) of 4,000 rollouts of each prefix is within 5 standard errors; so is the share that follows."""
    trace = planted([0.9, 0.9, 0.2, 0.5], follow=0.6, others=(0.5, 0.5))
    drawn = Simulator(trace, 3)(dict.fromkeys(range(4), 4_000))
    for prefix, p in enumerate(trace.p):
        assert np.mean([each.label == TARGET for each in drawn[prefix]]) == pytest.approx(p, abs=0.04)
    for prefix, follow in enumerate(trace.follow):
        assert np.mean([each.follows > 0 for each in drawn[prefix]]) == pytest.approx(follow, abs=0.04)
    assert {each.label for each in drawn[0]} == {TARGET, "other 0", "other 1"}


@pytest.mark.parametrize("kind", list(TRACES))
def test_planted_traces_are_possible(kind: str) -> None:
    """All chances lie in [0, 1], and so does what is left to those that diverge."""
    generator = np.random.default_rng(2)
    for _ in range(200):
        trace = TRACES[kind](generator, 0.8)
        assert 8 <= len(trace.follow) <= 30
        for (before, after), follow in zip(pairwise(trace.p), trace.follow, strict=True):
            assert 0 <= follow <= 0.8
            assert -1e-9 <= (before - follow * after) / (1 - follow) <= 1 + 1e-9


def test_an_interval_of_many_cases_is_the_usual_one() -> None:
    """The z grows from 1.68 at 10 cases to 1.96."""
    assert spread(10) == pytest.approx(1.96 - 5 / 18, abs=1e-4)
    assert spread(1e9) == pytest.approx(1.96, abs=1e-4)
    assert spread(0) > 1.3


@pytest.mark.parametrize(("follow", "known"), [(0.0, False), (0.8, False), (0.8, True)])
@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_intervals_hold_under_the_rule_that_stops_by_them(p: float, follow: float, known: bool) -> None:
    """A small version of tests/slow: 25 null traces of 20 sentences."""
    found = bench.coverage(bench.trials(lambda generator: flat(p, 20, follow), 25, seed=1, known=known))
    assert found.effects.value > 0.92
    assert found.shares.value > 0.9


@pytest.mark.parametrize("follow", [0.0, 0.8])
def test_a_change_of_three_tenths_is_found(follow: float) -> None:
    """A small version of tests/slow: 40 traces with one jump from .9 to .6."""

    def make(generator: np.random.Generator) -> Planted:
        return anchor(0.9, 0.6, 20, int(generator.integers(20)), follow)

    assert bench.power(bench.trials(make, 40, seed=2), 0.3).value >= 0.8


def test_null_traces_rarely_have_discoveries() -> None:
    """A small version of tests/slow: at most 4 of 40."""
    assert bench.discoveries(bench.trials(lambda generator: flat(0.5, 20), 40, seed=3)).value <= 0.1


def test_recall_counts_ties_once() -> None:
    """Effects .8, .3, .12, .1, .02, of which the last holds 0: .8 and .3 must be found, .12 and .1 are one slot."""
    reference = [Estimate(v, v - 0.03, v + 0.03, 1_000) for v in (0.8, 0.02, -0.3, 0.12, 0.1)]
    assert bench.top_found(reference, [0.9, 0.0, 0.5, 0.0, 0.2]) == (3, 3)
    assert bench.top_found(reference, [0.9, 0.3, 0.5, 0.0, 0.0]) == (2, 3)
    assert bench.top_found(reference, [0.0, 0.5, 0.0, 0.3, 0.2]) == (1, 3)
    none = [Estimate(0.01, -0.02, 0.04, 1_000)] * 4
    assert bench.top_found(none, [1.0, 0.0, 0.0, 0.0]) == (0, 0)


def test_the_default_rule_is_the_one_that_was_measured() -> None:
    """Changing a setting needs the measurement anew: `make test-slow`."""
    assert RULE == (10, 4, 0.34, 1.5, 160, 0.8, 4, 0.4, 0.1, 0.05)
