"""The released code's formulas, on rollouts counted by hand, and the audit of figures that were published."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tracer.analyses.bench_paper import RULES, audit
from tracer.analyses.paper import FIELDS, Sampled, accuracy, fields, kl, repeated, steps
from tracer.analyses.published import traces
from tracer.analyses.similarity import WORDS, encoder
from tracer.errors import BadInputError
from tracer.schemas import PaperBench

YES, NO = "588", "612"


def said(answer: str, sentence: str = "", cosine: float = 1.0) -> Sampled:
    """A rollout that is correct when it answers 588."""
    return Sampled(answer, answer == YES, sentence, cosine)


BEFORE = [said(YES, "a", 0.9), said(NO, "b", 0.2), said(NO, "b", 0.2), said(YES, "c", 0.79), said("", "d", 0.0)]
"""Four of five answered: two correct; three of the four begin with another sentence, and one of those is correct."""
AFTER = [said(YES), said(YES), said(YES), said(NO)]


def test_the_fields_by_hand() -> None:
    """acc(R_i) 2/4, acc(R_{i+1}) 3/4, acc(D_i) 1/3: the two accuracies have opposite signs."""
    found = fields(BEFORE, AFTER)
    assert list(found) == list(FIELDS)
    assert found["accuracy"] == 0.5
    assert found["resampling_importance_accuracy"] == pytest.approx(3 / 4 - 2 / 4)
    assert found["counterfactual_importance_accuracy"] == pytest.approx(1 / 3 - 3 / 4)
    assert found["different_trajectories_fraction"] == pytest.approx(3 / 4)
    assert found["overdeterminedness"] == pytest.approx(1 - 3 / 4)


def test_divergences_by_hand() -> None:
    """R_i against R_{i+1}; D_i = (1, 2) against R_{i+1} and the similar one = (4, 1)."""
    found = fields(BEFORE, AFTER)
    resampling = 1 / 2 * math.log((1 / 2) / (3 / 4)) + 1 / 2 * math.log((1 / 2) / (1 / 4))
    counterfactual = 1 / 3 * math.log((1 / 3) / (4 / 5)) + 2 / 3 * math.log((2 / 3) / (1 / 5))
    assert found["resampling_importance_kl"] == pytest.approx(resampling, abs=1e-7)
    assert found["counterfactual_importance_kl"] == pytest.approx(counterfactual, abs=1e-7)


def test_forced_answers_are_an_arm_of_their_own() -> None:
    """Nothing of the free rollouts enters."""
    found = fields(BEFORE, AFTER, [said(NO), said(NO)], [said(YES), said(NO)])
    assert found["forced_importance_accuracy"] == 0.5
    assert found["forced_importance_kl"] == pytest.approx(math.log(2), abs=1e-6)
    assert found["accuracy"] == 0.5


def test_the_last_sentence_has_its_accuracy_only() -> None:
    """No rollouts start after it."""
    assert {name: value for name, value in fields(BEFORE).items() if value} == {"accuracy": 0.5}


@pytest.mark.parametrize(("before", "after"), [([], AFTER), ([said("")], AFTER), ([], []), (BEFORE, [said("")])])
def test_an_empty_side_gives_zero(before: list[Sampled], after: list[Sampled]) -> None:
    """Whether there are no rollouts, or none with an answer."""
    found = fields(before, after)
    assert {value for name, value in found.items() if name != "accuracy"} == {0.0}


def test_without_a_different_rollout_the_counterfactual_is_zero() -> None:
    """Though the resampling importance is not; a cosine of exactly the threshold is similar."""
    found = fields([said(NO, "a", 0.8), said(NO, "a", 0.95)], AFTER)
    assert found["different_trajectories_fraction"] == 0
    assert found["counterfactual_importance_accuracy"] == found["counterfactual_importance_kl"] == 0
    assert found["resampling_importance_accuracy"] == 0.75
    assert fields([said(NO, "a", 0.8)], AFTER, threshold=0.9)["different_trajectories_fraction"] == 1


def test_an_unseen_answer_costs_twenty_nats() -> None:
    """p = (1 + a) / (1 + 2a), q = a / (1 + 2a): ln(1 / 1e-9) = 20.7 for the whole of p."""
    assert kl(["x"], ["y"]) == pytest.approx(math.log(1e9), abs=1e-6)
    assert kl(["x"] * 9 + ["y"], ["x"] * 10) == pytest.approx(
        0.9 * math.log(0.9) + 0.1 * math.log(0.1 * 1e10), abs=1e-6
    )


def test_the_divergence_of_a_thing_from_itself_is_zero() -> None:
    """Rounding is clipped, and an empty side is 0, too."""
    assert kl(list("aabbc") * 7, list("aabbc")) == pytest.approx(0, abs=1e-7)
    assert kl([], ["a"]) == kl(["a"], []) == kl([], []) == 0
    assert kl(list("ab"), list("ba")) == 0


def test_accuracy_and_repetition_of_nothing() -> None:
    """0, and never a division by it."""
    assert accuracy([]) == accuracy([said("")]) == repeated([]) == 0
    assert repeated(["a", "a", "a", "a"]) == 0.75
    assert repeated(["a", "A"]) == 0


def test_steps_are_differences_of_rates_by_hand() -> None:
    """rate_0 = (1, 1/2, 0), rate_1 = (., 1, 1/2), rate_2 = (., ., 0): only later sentences have a value."""
    best: list[npt.ArrayLike] = [
        [[0.9, 0.8, 0.1], [0.8, 0.7, 0.1]],
        [[0, 0.9, 0.8], [0, 0.9, -math.inf]],
        np.empty((0, 3)),
    ]
    found = steps(best)
    expected = np.array([[np.nan, 1 / 2, 1 / 2], [np.nan, np.nan, -1 / 2], [np.nan] * 3])
    np.testing.assert_allclose(found, expected)
    assert steps(best, threshold=0.7)[0, 1] == 0


def test_steps_of_no_and_of_one_sentence() -> None:
    """Nothing to say."""
    assert steps([]).shape == (0, 0)
    assert np.isnan(steps([[[0.5]]])).all()


Label = dict[str, Any]
LISTS = {"0": ["One.", "One.", "Two words.", "Three."], "1": ["x", "y"], "2": ["z", "z"]}
TEXTS = ["First we count it.", "Then we add seven.", "So the answer is 12."]


def published(folder: Path, change: Callable[[list[Label]], None] | None = None, **others: Any) -> Path:
    """A problem folder of three sentences whose figures follow from its lists; `change` alters the labels."""
    labels: list[Label] = [
        {"chunk": text, "chunk_idx": i, "function_tags": ["plan_generation"], "accuracy": accuracy,
         "resampling_importance_accuracy": gain, "overdeterminedness": over, "different_trajectories_fraction": share}
        for i, (text, accuracy, gain, over, share) in enumerate(
            zip(TEXTS, (0.5, 1.0, 0.5), (0.5, -0.5, 0.0), (0.25, 0.0, 0.0), (1.0, 1.0, 0.0), strict=True)
        )
    ]  # fmt: skip
    if change:
        change(labels)
    made = folder / "model" / "correct_base_solution" / "problem_1"
    made.mkdir(parents=True)
    base = {"full_cot": f"Solve it.\n<think>\n{TEXTS[0]} {TEXTS[1]}\n\n{TEXTS[2]}\n</think>"}
    stored = {"chunks_labeled": labels, "chunks_resampled": LISTS, "base_solution": base} | others
    for name, value in stored.items():
        if value is not None:
            (made / f"{name}.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def audited(folder: Path) -> dict[str, Any]:
    """The audit with words compared, which needs no extra."""
    return audit(folder, encoder(WORDS))


def test_figures_that_follow_are_reproduced(tmp_path: Path) -> None:
    """All but the last sentence's two, for which there is a rule: nothing starts after it."""
    found = audited(published(tmp_path))
    assert (found["traces"], found["sentences"], found["encoder"]) == (1, 3, "words")
    exact = {name: (row["n"], row["exact"], row["unexplained"]) for name, row in found["fields"].items()}
    assert exact == {
        "resampling_importance_accuracy": (3, 3, 0),
        "overdeterminedness": (3, 2, 0),
        "different_trajectories_fraction": (3, 2, 0),
        "chunk": (3, 3, 0),
    }
    assert found["fields"]["overdeterminedness"]["explained"] == {"last": 1}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert PaperBench.model_validate(found).fields.keys() == exact.keys()


def test_unanswered_rollouts_explain_a_figure(tmp_path: Path) -> None:
    """Of four listed, two of them alike, three answered: 1 - 2/3 is possible, with accuracy and fraction in thirds."""

    def change(labels: list[Label]) -> None:
        labels[0] |= {"accuracy": 2 / 3, "resampling_importance_accuracy": 1 / 3, "overdeterminedness": 1 - 2 / 3}

    row = audited(published(tmp_path, change))["fields"]["overdeterminedness"]
    assert row["explained"] == {"unanswered": 1, "last": 1}
    assert row["deviations"][0]["detail"] == "2 of 3 where the list has 3 of 4: 2 to 3 are possible"


def test_a_figure_of_more_rollouts_than_are_listed(tmp_path: Path) -> None:
    """1 - 4/5 where three of four listed are distinct: a fifth rollout said something else."""

    def change(labels: list[Label]) -> None:
        labels[0] |= {"accuracy": 3 / 5, "resampling_importance_accuracy": 2 / 5, "overdeterminedness": 1 - 4 / 5}

    assert audited(published(tmp_path, change))["fields"]["overdeterminedness"]["explained"] == {
        "incomplete": 1,
        "last": 1,
    }


@pytest.mark.parametrize(
    ("field", "stored", "rule"),
    [
        ("resampling_importance_accuracy", -0.25, None),
        ("overdeterminedness", 0.3217, None),
        ("different_trajectories_fraction", 0.9123, None),
        ("resampling_importance_accuracy", 0.5, "absolute"),
    ],
)
def test_what_no_rule_gives_is_unexplained(tmp_path: Path, field: str, stored: float, rule: str | None) -> None:
    """A wrong figure of sentence 1 is shown with what was computed, and never excused."""
    row = audited(published(tmp_path, lambda labels: labels[1].update({field: stored})))["fields"][field]
    [found] = [each for each in row["deviations"] if each["sentence"] == 1]
    assert (found["stored"], found["rule"]) == (stored, rule)
    assert row["unexplained"] == (rule is None)


def test_a_dropped_sentence_leaves_a_zero(tmp_path: Path) -> None:
    """Sentence 1 was the third before one was dropped: its accuracy is not the first one's next."""

    def change(labels: list[Label]) -> None:
        labels[0]["resampling_importance_accuracy"] = 0.0
        labels[1]["chunk_idx"], labels[2]["chunk_idx"] = 2, 3

    row = audited(published(tmp_path, change, chunks_resampled={"0": LISTS["0"], "2": LISTS["1"], "3": LISTS["2"]}))
    assert row["fields"]["resampling_importance_accuracy"]["explained"] == {"dropped": 1}


def test_a_prefix_without_rollouts_leaves_a_zero(tmp_path: Path) -> None:
    """The next list is empty."""

    def change(labels: list[Label]) -> None:
        labels[0]["resampling_importance_accuracy"] = 0.0

    found = audited(published(tmp_path, change, chunks_resampled=LISTS | {"1": []}))
    assert found["fields"]["resampling_importance_accuracy"]["explained"] == {"hole": 1}


def test_lists_that_are_numbered_differently_are_found(tmp_path: Path) -> None:
    """Each figure follows from the next sentence's list; one such match alone would be chance."""
    lists = {"0": ["q"] * 8, "1": ["a", "a", "b", "c"], "2": ["a", "a", "a", "b", "c"], "3": ["x"]}
    labels = [
        {"chunk": f"Sentence {i}.", "chunk_idx": i, "overdeterminedness": over, "accuracy": 1 / 7}
        for i, over in enumerate((1 - 3 / 4, 1 - 3 / 5, 0.77, 0.0))
    ]
    found = audited(published(tmp_path, None, chunks_labeled=labels, chunks_resampled=lists))["fields"]
    rules = [each["rule"] for each in found["overdeterminedness"]["deviations"]]
    assert rules == ["shifted", "shifted", None]


def test_a_text_from_elsewhere_is_told_from_one_cut_elsewhere(tmp_path: Path) -> None:
    """The first is not there to be cut; the second is a miss of ours. Sentences after them are still lined up."""

    def change(labels: list[Label]) -> None:
        labels[0]["chunk"], labels[1]["chunk"] = "No one said this.", "we add seven."

    row = audited(published(tmp_path, change))["fields"]["chunk"]
    assert (row["exact"], row["explained"], row["unexplained"]) == (1, {"elsewhere": 1}, 1)


def test_other_files_may_be_missing(tmp_path: Path) -> None:
    """Then less can be checked; labels without figures are no figures."""
    found = audited(published(tmp_path, None, chunks_resampled=None, base_solution=None))
    assert [row["n"] for row in found["fields"].values()] == [3, 0, 0, 0]
    bare = [{"chunk": "One."}, {"chunk": "Two.", "accuracy": None, "overdeterminedness": "0.5", "function_tags": []}]
    found = audited(published(tmp_path / "b", None, chunks_labeled=bare, step_importance=[1, {"target_impacts": 3}]))
    assert [row["n"] for row in found["fields"].values()] == [0, 0, 0, 2]


@pytest.mark.parametrize("text", ["{", "[1]", '{"chunk": "a"}', '[{"chunk": 3}]', "[" * 100_000, "\udc80"])
def test_a_damaged_folder_is_refused_with_one_line(tmp_path: Path, text: str) -> None:
    """It names the file."""
    folder = published(tmp_path)
    for path in folder.rglob("chunks_labeled.json"):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError, match=r"chunks_labeled\.json: \S[^\n]*$"):
        traces(folder)


def test_a_folder_without_problems_is_refused(tmp_path: Path) -> None:
    """And says what is wanted."""
    with pytest.raises(BadInputError, match=r"no chunks_labeled\.json in it or below it"):
        audit(tmp_path)


def test_an_impossible_figure_is_inconsistent(tmp_path: Path) -> None:
    """Of four different rollouts 0.3 cannot be correct; and rates cannot fall by more than 1 over two sentences."""

    def change(labels: list[Label]) -> None:
        labels[0]["counterfactual_importance_accuracy"] = 0.5 - 1.0
        labels[1]["counterfactual_importance_accuracy"] = 0.3

    impacts = [
        {"source_chunk_idx": i, "target_impacts": [{"target_chunk_idx": 2, "importance_score": -0.7}]} for i in (0, 1)
    ]
    found = audited(published(tmp_path, change, step_importance=impacts))["consistent"]
    assert found["counterfactual_importance_accuracy"] == {"n": 2, "consistent": 1}
    assert found["step_importance"] == {"n": 1, "consistent": 0}


def test_every_rule_says_what_it_does() -> None:
    """In words, for the report."""
    assert all(len(meaning) > 20 for meaning in RULES.values())


def test_the_published_figures_are_reproduced(real_logs: Path) -> None:
    """To 1e-9, but for rollouts without an answer and for last sentences; the sentences without exception.

    With words for an encoder: the fraction has its own slow test.
    """
    folder = real_logs / "thought-anchors"
    if not folder.is_dir():
        pytest.skip("no published problems there")
    found = audited(folder)["fields"]
    for name in ("resampling_importance_accuracy", "overdeterminedness", "chunk"):
        assert found[name]["unexplained"] == 0, found[name]
        assert set(found[name]["explained"]) <= {"unanswered", "incomplete", "last", "hole", "dropped"}
    assert found["chunk"]["exact"] == found["chunk"]["n"]
