"""Whatever a file holds, the public door answers with records or with one line; never with a traceback."""

import contextlib
import gzip
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording, content_hash

CHAT = [{"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "Here: <b>é</b> 漢字"}]


def through(path: Path) -> list[Recording]:
    """Open, recognise, read; every line of refusal is one line."""
    found: list[Recording] = []
    try:
        for container in open_containers(path):
            found.extend(recognise(container).read(container).recordings)
    except BadInputError as error:
        if "\n" in str(error) or str(path) not in str(error):
            raise AssertionError(f"not one line that names the file: {error}") from error
        raise
    return found


def written(folder: Path, data: bytes | str) -> Path:
    path = folder / "hostile.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 50,
        b"\x7fELF" + b"\x02\x01\x01" + b"\x00" * 50,
        b"\xff" * 100,
        json.dumps(CHAT).encode()[:-5],
        json.dumps(CHAT, ensure_ascii=False).encode("latin-1", "replace"),
        b"[" * 10_000 + b"]" * 10_000,
        b'[{"role": "user", "content": ' + b"[" * 10_000 + b"]" * 10_000 + b"}]",
        b'{"messages": []}',
        b'{"history": [], "mistake_agent": "a"}',
        b'[{"role": {"role": "user"}, "content": "x"}]',
        b'{"resourceSpans": 3}',
        b'{"task_id": 1, "reward": 1, "traj": "x"}',
        b'{"mistake_agent": "a", "mistake_step": "1", "history": {"0": "x"}}',
        gzip.compress(json.dumps(CHAT).encode())[:-9],
    ],
)
def test_one_clear_line(tmp_path: Path, data: bytes) -> None:
    """Truncated, empty, another kind, nested beyond reason, or broken inside its own format."""
    with pytest.raises(BadInputError):
        through(written(tmp_path, data))


@pytest.mark.parametrize(
    "hostile",
    [
        "__proto__",
        "constructor",
        "a\x00b",
        "\u202egnp.exe",
        "a\u2028\u2029\x85b",
        "\x1b[2J\x1b]0;owned\x07",
        "<script>alert(1)</script>",
        "'; drop table runs; --",
        "../../etc/passwd",
        "k" * 1_000_000,
    ],
)
def test_hostile_words_are_kept_as_they_are(tmp_path: Path, hostile: str) -> None:
    """In a key, a name and a text: escaping is the business of each border, not of the records."""
    messages = [{"role": "user", "name": hostile, "content": hostile, hostile: {"x": hostile}}]
    [(run, [step])] = through(written(tmp_path, json.dumps(messages)))
    assert (step.agent, step.content, run.task) == (hostile, hostile, hostile)
    assert run.content_hash == content_hash(messages)


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    """No UTF-8 can hold it, so neither can a database; the rest of the text stays."""
    [(_, [step])] = through(written(tmp_path, '[{"role": "user", "content": "a\\ud83db\\ude00", "\\udc00": 1}]'))
    assert step.content == "a\ufffdb\ufffd"


def test_a_megabyte_on_one_line_and_a_thousand_calls(tmp_path: Path) -> None:
    """Large, not hostile: everything comes through."""
    calls = [{"id": f"c{i}", "function": {"name": "f", "arguments": "{}"}} for i in range(1_000)]
    big = [{"role": "user", "content": "x" * 1_000_000}, {"role": "assistant", "tool_calls": calls}]
    [(_, steps)] = through(written(tmp_path, json.dumps(big)))
    assert (len(steps), len(steps[0].content)) == (1_001, 1_000_000)


def test_think_tags_by_the_thousand_take_no_time(tmp_path: Path) -> None:
    """No regular expression here backtracks."""
    text = "<think>" * 20_000 + "\n<think>x</think>\n" * 5_000 + "</think>" * 20_000
    [(_, [step])] = through(written(tmp_path, json.dumps([{"role": "assistant", "content": text}])))
    assert step.reasoning_state == "present"


def test_a_role_of_a_megabyte_of_spaces_takes_no_time(tmp_path: Path) -> None:
    """A pattern with two ways to read a space would need hours."""
    [(_, [step])] = through(written(tmp_path, json.dumps([{"role": "x" + " " * 1_000_000, "content": "y"}])))
    assert step.content == "y"


def test_thousands_of_different_thoughts_take_no_time(tmp_path: Path) -> None:
    """Looking for repetitions must not compare each with each."""
    text = "\n".join(f"<think>thought {number}</think>" for number in range(20_000))
    [(_, [step])] = through(written(tmp_path, json.dumps([{"role": "assistant", "content": text}])))
    assert step.reasoning is not None
    assert step.reasoning.count("thought") == 20_000


def test_a_member_named_like_a_path_is_only_a_name(tmp_path: Path) -> None:
    """Nothing is written to disk."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../../evil.json", json.dumps(CHAT))
    [(run, _)] = through(tmp_path / "a.zip")
    assert run.source == f"{tmp_path}/a.zip#../../evil.json"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.floats(0, 1))
def test_a_log_with_flipped_bytes_is_read_or_refused(tmp_path: Path, seed: int, cut: float) -> None:
    """Ten random bytes and a random end."""
    random_bytes = random.Random(seed)
    data = bytearray(json.dumps([*CHAT, {"role": "tool", "tool_call_id": "c", "content": [1, None]}]).encode())
    for _ in range(random_bytes.randrange(10)):
        data[random_bytes.randrange(len(data))] = random_bytes.randrange(256)
    try:
        through(written(tmp_path, bytes(data[: int(len(data) * cut)])))
    except BadInputError as error:
        assert error.exit_code == 3  # noqa: PT017 - both ends are right; any other exception fails


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=200),
    magic=st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"[{", b'{"']),
)
def test_no_bytes_escape_as_another_error(tmp_path: Path, data: bytes, magic: bytes) -> None:
    """Rubbish behind every magic number."""
    try:
        through(written(tmp_path, magic + data))
    except BadInputError as error:
        assert error.exit_code == 3  # noqa: PT017 - both ends are right; any other exception fails


DATA = Path(__file__).parent / "data"
CAPTURED = sorted(path for path in DATA.rglob("*") if path.suffix in {".json", ".jsonl", ".eval"})
ODD: list[Any] = [None, True, -1, 3.5, float("inf"), "", "x", [], {}, [None], ["a"], {"type": ["x"]}, [[{}]]]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(inner, (*path, key))


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_log_whose_values_are_swapped_for_odd_ones_is_read_or_refused(path: Path) -> None:
    """Forty times one value of a real log is gone, or is of a type that nobody expects there."""
    draw = random.Random(path.name)
    [container] = open_containers(path)
    for _ in range(40):
        position = draw.randrange(len(container.documents))
        value = json.loads(json.dumps(container.documents[position].value))
        *way, last = draw.choice(list(_places(value)))
        holder = value
        for key in way:
            holder = holder[key]
        if draw.random() < 0.2:
            del holder[last]
        else:
            holder[last] = draw.choice(ODD)
        documents = list(container.documents)
        documents[position] = documents[position]._replace(value=value)
        changed = container._replace(documents=tuple(documents))
        with contextlib.suppress(BadInputError):
            recordings = recognise(changed).read(changed).recordings
            assert all(parent < step.index for _, steps in recordings for step in steps for parent in step.parents)
