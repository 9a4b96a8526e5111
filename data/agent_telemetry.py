"""Runs of the agent world as telemetry: real OpenTelemetry spans, one JSON object a line, as the SDK writes them.

A run is one trace: the workflow, below it a `chat` span for every turn of an agent, with all that the agent was shown,
its reasoning and what it said, and an `execute_tool` span for every call. The last event says whether the user was
told the right number. What it should have been, and what went wrong, stands nowhere.

Needs opentelemetry-sdk, which `blametrace[otel]` brings.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tracer.data.agent_steps import HANDS_ON, TRANSFER, call_id, content_of, instructions
from tracer.data.agents import LOST, World, begun, solved
from tracer.data.teams import Turn, visible
from tracer.data.world_words import TOOLS
from tracer.errors import MissingExtraError

WORKFLOW = "team"
MODEL = "pocket"


class Told(NamedTuple):
    """A run to be written down."""

    world: World
    turns: Sequence[Turn]


def require() -> None:
    """Say which extra to install where the SDK is missing."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise MissingExtraError.for_extra("otel", "Writing runs as telemetry")


def write(runs: Iterable[Told], path: Path) -> None:
    """Write runs to a file of spans; a name that ends in .gz is compressed."""
    from tracer.files import write_whole

    text = "".join(map(spans, runs)).encode()
    write_whole(path, gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def spans(told: Told) -> str:
    """One run's spans, a line each; the same for the same run."""
    require()
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    from tracer.data.demo_telemetry import SeededIds, SteadySpans

    out, name = io.StringIO(), f"world {told.world.seed}"
    resource = Resource({"service.name": WORKFLOW, "tracer.world.seed": told.world.seed})
    provider = TracerProvider(resource=resource, id_generator=SeededIds(name))
    exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\n")
    provider.add_span_processor(SteadySpans(exporter, name))
    _record(provider.get_tracer("tracer.data"), told)
    provider.shutdown()
    return out.getvalue()


def _record(tracer: Any, told: Told) -> None:
    first = len(begun(told.world)) - 1
    with tracer.start_as_current_span(f"invoke_workflow {WORKFLOW}") as root:
        root.set_attributes({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": WORKFLOW})
        for place in range(first + 1, len(told.turns)):
            (_tool if told.turns[place].speaker in TOOLS else _chat)(tracer, told, place)
        root.add_event("gen_ai.evaluation.result", _verdict(told))


def _chat(tracer: Any, told: Told, place: int) -> None:
    turn = told.turns[place]
    with tracer.start_as_current_span(f"chat {MODEL}") as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.agent.name": turn.speaker,
                "gen_ai.request.model": MODEL,
                "gen_ai.system_instructions": _json([_text(instructions(told.world, turn.speaker))]),
                "gen_ai.input.messages": _json(_shown(told, place)),
                "gen_ai.output.messages": _json([_said(turn, place)]),
            }
        )


def _shown(told: Told, place: int) -> list[dict[str, Any]]:
    """All that the speaker of a turn has been shown before it, as messages."""
    viewer = told.turns[place].speaker
    public = told.world.team.public
    return [
        _heard(told.turns, k, viewer)
        for k in range(len(begun(told.world)) - 1, place)
        if visible(told.turns[k], viewer, public)
    ]


def _heard(turns: Sequence[Turn], place: int, viewer: str) -> dict[str, Any]:
    turn = turns[place]
    if turn.speaker == viewer:
        return _said(turn, place)
    if turn.speaker in TOOLS:
        answer = {"type": "tool_call_response", "id": call_id(place - 1), "response": turn.content.strip()}
        return {"role": "tool", "parts": [answer]}
    return {"role": "user", "parts": [part for part in _said(turn, place)["parts"] if part["type"] != "reasoning"]}


def _said(turn: Turn, place: int) -> dict[str, Any]:
    """A turn as the message that its speaker's model put out."""
    parts: list[dict[str, Any]] = []
    if turn.thought.strip():
        parts.append({"type": "reasoning", "content": turn.thought.strip()})
    if turn.to in TOOLS:
        call = {"query": turn.content.strip()}
        return _output([*parts, {"type": "tool_call", "id": call_id(place), "name": turn.to, "arguments": call}])
    if turn.content.strip():
        parts.append(_text(content_of(turn)))
    if turn.to in HANDS_ON and turn.to != LOST:
        parts.append({"type": "tool_call", "id": call_id(place), "name": f"{TRANSFER}{turn.to}", "arguments": {}})
    return _output(parts)


def _output(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "assistant", "parts": parts}


def _tool(tracer: Any, told: Told, place: int) -> None:
    from opentelemetry.trace import Status, StatusCode

    turn, call = told.turns[place], told.turns[place - 1]
    with tracer.start_as_current_span(f"execute_tool {turn.speaker}") as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": turn.speaker,
                "gen_ai.tool.call.id": call_id(place - 1),
                "gen_ai.tool.call.arguments": _json({"query": call.content.strip()}),
                "gen_ai.tool.call.result": turn.content.strip(),
            }
        )
        if turn.content == " Error.":
            span.set_status(Status(StatusCode.ERROR, "the tool failed"))


def _verdict(told: Told) -> dict[str, Any]:
    right = solved(told.world, told.turns)
    return {
        "gen_ai.evaluation.name": "answer_check",
        "gen_ai.evaluation.score.value": float(right),
        "gen_ai.evaluation.score.label": "pass" if right else "fail",
    }


def _text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
