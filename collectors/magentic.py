"""Magentic-One histories: a list of {content, role} whose roles read `Orchestrator (-> WebSurfer)`.

The agent is the part before the parenthesis; what is inside says what kind of step it is: `thought` (plans, ledgers,
stall notices), `-> X` (an instruction to X), `termination condition`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.history import EXECUTOR_RESULT, text_of
from tracer.collectors.orchestrator import bookkeeping
from tracer.collectors.tool_outcome import from_text
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

ROLE = re.compile(
    r"\A(?P<agent>[^()\n]{1,80}?)\s*\((?P<rest>->\s*(?P<to>[^()\s][^()\n]{0,79})|thought|termination[^()\n]{0,40})\)\Z"
)
_FINAL = re.compile(r"\bFINAL ANSWER\b")


def is_magentic(history: Any) -> bool:
    """True for a list of {content, role} with at least one role of the Magentic kind."""
    if not isinstance(history, list) or not history:
        return False
    if not all(
        isinstance(entry, dict) and "content" in entry and isinstance(entry.get("role"), str) for entry in history
    ):
        return False
    return any(ROLE.match(entry["role"]) for entry in history)


def magentic_step(index: int, entry: Mapping[str, Any], pointer: Pointer) -> Step:
    """One history entry as a step."""
    role, content = str(entry["role"]), text_of(entry.get("content"))
    found = ROLE.match(role)
    if found is None:
        return _member_step(index, role, content, pointer)
    base = Step(index=index, agent=found["agent"], kind="message", role=role, content=content, pointer=pointer)
    if found["to"]:
        return base.model_copy(update={"kind": "handoff", "recipient": found["to"].strip(), "marks": ("instruction",)})
    if found["rest"].startswith("termination"):
        return base.model_copy(
            update={"kind": "termination", "marks": ("final_answer",) if _FINAL.search(content) else ()}
        )
    books = bookkeeping(content)
    return base.model_copy(
        update={"kind": books.kind or "thought", "marks": books.marks, "recipient": books.next_agent}
    )


def _member_step(index: int, role: str, content: str, pointer: Pointer) -> Step:
    """A team member's own step; a surfer's message *is* the result of its action, so it carries the outcome."""
    base = Step(index=index, agent=role, kind="message", role=role, content=content, pointer=pointer)
    if role.lower() in {"human", "user", "system"}:
        return base
    outcome = from_text(content)
    update: dict[str, Any] = {"tool_status": outcome.status, "tool_rule": outcome.rule}
    if EXECUTOR_RESULT.match(content) or "terminal" in role.lower():
        update |= {"kind": "tool_result", "tool": "code"}
    return base.model_copy(update=update)


def magentic_steps(history: Sequence[Mapping[str, Any]], file: str, root: str) -> tuple[Step, ...]:
    """All steps of a history; the one that follows an instruction names it as its parent."""
    steps = [magentic_step(i, entry, Pointer(file=file, path=f"{root}/{i}")) for i, entry in enumerate(history)]
    asked: dict[str, int] = {}
    for step in steps:
        if step.agent in asked:
            steps[step.index] = step.model_copy(update={"parents": (asked.pop(step.agent),)})
        if step.kind == "handoff" and step.recipient:
            asked[step.recipient] = step.index
    return tuple(steps)


def detect(container: Container) -> str | None:
    """Ours when the file is one JSON array of Magentic entries."""
    if container.kind != "json":
        return "not one JSON value"
    return None if is_magentic(container.documents[0].value) else "no role such as 'Orchestrator (thought)'"


def read(container: Container) -> Batch:
    """One run; how it ended is not in the file."""
    history = container.documents[0].value
    digest = content_hash(history)
    steps = magentic_steps(history, container.source, "")
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=container.source,
        format="magentic_one",
        framework="magentic-one",
        task=next((step.content.strip() for step in steps if step.agent.lower() in {"human", "user"}), ""),
    )
    return Batch(recordings=(Recording(run, steps),))


COLLECTOR = Collector("magentic_one", detect, read)
