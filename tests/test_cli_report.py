"""`tracer report` as a user calls it: what is written, what is printed, and how each mistake ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.schemas import WrittenReport

Call = Callable[..., Any]
FAILED = [
    {"role": "user", "name": "planner", "content": "Plan: count the whales."},
    {"role": "user", "name": "reader", "content": "I assume that it saw 4711 whales.\x1b[2J"},
    {"role": "user", "name": "writer", "content": "The answer is 4711."},
]
FINE = [FAILED[0], FAILED[1] | {"content": "I counted 12 whales."}, FAILED[2] | {"content": "The answer is 12."}]


@pytest.fixture
def loaded(call: Call, tmp_path: Path) -> dict[str, str]:
    """A failed run and one that succeeded at the same task; their addresses by name."""
    label = {"question": "How many whales?", "mistake_agent": "reader", "mistake_step": "1"}
    for name, value in {
        "failed": {"history": FAILED, **label},
        "fine": {"history": FINE, "is_correct": True, **label},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    assert call("ingest", *sorted(tmp_path.glob("*.json"))).code == 0
    return {Path(each["source"]).stem: each["run"] for each in call("runs", "--json").json}


def page(name: str) -> tuple[str, dict[str, Any]]:
    """A written page, and the part of its data that is read at once."""
    text = Path(name).read_text(encoding="utf-8")
    data = text.partition('id="data">')[2].partition("</script>")[0]
    contents: dict[str, Any] = json.loads(data)["contents"]
    return text, contents


def test_without_anything_the_last_failed_run_is_written_to_report_html(call: Call, loaded: dict[str, str]) -> None:
    """The file, the run and the size on standard output; what to do next beside it."""
    done = call("report")
    text, contents = page("report.html")
    assert (done.code, done.err) == (0, "next: open report.html\n")
    assert done.out == f"report.html: run {loaded['failed']}, {len(text.encode()) / 1e3:.0f} kB\n"
    assert (contents["kind"], contents["ids"]) == ("run", [loaded["failed"]])
    assert "\x1b" not in text


def test_two_runs_are_compared_in_one_page(call: Call, loaded: dict[str, str]) -> None:
    """In the order in which they were named; both can be opened."""
    done = call("report", loaded["failed"], loaded["fine"], "--html", "pair.html")
    _, contents = page("pair.html")
    assert done.code == 0
    assert (contents["kind"], contents["ids"]) == ("pair", [loaded["failed"], loaded["fine"]])
    assert [side["name"] for side in contents["pair"]["sides"]] == ["failed run", "good run"]
    assert contents["pair"]["sum"] == "The two runs part at step 1 · reader"


def test_all_runs_are_listed_in_one_page(call: Call, loaded: dict[str, str]) -> None:
    """Those that succeeded, too."""
    assert call("report", "--all", "-o", "all.html").code == 0
    _, contents = page("all.html")
    assert contents["kind"] == "list"
    assert {row["run"]: row["verdict"] for row in contents["list"]}[loaded["fine"]] == "no_failure"
    assert len(contents["list"]) == len(contents["ids"]) == 2


def test_json_tells_what_was_written(call: Call, loaded: dict[str, str]) -> None:
    """File, form, runs and bytes; nothing on standard error."""
    done = call("report", loaded["failed"], loaded["fine"], "--html", "pair.html", "--json")
    told = WrittenReport.model_validate(done.json)
    assert done.err == ""
    assert (told.file, told.format, told.kind) == ("pair.html", "html", "pair")
    assert told.runs == [loaded["failed"], loaded["fine"]]
    assert told.bytes == Path("pair.html").stat().st_size


@pytest.mark.parametrize("arguments", [["--format", "markdown"], ["--format", "markdown", "-o", "-"]])
def test_markdown_is_printed(call: Call, loaded: dict[str, str], arguments: list[str]) -> None:
    """And nothing else, so that it can be piped; no file is left."""
    done = call("report", loaded["failed"], *arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("## ")
    assert "I assume that it saw 4711 whales." in done.out
    assert "\x1b" not in done.out
    assert not Path("report.html").exists()


def test_markdown_goes_to_a_file_where_one_is_named(call: Call, loaded: dict[str, str]) -> None:
    """What is printed is what would be written."""
    printed = call("report", "--all", "--format", "markdown").out
    assert call("report", "--all", "--format", "markdown", "-o", "runs.md").code == 0
    assert Path("runs.md").read_text(encoding="utf-8") == printed
    assert loaded["fine"] in printed


def test_html_goes_to_standard_output_where_asked(call: Call, loaded: dict[str, str]) -> None:
    """For a pipe."""
    done = call("report", loaded["failed"], "--format", "html", "-o", "-")
    assert done.code == 0
    assert done.out.startswith("<!doctype html>")


def test_a_run_may_be_taken_as_failed(call: Call, loaded: dict[str, str]) -> None:
    """Then a run that succeeded has candidates, as many as asked for."""
    done = call("report", loaded["fine"], "--assume", "failed", "--top", "2", "--format", "markdown")
    assert "outcome assumed: failure" in done.out
    assert "| 2 |" in done.out
    assert "| 3 |" not in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ffffffff"], 2, "error: no run 'ffffffff' among 2: `tracer runs` lists them"),
        (["@last:3"], 2, "error: '@last:3' names a step: give the run alone, @last"),
        (["@last", "@last"], 2, "error: both addresses are run "),
        (["a", "b", "c"], 2, "error: a report is of one run, or of two to compare: got 3; `--all` reports every run"),
        (["--all", "@last"], 2, "error: --all reports every run: leave out RUN"),
        (["--html", "."], 2, "error: . is a folder: name a file in it, such as report.html"),
        (["--html", "no/such/x.html"], 2, "error: cannot write no/such/x.html (there is no folder no/such)"),
        (["--html", "x.html", "-o", "y.html"], 2, "error: --html FILE and -o FILE both say where to write"),
        (["--html", "x.html", "--format", "markdown"], 2, "error: --html FILE writes HTML: for Markdown leave it out"),
        (["--format", "markdown", "--json"], 2, "error: --json tells which file was written: name one with -o FILE"),
        (["--method", "magic"], 2, "error: no method 'magic'; there are: ranker, rule-r, graphtracer"),
    ],
)
def test_each_mistake_is_one_line_with_its_exit_code(
    call: Call, loaded: dict[str, str], arguments: list[str], code: int, message: str
) -> None:
    """Nothing on standard output, no traceback, no file."""
    assert loaded
    done = call("report", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1
    assert not list(Path().glob("*.html"))


def test_an_empty_database_has_nothing_to_report(call: Call, tmp_path: Path) -> None:
    """With and without --all; and a missing one is not made."""
    missing = call("report", "--all")
    assert (missing.code, missing.out) == (3, "")
    (tmp_path / "log.json").write_text(json.dumps({"history": FAILED, "question": "q"}), encoding="utf-8")
    assert call("ingest", tmp_path / "log.json").code == 0
    assert call("runs", "rm", "@last").code == 0
    for arguments in (["report"], ["report", "--all"]):
        done = call(*arguments)
        assert (done.code, done.err) == (2, "error: the database holds no runs: run `tracer ingest LOGS` first\n")


def test_a_call_of_the_library_does_the_same(call: Call, loaded: dict[str, str], tmp_path: Path) -> None:
    """One run by address or as explained, two, or every one."""
    database = tmp_path / "t.duckdb"
    explained = tracer.blame(loaded["failed"], database)
    for name, of in {"one": loaded["failed"], "explained": explained, "none": None}.items():
        written = tracer.report(of, tmp_path / f"{name}.html", database)
        assert page(str(written))[1]["ids"] == [loaded["failed"]]
    pair = tracer.report([loaded["failed"], loaded["fine"]], tmp_path / "pair.md", database, medium="markdown")
    assert pair.read_text(encoding="utf-8") == call("report", *loaded.values(), "--format", "markdown").out
    every = tracer.report(file=tmp_path / "all.html", db=database, every=True)
    assert page(str(every))[1]["kind"] == "list"
