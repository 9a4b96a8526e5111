"""Claude Code's files: which are its own, what a line becomes, and how the files of one session join."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import claude_code
from tracer.collectors.container import open_containers
from tracer.collectors.ingest import ingest, read_recordings
from tracer.collectors.registry import recognise
from tracer.store import Store

Line = dict[str, Any]
SESSION = "0f0e0d0c-0b0a-4908-8706-050403020100"


def line(uuid: str, kind: str, content: Any, parent: str | None = None, **more: Any) -> Line:
    """One entry; the clock moves with the identifier's number."""
    second = int(uuid.strip("abcdefghijklmnopqrstuvwxyz") or 0)
    message = {"role": kind, "content": content} | more.pop("message", {})
    return {
        "type": kind,
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": SESSION,
        "isSidechain": False,
        "timestamp": f"2026-01-02T03:{second // 60:02}:{second % 60:02}.000Z",
        "message": message,
        **more,
    }


def written(path: Path, lines: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(each) for each in lines) + "\n", encoding="utf-8")
    return path


def session(folder: Path) -> tuple[Path, Path]:
    """A session whose agent asks an explorer, and the explorer's side file."""
    asked = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"subagent_type": "Explore", "prompt": "Look."}}
    brought = {"type": "tool_result", "tool_use_id": "t1", "content": "Nothing."}
    main = [
        line("u1", "user", "Find the bug."),
        line("a2", "assistant", [asked], "u1", message={"id": "m1"}),
        line("u9", "user", [brought], "a2", toolUseResult={"agentId": "x1", "status": "completed"}),
        line("a10", "assistant", "There is none.", "u9", message={"id": "m2"}),
    ]
    side = [
        line("u3", "user", "Look.", isSidechain=True, agentId="x1"),
        line("a4", "assistant", "Nothing.", "u3", isSidechain=True, agentId="x1", message={"id": "m3"}),
    ]
    name = f"{SESSION}/subagents/agent-x1.jsonl"
    return written(folder / f"{SESSION}.jsonl", main), written(folder / name, side)


def test_a_side_file_belongs_to_the_session_whichever_is_loaded_first(tmp_path: Path) -> None:
    """The same run, and the same word on who is part of whom."""
    main, side = session(tmp_path / "logs")
    told = []
    for name, order in {"a": [main, side], "b": [side, main]}.items():
        with Store.open(tmp_path / name) as store:
            result = ingest(order, store)
            again = ingest(order, store)
            [run] = store.runs()
            told.append([(step.agent, step.kind, step.content, step.parents) for step in store.steps(run.id)])
        for found in (result, again):
            assert {each.source: each.part_of for each in found.sources} == {str(main): None, str(side): str(main)}
        assert (result.runs, result.steps, again.runs) == (1, 6, 0)
        assert run.source == str(main)
    assert told[0] == told[1]


def test_a_side_file_alone_is_a_run_until_its_session_comes(tmp_path: Path) -> None:
    """The sub-agent is named after its id, since only the session knows its type."""
    main, side = session(tmp_path / "logs")
    with Store.open(tmp_path / "t.duckdb") as store:
        ingest([side], store)
        [before] = store.runs()
        assert [step.agent for step in store.steps(before.id)] == ["claude", "agent-x1"]
        ingest([main], store)
        [after] = store.runs()
        assert after.id == before.id
        assert [step.agent for step in store.steps(after.id)] == [
            "user",
            "claude",
            "claude",
            "Explore",
            "Explore",
            "claude",
        ]


def test_a_later_copy_of_a_session_that_went_on_is_the_same_run(tmp_path: Path) -> None:
    """The first file's lines stand in the second; only what is new is added."""
    main, _ = session(tmp_path / "logs")
    lines = [json.loads(each) for each in main.read_text().splitlines()]
    longer = written(tmp_path / "b.jsonl", [*lines, line("u20", "user", "Look again.", "a10")])
    with Store.open(tmp_path / "t.duckdb") as store:
        assert ingest([main], store)[:2] == (1, 4)
        result = ingest([longer], store)
        assert result[:2] == (0, 1)
        assert result.sources[0].part_of == str(main)


def test_what_is_no_entry_is_counted_and_ends_nothing(tmp_path: Path) -> None:
    """Unknown types, numbers, and a message that is none."""
    odd = [
        7,
        "x",
        {"type": "hologram", "sessionId": SESSION},
        {"type": 5},
        {**line("u5", "user", ""), "message": "boom"},
    ]
    path = written(tmp_path / "a.jsonl", [line("u1", "user", "Hi"), *odd])
    [(run, steps)] = read_recordings([path])[0]
    assert [step.content for step in steps] == ["Hi"]
    assert run.notes == ("lines that are no steps: ? 3, hologram 1", "1 messages without content")


def test_a_file_of_summaries_alone_is_known_and_holds_no_runs(tmp_path: Path) -> None:
    """Claude Code leaves such files behind."""
    path = written(tmp_path / "a.jsonl", [{"type": "summary", "summary": "x", "leafUuid": "u1"}] * 2)
    [container] = open_containers(path)
    assert recognise(container).name == "claude_code"
    with Store.open(tmp_path / "t.duckdb") as store:
        assert [each.reason for each in ingest([path], store).skipped] == ["holds no runs"]


def test_a_file_cut_off_in_a_line_says_so(tmp_path: Path) -> None:
    """Nothing of it loads."""
    main, _ = session(tmp_path / "logs")
    main.write_text(main.read_text()[:-40])
    recordings, [skipped] = read_recordings([main])
    assert recordings == []
    assert skipped.reason.startswith("truncated JSON")


@pytest.mark.parametrize("missing", ["sessionId", "uuid", "parentUuid", "type"])
def test_all_keys_of_the_tree_are_asked_for(tmp_path: Path, missing: str) -> None:
    """Any other program's lines may have one or two of them."""
    entry = {key: value for key, value in line("u1", "user", "Hi").items() if key != missing}
    [container] = open_containers(written(tmp_path / "a.jsonl", [entry]))
    assert claude_code.detect(container) is not None


def test_the_real_session_with_its_sub_agent(real_logs: Path, tmp_path: Path) -> None:
    """Counted in the raw files: 14 + 20 calls and results, 11 messages with a thinking block, one error."""
    with Store.open(tmp_path / "t.duckdb") as store:
        result = ingest([real_logs / "samples/claude_code/subagents"], store)
        [run] = store.runs()
        steps = store.steps(run.id)
    main, side = result.sources
    assert (main.part_of, main.steps, side.part_of, side.steps) == (None, 30, main.source, 42)
    assert Counter(step.kind for step in steps) == {"tool_call": 33, "handoff": 1, "tool_result": 34, "message": 4}
    assert {step.agent for step in steps if step.kind != "tool_result"} == {"user", "claude", "solution-architect"}
    assert sum(step.reasoning_state == "present" for step in steps) == 11
    assert sum(len(step.parents) == 1 for step in steps if step.kind == "tool_result") == 33
    [error] = [step for step in steps if step.tool_status == "error"]
    assert (error.tool, error.tool_rule, error.agent) == ("Read", "is_error", "Read")
    assert sum(step.output_tokens or 0 for step in steps) == 10_099 + 1_845
    assert (run.outcome, run.framework) == ("unknown", "claude-code")
    assert run.notes == ("lines that are no steps: file-history-snapshot 2, progress 1, summary 1, system 2",)


def test_the_real_hand_off_is_declared_on_both_sides(real_logs: Path) -> None:
    """Call -> prompt, the sub-agent's last word -> the result."""
    [(_, steps)] = read_recordings([real_logs / "samples/claude_code/subagents"])[0]
    assert (steps[1].kind, steps[1].recipient, steps[1].reasoning_state) == ("handoff", "solution-architect", "present")
    assert (steps[2].agent, steps[2].recipient, steps[2].parents) == ("claude", "solution-architect", (1,))
    assert (steps[44].agent, steps[44].kind, steps[44].parents) == ("solution-architect", "tool_result", (1, 43))


def test_the_real_file_of_odd_lines(real_logs: Path) -> None:
    """One stray line of another session, four that are no entries, an identifier that is used twice."""
    [(run, steps)] = read_recordings([real_logs / "samples/claude_code/v1_edge_cases.jsonl"])[0]
    assert Counter(step.kind for step in steps) == {"message": 8, "tool_call": 3, "tool_result": 1}
    assert [(step.tool, step.tool_rule) for step in steps if step.tool_status == "error"] == [
        ("FailingTool", "is_error")
    ]
    assert all(step.reasoning_state == "absent" for step in steps)
    assert run.notes == ("lines that are no steps: ? 4, summary 1", "2 messages without content")
