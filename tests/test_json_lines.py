"""The quick way to JSON Lines gives what the way over text gives, or gives up and leaves it to that."""

import hashlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.collectors.container import open_containers
from tracer.collectors.json_lines import json_lines
from tracer.collectors.json_values import MAX_DEPTH, Document, documents, looks_like_json
from tracer.errors import BadInputError


def read(data: bytes) -> tuple[Document, ...]:
    return json_lines(io.BytesIO(data))


def test_lines_are_counted_from_1_and_blank_ones_too() -> None:
    """A carriage return belongs to the line that it ends, and the last line needs no end."""
    found = read('\n \t\r\n{"a": "\\u00e9é"}\r\n\n[{"b": 9223372036854775807}]'.encode())
    assert found == (Document({"a": "éé"}, 3), Document([{"b": 9223372036854775807}], 5))


@pytest.mark.parametrize(
    "odd",
    [
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": 18446744073709551616}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\x00"}',
        b'{"a": "\x1b"}',
        b'{"a": "cut o',
        b"{",
        b"\x00",
        b"\xc2\xa0",
        b"\x1c",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"[" * (MAX_DEPTH + 10) + b"]" * (MAX_DEPTH + 10),
        b"{} {}",
        b"prose",
    ],
)
@pytest.mark.parametrize("before", [b"", b'{"fine": 1}\n'])
def test_anything_out_of_the_ordinary_is_left_to_the_way_over_text(before: bytes, odd: bytes) -> None:
    """In the first line or later: nothing is half read."""
    assert read(before + odd + b"\n") == ()


@pytest.mark.parametrize("first", [b"1", b'"text"', b"[1, 2]", b"[2023-05-06 INFO] begun"])
def test_what_does_not_open_as_a_log_in_json_does_is_no_json(first: bytes) -> None:
    """A number or a list of numbers is JSON, but plain logs begin so."""
    assert not looks_like_json(first.decode())
    assert read(first + b'\n{"a": 1}\n') == ()


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n"])
def test_nothing_but_blanks_holds_nothing(data: bytes) -> None:
    assert read(data) == ()


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0d8 \n\r\x00\x1c1eN-é', max_size=40).map(str.encode))
def test_both_ways_agree_on_whatever_the_quick_one_reads(rest: bytes) -> None:
    """On random bytes behind a brace."""
    if found := read(b'{"a": 1}\n{' + rest):
        by_text = documents((b'{"a": 1}\n{' + rest).decode())
        assert found == by_text


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.floats() | st.text(), max_size=3), max_size=4))
def test_both_ways_agree_on_random_objects(written: list[dict[str, object]]) -> None:
    """Wide integers, NaN and lone surrogates among them, which the quick way leaves alone."""
    data = "\n".join(map(json.dumps, written)).encode()
    if len(found := read(data)) > 1:
        assert found == documents(data.decode())


@given(st.lists(st.dictionaries(st.text(), st.booleans() | st.text(), max_size=3), min_size=1, max_size=4))
def test_the_quick_way_reads_every_log_without_oddities(written: list[dict[str, object]]) -> None:
    """As json.dumps writes them, escaped, and as most tools do, not; but for lone surrogates, which no UTF-8 holds."""
    for ascii_only in (True, False):
        data = "\n".join(json.dumps(value, ensure_ascii=ascii_only) for value in written).encode()
        assert [document.value for document in read(data)] == written


def test_the_digest_is_that_of_all_bytes_whichever_way_the_file_was_read(tmp_path: Path) -> None:
    """Files over one buffer of the reader, too."""
    for name, data in {
        "quick": b'{"a": "' + b"x" * 700_000 + b'"}\n{"a": 2}',
        "text": b'{"a": 1}\n{"a": NaN}\n',
    }.items():
        (tmp_path / name).write_bytes(data)
        [container] = open_containers(tmp_path / name)
        assert (container.kind, container.digest) == ("jsonl", hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'{"a": 1}\n{"a": "\xff"}\n', "invalid UTF-8 at byte 16: invalid start byte"),
        (b'{"a": 1}\n{"a": "\x00"}\n', "binary data (a NUL at character 16), not a log"),
        (b'{"a": 1}\n{"a": "cut o', "truncated JSON: ends inside a string opened at line 2, at line 2"),
    ],
)
def test_what_is_wrong_in_a_later_line_is_still_told_exactly(tmp_path: Path, data: bytes, line: str) -> None:
    """Positions are those of the whole file."""
    (tmp_path / "log.jsonl").write_bytes(data)
    with pytest.raises(BadInputError) as raised:
        open_containers(tmp_path / "log.jsonl")
    assert str(raised.value) == f"{tmp_path / 'log.jsonl'}: {line}"
