"""A group chat's history: how one entry becomes a step. Shared by the formats that keep such a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.orchestrator import bookkeeping
from tracer.collectors.reasoning import from_fields, gather, split_think
from tracer.collectors.tool_outcome import from_text
from tracer.records import Pointer, Step

EXECUTOR_RESULT = re.compile(r"\A\s*exit ?code:\s*-?\d+", re.IGNORECASE)
_NOTHING_TO_RUN = re.compile(r"\AThere is no code from the last \d+ messages? for me to execute", re.IGNORECASE)
_TERMINATE = re.compile(r"\A\W*TERMINATE\W*\Z")
CODE_BLOCK = re.compile(r"```[\w+-]*[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL)


def text_of(content: Any) -> str:
    """An entry's content as text: None is empty, blocks are joined, anything else is shown as it stands."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            text_of(block.get("text", block)) if isinstance(block, dict) else text_of(block) for block in content
        )
    return str(content)


def chat_step(index: int, entry: Mapping[str, Any], pointer: Pointer) -> Step:
    """A step of an AutoGen-like chat: the speaker is `name`; `role` is only one agent's view of who spoke."""
    text, inline = split_think(text_of(entry.get("content")))
    content, thought = gather(text, [*from_fields(entry), *inline])
    role = str(entry.get("role") or "") or None
    base = Step(
        index=index,
        agent=str(entry.get("name") or entry.get("agent") or role or "unknown"),
        kind="message",
        role=role,
        content=content,
        reasoning=thought.text,
        reasoning_state=thought.state,
        reasoning_origin=thought.origin,
        pointer=pointer,
    )
    if _TERMINATE.match(content):
        return base.model_copy(update={"kind": "termination"})
    if EXECUTOR_RESULT.match(content):
        outcome = from_text(content)
        return base.model_copy(
            update={"kind": "tool_result", "tool": "code", "tool_status": outcome.status, "tool_rule": outcome.rule}
        )
    if _NOTHING_TO_RUN.match(content) or role == "system":
        return base.model_copy(update={"kind": "system"})
    books = bookkeeping(content)
    return base.model_copy(
        update={"kind": books.kind or "message", "marks": books.marks, "recipient": books.next_agent}
    )


def join_code_runs(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Tie each executor's output to the message whose code it ran.

    The executor of AutoGen runs the code blocks of the message before it, so that message becomes the tool_call and
    the declared parent. A plan keeps its kind: it is the plan that matters about it. A result that answers a call
    by its id knows its parent already.
    """
    joined = list(steps)
    for step in steps:
        before = joined[step.index - 1] if step.index else None
        if step.kind != "tool_result" or step.call_id or before is None or before.kind == "tool_result":
            continue
        joined[step.index] = step.model_copy(update={"parents": (before.index,)})
        code = CODE_BLOCK.findall(before.content)
        if code and before.kind == "message":
            joined[before.index] = before.model_copy(
                update={"kind": "tool_call", "tool": "code", "arguments": "\n\n".join(code)}
            )
    return tuple(joined)
