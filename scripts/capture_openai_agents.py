"""Run the OpenAI Agents SDK on a scripted model and keep what it logs: the files in tests/data/openai_agents.

    python -m venv elsewhere && elsewhere/bin/pip install openai-agents
    elsewhere/bin/python scripts/capture_openai_agents.py tests/data/openai_agents

The SDK is the real one, with its own client; only the model is a script, served on a local port. A triage agent hands
over to a fares agent, whose tool fails the first time and is then believed although it states another currency.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents import (  # type: ignore[import-not-found]
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    set_trace_processors,
)
from agents.tracing.processors import BatchTraceProcessor  # type: ignore[import-not-found]
from openai import AsyncOpenAI  # type: ignore[import-not-found]

QUESTION = "What is the fare to Oslo in USD?"
WRONG = "The fare to Oslo is 420 USD."
TURNS: list[tuple[str, Any]] = [
    ("call", ("h1", "transfer_to_fares", {})),
    ("call", ("c1", "get_fare", {"city": "Osloo"})),
    ("call", ("c2", "get_fare", {"city": "Oslo"})),
    ("text", WRONG),
]
"""What the model says, in order: the hand-off, a call with a slip, the call again, an answer in the wrong currency."""
THOUGHT = "The tool says 420. The user wants USD, so 420 USD."


@function_tool  # type: ignore[untyped-decorator]
def get_fare(city: str) -> str:
    """The fare to a city."""
    if city != "Oslo":
        raise LookupError(f"no city {city!r}")
    return "420 EUR"


@function_tool(needs_approval=True)  # type: ignore[untyped-decorator]
def book(city: str) -> str:
    """Book a flight."""
    return f"booked {city}"


def chat_reply(number: int, turn: tuple[str, Any]) -> dict[str, Any]:
    """One chat completion."""
    kind, said = turn
    message: dict[str, Any] = {"role": "assistant", "content": said if kind == "text" else None}
    if kind == "call":
        function = {"name": said[1], "arguments": json.dumps(said[2])}
        message["tool_calls"] = [{"id": said[0], "type": "function", "function": function}]
    choice = {"index": 0, "finish_reason": "stop" if kind == "text" else "tool_calls", "message": message}
    usage = {"prompt_tokens": 10 * (number + 1), "completion_tokens": 5, "total_tokens": 10 * (number + 1) + 5}
    return {"id": f"chat{number}", "object": "chat.completion", "created": 1, "model": "script", "choices": [choice],
            "usage": usage}  # fmt: skip


def response_reply(number: int, turn: tuple[str, Any]) -> dict[str, Any]:
    """One reply of the Responses API; the last one with the summary of its reasoning."""
    kind, said = turn
    output: list[dict[str, Any]] = []
    if kind == "text":
        summary = [{"type": "summary_text", "text": THOUGHT}]
        content = [{"type": "output_text", "text": said, "annotations": []}]
        output += [{"type": "reasoning", "id": f"rs{number}", "summary": summary}]
        output += [
            {"type": "message", "id": f"m{number}", "role": "assistant", "status": "completed", "content": content}
        ]
    else:
        call = {"call_id": said[0], "name": said[1], "arguments": json.dumps(said[2])}
        output += [{"type": "function_call", "id": f"fc{number}", "status": "completed", **call}]
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 10 * (number + 1), "output_tokens": 5, "total_tokens": 10 * (number + 1) + 5, **details}
    return {"id": f"resp{number}", "object": "response", "created_at": 1, "model": "script", "output": output,
            "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "usage": usage}  # fmt: skip


def serve(turns: Iterator[tuple[str, Any]]) -> HTTPServer:
    """A server that answers each request with the next turn, in the shape that its path asks for."""
    numbers = iter(range(10_000))

    class Script(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            reply = chat_reply if self.path.endswith("/chat/completions") else response_reply
            body = json.dumps(reply(next(numbers), next(turns))).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Kept:
    """An exporter that keeps what the SDK would send."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def export(self, items: list[Any]) -> None:
        """What the SDK calls with finished traces and spans."""
        self.items += [exported for item in items if (exported := item.export())]


def agent(model: Any, *, approval: bool = False) -> Agent:
    """The triage agent and the one it hands over to."""
    tools = [book] if approval else [get_fare]
    fares = Agent(
        name="fares", instructions="You know fares.", model=model, tools=tools, model_settings=ModelSettings()
    )
    return Agent(name="triage", instructions="Hand over.", model=model, handoffs=[fares])


async def capture(kind: str, turns: list[tuple[str, Any]], *, approval: bool = False) -> tuple[list[Any], Any]:
    """The exported items of one run, and its result."""
    server, kept = serve(iter(turns)), Kept()
    processor = BatchTraceProcessor(kept)
    set_trace_processors([processor])
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)
    make = OpenAIChatCompletionsModel if kind == "chat" else OpenAIResponsesModel
    config = RunConfig(workflow_name="fares", trace_metadata={"source": "scripted model"})
    result = await Runner.run(agent(make("script", client), approval=approval), QUESTION, run_config=config)
    processor.force_flush()
    server.shutdown()
    return kept.items, result


async def main(folder: Path) -> None:
    """Write the four files and the versions that made them."""
    folder.mkdir(parents=True, exist_ok=True)
    items, _ = await capture("chat", TURNS)
    (folder / "trace_chat.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    items, result = await capture("responses", TURNS)
    (folder / "trace_responses.json").write_text(json.dumps({"data": items}, indent=1) + "\n")
    (folder / "run_state.json").write_text(json.dumps(result.to_state().to_json(), indent=1) + "\n")
    turns = [TURNS[0], ("call", ("b1", "book", {"city": "Oslo"}))]
    _, result = await capture("responses", turns, approval=True)
    (folder / "run_state_interrupted.json").write_text(json.dumps(result.to_state().to_json(), indent=1) + "\n")
    versions = {name: version(name) for name in ("openai-agents", "openai")}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
