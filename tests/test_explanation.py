"""Explanations of stored runs: what is asked for, what is kept, and what is not computed twice."""

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

import tracer
from tracer.analyses.ranker import shipped
from tracer.errors import BadInputError, NoSuchRunError, TracerError
from tracer.explanation import Options, explain, explain_all, graph, last_failed
from tracer.records import Edge, Outcome, Recording, Run, Step, content_hash, run_id
from tracer.store import Store


def recording(name: str, outcome: Outcome, texts: Sequence[str] = ("it is 4711", "so 4711", "krill")) -> Recording:
    """A run of a few messages."""
    digest = content_hash(name)
    run = Run(id=run_id(digest), content_hash=digest, source=f"{name}.json", format="test", outcome=outcome)
    steps = [Step(index=i, agent=f"agent{i}", kind="message", content=text) for i, text in enumerate(texts)]
    return Recording(run, tuple(steps))


def stored(path: Path, *recordings: Recording) -> list[str]:
    """The runs in a database; their addresses."""
    with Store.open(path) as store:
        for each in recordings:
            store.add(each.run.source, each.run.content_hash, "test", [each], (), lambda spans: [])
    return [each.run.id for each in recordings]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Where the database goes."""
    return tmp_path / "t.duckdb"


def test_a_run_is_explained_and_the_explanation_kept(db: Path) -> None:
    """Graph and finding come back from the store as they were returned."""
    [run] = stored(db, recording("one", "failure"))
    found = explain(db, run)
    assert (found.run.id, len(found.steps), found.finding.run) == (run, 3, run)
    assert [(edge.source, edge.target) for edge in found.edges] == [(0, 1)]
    with Store.open(db) as store:
        assert store.edges(run) == list(found.edges)
        assert store.findings(run) == [found.finding]
        assert store.verify() == []


def test_sql_can_ask_for_what_was_found(db: Path) -> None:
    """Each candidate is a row, with its rank and probability."""
    [run] = stored(db, recording("one", "failure"))
    finding = explain(db, run).finding
    with duckdb.connect(str(db), read_only=True) as connection:
        rows = connection.execute("SELECT run, rank, step, probability FROM v_candidates ORDER BY rank").fetchall()
        edges = connection.execute("SELECT source, target, origin FROM v_edges").fetchall()
    assert rows == [(run, each.rank, each.step, each.probability) for each in finding.candidates]
    assert edges == [(0, 1, "reused")]


def test_without_an_address_it_is_the_last_failed_run(db: Path) -> None:
    """Then the last of unknown outcome; a success only when it is named."""
    failed, unknown, fine = stored(
        db, recording("failed", "failure"), recording("unknown", "unknown"), recording("fine", "success")
    )
    assert explain(db).run.id == failed
    with Store.open(db) as store:
        store.mark(failed, "success")
        assert last_failed(store).id == unknown
        store.mark(unknown, "success")
    with pytest.raises(NoSuchRunError, match="no run failed; name one to ask about it anyway"):
        explain(db)
    assert explain(db, fine).finding.verdict == "no_failure"


def test_an_empty_database_says_what_to_do(db: Path) -> None:
    """One line."""
    stored(db)
    with pytest.raises(NoSuchRunError, match=r"^the database holds no runs: run `tracer ingest LOGS` first$"):
        explain(db)


def test_all_runs_are_those_that_may_have_failed(db: Path) -> None:
    """In the order of ingestion; assuming failure, the successes too. Progress names each."""
    failed, unknown, fine = stored(
        db, recording("failed", "failure"), recording("unknown", "unknown"), recording("fine", "success")
    )
    told: list[tuple[str, int, int]] = []
    found = explain_all(db, progress=lambda run, done, total: told.append((run, done, total)))
    assert [each.run.id for each in found] == [failed, unknown]
    assert told == [(failed, 1, 2), (unknown, 2, 2)]
    assumed = explain_all(db, Options(assume="failed"))
    assert [each.run.id for each in assumed] == [failed, unknown, fine]
    assert {each.finding.outcome for each in assumed} == {"failure"}


def test_one_run_and_all_runs_give_the_same_finding(db: Path) -> None:
    """There is one way to explain a run."""
    stored(db, recording("one", "failure"), recording("two", "unknown"))
    assert [explain(db, each.run.id) for each in explain_all(db)] == explain_all(db)


def test_a_kept_graph_is_used_as_it_is(db: Path) -> None:
    """It is computed once; whoever puts a measured edge in sees it in the next explanation."""
    [run] = stored(db, recording("one", "failure"))
    assert [(edge.source, edge.target) for edge in graph(db, run)[2]] == [(0, 1)]
    measured = Edge(source=0, target=2, origin="measured", weight=0.5, reason="an intervention moved it")
    with Store.open(db) as store:
        store.save_edges(run, [measured])
    assert list(graph(db, run)[2]) == [measured]
    assert list(explain(db, run).edges) == [measured]


def test_a_graph_without_edges_is_a_graph_too(db: Path) -> None:
    """Not computed again, nor taken for a missing one."""
    [run] = stored(db, recording("one", "failure", ["a", "b"]))
    assert list(graph(db, run)[2]) == []
    with Store.open(db) as store:
        assert store.edges(run) == []


def test_the_last_finding_of_a_method_replaces_the_one_before(db: Path) -> None:
    """Asking twice leaves one finding for each method."""
    [run] = stored(db, recording("one", "failure"))
    for method in ("ranker", "rule-r", "ranker"):
        explain(db, run, Options(method=method))
    with Store.open(db) as store:
        assert sorted(finding.method for finding in store.findings(run)) == ["ranker", "rule-r"]


def test_a_ranker_of_the_users_takes_the_place_of_the_shipped_one(db: Path, tmp_path: Path) -> None:
    """With a threshold that nothing reaches, nothing is claimed."""
    [run] = stored(db, recording("one", "failure"))
    mine = tmp_path / "mine.json"
    mine.write_text(shipped().model_copy(update={"threshold": 1.0}).model_dump_json(), encoding="utf-8")
    assert explain(db, run, Options(ranker=mine)).finding.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "cannot be read: not UTF-8"),
        (b"{}", "no ranker; make one with `tracer train ranker DIR -o"),
        (b"", "no ranker; make one with `tracer train ranker DIR -o"),
    ],
)
def test_a_file_that_is_no_ranker_is_one_line(db: Path, tmp_path: Path, content: bytes | None, complaint: str) -> None:
    """And no finding is kept."""
    [run] = stored(db, recording("one", "failure"))
    mine = tmp_path / "mine.json"
    if content is not None:
        mine.write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        explain(db, run, Options(ranker=mine))
    assert str(caught.value).startswith(f"{mine}: {complaint}")
    assert "\n" not in str(caught.value)
    with Store.open(db) as store:
        assert store.findings(run) == []


def test_an_unknown_method_keeps_nothing(db: Path) -> None:
    """One line with the names."""
    [run] = stored(db, recording("one", "failure"))
    with pytest.raises(TracerError, match="no method 'magic'"):
        explain(db, run, Options(method="magic"))
    with Store.open(db) as store:
        assert store.findings(run) == []


def test_a_missing_database_is_not_made(db: Path) -> None:
    """Neither by asking for an explanation nor for a graph."""
    for ask in (explain, explain_all, graph):
        with pytest.raises(TracerError, match="run `tracer ingest LOGS` first"):
            ask(db)
    assert not db.exists()


def test_the_library_does_what_the_command_line_does(db: Path, tmp_path: Path) -> None:
    """ingest, blame, dependency_graph, report: one call each, in any order."""
    history = [{"role": "user", "name": name, "content": f"{name} says so"} for name in ("planner", "coder")]
    log = {"question": "why?", "history": history, "mistake_agent": "coder", "mistake_step": "1"}
    (tmp_path / "log.json").write_text(json.dumps(log), encoding="utf-8")
    assert tracer.ingest([tmp_path / "log.json"], db).runs == 1
    found = tracer.blame(db=db, top=1)
    assert len(found.finding.candidates) == 1
    assert found.finding == explain(db, None, Options(top=1)).finding
    assert tracer.dependency_graph(found.run.id, db) == (found.run, found.steps, found.edges)
    written = tracer.report(found, tmp_path / "report.html")
    assert written.read_text(encoding="utf-8").startswith("<!doctype html>")
