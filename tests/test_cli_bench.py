"""`tracer bench` as a user calls it: tables for people, JSON for programs, one line for each mistake."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.analyses.bench_alarms import bench_alarms
from tracer.analyses.blame import METHODS
from tracer.collectors.ingest import read_recordings
from tracer.schemas import WhoWhenReport

Call = Callable[..., Any]


def labelled(folder: Path, count: int) -> Path:
    """A folder of labelled runs; the agents' names try to take over the terminal."""
    folder.mkdir(parents=True)
    for k in range(count):
        texts = ["I assume so" if i == k % 3 else "so be it" for i in range(4)]
        history = [{"role": "user", "name": f"Agent\x1b[2J{i}", "content": text} for i, text in enumerate(texts)]
        value = {"question": f"{k}?", "history": history, "mistake_agent": "No\x1b[2Jbody", "mistake_step": k % 3}
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


def test_the_table_has_a_row_for_each_method(call: Call, tmp_path: Path) -> None:
    """With the trivial rules, and label defects named; a log's text is only text."""
    done = call("bench", "whowhen", labelled(tmp_path / "runs", 4))
    assert (done.code, done.err) == (0, "")
    assert "Algorithm-Generated · 4 runs · protocol shipped" in done.out
    rows = [line.split()[0] for line in done.out.splitlines() if line[:1].isalpha()]
    assert {*METHODS, "step-0", "step-1", "last-step"} <= set(rows)
    assert "label defect: 0.json step 0: names Nobody, but Agent0 speaks at that step" in done.out.replace("[2J", "")
    assert "\x1b" not in done.out


def test_json_has_the_published_form(call: Call, tmp_path: Path) -> None:
    """Rates are fractions; nothing but JSON is printed."""
    done = call("bench", "whowhen", labelled(tmp_path / "runs", 4), "--json")
    report = WhoWhenReport.model_validate(done.json)
    assert (report.protocol, list(report.subsets)) == ("shipped", ["Algorithm-Generated"])
    scores = report.subsets["Algorithm-Generated"].methods
    assert scores["step-1"].strict.step == 1 / 4
    assert scores["first-code"].strict.step == 1 / 4
    assert all(0 <= rate <= 1 for score in scores.values() for rate in (score.strict.step, score.official.agent))
    assert done.err == ""


def test_cross_validation_is_a_protocol(call: Call, tmp_path: Path) -> None:
    """It adds what is trained in the folds."""
    done = call("bench", "whowhen", labelled(tmp_path / "runs", 24), "--protocol", "cv", "--json").json
    assert done["protocol"] == "cv"
    assert {"position-only", "uniform"} <= set(done["subsets"]["Algorithm-Generated"]["methods"])


def test_second_labels_are_shown(call: Call, tmp_path: Path) -> None:
    """Agreement of the teams, and how often each method points at any failure."""
    failure = {"failure_id": 1, "step_number": 1, "failed_agent": "x"}
    second = [{"whowhen_file": "0.json", "failures": [failure], "root_cause": {"failure_id": 1}}]
    (tmp_path / "second.json").write_text(json.dumps(second), encoding="utf-8")
    folder = labelled(tmp_path / "Hand-Crafted", 2)
    done = call("bench", "whowhen", folder, "--second-labels", "second.json")
    assert "the two teams agree on the step in 100 %, on the agent in 0 %" in done.out
    assert "Points at a step that either team called a failure: ranker" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["whowhen", "nowhere"], 3, "error: nowhere: no such file or folder"),
        (
            ["whowhen", "empty"],
            3,
            "error: empty: no labelled run in it; give a folder of Who&When files, or world runs beside their labels",
        ),
        (["whowhen", "runs", "--second-labels", "no.json"], 3, "error: no.json: cannot be read: No such file or dir"),
        (["whowhen", "runs", "--second-labels", "runs/0.json"], 3, "error: second labels: "),
        (
            ["whowhen", "runs", "--protocol", "cv"],
            3,
            "error: 6 labelled runs are too few to cross-validate: 20 must be",
        ),
        (["alarms", "nowhere"], 3, "error: nowhere: no such file or folder"),
        (["alarms", "runs"], 3, "error: no run here is known to have succeeded; give logs that state a reward"),
    ],
)
def test_each_mistake_is_one_line_with_its_exit_code(
    call: Call, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    """Nothing on standard output, no traceback."""
    labelled(tmp_path / "runs", 6)
    (tmp_path / "empty").mkdir()
    done = call("bench", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1


def test_an_unknown_protocol_is_a_wrong_call(call: Call, tmp_path: Path) -> None:
    """The two there are are named."""
    done = call("bench", "whowhen", labelled(tmp_path / "runs", 1), "--protocol", "guess")
    assert done.code == 2
    assert "shipped" in done.err


def test_false_alarms_are_counted_with_the_outcome_hidden(call: Call, tmp_path: Path) -> None:
    """Ten runs, half of them successes: each kind with its rates and their intervals."""
    path = rewarded(tmp_path / "results.json", 10)
    done = call("bench", "alarms", path, "--json").json
    assert {name: done[name]["n"] for name in ("success", "failure")} == {"success": 5, "failure": 5}
    assert done["success"]["mean_p_failed"] < done["failure"]["mean_p_failed"]
    for kind in ("success", "failure"):
        low, high = done[kind]["root_cause_ci"]
        assert 0 <= low <= done[kind]["root_cause"] <= high <= 1
    table = call("bench", "alarms", path)
    assert table.code == 0
    assert "5" in table.out


def test_hiding_the_outcome_hides_it_from_every_figure(tmp_path: Path) -> None:
    """With all rewards turned round the runs are sorted otherwise, and each is judged as before."""
    [*recordings], _ = read_recordings([rewarded(tmp_path / "results.json", 10)])
    turned = [
        each._replace(
            run=each.run.model_copy(update={"outcome": "success" if each.run.outcome == "failure" else "failure"})
        )
        for each in recordings
    ]
    one, other = bench_alarms(recordings), bench_alarms(turned)
    assert (one["success"], one["failure"]) == (other["failure"], other["success"])


def test_real_false_alarms(real_logs: Path) -> None:
    """The 84 successes and 116 failures of the sample; a claim is rare while the log is silent."""
    recordings, _ = read_recordings([real_logs / "samples/tau_bench/gpt-4o-airline.json"])
    found = bench_alarms(recordings)
    assert (found["success"]["n"], found["failure"]["n"]) == (84, 116)
    assert found["success"]["root_cause"] < 0.1
