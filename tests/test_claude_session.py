"""The run of a Claude Code session: blocks put together, threads woven, what was rewound left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.ingest import read_recordings
from tracer.records import Recording

Line = dict[str, Any]

THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "s"}
SEALED = {"type": "thinking", "thinking": "", "signature": "s"}


def line(uuid: str, kind: str, content: Any, parent: str | None = None, **more: Any) -> Line:
    """One entry; the clock moves with the identifier's number."""
    return {
        "type": kind,
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": "s",
        "isSidechain": False,
        "timestamp": f"2026-01-02T03:00:{int(uuid[1:]) % 60:02}.000Z",
        "message": {"role": kind, "content": content} | more.pop("message", {}),
        **more,
    }


def use(number: int, name: str = "Bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"t{number}", "name": name, "input": arguments}


def brought(number: int, content: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"t{number}", "content": content, **more}


def told(tmp_path: Path, lines: list[Line]) -> Recording:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in lines), encoding="utf-8")
    [recording] = read_recordings([path])[0]
    return recording


def said(tmp_path: Path, lines: list[Line]) -> list[tuple[str, str]]:
    return [(step.agent, step.content) for step in told(tmp_path, lines).steps]


def test_the_lines_of_one_message_are_one_message(tmp_path: Path) -> None:
    """Thought, words and call make one step; tokens are those of the last line."""
    usage = [{"id": "m1", "usage": {"input_tokens": 9, "output_tokens": n}} for n in (1, 2, 40)]
    lines = [
        line("u1", "user", "Hi"),
        line("a2", "assistant", [THOUGHT], "u1", message=usage[0]),
        line("a3", "assistant", [{"type": "text", "text": "I look."}], "a2", message=usage[1]),
        line("a4", "assistant", [use(1, command="ls")], "a3", message=usage[2]),
    ]
    step = told(tmp_path, lines).steps[1]
    assert (step.kind, step.content, step.reasoning, step.arguments) == (
        "tool_call",
        "I look.",
        "Let me see.",
        '{"command":"ls"}',
    )
    assert (step.input_tokens, step.output_tokens) == (9, 40)


def test_a_thought_that_was_withheld_is_unreadable(tmp_path: Path) -> None:
    """Only its signature is there."""
    lines = [line("a1", "assistant", [SEALED, {"type": "text", "text": "Yes."}], message={"id": "m1"})]
    [step] = told(tmp_path, lines).steps
    assert (step.content, step.reasoning, step.reasoning_state) == ("Yes.", None, "unreadable")


def test_history_that_is_written_again_counts_once(tmp_path: Path) -> None:
    """As with --input-format stream-json in 1.0.67: new identifiers, the same message ids and times."""
    first = [
        line("u1", "user", "Hi"),
        line("a2", "assistant", [use(1)], "u1", message={"id": "m1"}),
        line("u3", "user", [brought(1, "ok")], "a2"),
    ]
    again = [{**each, "uuid": f"{each['uuid']}x", "parentUuid": None} for each in first]
    assert said(tmp_path, first + again) == [("user", "Hi"), ("claude", ""), ("Bash", "ok")]


def test_a_rewound_branch_is_left_out_and_counted(tmp_path: Path) -> None:
    """Two prompts under one reply: the one that goes on counts."""
    lines = [
        line("u1", "user", "Hi"),
        line("a2", "assistant", "Hello.", "u1", message={"id": "m1"}),
        line("u3", "user", "Delete it.", "a2"),
        line("a4", "assistant", "Deleted.", "u3", message={"id": "m2"}),
        line("u5", "user", "Keep it.", "a2"),
        line("a6", "assistant", "Kept.", "u5", message={"id": "m3"}),
    ]
    run, steps = told(tmp_path, lines)
    assert [step.content for step in steps] == ["Hi", "Hello.", "Keep it.", "Kept."]
    assert run.notes == ("2 lines of branches that were rewound are left out",)


def test_parallel_calls_are_no_branches(tmp_path: Path) -> None:
    """Each result hangs on its own line of the same message."""
    lines = [
        line("u1", "user", "Hi"),
        line("a2", "assistant", [use(1)], "u1", message={"id": "m1"}),
        line("a3", "assistant", [use(2)], "a2", message={"id": "m1"}),
        line("u4", "user", [brought(1, "one")], "a2"),
        line("u5", "user", [brought(2, "two")], "a3"),
        line("a6", "assistant", "Done.", "u5", message={"id": "m2"}),
    ]
    run, steps = told(tmp_path, lines)
    assert [step.parents for step in steps] == [(), (), (), (1,), (2,), ()]
    assert run.notes == ()


def test_a_compaction_is_told_and_its_summary_is_the_agents_own(tmp_path: Path) -> None:
    """The run goes on behind it, on a new root."""
    lines = [
        line("u1", "user", "Hi"),
        {**line("s2", "system", ""), "subtype": "compact_boundary", "content": "Conversation compacted"},
        line("u3", "user", "The story so far.", isCompactSummary=True),
        line("u4", "user", "Go on.", "u3"),
    ]
    run, steps = told(tmp_path, lines)
    assert [(step.agent, step.kind) for step in steps] == [
        ("user", "message"),
        ("system", "system"),
        ("claude", "system"),
        ("user", "message"),
    ]
    assert run.task == "Hi"


def test_inline_side_chains_are_joined_by_their_prompt(tmp_path: Path) -> None:
    """1.x has no agent ids. Two sub-agents of one type keep their ids in their names."""
    ask = [use(n, "Task", subagent_type="Explore", prompt=prompt) for n, prompt in ((1, "Left."), (2, "Right."))]
    lines = [
        line("a1", "assistant", ask, message={"id": "m1"}),
        line("u2", "user", "Right.", isSidechain=True),
        line("a3", "assistant", "It is right.", "u2", isSidechain=True, message={"id": "m2"}),
        line("u4", "user", "Left.", isSidechain=True),
        line("a5", "assistant", "It is left.", "u4", isSidechain=True, message={"id": "m3"}),
        line("u6", "user", [brought(1, "It is left."), brought(2, "It is right.")], "a1"),
    ]
    steps = told(tmp_path, lines).steps
    assert [(step.agent, step.parents) for step in steps] == [
        ("claude", ()),
        ("claude", ()),
        ("claude", (1,)),
        ("Explore u2", ()),
        ("claude", (0,)),
        ("Explore u4", ()),
        ("Explore u4", (0, 5)),
        ("Explore u2", (1, 3)),
    ]


@pytest.mark.parametrize(
    ("details", "flags", "outcome"),
    [
        ({"interrupted": True}, {}, ("error", "interrupted")),
        ("Error: no", {"is_error": True}, ("error", "is_error")),
        ({"interrupted": False}, {"is_error": False}, ("ok", "is_error")),
    ],
)
def test_the_rule_that_says_how_a_call_ended_is_kept(
    tmp_path: Path, details: Any, flags: dict[str, Any], outcome: tuple[str, str]
) -> None:
    """A stop by the user is an error that no flag states."""
    lines = [
        line("a1", "assistant", [use(1)], message={"id": "m1"}),
        line("u2", "user", [brought(1, "text", **flags)], "a1", toolUseResult=details),
    ]
    step = told(tmp_path, lines).steps[1]
    assert (step.tool_status, step.tool_rule) == outcome


def test_entries_that_are_each_others_parent_end(tmp_path: Path) -> None:
    """A loop in a hostile file."""
    lines = [line("u1", "user", "a", "u2"), line("u2", "user", "b", "u1"), line("u3", "user", "c", "u3")]
    assert len(told(tmp_path, lines).steps) >= 1


def test_a_session_of_five_thousand_turns_in_one_chain_is_read(tmp_path: Path) -> None:
    """No recursion over the tree."""
    lines = [line(f"u{n}", "user", f"turn {n}", f"u{n - 1}") for n in range(1, 5_001)]
    assert len(told(tmp_path, lines).steps) == 5_000
