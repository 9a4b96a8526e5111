"""OpenHands V0: actions and observations, joined by `cause` -> messages.

The model's reply is repeated in `tool_call_metadata` of the action, of its observation and of parallel calls, so that
its tokens and reasoning count once, by its id. A delegate's events stand in the same stream, between the action that
started it and the observation that brings its result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import json_text, normalise
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import ToolOutcome, tool_outcome
from tracer.records import Pointer

AGENT = "openhands"
_BOOKKEEPING = frozenset(
    {"recall", "change_agent_state", "agent_state_changed", "null", "condensation_request", "initialize"}
)
_NAMES = {"run": "execute_bash", "run_ipython": "execute_ipython_cell", "call_tool_mcp": "mcp"}
"""Actions whose tool goes by another name, where the log states none."""
_SILENT = frozenset({"thought", "final_thought", "content", "image_urls", "wait_for_response"})
"""Arguments that are words of the agent, not of the call."""
_FAILED = frozenset({"error"})
Event = tuple[Mapping[str, Any], Pointer]


def is_event(value: Any) -> bool:
    """Does this look like an event of V0?"""
    if not isinstance(value, Mapping) or not isinstance(value.get("source"), str) or "timestamp" not in value:
        return False
    return ("action" in value or "observation" in value) and isinstance(value.get("id"), int)


def messages(events: Sequence[Event], left_out: Counter[str]) -> list[Message]:
    """What was said and done, each reply of the model charged once."""
    found: list[Message] = []
    calls: dict[Any, Call] = {}
    agents = [AGENT]
    replies: set[str] = set()
    for event, at in events:
        name = _name(event)
        message: Message | None = None
        if name in _BOOKKEEPING or not name:
            left_out[name or "?"] += 1
        elif "observation" in event:
            message = Message("tool", results=(_result(event, name, calls.get(event.get("cause"))),))
            if name == "delegate" and len(agents) > 1:
                agents.pop()
        else:
            message = _action(event, name, agents[-1], replies)
            if message.calls and "id" in event:
                calls[event["id"]] = message.calls[0]
            if name == "delegate":
                agents.append(str(_args(event).get("agent") or "delegate"))
        if message is not None and (message.text.strip() or message.calls or message.results):
            found.append(message._replace(started=utc(event.get("timestamp")), pointer=at))
    return found


def status(events: Sequence[Event]) -> str | None:
    """The last state of the agent, where it is one of failure."""
    states = [
        str(extras.get("agent_state"))
        for event, _ in events
        if event.get("observation") == "agent_state_changed" and isinstance(extras := event.get("extras"), Mapping)
    ]
    return states[-1] if states and states[-1].lower() in _FAILED else None


def _name(event: Mapping[str, Any]) -> str:
    value = event.get("observation") if "observation" in event else event.get("action")
    return value if isinstance(value, str) else ""


def _args(event: Mapping[str, Any]) -> Mapping[str, Any]:
    args = event.get("args")
    return args if isinstance(args, Mapping) else {}


def _metadata(event: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = event.get("tool_call_metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _action(event: Mapping[str, Any], name: str, agent: str, replies: set[str]) -> Message:
    """Words, or a call with the words before it."""
    args, metadata = _args(event), _metadata(event)
    words = next((args[key] for key in ("final_thought", "thought", "content") if _filled(args.get(key))), "")
    if name == "system" or event.get("source") == "environment":
        return Message("system", str(args.get("content") or event.get("message") or ""))
    if name == "message" and event.get("source") == "user":
        return Message("user", str(args.get("content") or event.get("message") or ""))
    if name == "condensation":
        return Message("system", str(args.get("summary") or event.get("message") or ""))
    message = _reply(words, metadata, replies)._replace(agent=agent)
    if name == "message":
        return message
    given = {key: value for key, value in args.items() if key not in _SILENT and value is not None}
    tool = str(metadata.get("function_name") or (args.get("name") if name == "call_tool_mcp" else None) or name)
    target = args.get("agent") if name == "delegate" else None
    call_id = metadata.get("tool_call_id") or event.get("id")
    call = Call(
        _NAMES.get(tool, tool),
        json_text(given) if given else "",
        None if call_id is None else str(call_id),
        str(target) if target else None,
    )
    return message._replace(calls=(call,))


def _filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _reply(words: str, metadata: Mapping[str, Any], replies: set[str]) -> Message:
    """The words, with the reasoning, the model and the tokens of a reply that was not met before."""
    response = metadata.get("model_response")
    response = response if isinstance(response, Mapping) else {}
    known = str(response.get("id")) in replies
    replies |= {str(response["id"])} if response.get("id") else set()
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    said = first.get("message") if isinstance(first.get("message"), Mapping) else {}
    fields = {key: said.get(key) for key in ("reasoning_content", "reasoning")} if said and not known else {}
    blocks = said.get("thinking_blocks") if said and not known else None
    listed = [each for each in blocks if isinstance(each, Mapping)] if isinstance(blocks, list) else []
    message = normalise({"role": "assistant", "content": [*listed, words], **fields})
    usage, model = response.get("usage"), response.get("model")
    message = message._replace(model=model if isinstance(model, str) else None)
    if known or not isinstance(usage, Mapping):
        return message
    counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")]
    read, wrote = (each if isinstance(each, int) else None for each in counts)
    return message._replace(input_tokens=read, output_tokens=wrote)


def _result(event: Mapping[str, Any], name: str, call: Call | None) -> Result:
    """What an action brought, and which field says how it ended."""
    extras, content = event.get("extras"), event.get("content")
    extras = extras if isinstance(extras, Mapping) else {}
    text = content if isinstance(content, str) else "" if content is None else json_text(content)
    metadata = extras.get("metadata")
    code = extras.get("exit_code", metadata.get("exit_code") if isinstance(metadata, Mapping) else None)
    if name in {"error", "user_rejected"}:
        outcome = ToolOutcome("error", f"observation: {name}")
    else:
        failed = extras.get("error") is True or event.get("success") is False
        outcome = tool_outcome(
            text,
            is_error=True if failed else None,
            exit_code=code if isinstance(code, int) and code != -1 else None,
        )
    stated = _metadata(event)
    call_id = call.id if call else stated.get("tool_call_id") or event.get("cause")
    tool = call.name if call else stated.get("function_name")
    return Result(text, str(call_id) if call_id is not None else None, tool if tool else None, *outcome)
