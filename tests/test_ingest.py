"""From files to the store: what loads, what is passed over and why, and what a second time changes."""

import gzip
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.collectors.ingest import Ingested, Loaded, ingest
from tracer.errors import BadInputError
from tracer.store import Store


def whowhen(question: str, turns: int = 2) -> dict[str, Any]:
    """A small labelled run: a planner and a coder take turns."""
    names = ["planner", "coder"]
    history = [{"role": "assistant", "name": names[i % 2], "content": f"{question} {i}"} for i in range(turns)]
    label = {"mistake_agent": "coder", "mistake_step": "1", "mistake_reason": "guessed"}
    return {"question": question, "ground_truth": "42", "history": history, **label}


def otlp(trace: str, span: str, start: int, text: str) -> dict[str, Any]:
    """One OTLP/JSON request with one chat span."""
    said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}]}])
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "planner", "gen_ai.output.messages": said}
    listed = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    record: dict[str, Any] = {"traceId": trace, "spanId": span, "name": "chat", "startTimeUnixNano": str(start)}
    record |= {"endTimeUnixNano": str(start + 5), "attributes": listed}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [record]}]}]}


def write(path: Path, value: Any) -> Path:
    """Write a value as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store beside the logs."""
    with Store.open(tmp_path / "t.duckdb") as opened:
        yield opened


def reasons(result: Ingested) -> dict[str, str]:
    """Why each file was passed over, by its name."""
    return {Path(source).name: reason for source, reason in result.skipped}


def test_the_real_labelled_runs_load_step_by_step(real_logs: Path, store: Store) -> None:
    """All 94, each with exactly as many steps as its history has entries; a second time adds nothing."""
    folder = real_logs / "whowhen-dev"
    files = sorted(folder.rglob("*.json"))
    lengths = {str(file): len(json.loads(file.read_text(encoding="utf-8"))["history"]) for file in files}
    result = ingest([folder], store)
    assert result[:3] == (94, 2102, 0)
    assert {loaded.source: loaded.steps for loaded in result.sources} == lengths
    assert {loaded.new for loaded in result.sources} == {1}
    again = ingest([folder], store)
    assert again[:3] == (0, 0, 0)
    assert {loaded.source: loaded.steps for loaded in again.sources} == lengths
    assert {loaded.new for loaded in again.sources} == {0}
    assert store.verify() == []


def test_every_real_sample_loads_or_says_why_not(real_logs: Path, store: Store) -> None:
    """No file of any format, known or not, stops the others."""
    result = ingest([real_logs / "samples"], store)
    assert result.runs > 200
    assert all(reason and "\n" not in reason for _, reason in result.skipped)
    assert store.verify() == []


def test_totals_count_what_was_added_and_sources_what_each_file_holds(tmp_path: Path, store: Store) -> None:
    """A second file with one known run and one new one."""
    one, two = whowhen("one"), whowhen("two", turns=3)
    first = write(tmp_path / "first.json", one)
    assert ingest([first], store) == (1, 2, 0, [Loaded(str(first), "whowhen", 1, 2, 1)], [])
    both = write(tmp_path / "second.json", [one, two])
    assert ingest([both], store) == (1, 3, 0, [Loaded(str(both), "whowhen", 2, 5, 1)], [])


def test_a_loaded_file_is_not_parsed_again_under_another_name(tmp_path: Path, store: Store) -> None:
    """The bytes are known; the report names the path as given."""
    ingest([write(tmp_path / "a.json", whowhen("one"))], store)
    copy = write(tmp_path / "b.json", whowhen("one"))
    assert ingest([copy], store).sources == [Loaded(str(copy), "whowhen", 1, 2, 0)]


def test_folders_are_walked_in_order_and_hidden_files_are_left_alone(tmp_path: Path, store: Store) -> None:
    """Each file once, even when named twice; the store's own file is no log."""
    logs = tmp_path
    b, a = write(logs / "b.json", whowhen("b")), write(logs / "a" / "a.json", whowhen("a"))
    write(logs / ".hidden.json", whowhen("h"))
    write(logs / ".git" / "c.json", whowhen("c"))
    result = ingest([logs, b], store)
    assert [loaded.source for loaded in result.sources] == [str(b), str(a)]
    assert result.skipped == []


def test_a_loop_of_links_ends(tmp_path: Path, store: Store) -> None:
    """A folder that links to itself, and a link to a file that is there already."""
    file = write(tmp_path / "logs" / "a.json", whowhen("a"))
    (tmp_path / "logs" / "loop").symlink_to(tmp_path / "logs")
    (tmp_path / "logs" / "z.json").symlink_to(file)
    (tmp_path / "logs" / "gone.json").symlink_to(tmp_path / "nowhere")
    result = ingest([tmp_path / "logs"], store)
    assert [loaded.source for loaded in result.sources] == [str(file)]
    assert reasons(result).keys() == {"gone.json"}


BAD = {
    "empty.json": b"",
    "truncated.json": b'{"question": "q", "history": [{"role": "assis',
    "binary.json": b"\x00\x01\x02\x03" * 100,
    "utf8.json": b'{"history": "\xff\xfe\xfa"}',
    "bomb.json": b"[" * 10_000 + b"]" * 10_000,
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "notes.txt": b"buy milk\n",
    "nosteps.json": json.dumps(whowhen("q", turns=0)).encode(),
    "wrong.json": json.dumps(whowhen("q") | {"history": [1, 2]}).encode(),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gives_one_line_and_leaves_the_store_as_it_was(tmp_path: Path, store: Store, name: str) -> None:
    """Nothing of it is added, and the reason fits on a line."""
    (tmp_path / name).write_bytes(BAD[name])
    result = ingest([tmp_path / name], store)
    assert (result[:3], result.sources) == ((0, 0, 0), [])
    assert len(result.skipped) == 1
    assert "\n" not in result.skipped[0].reason
    assert store.is_blank()


def test_bad_files_do_not_stop_the_good_ones(tmp_path: Path, store: Store) -> None:
    """All bad ones are named with their reasons; the good one loads."""
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    write(tmp_path / "good.json", whowhen("good"))
    result = ingest([tmp_path], store)
    assert result.runs == 1
    assert reasons(result).keys() == BAD.keys()
    assert reasons(result)["nosteps.json"] == "no steps"
    assert "tried" in reasons(result)["notes.txt"]


def test_a_run_without_steps_is_passed_over_and_its_neighbour_loads(tmp_path: Path, store: Store) -> None:
    """An array may hold both."""
    file = write(tmp_path / "two.json", [whowhen("empty", turns=0), whowhen("full")])
    result = ingest([file], store)
    assert (result.runs, result.steps) == (1, 2)
    assert result.skipped == [(str(file), "no steps")]


def test_members_of_an_archive_are_sources_of_their_own(tmp_path: Path, store: Store) -> None:
    """Named FILE#MEMBER; a bad member does not stop the others, and a second time adds nothing."""
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", json.dumps(whowhen("a")))
        archive.writestr("sub/bad.json", "{")
        archive.writestr("sub/b.json", json.dumps(whowhen("b", turns=4)))
    result = ingest([path], store)
    assert [loaded[:5] for loaded in result.sources] == [
        (f"{path}#a.json", "whowhen", 1, 2, 1),
        (f"{path}#sub/b.json", "whowhen", 1, 4, 1),
    ]
    assert [source for source, _ in result.skipped] == [f"{path}#sub/bad.json"]
    assert ingest([path], store).runs == 0


def test_a_packed_file_is_the_same_as_the_plain_one(tmp_path: Path, store: Store) -> None:
    """The digest is of the unpacked bytes."""
    plain = write(tmp_path / "a.json", whowhen("a"))
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert ingest([tmp_path / "a.json.gz"], store).runs == 1
    assert ingest([plain], store).runs == 0


def test_spans_of_one_trace_join_across_files_in_any_order(tmp_path: Path, store: Store) -> None:
    """The later span comes first; the second file belongs to the run that the first began."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    late = write(tmp_path / "1.json", otlp(trace, "00f067aa0ba902b7", 2_000, "and then"))
    early = write(tmp_path / "2.json", otlp(trace, "00f067aa0ba902b8", 1_000, "first"))
    assert ingest([late], store)[:3] == (1, 1, 1)
    result = ingest([early], store)
    assert result[:3] == (0, 1, 1)
    [loaded] = result.sources
    assert (loaded.runs, loaded.new, loaded.part_of) == (1, 0, str(late))
    [run] = store.runs()
    assert [step.content for step in store.steps(run.id)] == ["first", "and then"]


def test_a_path_that_is_not_there_stops_before_anything_is_read(tmp_path: Path, store: Store) -> None:
    """A typing error in the second path must not half-load the first."""
    file = write(tmp_path / "a.json", whowhen("a"))
    with pytest.raises(BadInputError, match="no such file or folder"):
        ingest([file, tmp_path / "b.json"], store)
    assert store.is_blank()


def test_special_files_and_strange_names_are_no_trouble(tmp_path: Path, store: Store) -> None:
    """A pipe is not waited for; a name that is no UTF-8 is shown with replacement characters."""
    os.mkfifo(tmp_path / "pipe.json")
    strange = os.fsencode(tmp_path) + b"/\xff\x1b.json"
    with open(strange, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(json.dumps(whowhen("a")).encode())
    result = ingest([tmp_path], store)
    assert reasons(result) == {"pipe.json": "not a regular file"}
    assert result.sources[0].source.endswith("/\ufffd\x1b.json")
    assert store.runs()[0].source == result.sources[0].source


def test_progress_is_told_each_file_before_it_is_read(tmp_path: Path, store: Store) -> None:
    """With how many are done and how many there are."""
    files = [write(tmp_path / f"{name}.json", whowhen(name)) for name in "ab"]
    told: list[tuple[str, int, int]] = []
    ingest(files, store, progress=lambda *told_now: told.append(told_now))
    assert told == [(str(files[0]), 0, 2), (str(files[1]), 1, 2)]


def test_the_library_call_does_what_the_command_does(tmp_path: Path) -> None:
    """tracer.ingest takes paths as text and the database as a path; a call that read nothing leaves no file."""
    db = tmp_path / "t.duckdb"
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert tracer.ingest([str(bad)], db).sources == []
    assert not db.exists()
    assert tracer.ingest([str(write(tmp_path / "a.json", whowhen("a")))], str(db)).runs == 1
    assert db.exists()
