"""AG2 and AutoGen 0.2 chat histories: a list of {content, role, name}, bare or inside a ChatResult.

`role` is only one agent's view of the others, so the speaker is `name`. A step is an entry, but for an entry with
several tool calls or tool responses, which gives one step for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.history import chat_step, join_code_runs
from tracer.collectors.messages import normalise, steps_from_messages
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

HOLDERS = ("chat_history", "messages", "history")
"""Keys under which the history stands when the file is an object (ChatResult uses the first)."""
_TOOLS = ("tool", "function")  # tuples: in a hostile log a role may be anything, and a set would need its hash
_WORST_FIRST = ("error", "empty", "unknown", "ok")
_OTHERS = frozenset({"trajectory_format", "mistake_agent", "choices", "info", "traj", "stop_reason"})
"""Keys of formats that hold such a list, too, and say more about it."""


def _history(container: Container) -> tuple[Any, str] | None:
    """The history and its JSON pointer, or None where there is no such list."""
    if container.kind == "jsonl":
        return [document.value for document in container.documents], ""
    if container.kind != "json":
        return None
    value = container.documents[0].value
    if isinstance(value, dict):
        key = next((key for key in HOLDERS if isinstance(value.get(key), list)), None)
        return (value[key], f"/{key}") if key and not _OTHERS & value.keys() else None
    return (value, "") if isinstance(value, list) else None


def detect(container: Container) -> str | None:
    """Ours when at least two speakers are named, and every entry but system texts names its speaker."""
    found = _history(container)
    if found is None or not found[0] or not all(isinstance(entry, dict) for entry in found[0]):
        return "no list of messages"
    entries = [entry for entry in found[0] if entry.get("role") not in ("system", "developer")]
    if not all("content" in entry and entry.get("role") in (*_TOOLS, "user", "assistant") for entry in entries):
        return "no list of {content, role, name}"
    names = [entry.get("name") for entry in entries if entry.get("role") not in _TOOLS]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < 2:
        return "speakers are not named"
    return None


def read(container: Container) -> Batch:
    """One run; how it ended is not in the file."""
    found = _history(container)
    if found is None:
        raise BadInputError(f"{container.source}: no chat history")
    history, root = found
    steps = history_steps(history, container.source, root)
    digest = content_hash(history)
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=container.source,
        format="ag2",
        framework="ag2",
        task=next((step.content.strip() for step in steps if step.kind != "system"), ""),
    )
    return Batch(recordings=(Recording(run, steps),))


def history_steps(history: list[dict[str, Any]], file: str, root: str, *, one_each: bool = False) -> tuple[Step, ...]:
    """The steps of a history; entries with tool calls or responses go through the general message reader.

    With `one_each` every entry is exactly one step, as labels count them: its calls, or its results, become one.
    """
    steps: list[Step] = []
    calls: dict[str, Step] = {}
    for i, entry in enumerate(history):
        pointer = Pointer(file=file, path=f"{root}/{i}")
        uses_tools = entry.get("tool_calls") or entry.get("tool_responses") or entry.get("role") in _TOOLS
        found = _tool_steps(entry, pointer, calls) if uses_tools else []
        made = [_folded(found)] if one_each and found else found
        if not made and (one_each or not uses_tools):
            made = [chat_step(0, entry, pointer)]
        for k, step in enumerate(found):
            if step.kind in {"tool_call", "handoff"} and step.call_id:
                calls[step.call_id] = step.model_copy(update={"index": len(steps) + (0 if one_each else k)})
        steps += [step.model_copy(update={"index": len(steps) + k}) for k, step in enumerate(made)]
    return join_code_runs(steps)


def _tool_steps(entry: Mapping[str, Any], pointer: Pointer, calls: Mapping[str, Step]) -> list[Step]:
    """Calls and results of one entry; a result's parent is the call with its id, wherever that stands."""
    responses = entry.get("tool_responses")
    speaker = entry.get("name")
    if isinstance(responses, list) and responses:
        messages = [normalise({"role": "tool", **item}, pointer) for item in responses if isinstance(item, dict)]
    else:
        messages = [normalise(entry, pointer)]
    found: list[Step] = []
    for step in steps_from_messages([message._replace(agent=speaker) if speaker else message for message in messages]):
        call = calls.get(step.call_id or "") if step.kind == "tool_result" else None
        update: dict[str, Any] = {"parents": (call.index,) if call else ()}
        if call and not step.tool:
            update["tool"] = call.tool
        found.append(step.model_copy(update=update))
    return found


def _folded(found: list[Step]) -> Step:
    """Several calls, or several results, as one step; the worst of its outcomes counts."""
    told = [step for step in found if step.tool_status]
    worst = min(told, key=lambda step: _WORST_FIRST.index(step.tool_status or "ok"), default=found[0])
    return found[0].model_copy(
        update={
            "content": "\n\n".join(step.content for step in found if step.content),
            "tool": ", ".join(dict.fromkeys(step.tool for step in found if step.tool)) or None,
            "arguments": "\n".join(step.arguments for step in found if step.arguments) or None,
            "tool_status": worst.tool_status,
            "tool_rule": worst.tool_rule,
            "parents": tuple(dict.fromkeys(parent for step in found for parent in step.parents)),
        }
    )


COLLECTOR = Collector("ag2", detect, read)
