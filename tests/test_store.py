"""The store: what goes in comes out, once, whole or not at all."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer.checks import TABLES_OF_RUN
from tracer.database import Database, connect
from tracer.errors import BadInputError, BusyDatabaseError, DatabaseError, NoSuchRunError
from tracer.records import (
    Anchors,
    Candidate,
    Edge,
    Finding,
    Label,
    Pointer,
    Recording,
    Run,
    Span,
    Step,
    TextSpan,
    content_hash,
    run_id,
)
from tracer.store import ForkKey, Store
from tracer.traces import Derive


def recording(content: str, *, agents: Sequence[str] = ("planner", "coder"), source: str = "log.json") -> Recording:
    """A run with one step for each agent."""
    digest = content_hash(content)
    run = Run(id=run_id(digest), content_hash=digest, source=source, format="test", task=content)
    steps = [Step(index=i, agent=name, kind="message", content=f"{content} {i}") for i, name in enumerate(agents)]
    return Recording(run, tuple(steps))


def span(trace: str, span_id: str, start: int, end: int | None = 100, **more: object) -> Span:
    """A span of a trace; `conversation` names the conversation it belongs to."""
    attributes = {"gen_ai.conversation.id": more["conversation"]} if "conversation" in more else {}
    return Span(
        trace_id=trace, span_id=span_id, name=f"do {span_id}", started_ns=start, ended_ns=end, attributes=attributes
    )


def derive(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """One run per conversation, or else per trace, with one step per finished span."""
    groups: dict[str, list[Span]] = {}
    for each in spans:
        groups.setdefault(str(each.attributes.get("gen_ai.conversation.id", each.trace_id)), []).append(each)
    found = []
    for name, members in groups.items():
        digest = content_hash(name)
        run = Run(id=run_id(digest), content_hash=digest, source=f"first of {name}", format="spans")
        done = [each for each in members if each.ended_ns is not None]
        steps = [
            Step(index=i, agent="a", kind="message", content=s.name, span_id=s.span_id) for i, s in enumerate(done)
        ]
        found.append((Recording(run, tuple(steps)), tuple({each.trace_id for each in members})))
    return found


def no_spans(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """For sources that bring whole runs."""
    raise AssertionError(f"{len(spans)} spans where none were added")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in a real file."""
    with Store.open(tmp_path / "t.duckdb") as opened:
        yield opened


def load(store: Store, *recordings: Recording, digest: str = "d1", derive: Derive = no_spans) -> tuple[int, int, int]:
    """Add one file's runs; the counts of what was added."""
    return store.add("log.json", digest, "test", recordings, (), derive)[:3]


def load_spans(store: Store, digest: str, *spans: Span) -> tuple[int, int, int]:
    """Add one file's spans; the counts of what was added."""
    return store.add(f"{digest}.jsonl", digest, "spans", (), spans, derive)[:3]


def test_a_run_comes_back_as_it_went_in(store: Store) -> None:
    """Every field of a run and of its steps survives, nested ones too."""
    at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    digest = content_hash("full")
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source="a.zip#b.json",
        format="test",
        framework="ag2",
        task="how many?",
        outcome="failure",
        outcome_source="label",
        answer="41",
        expected="42",
        group="q1",
        started=at,
        ended=at + timedelta(seconds=1.5),
        labels=(Label(team="x", agent="coder", step=1, stated="1", reason="guessed"),),
        notes=("one line was cut",),
    )
    step = Step(
        index=0,
        agent="coder",
        kind="tool_result",
        role="tool",
        content="41",
        reasoning="six times seven",
        reasoning_state="present",
        reasoning_origin="<think>",
        recipient="planner",
        tool="calc",
        arguments='{"x": 1}',
        call_id="c1",
        tool_status="error",
        tool_rule="exit code 1",
        marks=("stall", "replan"),
        model="m",
        input_tokens=3,
        output_tokens=5,
        started=at,
        ended=at,
        raw_time="12:30",
        parents=(),
        span_id="s1",
        pointer=Pointer(file="a.zip", member="b.json", line=3, path="/history/0"),
    )
    later = Step(index=1, agent="coder", kind="message", parents=(0,))
    assert load(store, Recording(run, (step, later))) == (1, 2, 0)
    assert store.runs() == [run]
    assert store.steps(run.id) == [step, later]


def test_the_steps_of_several_runs_come_in_one_query(store: Store) -> None:
    """As each run's own do; one that is not there has none."""
    runs = [recording("a"), recording("b")]
    load(store, *runs)
    ids = [run.id for run, _ in runs]
    assert store.steps_of([*ids, "nobody"]) == {run: store.steps(run) for run in ids} | {"nobody": []}
    assert store.steps_of([]) == {}


def test_times_come_back_in_utc(store: Store) -> None:
    """14:30 in Berlin's summer is 12:30 UTC; a time without a zone is taken as UTC."""
    berlin = datetime(2026, 7, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    made = recording("times", agents=("a",))
    step = made.steps[0].model_copy(update={"started": berlin, "ended": datetime(2026, 7, 1, 12, 31)})
    load(store, Recording(made.run, (step,)))
    [back] = store.steps(made.run.id)
    assert back.started == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    assert back.ended == datetime(2026, 7, 1, 12, 31, tzinfo=UTC)


def test_loading_the_same_file_again_adds_nothing(store: Store) -> None:
    """The second time the digest is known and nothing is even looked at."""
    one = recording("one")
    assert load(store, one) == (1, 2, 0)
    before = store.database.all("SELECT * FROM sources")
    assert load(store, one) == (0, 0, 0)
    assert store.database.all("SELECT * FROM sources") == before
    assert len(store.runs()) == 1


def test_a_run_that_stands_in_two_files_is_stored_once(store: Store) -> None:
    """The second file adds only what is new, and says that it holds both."""
    one, two = recording("one"), recording("two")
    load(store, one)
    added = store.add("more.json", "d2", "test", [one, two, two], (), no_spans)
    assert added[:3] == (1, 2, 0)
    assert (added.holds.runs, added.holds.steps) == (2, 4)
    assert [run.task for run in store.runs()] == ["one", "two"]
    assert store.verify() == []


def test_two_runs_with_one_address_are_refused_and_nothing_is_added(store: Store) -> None:
    """12 hex digits can collide; then the file is refused as a whole."""
    one = recording("one")
    load(store, one)
    twin = Recording(one.run.model_copy(update={"content_hash": one.run.id + "f" * 52}), one.steps)
    with pytest.raises(DatabaseError, match="another run has the address"):
        load(store, recording("two"), twin, digest="d2")
    assert len(store.runs()) == 1
    assert store.source("d2") is None


def test_a_value_that_no_column_holds_is_told_and_rolled_back(store: Store) -> None:
    """A token count over 64 bits is the log's mistake."""
    made = recording("big", agents=("a",))
    huge = made.steps[0].model_copy(update={"input_tokens": 10**30})
    with pytest.raises(BadInputError, match="cannot be stored"):
        load(store, Recording(made.run, (huge,)))
    assert store.runs() == []
    assert store.is_blank()


HOSTILE = {
    "nul": "a\x00b",
    "lone surrogate": "a\ud800b",
    "right to left": "\u202eabc\u202c",
    "sql": "'; DROP TABLE runs; --",
    "one megabyte": "x" * 1_000_000,
    "empty": "",
    "emoji": "👩‍💻",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_kept_as_it_is(store: Store, name: str) -> None:
    """Any text round-trips; only half a character, which no file can hold, becomes U+FFFD."""
    text = HOSTILE[name]
    digest = content_hash(name)
    run = Run(id=run_id(digest), content_hash=digest, source=text, format="test", task=text, notes=(text,))
    step = Step(index=0, agent=text, kind="message", content=text, pointer=Pointer(file=text))
    load(store, Recording(run, (step,)))
    expected = text.replace("\ud800", "\ufffd")
    [back], [step_back] = store.runs(), store.steps(run.id)
    assert (back.source, back.task, back.notes) == (expected, expected, (expected,))
    assert (step_back.agent, step_back.content) == (expected, expected)
    assert step_back.pointer == Pointer(file=expected)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(), max_size=8),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**63) + 1, 2**63 - 1)
            | st.text(max_size=8)
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_any_attributes_of_a_span_come_back(tmp_path: Path, attributes: dict[str, object]) -> None:
    """Hostile keys and nested values are data; halves of characters in keys become U+FFFD."""
    path = tmp_path / "attributes.duckdb"
    path.unlink(missing_ok=True)
    with Store.open(path) as opened:
        given_span = Span(trace_id="t", span_id="s", ended_ns=1, attributes=attributes)
        opened.add("f", "d", "spans", (), [given_span], derive)
        [run] = opened.runs()
        [back] = opened.spans(run.id)
    halves = any("\ud800" <= character <= "\udfff" for key in attributes for character in key)
    assert halves or back.attributes == attributes


def test_an_address_is_a_full_id_a_unique_prefix_or_the_last(store: Store) -> None:
    """Prefixes need four digits; upper case is accepted."""
    one, two = recording("one"), recording("two")
    load(store, one, two)
    assert store.run(one.run.id) == one.run
    assert store.run(one.run.id[:4].upper()) == one.run
    assert store.run("@last") == two.run


@pytest.mark.parametrize("address", ["", "abc", "ffffffffffff", "';--", "%%%%", "@first", "\ud800abc"])
def test_an_address_that_names_no_run_says_what_to_do(store: Store, address: str) -> None:
    """Whatever was typed, the answer is one line."""
    load(store, recording("one"))
    with pytest.raises(NoSuchRunError) as caught:
        store.run(address)
    assert "\n" not in str(caught.value)


def test_an_ambiguous_prefix_names_the_runs_it_could_mean(store: Store) -> None:
    """Two runs that begin alike need more digits."""
    twins = []
    for last in "ab":
        made = recording(last)
        digest = "00001234567" + last + "0" * 52
        twins.append(Recording(made.run.model_copy(update={"id": digest[:12], "content_hash": digest}), made.steps))
    load(store, *twins)
    with pytest.raises(NoSuchRunError, match="2 runs start with '0000': 00001234567a, 00001234567b"):
        store.run("0000")


def test_the_last_run_of_an_empty_store_asks_to_ingest(store: Store) -> None:
    """There is nothing to show yet."""
    with pytest.raises(NoSuchRunError, match="tracer ingest"):
        store.run("@last")


def test_a_mark_replaces_the_logs_outcome_and_outlives_everything_but_removal(store: Store) -> None:
    """The user has the last word; the expected answer stays when only the outcome is marked again."""
    one = recording("one")
    load(store, one)
    store.mark(one.run.id, "failure", "42")
    store.mark(one.run.id, "success")
    marked = store.run(one.run.id)
    assert (marked.outcome, marked.outcome_source, marked.expected) == ("success", "user", "42")
    assert store.database.all("SELECT outcome, outcome_source, expected FROM v_runs") == [("success", "user", "42")]
    store.remove(one.run.id)
    load(store, one)
    assert store.run(one.run.id).outcome == "unknown"


def test_a_graph_is_none_until_computed_and_may_be_empty(store: Store) -> None:
    """Never computed and computed without an edge are different things."""
    one = recording("one")
    load(store, one)
    assert store.edges(one.run.id) is None
    store.save_edges(one.run.id, [])
    assert store.edges(one.run.id) == []
    span = TextSpan(start=0, end=3, text="one")
    edge = Edge(source=0, target=1, origin="reused", weight=0.5, reason="reuses one", source_spans=(span,))
    store.save_edges(one.run.id, [edge])
    assert store.edges(one.run.id) == [edge]
    assert store.database.all("SELECT source_agent, target_agent FROM v_edges") == [("planner", "coder")]


def test_a_finding_replaces_the_one_of_the_same_method(store: Store) -> None:
    """One finding per run, analysis and method; its candidates are rows of v_candidates."""
    one = recording("one")
    load(store, one)
    finding = Finding(
        run=one.run.id,
        analysis="blame",
        version=1,
        verdict="root_cause",
        method="ranker",
        parameters={"seed": 1},
        candidates=(Candidate(rank=1, step=1, agent="coder", probability=0.25, cues=("first code",)),),
    )
    store.save_finding(finding.model_copy(update={"verdict": "inconclusive"}))
    store.save_finding(finding.model_copy(update={"method": "rule-r", "candidates": ()}))
    store.save_finding(finding)
    assert [each.method for each in store.findings(one.run.id)] == ["ranker", "rule-r"]
    assert store.findings(one.run.id)[0] == finding
    row = (one.run.id, "blame", "ranker", "root_cause", 1, 1, "coder", 0.25, ["first code"])
    assert store.database.all("SELECT * FROM v_candidates") == [row]


def test_removing_a_run_takes_all_of_it_and_loading_brings_it_back(store: Store) -> None:
    """No row stays behind, the other run of the file stays, and the file counts as not loaded."""
    one, two = recording("one"), recording("two")
    load(store, one, two)
    store.save_edges(one.run.id, [Edge(source=0, target=1, origin="declared", weight=1, reason="reply")])
    store.mark(one.run.id, "failure")
    store.remove(one.run.id)
    assert [run.task for run in store.runs()] == ["two"]
    for table in (*TABLES_OF_RUN, "marks"):
        assert store.database.all(f"SELECT count(*) FROM {table} WHERE run = '{one.run.id}'") == [(0,)]
    assert store.verify() == []
    assert load(store, one, two) == (1, 2, 0)


def test_spans_of_one_trace_join_across_files(store: Store) -> None:
    """The second file grows the run of the first and starts none of its own."""
    assert load_spans(store, "a", span("t1", "s1", 1)) == (1, 1, 1)
    added = store.add("b.jsonl", "b", "spans", (), [span("t1", "s2", 2), span("t1", "s1", 1)], derive)
    assert added[:3] == (0, 1, 1)
    assert added.holds.part_of == "first of t1"
    assert (added.holds.runs, added.holds.steps) == (1, 2)
    [run] = store.runs()
    assert [step.content for step in store.steps(run.id)] == ["do s1", "do s2"]
    assert store.verify() == []


def test_the_order_of_span_files_does_not_matter(tmp_path: Path) -> None:
    """Steps follow the spans' start, whichever file came first."""
    files = {
        "a": [span("t1", "s2", 2)],
        "b": [span("t1", "s1", 1), span("t1", "s3", 3)],
        "c": [span("t1", "s0", 1, 50)],
    }
    contents = []
    for order in ("abc", "cba", "bca"):
        with Store.open(tmp_path / f"{order}.duckdb") as opened:
            for name in order:
                load_spans(opened, name, *files[name])
            [run] = opened.runs()
            contents.append([step.content for step in opened.steps(run.id)])
    assert contents == [["do s0", "do s1", "do s2", "do s3"]] * 3


def test_a_finished_span_wins_over_an_unfinished_one_in_either_order(tmp_path: Path) -> None:
    """A live export may send a span before it ends; the end must not be lost again."""
    for number, files in enumerate(([None, 100], [100, None])):
        with Store.open(tmp_path / f"{number}.duckdb") as opened:
            for name, end in zip("ab", files, strict=True):
                load_spans(opened, name, span("t1", "s1", 1, end))
            [run] = opened.runs()
            assert [each.ended_ns for each in opened.spans(run.id)] == [100]


def test_a_conversation_joins_traces_into_one_run_and_keeps_the_mark(store: Store) -> None:
    """Trace t2 names the conversation of t1 only in a later file: two runs become one, and the mark moves along."""
    load_spans(store, "a", span("t1", "s1", 1, conversation="talk"))
    load_spans(store, "b", span("t2", "s2", 2))
    assert len(store.runs()) == 2
    store.mark(run_id(content_hash("t2")), "failure", "42")
    late = span("t2", "s2", 2).model_copy(update={"attributes": {"gen_ai.conversation.id": "talk"}})
    assert load_spans(store, "c", late) == (0, 0, 0)
    [run] = store.runs()
    assert run.outcome == "failure"
    assert run.expected == "42"
    assert len(store.steps(run.id)) == 2
    assert store.verify() == []


def test_a_rebuilt_run_keeps_its_mark_and_drops_its_stale_findings(store: Store) -> None:
    """What was found out about the shorter run does not hold for the longer one."""
    load_spans(store, "a", span("t1", "s1", 1))
    [run] = store.runs()
    store.mark(run.id, "failure")
    store.save_edges(run.id, [])
    load_spans(store, "b", span("t1", "s2", 2))
    assert store.run(run.id).outcome == "failure"
    assert store.edges(run.id) is None


def test_spans_that_make_no_step_are_kept_and_make_no_run(store: Store) -> None:
    """A lone unfinished span waits for its end."""
    assert load_spans(store, "a", span("t1", "s1", 1, None)) == (0, 0, 1)
    assert store.runs() == []
    assert load_spans(store, "b", span("t1", "s1", 1, 9)) == (1, 1, 0)


def test_removing_a_run_of_spans_removes_its_spans_and_forgets_all_its_files(store: Store) -> None:
    """Loading either file again brings its part back."""
    load_spans(store, "a", span("t1", "s1", 1))
    load_spans(store, "b", span("t1", "s2", 2), span("t9", "s9", 9))
    store.remove(run_id(content_hash("t1")))
    assert store.database.all("SELECT trace_id FROM spans") == [("t9",)]
    assert store.verify() == []
    assert load_spans(store, "b", span("t1", "s2", 2), span("t9", "s9", 9)) == (1, 1, 1)


def test_a_failure_while_deriving_leaves_the_store_as_it_was(store: Store) -> None:
    """One file, one transaction."""
    load_spans(store, "a", span("t1", "s1", 1))

    def refuse(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
        raise BadInputError(f"{len(spans)} spans make no sense")

    with pytest.raises(BadInputError, match="2 spans"):
        store.add("b.jsonl", "b", "spans", (), [span("t1", "s2", 2)], refuse)
    assert len(store.spans(store.run("@last").id)) == 1
    assert store.source("b") is None


def test_runs_are_listed_with_their_length_and_their_cast(store: Store) -> None:
    """Agents stand in order of appearance, each once."""
    load(store, recording("one", agents=("z", "a", "z", "b")))
    [summary] = store.summaries()
    assert (summary.steps, summary.agents) == (4, ("z", "a", "b"))
    assert store.database.all("SELECT steps, agents FROM v_runs") == [(4, ["z", "a", "b"])]


def test_every_answer_about_a_chain_is_found_by_its_content(store: Store) -> None:
    """Of all methods, models and parameters, in one order; none of another chain; the same question has one answer."""
    asked = [("c", "surprisal", "m"), ("c", "resample", "z"), ("c", "resample", "m"), ("other", "resample", "m")]
    for content, method, model in [*asked, asked[0]]:
        store.save_anchors(
            Anchors(content=content, target="x", method=method, score="words", model=model, revision="1")
        )
    found = [(each.method, each.model) for each in store.all_anchors("c")]
    assert found == [("resample", "m"), ("resample", "z"), ("surprisal", "m")]
    assert store.all_anchors("unknown") == []


BREAK = {
    "DELETE FROM steps WHERE index = 0": "its steps are not numbered 0 to 0",
    "DELETE FROM steps": "has no steps",
    "UPDATE runs SET id = 'ffffffffffff'": "does not match its content hash",
    "INSERT INTO runs SELECT * FROM runs": "is there 2 times",
    "INSERT INTO graphs VALUES ('nobody', 0)": "graphs: 1 rows of run nobody",
    "INSERT INTO edges SELECT id, 0, 7, 'reused', 1, '', '[]', '[]' FROM runs": "an edge joins steps 0 and 7",
    "ALTER TABLE runs ADD COLUMN extra VARCHAR": "schema: runs.extra is VARCHAR, not known",
    "DROP VIEW v_steps": "schema: v_steps.agent is missing",
}


@pytest.mark.parametrize("damage", BREAK)
def test_verify_names_every_broken_promise(store: Store, damage: str) -> None:
    """A sound store has no problems; each kind of damage is told in words."""
    load(store, recording("one"))
    assert store.verify() == []
    store.database.all(damage)
    assert any(BREAK[damage] in problem for problem in store.verify())


def test_an_export_writes_every_table_and_replaces_only_itself(store: Store, tmp_path: Path) -> None:
    """The Parquet files hold the rows; a foreign file in their way stays."""
    load(store, recording("one"))
    files = store.export_parquet(tmp_path / "out")
    assert {file.stem for file in files} >= {"runs", "steps", "edges", "findings", "spans", "sources", "marks"}
    assert pq.read_table(tmp_path / "out" / "steps.parquet").column("agent").to_pylist() == ["planner", "coder"]
    assert store.export_parquet(tmp_path / "out") == files
    (tmp_path / "out" / "steps.parquet").write_text("mine")
    with pytest.raises(BadInputError, match="is no export of tracer"):
        store.export_parquet(tmp_path / "out")
    assert (tmp_path / "out" / "steps.parquet").read_text() == "mine"


def test_sql_reaches_nothing_outside_the_file(store: Store, tmp_path: Path) -> None:
    """Other files are out of reach, and no setting brings them back."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for statement in (
        f"FROM '{tmp_path}/secret.csv'",
        f"COPY runs TO '{tmp_path}/out.csv'",
        "INSTALL fts",
        "SET threads = 1",
    ):
        with pytest.raises(duckdb.Error):
            store.database.connection.execute(statement)


def test_every_statement_is_told_to_whoever_listens(tmp_path: Path) -> None:
    """`on_statement` sees the SQL, so nobody has to patch anything."""
    heard: list[str] = []
    with Store.open(tmp_path / "t.duckdb", on_statement=heard.append) as opened:
        load(opened, recording("one"))
    assert any(statement.startswith("INSERT INTO steps") for statement in heard)
    assert len(heard) < 15


def test_a_missing_database_is_not_made_by_reading(tmp_path: Path) -> None:
    """The message says how to get one."""
    with pytest.raises(DatabaseError, match="run `tracer ingest LOGS` first"):
        Store.open(tmp_path / "none.duckdb", read_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"hello " * 4000, b"SQLite format 3\x00" + bytes(8192), b"{}", b""])
@pytest.mark.parametrize("name", ["notes.txt", "run.json", "runs.csv"])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, name: str, read_only: bool
) -> None:
    """One line, and not a byte is changed; nor is anything kept in memory, as DuckDB would for names of data files."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=f"{name} is not a tracer database: choose another file with --db$"):
        Store.open(path, read_only=read_only)
    assert path.read_bytes() == content


def test_a_truncated_database_is_refused_in_one_line(tmp_path: Path) -> None:
    """Half a file was copied."""
    path = tmp_path / "t.duckdb"
    with Store.open(path) as opened:
        load(opened, recording("one"))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DatabaseError) as caught, Store.open(path) as opened:
        opened.runs()
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_missing_folder_is_named(tmp_path: Path) -> None:
    """Two ways to get --db wrong."""
    with pytest.raises(DatabaseError, match="is a folder"):
        Store.open(tmp_path)
    with pytest.raises(DatabaseError, match="does not exist: create it"):
        Store.open(tmp_path / "no" / "t.duckdb")


def test_a_busy_database_names_its_holder(tmp_path: Path) -> None:
    """Another process writes; after the wait we say which."""
    path = tmp_path / "t.duckdb"
    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyDatabaseError, match=rf"is held by process {holder.pid} \(python"):
            Store.open(path, wait=0.2)
        holder.stdin.close()
        with Store.open(path, wait=10) as opened:
            assert opened.runs() == []


def test_a_process_that_is_killed_loses_only_the_file_it_was_adding(tmp_path: Path) -> None:
    """What was told to be added is there after kill -9, and the store is sound."""
    path = tmp_path / "t.duckdb"
    code = f"""
import itertools, pathlib
from tracer.records import *
from tracer.store import ForkKey, Store
store = Store.open(pathlib.Path({str(path)!r}))
for number in itertools.count():
    digest = content_hash(number)
    run = Run(id=run_id(digest), content_hash=digest, source=str(number), format="test")
    steps = tuple(Step(index=i, agent="a", kind="message", content="x" * 1000) for i in range(50))
    store.add(str(number), str(number), "test", [Recording(run, steps)], (), lambda spans: [])
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        acknowledged = [next(writer.stdout) for _ in range(20)]
        writer.kill()
        acknowledged += list(writer.stdout)
    with Store.open(path) as opened:
        sources = {run.source for run in opened.runs()}
        assert {line.strip() for line in acknowledged} <= sources
        assert opened.verify() == []


def test_a_source_that_heads_its_runs_takes_over_what_came_before(store: Store) -> None:
    """The run is told to be of the head; a second head of the same run takes nothing from the first."""

    def headed(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
        return [
            (Recording(made.run.model_copy(update={"source": "b.jsonl"}), made.steps), ids)
            for made, ids in derive(spans)
        ]

    load_spans(store, "a", span("t1", "s2", 2))
    added = store.add("b.jsonl", "b", "spans", (), [span("t1", "s1", 1)], headed, heads=True)
    assert (added.joined, added.holds.part_of) == (("a.jsonl",), None)
    parts = dict(store.database.all("SELECT source, part_of FROM sources"))
    assert parts == {"a.jsonl": "b.jsonl", "b.jsonl": None}
    again = store.add("c.jsonl", "c", "spans", (), [span("t1", "s3", 3)], headed, heads=True)
    assert (again.joined, again.holds.part_of) == ((), "b.jsonl")
    assert store.verify() == []


def fork(of: Recording, seed: int) -> tuple[ForkKey, Recording]:
    """A fork of a run: its first step, and a new second one."""
    run, steps = of
    new = steps[1].model_copy(update={"content": f"seed {seed}"})
    digest = content_hash([run.id, seed])
    child = run.model_copy(
        update={"id": run_id(digest), "content_hash": digest, "parent": run.id, "forked_at": 1, "labels": ()}
    )
    return ForkKey(f"key {seed}", "mine", seed, "a model"), Recording(child, (steps[0], new))


def test_a_fork_is_a_run_that_is_listed_nowhere_but_with_its_parent(store: Store) -> None:
    """It answers to its address and to its key, and stands in v_forks; @last and the lists never mean it."""
    of = recording("one")
    load(store, of)
    store.add_forks([fork(of, 0), fork(of, 1)])
    first = fork(of, 0)[1].run.id
    assert [run.id for run in store.runs()] == [of.run.id]
    assert [each.run.id for each in store.summaries()] == [of.run.id]
    assert store.run("@last").id == of.run.id
    assert store.run(first).parent == of.run.id
    assert [run.forked_at for run in store.forks(of.run.id)] == [1, 1]
    assert {key: run.id for key, run in store.held_forks(["key 0", "key 9"]).items()} == {"key 0": first}
    told = store.database.all("SELECT run, parent, forked_at, replayer, seed, stand_in FROM v_forks ORDER BY seed")
    assert told[0] == (first, of.run.id, 1, "mine", 0, "a model")
    assert store.verify() == []


def test_a_fork_that_is_kept_already_stays_as_it_is(store: Store) -> None:
    """Two processes may live the same one; the first counts, and a broken promise is told."""
    of = recording("one")
    load(store, of)
    key, lived = fork(of, 0)
    store.add_forks([(key, lived)])
    store.add_forks([(key, fork(of, 7)[1])])
    assert [run.id for run in store.forks(of.run.id)] == [lived.run.id]
    store.database.all("INSERT INTO forks SELECT * FROM forks")
    assert store.verify() == [f"fork {lived.run.id} is there 2 times"]


def test_a_full_disk_is_told_in_one_line_and_leaves_no_half_database(tmp_path: Path) -> None:
    """Files may grow to 600,000 bytes: enough for a blank database, too little for the run."""
    (tmp_path / "a.json").write_text(f'[{{"role": "user", "content": "{"why " * 500_000}"}}]')
    code = """
import resource, sys
from tracer.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
sys.exit(main(["ingest", "a.json"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    [line] = done.stderr.splitlines()
    assert line.startswith("error: the database cannot be read or written: ")
    assert done.returncode == DatabaseError.exit_code
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_ctrl_c_is_ctrl_c_wherever_it_falls(tmp_path: Path) -> None:
    """DuckDB passes it on under other names: while it registers rows, while it commits, after it gave up."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    raised = []
    try:
        for number in range(12):
            database = Database(connect(tmp_path / f"{number}.duckdb"), None)
            database.all("CREATE TABLE words (word VARCHAR)")
            raised.append(what_ends(database, 0.02 + 0.0017 * number))
            database.connection.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised == [KeyboardInterrupt] * 12


def what_ends(database: Database, seconds: float) -> type[BaseException]:
    """Write until the alarm after so many seconds, and tell under which name it comes."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            with database.transaction():
                database.insert("words", [{"word": "x" * 50}] * 50)
    except BaseException as error:  # noqa: BLE001 - which one it is, is the question
        return type(error)
