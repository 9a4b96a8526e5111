"""The command line as a whole: help, errors, exit codes, colour and pipes."""

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tracer
from tracer.cli import COMMANDS, app, main
from tracer.cli.options import Address, parse_address
from tracer.errors import BusyDatabaseError, MissingExtraError, NoSuchRunError, TracerError
from tracer.schemas import SCHEMAS, json_schema

REPOSITORY = Path(__file__).parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "error"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A run of two steps whose text tries to take over the terminal."""
    history = [
        {"role": "user", "name": "plan\x1b[2Jner", "content": "\x1b]0;owned\x07hello [/bold] \u202eevil"},
        {"role": "assistant", "name": "coder", "content": "line one\nline two"},
    ]
    label = {"mistake_agent": "coder", "mistake_step": "1", "mistake_reason": ""}
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"question": "why?", "history": history, **label}), encoding="utf-8")
    return path


def command(*arguments: str | Path) -> list[str]:
    """The real command, in a process of its own."""
    return [sys.executable, "-m", "tracer", *map(str, arguments)]


def test_help_lists_every_command_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """-h and --help are the same, and each command has its own."""
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert main(["-h"]) == 0
    assert capsys.readouterr().out == text
    positions = [text.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)


def test_help_says_what_each_command_does_in_one_whole_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns none is cut off."""
    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    commands = capsys.readouterr().out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(commands) == len(COMMANDS)
    assert [line for line in commands if line.endswith("...")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_can_speak_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a database, and without any extra; --json is on every command."""
    assert main([name, "-h"]) == 0
    text = capsys.readouterr().out
    assert "Usage: tracer" in text
    assert "--json" in text or "Commands:" in text


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """One place states it."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tracer {tracer.__version__}\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["show", "--nonsense"], ["ingest"], ["runs", "rm"]])
def test_a_wrong_call_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a hint where help is, and nothing on standard output."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("arguments", [["runs"], ["show"], ["mark", "@last", "--ok"], ["runs", "rm", "abcd"]])
def test_a_missing_database_is_one_line_that_says_what_to_do(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, and no database is made by looking for one."""
    db = tmp_path / "none.duckdb"
    assert main([*arguments, "--db", str(db)]) == 3
    captured = capsys.readouterr()
    assert captured.err == f"error: no database at {db}: run `tracer ingest LOGS` first\n"
    assert captured.out == ""
    assert not db.exists()


def test_the_database_comes_from_the_flag_then_the_environment_then_the_folder(log: Path, tmp_path: Path) -> None:
    """--db, TRACER_DB, tracer.duckdb here."""
    subprocess.run(command("ingest", log), cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True)
    by_environment = ENVIRONMENT | {"TRACER_DB": str(tmp_path / "env.duckdb")}
    subprocess.run(command("ingest", log), cwd=tmp_path, env=by_environment, check=True, capture_output=True)
    by_flag = command("ingest", log, "--db", "flag.duckdb")
    subprocess.run(by_flag, cwd=tmp_path, env=by_environment, check=True, capture_output=True)
    assert {path.name for path in tmp_path.glob("*.duckdb")} == {"tracer.duckdb", "env.duckdb", "flag.duckdb"}


def test_each_kind_of_mistake_has_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that raises a TracerError ends with one line and the error's own code."""
    errors = [TracerError("a"), NoSuchRunError("b"), BusyDatabaseError("c"), MissingExtraError.for_extra("lm", "d")]

    @app.command("raise-for-test", hidden=True)
    def fail(number: int) -> None:
        raise errors[number] if number < len(errors) else ValueError("ours")

    COMMANDS["raise-for-test"] = fail
    try:
        assert [main(["raise-for-test", str(number)]) for number in range(5)] == [2, 2, 4, 5, 70]
    finally:
        del COMMANDS["raise-for-test"]
        app.registered_commands.pop()
    captured = capsys.readouterr().err
    assert captured.startswith("error: a\nerror: b\nerror: c\nerror: d needs an extra: pip install 'blametrace[lm]'\n")
    assert captured.count("Traceback") == 1
    assert captured.endswith("ValueError: ours\n")


def test_an_interrupted_command_is_130(tmp_path: Path) -> None:
    """Ctrl-C while waiting for a busy database: no traceback."""
    path = tmp_path / "t.duckdb"
    holding = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", holding], **pipes) as holder:  # type: ignore[call-overload]
        holder.stdout.readline()
        waiting = subprocess.Popen(command("runs", "--db", path), env=ENVIRONMENT, stderr=subprocess.PIPE)
        time.sleep(3)
        waiting.send_signal(2)
        _, errors = waiting.communicate(timeout=10)
        holder.stdin.close()
    assert waiting.returncode == 130
    assert b"Traceback" not in errors


def test_a_reader_that_leaves_early_is_no_error(log: Path, tmp_path: Path) -> None:
    """`tracer schema graph | head -1`: silence."""
    line = f"{sys.executable} -m tracer show --full --db {tmp_path}/t.duckdb | true"
    subprocess.run(
        command("ingest", log, "--db", tmp_path / "t.duckdb"), env=ENVIRONMENT, check=True, capture_output=True
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert [row for row in done.stderr.splitlines() if not row.startswith("next:")] == []


def at_a_terminal(arguments: list[str], environment: dict[str, str]) -> bytes:
    """What a command writes to a real terminal."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(arguments, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    assert done.wait() == 0
    return written


@pytest.mark.parametrize("arguments", [["runs"], ["show"], ["show", "--full"], ["show", "@last:0"], ["show", "--json"]])
def test_a_log_has_no_power_over_the_terminal(log: Path, tmp_path: Path, arguments: list[str]) -> None:
    """Styles are all that reaches a terminal, and a pipe gets no escape byte at all."""
    db = str(tmp_path / "t.duckdb")
    subprocess.run(command("ingest", log, "--db", db), env=ENVIRONMENT, check=True, capture_output=True)
    plain = ENVIRONMENT | {"NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
    call = command(*arguments, "--db", db)
    for written in (
        at_a_terminal(call, plain),
        subprocess.run(call, env=ENVIRONMENT, check=True, capture_output=True).stdout,
    ):
        assert set(re.sub(rb"\x1b\[[0-9;]*m", b"", written)) & {0x1B, 0x07, 0x08} == set()
        assert "\u202e".encode() not in written
    assert b"\x1b" not in subprocess.run(call, env=ENVIRONMENT, check=True, capture_output=True).stdout


def test_help_is_quick_and_loads_no_reader() -> None:
    """Nothing of duckdb, arrow or pydantic is imported for the help text."""
    code = "import sys; from tracer.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    heavy = {"duckdb", "pyarrow", "numpy", "networkx", "jinja2", "pydantic", "rich.table"}
    assert heavy & set(done.stderr.split()) == set()


@pytest.mark.parametrize(
    ("text", "address"),
    [("3f2a", Address("3f2a", None)), ("3f2a:0", Address("3f2a", 0)), ("@last:12", Address("@last", 12))],
)
def test_addresses_are_a_run_and_maybe_a_step(text: str, address: Address) -> None:
    """RUN or RUN:STEP."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["3f2a:", "3f2a:x", "3f2a:-1", "3f2a:1:2", "3f2a:²", "3f2a:99999999999"])
def test_a_step_that_is_no_number_is_told(text: str) -> None:
    """Steps count from 0."""
    with pytest.raises(NoSuchRunError, match="counted from 0"):
        parse_address(text)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_published_with_address_and_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And promises no closed set of fields, for fields may be added."""
    assert main(["schema", name]) == 0
    published = json.loads(capsys.readouterr().out)
    assert published == json_schema(name)
    assert published["$id"] == f"urn:blametrace:schema:{name}:{published['version']}"
    assert '"additionalProperties": false' not in json.dumps(published)


def test_the_names_of_the_schemas_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """As lines, or as a JSON list; an unknown name gets the list too."""
    assert main(["schema"]) == 0
    assert capsys.readouterr().out.split() == list(SCHEMAS)
    assert main(["schema", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == list(SCHEMAS)
    assert main(["schema", "blam"]) == 2
    assert "the names are ingest, runs" in capsys.readouterr().err
