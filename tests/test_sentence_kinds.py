"""Kinds of sentences are guessed from words and order, and the guess is measured on traces that were held out."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from tracer.analyses.published import Sentence, Trace, traces
from tracer.analyses.sentence_kinds import KINDS, SIGNS, KindModel, kinds, probabilities, shipped, signs
from tracer.analyses.train_sentence_kinds import agreement, fit_model, kappa, train
from tracer.data.chains import PAPER_KINDS
from tracer.errors import BadInputError

THOUGHT = [
    "Okay, so the problem asks me to find how many apples Kim has.",
    "I need to figure out how to approach this.",
    "I remember that the formula for the sum is n(n+1)/2.",
    "Calculating that: 4 * 5 / 2 = 10.",
    "So, in total there are 10 apples.",
    "Wait, let me double-check that.",
    "1 + 2 + 3 + 4 = 10. Correct.",
    "**Final Answer**\nThe answer is \\boxed{10}.",
]


def trace(name: str, *tagged: tuple[str, str]) -> Trace:
    """A published trace with tags and nothing else."""
    return Trace(name, tuple(Sentence(text, i, tag, {}, None) for i, (text, tag) in enumerate(tagged)), None, {})


def planted(problems: int) -> list[Trace]:
    """Traces in which a word gives the kind away."""
    words = {"plan_generation": "let me try", "self_checking": "check again", "final_answer_emission": "boxed"}
    made = [(f"{word} number {k}", kind) for k, (kind, word) in enumerate(words.items())]
    return [trace(f"model/problem_{k}", *made, *made[:2]) for k in range(problems)]


def flat(**changes: dict[str, float]) -> KindModel:
    """A model without an opinion, but for the given weights."""
    zeros: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    return KindModel(intercepts=dict.fromkeys(KINDS, 0.0), weights=zeros | changes, follows=zeros)


def test_the_eight_kinds_are_those_of_the_pocket_world() -> None:
    """What our own world knows by construction maps to kinds that exist here."""
    assert set(PAPER_KINDS.values()) <= set(KINDS)
    assert len(KINDS) == len(set(KINDS)) == 8


def test_a_plain_thought_is_told_apart() -> None:
    """Not a measurement: a few sentences that leave no doubt."""
    found = [each.kind for each in kinds(THOUGHT)]
    assert found[0] == "problem_setup"
    assert found[1] == "plan_generation"
    assert found[2] == "fact_retrieval"
    assert found[3] == "active_computation"
    assert found[6] == "self_checking"
    assert found[7] == "final_answer_emission"
    assert all(1 / 8 < each.probability <= 1 for each in kinds(THOUGHT))


def test_probabilities_by_hand() -> None:
    """A weight of ln 3 on a sign that is there: 3 / (3 + 7); without it all eight are alike."""
    rows = np.zeros((2, len(SIGNS)))
    rows[0, list(SIGNS).index("checks")] = 1.0
    found = probabilities(rows, flat(self_checking={"checks": math.log(3)}))
    assert found[0, KINDS.index("self_checking")] == pytest.approx(0.3)
    assert found[1] == pytest.approx(np.full(8, 1 / 8))


def test_a_boxed_answer_is_final_by_definition() -> None:
    """Even for a model without an opinion, and wherever it stands."""
    found = kinds(["\\boxed{4}", "It is 4.", "Final answer: 4"], flat())
    assert [each.kind == "final_answer_emission" for each in found] == [True, False, True]


def test_neighbours_count_in_both_directions() -> None:
    """With the two sentences' own scores even, paths through 'a then b' weigh 3 of 3 + 63."""
    a, b = KINDS[0], KINDS[1]
    model = flat().model_copy(update={"follows": {kind: {} for kind in KINDS} | {a: {b: math.log(3)}}})
    found = probabilities(np.zeros((2, len(SIGNS))), model)
    assert found[0] == pytest.approx([10 / 66, *[8 / 66] * 7])
    assert found[1] == pytest.approx([8 / 66, 10 / 66, *[8 / 66] * 6])


def test_order_matters() -> None:
    """A sum after an announced check is more of a check than the same sum at the beginning."""
    column = KINDS.index("self_checking")
    sum_ = "1 + 2 = 3."
    early = probabilities(signs(["Kim has 3.", sum_]), shipped())[1, column]
    late = probabilities(signs(["Kim has 3.", "Wait, let me double-check that.", sum_]), shipped())[2, column]
    assert late > early


@pytest.mark.parametrize("sentences", [[], [""], ["  \n", "\x00"], ["\ud800 \x1b[2J", "x" * 1_000_000, "9 " * 500_000]])
def test_any_text_gets_a_kind(sentences: list[str]) -> None:
    """Empty, blank, broken and endless ones; signs stay in [0, 1]."""
    found = kinds(sentences)
    assert len(found) == len(sentences)
    assert all(each.kind in KINDS and math.isfinite(each.probability) for each in found)
    rows = signs(sentences)
    assert rows.shape == (len(sentences), len(SIGNS))
    assert ((rows >= 0) & (rows <= 1)).all()


def test_a_long_thought_is_quick_and_stays_finite() -> None:
    """Linear in the number of sentences: log-probabilities of 5,000 in a row do not run away."""
    start = time.perf_counter()
    found = kinds(THOUGHT * 625)
    assert len(found) == 5_000
    assert all(math.isfinite(each.probability) for each in found)
    assert time.perf_counter() - start < 10


def test_a_planted_word_is_learnt() -> None:
    """Held-out traces are guessed without a miss, which the most frequent kind is not."""
    found = agreement(planted(4), lambda each: each.problem)
    assert (found["n"], found["groups"], found["accuracy"], found["kappa"]) == (20, 4, 1.0, 1.0)
    assert found["majority"] == {"accuracy": 0.4, "kappa": 0.0}
    assert found["kinds"]["self_checking"] == {"n": 8, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert found["kinds"]["problem_setup"] == {"n": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_what_is_held_out_teaches_nothing() -> None:
    """A kind that only the held-out trace has is never guessed there."""
    alone = trace("m/problem_9", ("boxed", "result_consolidation"), ("boxed", "result_consolidation"))
    found = agreement([*planted(2), alone], lambda each: each.name)
    assert found["kinds"]["result_consolidation"]["recall"] == 0


def test_kappa_by_hand() -> None:
    """Observed 3/4; chance (2*1 + 2*3)/16 = 1/2; kappa 1/2. Constant guesses agree by chance only."""
    assert kappa(list("aabb"), list("abbb")) == pytest.approx(0.5)
    assert kappa(list("aabb"), list("aaaa")) == 0
    assert kappa(["a"], ["a"]) == kappa([], []) == 0


def test_labels_that_are_none_of_the_eight_teach_nothing() -> None:
    """They are left out of the fit and of the count; without any other there is nothing to fit."""
    odd = trace("m/problem_8", ("boxed", "unknown"), ("boxed", ""))
    assert fit_model([*planted(2), odd]).weights == fit_model(planted(2)).weights
    with pytest.raises(BadInputError, match="no sentence is labelled with one of problem_setup"):
        fit_model([odd])


def test_one_problem_is_too_few() -> None:
    """Nothing could be held out."""
    with pytest.raises(BadInputError, match="at least two problems"):
        train([planted(1)[0], planted(1)[0]])


def test_the_shipped_weights_say_what_they_are_worth() -> None:
    """Beside the majority's figure, for the report to print; every weight stands on a sign that exists."""
    model = shipped()
    assert model.training["traces"] == 6
    assert model.training["by_trace"]["majority"]["accuracy"] < model.training["by_trace"]["accuracy"] < 0.8
    assert {name for each in model.weights.values() for name in each} == set(SIGNS)
    assert set(model.weights) == set(model.follows) == set(model.intercepts) == set(KINDS)


def test_the_shipped_weights_are_what_training_gives(real_logs: Path) -> None:
    """And so is the agreement, on the traces that it names."""
    folder = real_logs / "thought-anchors"
    if not folder.is_dir():
        pytest.skip("no published problems there")
    found = traces(folder)
    if len(found) != shipped().training["traces"]:
        pytest.skip("other traces than those of the training")
    made = train(found)
    for kind in KINDS:
        assert made.weights[kind] == pytest.approx(shipped().weights[kind], abs=0.005)
    assert json.loads(json.dumps(made.training)) == shipped().training
