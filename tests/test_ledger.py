"""The ledger: a rollout that was kept once is there for good, exact to the byte, and is never drawn again."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer.errors import BusyDatabaseError, DatabaseError, TracerError
from tracer.lm.journal import Journal, journals, leftovers, lines
from tracer.lm.ledger import KEY, Ledger, left
from tracer.lm.rollouts import Request, Rollout, Sampling, digest
from tracer.store import Store

PREFIX = "2 + 2 is"
DIGEST = digest(PREFIX)


def rollout(sample: int = 0, text: str = " 4.", prefix: str = PREFIX) -> Rollout:
    """Three tokens of probability 1/e each, ended by the model."""
    return Rollout(digest(prefix), sample, text, "stop", 3, -3.0)


def opened(database: Path, sampling: Sampling | None = None, *, revision: str = "r1", model: str = "tiny") -> Ledger:
    """The ledger of a model; it does not wait for anyone."""
    return Ledger.open(database, model, revision, sampling or Sampling(), wait=0.2)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a database may come to be."""
    return tmp_path / "t.duckdb"


def stored(database: Path) -> list[tuple[object, ...]]:
    """Every row of the table, the model's name left out."""
    with Store.open(database, read_only=True) as store:
        assert store.verify() == []
        return store.database.all("SELECT * EXCLUDE (model) FROM rollouts ORDER BY ALL")


def test_what_is_added_is_held_at_once_and_after_the_merge(database: Path) -> None:
    """By number, in order, whatever order it came in; the journal is gone when the block has ended."""
    with opened(database) as ledger:
        assert ledger.held(DIGEST) == {}
        ledger.add(rollout(1))
        ledger.add(rollout(0))
        assert list(ledger.held(DIGEST).items()) == [(0, rollout(0)), (1, rollout(1))]
        assert len(journals(database)) == 1
    assert journals(database) == []
    with opened(database) as ledger:
        assert list(ledger.held(DIGEST).items()) == [(0, rollout(0)), (1, rollout(1))]
        assert ledger.held(digest("another prefix")) == {}


def test_the_table_holds_the_key_and_the_draw(database: Path) -> None:
    """One column each, for people who write SQL."""
    with opened(database, Sampling(0.5, 0.9, 7, 3)) as ledger:
        ledger.add(rollout(2))
    assert stored(database) == [(DIGEST, "r1", 0.5, 0.9, 7, 3, 2, " 4.", None, "stop", 3, -3.0)]


def test_a_sweep_that_draws_nothing_new_writes_no_journal(database: Path) -> None:
    """And adding what is held already changes nothing, though the text be another."""
    with opened(database) as ledger:
        ledger.add(rollout(0))
    with opened(database) as ledger:
        ledger.fetch([DIGEST])
        ledger.add(rollout(0, "another text"))
        assert ledger.held(DIGEST) == {0: rollout(0)}
        assert journals(database) == []


def test_whatever_the_draw_depends_on_keeps_rollouts_apart(database: Path) -> None:
    """Other sampling, another seed, another revision: none is held. Another name of the same revision: the same."""
    with opened(database) as ledger:
        ledger.add(rollout())
    for field, value in {"temperature": 0.7, "top_p": 1.0, "max_tokens": 1023, "seed": 1}.items():
        with opened(database, Sampling()._replace(**{field: value})) as other:  # type: ignore[arg-type]
            assert other.held(DIGEST) == {}
    with opened(database, revision="r2") as other:
        assert other.held(DIGEST) == {}
    with opened(database, model="a copy of tiny") as same:
        assert same.held(DIGEST) == {0: rollout()}


def test_whole_numbers_are_the_same_temperature_as_decimal_ones(database: Path) -> None:
    """A caller may write 1 or 1.0; both runs mean the same draw."""
    with opened(database, Sampling(temperature=1, top_p=1)) as ledger:
        ledger.add(rollout(0))
    with opened(database, Sampling(temperature=1.0, top_p=1.0)) as ledger:
        assert ledger.held(DIGEST) == {0: rollout(0)}


def test_merging_in_the_middle_of_a_run_goes_on_in_a_new_journal(database: Path) -> None:
    """The count is of the rows that were new."""
    with opened(database) as ledger:
        ledger.add(rollout(0))
        assert ledger.merge() == 1
        assert journals(database) == []
        ledger.add(rollout(1))
        assert ledger.merge() == 1
        assert ledger.merge() == 0
        assert ledger.held(DIGEST).keys() == {0, 1}
    assert len(stored(database)) == 2


HOSTILE = {
    "empty": "",
    "nul": "a\x00b\x00",
    "lone surrogate": "a\ud800b\udfff",
    "two halves that are no pair": "\ud83d\ude00 is not \U0001f600",
    "line separators": "a\nb\rc\r\nd\u2028e\u2029f\x85g\x0bh\x0ci\x1cj",
    "an entry": '00000000 {"prefix": "x"}\n00000000 {}\n',
    "quotes": "\"'\\ \\n \\ud800 '; DROP TABLE rollouts; --",
    "right to left": "\u202eabc\u202c\ufeff\uffff",
    "10 MB": "0123456789" * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_comes_back_to_the_byte_from_both_places(database: Path, text: str) -> None:
    """From the journal, which another process reads while it is written, and from the table."""
    ledger = opened(database)
    ledger.add(rollout(0, text))
    ledger.add(rollout(1))
    assert opened(database).held(DIGEST) == {0: rollout(0, text), 1: rollout(1)}
    ledger.merge()
    assert opened(database).held(DIGEST) == {0: rollout(0, text), 1: rollout(1)}
    assert journals(database) == []


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=()))), logprob=st.floats(allow_nan=False))
def test_any_text_and_number_comes_back(tmp_path: Path, texts: list[str], logprob: float) -> None:
    """Infinite log-probabilities and -0.0 included."""
    database = tmp_path / f"{time.monotonic_ns()}.duckdb"
    made = {k: rollout(k, text)._replace(logprob=logprob) for k, text in enumerate(texts)}
    with opened(database) as ledger:
        for each in made.values():
            ledger.add(each)
    with opened(database) as ledger:
        assert repr(ledger.held(DIGEST)) == repr(made)


def test_a_long_run_merges_on_the_way_unless_the_database_is_busy(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of journals that are full at 1,000 bytes: two cannot be merged for a while, and the third takes them along."""
    monkeypatch.setattr("tracer.lm.ledger._FULL", 1000)
    with opened(database) as ledger:
        with duckdb.connect(database):
            for sample in range(2):
                ledger.add(rollout(sample, "x" * 1000))
            assert len(journals(database)) == 2
        ledger.add(rollout(2, "x" * 500))
        assert stored(database) == []
        ledger.add(rollout(3, "x" * 1000))
        assert journals(database) == []
        assert ledger.notes == []
        assert ledger.held(DIGEST).keys() == {0, 1, 2, 3}
    assert [row[6] for row in stored(database)] == [0, 1, 2, 3]


def test_many_rollouts_are_merged_in_pieces(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More text than goes in at once; the same keys in two pieces still count once."""
    monkeypatch.setattr("tracer.lm.ledger._BATCH", 10_000)
    opened(database)
    for _ in range(2):
        kept = Ledger(database, "tiny", "r1", Sampling())  # knows nothing of what is stored, nor of the other
        for sample in range(100):
            kept.add(rollout(sample, "x" * 300))
        kept._journal.close()
    assert len(journals(database)) == 2
    assert opened(database).held(DIGEST).keys() == set(range(100))
    assert len(stored(database)) == 100


def left_behind(database: Path, *samples: int) -> Path:
    """The journal of a run that was cut off after these samples."""
    with suppress(KeyboardInterrupt), opened(database) as ledger:
        for sample in samples:
            ledger.add(rollout(sample))
        raise KeyboardInterrupt
    [journal] = journals(database)
    return journal


def test_ctrl_c_leaves_the_journal_for_the_next_run(database: Path) -> None:
    """Stopping is quick, and nothing is drawn again."""
    left_behind(database, 0, 1)
    with opened(database) as ledger:
        assert ledger.held(DIGEST) == {0: rollout(0), 1: rollout(1)}
        assert journals(database) == []


def test_a_torn_last_line_is_passed_over_wherever_it_is_torn(database: Path) -> None:
    """Lengths of a journal of two lines: the first counts as soon as its newline is there."""
    journal = left_behind(database, 0, 1)
    whole = journal.read_bytes()
    first = whole.index(b"\n") + 1
    for size in [*range(0, len(whole), 10), first - 1, first, len(whole) - 1]:
        journal.write_bytes(whole[:size])
        bodies = [line.body for line in lines(journal)]
        assert bodies == ([whole[9 : first - 1]] if size >= first else [])
    with opened(database) as ledger:
        assert ledger.held(DIGEST) == {0: rollout(0)}
        assert ledger.notes == []


def test_a_damaged_line_is_set_aside_with_a_note_and_the_others_count(database: Path) -> None:
    """One letter of the second text was changed on the disk: its sum tells."""
    journal = left_behind(database, 0, 1, 2)
    damaged = journal.read_bytes().splitlines(keepends=True)
    damaged[1] = damaged[1].replace(b" 4.", b" 5.")
    journal.write_bytes(b"".join(damaged))
    with opened(database) as ledger:
        assert ledger.held(DIGEST).keys() == {0, 2}
        [note] = ledger.notes
        kept = journal.with_suffix(".damaged")
        assert note == f"lines of {journal.name} that are damaged: 1, kept in {kept}, drawn again"
        assert kept.read_bytes() == damaged[1]
    assert not journal.exists()


@pytest.mark.parametrize("content", [b"hello\nworld\n", b"\x00" * 4096 + b"\n", b"\n\n", b"{}\n", b"00000000 \xff\n"])
def test_a_foreign_file_in_a_journals_place_is_kept_byte_for_byte(database: Path, content: bytes) -> None:
    """It is renamed, not lost, and stops nobody."""
    foreign = database.with_name("t.duckdb.rollouts-mine.journal")
    foreign.write_bytes(content)
    with opened(database) as ledger:
        assert len(ledger.notes) == 1
    assert foreign.with_suffix(".damaged").read_bytes() == content
    assert journals(database) == []


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"1", b'{"prefix": "a", "sample": "one"}', b"\xff", b""])
def test_an_entry_of_another_version_is_refused_in_one_line_and_stays(database: Path, body: bytes) -> None:
    """Its sum is right, so it is no damage; nothing of any journal is taken in half."""
    left_behind(database, 0)
    other = Journal(database)
    other.append(body)
    other.close()
    before = {path: path.read_bytes() for path in journals(database)}
    with pytest.raises(DatabaseError, match="another version of tracer: upgrade blametrace") as caught:
        opened(database)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert {path: path.read_bytes() for path in journals(database)} == before
    assert stored(database) == []


def test_a_merge_that_was_killed_before_it_removed_the_journal_doubles_nothing(database: Path) -> None:
    """The journal stands there once more, twice even, after its rollouts were committed."""
    journal = left_behind(database, 0, 1)
    copy = shutil.copy(journal, database.with_name("copy"))
    assert opened(database).merge() == 0
    for name in (journal.name, "t.duckdb.rollouts-0.journal"):
        shutil.copy(copy, database.with_name(name))
    with opened(database) as ledger:
        assert ledger.held(DIGEST) == {0: rollout(0), 1: rollout(1)}
    assert len(stored(database)) == 2
    assert journals(database) == []


def test_verify_names_a_sample_that_is_there_twice(database: Path) -> None:
    """The promise that the store makes of this table."""
    with opened(database) as ledger:
        ledger.add(rollout(3))
    with Store.open(database) as store:
        store.database.all("INSERT INTO rollouts SELECT * FROM rollouts")
        assert store.verify() == [f"sample 3 of prefix {DIGEST} is there 2 times"]


def test_a_database_that_holds_rollouts_alone_is_not_blank(database: Path) -> None:
    """An ingest that finds nothing takes a blank database away; this one is dear."""
    with opened(database) as ledger:
        ledger.add(rollout())
    with Store.open(database) as store:
        assert not store.is_blank()


def test_a_database_that_cannot_be_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    """A folder, a missing folder, a file of another kind, and numbers that no column holds."""
    (tmp_path / "notes.txt").write_text("mine " * 4000)
    for path in (tmp_path, tmp_path / "no" / "t.duckdb", tmp_path / "notes.txt"):
        with pytest.raises(DatabaseError) as caught:
            opened(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(TracerError, match="below 2\\^63"):
        opened(tmp_path / "t.duckdb", Sampling(seed=-(1 << 63)))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_database_that_vanished_meanwhile_is_made_again(database: Path) -> None:
    """Somebody removed the file during a sweep of hours."""
    with opened(database) as ledger:
        ledger.add(rollout(0))
        database.unlink()
        assert ledger.held(digest("another prefix")) == {}
    assert len(stored(database)) == 1


def test_a_busy_database_is_told_at_the_start_and_a_note_at_the_end(database: Path) -> None:
    """Hours of drawing do not end in an error: what was drawn waits in the journal."""
    code = f"import duckdb, sys; c = duckdb.connect({str(database)!r}); print('held', flush=True); sys.stdin.read()"
    with opened(database) as ledger:
        ledger.add(rollout(0))
        holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
    [note] = ledger.notes
    assert f"is held by process {holder.pid}" in note
    assert note.endswith("; the new rollouts wait beside it for the next run")
    with pytest.raises(BusyDatabaseError, match=f"is held by process {holder.pid}") as caught:
        opened(database)
    assert caught.value.exit_code == 4
    holder.communicate()
    with opened(database) as ledger:
        assert ledger.held(DIGEST) == {0: rollout(0)}


def test_a_full_disk_loses_nothing_that_was_kept_and_says_what_to_do(database: Path) -> None:
    """The file may grow to 4,096 bytes: the entry that does not fit leaves no half of itself behind."""
    code = f"""
import pathlib, resource
from tracer.errors import TracerError
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Rollout, Sampling
ledger = Ledger.open(pathlib.Path({str(database)!r}), "tiny", "r1", Sampling())
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
for sample, size in enumerate((1000, 1000, 5000, 1000)):
    try:
        ledger.add(Rollout({DIGEST!r}, sample, "x" * size, "stop", 3, -3.0))
    except TracerError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    [journal] = journals(database)
    assert done.stdout == (
        f"cannot write {journal} (File too large): make room there and run again, what is drawn stays\n"
    )
    with opened(database) as ledger:
        assert ledger.held(DIGEST).keys() == {0, 1, 3}


def test_another_process_that_is_drawing_is_read_and_left_alone(database: Path) -> None:
    """Its rollouts count as held; its journal stays until it ends, and what both drew is there once."""
    first = opened(database)
    first.add(rollout(0))
    with opened(database) as second:
        assert second.held(DIGEST) == {0: rollout(0)}
        first.add(rollout(1))
        second.add(rollout(1))
    assert len(stored(database)) == 1
    assert len(journals(database)) == 1
    first.merge()
    assert [row[6] for row in stored(database)] == [0, 1]


def test_a_journal_is_nobody_elses_while_it_is_taken_in(database: Path) -> None:
    """Two processes that start at once do not both move it."""
    journal = left_behind(database, 0)
    with leftovers(database) as mine:
        assert mine == [journal]
        with leftovers(database) as theirs:
            assert theirs == []
    journal.unlink()
    assert list(lines(journal)) == []


DRAW = """
import hashlib, os, pathlib, sys, time
from tracer.lm.ledger import Ledger, left
from tracer.lm.rollouts import Request, Rollout, Sampling, digest

def source(requests, pause):
    for prefix, sample in requests:
        time.sleep(pause)
        text = hashlib.sha256(f"{prefix}/{sample}".encode()).hexdigest() * (sample % 40) + " \\u2028\\n\\x00"
        yield Rollout(digest(prefix), sample, text, "stop", sample, -float(sample) / 3)

database, prefixes, samples, pause, runs = sys.argv[1:]
for _ in range(int(runs)):
    wanted = [Request(f"prefix {p}", n) for n in range(int(samples)) for p in range(int(prefixes))]
    with Ledger.open(pathlib.Path(database), "tiny", "r1", Sampling()) as ledger:
        for rollout in source(left(wanted, ledger), float(pause)):
            ledger.add(rollout)
            os.write(1, f"{rollout.prefix} {rollout.sample}\\n".encode())
            if int(runs) > 1:
                break
"""


def drawing(database: Path, *numbers: float) -> subprocess.Popen[str]:
    """A process that draws what is left of prefixes x samples, and prints each rollout once it is kept."""
    command = [sys.executable, "-c", DRAW, str(database), *map(str, numbers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_that_start_and_end_all_the_time_lose_nothing(database: Path) -> None:
    """Five runs each, of one rollout: each run makes a journal, and takes in what the other left."""
    both = [drawing(database, 5, 3, 0, 5) for _ in range(2)]
    kept = []
    for process in both:
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        kept += out.splitlines()
    opened(database)
    assert {f"{row[0]} {row[6]}" for row in stored(database)} == set(kept)
    assert journals(database) == []


def test_ten_kills_lose_nothing_and_nothing_is_drawn_twice(database: Path, tmp_path: Path) -> None:
    """Each life is killed within its start or its first 60 rollouts; the table is that of a run left in peace."""
    moments = random.Random(20)
    kept: list[str] = []
    for _ in range(10):
        with drawing(database, 10, 80, 0.003, 1) as process:
            assert process.stdout
            if rollouts := moments.randrange(60):
                kept += [next(process.stdout).strip() for _ in range(rollouts)]
            time.sleep(moments.uniform(0, 0.005 if rollouts else 0.5))
            process.kill()
            kept += [line.strip() for line in process.stdout if line.endswith("\n")]
        assert process.returncode == -9
    for path in (database, tmp_path / "calm.duckdb"):
        out, err = drawing(path, 10, 80, 0, 1).communicate()
        assert err == ""
        kept += out.splitlines() if path == database else []
    assert len(kept) == len(set(kept))
    assert len(stored(database)) == 800
    assert stored(database) == stored(tmp_path / "calm.duckdb")
    assert journals(database) == []


def test_what_is_left_is_each_wanted_request_once_in_order(database: Path) -> None:
    """Two of prefix a's three samples are held, one in the table and one in the journal."""
    with opened(database) as ledger:
        ledger.add(rollout(0, prefix="a"))
    with opened(database) as ledger:
        ledger.add(rollout(2, prefix="a"))
        wanted = [Request("b\ud800", 0), *(Request("a", sample) for sample in (2, 1, 0, 1)), Request("b\ud800", 0)]
        assert left(wanted, ledger) == [Request("b\ud800", 0), Request("a", 1)]
        assert left(iter([]), ledger) == []


def test_what_is_left_is_found_with_one_look_into_the_database(database: Path) -> None:
    """150 prefixes, and the file is opened once: the database may be gone afterwards."""
    wanted = [Request(f"prefix {p}", sample) for p in range(150) for sample in range(100)]
    with opened(database) as ledger:
        for request in wanted[::2]:
            ledger.add(rollout(request.sample, prefix=request.prefix))
    with opened(database) as ledger:
        start = time.perf_counter()
        assert left(wanted, ledger) == wanted[1::2]
        assert time.perf_counter() - start < 5
        database.unlink()
        assert left(wanted, ledger) == wanted[1::2]


def test_the_key_columns_are_the_tables(database: Path) -> None:
    """What makes a rollout the one it is stands in the table under the same names."""
    opened(database)
    with duckdb.connect(database, read_only=True) as connection:
        columns = {name for (name, *_) in connection.execute("DESCRIBE rollouts").fetchall()}
    assert set(KEY) <= columns


def test_the_ledger_needs_no_torch(tmp_path: Path) -> None:
    """Reading what is stored works on a machine without the model."""
    code = f"""
import pathlib, sys
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling
Ledger.open(pathlib.Path({str(tmp_path / "t.duckdb")!r}), "tiny", "r1", Sampling()).held("0" * 32)
assert not {{"torch", "transformers"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
