"""What programs and people may rely on, asked of the real command line on real files: the promises, line by line."""

import gzip
import hashlib
import json
import random
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.main import get_command

from tracer.analyses.blame import METHODS
from tracer.cli import app
from tracer.schemas import SCHEMAS, json_schema

Call = Callable[..., Any]
Entry = dict[str, Any]
LABEL = {"mistake_agent": "coder", "mistake_step": "1", "mistake_reason": ""}
TEAM: list[Entry] = [
    {"role": "user", "name": "planner", "content": "Plan: read the table of whales, then add the column."},
    {"role": "user", "name": "coder", "content": "Assume sample data.\n```python\nprint(4711)\n```"},
    {"role": "user", "name": "terminal", "content": "exitcode: 0 (execution succeeded)\nCode output: 4711"},
    {"role": "user", "name": "writer", "content": "There are 4711 whales."},
]


def labelled(history: list[Entry], **more: Any) -> Entry:
    """A failed run with a human's label."""
    return {"question": "How many whales?", "history": history, **LABEL, **more}


def written(path: Path, value: Any) -> Path:
    """A JSON file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def digest(path: Path) -> str | None:
    """The SHA-256 of a file; None when it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


BAD: dict[str, bytes] = {
    "truncated": json.dumps(labelled(TEAM)).encode()[:-40],
    "empty": b"",
    "blank": b" \n\t\n",
    "a run without steps": json.dumps(labelled([])).encode(),
    "invalid UTF-8": json.dumps(labelled(TEAM)).encode().replace(b"whales", b"\xff\xfe\xfa", 1),
    "nested 10,000 deep": b'{"history": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "a table": b"name,count\nwhale,3\n",
    "another program's JSON": b'{"name": "left-pad", "version": "1.0.0", "dependencies": {}}',
    "a truncated gzip": gzip.compress(json.dumps(labelled(TEAM)).encode())[:-12],
    "a truncated zip": b"PK\x03\x04" + bytes(40),
    "truncated Parquet": b"PAR1" + bytes(40),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_leaves_the_database_as_it_was(call: Call, tmp_path: Path, name: str) -> None:
    """Exit 3; byte for byte the same where there was a database, and none where there was none."""
    bad, db = tmp_path / "bad.json", tmp_path / "t.duckdb"
    bad.write_bytes(BAD[name])
    for good in ("one.json", None):
        before = digest(db)
        done = call("ingest", bad, "--db", db)
        assert (done.code, done.out) == (3, "")
        assert re.fullmatch(r"error: .*bad\.json: \S.*\n", done.err)
        assert digest(db) == before
        if good:
            assert before is None
            assert call("ingest", written(tmp_path / good, labelled(TEAM)), "--db", db).code == 0
    assert list(tmp_path.glob("t.duckdb?*")) == []


def test_bad_files_among_good_ones_add_nothing_and_stop_nothing(call: Call, tmp_path: Path) -> None:
    """In a folder, and as members of an archive: each is named once with one line, and exit is 0."""
    for name, content in BAD.items():
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / name).write_bytes(content)
    written(tmp_path / "logs" / "good.json", labelled(TEAM))
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as file:
        for path in (tmp_path / "logs").iterdir():
            file.write(path, path.name)
    for source in ("logs", "logs.zip"):
        done = call("ingest", tmp_path / source, "--db", tmp_path / f"{source}.duckdb", "--json")
        assert done.code == 0
        assert [done.json[total] for total in ("runs", "steps", "spans")] == [1, 4, 0]
        assert {re.split("[/#]", each["source"])[-1] for each in done.json["skipped"]} == BAD.keys()
        assert not any("\n" in each["reason"] for each in done.json["skipped"])


def test_loading_again_adds_nothing_whatever_the_file_is_called(call: Call, tmp_path: Path) -> None:
    """By itself, packed, in a folder of folders, under a name of spaces and letters from elsewhere."""
    value, db = labelled(TEAM), tmp_path / "dépôt de données.duckdb"
    first = written(tmp_path / "a b" / "журнал 1.json", value)
    (tmp_path / "a b" / "c.json.gz").write_bytes(gzip.compress(first.read_bytes()))
    with zipfile.ZipFile(tmp_path / "a b" / "d.zip", "w") as file:
        file.writestr("e/f.json", first.read_bytes())
    written(tmp_path / "a b" / "é" / "copy.json", value)
    once = call("ingest", tmp_path / "a b", "--db", db, "--json").json
    assert [once[total] for total in ("runs", "steps", "spans")] == [1, 4, 0]
    again = call("ingest", tmp_path / "a b", first, "--db", db, "--json").json
    assert [again[total] for total in ("runs", "steps", "spans")] == [0, 0, 0]
    assert [each["new"] for each in once["sources"]] == [1, 0, 0, 0]
    assert [each["new"] for each in again["sources"]] == [0, 0, 0, 0]
    assert call("db", "verify", "--db", db).code == 0


TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def faults(value: Any, schema: Any, root: Any, where: str = "$") -> Iterator[str]:
    """Where a value breaks a JSON schema, as far as our schemas use the language; `root` holds the definitions."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if all(list(faults(value, each, root)) for each in schema["anyOf"]):
            yield f"{where} fits none of its forms"
    elif "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        yield f"{where} is no {schema['type']}"
    else:
        yield from own_faults(value, schema, where)
        for place, item, inner in parts(value, schema):
            yield from faults(item, inner, root, f"{where}{place}")


def own_faults(value: Any, schema: Any, where: str) -> Iterator[str]:
    """What is wrong with a value of the right type, its parts apart."""
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is none of {schema['enum']}"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where} is out of bounds"
    if isinstance(value, dict):
        yield from (f"{where} lacks {key}" for key in schema.get("required", ()) if key not in value)


def parts(value: Any, schema: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each member or item of a value, with its place and its own schema."""
    if isinstance(value, dict):
        others = schema.get("additionalProperties", {})
        for key, item in value.items():
            yield f".{key}", item, schema.get("properties", {}).get(key, others if isinstance(others, dict) else {})
    if isinstance(value, list):
        heads = schema.get("prefixItems", ())
        for place, item in enumerate(value):
            yield f"[{place}]", item, heads[place] if place < len(heads) else schema.get("items", {})


def test_the_check_of_schemas_finds_faults() -> None:
    """A check that accepts everything would prove nothing."""
    schema = json_schema("runs")
    good = {"run": "a", "source": "b", "format": "c", "framework": None, "outcome": "failure", "steps": 1}
    row = good | {"agents": ["d"], "task": ""}
    assert list(faults([row], schema, schema)) == []
    assert list(faults([good], schema, schema)) == ["$[0] lacks agents", "$[0] lacks task"]
    assert list(faults([row | {"outcome": "?", "steps": "1"}], schema, schema)) != []
    assert list(faults([row | {"framework": 3}], schema, schema)) == ["$[0].framework fits none of its forms"]


def many(folder: Path) -> Path:
    """24 labelled runs, the half of them right after all, each of its own question."""
    for i in range(48):
        value = labelled(TEAM, question=f"How many in {i}?", question_ID=str(i), is_correct=i % 2 == 0)
        written(folder / f"{i}.json", value)
    return folder


PUBLISHED: dict[str, list[str]] = {
    "ingest": ["ingest RUNS", "ingest RUNS README"],
    "runs": ["runs", "runs --failed"],
    "show": ["show", "show @last:2"],
    "mark": ["mark @last --failed --expected 42"],
    "blame": [
        "blame",
        "blame --assume ok",
        "blame --assume failed --top 99",
        *(f"blame --method {m}" for m in METHODS),
    ],
    "graph": ["graph"],
    "gate": ["gate RUNS --above 1", "gate RUNS --above 1 --write-baseline OUT/b.json --assume ok"],
    "patterns": ["patterns", "patterns --by dstar"],
    "db-verify": ["db verify"],
    "db-export": ["db export --parquet OUT/parquet"],
    "db-path": ["db path"],
    "bench-alarms": ["bench alarms RUNS"],
    "bench-falls": ["bench falls --n 2"],
    "bench-sources": ["bench sources RUNS RUNS"],
    "bench-whowhen": ["bench whowhen RUNS", "bench whowhen RUNS --protocol cv"],
    "train-ranker": ["train ranker RUNS -o OUT/r.json"],
    "train-failure": ["train failure RUNS -o OUT/f.json"],
    "report": ["report @last --html OUT/run.html", "report --all -o OUT/all.html"],
    "demo": ["demo --folder OUT/demo"],
    "replay": ["replay @last --at 1 --resample 3 --with accepted_team:replay"],
    "synth": ["synth --n 1 --with accepted_team:replay -o OUT/synth"],
    "cite": ["cite @last:2 --method reuse", "cite @last:2 --method reuse --by sentence"],
    "runs-rm": ["runs rm @last"],
}
"""The calls whose JSON each schema describes; RUNS, README and OUT stand for paths."""
A_TEAM = "def replay(prefix_steps, edited_step):\n    return edited_step is None\n"
"""A system that any fault breaks."""
WITHOUT_DATABASE = ("bench", "train", "demo", "gate")


NEED_A_MODEL = {
    "anchors",
    "anchors-compare",
    "bench-anchors",
    "bench-cite",
    "bench-pocket",
    "bench-resampling",
    "bench-world",
    "bench-world-labels",
    "bench-world-runs",
    "train-white-box",
}
"""Asked for where their models are made: test_anchors, test_bench_citing, test_bench_pocket, test_bench_world,
test_cli_train, test_cli_world and test_resampling."""
NEED_A_SERVER = {"lm-check", "train-fusion"}
"""Of a model, or what a benchmark of one printed: test_train_fusion holds its form."""
NEED_A_PROBLEM = {"bench-paper"}
"""Of the thought-anchors data: test_paper makes one."""
RUN_ON = {"collect", "watch"}
"""They tell what happens until they are stopped: each line is held to its schema in test_receiver and test_watching."""


def test_every_published_schema_is_asked_for() -> None:
    """A new form cannot be forgotten here."""
    assert PUBLISHED.keys() | NEED_A_MODEL | NEED_A_SERVER | NEED_A_PROBLEM | RUN_ON == SCHEMAS.keys()


def test_every_command_that_prints_json_has_a_published_schema() -> None:
    """`--json` promises that `tracer schema` gives its form; `schema` itself prints names and schemas."""
    assert set(printing_json(get_command(app))) - {"schema"} == SCHEMAS.keys() - {"anchors-compare"}


def printing_json(command: Any, name: str = "") -> Iterator[str]:
    """The commands with --json, as their schemas are named."""
    if any("--json" in parameter.opts for parameter in command.params):
        yield name
    for word, each in getattr(command, "commands", {}).items():
        yield from printing_json(each, f"{name}-{word}" if name else word)


@pytest.mark.parametrize("name", PUBLISHED)
def test_json_fits_its_published_schema_and_every_rate_is_a_fraction(call: Call, tmp_path: Path, name: str) -> None:
    """Nothing but one JSON value on standard output; where it names its schema, it is the published one."""
    paths = {"RUNS": str(many(tmp_path / "runs")), "README": str(tmp_path / "README"), "OUT": str(tmp_path)}
    (tmp_path / "README").write_text("no log")
    (tmp_path / "accepted_team.py").write_text(A_TEAM)
    call("ingest", tmp_path / "runs", "--db", tmp_path / "t.duckdb")
    schema = call("schema", name).json
    for line in PUBLISHED[name]:
        arguments = [re.sub("RUNS|README|OUT", lambda found: paths[found[0]], word) for word in line.split()]
        database = () if arguments[0] in WITHOUT_DATABASE else ("--db", tmp_path / "t.duckdb")
        done = call(*arguments, "--json", *database)
        assert done.code == 0, done.err
        assert list(faults(done.json, schema, schema)) == []
        if isinstance(done.json, dict) and "schema" in done.json:
            assert done.json["schema"] == schema["$id"]
        assert [place for place, rate in rates(done.json) if not 0 <= rate <= 1] == []


RATES = frozenset({"probability", "p_failed", "weight", "impact", "agent", "step", "joint", "top3", "top5", "coverage"})


def rates(value: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Every figure that is a share or a probability, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            is_rate = key in RATES and isinstance(item, float)
            yield from [(f"{where}.{key}", item)] if is_rate else rates(item, f"{where}.{key}")
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from rates(item, f"{where}[{place}]")


def test_blame_of_all_is_one_object_a_line(call: Call, tmp_path: Path) -> None:
    """Of every run that is not known to have succeeded, each fitting the schema."""
    many(tmp_path / "runs")
    call("ingest", tmp_path / "runs", "--db", tmp_path / "t.duckdb")
    done = call("blame", "--all", "--json", "--db", tmp_path / "t.duckdb")
    lines = [json.loads(line) for line in done.out.splitlines()]
    schema = json_schema("blame")
    assert len({line["run"] for line in lines}) == 24
    assert [fault for line in lines for fault in faults(line, schema, schema)] == []


ODD_RUNS: dict[str, list[Entry]] = {
    "one step": TEAM[1:2],
    "only the user speaks": [{"role": "user", "content": text} for text in ("Hello?", "Is someone there?", "Hello?")],
    "only results": [{"role": "user", "name": "terminal", "content": f"exitcode: {i} (execution)"} for i in range(3)],
    "agents without names": [{"role": "", "name": "", "content": text} for text in ("one", "two 4711", "three 4711")],
    "nothing is said": [{"role": "assistant", "name": name, "content": ""} for name in ("a", "b")],
    "no content at all": [{"role": "assistant", "name": "a", "content": None}, {}],
    "only the end": [{"role": "assistant", "name": "a", "content": "TERMINATE"}],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ODD_RUNS)
def test_every_method_explains_odd_runs(call: Call, tmp_path: Path, name: str, method: str) -> None:
    """At least one candidate, all of them steps of the run, as text, JSON and HTML."""
    db, page = tmp_path / "t.duckdb", tmp_path / "report.html"
    assert call("ingest", written(tmp_path / "odd.json", labelled(ODD_RUNS[name])), "--db", db).code == 0
    done = call("blame", "--method", method, "--json", "--html", page, "--db", db)
    assert done.code == 0
    assert 1 <= len(done.json["candidates"]) <= len(ODD_RUNS[name])
    assert {each["step"] for each in done.json["candidates"]} <= set(range(len(ODD_RUNS[name])))
    assert call("blame", "--method", method, "--db", db).code == 0
    assert call("graph", "--db", db).code == 0
    assert "</html>" in page.read_text(encoding="utf-8")


def test_out_of_domain_stands_beside_every_percentage(call: Call, tmp_path: Path) -> None:
    """In the report of one run, in the table of all, and on the page; a bare figure would claim too much."""
    db, page = tmp_path / "t.duckdb", tmp_path / "report.html"
    call("ingest", written(tmp_path / "chat.json", labelled(TEAM[:3])), "--db", db)
    assert call("blame", "--json", "--db", db).json["probability_basis"] == "out-of-domain"
    printed = call("blame", "--html", page, "--db", db).out
    shown = re.sub(r"<style.*?</style>|<script.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for text in (printed, call("blame", "--all", "--db", db).out, shown):
        assert re.findall(r"\d %", text)
        assert re.findall(r"\d %(?! \(out of domain\))", text) == []


def test_a_run_of_five_thousand_steps_is_explained_in_seconds(call: Call, tmp_path: Path) -> None:
    """Nothing looks at every pair of steps. The bound is generous: such machines are busy."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(4_000)]
    names = ("planner", "coder", "terminal")
    history = [
        {"role": "user", "name": names[i % 3], "content": " ".join(draw.choices(words, k=40)) + f" {draw.random()}"}
        for i in range(5_000)
    ]
    db = tmp_path / "t.duckdb"
    assert call("ingest", written(tmp_path / "long.json", labelled(history)), "--db", db).code == 0
    began = time.process_time()
    assert call("blame", "--json", "--db", db).code == 0
    assert time.process_time() - began < 20


def test_a_probability_is_not_shown_for_methods_that_only_rank(call: Call, tmp_path: Path) -> None:
    """Neither a figure nor a basis."""
    db = tmp_path / "t.duckdb"
    call("ingest", written(tmp_path / "a.json", labelled(TEAM)), "--db", db)
    for method in METHODS.keys() - {"ranker"}:
        done = call("blame", "--method", method, "--json", "--db", db).json
        assert done["probability_basis"] is None
        assert {each["probability"] for each in done["candidates"]} == {None}
        assert "rank only" in call("blame", "--method", method, "--db", db).out


def command(*arguments: object) -> list[str]:
    """The real command, in a process of its own."""
    return [sys.executable, "-m", "tracer", *map(str, arguments)]


def test_two_processes_may_load_at_once(tmp_path: Path) -> None:
    """One waits for the other; both are in the database afterwards."""
    db = tmp_path / "t.duckdb"
    logs = [written(tmp_path / f"{i}.json", labelled(TEAM, question=str(i))) for i in range(2)]
    both = [subprocess.Popen(command("ingest", log, "--db", db), stdout=subprocess.PIPE) for log in logs]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    runs = subprocess.run(command("runs", "--json", "--db", db), capture_output=True, check=True)
    assert len(json.loads(runs.stdout)) == 2


def test_a_process_that_loads_nothing_takes_nothing_from_one_that_does(tmp_path: Path) -> None:
    """Both find no database; the one with no log to read must not remove what the other has made."""
    db, junk = tmp_path / "t.duckdb", tmp_path / "junk"
    junk.write_text("no log")
    logs = [written(tmp_path / f"{i}.json", labelled(TEAM, question=str(i))) for i in range(2)]
    calls = [("ingest", logs[0]), ("ingest", junk), ("ingest", logs[1])]
    running = [subprocess.Popen(command(*call, "--db", db), stderr=subprocess.DEVNULL) for call in calls]
    assert [process.wait(60) for process in running] == [0, 3, 0]
    with duckdb.connect(str(db), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.json", "1.json", "junk", "t.duckdb"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_output_is_one_line(tmp_path: Path) -> None:
    """No traceback, and not 0."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command("schema", "blame"), stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"error: no space left where the output goes\n")


def test_a_closed_output_is_no_crash(tmp_path: Path) -> None:
    """And the database does not get the number of the closed file."""
    log, db = written(tmp_path / "a.json", labelled(TEAM)), tmp_path / "t.duckdb"
    line = f"{sys.executable} -m tracer ingest {log} --db {db} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    assert subprocess.run(command("db", "verify", "--db", db), capture_output=True, check=True).stdout.endswith(
        b"sound\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--folder", "FILE"], "error: cannot make the folder FILE (File exists): name one in a folder"),
        (["demo", "--folder", "FILE/x"], "error: cannot make the folder FILE/x (Not a directory): name one"),
        (["db", "export", "--parquet", "FILE", "--db", "DB"], "error: cannot make the folder FILE (File exists)"),
        (["blame", "@last:1", "--db", "DB"], "error: '@last:1' names a step: give the run alone, @last"),
        (["mark", "--csv", "FILE", "--expected", "4", "--db", "DB"], "error: name RUNs with either --failed or --ok"),
        (["ingest", "FOLDER"], "error: nothing was loaded: there is no file; hidden ones are read only when named"),
        (["ingest", "x" * 300], f"error: {'x' * 300}: cannot be read: File name too long"),
    ],
)
def test_mistakes_are_told_in_one_line(call: Call, tmp_path: Path, arguments: list[str], message: str) -> None:
    """With what to do, and never a traceback."""
    paths = {
        "FILE": str(written(tmp_path / "file", {})),
        "DB": str(tmp_path / "t.duckdb"),
        "FOLDER": str(tmp_path / "f"),
    }
    (tmp_path / "f").mkdir()
    call("ingest", written(tmp_path / "log.json", labelled(TEAM)), "--db", tmp_path / "t.duckdb")
    told = [re.sub("FILE|DB|FOLDER", lambda found: paths[found[0]], text) for text in (*arguments, message)]
    done = call(*told[:-1])
    assert done.code in {2, 3}
    assert done.err.startswith(told[-1])
    assert done.err.count("\n") == 1
