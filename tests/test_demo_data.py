"""The demo runs: small, clean of their maker's machine, and they say what data/demo.py says they say."""

import contextlib
import re
import uuid
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracer.data.demo import DEMO_RUNS, DemoRun, demo_files
from tracer.data.demo_telemetry import SeededIds, SteadySpans

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
