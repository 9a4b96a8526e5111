"""Opening files: bytes decide what they are, and whatever cannot be opened is one line that names the file."""

import gzip
import io
import json
import os
import sqlite3
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.collectors.container import Container, open_containers
from tracer.collectors.json_values import MAX_DEPTH, documents, loads
from tracer.errors import BadInputError

RUN = {"role": "user", "content": "What is 6 × 7?"}


def opened(path: Path, data: bytes | str) -> Container:
    """The one container of a file with this content."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    [container] = open_containers(path)
    return container


def refused(path: Path, data: bytes | str) -> str:
    """The one line that says why a file with this content cannot be opened."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(BadInputError) as raised:
        open_containers(path)
    line = str(raised.value)
    assert "\n" not in line
    assert str(path) in line
    return line.removeprefix(f"{path}: ")


def values(container: Container) -> list[object]:
    return [document.value for document in container.documents]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_read_in_every_encoding_that_states_itself(tmp_path: Path, encoding: str) -> None:
    """A byte order mark decides; without one it is UTF-8."""
    container = opened(tmp_path / "a.json", json.dumps(RUN, ensure_ascii=False).encode(encoding))
    assert (container.kind, values(container)) == ("json", [RUN])


def test_json_lines_keep_their_line_numbers_whatever_the_suffix(tmp_path: Path) -> None:
    """Blank lines do not count as values, but they count as lines."""
    container = opened(tmp_path / "a.json", '{"a": 1}\r\n\r\n{"a": 2}\n')
    assert container.kind == "jsonl"
    assert [tuple(document) for document in container.documents] == [({"a": 1}, 1), ({"a": 2}, 3)]


def test_pretty_printed_documents_may_simply_follow_each_other(tmp_path: Path) -> None:
    """The console exporter of a tracing SDK writes so, into a file named .jsonl."""
    container = opened(
        tmp_path / "a.jsonl", json.dumps({"a": 1}, indent=2) + "\n" + json.dumps({"a": 2}, indent=2) + "\n"
    )
    assert [tuple(document) for document in container.documents] == [({"a": 1}, 1), ({"a": 2}, 4)]


def test_a_line_that_begins_one_document_and_a_later_one_that_spans_lines(tmp_path: Path) -> None:
    """Not JSON Lines after all: read on as concatenated documents."""
    assert values(opened(tmp_path / "a.jsonl", '{"a": 1}\n{\n"a": 2\n}\n')) == [{"a": 1}, {"a": 2}]


def test_what_orjson_refuses_the_standard_library_reads(tmp_path: Path) -> None:
    """NaN comes through; an integer beyond 64 bits keeps all digits as text; a lone surrogate is replaced."""
    [value] = values(
        opened(tmp_path / "a.json", '{"nan": NaN, "big": 123456789012345678901234567890, "half": "x\\ud800y"}')
    )
    assert isinstance(value, dict)
    assert value["nan"] != value["nan"]
    assert value["big"] == "123456789012345678901234567890"
    assert value["half"] == "x\ufffdy"


def test_64_bit_integers_stay_exact() -> None:
    """Nanosecond times and unsigned ids fit."""
    assert loads("[18446744073709551615, -9223372036854775808]") == [18446744073709551615, -9223372036854775808]
    assert loads("[18446744073709551616]") == ["18446744073709551616"]


def test_a_plain_log_that_starts_with_a_bracket_is_text(tmp_path: Path) -> None:
    """`[2023-05-06 ...]` opens many logs, and no JSON."""
    container = opened(
        tmp_path / "a.log", "[2023-25-06 20:10:30 INFO] **Programmer**: done\n[0] AI Assistant (CEO): hi"
    )
    assert (container.kind, container.documents) == ("text", ())
    assert container.text.startswith("[2023")


def test_a_plain_log_may_quote_fenced_json_and_stay_text(tmp_path: Path) -> None:
    """Fences are looked into only where the suffix says Markdown."""
    page = '# Trace\n\n```json\n{"a": 1}\n```\n\nProse.\n\n```json\n{"a": ...}\n```\n'
    assert opened(tmp_path / "a.log", page).kind == "text"
    container = opened(tmp_path / "a.md", page)
    assert [tuple(document) for document in container.documents] == [({"a": 1}, None)] or values(container) == [
        {"a": 1}
    ]


def test_a_markdown_file_may_be_nothing_but_json(tmp_path: Path) -> None:
    """Seen in the wild."""
    assert opened(tmp_path / "trace.md", '{"a": 1}').kind == "json"


def test_gzip_of_json_lines(tmp_path: Path) -> None:
    """The digest is that of the content: packed or not, it is the same log."""
    plain = opened(tmp_path / "a.jsonl", '{"a": 1}\n{"a": 2}\n')
    packed = opened(tmp_path / "a.jsonl.gz", gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert values(packed) == values(plain)
    assert packed.digest == plain.digest


def test_each_member_of_a_zip_is_a_container_and_a_bad_one_harms_no_other(tmp_path: Path) -> None:
    """Folders are no members; an archive inside an archive is not opened."""
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as file:
        file.writestr("runs/", "")
        file.writestr("runs/1.json", '{"a": 1}')
        file.writestr("runs/2.json", '{"a": ')
        file.writestr("runs/3.gz", gzip.compress(b"{}"))
    good, cut, nested = open_containers(tmp_path / "logs.zip")
    assert (good.source, values(good)) == (f"{tmp_path}/logs.zip#runs/1.json", [{"a": 1}])
    assert good.defect is None
    assert cut.defect is not None
    assert "#runs/2.json: truncated JSON" in cut.defect
    assert nested.defect is not None
    assert "inside an archive" in nested.defect


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    """Past 16 MiB, what comes out may be 100 times what went in and no more."""
    assert "expands beyond" in refused(tmp_path / "a.gz", gzip.compress(b" " * (20 << 20)))


def test_a_zip_bomb_is_stopped_over_all_its_members(tmp_path: Path) -> None:
    """Each member alone would pass."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            file.writestr(f"{number}.json", "[" + " " * (6 << 20) + "]")
    with pytest.raises(BadInputError, match="expands beyond"):
        open_containers(tmp_path / "a.zip")


def test_a_repetitive_short_log_may_pack_better_than_the_ratio(tmp_path: Path) -> None:
    """The ratio guards memory, not style."""
    assert opened(tmp_path / "a.gz", gzip.compress(json.dumps(["a" * 1_000_000]).encode())).kind == "json"


def test_parquet_rows_are_plain_values(tmp_path: Path) -> None:
    """Nested columns, bytes and times included."""
    pq.write_table(
        pa.table({"history": [[{"role": "user"}]], "raw": [b"x"], "at": pa.array([0], pa.timestamp("s"))}),
        tmp_path / "a",
    )
    [container] = open_containers(tmp_path / "a")
    assert container.kind == "parquet"
    assert values(container) == [{"history": [{"role": "user"}], "raw": "x", "at": "1970-01-01 00:00:00"}]


def test_sqlite_is_named_and_left_closed(tmp_path: Path) -> None:
    """Its reader opens it read-only; nothing is parsed here."""
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table chat (x)")
    database.close()
    [container] = open_containers(tmp_path / "a.db")
    assert (container.kind, container.documents) == ("sqlite", ())
    assert len(container.digest) == 64


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ('{"history": [{"role": "us', "truncated JSON: ends inside a string opened at line 1, at line 1"),
        ('{\n"history": [\n{"a": 1},\n', "truncated JSON: ends inside an array opened at line 2, at line 3"),
        ('{"a": 1}\n{"a": 2}\n{"a": ', "truncated JSON: ends inside an object opened at line 3, at line 3"),
        ('[{"a": tru', "truncated JSON: ends inside an object opened at line 1, at line 1"),
        ('{"a": 1,}', "broken JSON: "),
        ("{'a': 1}", "broken JSON: expecting property name enclosed in double quotes at line 1, column 2"),
        ('{"a": 1}\n{"b" 2}\n{"c": 3}\n', "broken JSON: expecting ':' delimiter at line 2, column 6"),
        (b'{"a": "\xff"}', "invalid UTF-8 at byte 7: invalid start byte"),
        ("é".encode()[:1], "invalid UTF-8 at byte 0: unexpected end of data"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a PNG image, not a log"),
        (b"\x7fELF\x02\x01\x01\x00", "an ELF program, not a log"),
        (b"abc\x00def", "binary data (a NUL at character 3), not a log"),
        (b"\x1f\x8b\x08\x00", "truncated or damaged gzip: "),
        (gzip.compress(b'{"a": 1}')[:-4], "truncated or damaged gzip: "),
        (b"PK\x03\x04abc", "truncated or damaged zip: "),
        (b"PAR1abc", "truncated or damaged Parquet: "),
        (gzip.compress(gzip.compress(b"{}")), "an archive or database inside an archive: unpack it first"),
        ("[" * 10_000 + "]" * 10_000, f"JSON nested deeper than {MAX_DEPTH} levels"),
        ("[" * 100_000, f"JSON nested deeper than {MAX_DEPTH} levels"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, f"JSON nested deeper than {MAX_DEPTH} levels"),
        ("[" * 500 + "]" * 500, f"JSON nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_cannot_be_opened_is_one_line(tmp_path: Path, data: bytes | str, line: str) -> None:
    """Truncated and broken differ, because the user must do different things about them."""
    assert refused(tmp_path / "a.json", data).startswith(line)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how to raise the limit."""
    monkeypatch.setenv("TRACER_MAX_BYTES", "10")
    assert "TRACER_MAX_BYTES" in refused(tmp_path / "a.json", '{"a": "0123456789"}')


def test_a_parquet_file_that_grows_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dictionary encoding packs repeated text a thousandfold."""
    pq.write_table(pa.table({"text": ["x" * 10_000] * 2_000}), tmp_path / "a.parquet")
    monkeypatch.setenv("TRACER_MAX_BYTES", "1000000")
    with pytest.raises(BadInputError, match="the limit is 1,000,000"):
        open_containers(tmp_path / "a.parquet")


def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Opening it would block for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInputError, match="not a regular file"):
        open_containers(tmp_path / "pipe")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """No traceback for a typing error."""
    with pytest.raises(BadInputError, match="no such file"):
        open_containers(tmp_path / "nothing.json")


def test_a_zip_member_cannot_break_the_line_by_its_name(tmp_path: Path) -> None:
    """Control characters in names are replaced."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("a\n\x1b[31mb.json", "{}")
    (tmp_path / "a.zip").write_bytes(packed.getvalue())
    [container] = open_containers(tmp_path / "a.zip")
    assert container.source.isprintable()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=4), st.sampled_from([None, 2]))
def test_any_stream_of_objects_comes_back_as_it_went_in(written: list[dict[str, object]], indent: int | None) -> None:
    """As lines and as pretty-printed documents."""
    text = "\n".join(json.dumps(value, indent=indent) for value in written)
    assert [document.value for document in documents(text)] == written


@given(st.text(alphabet='{}[]",:\\u0d8 \n1eN-', max_size=40))
def test_no_text_raises_anything_but_bad_input(text: str) -> None:
    """Whatever is not JSON is refused in one line."""
    try:
        documents("{" + text)
    except BadInputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right; only the form of the refusal is fixed
