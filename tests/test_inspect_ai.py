"""Inspect logs: a run per sample, agents from spans, each message once, a scorer's models left out."""

import io
import json
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tracer.collectors import inspect_ai
from tracer.collectors.container import Container, open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording

DATA = Path(__file__).parent / "data" / "inspect_ai"


def read(path: Path) -> list[Recording]:
    """The runs of a file that is recognised as Inspect's."""
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "inspect_ai"
    return list(collector.read(container).recordings)


def sample(**fields: Any) -> dict[str, Any]:
    """A sample with one question."""
    asked = {"id": "m1", "role": "user", "content": "How many?", "source": "input"}
    return {"id": 7, "epoch": 1, "input": "How many?", "target": "3", "messages": [asked], "events": []} | fields


def log(*samples: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A log as one JSON object."""
    head = {"version": 2, "status": "success", "eval": {"task": "counting"}, "plan": {}}
    return head | {"samples": list(samples)} | fields


def one(tmp_path: Path, **fields: Any) -> Recording:
    """The run of a log with one sample."""
    (tmp_path / "log.json").write_text(json.dumps(log(sample(**fields))), encoding="utf-8")
    return read(tmp_path / "log.json")[0]


def event(kind: str, second: int, **fields: Any) -> dict[str, Any]:
    """An event that starts and ends in one second of one minute."""
    time = f"2026-01-05T09:00:{second:02}+00:00"
    return {"event": kind, "timestamp": time, "completed": time, "span_id": None} | fields


def model(second: int, given: list[dict[str, Any]], said: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A call of a model."""
    output = {"model": "m", "choices": [{"message": {"role": "assistant", "content": ""} | said}]}
    return event("model", second, model="m", input=given, output=output | fields.pop("output", {}), **fields)


def test_the_real_browser_run(real_logs: Path) -> None:
    """One question, five calls of the model, four of tools, and the file's own total of tokens."""
    path = real_logs / "samples/inspect_ai/2025-05-12T20-27-36-04-00_browser.json"
    raw = json.loads(path.read_bytes())["samples"][0]
    [(run, steps)] = read(path)
    assert (run.outcome, run.outcome_source, run.group) == ("success", "score: includes", "browser/1")
    assert run.task == raw["input"]
    assert [step.kind for step in steps] == ["message", *["tool_call", "tool_result"] * 4, "message"]
    assert Counter(step.agent for step in steps) == {
        "user": 1, "assistant": 5, "web_browser_go": 1, "web_browser_click": 3,
    }  # fmt: skip
    assert [step.content for step in steps] == [message["content"] for message in raw["messages"]]
    usage = raw["model_usage"]["openai/gpt-4o-mini"]
    assert sum(step.input_tokens or 0 for step in steps) == usage["input_tokens"] == 15235
    assert sum(step.output_tokens or 0 for step in steps) == usage["output_tokens"] == 281
    assert all(step.reasoning_state == "absent" for step in steps)
    assert {step.tool_status for step in steps if step.kind == "tool_result"} == {"ok"}
    assert {step.model for step in steps if step.agent == "assistant"} == {"gpt-4o-mini-2024-07-18"}


def test_the_real_zip_with_pooled_messages(real_logs: Path) -> None:
    """Its calls refer to a pool by ranges; the guesser never guesses, so its score is 0."""
    path = real_logs / "samples/inspect_ai/log_message_deduplication.eval"
    with zipfile.ZipFile(path) as archive:
        raw = json.loads(archive.read("samples/0_epoch_1.json"))
    [(run, steps)] = read(path)
    assert (run.outcome, run.outcome_source, run.expected) == ("failure", "score: closeness_log", "42.7")
    assert [step.content for step in steps] == [message["content"] for message in raw["messages"]]
    assert [step.kind for step in steps] == ["message", *["tool_call", "tool_result"] * 5, "message"]
    assert [step.parents for step in steps if step.kind == "tool_result"] == [(1,), (3,), (5,), (7,), (9,)]
    assert steps[0].pointer is not None
    assert (steps[0].pointer.member, steps[0].pointer.path) == ("samples/0_epoch_1.json", "/message_pool/0")


def test_a_team_of_agents_from_a_zip_with_zstd() -> None:
    """Captured from inspect_ai 0.3.285 by scripts/capture_inspect.py, whose script says who does what."""
    [(run, steps)] = read(DATA / "team.eval")
    told = [(step.agent, step.kind, step.tool) for step in steps if step.kind != "system"]
    assert told == [
        ("user", "message", None),
        ("supervisor", "tool_call", "researcher"),
        ("supervisor", "message", None),
        ("researcher", "tool_call", "price"),
        ("price", "tool_result", "price"),
        ("researcher", "tool_call", "price"),
        ("price", "tool_result", "price"),
        ("researcher", "tool_call", "submit"),
        ("submit", "tool_result", "submit"),
        ("researcher", "tool_result", "researcher"),
        ("supervisor", "handoff", "transfer_to_writer"),
        ("transfer_to_writer", "tool_result", "transfer_to_writer"),
        ("writer", "message", None),
        ("user", "message", None),
        ("writer", "tool_call", "submit"),
        ("submit", "tool_result", "submit"),
        ("user", "message", None),
        ("supervisor", "tool_call", "submit"),
        ("submit", "tool_result", "submit"),
    ]
    assert Counter(step.kind for step in steps)["system"] == 3
    assert [(step.content, step.tool_rule) for step in steps if step.tool_status == "error"] == [
        ("no article 'widget'", "error.type: unknown")
    ]
    [thinks] = [step for step in steps if step.reasoning_state != "absent"]
    assert (thinks.agent, thinks.content) == ("writer", "Three widgets cost 35 EUR.")
    assert thinks.reasoning == "Three times 12.5: twice is 25, so thrice is 35."
    # nine calls of 100 and 10 tokens each; the ninth is the grader's
    assert sum(step.input_tokens or 0 for step in steps) == 800
    assert sum(step.output_tokens or 0 for step in steps) == 80
    assert (run.outcome, run.outcome_source, run.expected) == ("failure", "score: includes", "37.5")
    assert run.notes == ("scores: includes I, model_graded_qa nan",)


def test_zstd_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line for the whole file."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(BadInputError) as raised:
        open_containers(DATA / "team.eval")
    line = "a zip packed with zstd needs an extra: pip install 'blametrace[inspect]'"
    assert str(raised.value) == f"{DATA / 'team.eval'}: {line}"


def test_a_member_that_is_damaged_is_told_and_the_others_load(tmp_path: Path) -> None:
    """Both ways of packing: a byte is changed in the second sample of the zip."""
    with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": {"task": "t"}}))
        archive.writestr("samples/1_epoch_1.json", json.dumps(sample()))
        archive.writestr("samples/2_epoch_1.json", json.dumps(sample(id="marked")))
    data = (tmp_path / "a.eval").read_bytes()
    (tmp_path / "a.eval").write_bytes(data.replace(b'"marked"', b'"market"'))
    good, bad = open_containers(tmp_path / "a.eval")
    [(run, steps)] = recognise(good).read(good).recordings
    assert (run.group, len(steps), run.notes) == ("t/7", 1, ())
    assert bad.defect is not None
    assert "a.eval#samples/2_epoch_1.json: damaged" in bad.defect


def test_a_bomb_packed_with_zstd_does_not_expand(tmp_path: Path) -> None:
    """64 MiB of blanks in a few kilobytes: refused, as with every zip."""
    packed = zstandard.ZstdCompressor().compress(b" " * (64 << 20))
    (tmp_path / "bomb.eval").write_bytes(as_zstd("header.json", packed, 64 << 20))
    with pytest.raises(BadInputError, match="expands beyond"):
        open_containers(tmp_path / "bomb.eval")


def as_zstd(name: str, packed: bytes, size: int) -> bytes:
    """A zip with one member, told to be packed by method 93."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, packed)
    data = bytearray(made.getvalue())
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = data.index(signature)
        data[start + at : start + at + 2] = (93).to_bytes(2, "little")
        data[start + at + 14 : start + at + 18] = size.to_bytes(4, "little")
    return bytes(data)


def test_a_truncated_zip_says_so(tmp_path: Path) -> None:
    """A zip's table of contents stands at its end."""
    (tmp_path / "cut.eval").write_bytes((DATA / "team.eval").read_bytes()[:9000])
    with pytest.raises(BadInputError, match="truncated or damaged zip"):
        open_containers(tmp_path / "cut.eval")


@pytest.mark.parametrize("samples", [None, []])
def test_a_log_without_samples_says_so(tmp_path: Path, samples: Any) -> None:
    """An evaluation that was just begun, or that logged none."""
    (tmp_path / "a.json").write_text(json.dumps(log(samples=samples, status="started")))
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(BadInputError, match=r"an Inspect log without samples \(status 'started'\)"):
        recognise(container).read(container)


def test_a_sample_taken_out_of_its_zip_is_a_run(tmp_path: Path) -> None:
    """It knows no task, so its id alone is the group."""
    (tmp_path / "7_epoch_1.json").write_text(json.dumps(sample(scores={"match": {"value": "C"}})))
    [(run, steps)] = read(tmp_path / "7_epoch_1.json")
    assert (run.outcome, run.group, len(steps)) == ("success", "7", 1)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("C", "success"), ("I", "failure"), ("N", "failure"), ("P", "unknown"), ("blue", "unknown"), (1, "success"),
        (0.0, "failure"), (0.5, "unknown"), (True, "success"), (None, "unknown"), ({"a": 1}, "unknown"),
        (float("nan"), "unknown"),
    ],
)  # fmt: skip
def test_the_first_score_is_the_outcome(tmp_path: Path, value: Any, outcome: str) -> None:
    """Partial credit is neither; a second scorer does not overrule the first."""
    run = one(tmp_path, scores={"first": {"value": value}, "second": {"value": "C"}}).run
    assert (run.outcome, run.outcome_source) == (outcome, None if outcome == "unknown" else "score: first")


def test_a_sample_that_broke_or_ran_into_a_limit_tells(tmp_path: Path) -> None:
    """Without a score, an error is a failure; a limit alone is not."""
    run = one(tmp_path, error={"message": "the sandbox is gone", "traceback": "..."}).run
    assert (run.outcome, run.outcome_source) == ("failure", "error")
    assert run.notes == ("the sample ended with an error: the sandbox is gone",)
    run = one(tmp_path, limit={"type": "message", "limit": 10}).run
    assert (run.outcome, run.notes) == ("unknown", ("the sample was stopped by its message limit (10)",))


def test_attachments_are_put_back(tmp_path: Path) -> None:
    """In texts, parts and tools' answers; one that is not there stays as it is written."""
    said = {"id": "m2", "content": [{"type": "text", "text": "attachment://aa"}]}
    calls = [model(1, [{"id": "m1", "role": "user", "content": "attachment://bb"}], said)]
    _, steps = one(tmp_path, messages=[], events=calls, attachments={"aa": "a long text"})
    assert [step.content for step in steps] == ["attachment://bb", "a long text"]


def test_redacted_reasoning_is_unreadable_and_its_summary_is_not(tmp_path: Path) -> None:
    """Where a part is redacted its text is ciphertext. A provider's hosted tool answers in the same part."""
    sealed = {"type": "reasoning", "reasoning": "gAAAA", "redacted": True}
    hosted = {"type": "tool_use", "tool_type": "web_search", "id": "s1", "name": "web_search", "arguments": "{}"}
    events = [
        model(1, [], {"id": "a", "content": [sealed, {"type": "text", "text": "Three."}]}),
        model(2, [], {"id": "b", "content": [sealed | {"summary": "Counting."}, {"type": "text", "text": "Yes."}]}),
        model(3, [], {"id": "c", "content": [hosted | {"result": "", "error": "too many requests"}]}),
    ]
    _, steps = one(tmp_path, messages=[], events=events)
    assert [(step.content, step.reasoning_state, step.reasoning) for step in steps[:2]] == [
        ("Three.", "unreadable", None),
        ("Yes.", "present", "Counting."),
    ]
    assert [(step.kind, step.tool, step.tool_status, step.tool_rule) for step in steps[2:]] == [
        ("tool_call", "web_search", None, None),
        ("tool_result", "web_search", "error", "is_error"),
    ]


def test_an_answer_from_the_cache_costs_no_tokens(tmp_path: Path) -> None:
    """Inspect leaves it out of its own total. Reasoning that was paid for but not sent is unreadable."""
    usage = {"usage": {"input_tokens": 5, "output_tokens": 4, "reasoning_tokens": 3}}
    events = [
        model(1, [], {"id": "a", "content": "One."}, output=usage, cache="read"),
        model(2, [], {"id": "b", "content": "Two."}, output=usage),
    ]
    _, steps = one(tmp_path, messages=[], events=events)
    assert [(step.input_tokens, step.output_tokens, step.reasoning_state) for step in steps] == [
        (None, None, "absent"),
        (5, 4, "unreadable"),
    ]


def test_old_logs_nest_events_and_know_no_message_ids(tmp_path: Path) -> None:
    """A tool that holds an agent's work, and states no end; then a scorer's step, which is no part of the run."""
    asked = {"role": "user", "content": "How many?"}
    call = {"content": "", "tool_calls": [{"id": "c1", "function": "transfer", "arguments": {}, "type": "function"}]}
    inner = model(2, [{"role": "user", "content": "Count."}], {"content": "Three."})
    answered = {"role": "tool", "content": "Three.", "tool_call_id": "c1", "function": "transfer"}
    given: list[dict[str, Any]] = [asked, {"role": "assistant"} | call, answered]
    tool = event(
        "tool", 3, id="c1", function="transfer", arguments={}, result="Three.", agent="counter", events=[inner]
    )
    tool |= {"timestamp": "2026-01-05T09:00:01+00:00", "completed": None}  # it began before what it holds
    events = [
        model(1, [asked], call),
        tool,
        model(4, given, {"content": "There are three."}),
        event("step", 5, action="begin", type="scorer", name="grade"),
        model(6, [{"role": "user", "content": "Is three right?"}], {"content": "GRADE: C"}),
        event("step", 7, action="end", type="scorer", name="grade"),
    ]
    _, steps = one(tmp_path, messages=given, events=events)
    assert [(step.agent, step.content) for step in steps] == [
        ("user", "How many?"),
        ("assistant", ""),
        ("user", "Count."),
        ("counter", "Three."),
        ("transfer", "Three."),
        ("assistant", "There are three."),
    ]
    assert steps[4].parents == (1,)


def test_in_old_logs_an_agent_that_is_a_tool_has_the_tool_s_name(tmp_path: Path) -> None:
    """As inspect_ai 0.3.85 logs `as_tool`: it names no agent, but the tool holds its calls of models."""
    asked = {"id": "q", "role": "user", "content": "Find it.", "source": "input"}
    inner = model(2, [asked], {"id": "a", "content": "Found."})
    tool = event("tool", 3, id="c1", function="researcher", arguments={}, result="Found.", events=[inner])
    _, steps = one(tmp_path, messages=[], events=[tool])
    assert [(step.agent, step.content) for step in steps][:2] == [("user", "Find it."), ("researcher", "Found.")]


def test_a_call_of_a_model_that_failed_is_a_step(tmp_path: Path) -> None:
    """It has no choices, and says why."""
    failed = event("model", 1, model="m", input=[], output={"model": "m", "choices": []}, error="429 Too Many Requests")
    _, steps = one(tmp_path, messages=[], events=[failed])
    assert [(step.agent, step.kind, step.content) for step in steps] == [
        ("assistant", "system", "429 Too Many Requests")
    ]


@pytest.mark.parametrize(
    "events",
    [
        None,
        "text",
        [None, 1, [], {}],
        [{"event": "model"}],
        [{"event": "model", "input": "text", "input_refs": [[0, 10**12], [5], "x", [-3, 2]], "output": []}],
        [{"event": "tool"}],
        [{"event": "span_begin", "id": "s", "parent_id": "s", "type": "tool"}, {"event": "tool", "span_id": "s"}],
    ],
)
def test_strange_events_are_no_trouble(tmp_path: Path, events: Any) -> None:
    """The messages are read all the same."""
    _, steps = one(tmp_path, events=events)
    assert steps[-1].content == "How many?"


def test_samples_in_chunks_say_what_to_do(tmp_path: Path) -> None:
    """The layout for very long samples, which `inspect log convert` can write."""
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as archive:
        archive.writestr("header.json", json.dumps({"version": 2, "eval": {"task": "t"}}))
        archive.writestr("samples/1_epoch_1/sample.json", "{}")
    [container] = open_containers(tmp_path / "a.eval")
    with pytest.raises(BadInputError, match="samples in chunks: `inspect log convert --to json` writes them whole"):
        recognise(container).read(container)


def test_a_sample_that_is_none_says_where(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "a.json").write_text(json.dumps(log(sample(), sample(messages=3))))
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(BadInputError, match=r"a\.json/samples/1: not an Inspect sample: no list 'messages'"):
        inspect_ai.read(container)


@pytest.mark.parametrize("value", [[], {}, {"version": 2, "status": "x", "eval": {}, "plan": {}}, {"epoch": 1}])
def test_other_values_are_none_of_ours(value: Any) -> None:
    """A word says why."""
    [document] = open_document(value)
    assert inspect_ai.detect(document)


def open_document(value: Any) -> list[Container]:
    """A container with this one value."""
    from tracer.collectors.json_values import Document

    return [Container("f", "json", (Document(value),))]
