"""Fitting the judge's weight: a planted weight comes back, noise gets none, and mistakes are one line."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracer.analyses.fusion import load
from tracer.analyses.train_fusion import MOST, Row, fit, loss, train
from tracer.errors import BadInputError
from tracer.schemas import TrainedFusion

OFFERED = [0, 1, 2, 3, 4]


def bench(runs: int, right: float, seed: int = 0, **more: Any) -> str:
    """A benchmark whose judge votes for the label with chance `right`, else for any offered step; the prior is even."""
    draw, rows = np.random.default_rng(seed), []
    for k in range(runs):
        label = int(draw.integers(5))
        votes: dict[int, int] = {}
        for _ in range(5):
            step = label if draw.random() < right else int(draw.integers(5))
            votes[step] = votes.get(step, 0) + 1
        rows.append(
            {
                "group": f"q{k}",
                "framework": "ag2",
                "steps": 5,
                "tool_share": 0.1,
                "label": label,
                "prior": [0.2] * 5,
                "offered": OFFERED,
                "votes": list(votes.items()),
                "samples": 5,
            }
        )
    told = {"name": "m", "revision": "1", "method": "judge", "ground_truth": False, "rows": rows}
    return json.dumps({"lm": told | more})


def test_the_weight_has_the_least_loss() -> None:
    """Against a fine grid, on rows drawn from a pool of weight 0.7: the fitted one is nearest to it, too."""
    draw, rows = np.random.default_rng(1), []
    for k in range(3000):
        offset, ratio = np.log(draw.dirichlet(np.ones(6))), draw.normal(size=6)
        chance = np.exp(offset + 0.7 * ratio)
        rows.append(Row(f"q{k}", offset, ratio, int(draw.choice(6, p=chance / chance.sum()))))
    found = fit(rows)
    assert found == pytest.approx(0.7, abs=0.08)
    part = rows[:200]
    grid = np.linspace(0, 3, 301)
    least = grid[int(np.argmin([sum(loss(row, w) for row in part) for w in grid]))]
    assert fit(part) == pytest.approx(least, abs=0.01)


def test_one_run_by_hand() -> None:
    """ln 2 with two even steps; at weight 1 and ratio ln 3 for the label, ln 4/3."""
    row = Row("q", np.log([0.5, 0.5]), np.asarray([math.log(3), 0.0]), 0)
    assert loss(row, 0) == pytest.approx(math.log(2))
    assert loss(row, 1) == pytest.approx(math.log(4 / 3))


def test_a_judge_that_is_always_right_or_always_wrong_stays_inside() -> None:
    right = [Row("q", np.log([0.5, 0.5]), np.asarray([1.0, -1.0]), 0)]
    wrong = [right[0]._replace(label=1)]
    assert fit(right) == pytest.approx(MOST, abs=1e-3)
    assert fit(wrong) == 0
    assert fit([right[0]._replace(ratio=np.zeros(2))]) >= 0


def test_a_judge_that_knows_gains_and_one_that_guesses_does_not() -> None:
    """Held out, over questions; without the judge the loss is ln 5."""
    knows, guesses = train(bench(120, 0.6), "b"), train(bench(120, 0.0), "b")
    assert knows.fusion.fitted is not None
    assert guesses.fusion.fitted is not None
    assert knows.fusion.fitted.log_loss_without == pytest.approx(math.log(5), abs=1e-4)
    assert knows.gain.low > 0.3
    assert knows.fusion.weights["judge"] > 0.5
    assert guesses.gain.low <= 0.01
    assert guesses.fusion.weights["judge"] < 0.2
    assert knows.fusion.fitted.families["ag2"].runs == 120


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no benchmark of a judge"),
        ("{}", "no benchmark of a judge"),
        ('{"lm": {"rows": [{"label": 0}]}}', "no benchmark of a judge"),
        (bench(25, 0.5, method="all-at-once"), "bench with --method judge"),
        (bench(25, 0.5, ground_truth=True), "without --ground-truth"),
        (bench(19, 0.5), "19 judged runs are too few to fit a weight; give at least 20"),
    ],
)
def test_what_cannot_be_fitted_on_is_told(text: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        train(text, "b.json")


@pytest.mark.parametrize(
    "field",
    [
        {"label": 2.5},
        {"label": None},
        {"prior": [0.2, 0.2, 0.2, 0.2, math.nan]},
        {"prior": [-1.0, 0.2, 0.2, 0.2, 0.2]},
        {"prior": [[0.2, 0.2]] * 5},
        {"votes": [[1, 10**12]]},
        {"votes": [[1, math.inf]]},
        {"votes": [[77, 3]]},
        {"votes": [[1, -3]]},
        {"samples": 10**12},
        {"samples": 1},
        {"offered": [50, 60]},
        {"steps": "8"},
        {"tool_share": None},
        {"framework": ["ag2"]},
    ],
)
def test_one_field_that_no_benchmark_writes_spoils_the_file(field: dict[str, Any]) -> None:
    """In one line: nothing is fitted on what was not counted."""
    told = json.loads(bench(25, 0.6))
    told["lm"]["rows"][3] |= field
    with pytest.raises(BadInputError, match="no benchmark of a judge"):
        train(json.dumps(told), "b.json")


def test_what_else_a_benchmark_tells_is_passed_over() -> None:
    told = json.loads(bench(25, 0.6, window=None))
    told["lm"]["rows"][3] |= {"swayed": None, "a field of the future": [1]}
    assert train(json.dumps(told), "b.json").fusion.fitted is not None


def test_a_label_past_the_end_is_left_out() -> None:
    told = json.loads(bench(25, 0.6))
    told["lm"]["rows"][0]["label"] = 99
    fitted = train(json.dumps(told), "b").fusion.fitted
    assert fitted is not None
    assert fitted.runs == 24


def test_the_command_writes_weights_that_blame_reads(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text(bench(60, 0.6), encoding="utf-8")
    done = call("train", "fusion", "bench.json", "-o", "f.json", "--json")
    told = TrainedFusion.model_validate(done.json)
    assert load((tmp_path / "f.json").read_text(encoding="utf-8"), "f.json").weights["judge"] == told.weight
    assert told.gain_ci[0] <= told.gain <= told.gain_ci[1]
    assert told.log_loss_without - told.log_loss == pytest.approx(told.gain, abs=1e-3)
    people = call("train", "fusion", "bench.json")
    assert "fitted on 60 runs; held-out log-loss" in people.out
    (tmp_path / "bench.json").write_text(bench(60, 0.0), encoding="utf-8")
    assert "the judge was not shown to help" in call("train", "fusion", "bench.json").out
    (tmp_path / "bench.json").write_text("nonsense", encoding="utf-8")
    bad = call("train", "fusion", "bench.json")
    assert (bad.code, bad.err.count("\n")) == (3, 1)
