"""The ranker: probabilities, training on planted causes, and the record that ships beside its weights."""

import json
import math
import random
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracer.analyses import ranker
from tracer.analyses.cases import Case, folds, prepare
from tracer.analyses.domain import Family, basis
from tracer.analyses.features import FEATURES, Features
from tracer.analyses.ranker import Bin, RankerModel, cues, distribution, load, observed, rank, shipped
from tracer.analyses.train_ranker import (
    STRENGTHS,
    fit_model,
    group_hash,
    predict,
    predict_position,
    train,
    training_record,
)
from tracer.analyses.view import View
from tracer.collectors.ingest import read_recordings
from tracer.errors import BadInputError
from tracer.records import Label, Recording, Run, Step, StepKind, content_hash, run_id

FILLER = "the whale swims past the station and nobody counts it today"


def step(index: int, agent: str, kind: StepKind = "message", content: str = "so be it", **more: Any) -> Step:
    """One step."""
    return Step(index=index, agent=agent, kind=kind, content=content, **more)


def planted(count: int, seed: int = 0) -> list[Recording]:
    """Runs of 4 to 8 steps in which the decisive step, and with 1 in 10 another one too, assumes something."""
    generator = random.Random(seed)
    found = []
    for k in range(count):
        length = generator.randint(4, 8)
        cause = generator.randrange(length)
        also = generator.randrange(length) if generator.random() < 0.1 else cause
        texts = [FILLER + (", I assume" if i in {cause, also} else "") for i in range(length)]
        found.append(labelled(f"q{k}", [step(i, f"Agent{i % 3}", content=text) for i, text in enumerate(texts)], cause))
    return found


def labelled(question: str, steps: Sequence[Step], cause: int, framework: str = "ag2") -> Recording:
    """A failed run with its label."""
    digest = content_hash([question, *(each.content for each in steps)])
    agent = steps[cause].agent if cause < len(steps) else "nobody"
    label = Label(team="t", agent=agent, step=cause, stated=str(cause))
    run = Run(
        id=run_id(digest), content_hash=digest, source=f"{question}.json", format="t", framework=framework,
        task=question, group=question, outcome="failure", labels=(label,),
    )  # fmt: skip
    return Recording(run, tuple(steps))


def team(cause: int, question: str = "q") -> Recording:
    """An orchestrated run; rule R names step 3, Web's action that brought nothing."""
    steps = [
        step(0, "Boss", "handoff", marks=("instruction",), recipient="Web"),
        step(1, "Web", tool_status="ok", tool_rule="r"),
        step(2, "Boss", "handoff", marks=("instruction",), recipient="Web"),
        step(3, "Web", tool_status="empty", tool_rule="r"),
    ]
    return labelled(question, steps, cause, "magentic-one")


def model(**weights: float) -> RankerModel:
    """A ranker with these weights and nothing else in it."""
    return RankerModel(weights=weights, rule_share=0.0, outside=0.0, threshold=0.5, families={})


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Forty planted runs."""
    return [prepare(recording) for recording in planted(40)]


def test_probabilities_follow_the_formula() -> None:
    """A weight of ln 2 on one of three: 1/4, 1/2, 1/4; with a tenth outside, the user's step gets it."""
    steps = [step(0, "a"), step(1, "b", content="assume"), step(2, "c")]
    assert distribution(Features(View(steps)), model(assumes=math.log(2))) == pytest.approx({0: 0.25, 1: 0.5, 2: 0.25})
    asked = [step(0, "user"), *(each.model_copy(update={"index": each.index + 1}) for each in steps)]
    outside = model(assumes=math.log(2)).model_copy(update={"outside": 0.1})
    expected = {0: 0.1, 1: 0.225, 2: 0.45, 3: 0.225}
    assert distribution(Features(View(asked)), outside) == pytest.approx(expected)


def test_an_orchestrated_run_gives_the_rule_its_share() -> None:
    """With weights of 0 each of four gets 1/4; a rule share of 0.2 leaves 0.2 and lifts its step to 0.4."""
    features = prepare(team(3)).features
    assert distribution(features, model().model_copy(update={"rule_share": 0.2})) == pytest.approx(
        {0: 0.2, 1: 0.2, 2: 0.2, 3: 0.4}
    )


def test_ties_go_to_the_earlier_step() -> None:
    """Equal probabilities: time order."""
    assert rank(Features(View([step(i, "a") for i in range(4)])), model()).order == (0, 1, 2, 3)


def test_training_finds_the_planted_feature(cases: list[Case]) -> None:
    """The planted word gets the largest weight of all features that say anything here, and names nearly every cause."""
    trained = train(cases)
    assert trained.model.weights["assumes"] > 1
    assert trained.strength in STRENGTHS
    hits = []
    for recording in planted(60, seed=1):
        probability = predict(prepare(recording), trained.model)
        assert sum(probability.values()) == pytest.approx(1)
        hits.append(max(probability, key=lambda i: probability[i]) == recording.run.labels[0].step)
    assert sum(hits) / 60 > 0.8


def test_training_on_permuted_labels_loses_the_skill(cases: list[Case]) -> None:
    """Then the planted word says nothing, and log-loss is no better than that of a guess."""
    generator = random.Random(3)
    moved = [
        prepare(labelled(f"m{k}", case.steps, generator.randrange(len(case.steps)))) for k, case in enumerate(cases)
    ]
    trained = train(moved)
    guess = sum(math.log(len(case.steps)) for case in moved) / len(moved)
    assert trained.model.weights["assumes"] < 0.5
    assert trained.log_loss > guess - 0.1
    assert train(cases).log_loss < guess - 0.5


def test_the_same_data_give_the_same_weights(cases: list[Case]) -> None:
    """Whatever the order of the runs, up to the last printed digit."""
    again = train(list(reversed(cases))).model
    first = train(cases).model
    assert again.weights == pytest.approx(first.weights, abs=1e-4)
    assert (again.rule_share, again.outside, again.families) == (first.rule_share, first.outside, first.families)


def test_every_weight_keeps_its_sign(cases: list[Case]) -> None:
    """Whatever the data say."""
    for trained in (train(cases).model, shipped()):
        assert all(FEATURES[name].sign * weight >= 0 for name, weight in trained.weights.items())


def test_the_shares_are_smoothed_rates(cases: list[Case]) -> None:
    """Two of three orchestrated runs hit: (2 + 1) / (3 + 4); one of 43 labels outside: (1 + 1) / (43 + 2)."""
    teams = [prepare(team(cause, f"t{cause}")) for cause in (3, 3, 1)]
    trained = fit_model([*cases[:39], *teams, prepare(labelled("x", cases[0].steps, 99))], 3.0)
    assert trained.rule_share == round(3 / 7, 4)
    assert trained.outside == round(2 / 45, 4)
    assert {name: family.runs for name, family in trained.families.items()} == {"ag2": 40, "magentic-one": 3}


def test_too_few_runs_teach_nothing(cases: list[Case]) -> None:
    """One line that says how many it takes."""
    with pytest.raises(BadInputError, match=r"^19 labelled runs are too few to train on; give at least 20$"):
        train(cases[:19])


@pytest.mark.parametrize("recording", [planted(1)[0], team(3), team(0)])
def test_the_benchs_prediction_is_the_one_that_a_user_gets(recording: Recording) -> None:
    """`predict` on a prepared case equals `distribution` on the run."""
    case = prepare(recording)
    assert predict(case, shipped()) == pytest.approx(distribution(case.features, shipped()), abs=1e-12)


def test_the_position_baseline_learns_where_causes_stand() -> None:
    """Labels always on the second step teach it that, and nothing else."""
    always = [prepare(labelled(f"p{k}", [step(i, "a") for i in range(4 + k % 3)], 1)) for k in range(30)]
    probability = predict_position(always, prepare(planted(1)[0]))
    assert max(probability, key=lambda i: probability[i]) == 1
    assert sum(probability.values()) == pytest.approx(1)


def test_folds_never_cut_a_question(cases: list[Case]) -> None:
    """Every case in exactly one fold, both runs of a question in the same; the seed decides which."""
    doubled = [*cases, *cases]
    found = folds(doubled, 10, seed=1)
    assert sorted(i for fold in found for i in fold) == list(range(80))
    assert all({i % 40 for i in fold if i < 40} == {i % 40 for i in fold if i >= 40} for fold in found)
    assert folds(doubled, 10, seed=1) == found
    assert folds(doubled, 10, seed=2) != found
    assert len(folds(cases[:3], 10, seed=0)) == 3


def test_the_shipped_ranker_is_small_and_readable() -> None:
    """A weight for each feature and for nothing else, in less than 10 kB."""
    text = files("tracer.analyses").joinpath("ranker.json").read_text(encoding="utf-8")
    assert len(text) < 10_000
    assert load(text, "ranker.json") == shipped()
    assert set(shipped().weights) == set(FEATURES)
    assert 0 < shipped().threshold < 1


def test_the_training_record_names_94_runs_and_quotes_none() -> None:
    """Hashes only: nothing of the data can be read in it."""
    record = json.loads(files("tracer.analyses").joinpath("ranker.training.json").read_bytes())
    runs, questions = record.pop("content_hashes"), record.pop("groups")
    hashes = [*runs, *questions]
    assert record["runs"] == len(set(runs)) == 94
    assert len(set(questions)) == len(questions) <= 94
    assert all(len(each) == 64 and set(each) <= set("0123456789abcdef") for each in hashes)
    assert set(record) == {"command", "runs", "families", "strength", "cross_validated_log_loss"}
    assert len(json.dumps(record)) < 500


def test_the_shipped_weights_are_what_training_gives(real_logs: Path) -> None:
    """Trained anew on the recorded runs, each weight comes out as it ships."""
    recordings, skipped = read_recordings([real_logs / "whowhen-dev"])
    cases = [prepare(recording) for recording in recordings if recording.run.labels]
    record = json.loads(files("tracer.analyses").joinpath("ranker.training.json").read_bytes())
    assert [name for name, _ in skipped if name.endswith(".json")] == []
    found = train(cases)
    assert found.strength == record["strength"]
    trained = found.model
    assert trained.weights == pytest.approx(shipped().weights, abs=1e-3)
    assert trained == shipped().model_copy(update={"weights": trained.weights})
    assert record["content_hashes"] == sorted(case.run.content_hash for case in cases)


def test_a_training_record_tells_what_was_done(cases: list[Case]) -> None:
    """Question by hash, run by content hash, the strength and the loss."""
    record = training_record(cases, train(cases), "folder")
    assert (record["command"], record["runs"]) == ("tracer train ranker folder", 40)
    assert group_hash(cases[0]) in record["groups"]
    assert "q0" not in json.dumps(record)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "mine.json: no ranker; make one with `tracer train ranker DIR -o mine.json`"),
        ("{}", "mine.json: no ranker; make one with `tracer train ranker DIR -o mine.json`"),
        (model(charm=1.0).model_dump_json(), "mine.json: knows features that this version has not: charm"),
    ],
)
def test_a_file_that_is_no_ranker_is_one_clear_line(text: str, complaint: str) -> None:
    """Empty, of another kind, or from a version with other features."""
    with pytest.raises(BadInputError) as caught:
        load(text, "mine.json")
    assert str(caught.value) == complaint


def test_cues_are_told_only_for_what_fired() -> None:
    """What lifts a step above the run's average, strongest first, three at most; a plain step gets none."""
    steps = [
        step(0, "a"),
        step(1, "b", "tool_call", "I assume, from memory\n```\nx\n```", tool="code"),
        step(2, "t", "tool_result", "", tool_status="empty", tool_rule="text: blank", parents=(1,)),
        step(3, "a"),
    ]
    told = model(empty=2.0, assumes=1.5, from_memory=1.0, code=0.5, plan=9.0)
    features = Features(View(steps))
    assert cues(features, 1, told) == (
        "its action brought nothing (text: blank)",
        FEATURES["assumes"].words,
        FEATURES["from_memory"].words,
    )
    assert cues(features, 0, told) == ()
    assert cues(features, 1, model()) == ()


def test_the_absence_of_something_bad_is_no_cue() -> None:
    """A negative weight lifts the steps without the feature, but there is nothing to show."""
    steps = [step(0, "a", "thought", marks=("ledger",)), step(1, "b")]
    assert cues(Features(View(steps)), 1, model(ledger=-3.0)) == ()


def test_the_rules_step_tells_the_rules_reason_first() -> None:
    """In an orchestrated run, where the rule has a share."""
    features = prepare(team(3)).features
    assert cues(features, 3, model(empty=1.0)) == (
        "the first action that failed or brought nothing",
        "its action brought nothing (r)",
    )
    assert cues(features, 1, model(empty=1.0)) == ()


FAMILIES = {"ag2": Family(runs=9, steps=(2, 4), tool_share=(0.0, 0.5))}


@pytest.mark.parametrize(
    ("framework", "results", "steps", "where", "why"),
    [
        ("ag2", 1, 4, "in-domain", "like the 9 ag2 runs of the training record"),
        ("ag2", 2, 4, "in-domain", "like the 9 ag2 runs of the training record"),
        ("ag2", 0, 5, "out-of-domain", "trained on runs of 2-4 steps; this one has 5"),
        ("ag2", 0, 1, "out-of-domain", "trained on runs of 2-4 steps; this one has 1"),
        ("ag2", 3, 4, "out-of-domain", "trained on runs with 0-50 % tool results; this one has 75 %"),
        ("crewai", 0, 3, "out-of-domain", "trained on ag2 runs; this one is crewai"),
        (None, 0, 3, "out-of-domain", "trained on ag2 runs; this one is chat"),
    ],
)
def test_a_run_unlike_the_training_record_is_told_with_the_reason(
    framework: str | None, results: int, steps: int, where: str, why: str
) -> None:
    """Framework, length, share of tool results; the bounds belong to the family."""
    run = Run(id="a" * 12, content_hash="a" * 64, source="a", format="chat", framework=framework)
    log = [step(i, "a", tool_status="ok" if i < results else None) for i in range(steps)]
    assert basis(run, log, FAMILIES) == (where, why)


def test_the_method_uses_the_shipped_weights(cases: list[Case]) -> None:
    """`ranker` is `rank` with what ships."""
    features = cases[0].features
    assert ranker.ranker(features) == rank(features, shipped())
    assert np.isclose(sum(distribution(features, shipped()).values()), 1)


def test_a_figure_comes_with_how_often_its_like_was_right() -> None:
    """Wilson's interval of 5 of 10 is [.237, .763]; outside the filled bins nothing is known."""
    bins = (Bin(low=0.0, high=0.2, n=0, right=0), Bin(low=0.2, high=0.5, n=10, right=5))
    model = shipped().model_copy(update={"reliability": bins})
    found = observed(model, 0.5)
    assert found is not None
    assert (round(found.low, 3), round(found.high, 3), found.n) == (0.237, 0.763, 10)
    assert observed(model, 0.2) is None
    assert observed(model, 0.9) is None


def test_every_step_of_the_training_runs_is_counted_once_in_the_table() -> None:
    """40 runs: as many right steps as labels, each step in one bin."""
    cases = [prepare(each) for each in planted(40)]
    table = train(cases).model.reliability
    assert sum(each.right for each in table) == 40
    assert sum(each.n for each in table) == sum(len(case.steps) for case in cases)


def test_the_shipped_table_grows_with_the_figure() -> None:
    """Steps with a higher probability are more often the labelled one, but for chance between neighbours."""
    shares = [each.right / each.n for each in shipped().reliability]
    assert shares[0] < 0.02
    assert shares[-1] > 0.5
    assert sum(a > b for a, b in pairwise(shares)) <= 1
