"""`tracer train` as a user calls it: the files that it writes, and what it says about them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.analyses import white_box
from tracer.analyses.failure import FailureModel
from tracer.analyses.features import FEATURES
from tracer.analyses.ranker import load
from tracer.data.agent_runs import shipped
from tracer.errors import BadInputError
from tracer.schemas import TrainedWhiteBox

Call = Callable[..., Any]


def labelled(folder: Path, count: int) -> Path:
    """A folder of labelled runs in which the decisive step assumes something."""
    folder.mkdir()
    for k in range(count):
        texts = ["I assume so" if i == k % 3 else "so be it" for i in range(4)]
        history = [{"role": "user", "name": f"Agent{i}", "content": text} for i, text in enumerate(texts)]
        value = {
            "question": f"secret {k}?",
            "history": history,
            "mistake_agent": f"Agent{k % 3}",
            "mistake_step": k % 3,
        }
        (folder / f"{k}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def rewarded(path: Path, count: int) -> Path:
    """tau-bench results: each second run fails, and its tool fails twice before."""
    results = []
    for k in range(count):
        said = "Error: no such booking" if k % 2 else "booked"
        call = {"id": "c", "type": "function", "function": {"name": "book", "arguments": "{}"}}
        turn = [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "name": "book", "content": said},
        ]
        traj = [{"role": "user", "content": f"book {k}"}, *turn, *turn]
        results.append({"task_id": k, "reward": float(k % 2 == 0), "info": {}, "traj": traj, "trial": 0})
    path.write_text(json.dumps(results), encoding="utf-8")
    return path


def test_a_ranker_is_trained_and_its_record_laid_beside_it(call: Call, tmp_path: Path) -> None:
    """Weights for every feature; the record tells hashes, never texts; the next command is told."""
    done = call("train", "ranker", labelled(tmp_path / "runs", 24), "-o", "mine.json")
    assert done.code == 0
    assert done.out.startswith("trained on 24 runs; cross-validated log-loss ")
    assert done.err == "next: `tracer blame --ranker mine.json` uses it\n"
    model = load(Path("mine.json").read_text(encoding="utf-8"), "mine.json")
    assert set(model.weights) == set(FEATURES)
    assert max(model.weights, key=lambda name: model.weights[name]) == "assumes"
    record = Path("mine.training.json").read_text(encoding="utf-8")
    assert json.loads(record)["runs"] == 24
    assert json.loads(record)["command"] == "tracer train ranker runs"
    assert "secret" not in record
    assert "assume so" not in record


def test_json_tells_where_the_ranker_is_and_how_good(call: Call, tmp_path: Path) -> None:
    """And nothing else is printed."""
    done = call("train", "ranker", labelled(tmp_path / "runs", 24), "--json")
    assert done.json["ranker"] == "ranker.json"
    assert done.json["runs"] == 24
    assert done.err == ""
    assert Path("ranker.json").exists()


def test_a_trained_ranker_is_used_by_blame(call: Call, tmp_path: Path) -> None:
    """From training to a finding, on a run that it has not seen."""
    assert call("train", "ranker", labelled(tmp_path / "runs", 24), "-o", "mine.json").code == 0
    assert call("ingest", labelled(tmp_path / "new", 2) / "1.json").code == 0
    found = call("blame", "--ranker", "mine.json", "--json").json
    assert (found["candidates"][0]["step"], found["verdict"]) == (1, "root_cause")


def test_p_failed_is_trained_on_runs_of_known_outcome(call: Call, tmp_path: Path) -> None:
    """Planted so that the trouble tells: the cross-validated AUROC is 1."""
    done = call("train", "failure", rewarded(tmp_path / "results.json", 50), "-o", "mine.json")
    assert (done.code, done.out) == (0, "trained on 50 runs; cross-validated AUROC 1.000\n")
    model = FailureModel.model_validate_json(Path("mine.json").read_bytes())
    assert model.training["command"] == "tracer train failure results.json"
    assert (model.training["runs"], model.training["failures"]) == (50, 25)
    again = call("train", "failure", tmp_path / "results.json", "--json").json
    assert (again["failure"], again["runs"]) == ("failure.json", 50)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ranker", "runs"], 3, "error: 5 labelled runs are too few to train on; give at least 20"),
        (
            ["ranker", "empty"],
            3,
            "error: empty: no labelled run in it; give a folder of Who&When files, or world runs beside their labels",
        ),
        (["ranker", "nowhere"], 3, "error: nowhere: no such file or folder"),
        (["failure", "runs"], 3, "error: need at least 20 failed and 20 successful runs; found 5 and 0"),
        (["failure", "nowhere"], 3, "error: nowhere: no such file or folder"),
    ],
)
def test_too_little_to_learn_from_is_one_line(
    call: Call, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    """And no file is written."""
    labelled(tmp_path / "runs", 5)
    (tmp_path / "empty").mkdir()
    done = call("train", *arguments)
    assert (done.code, done.out, done.err) == (code, "", f"{message}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "runs"]


def test_a_file_that_cannot_be_written_is_one_line(call: Call, tmp_path: Path) -> None:
    """Said after the work, but said."""
    done = call("train", "ranker", labelled(tmp_path / "runs", 24), "-o", "no/such/folder.json")
    assert done.code == 2
    assert done.err.startswith("error: cannot write no/such/folder.json")


def test_files_that_cannot_be_read_are_told_and_left_out(call: Call, tmp_path: Path) -> None:
    """The others are enough."""
    folder = labelled(tmp_path / "runs", 24)
    (folder / "broken.json").write_text('{"history": [', encoding="utf-8")
    done = call("train", "ranker", folder)
    assert done.code == 0
    assert done.err.startswith(f"skipped {folder}/broken.json: ")
    assert "trained on 24 runs" in done.out


def test_without_a_subcommand_the_help_is_shown(call: Call) -> None:
    """The same on every command that has some."""
    assert "ranker" in call("train", "--help").out


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The shipped runs of the agent world, of which five are labelled."""
    runs, labels = shipped()
    path = tmp_path / "world.jsonl.gz"
    path.write_bytes(runs.read_bytes())
    lines = [line for line in labels.read_text(encoding="utf-8").splitlines() if '"status":"decisive"' in line]
    (tmp_path / "world.labels.jsonl").write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")
    return path


def test_the_white_box_is_trained_on_runs_whose_cause_was_measured(call: Call, world: Path) -> None:
    """Five labelled runs; the weights go where they were asked to, and blame takes them with a model only."""
    pytest.importorskip("torch")
    done = call("train", "white-box", world, "-o", "mine.json")
    assert done.out.startswith("trained on 5 runs; step first in ")
    model = white_box.load(Path("mine.json"))
    assert TrainedWhiteBox.model_validate_json(Path("mine.json").read_bytes()).weights == model.weights
    assert (model.runs, model.model) == (5, "pocket")
    assert set(model.weights) == set(white_box.FEATURES)
    assert model.cross_validated in {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}
    refused = call("blame", "--white-box", "mine.json")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--lm" in refused.err


def test_four_labelled_runs_are_too_few_for_the_white_box(call: Call, world: Path) -> None:
    """One for each fold is the least; it is told in one line, and nothing is written."""
    pytest.importorskip("torch")
    labels = world.with_name("world.labels.jsonl")
    labels.write_text("".join(labels.read_text(encoding="utf-8").splitlines(keepends=True)[:4]), encoding="utf-8")
    done = call("train", "white-box", world, "-o", "mine.json")
    assert (done.code, done.err) == (3, "error: 4 labelled runs are too few to train on; give at least 5\n")
    assert not Path("mine.json").exists()


def test_the_ranker_learns_from_the_world_and_from_logs_at_once(call: Call, world: Path, tmp_path: Path) -> None:
    done = call("train", "ranker", labelled(tmp_path / "runs", 24), world, "-o", "both.json", "--json")
    assert json.loads(done.out)["runs"] == 29


def test_weights_that_are_none_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="no weights"):
        white_box.load(path)
