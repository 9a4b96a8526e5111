"""Coding agents' logs with any one value replaced by any other: records, or one line; never a traceback."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.registry import COLLECTORS, derive
from tracer.errors import BadInputError
from tracer.rows import to_row

ODD: list[Any] = [None, True, -1, 2**63, "", "x", [], [1], [None], {"a": 1}, ...]
"""What stands in the place of a value; ... takes it away."""
CALL = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"subagent_type": "b", "prompt": "Go."}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}], "is_error": True}
USAGE = {"input_tokens": 1, "output_tokens": 2, "prompt_tokens": 1, "completion_tokens": 2}
REPLY = {"id": "r", "model": "m", "usage": USAGE, "choices": [{"message": {"reasoning_content": "y"}}]}


def claude(number: int, kind: str, content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": kind, "id": f"m{number}", "content": content, "usage": USAGE, "model": "m"}
    tree = {"sessionId": "s", "uuid": str(number), "parentUuid": str(number - 1), "timestamp": "2026-01-01T00:00:00Z"}
    return {"type": kind, **tree, "isSidechain": False, "message": message, **more}


def codex(kind: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload}


LOGS: dict[str, list[Any]] = {
    "claude_code": [
        claude(1, "user", "Go."),
        claude(2, "assistant", [{"type": "thinking", "thinking": "t", "signature": "s"}, CALL]),
        claude(3, "user", [RESULT], toolUseResult={"agentId": "a", "interrupted": True}),
        claude(4, "user", "Go.", isSidechain=True, agentId="a"),
        {"type": "progress", "data": {"agentId": "a"}, "parentToolUseID": "t1", "sessionId": "s", "uuid": "p"},
    ],
    "codex_cli": [
        codex("session_meta", id="p", source={"subagent": {"thread_spawn": {"parent_thread_id": "q"}}}, agent_role="r"),
        codex("response_item", type="reasoning", summary=[], encrypted_content="x"),
        codex("response_item", type="function_call", call_id="c", name="spawn_agent", arguments='{"agent_type": "x"}'),
        codex("event_msg", type="exec_command_end", call_id="c", exit_code=1),
        codex("event_msg", type="token_count", info={"total_token_usage": USAGE, "last_token_usage": USAGE}),
        codex("response_item", type="function_call_output", call_id="c", output={"content": "x", "metadata": {}}),
    ],
    "gemini_cli": [
        {
            "sessionId": "s",
            "projectHash": "h",
            "messages": [
                {"type": "user", "content": [{"text": "Go."}]},
                {
                    "type": "gemini",
                    "content": "x",
                    "thoughts": [{"subject": "a", "description": "b"}],
                    "tokens": {"input": 1, "thoughts": 2},
                    "toolCalls": [{"id": "c", "name": "n", "args": {}, "status": "error", "result": [
                        {"functionResponse": {"response": {"error": "e"}}}]}],
                },
            ],
        }
    ],
    "swe_agent": [
        {
            "trajectory": [{"action": "ls", "observation": "x", "thought": "t", "query": [{"role": "user"}]}],
            "history": [
                {"role": "user", "content": "Go.", "is_demo": False, "agent": "main"},
                {"role": "assistant", "action": "ls", "thinking_blocks": [CALL], "tool_calls": [
                    {"id": "c", "function": {"name": "bash", "arguments": "{}"}}]},
            ],
            "info": {"exit_status": "exit_cost", "submission": None},
        }
    ],
    "mini_swe_agent": [
        {
            "trajectory_format": "mini-swe-agent-1.1",
            "info": {"exit_status": "x", "config": {"model": {"model_name": "m"}}},
            "messages": [
                {"role": "assistant", "content": "t", "extra": {"response": REPLY, "actions": [
                    {"command": "ls", "tool_call_id": "c"}]}},
                {"role": "tool", "tool_call_id": "c", "content": "x", "extra": {"returncode": 1, "timestamp": 5}},
                {"object": "response", "output": [{"type": "message", "role": "assistant", "content": "x"}]},
            ],
        }
    ],
    "openhands": [
        {"kind": "ConversationStateUpdateEvent", "source": "environment", "key": "stats", "value": {
            "usage_to_metrics": {"a": {"model_name": "m", "accumulated_token_usage": USAGE}}}},
        {"kind": "ActionEvent", "source": "agent", "id": "a", "thought": [{"type": "text", "text": "t"}],
         "thinking_blocks": [], "tool_call": {"id": "c", "name": "n", "arguments": "{}"}, "tool_call_id": "c"},
        {"kind": "ObservationEvent", "source": "environment", "action_id": "a", "observation": {
            "content": [{"type": "text", "text": "x"}], "is_error": True, "metadata": {"exit_code": 1}}},
    ],
    "openhands V0": [
        {"id": 1, "timestamp": "t", "source": "agent", "action": "delegate", "args": {"agent": "B", "thought": "t"},
         "tool_call_metadata": {"tool_call_id": "c", "function_name": "f", "model_response": REPLY}},
        {"id": 2, "timestamp": "t", "source": "agent", "observation": "run", "content": "x", "cause": 1,
         "extras": {"metadata": {"exit_code": 0}, "agent_state": "error"}},
    ],
    "atif": [
        {
            "schema_version": "ATIF-v1.7",
            "agent": {"name": "a", "model_name": "m"},
            "steps": [
                {"source": "agent", "message": [{"type": "text", "text": "x"}], "metrics": USAGE, "tool_calls": [
                    {"tool_call_id": "c", "function_name": "f", "arguments": {"a": 1}}], "observation": {"results": [
                        {"source_call_id": "c", "content": "x", "extra": {"tracer": {"index": 0}},
                         "subagent_trajectory_ref": [{"trajectory_id": "b", "trajectory_path": "../b"}]}]}},
            ],
            "subagent_trajectories": [{"trajectory_id": "b", "agent": {"name": "b"}, "steps": []}],
            "extra": {"tracer": {"outcome": "failure"}},
        }
    ],
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a value in another."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    changed = holder = copy.deepcopy(value)
    for key in path[:-1]:
        holder = holder[key]
    if new is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(new)
    return changed


@pytest.mark.parametrize("name", LOGS)
def test_any_value_in_any_place_gives_records_or_one_line(tmp_path: Path, name: str) -> None:
    """Each step in its place, each parent before it, each value fit for the database."""
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, LOGS[name])))
    [container] = open_containers(tmp_path / "a.jsonl")
    [collector] = [each for each in COLLECTORS if each.name == name.split()[0]]
    assert collector.detect(container) is None
    values = [document.value for document in container.documents]
    for path in places(values):
        for new in ODD:
            changed = replaced(values, path, new)
            documents = [d._replace(value=v) for d, v in zip(container.documents, changed, strict=False)]
            other = container._replace(documents=tuple(documents))
            try:
                batch = collector.read(other) if collector.detect(other) is None else None
            except BadInputError:
                continue
            found = [*batch.recordings, *(pair[0] for pair in derive(batch.spans))] if batch else []
            for run, steps in found:
                to_row(run)
                for place, step in enumerate(steps):
                    to_row(step)
                    assert step.index == place
                    assert all(parent < place for parent in step.parents)
