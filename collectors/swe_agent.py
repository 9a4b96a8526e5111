"""SWE-agent trajectories (`.traj`): what the model thought and did, and what the computer answered.

`trajectory` holds the steps and `history` the prompts: of the history only what stands before the first step is told,
without demonstrations. In 0.x the agent is called `primary`, in 1.x `main`. Whether the submitted patch is right is
not in the file; a run that ended otherwise and submitted nothing has failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording
from tracer.collectors.fields import items, objects
from tracer.collectors.json_values import Document
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import normalise
from tracer.collectors.tool_outcome import ToolOutcome, tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording

NAME = "swe_agent"
KEYS = ("trajectory", "history", "info")
SHELL = "bash"
COMMANDS = frozenset(
    [
        "open",
        "goto",
        "scroll_up",
        "scroll_down",
        "create",
        "edit",
        "insert",
        "append",
        "find_file",
        "search_dir",
        "search_file",
        "view_image",
        "submit",
        "undo_edit",
        "str_replace_editor",
        "edit_anthropic",
        "exit_forfeit",
        "exit_cost",
        "exit_context",
        "exit_error",
        "filemap",
    ]
)
"""The commands of SWE-agent's own; every other action is one of the shell."""
_NEAR = 4
"""So many replies of the history are compared with a step: some that were refused have no step."""
_REFUSED = re.compile(
    r"\A\s*(?:Your proposed edit has introduced new syntax error|EXECUTION TIMED OUT|COMMAND FAILED|"
    r"Operation .{1,80} is not supported|Your (?:last )?(?:command|edit) was (?:not|blocked))",
    re.IGNORECASE,
)


def detect(container: Container) -> str | None:
    """Ours when the first value has steps, prompts and an end."""
    if not container.documents or not isinstance(value := container.documents[0].value, Mapping):
        return "no JSON object"
    missing = [key for key in KEYS if key not in value]
    return f"no key {missing[0]!r}" if missing else None


def read(container: Container) -> Batch:
    """One run for each value."""
    return Batch(tuple(_recording(document, container.source) for document in container.documents))


def _recording(document: Document, source: str) -> Recording:
    value, at = document.value, Pointer(file=source, line=document.line)
    if not isinstance(value, Mapping) or not isinstance(value.get("trajectory"), list):
        raise BadInputError(f"{where(at)}: 'trajectory' is not a list of steps")
    history = objects(value.get("history"))
    shown = [each for each in history if not each.get("is_demo")]
    agent = next((str(each["agent"]) for each in shown if each.get("agent")), "main")
    prompts = _prompts(shown, value["trajectory"], child(at, "history"))
    steps = list(_steps(value["trajectory"], shown, agent, child(at, "trajectory")))
    demos = len(history) - len(shown)
    notes = (f"{demos} messages of demonstrations are left out",) if demos else ()
    made = recording(Conversation(value, (*prompts, *steps), notes=notes), source, NAME, framework="swe-agent")
    return Recording(made.run.model_copy(update=_end(value.get("info"))), made.steps)


def _prompts(shown: Sequence[Mapping[str, Any]], steps: Sequence[Any], at: Pointer) -> list[Message]:
    """What the agent was given before it acted; where there is no history, from the first step's own prompt."""
    if not shown and steps and isinstance(steps[0], Mapping):
        shown = objects(steps[0].get("query") or steps[0].get("messages"))
        shown = [each for each in shown if not each.get("is_demo")]
    found = []
    for number, entry in enumerate(shown):
        if entry.get("role") == "assistant":
            break
        message = normalise({"role": entry.get("role"), "content": entry.get("content")}, child(at, str(number)))
        found.append(message._replace(agent=None))
    return found


def _steps(steps: Sequence[Any], shown: Sequence[Mapping[str, Any]], agent: str, at: Pointer) -> Iterator[Message]:
    """Two messages for each step: what was thought and called, and what came back."""
    replies = [each for each in shown if each.get("role") == "assistant"]
    for number, step in enumerate(steps):
        place = child(at, str(number))
        if not isinstance(step, Mapping):
            raise BadInputError(f"{where(place)}: a step is {type(step).__name__}, not an object")
        action = step.get("action")
        action = action.strip() if isinstance(action, str) else ""
        near = enumerate(replies[:_NEAR])
        reply = next((n for n, each in near if str(each.get("action") or "").strip() == action), None)
        entry = replies[reply] if reply is not None else {}
        replies = replies[reply + 1 :] if reply is not None else replies
        call = _call(action, entry)
        yield _said(step, entry, agent, place)._replace(calls=(call,) if call else ())
        observation = step.get("observation")
        if call and isinstance(observation, str):
            yield Message("tool", results=(_result(observation, call),), pointer=place)
        elif isinstance(observation, str) and observation.strip():
            yield Message("system", observation, pointer=place)


def _said(step: Mapping[str, Any], entry: Mapping[str, Any], agent: str, at: Pointer) -> Message:
    """The thought, which is what SWE-agent calls the words before an action, and the model's own reasoning."""
    blocks = items(step.get("thinking_blocks") or entry.get("thinking_blocks"))
    words = next((step[key] for key in ("thought", "response") if isinstance(step.get(key), str) and step[key]), "")
    fields = {key: step.get(key) or entry.get(key) for key in ("reasoning_content", "reasoning")}
    content = [*(each for each in blocks if isinstance(each, Mapping)), {"type": "text", "text": words}]
    return normalise({"role": "assistant", "content": content, **fields}, at)._replace(agent=agent)


def _call(action: str, entry: Mapping[str, Any]) -> Call | None:
    """The action: of a model that calls functions, as it called it; else the line that was typed."""
    called = items(entry.get("tool_calls"))
    if len(called) == 1 and isinstance(called[0], Mapping):
        return normalise({"role": "assistant", "content": None, "tool_calls": called}).calls[0]
    if not action:
        return None
    word = action.split(maxsplit=1)[0]
    return Call(word if word in COMMANDS else SHELL, action)


def _result(observation: str, call: Call) -> Result:
    refused = _REFUSED.match(observation)
    outcome = ToolOutcome("error", "text: refused by the tool") if refused else tool_outcome(observation)
    return Result(observation, call.id, call.name, *outcome)


def _end(info: Any) -> dict[str, Any]:
    """The patch is the answer. Its worth is not known here, but an end without one is a failure."""
    info = info if isinstance(info, Mapping) else {}
    submission, status = info.get("submission"), info.get("exit_status")
    answer = submission if isinstance(submission, str) and submission.strip() else None
    if answer is None and isinstance(status, str) and status and "submitted" not in status.lower():
        return {"answer": None, "outcome": "failure", "outcome_source": f"exit_status: {status[:80]}"}
    return {"answer": answer}


COLLECTOR = Collector(NAME, detect, read)
