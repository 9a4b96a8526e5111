"""From a real database to what a report shows of it."""

from pathlib import Path

import pytest

import tracer
from tracer.chain import of_step
from tracer.document import document
from tracer.errors import NoSuchRunError, TracerError
from tracer.explanation import Options
from tracer.records import Anchors, AnchorSentence, Recording, Run, Step
from tracer.reporting import report_all, report_explained, report_runs
from tracer.store import Store


def recording(place: int, *, thinks: bool = True) -> Recording:
    """A failed run in whose second step there is reasoning."""
    run = Run(
        id=f"{place:012x}", content_hash=f"{place:064x}", source=f"{place}.json", format="chat", outcome="failure",
        task="How many?",
    )  # fmt: skip
    steps = (
        Step(index=0, agent="user", kind="message", content="How many whales?"),
        Step(
            index=1, agent="reader", kind="message", content=f"I assume {place}.",
            reasoning="Nobody checks. I guess." if thinks else None, reasoning_state="present" if thinks else "absent",
        ),
        Step(index=2, agent="writer", kind="message", content=f"It is {place}."),
    )  # fmt: skip
    return Recording(run, steps)


def answer(content: str, method: str) -> Anchors:
    """What a method says of four sentences."""
    sentences = tuple(
        AnchorSentence(index=i, start=i, end=i + 1, text=f"Sentence {i}.", part="chain", weight=i / 10)
        for i in range(4)
    )
    return Anchors(
        content=content, target="t", method=method, score="nats", model="m", revision="1", sentences=sentences
    )


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    """Three runs; about the reasoning of the first two methods were asked, about that of the second one was."""
    path = tmp_path / "t.duckdb"
    runs = [recording(1), recording(2), recording(3, thinks=False)]
    with Store.open(path) as store:
        store.add("x", "0" * 64, "chat", runs, [], lambda *_: [])
        for place, method in ((0, "suppress"), (0, "surprisal")):
            store.save_anchors(answer(of_step(runs[place].run, runs[place].steps, 1).digest, method))
    return path


def test_a_reported_run_carries_the_answers_about_its_reasoning(database: Path) -> None:
    """And how far the methods agree."""
    [found] = report_runs(database, ["000000000001"])
    assert {index: [each.method for each in known] for index, known in found.anchors.items()} == {
        1: ["suppress", "surprisal"]
    }
    assert found.agreement[1]["concordance"]["w"] == pytest.approx(1)


def test_every_run_is_reported_in_the_order_of_loading(database: Path) -> None:
    """Each is read, then explained; the same reasoning after the same question has the same answers."""
    told: list[tuple[str, int, int]] = []
    found = report_all(database, progress=lambda *each: told.append(each))
    assert [each.run.id for each in found] == ["000000000001", "000000000002", "000000000003"]
    assert told == [(each.run.id, done + 1, 6) for done, each in enumerate([*found, *found])]
    assert [sorted(each.anchors) for each in found] == [[1], [1], []]


def test_graph_and_finding_are_kept_as_blame_keeps_them(database: Path) -> None:
    """A report is an explanation."""
    report_runs(database, ["000000000003"], Options(method="rule-r"))
    with Store.open(database, read_only=True) as store:
        assert [finding.method for finding in store.findings("000000000003")] == ["rule-r"]
        assert store.edges("000000000003") is not None


def test_the_mistakes_of_addresses_are_told(database: Path) -> None:
    """Unknown, twice, too many."""
    with pytest.raises(NoSuchRunError):
        report_runs(database, ["ffffffffffff"])
    with pytest.raises(TracerError, match="both addresses are run 000000000001"):
        report_runs(database, ["000000000001", "000000000001"])
    with pytest.raises(TracerError, match="got 3"):
        report_runs(database, ["a", "b", "c"])


def test_an_explanation_at_hand_gets_the_answers_of_a_database(database: Path, tmp_path: Path) -> None:
    """And none where there is no database."""
    explained = tracer.blame("000000000001", database)
    assert sorted(report_explained(database, explained).anchors) == [1]
    assert report_explained(tmp_path / "none.duckdb", explained).anchors == {}
    assert not (tmp_path / "none.duckdb").exists()


def test_a_page_of_a_run_holds_its_answers(database: Path) -> None:
    """In HTML deflated, in Markdown as words."""
    found = report_runs(database, ["000000000001"])
    assert document(found, "run", "html").startswith("<!doctype html>")
    assert "method `suppress`, model `m`" in document(found, "run", "markdown")
