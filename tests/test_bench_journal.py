"""The journal of a benchmark: what was put is there, whatever happens next."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.analyses.bench_journal import BenchJournal, key_of
from tracer.errors import BadInputError, TracerError


def test_what_was_put_is_there_again(tmp_path: Path) -> None:
    with BenchJournal(tmp_path / "j") as journal:
        journal.put("a", {"x": "line\nbreak \ud800"})
        assert journal.get("b") is None
    with BenchJournal(tmp_path / "j") as journal:
        assert journal.values == {"a": {"x": "line\nbreak \ud800"}}
        journal.put("b", 2)
    assert (tmp_path / "j").read_bytes().count(b"\n") == 2


def test_a_torn_last_line_is_cut_off_and_the_next_one_stands_alone(tmp_path: Path) -> None:
    """At every length of the tear."""
    path = tmp_path / "j"
    with BenchJournal(path) as journal:
        journal.put("a", 1)
        journal.put("b", 2)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        path.write_bytes(whole[:cut])
        with BenchJournal(path) as journal:
            assert journal.values == {"a": 1}
            journal.put("c", 3)
        with BenchJournal(path) as journal:
            assert journal.values == {"a": 1, "c": 3}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        *[(text, "line 1") for text in ("hello\n", "00000000 {}\n", "\n", '{"key": "a"}\n')],
        *[(text, "its last line") for text in ("hello", "cafe notes", "3 whales", "\0\0\0")],
    ],
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, text: str, place: str) -> None:
    """Somebody named the wrong file: without a line end it is no torn line of ours, to be cut off."""
    path = tmp_path / "j"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=f"{place} is damaged or not ours: name another --journal"):
        BenchJournal(path)
    assert path.read_text(encoding="utf-8") == text


def test_two_benchmarks_do_not_share_a_journal(tmp_path: Path) -> None:
    with BenchJournal(tmp_path / "j"), pytest.raises(TracerError, match="being written by another benchmark"):
        BenchJournal(tmp_path / "j")
    with pytest.raises(BadInputError, match="cannot be written: Is a directory"):
        BenchJournal(tmp_path)


def test_death_loses_nothing_that_was_put(tmp_path: Path) -> None:
    """A process that dies without any goodbye after its third put leaves three."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom tracer.analyses.bench_journal import BenchJournal\n"
        "journal = BenchJournal(Path(sys.argv[1]))\n[journal.put(str(k), k) for k in range(3)]\nos._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, tmp_path / "j"], check=False, env=os.environ).returncode == 9
    with BenchJournal(tmp_path / "j") as journal:
        assert journal.values == {"0": 0, "1": 1, "2": 2}


def test_keys_differ_with_everything_that_an_answer_depends_on() -> None:
    assert key_of("judge", 1, {"a": 1, "b": 2}) == key_of("judge", 1, {"b": 2, "a": 1})
    assert len({key_of("judge", 1), key_of("judge", 2), key_of("judg", "e", 1), key_of(json.dumps(["judge", 1]))}) == 4
