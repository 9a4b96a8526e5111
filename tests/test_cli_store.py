"""The commands that fill, list, mark and look after the database, called as a user calls them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracer.cli import main
from tracer.records import Candidate, Finding
from tracer.schemas import BlameReport, IngestReport, RunList, RunReport
from tracer.store import Store

Call = Callable[..., Any]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two runs: one of two steps, one of three."""
    runs = []
    for question, turns in (("one", 2), ("two", 3)):
        names = ["planner", "coder"]
        history = [
            {"role": "assistant", "name": names[i % 2], "content": f"{question} {i}\nmore"} for i in range(turns)
        ]
        label = {"mistake_agent": "coder", "mistake_step": "1", "mistake_reason": "guessed"}
        runs.append({"question": question, "ground_truth": "42", "history": history, **label})
    path = tmp_path / "log.json"
    path.write_text(json.dumps(runs), encoding="utf-8")
    return path


def test_ingest_says_what_was_added_and_what_comes_next(call: Call, log: Path) -> None:
    """Totals on standard output, the hint beside it."""
    first = call("ingest", log)
    assert first == (0, "whowhen: 1 file with 2 runs, 5 steps\nadded 2 runs, 5 steps\n", first.err)
    assert first.err.startswith("next: `tracer runs`")
    again = call("ingest", log)
    assert again.code == 0
    assert "nothing new" in again.out


def test_ingest_as_json_has_the_published_form(call: Call, log: Path) -> None:
    """Totals are what was added; nothing but JSON is printed."""
    done = call("ingest", log, "--json")
    source = {"source": str(log), "format": "whowhen", "runs": 2, "steps": 5, "new": 2}
    assert done.json == {"runs": 2, "steps": 5, "spans": 0, "sources": [source], "skipped": []}
    assert done.err == ""
    again = call("ingest", log, "--json").json
    assert again == {"runs": 0, "steps": 0, "spans": 0, "sources": [source | {"new": 0}], "skipped": []}
    assert IngestReport.model_validate(again).sources[0].part_of is None


def test_one_bad_file_is_one_line_and_no_database(call: Call, tmp_path: Path) -> None:
    """Exit 3; the database that was not there is still not there."""
    (tmp_path / "bad.json").write_text("")
    done = call("ingest", tmp_path / "bad.json")
    assert done == (3, "", f"error: {tmp_path}/bad.json: the file is empty\n")
    assert not (tmp_path / "t.duckdb").exists()


def test_bad_files_beside_a_good_one_are_named_and_exit_0(call: Call, log: Path) -> None:
    """Partly skipped input is no failure."""
    (log.parent / "bad.json").write_text("")
    done = call("ingest", log.parent)
    assert done.code == 0
    assert f"skipped {log.parent}/bad.json: the file is empty\n" in done.err
    assert call("ingest", log.parent, "--json").json["skipped"][0]["reason"] == "the file is empty"


def test_what_every_format_looked_for_is_told_of_a_file_that_is_named_alone(call: Call, log: Path) -> None:
    """Beside others a file of no format takes one short line, and one more says how to learn the rest."""
    odd = log.parent / "weather.json"
    odd.write_text('{"weather": "fine"}')
    short = f"skipped {odd}: not a format we know\n"
    assert call("ingest", log.parent).err.startswith(f"{short}`tracer ingest FILE`, of one of these alone, says")
    assert "whowhen (no key 'mistake_agent')" in call("ingest", odd).err
    assert "tried otlp_json" in call("ingest", log.parent, "--json").json["skipped"][0]["reason"]


def test_a_folder_without_a_log_is_3_and_says_how_many_were_tried(call: Call, tmp_path: Path) -> None:
    """Each with its reason, then one error."""
    (tmp_path / "logs").mkdir()
    assert (
        call("ingest", tmp_path / "logs").err
        == "error: nothing was loaded: there is no file; hidden ones are read only when named\n"
    )
    for name in "ab":
        (tmp_path / "logs" / f"{name}.json").write_text("{")
    done = call("ingest", tmp_path / "logs")
    assert done.code == 3
    assert [line.split()[0] for line in done.err.splitlines()] == ["skipped", "skipped", "error:"]
    assert call("ingest", tmp_path / "logs", "--json").code == 3


def test_runs_are_listed_and_filtered(call: Call, log: Path) -> None:
    """As a table for people, as JSON for programs."""
    call("ingest", log)
    rows = call("runs", "--json").json
    run = rows[0].pop("run")
    assert rows[0] == {
        "source": str(log),
        "format": "whowhen",
        "framework": "ag2",
        "outcome": "failure",
        "steps": 2,
        "agents": ["planner", "coder"],
        "task": "one",
    }
    assert call("mark", run, "--ok").code == 0
    assert [row["task"] for row in call("runs", "--ok", "--json").json] == ["one"]
    assert [row["task"] for row in call("runs", "--failed", "--json").json] == ["two"]
    assert [row["task"] for row in call("runs", "--failed", "--ok", "--json").json] == ["one", "two"]
    assert call("runs", "--unknown", "--json").json == []
    table = call("runs").out
    assert run in table
    assert "success" in table
    assert call("runs", "--unknown").out == "no such runs\n"


def test_a_run_is_shown_step_by_step(call: Call, log: Path) -> None:
    """One line a step; --full has the whole text; RUN:STEP is that step alone."""
    call("ingest", log)
    shown = call("show", "@last").out
    assert [word in shown for word in ("two 0", "planner", "3 steps by 2 agents", "outcome failure")] == [True] * 4
    assert "two 0\nmore" in call("show", "@last", "--full").out
    one = call("show", "@last:1").out
    assert "── step 1 · coder · message" in one
    assert "two 0" not in one


def test_a_run_as_json_is_the_run_with_its_steps(call: Call, log: Path) -> None:
    """RUN:STEP keeps the run and gives one step."""
    call("ingest", log)
    whole = call("show", "--json").json
    assert (whole["task"], whole["expected"], whole["agents"]) == ("two", "42", ["planner", "coder"])
    assert [step["content"] for step in whole["steps"]] == ["two 0\nmore", "two 1\nmore", "two 2\nmore"]
    assert whole["labels"][0]["step"] == 1
    one = call("show", f"{whole['run']}:2", "--json").json
    assert one == whole | {"steps": whole["steps"][2:]}
    assert RunReport.model_validate(one).steps[0].index == 2
    assert RunList.model_validate(call("runs", "--json").json).root[1].run == whole["run"]


def test_a_run_as_atif_is_a_trajectory_that_loads_again(call: Call, log: Path, tmp_path: Path) -> None:
    """The same steps by the same agents; a step of it, or two forms at once, is a mistake of one line."""
    call("ingest", log)
    shown = call("show", "@last", "--format", "atif")
    assert (shown.json["schema_version"], shown.json["steps"][0]["step_id"]) == ("ATIF-v1.7", 1)
    (tmp_path / "run.atif.json").write_text(shown.out)
    before = call("show", "--json").json["steps"]
    call("ingest", tmp_path / "run.atif.json")
    after = call("show", "--json").json
    assert after["format"] == "atif"
    assert [(step["agent"], step["kind"], step["content"]) for step in after["steps"]] == [
        (step["agent"], step["kind"], step["content"]) for step in before
    ]
    for wrong in (["@last:0"], ["@last", "--json"], ["@last", "--full"]):
        assert call("show", *wrong, "--format", "atif").code == 2


def test_a_step_that_the_run_does_not_have_is_told(call: Call, log: Path) -> None:
    """With the last that it has."""
    call("ingest", log)
    done = call("show", "@last:3")
    assert done.code == 2
    assert done.err.endswith("has no step 3: its last is 2\n")


def test_several_runs_are_marked_from_a_table(call: Call, log: Path) -> None:
    """Columns run, outcome and expected; a spreadsheet's byte order mark is no trouble."""
    call("ingest", log)
    one, two = [row["run"] for row in call("runs", "--json").json]
    table = log.with_suffix(".csv")
    table.write_text(f"run,outcome,expected\n{one},OK,\n{two[:6]},failed,43\n", encoding="utf-8-sig")
    assert call("mark", "--csv", table, "--json").json == {
        "marked": [
            {"run": one, "outcome": "success", "expected": None},
            {"run": two, "outcome": "failure", "expected": "43"},
        ]
    }
    shown = call("show", two, "--json").json
    assert (shown["outcome"], shown["outcome_source"], shown["expected"]) == ("failure", "user", "43")
    assert call("show", one, "--json").json["expected"] == "42"


BAD_TABLES = {
    "run,outcome\n{one},ok\n{one},maybe\n": "line 3: outcome 'maybe' is none of failed, failure, ok, success, unknown",
    "run,outcome\n{one},ok\nffffffff,ok\n": "line 3: no run 'ffffffff' among 2",
    "run,outcome\n{one},ok\n{one}\n": "line 3: outcome '' is none of",
    "id,outcome\n{one},ok\n": "no column 'run'",
    "": "no column 'outcome'",
    'run,outcome\n"{one},ok\n': "cannot be read as CSV",
}


@pytest.mark.parametrize("content", BAD_TABLES)
def test_a_bad_line_of_the_table_is_named_and_nothing_is_marked(call: Call, log: Path, content: str) -> None:
    """All or nothing."""
    call("ingest", log)
    one = call("runs", "--json").json[0]["run"]
    table = log.with_suffix(".csv")
    table.write_text(content.replace("{one}", one), encoding="utf-8")
    done = call("mark", "--csv", table)
    assert done.code == 3
    assert BAD_TABLES[content] in done.err
    assert done.err.count("\n") == 1
    assert call("runs", "--ok", "--json").json == []


def test_spans_without_a_run_are_told_and_nothing_is_proposed(call: Call, tmp_path: Path) -> None:
    """They may belong to agents whose spans come later; there is no run to look at yet."""
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "GET /", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    log = tmp_path / "trace.json"
    log.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}), encoding="utf-8")
    done = call("ingest", log)
    assert done.code == 0
    assert "added 0 runs, 0 steps, 1 span" in done.out
    assert done.err == ("no run begins in these spans: none of them calls a model or a tool, or works for an agent\n")


def test_a_table_that_is_not_there_is_named_once(call: Call, log: Path, tmp_path: Path) -> None:
    """In words, without the number of the error."""
    call("ingest", log)
    done = call("mark", "--csv", tmp_path / "none.csv")
    assert done.code == 3
    assert done.err == f"error: {tmp_path}/none.csv: cannot be read: No such file or directory; nothing was marked\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["@last"], ["@last", "--ok", "--failed"], ["--ok"], ["@last", "--csv", "x"], ["--csv", "x", "--ok"]],
)
def test_mark_needs_one_way_to_say_it(call: Call, log: Path, arguments: list[str]) -> None:
    """Runs with one outcome, or a table."""
    call("ingest", log)
    done = call("mark", *arguments)
    assert done.code == 2
    assert "either --failed or --ok" in done.err


def test_a_removed_run_comes_back_with_its_file(call: Call, log: Path) -> None:
    """And takes its mark along."""
    call("ingest", log)
    call("mark", "@last", "--ok")
    last = call("runs", "--json").json[1]["run"]
    assert call("runs", "rm", "@last", "--json").json == {"removed": [last]}
    assert len(call("runs", "--json").json) == 1
    assert call("runs", "rm", last).code == 2
    assert call("ingest", log, "--json").json["runs"] == 1
    assert call("show", last, "--json").json["outcome"] == "failure"


def test_the_database_before_the_sub_command_counts(log: Path, tmp_path: Path, call: Call) -> None:
    """`tracer runs --db FILE rm RUN` means what it says."""
    call("ingest", log)
    assert main(["runs", "--db", str(tmp_path / "t.duckdb"), "rm", "@last"]) == 0


def test_verify_is_silent_about_a_sound_database_and_3_about_a_broken_one(
    call: Call, log: Path, tmp_path: Path
) -> None:
    """Each problem is a line, or an item of the JSON."""
    call("ingest", log)
    assert call("db", "verify").out == f"{tmp_path}/t.duckdb: sound\n"
    with Store.open(tmp_path / "t.duckdb") as store:
        store.database.all("DELETE FROM steps WHERE index = 0")
    done = call("db", "verify", "--json")
    assert done.code == 3
    assert len(done.json["problems"]) == 2


def test_the_export_is_a_folder_of_parquet_files(call: Call, log: Path, tmp_path: Path) -> None:
    """The paths are printed, and the files are there."""
    call("ingest", log)
    files = call("db", "export", "--parquet", tmp_path / "out", "--json").json["files"]
    assert str(tmp_path / "out" / "runs.parquet") in files
    assert all(Path(file).stat().st_size for file in files)


def test_the_path_of_the_database_is_printed_before_it_exists(call: Call, tmp_path: Path) -> None:
    """For scripts that hand it to other tools."""
    assert call("db", "path").out == f"{tmp_path}/t.duckdb\n"
    assert call("db", "path", "--json").json == {"path": f"{tmp_path}/t.duckdb", "exists": False}


def test_a_busy_database_is_4_and_names_its_holder(call: Call, tmp_path: Path) -> None:
    """After ten seconds of waiting."""
    path = tmp_path / "t.duckdb"
    holding = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdin
        holder.stdout.readline()
        done = call("runs")
        holder.stdin.close()
    assert done.code == 4
    assert f"is held by process {holder.pid}" in done.err


def test_a_finding_as_json_has_the_fields_that_programs_rely_on() -> None:
    """schema, run, verdict, method, probability_basis, symptom and candidates."""
    finding = Finding(
        run="3f2a91bc04de",
        analysis="blame",
        version=1,
        verdict="root_cause",
        method="ranker",
        probability_basis="in-domain",
        symptom=4,
        candidates=(Candidate(rank=1, step=2, agent="coder", probability=0.5, cues=("first code",)),),
    )
    printed = json.loads(BlameReport.of(finding).model_dump_json())
    assert printed["schema"] == "urn:blametrace:schema:blame:1"
    assert printed["symptom"] == {"step": 4}
    assert printed["candidates"] == [
        {
            "rank": 1,
            "step": 2,
            "agent": "coder",
            "probability": 0.5,
            "interval": None,
            "cues": ["first code"],
            "path": [],
        }
    ]
