"""The benchmark: both scorers on hand-made predictions, fair protocols, second labels, and the real figures."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tracer.analyses import bench_whowhen
from tracer.analyses.bench_whowhen import bench, in_sample, label_defects, subset_of
from tracer.analyses.blame import METHODS
from tracer.analyses.cases import Case, folds, prepare
from tracer.analyses.scoring import Prediction, score
from tracer.collectors.ingest import read_recordings
from tracer.errors import BadInputError
from tracer.records import Label, Recording, Run, Step, content_hash, run_id
from tracer.schemas import WhoWhenReport


def recording(
    number: int, label: int, *, steps: int = 5, agent: str | None = None, question: str | None = None, **more: Any
) -> Recording:
    """A labelled run whose steps are by Agent0, Agent1, Agent2 in turn; step `label` assumes something."""
    digest = content_hash([number, label, steps, question])
    texts = ["I assume so" if i == label else "so be it" for i in range(steps)]
    log = [Step(index=i, agent=f"Agent{i % 3}", kind="message", content=text) for i, text in enumerate(texts)]
    name = agent if agent is not None else f"Agent{label % 3}"
    run = Run(
        id=run_id(digest), content_hash=digest, source=f"Algorithm-Generated/{number}.json", format="whowhen",
        framework="ag2", task="why?", outcome="failure", group=question or f"q{number}",
        labels=(Label(team="whowhen", agent=name, step=label, stated=str(label)),),
    )  # fmt: skip
    return Recording(run.model_copy(update=more), tuple(log))


def predictions(*pairs: tuple[int, int], steps: int = 5) -> list[Prediction]:
    """A prediction for each (label, step named); the other steps follow in time order."""
    found = []
    for number, (label, named) in enumerate(pairs):
        case = prepare(recording(number, label, steps=steps))
        found.append(Prediction(case, (named, *(i for i in range(steps) if i != named))))
    return found


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """Thirty runs with a planted cause each."""
    generator = random.Random(0)
    return [recording(number, generator.randrange(5)) for number in range(30)]


def test_strict_is_equality_and_official_is_a_substring() -> None:
    """Label 1 against a named 12 is wrong, and the official scorer counts it; 1 and 1 is right for both."""
    scored = score(predictions((1, 1), (1, 12), (2, 12), (12, 1), (3, 4), steps=13))
    assert scored["strict"]["step"] == 1 / 5
    assert scored["official"]["step"] == 3 / 5
    assert (scored["strict"]["agent"], scored["official"]["agent"]) == (1 / 5, 1 / 5)


def test_the_official_scorer_takes_part_of_a_name_for_the_name() -> None:
    """Label "Agent" is inside "Agent1"; strictly only the case of letters is forgiven."""
    part = Prediction(prepare(recording(0, 1, agent="Agent")), (1, 0))
    case = Prediction(prepare(recording(1, 1, agent="AGENT1")), (1, 0))
    scored = score([part, case])
    assert (scored["strict"]["agent"], scored["official"]["agent"]) == (1 / 2, 1 / 2)
    assert (part.agent_right, case.agent_right) == (False, True)


def test_every_strict_figure_worked_out_by_hand() -> None:
    """Labels 0, 1, 4, 2 and named steps 0, 4, 1, 0: ranks 1, 3, 5, 3."""
    strict = score(predictions((0, 0), (1, 4), (4, 1), (2, 0)))["strict"]
    assert strict["step"] == 1 / 4
    assert strict["agent"] == 3 / 4  # Agent0, Agent1 twice, and Agent2 against Agent0
    assert strict["joint"] == 1 / 4
    assert (strict["top3"], strict["top5"], strict["mean_rank"]) == (3 / 4, 1.0, 3.0)
    assert strict["within"] == {"1": 1 / 4, "2": 1 / 2, "3": 1.0, "4": 1.0, "5": 1.0}
    assert strict["step_ci"][0] <= strict["step"] <= strict["step_ci"][1]


def test_a_label_that_a_method_does_not_list_ranks_past_the_end() -> None:
    """Also one past the end of the log."""
    case = prepare(recording(0, 1))
    assert Prediction(case, (0, 2)).rank == 6
    late = prepare(recording(1, 99, agent="x"))
    assert Prediction(late, (0, 1, 2, 3, 4)).rank == 6


def test_who_names_no_step_is_never_right() -> None:
    """Not even by the official scorer, for which a label "" or "1" is part of much; the order beyond it is unknown."""
    case = prepare(recording(0, 1))
    scored = score([Prediction(case, (), claims=False), Prediction(case, (1,), named="agent1")])
    assert (scored["strict"]["step"], scored["strict"]["agent"], scored["strict"]["within"]["5"]) == (
        1 / 2,
        1 / 2,
        1 / 2,
    )
    assert (scored["official"]["step"], scored["official"]["agent"]) == (1 / 2, 0)
    assert (scored["strict"]["top3"], scored["strict"]["top5"], scored["coverage"]) == (None, None, 1 / 2)
    assert Prediction(case, ()).agent == ""


def test_an_agent_that_a_model_names_counts_beside_its_step() -> None:
    """The right step under a wrong name, and the other way round."""
    case = prepare(recording(0, 1))
    one, other = Prediction(case, (1,), named="Agent2"), Prediction(case, (0,), named="Agent1")
    assert [(each.step_right, each.agent_right) for each in (one, other)] == [(True, False), (False, True)]


def test_log_loss_and_brier_score_worked_out_by_hand() -> None:
    """1/2 on the label and 1/4, 1/4 elsewhere: ln 2 and 1/4 + 2/16; then 1/4 on it: ln 4 and 9/16 + 4/16 + 1/16."""
    probability = {0: 0.5, 1: 0.25, 2: 0.25}
    found = [Prediction(prepare(recording(label, label, steps=3)), (0, 1, 2), probability) for label in (0, 1)]
    first, both = score(found[:1]), score(found)
    assert first["log_loss"] == pytest.approx(math.log(2))
    assert first["brier"] == pytest.approx(0.375)
    assert both["log_loss"] == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert both["brier"] == pytest.approx((0.375 + 0.875) / 2)
    assert "log_loss" not in score(predictions((0, 0)))


def test_abstaining_counts_coverage_and_what_is_right_then() -> None:
    """Three of four claimed, two of them right; nothing claimed is right in anything from 0 to 1 of them."""
    made = [each._replace(claims=each.case.label.step != 3) for each in predictions((0, 0), (1, 1), (2, 0), (3, 3))]
    scored = score(made)
    assert (scored["coverage"], scored["step_when_claimed"]) == (3 / 4, 2 / 3)
    none = score([each._replace(claims=False) for each in made])
    assert (none["coverage"], none["step_when_claimed_ci"]) == (0.0, [0.0, 1.0])


@pytest.mark.parametrize(
    ("source", "framework", "subset"),
    [
        ("x/Algorithm-Generated/1.json", "magentic-one", "Algorithm-Generated"),
        ("x.zip#Who&When/Hand-Crafted/1.json", None, "Hand-Crafted"),
        ("1.json", "ag2", "Algorithm-Generated"),
        ("1.json", "magentic-one", "Hand-Crafted"),
        ("1.json", "crewai", "Other"),
        ("1.json", None, "Other"),
    ],
)
def test_the_subset_is_named_by_the_path_else_by_the_framework(source: str, framework: str | None, subset: str) -> None:
    """The rest stands by itself."""
    assert subset_of(prepare(recording(0, 1, source=source, framework=framework))) == subset


def test_label_defects_are_listed() -> None:
    """Past the end; another speaker; an executor's step. A label that differs only in case is none."""
    good, loud = recording(0, 1), recording(1, 1, agent="AGENT1")
    late, other = recording(2, 9, agent="Agent0"), recording(3, 1, agent="Agent2")
    run, steps = recording(4, 1)
    executed = Recording(
        run, tuple(s.model_copy(update={"kind": "tool_result"}) if s.agent == "Agent1" else s for s in steps)
    )
    assert label_defects(prepare(good)) == label_defects(prepare(loud)) == []
    assert label_defects(prepare(late)) == [{"source": "2.json", "step": 9, "defect": "past the end of the log"}]
    assert label_defects(prepare(other)) == [
        {"source": "3.json", "step": 1, "defect": "names Agent2, but Agent1 speaks at that step"}
    ]
    assert [each["defect"] for each in label_defects(prepare(executed))] == ["points at an executor's output"]


class Crossed(NamedTuple):
    """A cross-validation and the progress that it told."""

    result: dict[str, Any]
    told: list[tuple[int, int]]


@pytest.fixture(scope="module")
def planted(recordings: list[Recording]) -> Crossed:
    """The planted runs, cross-validated once."""
    told: list[tuple[int, int]] = []
    return Crossed(bench(recordings, "cv", progress=lambda done, total: told.append((done, total))), told)


def test_the_whole_benchmark_has_the_published_form(planted: Crossed) -> None:
    """With every method and the trivial rules as rows, and the ranker's lead over two of them."""
    result = planted.result
    [subset] = WhoWhenReport.model_validate(result).subsets.values()
    trivial = {*bench_whowhen.TRIVIAL, "position-only", "uniform"}
    assert set(result["subsets"]["Algorithm-Generated"]["methods"]) == {*METHODS, *trivial}
    assert subset.n == 30
    assert set(result["subsets"]["Algorithm-Generated"]["ranker_minus"]) == {"first-code", "rule-r"}
    assert json.loads(json.dumps(result)) == result


def test_cross_validation_finds_the_planted_cause_and_reports_progress(planted: Crossed) -> None:
    """In all 50 folds, told one by one; the difference to a rule is that of the two rates."""
    assert planted.told == [(done, 50) for done in range(1, 51)]
    subset = planted.result["subsets"]["Algorithm-Generated"]
    step = {name: scored["strict"]["step"] for name, scored in subset["methods"].items()}
    assert step["ranker"] > 0.9
    value, low, high = subset["ranker_minus"]["first-code"]["step"]
    assert value == pytest.approx(step["ranker"] - step["first-code"])
    assert low <= value <= high
    uniform = subset["methods"]["uniform"]
    assert (uniform["log_loss"], uniform["brier"]) == (pytest.approx(math.log(5)), pytest.approx(0.8))


def test_a_question_is_never_on_both_sides() -> None:
    """Thirty runs of fifteen questions: the folds hold whole questions."""
    cases = [prepare(recording(k, k % 5, question=f"q{k % 15}")) for k in range(30)]
    for seed in range(bench_whowhen.SEEDS):
        for held in folds(cases, bench_whowhen.FOLDS, seed):
            inside = {cases[i].group for i in held}
            assert inside.isdisjoint(cases[i].group for i in range(30) if i not in set(held))


def test_without_labels_there_is_nothing_to_score() -> None:
    """One line that says what to give."""
    with pytest.raises(BadInputError, match=r"^no labelled run here; give a folder of Who&When files$"):
        bench([recording(0, 1, labels=())])


def test_fresh_runs_are_scored_with_what_ships(recordings: list[Recording]) -> None:
    """None of them was trained on."""
    result = bench(recordings, "shipped")["subsets"]["Algorithm-Generated"]
    assert (result["n"], result["in_sample"]) == (30, 0)
    assert "uniform" not in result["methods"]


def second(name: str, root: int, *others: int, agent: str = "Agent1") -> dict[str, Any]:
    """A second team's record: steps counted from 1."""
    failures = [
        {"failure_id": k, "step_number": number, "failed_agent": agent} for k, number in enumerate([root, *others])
    ]
    return {"whowhen_file": name, "failures": failures, "root_cause": {"failure_id": 0}}


def hand_crafted(labels: Sequence[int]) -> list[Recording]:
    """Runs of the subset that the second team labelled."""
    return [recording(k, label, source=f"Hand-Crafted/{k}.json") for k, label in enumerate(labels)]


def test_second_labels_count_from_one() -> None:
    """Root causes 2, 3, 1 are the steps 1, 2, 0: of the labels 1, 1, 3 the teams agree on the first alone."""
    text = json.dumps([second("0.json", 2), second("1.json", 3, agent="agent1"), second("2.json", 1, 5, agent="x")])
    found = bench(hand_crafted([1, 1, 3]), second_labels=text)["second_labels"]
    assert (found["n"], found["step_agreement"], found["agent_agreement"]) == (3, 1 / 3, 2 / 3)
    points = found["points_at_a_failure"]
    assert points["step-0"] == 1 / 3  # only the third run's root cause
    assert points["step-1"] == 2 / 3  # the first team's step in two runs
    assert points["last-step"] == 1 / 3  # the other failure of the third run


def test_second_labels_of_other_subsets_do_not_count() -> None:
    """The same file name stands in both folders."""
    both = [recording(0, 1), *hand_crafted([1])]
    found = bench(both, second_labels=json.dumps([second("0.json", 2)]))["second_labels"]
    assert found["n"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "{}",
        '"a"',
        "3",
        json.dumps([{"whowhen_file": "0.json"}]),
        json.dumps([second("0.json", 1) | {"failures": []}]),
        json.dumps([second("0.json", 1) | {"root_cause": None}]),
        json.dumps([second("0.json", 1) | {"failures": [{"failure_id": 0, "step_number": "x", "failed_agent": "a"}]}]),
        json.dumps([{**second("0.json", 1, 2), "failures": [second("0.json", 1)["failures"][0], {"failure_id": 1}]}]),
        "[" * 5_000,
    ],
)
def test_malformed_second_labels_are_one_clear_line(text: str) -> None:
    """Whatever is wrong with them."""
    with pytest.raises(BadInputError) as caught:
        bench(hand_crafted([1]), second_labels=text)
    first, *more = str(caught.value).splitlines()
    assert first.startswith("second labels: ")
    assert more == []


def test_second_labels_of_unknown_files_are_one_clear_line() -> None:
    """A wrong file was given, most likely."""
    with pytest.raises(
        BadInputError, match=r"^second labels: none of their files is among the hand-crafted runs here$"
    ):
        bench(hand_crafted([1]), second_labels=json.dumps([second("77.json", 1)]))


@pytest.fixture(scope="module")
def real(real_logs: Path) -> list[Recording]:
    """The 94 labelled runs."""
    return [each for each in read_recordings([real_logs / "whowhen-dev"])[0] if each.run.labels]


@pytest.fixture(scope="module")
def crossed(real: list[Recording], real_logs: Path) -> dict[str, Any]:
    """The nested cross-validation, once."""
    text = (real_logs / "agentrx-dev/hand-crafted-second-labels.json").read_text(encoding="utf-8")
    return bench(real, "cv", text)


def test_the_ranker_earns_its_place_on_real_runs(crossed: dict[str, Any]) -> None:
    """Step, agent, top 3, and probabilities that are worth more than position or chance, and mean what they say."""
    methods = crossed["subsets"]["Algorithm-Generated"]["methods"]
    ranker, strict = methods["ranker"], methods["ranker"]["strict"]
    assert crossed["subsets"]["Algorithm-Generated"]["n"] == 64
    assert strict["step"] >= 0.43
    assert strict["agent"] >= 0.62
    assert strict["top3"] >= 0.78
    assert ranker["log_loss"] < methods["position-only"]["log_loss"]
    assert ranker["brier"] < methods["uniform"]["brier"]
    _, low, high = ranker["calibration"]["slope"]
    assert low <= 1 <= high


def test_the_trivial_rules_score_what_they_are_known_to(crossed: dict[str, Any]) -> None:
    """first-code gets 0.47 and 0.70 on these runs; the second team agrees with the first on a minority of steps."""
    strict = crossed["subsets"]["Algorithm-Generated"]["methods"]["first-code"]["strict"]
    assert (round(strict["step"], 2), round(strict["agent"], 2)) == (0.47, 0.70)
    assert crossed["subsets"]["Hand-Crafted"]["n"] == 30
    assert crossed["second_labels"]["n"] == 21
    assert 0.2 < crossed["second_labels"]["step_agreement"] < 0.5


def test_runs_of_the_training_record_are_left_out_of_the_shipped_score(real: list[Recording]) -> None:
    """All of these were trained on; another run of one of their questions is no fresh one either."""
    assert all(in_sample(prepare(each)) for each in (real[0], real[30], real[-1]))
    chats = [each for each in real if each.run.framework == "ag2"][:5]
    seen = bench(chats, "shipped")["subsets"]["Algorithm-Generated"]
    assert (seen["n"], seen["in_sample"], seen["methods"]) == (0, 5, {})
    known = real[0].run
    fresh = recording(1, 2, question=known.group)
    assert in_sample(prepare(fresh))
    assert not in_sample(prepare(recording(1, 2)))
    mixed = bench([*chats[:3], recording(7, 2)])["subsets"]["Algorithm-Generated"]
    assert (mixed["n"], mixed["in_sample"]) == (1, 3)


def test_a_case_without_a_group_is_its_own(real: list[Recording]) -> None:
    """Runs of one question stay together; a run that names none stands alone."""
    alone: Case = prepare(recording(0, 1, group=None))
    assert alone.group == alone.run.id
    assert prepare(real[0]).group == real[0].run.group
