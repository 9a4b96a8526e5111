"""Messages -> steps: one step per message, or one per call and per result where a message makes several.

A result's declared parent is the call with its id; where no ids are logged, the last call that nothing answered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracer.collectors.json_values import loads
from tracer.collectors.message import Call, Message, Result
from tracer.errors import BadInputError
from tracer.records import Step, StepKind

PLAIN_ROLES = frozenset(
    {"user", "assistant", "system", "developer", "tool", "function", "human", "ai", "model", "unknown"}
)
SILENT_TOOLS = frozenset({"think"})
"""Scratch pads: their empty answer brought nothing because nothing was asked."""
_ROLE = re.compile(r"(?P<agent>[^()]+?)\s*\((?:->\s*(?P<recipient>[^()]+)|(?P<note>[^()]*))\)\s*\Z")
_MAX_ROLE = 200
"""A longer role is no name with a remark, and the pattern would take its time over it."""
_HANDOFF = re.compile(
    r"(?:transfer(?:red)?(?:_back)?_to|hand_?off(?:_to)?|delegate(?:_to)?)(?:_+(?P<target>.+))?\Z", re.IGNORECASE
)
_ANYBODY = frozenset({"agent", "another_agent", "other_agent"})
"""`transfer_to_agent` names nobody; its arguments do."""
_TARGET_KEYS = ("agent", "agent_name", "target", "target_agent", "to", "recipient", "coworker", "assignee")
_TERMINATION = re.compile(r"\W*(?:TERMINATE|STOP)\W*\Z")
_BESIDE = slice(Message._fields.index("reasoning"), Message._fields.index("pointer"))
"""What stands in a message beside its words: one look says that there is nothing, as in most."""
_NOTHING = Message("")[_BESIDE]


class _Open(NamedTuple):
    """A call that a result may answer."""

    step: int
    tool: str
    agent: str


class _Speaker(NamedTuple):
    """Who a message is by."""

    agent: str
    recipient: str | None
    note: str | None


def steps_from_messages(messages: Sequence[Message]) -> tuple[Step, ...]:
    """The steps of one run, numbered from 0. Tokens count once: on a message's first step."""
    steps: list[Step] = []
    by_id: dict[str, _Open] = {}
    unanswered: list[_Open] = []
    speakers: dict[tuple[str, str | None], _Speaker] = {}  # few, who take many turns
    for message in messages:
        who = (message.role, message.agent)
        speaker = speakers.get(who) or speakers.setdefault(who, _speaker(message))
        if message[_BESIDE] == _NOTHING or _only_speaks(message):
            steps.append(_speech_step(message, speaker, len(steps)))
            continue
        first = len(steps)
        for position, call in enumerate(message.calls):
            steps.append(_call_step(message, speaker, call, len(steps), first=position == 0))
            unanswered.append(_Open(steps[-1].index, call.name, speaker.agent))
            if call.id:
                by_id[call.id] = unanswered[-1]
        for result in message.results:
            answered = _answered(result, by_id, unanswered)
            steps.append(_result_step(message, result, answered, len(steps)))
        if not message.calls and (message.text or not message.results):
            steps.append(_speech_step(message, speaker, len(steps)))
        if message.input_tokens is not None or message.output_tokens is not None:
            tokens = {"input_tokens": message.input_tokens, "output_tokens": message.output_tokens}
            steps[first] = steps[first].model_copy(update=tokens)
    return tuple(steps)


def _only_speaks(message: Message) -> bool:
    """As most messages do: one step, with nothing to count."""
    tokens = message.input_tokens is not None or message.output_tokens is not None
    return not (message.calls or message.results or tokens)


def _speaker(message: Message) -> _Speaker:
    """An explicit name, else the role's own words ("Orchestrator (-> WebSurfer)"), else the plain role."""
    long = len(message.role) > _MAX_ROLE
    found = None if long or message.role in PLAIN_ROLES else _ROLE.match(message.role)
    if found is None:
        return _Speaker(message.agent or message.role, None, None)
    return _Speaker(message.agent or found["agent"], found["recipient"], found["note"])


def _shared(message: Message) -> dict[str, Any]:
    """What every step of a message takes from it, as far as it is there: a field that is not given costs no check."""
    found: dict[str, Any] = {"role": message.role, "pointer": message.pointer}
    if message.model is not None:
        found["model"] = message.model
    if message.started is not None or message.ended is not None:
        found |= {"started": message.started, "ended": message.ended}
    if message.raw_time is not None:
        found["raw_time"] = message.raw_time
    if message.span_id is not None:
        found["span_id"] = message.span_id
    return found


def _thought(message: Message) -> dict[str, Any]:
    if message.reasoning_state == "absent":
        return {}
    return {
        "reasoning": message.reasoning,
        "reasoning_state": message.reasoning_state,
        "reasoning_origin": message.reasoning_origin,
    }


def _speech_step(message: Message, speaker: _Speaker, index: int) -> Step:
    fields = {
        "index": index,
        "agent": speaker.agent,
        "kind": _kind(message, speaker),
        "role": message.role,
        "content": message.text,
        "recipient": speaker.recipient,
        "pointer": message.pointer,
    }
    if message[_BESIDE] != _NOTHING:
        fields |= _shared(message) | _thought(message)
    return Step.trusted(fields)


def _kind(message: Message, speaker: _Speaker) -> StepKind:
    if message.role in {"system", "developer"}:
        return "system"
    note = speaker.note
    if _TERMINATION.match(message.text) or (note and note.startswith("termination")):
        return "termination"
    if note == "thought" or (message.reasoning_state != "absent" and not message.text.strip()):
        return "thought"
    return "message"


def _call_step(message: Message, speaker: _Speaker, call: Call, index: int, *, first: bool) -> Step:
    """The first of several calls carries the message's words and reasoning."""
    hands_off, target = handoff_target(call)
    return Step(
        index=index,
        agent=speaker.agent,
        kind="handoff" if hands_off else "tool_call",
        content=message.text if first else "",
        recipient=target if hands_off else speaker.recipient,
        tool=call.name,
        arguments=call.arguments or None,
        call_id=call.id,
        **(_thought(message) if first else {}),
        **_shared(message),
    )


def _result_step(message: Message, result: Result, call: _Open | None, index: int) -> Step:
    tool = result.name or (call.tool if call else None)
    executor = None if message.calls else message.agent
    status, rule = result.status, result.rule
    if status == "empty" and tool in SILENT_TOOLS:
        status, rule = "ok", "a tool that never answers"
    return Step(
        index=index,
        agent=executor or tool or "tool",
        kind="tool_result",
        content=result.content,
        recipient=call.agent if call else None,
        tool=tool,
        call_id=result.id,
        tool_status=status,
        tool_rule=rule,
        parents=(call.step,) if call else (),
        **_shared(message),
    )


def _answered(result: Result, by_id: dict[str, _Open], unanswered: list[_Open]) -> _Open | None:
    """The call that a result answers; no longer unanswered."""
    if result.id:
        found = by_id.get(result.id)
    else:
        found = next((each for each in reversed(unanswered) if result.name in {None, each.tool}), None)
    if found in unanswered:
        unanswered.remove(found)
    return found


def handoff_target(call: Call) -> tuple[bool, str | None]:
    """Does this call hand the work to another agent, and to whom?"""
    if call.handoff_to:
        return True, call.handoff_to
    found = _HANDOFF.match(call.name.strip().replace(" ", "_").replace("-", "_"))
    if found is None:
        return False, None
    named = found["target"] if (found["target"] or "").lower() not in _ANYBODY else None
    return True, _named_target(call.arguments) or named


def _named_target(arguments: str) -> str | None:
    try:
        values = loads(arguments)
    except (ValueError, BadInputError):
        return None
    if not isinstance(values, dict):
        return None
    return next((values[key] for key in _TARGET_KEYS if isinstance(values.get(key), str) and values[key]), None)
