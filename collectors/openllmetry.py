"""OpenLLMetry (Traceloop) in both generations, and what grew out of it: AGNTCY's SDK (`ioa_observe.*`) and AgentOps.

Until 2026 a model's span held one attribute per field of a message (`gen_ai.prompt.N.content`,
`gen_ai.completion.N.tool_calls.K.name`; in 2023 `llm.prompts.N`), and what a decorated function was given and gave
back stood in `traceloop.entity.input` and `.output`. Later releases moved, package by package, to the GenAI
attributes, so one file holds both; the messages are taken from wherever they stand. `traceloop.span.kind` says what a
span is: a framework's tasks are named `execute_task` and are none of our steps; only CrewAI's tell what the agent was
asked and what it answered. The forks say the same under their own prefix.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Literal

from tracer.collectors import genai
from tracer.collectors.activity import Activity, as_text, first, text_of, tool_result, whole
from tracer.collectors.agents_span import handoff
from tracer.collectors.langgraph_node import LOOP, UNNAMED, telling_agent
from tracer.collectors.message import Call, Message
from tracer.collectors.messages import decode, normalise
from tracer.collectors.openinference import unflatten
from tracer.collectors.payload import messages_of, sealed, tool_message
from tracer.records import Span

PREFIXES = ("traceloop", "ioa_observe", "agentops")
PROMPTS = ("gen_ai.prompt", "llm.prompts")
COMPLETIONS = ("gen_ai.completion", "llm.completions")
_HEADS = (*(f"{prefix}." for prefix in PREFIXES), *(f"{prefix}.0." for prefix in (*PROMPTS, *COMPLETIONS)))
_MODEL_CALLS = frozenset({"chat", "completion"})
"""`llm.request.type` of what makes a step; embeddings and reranking do not."""
_NAMES = ("gen_ai.agent.name", "crewai.agent.role", "crewai.task.agent", "agent.name", "agent.role")
_REPR = re.compile(
    r"\Acontent=(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\") (?:.* )?tool_call_id='(?P<id>[^']*)'(?P<rest>.*)\Z",
    re.DOTALL,
)
"""A tool message as Python prints it: older releases could not serialise one."""
_ROLES = {"human": "user", "ai": "assistant"}
_UNKNOWN = {"user": "tool", "assistant": "assistant"}
"""What releases of 2025 called `unknown`: a tool's message among prompts, the model's own among completions."""

Kind = Literal["llm", "tool", "agent"]
KINDS: dict[str, Kind | None] = {
    "agent": "agent",
    "tool": "tool",
    "handoff": "tool",
    "guardrail": "tool",
    "llm": "llm",
    "llm.call": "llm",
    "task": None,
    "workflow.step": None,
    "operation": None,
    "session": None,
    "chain": None,
}
"""`...span.kind` -> what the span did. A workflow is an agent where it has a name of its own."""


def activity(span: Span) -> Activity | None:
    """What this span did, or None where it is only bookkeeping."""
    found = span.attributes
    kind = _kind(span)
    if kind is None:
        return None
    if kind == "tool":
        return _tool(span)
    newer = genai.activity(span) or Activity(kind)
    inputs = newer.inputs or _flat(found, PROMPTS, "user")
    outputs = newer.outputs or _flat(found, COMPLETIONS, "assistant")
    if kind == "agent":
        inputs = inputs or _entity(found, "input", "user") or messages_of(found.get("crewai.task.description"), "user")
        outputs = outputs or _entity(found, "output", "assistant")
    model = text_of(first(found, "gen_ai.response.model", "gen_ai.request.model", "llm.request.model"))
    return newer._replace(
        kind=kind,
        agent=_agent(span, kind),
        inputs=inputs,
        outputs=sealed(outputs, whole(first(found, "llm.usage.reasoning_tokens", "gen_ai.usage.reasoning_tokens"))),
        model=_model(found) if model in {None, "unknown"} else model,
        input_tokens=newer.input_tokens if newer.input_tokens is not None else _count(found, "prompt"),
        output_tokens=newer.output_tokens if newer.output_tokens is not None else _count(found, "completion"),
    )


def ours(span: Span) -> bool:
    """Does the span carry any attribute of OpenLLMetry's own?"""
    return "llm.request.type" in span.attributes or any(key.startswith(_HEADS) for key in span.attributes)


def _kind(span: Span) -> Kind | None:
    found = span.attributes
    stated = str(_own(found, "span.kind") or "").lower()
    if stated == "handoff" and not _taker(found):
        return None  # the model's call says to whom; the span, named "planner → unknown.handoff", does not
    if text_of(found.get("crewai.task.agent")):
        return "agent"
    if stated in KINDS:
        return KINDS[stated]
    if stated == "workflow":
        return "agent" if _agent(span, "agent") else None
    if request := found.get("llm.request.type"):
        return "llm" if str(request) in _MODEL_CALLS else None
    if any(unflatten(found, prefix) for prefix in (*PROMPTS, *COMPLETIONS)):
        return "llm"
    newer = genai.activity(span)
    return newer.kind if newer and newer.kind != "evaluator" else None


def _own(found: dict[str, Any], name: str) -> Any:
    return first(found, *(f"{prefix}.{name}" for prefix in PREFIXES))


def _agent(span: Span, kind: Kind) -> str | None:
    """The agent that the span names: by attribute, by the graph's node, or, of an agent's span, by the entity."""
    found = span.attributes
    named = text_of(
        first(found, "gen_ai.agent.name", "crewai.agent.role", "crewai.task.agent", "agent.name", "agent.role")
    )
    if named and named not in UNNAMED:
        return named
    if node := telling_agent(_properties(found)) or _on_path(span):
        return node
    if kind != "agent" or named or _own(found, "span.kind") == "workflow":
        return None
    if entity := text_of(found.get("ioa_observe.entity.name")):
        return entity.rpartition(".")[0] or entity  # the fork names the class and its method
    entity = None if span.name.endswith(".agent") else text_of(_own(found, "entity.name"))  # AgentOps': the class
    return entity or span.name.removesuffix(".agent") or None


def _on_path(span: Span) -> str | None:
    """The graph's node by the path of LangChain's runs, where no metadata was kept. Elsewhere a path is of tasks."""
    if "langchain" not in f"{span.scope} {span.attributes.get('gen_ai.system')}".lower():
        return None
    path = str(span.attributes.get("traceloop.entity.path") or "").split(".")
    telling = [each for each in path if each and each not in LOOP | UNNAMED and not each.startswith("Runnable")]
    return telling[-1] if telling else None


def _properties(found: dict[str, Any]) -> dict[str, Any]:
    """The association properties: LangChain's metadata, among others."""
    heads = [f"{prefix}.association.properties." for prefix in PREFIXES]
    return {key.removeprefix(head): value for head in heads for key, value in found.items() if key.startswith(head)}


def _model(found: dict[str, Any]) -> str | None:
    """LangChain's instrumentor may not know the model, but its metadata does."""
    return text_of(_properties(found).get("ls_model_name"))


def _count(found: dict[str, Any], side: str) -> int | None:
    return whole(first(found, f"gen_ai.usage.{side}_tokens", f"llm.usage.{side}_tokens"))


def _flat(found: dict[str, Any], prefixes: tuple[str, ...], role: str) -> tuple[Message, ...]:
    """The un-flattened messages of the first of these lists that is there."""
    items = next((items for prefix in prefixes if (items := unflatten(found, prefix))), [])
    return tuple(_message(item, role) for item in items)


def _message(flat: dict[str, Any], role: str) -> Message:
    """One message; its content may be blocks as JSON text, its calls stand one attribute each."""
    stated = str(flat.get("role") or role).lower()
    role = _UNKNOWN[role] if stated == "unknown" else stated
    calls = [
        {"id": item.get("id"), "name": item.get("name"), "arguments": item.get("arguments")}
        for item in unflatten(flat, "tool_calls")
    ]
    plain = {key: value for key, value in flat.items() if "." not in key and key != "finish_reason"}
    if plain.get("content") == '""':  # an empty text, encoded
        plain["content"] = ""
    return normalise({**plain, "role": _ROLES.get(role, role), "tool_calls": calls})


def _entity(found: dict[str, Any], side: str, role: str) -> tuple[Message, ...]:
    """What a decorated function was given or gave back."""
    value = decode(_own(found, f"entity.{side}"))
    if isinstance(value, dict):  # LangChain's callbacks put it one level down
        value = next((value[key] for key in ("inputs", "outputs") if value.get(key)), value)
    return messages_of(value, role) if value else ()


def _tool(span: Span) -> Activity:
    found = span.attributes
    name = text_of(first(found, "gen_ai.tool.name", "tool.name") or _own(found, "entity.name"))
    name = name or span.name.removesuffix(".tool") or "tool"
    target = _taker(found)
    agent = text_of(found.get("gen_ai.handoff.from_agent")) or _agent(span, "tool")
    asked = _given(first(found, "gen_ai.tool.call.arguments", "tool.parameters") or _own(found, "entity.input"))
    content, call_id, status = _brought(
        first(found, "gen_ai.tool.call.result", "tool.result") or _own(found, "entity.output")
    )
    call_id = text_of(first(found, "gen_ai.tool.call.id", "tool.call.id")) or call_id or _asked_id(found)
    if target and content is None:
        return handoff(span, agent, target)
    return Activity(
        kind="tool",
        agent=agent,
        call=Call(name, as_text(asked), call_id, target),
        result=tool_result(span, content, call_id, name, status or text_of(found.get("tool.status"))),
    )


def _taker(found: dict[str, Any]) -> str | None:
    """To whom a hand-off leads."""
    return text_of(first(found, "gen_ai.handoff.to_agent", "gen_ai.transfer.target.name"))


def _given(value: Any) -> Any:
    """A tool's arguments, out of what LangChain's callback or a decorator wrapped around them."""
    raw = decode(value)
    if isinstance(raw, dict) and "input_str" in raw:
        return raw["inputs"] if raw.get("inputs") is not None else decode(raw["input_str"])
    if isinstance(raw, dict) and isinstance(raw.get("kwargs"), dict) and isinstance(raw.get("args"), list):
        return raw["kwargs"] or raw["args"]
    return value


def _asked_id(found: dict[str, Any]) -> str | None:
    raw = decode(first(found, "gen_ai.tool.call.arguments", "traceloop.entity.input"))
    more = raw.get("kwargs") if isinstance(raw, dict) else None
    return text_of(more.get("tool_call_id")) if isinstance(more, dict) else None


def _brought(value: Any) -> tuple[str | None, str | None, str | None]:
    """What a tool brought, the call it answers, and its status."""
    raw = decode(value)
    if isinstance(raw, dict) and "output" in raw and raw.keys() <= {"output", "kwargs"}:
        raw = decode(raw["output"])
    if raw is None:
        return None, None, None
    if answer := tool_message(raw):
        return answer
    if isinstance(raw, str) and (printed := _REPR.match(raw)):
        status = "error" if "status='error'" in printed["rest"] else None
        return _literal(printed["text"]), printed["id"] or None, status
    return as_text(raw), None, None


def _literal(quoted: str) -> str:
    """A Python string literal's value; as it stands where it is none."""
    try:
        return str(ast.literal_eval(quoted))
    except (ValueError, SyntaxError, MemoryError):
        return quoted[1:-1]
