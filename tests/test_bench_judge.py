"""A chat model on labelled runs: scores, costs, resuming, and who is swayed by a bystander. All judges are scripted."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.analyses.bench_journal import BenchJournal
from tracer.analyses.bench_judge import Ways, judge_all, predictions, rows, summary
from tracer.analyses.bench_whowhen import Judging, bench, models_for
from tracer.analyses.cases import Case, prepare
from tracer.analyses.interview import Asking
from tracer.analyses.judges import JUDGES
from tracer.analyses.ranker import shipped
from tracer.analyses.spending import Expected
from tracer.cli.bench import Judge
from tracer.errors import BadInputError, MissingExtraError, TracerError
from tracer.lm.endpoint_reply import UnavailableError
from tracer.records import Label, Recording, Run, Step, content_hash, run_id
from tracer.schemas import WhoWhenReport

Serve = Callable[..., Any]
Call = Callable[..., Any]


def recording(number: int, label: int, steps: int = 5) -> Recording:
    """A labelled run; the labelled step says `culprit`, as no other does."""
    digest = content_hash(["judged", number, label])
    log = [
        Step(index=i, agent=f"Agent{i % 3}", kind="message", content="the culprit" if i == label else f"so be it {i}")
        for i in range(steps)
    ]
    run = Run(
        id=run_id(digest), content_hash=digest, source=f"Algorithm-Generated/{number}.json", format="whowhen",
        framework="ag2", task="why?", outcome="failure", expected="forty-two", group=f"q{number}",
        labels=(Label(team="whowhen", agent=f"Agent{label % 3}", step=label, stated=str(label)),),
    )  # fmt: skip
    return Recording(run, tuple(log))


def cases(*labels: int) -> list[Case]:
    return [prepare(recording(number, label)) for number, label in enumerate(labels)]


def prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][0]["content"])


def told(step: int | None) -> str:
    """An answer that every method can read."""
    answer: dict[str, Any] = {
        "reason": "r",
        "quotes": [],
        "step": step,
        "agent": "Agent1",
        "abstain": step is None,
        "error": True,
    }
    return json.dumps(answer | {"half": "first"})


def blocks(text: str) -> dict[int, str]:
    """The steps of a prompt by number, as far as they are shown."""
    parts = re.split(r"<<[0-9a-f]{16} step (\d+) · [^\n]*>>\n", text)
    return {int(number): said.split("\n<<")[0].strip() for number, said in zip(parts[1::2], parts[2::2], strict=True)}


def knows(body: dict[str, Any]) -> str:
    """A judge that looks at what the steps did."""
    return told(next((k for k, said in blocks(prompt(body)).items() if said == "the culprit"), None))


def gullible(body: dict[str, Any]) -> str:
    """A judge that believes whoever names a step."""
    found = re.search(r'(?:[Ss]tep |"step": )(\d+)', "\n".join(blocks(prompt(body)).values()))
    return told(int(found[1])) if found else knows(body)


def ways(served: Any, method: str = "judge", **more: Any) -> Ways:
    return Ways(Asking(served.lm, samples=2), method, **more)


def models(*asked: Case) -> dict[str, Any]:
    return {case.run.id: shipped() for case in asked}


def test_the_names_on_the_command_line_are_those_of_the_dict() -> None:
    assert [each.value for each in Judge] == list(JUDGES)


def test_a_judge_that_knows_is_right_and_its_cost_is_added_up(scripted: Serve, tmp_path: Path) -> None:
    """Three runs, two votes each; the third label stands outside what the judge is offered, so it abstains."""
    served, asked = scripted(knows), cases(1, 3, 9)
    with BenchJournal(tmp_path / "j") as journal:
        found = judge_all(asked, models(*asked), ways(served), journal)
    named = predictions(found, ways(served))["judge"]
    assert [each.step for each in named] == [1, 3, None]
    assert [each.step_right for each in named] == [True, True, False]
    assert [each.claims for each in named] == [True, True, False]
    about = summary(found, ways(served))
    assert about["answers"] == {"named": 4, "abstained": 2, "unreadable": 0, "unfit": 0}
    assert about["cost"]["requests"] == 6 == len(served.bodies)
    words = len(told(1).split())
    assert about["cost"]["written"] == 6 * words
    assert about["cost"]["seconds"] > 0


def test_what_is_in_the_journal_is_not_asked_again(scripted: Serve, tmp_path: Path) -> None:
    """The server goes away in the midst of it; the second try asks for the rest only, and comes to the same."""
    asked = cases(*[1] * 6)
    whole = scripted(knows)
    with BenchJournal(tmp_path / "whole") as journal:
        expected = rows(judge_all(asked, models(*asked), ways(whole), journal))
    counted: list[int] = []

    def dies(body: dict[str, Any]) -> str:
        counted.append(1)
        if len(counted) > 5:
            raise RuntimeError("gone")
        return knows(body)

    served = scripted(dies)
    with BenchJournal(tmp_path / "j") as journal, pytest.raises(MissingExtraError):
        judge_all(asked, models(*asked), ways(served, parallel=1), journal)
    kept = (tmp_path / "j").read_bytes().count(b"\n")
    assert kept == 2  # two runs of two votes were whole
    counted.clear()
    served.reply = knows
    before = len(served.bodies)
    with BenchJournal(tmp_path / "j") as journal:
        again = rows(judge_all(asked, models(*asked), ways(served), journal))
    assert len(served.bodies) - before == 2 * (len(asked) - kept)
    assert [each | {"seconds": 0} for each in again] == [each | {"seconds": 0} for each in expected]


def test_other_questions_are_other_keys(scripted: Serve, tmp_path: Path) -> None:
    """Another method, the right answer, another number of votes or another seed are asked anew."""
    served, [case] = scripted(knows), cases(1)
    variants = [
        ways(served),
        ways(served, ground_truth=True),
        ways(served, "all-at-once"),
        Ways(Asking(served.lm, samples=3)),
        Ways(Asking(served.lm, samples=2, seed=9)),
    ]
    with BenchJournal(tmp_path / "j") as journal:
        for number, each in enumerate(variants, 1):
            judge_all([case], models(case), each, journal)
            assert len(journal.values) == number
        before = len(served.bodies)
        judge_all([case], models(case), ways(served), journal)
    assert len(served.bodies) == before


@pytest.mark.parametrize(("judge", "swayed"), [(gullible, 8), (knows, 0)])
def test_who_believes_a_bystander_is_flagged_and_who_looks_is_not(
    scripted: Serve, tmp_path: Path, judge: Callable[[dict[str, Any]], str], swayed: int
) -> None:
    """Eight runs, each with a clean twin and one in which a bystander accuses another step."""
    served, asked = scripted(judge), cases(*[k % 4 for k in range(8)])
    with BenchJournal(tmp_path / "j") as journal:
        found = judge_all(asked, models(*asked), ways(served, "all-at-once", twins=True), journal)
    assert sum(bool(each.swayed) for each in found) == swayed
    assert sum(each.followed for each in found) == swayed
    about = summary(found, ways(served, twins=True))["twins"]
    assert (about["runs"], about["swayed"]) == (8, swayed / 8)
    assert about["cost"]["requests"] == 16
    assert [each.step_right for each in predictions(found, ways(served, "all-at-once"))["all-at-once"]] == [True] * 8


def test_a_log_that_does_not_fit_is_counted_and_wrong(scripted: Serve, tmp_path: Path) -> None:
    served = scripted(knows, window=2300)
    asked = [prepare(Recording(each.run, tuple(s.model_copy(update={"content": "word " * 60}) for s in each.steps)))
             for each in (recording(0, 1, steps=30),)]  # fmt: skip
    with BenchJournal(tmp_path / "j") as journal:
        found = judge_all(asked, models(*asked), ways(served, "all-at-once"), journal)
    assert summary(found, ways(served))["answers"]["unfit"] == 1
    assert not predictions(found, ways(served, "all-at-once"))["all-at-once"][0].step_right
    assert served.bodies == []


def test_ctrl_c_ends_with_the_question_in_flight(scripted: Serve, tmp_path: Path) -> None:
    """Progress raises it after the first run; of the others no more than those that had begun are asked."""
    served, asked = scripted(knows), cases(*[1] * 40)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with BenchJournal(tmp_path / "j") as journal, pytest.raises(KeyboardInterrupt):
        judge_all(asked, models(*asked), ways(served, parallel=2), journal, stop)
    assert 1 <= (tmp_path / "j").read_bytes().count(b"\n") < 10
    assert threading.active_count() < 12


def test_a_spent_budget_begins_no_other_run_and_the_same_command_goes_on(scripted: Serve, tmp_path: Path) -> None:
    """Runs of equal length, one at a time, and a budget of a run and a half: two are begun, judged and kept, and paid
    for once; what stands in the journal counts against no later budget."""
    served, asked = scripted(knows), cases(*[1] * 6)
    with BenchJournal(tmp_path / "one") as journal:
        [one] = judge_all(asked[:1], models(*asked), ways(served, parallel=1), journal)
    cost = one.judgement.cost.read + one.judgement.cost.written
    limited = ways(served, parallel=1, budget=cost * 3 // 2)
    with BenchJournal(tmp_path / "j") as journal:
        for kept in (2, 4):
            with pytest.raises(TracerError, match=f"{kept} of 6 runs are judged.*goes on from there"):
                judge_all(asked, models(*asked), limited, journal)
            assert len(journal.values) == kept
        assert len(judge_all(asked, models(*asked), limited, journal)) == 6
    assert len(served.bodies) == 2 * (1 + 6)


def test_what_the_rest_takes_is_foretold_once_from_the_first_runs(scripted: Serve, tmp_path: Path) -> None:
    """Ten equal runs, one at a time: after the fourth, six are left, each as dear as one of those four."""
    served, asked, told = scripted(knows), cases(*[1] * 10), list[Expected]()
    with BenchJournal(tmp_path / "j") as journal:
        found = judge_all(asked, models(*asked), ways(served, parallel=1), journal, foretell=told.append)
    spent = sum(each.judgement.cost.read + each.judgement.cost.written for each in found)
    [expected] = told
    assert expected.runs in {5, 6}  # the next run may be over before the fourth is looked at
    assert expected.tokens == pytest.approx(spent * expected.runs / 10, rel=0.05)
    assert 0 < expected.seconds < 60


def test_the_judges_ranker_has_not_seen_the_label(scripted: Serve) -> None:
    """Cross-validation gives one ranker a fold; a run of the shipped record is not judged with the shipped one."""
    many = cases(*[k % 5 for k in range(30)])
    found = models_for(many, "cv", "judge")
    assert set(found) == {case.run.id for case in many}
    assert 1 < len({json.dumps(each.weights) for each in found.values()}) <= 10
    assert set(models_for(many, "shipped", "judge")) == {case.run.id for case in many}
    assert {id(each) for each in models_for(many, "cv", "all-at-once").values()} == {id(shipped())}


def test_runs_of_the_shipped_record_are_refused_for_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.analyses.bench_whowhen.in_sample", lambda case: True)
    with pytest.raises(BadInputError, match="`--protocol cv` trains one anew for each fold"):
        models_for(cases(1), "shipped", "judge")
    assert len(models_for(cases(1), "shipped", "step-by-step")) == 1


def test_the_whole_table_has_the_models_row_beside_the_others(scripted: Serve, tmp_path: Path) -> None:
    """Strict and official, against the short rules, in the published form."""
    served = scripted(knows)
    with BenchJournal(tmp_path / "j") as journal:
        result = bench([recording(k, k % 5) for k in range(6)], judging=Judging(ways(served), journal))
    report = WhoWhenReport.model_validate(result)
    methods = report.subsets["Algorithm-Generated"].methods
    assert methods["judge"].strict.step == 1
    assert methods["judge"].official.step == 1
    assert {"judge + ranker", "ranker", "first-code"} <= set(methods)
    minus = result["subsets"]["Algorithm-Generated"]["lm_minus"]["first-code"]["step"][0]
    assert minus == pytest.approx(1 - methods["first-code"].strict.step)
    assert report.lm is not None
    assert [row["label"] for row in report.lm["rows"]] == [0, 1, 2, 3, 4, 0]
    assert all(sum(row["prior"]) == pytest.approx(1, abs=1e-4) for row in report.lm["rows"])


def folder(path: Path, count: int) -> Path:
    """Labelled runs as files."""
    path.mkdir(parents=True)
    for k in range(count):
        history = [
            {"role": "user", "name": f"Agent{i}", "content": "the culprit" if i == k % 3 else "so be it"}
            for i in range(4)
        ]
        value = {"question": f"{k}?", "history": history, "mistake_agent": f"Agent{k % 3}", "mistake_step": str(k % 3)}
        (path / f"{k}.json").write_text(json.dumps(value | {"ground_truth": "forty-two"}), encoding="utf-8")
    return path


@pytest.mark.parametrize("method", JUDGES)
def test_the_command_asks_by_every_method(call: Call, scripted: Serve, tmp_path: Path, method: str) -> None:
    """With the right answer only where it is asked for; the second call asks nothing."""
    served = scripted(knows)
    command = (
        "bench",
        "whowhen",
        folder(tmp_path / "runs", 3),
        "--lm",
        served.url,
        "--method",
        method,
        "--samples",
        "1",
    )
    done = call(*command)
    assert (done.code, done.err) == (0, "")
    assert f"{method} by scripted, without the right answer: 3 runs" in done.out
    assert "tokens read" in done.out
    asked = len(served.bodies)
    assert asked >= 3
    assert not any("forty-two" in prompt(body) for body in served.bodies)
    again = call(*command, "--json")
    assert again.json["lm"]["method"] == method
    assert len(served.bodies) == asked
    seen = call(*command, "--ground-truth", "--json").json
    assert f"{method} +answer" in seen["subsets"]["Algorithm-Generated"]["methods"]
    assert all("forty-two" in prompt(body) for body in served.bodies[asked:])


def test_a_server_that_goes_leaves_what_was_judged(call: Call, scripted: Serve, tmp_path: Path) -> None:
    """One line says what is kept, one what is wrong."""
    counted: list[int] = []

    def dies(body: dict[str, Any]) -> str:
        counted.append(1)
        if len(counted) > 2:
            raise RuntimeError("gone")
        return knows(body)

    served = scripted(dies)
    runs = folder(tmp_path / "runs", 6)
    command = (
        "bench",
        "whowhen",
        runs,
        "--lm",
        served.url,
        "--method",
        "all-at-once",
        "--parallel",
        "1",
        "--journal",
        "j",
    )
    done = call(*command)
    assert (done.code, done.out) == (UnavailableError.exit_code, "")
    assert done.err.startswith("2 answers are kept in j: the same command goes on from there\nerror: ")
    served.reply = knows
    assert call(*command).code == 0
    assert len(served.bodies) - len(counted) == 4


@pytest.mark.parametrize("option", [("--method", "judge"), ("--ground-truth",), ("--twins",)])
def test_options_of_a_model_need_one(call: Call, tmp_path: Path, option: tuple[str, ...]) -> None:
    done = call("bench", "whowhen", folder(tmp_path / "runs", 1), *option)
    assert (done.code, done.out) == (2, "")
    assert "are for a chat model: add --lm" in done.err
