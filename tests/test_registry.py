"""The cascade: the first collector that says yes reads the file; else one line says why each said no."""

import importlib
import json
import pkgutil
from pathlib import Path

import pytest

import tracer.collectors
from tracer.collectors.container import open_containers
from tracer.collectors.registry import COLLECTORS, derive, recognise
from tracer.errors import BadInputError, UnknownFormatError
from tracer.records import Span


def test_names_are_unique_and_the_loosest_format_comes_last() -> None:
    """Chat messages are inside nearly every other format."""
    names = [collector.name for collector in COLLECTORS]
    assert len(set(names)) == len(names)
    assert names[-2:] == ["chat_reasoning", "chat"]
    assert names[:4] == ["otlp_json", "otel_tempo_json", "otel_jaeger_json", "otel_python"]


def test_every_collector_of_the_folder_is_in_the_cascade() -> None:
    """A format that is written but not listed would never be read."""
    names = [module.name for module in pkgutil.iter_modules(tracer.collectors.__path__, "tracer.collectors.")]
    written = [getattr(importlib.import_module(name), "COLLECTOR", None) for name in names]
    assert [each.name for each in written if each is not None and each not in COLLECTORS] == []


def test_an_unknown_file_names_every_format_and_its_reason(tmp_path: Path) -> None:
    """In one line that begins with the path."""
    (tmp_path / "a.json").write_text('{"weather": "fine"}')
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(UnknownFormatError) as raised:
        recognise(container)
    line = str(raised.value)
    assert line.startswith(f"{tmp_path}/a.json: not a format we know; tried otlp_json (")
    assert "whowhen (no key 'mistake_agent')" in line
    groups = [each.partition(" (")[0] for each in line.partition("tried ")[2].split("; ")]
    assert sorted(", ".join(groups).split(", ")) == sorted(each.name for each in COLLECTORS)
    assert "\n" not in line


def test_formats_that_say_no_for_the_same_reason_share_it(tmp_path: Path) -> None:
    """What is no JSON is refused by most; the line stays short enough to read."""
    with pytest.raises(UnknownFormatError) as raised:
        recognise(open_containers(_file(tmp_path, "plain words"))[0])
    line = str(raised.value)
    assert "tried otlp_json, otel_tempo_json, otel_jaeger_json, " in line
    assert line.count("(not JSON)") == 1


def test_a_damaged_member_of_an_archive_says_so_here(tmp_path: Path) -> None:
    """Opening the archive already knew; the other members still load."""
    [container] = open_containers(_file(tmp_path, "{}"))
    with pytest.raises(BadInputError, match="cut off"):
        recognise(container._replace(defect="a.zip#b.json: cut off"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[[]]", "[{}]", "[1]", '"x"', "null", "plain words", "[[[]]]", '[{"a":1},2]']
)
def test_no_detector_stumbles_over_odd_values(tmp_path: Path, text: str) -> None:
    """Each says no in words."""
    container = open_containers(_file(tmp_path, text or "x"))[0]
    with pytest.raises(UnknownFormatError):
        recognise(container)


def test_the_real_samples_of_this_wave_are_recognised(real_logs: Path) -> None:
    """And a format of a later wave is not taken for plain chat."""
    expected = {
        "tau_bench/gpt-4o-airline.json": "tau_bench",
        "chat_reasoning/anthropic_thinking.json": "chat_reasoning",
        "chat_reasoning/deepseek_reasoning_content.json": "chat_reasoning",
        "mini_swe_agent/github_issue.traj.json": "mini_swe_agent",
        "mini_swe_agent/astropy__astropy-12907.traj.json": "mini_swe_agent",
        "otlp_json/trace.json": "otlp_json",
    }
    for name, collector in expected.items():
        [container] = open_containers(real_logs / "samples" / name)
        assert recognise(container).name == collector


def test_every_labelled_run_is_recognised(real_logs: Path) -> None:
    """All 94, by its label keys."""
    files = sorted((real_logs / "whowhen-dev").glob("*/*.json"))
    names = [recognise(container).name for file in files for container in open_containers(file)]
    assert names == ["whowhen"] * 94


def _file(folder: Path, text: str) -> Path:
    path = folder / "a.json"
    path.write_text(text if text else json.dumps(None))
    return path


def test_spans_are_derived_by_the_rules_of_their_format() -> None:
    """A session's lines by its own collector, the rest as telemetry."""
    line = {"type": "user", "message": {"content": "Hi"}}
    session = Span(
        trace_id="s",
        span_id="u",
        name="user",
        attributes={"line": line, "side": False, "agent": None, "order": 1},
        format="claude_code",
    )
    agent = Span(
        trace_id="t", span_id="1", attributes={"gen_ai.operation.name": "chat", "gen_ai.system": "x"}, ended_ns=1
    )
    found = {recording.run.format: ids for recording, ids in derive([agent, session])}
    assert found == {"claude_code": ("s",), "opentelemetry": ("t",)}
