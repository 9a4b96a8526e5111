"""The demo runs: small, clean of their maker's machine, and they say what data/demo.py says they say."""

import contextlib
import re
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracer.collectors.ingest import ingest
from tracer.data.demo import DEMO_RUNS, DemoRun, demo_files
from tracer.data.demo_telemetry import SeededIds, SteadySpans
from tracer.records import Run, Step
from tracer.store import Store

MACHINE = re.compile(
    r"/(?:tmp|home|root|usr|opt|var|work|Users)/|localhost|\b\d{1,3}(?:\.\d{1,3}){3}\b|host\.name|process\."
)

runs = pytest.mark.parametrize("run", DEMO_RUNS, ids=lambda run: run.file)


def file_of(run: DemoRun) -> Path:
    """Where a run's file lies."""
    return demo_files()[DEMO_RUNS.index(run)]


def test_every_shipped_log_is_described() -> None:
    """The folder holds the described logs and, besides them, only the list of what made them."""
    folder = demo_files()[0].parent
    assert {path.name for path in folder.iterdir()} == {run.file for run in DEMO_RUNS} | {"requirements.txt"}


def test_the_files_are_small() -> None:
    """All together they stay below 350 kB, so that the package stays light."""
    assert sum(path.stat().st_size for path in demo_files()) < 350_000


@runs
def test_a_file_tells_nothing_of_the_machine_that_made_it(run: DemoRun) -> None:
    """No folder, host, address or process of the maker's machine."""
    assert MACHINE.search(file_of(run).read_text(encoding="utf-8")) is None


@runs
def test_the_planted_words_stand_in_the_raw_file(run: DemoRun) -> None:
    """What the fault is found by is really written there, whatever any collector makes of the file."""
    raw = file_of(run).read_text(encoding="utf-8").replace("\\", "")
    assert run.planted_fragment in raw
    assert bool(run.planted_fragment) == (run.outcome == "failure")


class Held(NamedTuple):
    """A run as the store holds it."""

    run: Run
    steps: list[Step]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Held]:
    """Every demo run by its file's name, loaded together as `tracer demo` loads them."""
    with Store.open(tmp_path_factory.mktemp("demo") / "demo.duckdb") as store:
        loaded = ingest(demo_files(), store)
        assert loaded.skipped == []
        return {Path(run.source).name: Held(run, store.steps(run.id)) for run in store.runs()}


def test_each_file_is_one_run(held: dict[str, Held]) -> None:
    """Nothing is split, and the two runs of the quarterly report stay apart."""
    assert held.keys() == {run.file for run in DEMO_RUNS}


@runs
def test_a_run_has_the_agents_that_made_it(run: DemoRun, held: dict[str, Held]) -> None:
    """Steps belong to the graph's or the chat's agents, to tools or to the user, and to nobody else."""
    speakers = [step.agent for step in held[run.file].steps if step.agent not in {step.tool, "user"}]
    assert tuple(dict.fromkeys(speakers)) == run.agents


@runs
def test_a_run_ended_as_its_log_says(run: DemoRun, held: dict[str, Held]) -> None:
    """The checker's event is the outcome; a chat history has none, so its outcome is unknown."""
    stored = held[run.file].run
    expected = (run.outcome, "evaluation") if run.outcome_in_log else ("unknown", None)
    assert (stored.outcome, stored.outcome_source) == expected


@pytest.mark.parametrize("run", [run for run in DEMO_RUNS if run.planted_agent], ids=lambda run: run.file)
def test_the_planted_fault_is_one_step_of_the_planted_agent(run: DemoRun, held: dict[str, Held]) -> None:
    """The fragment leads to exactly one step of who made the mistake."""
    steps = [step for step in held[run.file].steps if step.agent == run.planted_agent]
    assert len([step for step in steps if run.planted_fragment in step.content]) == 1


def tool_endings(held: Held) -> list[tuple[str | None, str | None]]:
    """Tool and status of every tool result."""
    return [(step.tool, step.tool_status) for step in held.steps if step.kind == "tool_result"]


def test_a_failing_lookup_is_an_error_and_an_empty_one_is_empty(held: dict[str, Held]) -> None:
    """The freight quote's tool raises, then finds nothing; the calculator works."""
    endings = tool_endings(held["freight-quote.otlp.jsonl"])
    assert endings == [("freight_rate", "error"), ("freight_rate", "empty"), ("calculator", "ok")]


def test_a_program_that_stops_is_an_error(held: dict[str, Held]) -> None:
    """The group chat's executor ran three programs; the first stopped with exit code 1."""
    steps = [step for step in held["rail-orders.ag2.json"].steps if step.agent == "executor"]
    assert [(step.kind, step.tool_status) for step in steps] == [
        ("tool_result", "error"),
        ("tool_result", "ok"),
        ("tool_result", "ok"),
    ]


@pytest.mark.parametrize("file", ["quarterly-report.otlp.jsonl", "quarterly-report-ok.spans.json"])
def test_a_handover_says_who_takes_over(file: str, held: dict[str, Held]) -> None:
    """The supervisor passes control three times, each time with one task, and every tool worked."""
    steps = held[file].steps
    assert [step.recipient for step in steps if step.kind == "handoff"] == ["researcher", "analyst", "writer"]
    assert {status for _, status in tool_endings(held[file])} == {"ok"}


def test_a_handover_is_confirmed_in_words(held: dict[str, Held]) -> None:
    """What the hand-over tool answered is its message, not the graph command that carried it."""
    steps = held["quarterly-report.otlp.jsonl"].steps
    answers = [
        step.content for step in steps if step.kind == "tool_result" and (step.tool or "").startswith("transfer")
    ]
    assert answers == ["Handed over to researcher.", "Handed over to analyst.", "Handed over to writer."]


def test_the_reasoning_behind_a_fault_is_read(held: dict[str, Held]) -> None:
    """It stands in reasoning_content in the one run, between think tags in the other."""
    [misread] = [step for step in held["quarterly-report.otlp.jsonl"].steps if step.reasoning]
    assert (misread.agent, misread.reasoning_state) == ("researcher", "present")
    assert (misread.reasoning or "").endswith("Q2 is 412.4. Q3 is the last line, so 471.1.")
    [invented] = [step for step in held["freight-quote.otlp.jsonl"].steps if step.reasoning]
    assert (invented.agent, invented.reasoning_state) == ("analyst", "present")
    assert "<think>" not in invented.content


def recorded(seed: str) -> list[ReadableSpan]:
    """A child that fails inside its parent, recorded with seeded ids and the steady clock."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({}), id_generator=SeededIds(seed))
    provider.add_span_processor(SteadySpans(exporter, seed))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("parent"), contextlib.suppress(ValueError):
        attributes = {"openinference.span.kind": "TOOL", "drawn": f"{uuid.uuid4()}"}
        with tracer.start_as_current_span("child", attributes=attributes):
            raise ValueError("no such lane")
    provider.shutdown()
    return list(exporter.get_finished_spans())


def test_the_same_program_gives_the_same_spans() -> None:
    """Ids, times and drawn UUIDs do not differ between two recordings."""
    first, second = recorded("a seed"), recorded("a seed")
    assert [span.to_json() for span in first] == [span.to_json() for span in second]


def test_two_seeds_give_two_traces() -> None:
    """Runs of one program are told apart by their trace id."""
    assert recorded("a")[0].context.trace_id != recorded("b")[0].context.trace_id


def test_the_steady_clock_keeps_a_child_inside_its_parent() -> None:
    """Each start moves the clock by 2 ms; the tool ends 240 ms later, its parent 2 ms after that."""
    child, parent = recorded("a seed")
    start = 1_767_603_600_000_000_000
    times = (
        [(span.start_time or 0) - start for span in (parent, child)],
        [(span.end_time or 0) - start for span in (parent, child)],
    )
    assert times == ([2_000_000, 4_000_000], [246_000_000, 244_000_000])


def test_a_traceback_keeps_its_text_and_loses_its_folders() -> None:
    """The recorded exception still names the error."""
    [event] = recorded("a seed")[0].events
    assert event.attributes is not None
    assert "ValueError: no such lane" in str(event.attributes["exception.stacktrace"])
