"""One provider's message -> the common shape: OpenAI chat, OpenAI Responses items, Anthropic blocks.

The wire is read leniently, because a log may hold anything where a text should be: what has no better reading is kept
as its JSON text, and only a message that is no object is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tracer.collectors import reasoning
from tracer.collectors.json_values import loads
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.reasoning import Fragment
from tracer.collectors.steps import steps_from_messages
from tracer.collectors.tool_outcome import tool_outcome
from tracer.errors import BadInputError
from tracer.records import Pointer

__all__ = ["decode", "is_message", "json_text", "normalise", "steps_from_messages"]

NOT_MODELS = frozenset({"user", "system", "developer", "tool", "function", "human"})
"""Roles whose text is never a model's: `<think>` in it is a quotation."""
TEXT_BLOCKS = frozenset({"text", "input_text", "output_text", "refusal", "summary_text"})
THOUGHT_BLOCKS = {
    "thinking": "thinking block",
    "redacted_thinking": "redacted_thinking block",
    "reasoning": "reasoning block",
}
CALL_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
PLACEHOLDERS = {
    "image": "[image]",
    "image_url": "[image]",
    "input_image": "[image]",
    "audio": "[audio]",
    "input_audio": "[audio]",
    "file": "[file]",
    "input_file": "[file]",
    "document": "[file]",
    "video_url": "[video]",
}
ITEM_CALLS = {
    "function_call": None,
    "custom_tool_call": None,
    "mcp_call": None,
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "computer_call": "computer",
    "local_shell_call": "shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "image_generation_call": "image_generation",
}
"""Responses items that call a tool; the name where the item itself names none."""
ITEM_ARGUMENTS = ("arguments", "input", "action", "code", "queries")
ITEM_RESULTS = frozenset(
    {
        "function_call_output",
        "custom_tool_call_output",
        "computer_call_output",
        "local_shell_call_output",
        "shell_call_output",
        "apply_patch_call_output",
    }
)


_ITEM = "reasoning item"
_OBJECTS = (dict, Mapping)
SPEECH_KEYS = frozenset({"role", "content", "name"})
"""What a message has that only says something."""


class _Content(NamedTuple):
    """What a content value holds."""

    texts: list[str]
    fragments: list[Fragment]
    calls: list[Call]
    results: list[Result]


def normalise(message: Mapping[str, Any], pointer: Pointer | None = None) -> Message:
    """The common shape of one message or Responses item; BadInputError when it is no object."""
    if not isinstance(message, _OBJECTS):  # the plain type first: asking an abstract one takes its time
        raise BadInputError(f"a message is {type(message).__name__}, not an object")
    if _is_speech(message):
        name = message.get("name")
        agent = name if isinstance(name, str) and name.strip() else None
        return Message(message["role"], message["content"], agent, pointer=pointer)
    kind = _type(message)
    if kind in ITEM_CALLS:
        return _call_item(message, kind, pointer)
    if kind in ITEM_RESULTS:
        result = _result(message.get("output"), message, message.get("call_id"))
        return Message("tool", agent=_agent(message), results=(result,), pointer=pointer)
    if kind == "reasoning" and "role" not in message:
        _, thought = reasoning.gather("", reasoning.from_item(message, _ITEM))
        return Message("assistant", "", _agent(message), *thought, pointer=pointer)
    return _chat_message(message, pointer)


def is_message(value: Any) -> bool:
    """Does this look like one message of a conversation, in any of the shapes that `normalise` knows?"""
    if not isinstance(value, Mapping):
        return False
    kind = _type(value)
    if kind in ITEM_CALLS or kind in ITEM_RESULTS:
        return "id" in value or "call_id" in value
    if kind == "reasoning" and "role" not in value:
        return "summary" in value or "content" in value or "encrypted_content" in value
    return isinstance(value.get("role"), str) and any(
        key in value for key in ("content", "tool_calls", "function_call")
    )


def _type(value: Mapping[str, Any]) -> str:
    """The `type` of a message, item or block; "" where it states none, or nonsense."""
    kind = value.get("type")
    return kind if isinstance(kind, str) else ""


def _chat_message(message: Mapping[str, Any], pointer: Pointer | None) -> Message:
    """OpenAI chat and Anthropic messages, and Responses items of type message."""
    role = message["role"] if isinstance(message.get("role"), str) else "unknown"
    if role in {"tool", "function"}:
        if listed := _responses(message):  # the content only joins them
            return Message(role, results=tuple(listed), pointer=pointer)
        name = message.get("name")
        result = _result(
            message.get("content"), message, message.get("tool_call_id"), name if isinstance(name, str) else None
        )
        return Message(role, results=(result,), pointer=pointer)
    content = _content(decode_blocks(message.get("content")))
    text, fragments = "\n".join(content.texts), reasoning.from_fields(message) + content.fragments
    if role not in NOT_MODELS:
        text, inline = reasoning.split_think(text)
        fragments += inline
    text, thought = reasoning.gather(text, fragments)
    calls = (*content.calls, *_calls(message))
    if calls and text == "None":  # AG2 passes a call without words on with Python's None, printed
        text = ""
    return Message(
        role,
        text,
        _agent(message),
        *thought,
        calls=calls,
        results=(*content.results, *_responses(message)),
        pointer=pointer,
    )


def _is_speech(message: Mapping[str, Any]) -> bool:
    """Words and nothing else, which most messages are: there is nothing to be found in it, and not looking is quick."""
    role, content = message.get("role"), message.get("content")
    return (
        isinstance(content, str)
        and isinstance(role, str)
        and (len(message) == 2 or message.keys() <= SPEECH_KEYS)  # these two make two
        and role not in {"tool", "function"}
        and content.lstrip()[:1] not in {"[", '"', ""}
        and ("<" not in content or "think" not in content)  # one character is found quickest
    )


def _agent(message: Mapping[str, Any]) -> str | None:
    """The speaker's name, where the message states one. A called tool's `name` is not a speaker."""
    keys = ("agent", "agent_name") if _type(message) in ITEM_CALLS else ("agent", "agent_name", "name")
    return next((message[key] for key in keys if isinstance(message.get(key), str) and message[key].strip()), None)


def _content(value: Any) -> _Content:
    """Walk a content value: null, text, one block, or a list of blocks."""
    found = _Content([], [], [], [])
    for block in value if isinstance(value, list) else [value]:
        _block(block, found)
    return found


def _block(block: Any, into: _Content) -> None:
    if block is None:
        return
    if not isinstance(block, Mapping):
        into.texts.append(block if isinstance(block, str) else json_text(block))
        return
    kind = _type(block)
    if kind in THOUGHT_BLOCKS:
        into.fragments.extend(reasoning.from_item(block, THOUGHT_BLOCKS[kind]))
    elif kind in CALL_BLOCKS:
        name = str(block.get("name") or "tool")
        into.calls.append(Call(name, arguments_text(block.get("input")), _text_or_none(block.get("id"))))
    elif kind.endswith("tool_result"):
        into.results.append(_result(block.get("content"), block, block.get("tool_use_id")))
    elif kind in PLACEHOLDERS:
        into.texts.append(PLACEHOLDERS[kind])
    else:
        text = block.get("refusal" if kind == "refusal" else "text")
        into.texts.append(text if isinstance(text, str) else json_text(block))


def _result(value: Any, holder: Mapping[str, Any], call_id: Any, name: str | None = None) -> Result:
    """A tool's answer, and how the call ended as far as the log states it."""
    content = _flat(value)
    is_error, exit_code = (
        holder.get("is_error", holder.get("isError")),
        holder.get("exit_code", holder.get("returncode")),
    )
    outcome = tool_outcome(
        content,
        is_error=is_error if isinstance(is_error, bool) else None,
        exit_code=exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else None,
        error_type=_error_type(value),
    )
    return Result(content, _text_or_none(call_id), name, outcome.status, outcome.rule)


def _error_type(value: Any) -> str | None:
    """Server tools answer with a typed error object instead of a flag."""
    kind = _type(value) if isinstance(value, Mapping) else ""
    return str(value.get("error_code") or kind) if kind.endswith("_error") else None


def _flat(value: Any) -> str:
    """A result's content as text; structured content keeps its JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    blocks = value if isinstance(value, list) else [value]
    if all(isinstance(block, Mapping) and _type(block) in TEXT_BLOCKS | PLACEHOLDERS.keys() for block in blocks):
        return "\n".join(_content(blocks).texts)
    return json_text(value)


def _calls(message: Mapping[str, Any]) -> list[Call]:
    """`tool_calls`, and the `function_call` that came before them."""
    listed = message.get("tool_calls")
    if isinstance(listed, str):
        listed = decode(listed)
    found = [_call(each) for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    legacy = message.get("function_call")
    return [*found, _call(legacy)] if isinstance(legacy, Mapping) else found


def _call(call: Mapping[str, Any]) -> Call:
    """{id, function: {name, arguments}}, {id, custom: {name, input}}, or the flat {id, name, args}."""
    inner = next((call[key] for key in ("function", "custom") if isinstance(call.get(key), Mapping)), call)
    arguments = next((inner[key] for key in ("arguments", "input", "args") if key in inner), None)
    return Call(str(inner.get("name") or "tool"), arguments_text(arguments), _text_or_none(call.get("id")))


def _responses(message: Mapping[str, Any]) -> list[Result]:
    """AG2 gathers the answers of several calls in one message."""
    listed = message.get("tool_responses")
    if not isinstance(listed, list):
        return []
    return [
        _result(each.get("content"), each, each.get("tool_call_id")) for each in listed if isinstance(each, Mapping)
    ]


def _call_item(item: Mapping[str, Any], kind: str, pointer: Pointer | None) -> Message:
    """A Responses item that calls a tool. Hosted tools answer in the same item, or not at all."""
    name = str(item.get("name") or ITEM_CALLS[kind] or kind)
    arguments = next((item[key] for key in ITEM_ARGUMENTS if item.get(key) is not None), None)
    call_id = _text_or_none(item.get("call_id") or item.get("id"))
    results: tuple[Result, ...] = ()
    if kind == "mcp_call" and (item.get("output") is not None or item.get("error")):
        failed = item.get("error")
        results = (_result(failed or item["output"], {"is_error": True} if failed else {}, call_id, name),)
    calls = (Call(name, arguments_text(arguments), call_id),)
    return Message("assistant", agent=_agent(item), calls=calls, results=results, pointer=pointer)


def arguments_text(value: Any) -> str:
    """A call's arguments as JSON text; a text that was encoded twice is decoded once."""
    if value is None:
        return ""
    if isinstance(value, str):
        inner = decode(value, levels=1)
        return inner if isinstance(inner, str) else value
    return json_text(value)


def decode(value: Any, levels: int = 2) -> Any:
    """JSON inside a string, decoded at most twice; the raw value where it is none."""
    for _ in range(levels):
        if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "[", '"'}:
            break
        try:
            value = loads(value)
        except (ValueError, BadInputError):
            break
    return value


def decode_blocks(value: Any) -> Any:
    """Content blocks that an exporter turned into a string. An answer that merely is JSON stays a text."""
    decoded = decode(value) if isinstance(value, str) and value.lstrip().startswith(("[", '"[')) else value
    blocks = decoded if isinstance(decoded, list) else []
    known = TEXT_BLOCKS | THOUGHT_BLOCKS.keys() | CALL_BLOCKS | PLACEHOLDERS.keys() | {"tool_result"}
    return blocks if blocks and all(isinstance(each, Mapping) and _type(each) in known for each in blocks) else value


def json_text(value: Any) -> str:
    """Compact JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    except TypeError:  # an integer of more than 64 bits, which JSON allows
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def merge_reasoning(messages: Sequence[Message]) -> list[Message]:
    """Give a reasoning item to the message or call that it led to: Responses logs keep them apart."""
    if not any(message.reasoning_origin == _ITEM for message in messages):
        return list(messages)
    merged: list[Message] = []
    for message in messages:
        before = merged[-1] if merged else None
        if before is None or not _only_thinks(before) or message.role != "assistant":
            merged.append(message)
        elif _only_thinks(message):
            merged[-1] = before._replace(**_joined(before, message))
        elif message.reasoning_state == "absent":
            merged[-1] = message._replace(**_joined(before, message))
        else:
            merged.append(message)
    return merged


def _only_thinks(message: Message) -> bool:
    return message.reasoning_origin == _ITEM and not (message.text or message.calls or message.results)


def _joined(first: Message, second: Message) -> dict[str, Any]:
    texts = [each.reasoning for each in (first, second) if each.reasoning]
    state = "present" if texts else first.reasoning_state
    return {
        "reasoning": "\n\n".join(texts) or None,
        "reasoning_state": state,
        "reasoning_origin": first.reasoning_origin,
    }
