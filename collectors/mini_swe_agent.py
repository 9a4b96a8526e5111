"""mini-swe-agent: one conversation in which the model writes shell commands and reads what they print.

Version 1 writes the command in a fence and reads `<returncode>`; version 2 (format 1.1) calls a tool, and keeps return
codes, times and the model's reply under `extra`. The oldest files are a bare list of messages: they are told from any
other chat by their name (`.traj.json`) or by the fence. Whether the patch is right is not in the file; a run that
ended otherwise and submitted nothing has failed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording
from tracer.collectors.json_values import Document
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, is_message, merge_reasoning, normalise
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import ToolOutcome, tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording

NAME = "mini_swe_agent"
AGENT = "mini-swe-agent"
SHELL = "bash"
FENCE = "mswea_bash_command"
_SUFFIX = ".traj.json"
_SAMPLE = 20
_ACTIONS = [re.compile(rf"```{tag}[ \t]*\n(.*?)\n```", re.DOTALL) for tag in (FENCE, "bash", "sh")]
"""The fences of an action, by configuration; where one is used, another shows code and does nothing."""
_RETURNED = re.compile(r"\A\s*<returncode>\s*(-?\d+)\s*</returncode>")
_TIMED_OUT = re.compile(r"\A\s*The last command\b.{0,4000}\btimed out\b", re.DOTALL)
_OUTPUT = re.compile(r"</?(?:output|returncode)>")
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")


def detect(container: Container) -> str | None:
    """Ours when the envelope says so, or when a bare list of messages has the name or the fence."""
    value = container.documents[0].value if container.documents else None
    if isinstance(value, Mapping):
        stated = value.get("trajectory_format")
        if isinstance(stated, str) and stated.startswith("mini-swe-agent"):
            return None if isinstance(value.get("messages"), list) else "no list 'messages'"
        return "no 'trajectory_format' of mini-swe-agent"
    if not isinstance(value, list) or not value or not all(is_message(each) for each in value[:_SAMPLE]):
        return "no envelope and no list of messages"
    if container.source.lower().removesuffix(".gz").endswith(_SUFFIX):
        return None
    fenced = any(f"```{FENCE}" in each["content"] for each in value[:_SAMPLE] if isinstance(each.get("content"), str))
    return None if fenced else f"a bare list without the name *{_SUFFIX} or the fence {FENCE}"


def read(container: Container) -> Batch:
    """One run for each value."""
    return Batch(tuple(_recording(document, container.source) for document in container.documents))


def _recording(document: Document, source: str) -> Recording:
    value, at = document.value, Pointer(file=source, line=document.line)
    envelope: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    listed, place = (envelope.get("messages"), child(at, "messages")) if envelope else (value, at)
    if not isinstance(listed, list):
        raise BadInputError(f"{where(at)}: no list of messages")
    info = envelope.get("info")
    info = info if isinstance(info, Mapping) else {}
    messages = _messages(listed, place, _model(info))
    made = recording(Conversation(value, tuple(messages)), source, NAME, framework="mini-swe-agent")
    times = [step.started for step in made.steps if step.started]
    group = envelope.get("instance_id")
    update = {"group": group if isinstance(group, str) else None, "ended": max(times, default=None), **_end(info)}
    return Recording(made.run.model_copy(update=update), made.steps)


def _model(info: Mapping[str, Any]) -> str | None:
    found: Any = info
    for key in ("config", "model", "model_name"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None


def _messages(listed: Sequence[Any], at: Pointer, model: str | None) -> list[Message]:
    """Each command is answered by the message behind it, unless that refuses the form of the message."""
    found: list[Message] = []
    for number, entry in enumerate(listed):
        place = child(at, str(number))
        if not isinstance(entry, Mapping):
            raise BadInputError(f"{where(place)}: a message is {type(entry).__name__}, not an object")
        extra = entry.get("extra")
        extra = extra if isinstance(extra, Mapping) else {}
        before = found[-1] if found else None
        if isinstance(entry.get("output"), list) or entry.get("role") == "assistant":
            found += _reply(entry, extra, place, model)
        elif entry.get("role") == "exit":
            found.append(Message("system", str(entry.get("content") or ""), pointer=place))
        elif before and before.role == "assistant" and before.calls and entry.get("role") in ("user", "system"):
            found.append(_answer(normalise(entry, place).text, before.calls[-1], extra, place))
        else:
            found.append(_given(normalise(entry, place), extra))
    return [
        message for message in found if message.text.strip() or message.calls or message.results or _thinks(message)
    ]


def _thinks(message: Message) -> bool:
    return message.reasoning_state != "absent"


def _reply(entry: Mapping[str, Any], extra: Mapping[str, Any], at: Pointer, model: str | None) -> list[Message]:
    """What the model said, with what the provider's reply behind it adds: reasoning, tokens, the model's name."""
    response = entry if isinstance(entry.get("output"), list) else extra.get("response")
    response = response if isinstance(response, Mapping) else {}
    if "output" in entry:
        items = [each for each in entry["output"] if isinstance(each, Mapping)]
        messages = merge_reasoning([normalise(each, child(at, f"output/{n}")) for n, each in enumerate(items)])
    else:
        messages = [normalise({**_thoughts(response), **entry}, at)]
    if messages and not any(each.calls for each in messages):
        messages[-1] = messages[-1]._replace(calls=_typed(messages[-1].text, extra))
    started = utc(extra.get("timestamp")) or utc(response.get("created") or response.get("created_at"))
    stated = response.get("model")
    named = stated if isinstance(stated, str) else model
    messages = [each._replace(agent=AGENT, model=named, started=started) for each in messages]
    return [_counted(messages[0], response.get("usage")), *messages[1:]] if messages else []


def _thoughts(response: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of reasoning in a chat completion."""
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    return {key: message[key] for key in _THOUGHT_FIELDS if message.get(key)} if isinstance(message, Mapping) else {}


def _typed(text: str, extra: Mapping[str, Any]) -> tuple[Call, ...]:
    """The commands that the program took out of the reply, else the one in its only fence."""
    actions = extra.get("actions")
    listed = [each for each in actions if isinstance(each, Mapping)] if isinstance(actions, list) else []
    if listed:
        return tuple(
            Call(SHELL, arguments_text(each.get("command")), each.get("tool_call_id") or None) for each in listed
        )
    fences = next((found for fence in _ACTIONS if (found := fence.findall(text))), [])
    return (Call(SHELL, fences[0]),) if len(fences) == 1 else ()


def _counted(message: Message, usage: Any) -> Message:
    """With the tokens as stated; reasoning that was paid for and is not shown cannot be read."""
    if not isinstance(usage, Mapping):
        return message
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    wrote = usage.get("completion_tokens", usage.get("output_tokens"))
    details = usage.get("completion_tokens_details", usage.get("output_tokens_details"))
    thought = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    if message.reasoning_state == "absent" and isinstance(thought, int) and thought > 0:
        message = message._replace(reasoning_state="unreadable", reasoning_origin="usage: reasoning tokens")
    return message._replace(
        input_tokens=read if isinstance(read, int) else None, output_tokens=wrote if isinstance(wrote, int) else None
    )


def _answer(text: str, call: Call, extra: Mapping[str, Any], at: Pointer) -> Message:
    result = Result(text, call.id, call.name, *_outcome(text, extra))
    return Message("tool", results=(result,), started=utc(extra.get("timestamp")), pointer=at)


def _given(message: Message, extra: Mapping[str, Any]) -> Message:
    """A prompt, or a tool's answer with its return code."""
    results = tuple(
        each._replace(status=outcome.status, rule=outcome.rule)
        for each in message.results
        if (outcome := _outcome(each.content, extra))
    )
    return message._replace(results=results, started=utc(extra.get("timestamp")), agent=None)


def _outcome(text: str, extra: Mapping[str, Any]) -> ToolOutcome:
    """The return code decides; a command that printed nothing brought nothing."""
    found, stated = _RETURNED.match(text), extra.get("returncode")
    code = stated if isinstance(stated, int) else int(found[1]) if found else None
    if _TIMED_OUT.match(text):
        return ToolOutcome("error", "text: timed out")
    if code is None:
        return tool_outcome(text)
    if code != 0:
        return ToolOutcome("error", f"returncode {code}")
    printed = _OUTPUT.sub("", text[found.end() :] if found else text)
    return ToolOutcome("ok" if printed.strip() else "empty", "returncode 0")


def _end(info: Mapping[str, Any]) -> dict[str, Any]:
    """The patch is the answer. Its worth is not known here, but an end without one is a failure."""
    submission, status = info.get("submission"), info.get("exit_status")
    answer = submission if isinstance(submission, str) and submission.strip() else None
    if answer is None and isinstance(status, str) and status and status.lower() != "submitted":
        return {"answer": None, "outcome": "failure", "outcome_source": f"exit_status: {status[:80]}"}
    return {"answer": answer}


COLLECTOR = Collector(NAME, detect, read)
