"""Pooling the tiers: worked out by hand, and the ranker itself where there is nothing to pool."""

import json
import math

import pytest

from tracer.analyses.blame import blame
from tracer.analyses.features import Features
from tracer.analyses.fusion import PRIOR, Fitted, Fusion, Known, fuse, judge_evidence, known, load, moved, pool, voted
from tracer.analyses.judgement import Ballot, Judgement
from tracer.analyses.ranker import distribution, shipped
from tracer.analyses.view import View
from tracer.errors import BadInputError
from tracer.graph import dependency_graph
from tracer.records import Run, Step

RUN = Run(
    id="0" * 12, content_hash="0" * 64, source="x", format="x", framework="ag2", task="How many?", outcome="failure"
)
STEPS = [
    Step(index=k, agent=f"Agent{k}", kind="message", content=text)
    for k, text in enumerate(
        ["Plan: count.", "I assume 4711.", "It is 4711, I recall.", "Let me see.", "So be it.", "4711"]
    )
]
EDGES = dependency_graph(STEPS, RUN.task)


def about(run: Run = RUN, top: int = 5) -> Known:
    """The ranker's finding and what it knows."""
    return known(run, STEPS, EDGES, blame(run, STEPS, edges=EDGES, top=top), shipped())


def judgement(*steps: int | None, offered: tuple[int, ...] = (0, 1, 2, 3)) -> Judgement:
    ballots = [Ballot(state="abstained") if step is None else Ballot(state="named", step=step) for step in steps]
    return Judgement(method="judge", offered=offered, ballots=tuple(ballots))


@pytest.mark.parametrize("outcome", ["failure", "unknown"])
def test_without_a_tier_the_finding_is_the_rankers(outcome: str) -> None:
    """To the last digit, evidence and verdict included."""
    run = RUN.model_copy(update={"outcome": outcome})
    for top in (1, 3, 5):
        assert fuse(about(run, top), [], top=top) == blame(run, STEPS, edges=EDGES, top=top)
    assert pool(about().prior, []) == list(distribution(Features(View(STEPS, RUN.task, EDGES)), shipped()).values())


def test_the_judges_tier_by_hand() -> None:
    """Four offered, votes 3, 1, 0, 0: ln 13/5, ln 5/5, ln 1/5 twice; step 4 was not offered."""
    tier = voted(judgement(0, 0, 1, 0))
    assert [tier.ratio.get(k, 0.0) for k in range(5)] == pytest.approx(
        [math.log(13 / 5), 0, math.log(1 / 5), math.log(1 / 5), 0]
    )
    assert (tier.step, tier.figure) == (0, 0.75)
    assert tier.words == "3 of 4 samples [30%, 95%]"


def test_silence_says_nothing() -> None:
    """All ratios are 0, so the pool is the prior; abstentions beside votes take none of their weight."""
    prior = [0.4, 0.3, 0.2, 0.06, 0.04]
    tier = voted(judgement(None, None))
    assert (set(tier.ratio.values()), tier.step, tier.words) == ({0.0}, None, "no answer")
    assert pool(prior, [tier]) == pytest.approx(prior)
    assert voted(judgement(1, None)).ratio == voted(judgement(1)).ratio


def test_the_pool_by_hand() -> None:
    """Two steps at 0.8 and 0.2, one vote of two offered for the second: odds 4 / (3 / 1)^0.5."""
    [first, second] = pool([0.8, 0.2], [voted(judgement(1, offered=(0, 1)))])
    assert first / second == pytest.approx(4 / math.sqrt(3))
    assert first + second == pytest.approx(1)


def test_five_votes_among_five_raise_the_odds_by_the_documented_factor() -> None:
    posterior = pool([0.2] * 5, [voted(judgement(*[3] * 5, offered=(0, 1, 2, 3, 4)))])
    assert posterior[3] / posterior[0] == pytest.approx(math.sqrt(26))


def test_white_box_and_replay_at_weight_one_are_what_they_say() -> None:
    """Each holds the tier before, so pooling gives its own figure; in a chain the last one's."""
    prior, seen, lived = [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9]
    assert pool(prior, [moved("white-box", seen, prior)]) == pytest.approx(seen)
    assert pool(prior, [moved("white-box", seen, prior), moved("replay", lived, seen)]) == pytest.approx(lived)
    assert moved("replay", lived, seen).step == 2


def test_no_tier_rules_a_step_out_for_good() -> None:
    """A prior of 0 counts as one in a million."""
    posterior = pool([1.0, 0.0], [moved("replay", [0.0, 1.0], [1.0, 0.0])])
    assert posterior[1] > 1 - 1e-5
    assert posterior[0] > 0
    assert pool([], [voted(judgement(0))]) == []


def test_the_order_of_tiers_does_not_matter() -> None:
    prior = about().prior
    one, two = voted(judgement(0, 1, 1)), moved("white-box", list(reversed(prior)), prior)
    assert pool(prior, [one, two]) == pytest.approx(pool(prior, [two, one]))


def test_each_tiers_part_is_on_show() -> None:
    """Nats for every candidate; prior odds times e^nats are the posterior's odds."""
    base = about()
    found = fuse(base, [voted(judgement(3, 3, 3, 3, 3))])
    structure, judge, fused = found.evidence["tiers"]
    assert (structure["tier"], judge["tier"], judge["step"], fused["tier"]) == ("structure", "judge", 3, "fused")
    gave = {each["step"]: each["nats"] for each in judge["gave"]}
    one, two, *_ = found.candidates
    odds = (one.probability or 0) / (two.probability or 1)
    expected = base.prior[one.step] / base.prior[two.step] * math.exp(gave[one.step] - gave[two.step])
    assert odds == pytest.approx(expected, rel=1e-3)
    assert (found.method, found.probability_basis) == ("judge", "uncalibrated")
    assert [each.rank for each in found.candidates] == [1, 2, 3, 4, 5]
    assert found.candidates[0].interval is None


def test_the_verdict_needs_half_of_the_posterior_and_a_known_outcome() -> None:
    sure = voted(judgement(*[1] * 50))
    strong = Fusion(weights={**PRIOR.weights, "judge": 3.0})
    assert fuse(about(), [sure], strong).verdict == "root_cause"
    torn = fuse(about(), [voted(judgement(0, 1))])
    assert torn.verdict == "inconclusive"
    assert "compare step" in torn.verdict_reason
    unknown = fuse(about(RUN.model_copy(update={"outcome": "unknown"})), [sure], strong)
    if (unknown.p_failed or 1) * (unknown.candidates[0].probability or 0) < 0.5:
        assert (unknown.verdict, "tracer mark" in unknown.verdict_reason) == ("inconclusive", True)


def test_a_fitted_weight_holds_for_its_model_and_its_kind_of_run() -> None:
    """Elsewhere it is not called calibrated."""
    fitted = Fitted(
        runs=30, model="m", revision="1", method="judge", log_loss=1, log_loss_without=2, families=shipped().families
    )
    fusion, tier = Fusion(weights={**PRIOR.weights, "judge": 1.0}, fitted=fitted), voted(judgement(1))
    same = fuse(about(), [tier], fusion, model=("m", "1"))
    assert same.probability_basis == "in-domain"
    other = fuse(about(), [tier], fusion, model=("m", "2"))
    assert (other.probability_basis, "fitted for m, which is another model" in other.basis_reason) == (
        "uncalibrated",
        True,
    )
    foreign = RUN.model_copy(update={"framework": "crewai"})
    assert fuse(about(foreign), [tier], fusion, model=("m", "1")).probability_basis == "out-of-domain"


def test_weights_come_from_a_file_or_with_one_line() -> None:
    assert load(PRIOR.model_dump_json(), "f.json") == PRIOR
    odd = [f'{{"weights": {{"judge": {weight}}}}}' for weight in ("NaN", "1e400", "-3")]
    for text in ("", "{", '{"weights": 1}', '{"other": 1}', '{"weights": {}}', *odd):
        with pytest.raises(BadInputError, match=r"f\.json: no fusion weights; make them with `tracer train fusion"):
            load(text, "f.json")


def test_the_evidence_of_a_judge_counts_everything() -> None:
    said = Judgement(
        method="judge",
        offered=(0, 1),
        ballots=(Ballot(state="named", step=1, dropped=2), Ballot(state="unreadable"), Ballot(state="abstained")),
        cut=7,
        left_out=3,
    )
    told = judge_evidence(said, "m", "1")
    assert (told["votes"], told["abstained"], told["unreadable"], told["dropped_quotes"]) == (
        [{"step": 1, "votes": 1}],
        1,
        1,
        2,
    )
    assert (told["cut_characters"], told["steps_left_out"], told["samples"]) == (7, 3, 3)
    json.dumps(told)
