"""OpenInference: span kinds, and lists of messages flattened into one attribute per leaf.

`llm.input_messages.0.message.content` and its like are un-flattened first. LangChain's instrumentor names no agent:
there the graph's node is the agent, found in the checkpoint namespace that it keeps in `metadata`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from tracer.collectors import crew_task, smol_memory
from tracer.collectors.activity import Activity, Verdict, as_text, first, text_of, tool_result, verdict, whole
from tracer.collectors.langgraph_node import node_agent
from tracer.collectors.message import Call, Message
from tracer.collectors.messages import decode, merge_reasoning, normalise
from tracer.collectors.payload import ROLES, structured, tool_message
from tracer.records import Span

KINDS: dict[str, Literal["llm", "tool", "agent", "evaluator"]] = {
    "LLM": "llm",
    "TOOL": "tool",
    "RETRIEVER": "tool",
    "RERANKER": "tool",
    "GUARDRAIL": "tool",
    "AGENT": "agent",
    "EVALUATOR": "evaluator",
}
"""`openinference.span.kind` -> what the span did. CHAIN, EMBEDDING and PROMPT are bookkeeping and make no step."""

_METHOD = re.compile(
    r"[._](?:run|arun|invoke|ainvoke|execute|_?execute_(?:core|task)|kickoff|step|on_messages(?:_stream)?)\Z"
)
_QUESTIONS = ("task", "question", "query", "prompt", "input")
"""Arguments of an agent's entry point that hold what it is asked."""
_INDEXED = re.compile(r"\A(\d{1,9})\.(.+)\Z", re.DOTALL)


def ours(span: Span) -> bool:
    """Does the span carry an OpenInference kind that makes a step?"""
    return str(span.attributes.get("openinference.span.kind", "")).upper() in KINDS


def activity(span: Span) -> Activity | None:
    """What this span did, or None where it carries no OpenInference kind that makes a step."""
    found = span.attributes
    kind = KINDS.get(str(found.get("openinference.span.kind", "")).upper())
    if kind is None:
        return None
    agent = _agent(span, kind)
    if kind == "tool":
        return _tool(span, agent)
    inputs, outputs = _both(found) if kind != "evaluator" else ((), ())
    return Activity(
        kind=kind,
        agent=agent,
        inputs=inputs,
        outputs=outputs,
        model=text_of(first(found, "llm.model_name", "embedding.model_name")),
        input_tokens=whole(found.get("llm.token_count.prompt")),
        output_tokens=whole(found.get("llm.token_count.completion")),
    )


def conversation(span: Span) -> str | None:
    """What ties several traces to one run."""
    return text_of(span.attributes.get("session.id"))


def verdicts(span: Span) -> Iterator[Verdict]:
    """Evaluations on this span: annotation attributes, or the output of an EVALUATOR span."""
    found = span.attributes
    names = {m[1] for key in found if (m := re.match(r"(?:eval|annotation)s?\.(.+)\.(?:label|score)\Z", key))}
    for name in sorted(names):
        values = [
            first(found, *(f"{head}.{name}.{field}" for head in ("eval", "evals", "annotation", "annotations")))
            for field in ("label", "score")
        ]
        yield verdict(name, *values)
    if str(found.get("openinference.span.kind", "")).upper() == "EVALUATOR":
        output = decode(found.get("output.value"))
        if isinstance(output, dict) and {"label", "score"} & output.keys():
            yield verdict(span.name, output.get("label"), output.get("score"))


def unflatten(attributes: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The list under a prefix, in the order of its indices; each item keeps its remaining keys flat.

    Missing indices leave no gap, so a hostile index of a billion costs nothing.
    """
    items: dict[int, dict[str, Any]] = {}
    start = prefix + "."
    for key, value in attributes.items():
        if key.startswith(start) and (found := _INDEXED.match(key[len(start) :])):
            items.setdefault(int(found[1]), {})[found[2]] = value
    return [items[index] for index in sorted(items)]


def _agent(span: Span, kind: str) -> str | None:
    """The agent that the span names: by attribute, LangGraph's namespace, the graph's node, or its own name."""
    found = span.attributes
    if named := text_of(first(found, "agent.name", "gen_ai.agent.name")):
        return named
    metadata = decode(found.get("metadata"))
    if isinstance(metadata, dict) and (node := node_agent(metadata)):
        return node
    if kind != "agent":
        return None
    return text_of(first(found, "graph.node.name", "graph.node.id")) or _METHOD.sub("", span.name) or None


def _both(found: dict[str, Any]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What a model or agent was given, and what it put out."""
    if task := crew_task.told(found.get("input.value"), found.get("output.value")):
        return task
    return _side(found, "input", "user"), _side(found, "output", "assistant")


def _side(found: dict[str, Any], side: str, role: str) -> tuple[Message, ...]:
    """The flattened messages, or the span's JSON value where that says more: some instrumentors flatten only part."""
    flat = [_message(item, role) for item in unflatten(found, f"llm.{side}_messages")]
    flat = merge_reasoning(smol_memory.remembered(flat))
    whole_value = structured(found.get(f"{side}.value"))
    best = max(flat, whole_value, key=lambda messages: sum(map(_parts, messages)))
    prefix, leaf = ("llm.prompts", "prompt.text") if side == "input" else ("llm.choices", "completion.text")
    texts = [as_text(item[leaf]) for item in unflatten(found, prefix) if leaf in item]
    return tuple(best or [Message(role, text) for text in texts] or _plain(found.get(f"{side}.value"), role))


def _parts(message: Message) -> int:
    return bool(message.text) + bool(message.reasoning) + len(message.calls) + len(message.results)


def _plain(value: Any, role: str) -> list[Message]:
    """A span's `input.value` or `output.value` as one text: what an entry point is asked, else the value as it is."""
    raw = decode(value) if role == "user" else None
    asked = [raw[key] for key in _QUESTIONS if isinstance(raw.get(key), str)] if isinstance(raw, dict) else []
    text = asked[0] if asked else as_text(value)
    return [Message(role, text)] if text.strip() not in {"", "None"} else []  # AG2's prints what it was not given


def _message(flat: dict[str, Any], role: str) -> Message:
    """One un-flattened `message.*`, put together again as the chat message that it was."""
    role = str(flat.get("message.role") or role).lower()
    fields = {key.removeprefix("message."): value for key, value in flat.items() if key.count(".") == 1}
    blocks = [_block(part) for part in unflatten(flat, "message.contents")]
    content = fields.get("content")
    spoken = [{"type": "text", "text": as_text(content)}] if content and not blocks else []
    calls = [_call(item) for item in unflatten(flat, "message.tool_calls")]
    if name := text_of(fields.get("function_call_name")):
        calls.append({"function": {"name": name, "arguments": fields.get("function_call_arguments_json")}})
    message = normalise({**fields, "role": ROLES.get(role, role), "content": spoken + blocks, "tool_calls": calls})
    if message.reasoning_state != "absent" and not (message.text or message.calls or message.results):
        return message._replace(reasoning_origin="reasoning item")  # of the Responses API; it belongs to what follows
    return message


def _block(part: dict[str, Any]) -> dict[str, Any]:
    """One typed part of a message's content."""
    kind = str(part.get("message_content.type", "text"))
    text = first(part, "message_content.text", "message_content.reasoning", "message_content.thinking")
    return {"type": kind, "text": as_text(text)}


def _call(flat: dict[str, Any]) -> dict[str, Any]:
    function = {field: flat.get(f"tool_call.function.{field}") for field in ("name", "arguments")}
    return {"id": flat.get("tool_call.id"), "function": function}


def _tool(span: Span, agent: str | None) -> Activity:
    """A tool, a retriever or a guardrail: each is asked something and answers."""
    found = span.attributes
    name = text_of(first(found, "tool.name", "tool_call.function.name")) or span.name or "tool"
    arguments = as_text(_arguments(first(found, "tool_call.function.arguments", "input.value")))
    content, call_id, status = _tool_output(found)
    call_id = text_of(first(found, "tool_call.id", "tool.id", "gen_ai.tool.call.id")) or call_id
    return Activity(
        kind="tool",
        agent=agent,
        call=Call(name, arguments, call_id),
        result=tool_result(span, content, call_id, name, status),
    )


def _arguments(value: Any) -> Any:
    """smolagents logs a Python call; its keywords are the arguments."""
    raw = decode(value)
    if isinstance(raw, dict) and raw.get("args") == [] and isinstance(raw.get("kwargs"), dict):
        return raw["kwargs"]
    return value


def _tool_output(found: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """What a tool brought, the call it answers, and its status: a LangChain ToolMessage holds all three."""
    documents = unflatten(found, "retrieval.documents")
    if documents:
        return "\n\n".join(as_text(document.get("document.content")) for document in documents), None, None
    if "output.value" not in found:
        return None, None, None
    if answer := tool_message(found["output.value"]):
        return answer
    if done := _executed(decode(found["output.value"])):
        return done
    return as_text(found["output.value"]), None, None


def _executed(raw: Any) -> tuple[str, None, str | None] | None:
    """What AG2's `execute_function` returns: whether it went well, and a message with the answer."""
    match raw:
        case [bool(well), {"role": "function" | "tool", "content": content}]:
            return as_text(content), None, None if well else "error"
    return None
