"""Estimates and their intervals, each against scipy or against a simulation whose truth is known."""

import math

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.spatial.distance import jensenshannon

from tracer.stats import (
    DIVERGENCES,
    Count,
    Estimate,
    auroc,
    average_precision,
    benjamini_hochberg,
    bootstrap_mean,
    calibration,
    difference,
    divergence,
    fisher,
    kendall_w,
    logistic,
    power,
    shrunken,
    spearman,
    top,
    top_overlap,
    wilson,
)
from tracer.stats.nested import effect, share


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 10), (29, 64), (64, 64), (500, 1000)])
def test_wilson_is_that_of_scipy(successes: int, n: int) -> None:
    """Both bounds, at the ends of the scale too."""
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    found = wilson(successes, n)
    assert (found.value, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_case_says_nothing() -> None:
    """Anything from 0 to 1 is possible; a mean of nothing is no number."""
    assert wilson(0, 0) == Estimate(0.0, 0.0, 1.0, 0)
    empty = bootstrap_mean([], [])
    assert math.isnan(empty.value)
    assert empty.n == 0


def test_the_bootstrap_draws_whole_groups() -> None:
    """Copies within a group add no certainty: ten copies of four groups are as uncertain as the four."""
    once = bootstrap_mean([0.0, 1.0, 0.0, 1.0], "abcd")
    copied = bootstrap_mean([0.0, 1.0, 0.0, 1.0] * 10, "abcd" * 10)
    apart = bootstrap_mean([0.0, 1.0, 0.0, 1.0] * 10, range(40))
    assert once == copied
    assert once.n == 4
    assert apart.high - apart.low < (once.high - once.low) / 2


def test_the_same_seed_gives_the_same_interval() -> None:
    """A figure printed twice is the same figure; equal values have no spread."""
    values = [0.1, 0.9, 0.4, 0.7]
    assert bootstrap_mean(values, "abcd", seed=3) == bootstrap_mean(values, "abcd", seed=3)
    assert bootstrap_mean([0.25] * 5, "aabbc") == Estimate(0.25, 0.25, 0.25, 3)


def test_the_bootstrap_interval_holds_the_truth_as_often_as_it_says() -> None:
    """300 samples of 60 coin throws with p = 0.4: the 95 % interval covers 0.4 in 90 to 98 % of them."""
    generator = np.random.default_rng(7)
    covered = 0
    for seed in range(300):
        values = (generator.random(60) < 0.4).astype(float)
        found = bootstrap_mean(list(values), range(60), seed=seed)
        covered += found.low <= 0.4 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_logistic_weights_are_the_optimum_that_scipy_finds() -> None:
    """The same penalised likelihood, minimised by a general method."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(200, 3))
    y = (generator.random(200) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -2.0, 0.0])))).astype(float)
    design = np.column_stack([np.ones(200), x])

    def loss(weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        score = design @ weights
        return float(np.sum(np.logaddexp(0, score) - y * score) + 0.7 / 2 * weights @ weights)

    expected = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert logistic(x, y, ridge=0.7) == pytest.approx(expected, abs=1e-5)


def test_separable_data_stay_finite() -> None:
    """The ridge holds weights that would run away; data of one kind only give an intercept with its sign."""
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    weights = logistic(x, np.array([0.0, 0.0, 1.0, 1.0]))
    assert np.isfinite(weights).all()
    assert weights[1] > 1
    assert logistic(x, np.ones(4))[0] > 1


@pytest.mark.parametrize(("sharpness", "slope"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0)])
def test_calibration_finds_over_and_under_confidence(sharpness: float, slope: float) -> None:
    """Log-odds stated twice too large have slope 1/2, half too small slope 2; right ones have slope 1."""
    generator = np.random.default_rng(5)
    logit = generator.normal(-0.5, 1.2, size=4_000)
    true = generator.random(4_000) < 1 / (1 + np.exp(-logit))
    stated = 1 / (1 + np.exp(-sharpness * logit))
    found = calibration(list(stated), [bool(t) for t in true], range(4_000), resamples=60)
    assert found.slope.value == pytest.approx(slope, rel=0.1)
    assert found.slope.low < slope < found.slope.high
    assert found.intercept.value == pytest.approx(0, abs=0.1)
    assert found.slope.n == 4_000


def test_calibration_finds_a_shift() -> None:
    """Odds stated e times too high have intercept -1."""
    generator = np.random.default_rng(6)
    logit = generator.normal(0, 1, size=4_000)
    true = generator.random(4_000) < 1 / (1 + np.exp(-logit))
    found = calibration(list(1 / (1 + np.exp(-(logit + 1)))), [bool(t) for t in true], range(4_000), resamples=20)
    assert found.intercept.value == pytest.approx(-1, abs=0.15)


def test_calibration_survives_certainty() -> None:
    """Stated 0 and 1 are clipped, not divided by."""
    found = calibration([0.0, 1.0, 0.5, 0.5], [False, True, True, False], "abcd", resamples=20)
    assert all(math.isfinite(value) for estimate in found for value in estimate)


def test_auroc_counts_ties_half() -> None:
    """Of 2 x 3 pairs of a true and a false one, 4 are in order and 1 is a tie: 4.5 / 6."""
    scores = np.array([0.9, 0.4, 0.4, 0.1, 0.5])
    true = np.array([True, True, False, False, False])
    assert auroc(scores, true) == pytest.approx(4.5 / 6)
    assert auroc(-scores, true) == pytest.approx(1.5 / 6)


def test_auroc_is_mann_whitney() -> None:
    """The oracle is scipy's U."""
    generator = np.random.default_rng(3)
    scores, true = generator.integers(0, 9, 200).astype(float), generator.random(200) < 0.3
    u = stats.mannwhitneyu(scores[true], scores[~true]).statistic
    assert auroc(scores, true) == pytest.approx(u / (true.sum() * (~true).sum()))


def test_average_precision_by_hand() -> None:
    """True at ranks 1 and 3 of 4: (1/1 + 2/3) / 2; with all scores equal it is the base rate."""
    true = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), true) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(4), true) == pytest.approx(0.5)


def test_one_kind_alone_has_no_area() -> None:
    """NaN, not a made-up figure."""
    assert math.isnan(auroc(np.ones(3), np.ones(3, dtype=bool)))
    assert math.isnan(average_precision(np.ones(3), np.zeros(3, dtype=bool)))


@pytest.mark.parametrize(
    ("before", "after", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 20), (0, 10), -0.1611, 0.2775),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_interval_is_the_published_one(
    before: tuple[int, int], after: tuple[int, int], low: float, high: float
) -> None:
    """Examples a, b, c, d, e and h of Newcombe (1998), table II, method 10."""
    found = difference(Count(*before), Count(*after))
    assert found.value == pytest.approx(after[0] / after[1] - before[0] / before[1])
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)
    assert found.n == min(before[1], after[1])


def test_a_difference_from_nothing_may_be_anything() -> None:
    """No case on one side: 0 to 1 there; none on both: -1 to 1, clipped."""
    assert difference(Count(0, 0), Count(0, 0))[1:] == (-1.0, 1.0, 0)
    found = difference(Count(0, 0), Count(50, 50))
    assert (found.low, found.high) == pytest.approx((-0.005, 1.0), abs=0.01)


@pytest.mark.parametrize("tables", [((0, 5), (5, 5)), ((3, 10), (9, 12)), ((7, 16), (7, 16)), ((1, 400), (9, 300))])
def test_fishers_p_is_that_of_scipy(tables: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Two-sided, with equal tables counted as equal."""
    (a, m), (b, n) = tables
    expected = stats.fisher_exact(np.array([[a, m - a], [b, n - b]])).pvalue
    assert fisher(Count(a, m), Count(b, n)) == pytest.approx(expected, rel=1e-9)
    assert fisher(Count(b, n), Count(a, m)) == pytest.approx(expected, rel=1e-9)


def test_mid_p_counts_the_table_itself_half() -> None:
    """Less half of its hypergeometric probability."""
    half = stats.hypergeom.pmf(3, 22, 12, 10) / 2
    assert fisher(Count(3, 10), Count(9, 12), middle=True) == pytest.approx(
        stats.fisher_exact(np.array([[3, 7], [9, 3]])).pvalue - half
    )
    assert fisher(Count(0, 0), Count(3, 5), middle=True) == 1.0


def test_fisher_without_cases_and_with_very_many() -> None:
    """No evidence is p = 1; 100,000 cases are no trouble."""
    assert fisher(Count(0, 0), Count(3, 5)) == 1.0
    assert fisher(Count(50_000, 100_000), Count(50_000, 100_000)) == pytest.approx(1.0)
    assert fisher(Count(0, 5_000), Count(5_000, 5_000)) == pytest.approx(0.0, abs=1e-300)


def test_power_at_a_hundred_and_at_four_hundred() -> None:
    """At 1/2, 100 cases find .20 and 400 find .10 four times in five; where nothing differs it is the level."""
    assert power(0.4, 0.6, 100) == pytest.approx(0.82, abs=0.01)
    assert power(0.45, 0.55, 400) == pytest.approx(0.81, abs=0.01)
    assert power(0.3, 0.3, 50) == pytest.approx(0.05)
    assert (power(0.1, 0.9, 0), power(0.0, 1.0, 5), power(1.0, 1.0, 5)) == (0.0, 1.0, 0.05)


def test_discoveries_are_those_of_scipy() -> None:
    """With ties, an order that is not sorted, and none at all."""
    p = [0.04, 0.001, 0.2, 0.04, 0.9, 0.0, 1.0]
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    assert benjamini_hochberg([0.03]) == [0.03]
    assert benjamini_hochberg([]) == []


def test_rank_correlation_is_that_of_scipy() -> None:
    """With ties; the interval has the truth of a bivariate normal in 92 to 98 % of 400 samples of 40."""
    generator = np.random.default_rng(4)
    one, two = generator.integers(0, 6, 50), generator.integers(0, 6, 50)
    assert spearman(list(one), list(two)).value == pytest.approx(stats.spearmanr(one, two).statistic)
    truth = 6 / math.pi * math.asin(0.6 / 2)
    covered = 0
    for _ in range(400):
        x, y = generator.normal(size=(2, 40))
        found = spearman(list(x), list(0.6 * x + 0.8 * y))
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_orders_that_say_little_have_wide_intervals() -> None:
    """A constant has no order; three pairs say nothing; a perfect order has no room."""
    assert math.isnan(spearman([1, 1, 1, 1], [1, 2, 3, 4]).value)
    assert math.isnan(spearman([], []).value)
    assert spearman([1, 2, 3], [1, 3, 2])[1:3] == (-1.0, 1.0)
    assert spearman([1, 2, 3, 4], [2, 4, 6, 9])[:3] == (1.0, 1.0, 1.0)


def test_concordance_is_friedmans_statistic() -> None:
    """W = chi^2 / (m (n - 1)), ties corrected on both sides; equal orders give 1, opposite ones 0."""
    generator = np.random.default_rng(5)
    scores = generator.integers(0, 5, size=(4, 9))
    chi2 = stats.friedmanchisquare(*scores.T).statistic
    assert kendall_w(scores.tolist()) == pytest.approx(chi2 / (4 * 8))
    assert kendall_w([[1, 2, 3], [10, 20, 30]]) == pytest.approx(1.0)
    assert kendall_w([[1, 2, 3], [3, 2, 1]]) == pytest.approx(0.0)
    assert all(math.isnan(kendall_w(each)) for each in ([], [[1, 2]], [[1], [2]], [[1, 1], [2, 2]]))


def test_the_top_ones_are_counted_once() -> None:
    """Two of the top three are shared; the earlier of equals comes first; NaN never does."""
    assert top([0.1, 0.9, math.nan, 0.9, 0.5], 3) == [1, 3, 4]
    assert top_overlap([5, 4, 3, 2, 1], [5, 4, 1, 2, 3], 3) == pytest.approx(2 / 3)
    assert top_overlap([1.0], [2.0], 3) == 1.0
    assert math.isnan(top_overlap([math.nan], [1.0], 3))


def test_divergences_are_those_of_scipy() -> None:
    """Of shares .5 .3 .2 and .2 .2 .6: total variation .4, and scipy's entropies for the others."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    assert DIVERGENCES["tv"].formula(p, q) == pytest.approx(0.4)
    assert DIVERGENCES["js"].formula(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert DIVERGENCES["kl"].formula(p, q) == pytest.approx(stats.entropy(p, q))


def test_the_prior_of_kl_is_jeffreys_on_the_whole_support() -> None:
    """Two a against two b, and c that was seen elsewhere: (2.5, .5, .5) / 3.5 against (.5, 2.5, .5) / 3.5."""
    found = divergence("aa", "bb", support="abc", kind="kl", draws=50)
    assert found.raw == pytest.approx(stats.entropy([2.5, 0.5, 0.5], [0.5, 2.5, 0.5]))
    assert divergence("aa", "bb", draws=50).raw == 1.0


def test_opposite_answers_are_as_far_apart_as_can_be() -> None:
    """Twenty against twenty: total variation and Jensen-Shannon are 1, by chance never, and the interval says so."""
    for kind in ("tv", "js"):
        found = divergence("a" * 20, "b" * 20, kind=kind)
        assert found.raw == pytest.approx(1.0)
        assert found.p < 0.01
        assert 0.3 < found.low < found.value <= found.high <= 1.0


@pytest.mark.parametrize("kind", list(DIVERGENCES))
@pytest.mark.parametrize("n", [10, 40, 100])
def test_without_an_effect_the_corrected_divergence_is_zero(kind: str, n: int) -> None:
    """Twenty rare answers of .01 each beside one of .8: the mean over 300 samples is within .02 of 0."""
    generator = np.random.default_rng(n)
    shares = [0.8] + [0.01] * 20
    found = []
    for _ in range(300):
        one, two = (generator.choice(21, size=n, p=shares).tolist() for _ in range(2))
        found.append(divergence(one, two, support=range(21), kind=kind, draws=60))
    assert abs(np.mean([each.value for each in found])) < 0.02
    assert np.mean([each.raw for each in found]) > 0.05
    assert np.mean([each.low > 0 for each in found]) < 0.06


def test_cases_of_both_sides_hold_the_distributions_together() -> None:
    """Nine of ten answers are the same cases: the total variation is at most .1, and the null keeps them together."""
    found = divergence(["x"], ["y"], both="ab" * 4 + "a")
    assert found.raw == pytest.approx(0.1)
    assert found.high < 0.5
    assert found.n == 10
    assert found.p > 0.5


def test_divergences_of_nothing_say_nothing() -> None:
    """No case on a side: NaN, and anything possible; KL has no upper end."""
    found = divergence([], ["a"])
    assert math.isnan(found.value)
    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)
    assert divergence([], [], kind="kl").high == math.inf
    assert divergence(["a"], ["a"], draws=10).value == 0.0


def test_the_same_samples_give_the_same_divergence() -> None:
    """Draws come from a seed."""
    assert divergence("aab", "abb", seed=3) == divergence("aab", "abb", seed=3)


def test_an_unsure_estimate_is_drawn_towards_nothing() -> None:
    """.3 with its near end at .3 - .196, one scale of .1 away in standard errors: half; a sure one stays as it is."""
    assert shrunken(Estimate(0.3, 0.104, 0.9, 20), 0.1) == pytest.approx(0.15, abs=1e-4)
    assert shrunken(Estimate(-0.3, -0.9, -0.104, 20), 0.1) == pytest.approx(-0.15, abs=1e-4)
    assert shrunken(Estimate(0.3, 0.3, 0.3, 20), 0.1) == 0.3
    assert shrunken(Estimate(0.0, -1.0, 1.0, 0), 0.1) == 0.0


def test_without_followers_nested_samples_are_plain_ones() -> None:
    """Wilson's share and Newcombe's difference."""
    after = share(Count(7, 10))
    assert after[:3] == wilson(7, 10)[:3]
    assert effect(Count(3, 10), 0, after) == pytest.approx(difference(Count(3, 10), Count(7, 10)))


def test_one_hit_of_few_is_no_proof_that_hits_are_not_rare() -> None:
    """Wilson has .0224 as its lower bound for 1 of 8; P(0 hits) = .95 at .05129 / 8 = .0064. The same for misses."""
    assert share(Count(1, 8)).low == pytest.approx(-math.log(0.95) / 8, rel=1e-3)
    assert share(Count(7, 8)).high == pytest.approx(1 + math.log(0.95) / 8, rel=1e-3)
    assert share(Count(0, 8))[:3] == wilson(0, 8)[:3]


def test_an_effect_is_the_diverged_part_of_the_difference() -> None:
    """5 of 20 diverge and never hit, 15 follow into a sample of 30 with 24 hits: P = .8, before .75 x .8, effect .2."""
    after = share(Count(24, 30))
    before = share(Count(0, 5), 15, after)
    found = effect(Count(0, 5), 15, after)
    assert before.value == pytest.approx(0.6)
    assert found.value == pytest.approx(0.2)
    assert 0 < found.low < 0.2 < found.high < 0.5


def test_where_all_follow_the_effect_is_as_small_as_few_divergers_could_make_it() -> None:
    """40 of 40 follow: at most 1 - 40 / (40 + 1.96^2) = 8.8 % would diverge, so the effect is no larger."""
    found = effect(Count(0, 0), 40, share(Count(20, 40)))
    assert found.value == 0.0
    assert -0.0882 < found.low < -0.03
    assert 0.03 < found.high < 0.0882


def test_nested_intervals_hold_the_truth_although_the_samples_overlap() -> None:
    """60 % follow; P is .3 for those that diverge and .8 after: 400 samples of 40, with 20 fresh ones after."""
    generator = np.random.default_rng(8)
    covered = [0, 0]
    for _ in range(400):
        followed = int(generator.binomial(40, 0.6))
        diverged = Count(int(generator.binomial(40 - followed, 0.3)), 40 - followed)
        after = share(Count(int(generator.binomial(followed + 20, 0.8)), followed + 20))
        before, found = share(diverged, followed, after), effect(diverged, followed, after)
        covered[0] += before.low <= 0.4 * 0.3 + 0.6 * 0.8 <= before.high
        covered[1] += found.low <= 0.4 * 0.5 <= found.high
    assert all(0.92 <= each / 400 <= 0.99 for each in covered)
