"""P(failed) where a log does not say how its run ended: signs, training, and what ships."""

import json
import math
import random
from importlib.resources import files
from pathlib import Path

import pytest

from tracer.analyses.failure import SIGNS, FailureModel, p_failed, shipped, signs
from tracer.analyses.features import Features
from tracer.analyses.train_failure import train_failure
from tracer.analyses.view import View
from tracer.collectors.ingest import read_recordings
from tracer.errors import BadInputError
from tracer.records import Outcome, Recording, Run, Step, ToolStatus


def log(*results: ToolStatus | None) -> list[Step]:
    """A step for each result; None is a plain message."""
    return [
        Step(index=i, agent="a", kind="tool_result" if status else "message", content="x", tool_status=status)
        for i, status in enumerate(results)
    ]


def measured(*results: ToolStatus | None) -> list[float]:
    """The signs of such a run."""
    return signs(Features(View(log(*results))))


def run(number: int, outcome: Outcome, *results: ToolStatus | None) -> Recording:
    """A run of known outcome."""
    digest = f"{number:064x}"
    made = Run(id=digest[-12:], content_hash=digest, source="a", format="t", outcome=outcome, group=str(number))
    return Recording(made, tuple(log(*results)))


def runs(failed: int, succeeded: int) -> list[Recording]:
    """Failures end in two errors, successes in two results that are fine; a tenth of both is the other way round."""
    generator = random.Random(1)
    found = []
    for number in range(failed + succeeded):
        failure = number < failed
        bad = failure != (generator.random() < 0.1)
        results: list[ToolStatus] = ["error", "error"] if bad else ["ok", "ok"]
        found.append(run(number, "failure" if failure else "success", None, *results))
    return found


@pytest.mark.parametrize(
    ("results", "share", "repeated"),
    [
        ((None,), 0, 0),
        (("ok", "ok"), 0, 0),
        (("ok", "error"), 1 / 2, 0),
        (("error", "ok", "empty"), 2 / 3, 0),
        (("error", None, "empty", "ok"), 2 / 3, 1),
        (("unknown", "error"), 1 / 2, 0),
    ],
)
def test_the_signs_worked_out_by_hand(results: tuple[ToolStatus | None, ...], share: float, repeated: float) -> None:
    """Share of failed results, two failures in a row whatever is said between, and the length on a log scale."""
    assert measured(*results) == pytest.approx([share, repeated, math.log(len(results)) / 5])


def test_the_probability_is_the_logistic_of_the_signs() -> None:
    """An intercept of 0 and ln 3 on the share: half failed gives odds of the square root of 3."""
    model = FailureModel(intercept=0.0, weights={"share of failed results": math.log(3)}, training={})
    odds = math.sqrt(3)
    assert p_failed(Features(View(log("ok", "error"))), model) == pytest.approx(odds / (1 + odds))


def test_more_trouble_is_never_taken_for_less() -> None:
    """With what ships: errors, and errors in a row, raise P(failed)."""
    fine, one, two = (
        p_failed(Features(View(log(*results))))
        for results in (("ok",) * 4, ("ok", "error", "ok", "ok"), ("error",) * 4)
    )
    assert 0 < fine < one < two < 1


def test_what_ships_knows_every_sign_and_tells_how_it_was_made() -> None:
    """A weight for each sign, a training record without raw text, less than 2 kB."""
    text = files("tracer.analyses").joinpath("failure.json").read_text(encoding="utf-8")
    assert len(text) < 2_000
    assert set(shipped().weights) == set(SIGNS)
    assert set(json.loads(text)["training"]) == {"command", "runs", "failures", "cross_validated"}
    assert 0.5 < shipped().training["cross_validated"]["auroc"] < 1


def test_training_finds_what_tells_failures_apart() -> None:
    """Nine of ten are told right, so the cross-validated AUROC is near 0.9 and log-loss beats the base rate's."""
    model = train_failure([*runs(40, 30), run(99, "unknown", "error")], "planted")
    figures = model.training["cross_validated"]
    assert (model.training["runs"], model.training["failures"]) == (70, 40)
    assert model.training["command"] == "tracer train failure planted"
    assert figures["auroc"] == pytest.approx(0.9, abs=0.07)
    assert figures["log_loss"] < figures["log_loss_of_base_rate"] - 0.2
    base = 40 / 70
    assert figures["log_loss_of_base_rate"] == pytest.approx(
        -base * math.log(base) - (1 - base) * math.log(1 - base), abs=1e-4
    )
    assert p_failed(Features(View(log(None, "error", "error"))), model) > 0.7
    assert p_failed(Features(View(log(None, "ok", "ok"))), model) < 0.3


@pytest.mark.parametrize(("failed", "succeeded"), [(0, 0), (40, 0), (40, 19), (19, 40)])
def test_too_few_of_either_kind_is_one_clear_line(failed: int, succeeded: int) -> None:
    """Saying how many there were."""
    with pytest.raises(BadInputError) as caught:
        train_failure(runs(failed, succeeded), "few")
    assert str(caught.value) == f"need at least 20 failed and 20 successful runs; found {failed} and {succeeded}"


def test_what_ships_is_what_training_gives(real_logs: Path) -> None:
    """Trained anew on the recorded runs: 200, of which 84 succeeded."""
    recordings, _ = read_recordings([real_logs / "samples/tau_bench/gpt-4o-airline.json"])
    trained = train_failure(recordings, "gpt-4o-airline.json")
    assert trained == shipped()
    assert (trained.training["runs"], trained.training["failures"]) == (200, 116)
