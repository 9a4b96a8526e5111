"""smolagents' memory as it sends it to a model: calls and answers as text, under roles of its own.

`tool-call` says "Calling tools:" and a Python list, `tool-response` says "Observation:" or "Error:". Read as text, each
would be a message that nobody said; read as what they are, they are the calls and answers that the run knows already.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from tracer.collectors.activity import text_of
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text
from tracer.collectors.tool_outcome import tool_outcome

CALL, RESPONSE = "tool-call", "tool-response"
_CALLS = "Calling tools:\n"
_RESPONSE = re.compile(r"(?:Call id: (?P<id>[^\n]*)\n)?(?P<kind>Observation|Error):\n(?P<text>.*)\Z", re.DOTALL)


def remembered(messages: Sequence[Message]) -> list[Message]:
    """The same messages, with calls and answers as such. A call goes with the words before it."""
    found: list[Message] = []
    for message in messages:
        before = found[-1] if found else None
        if message.role == CALL and (calls := _calls(message.text)):
            if before and before.role == "assistant" and not before.calls:
                found[-1] = before._replace(calls=calls)
            else:
                found.append(Message("assistant", calls=calls))
        elif message.role == RESPONSE and (parts := _RESPONSE.match(message.text)):
            last = before.calls[-1] if before and before.calls else None
            found.append(Message("tool", results=(_answer(parts, last),)))
        else:
            found.append(message)
    return found


def _calls(text: str) -> tuple[Call, ...]:
    """The calls in a Python list; none where it is cut off."""
    try:
        listed = ast.literal_eval(text.removeprefix(_CALLS))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    calls = listed if isinstance(listed, list) else []
    return tuple(_call(call["function"], call) for call in calls if _is_call(call))


def _is_call(call: object) -> bool:
    return isinstance(call, Mapping) and isinstance(call.get("function"), Mapping)


def _call(function: Mapping[str, object], call: Mapping[str, object]) -> Call:
    name = text_of(function.get("name")) or "tool"
    return Call(name, arguments_text(function.get("arguments")), text_of(call.get("id")))


def _answer(parts: re.Match[str], call: Call | None) -> Result:
    """Several calls have one answer; it stands for the last of them."""
    status = "error" if parts["kind"] == "Error" else None
    text = parts["text"]
    return Result(
        text,
        parts["id"] or (call.id if call else None),
        call.name if call else None,
        *tool_outcome(text, status=status),
    )
