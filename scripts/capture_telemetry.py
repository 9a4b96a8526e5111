"""Run an agent framework on a scripted model and keep the telemetry that it writes: the files in tests/data/telemetry.

    python -m venv elsewhere
    elsewhere/bin/pip install opentelemetry-sdk pydantic-ai-slim
    elsewhere/bin/python scripts/capture_telemetry.py pydantic_ai tests/data/telemetry/pydantic_ai.jsonl

Each framework needs an environment of its own: `pydantic_ai` (pydantic-ai-slim), `adk` (google-adk), `openllmetry`
(opentelemetry-instrumentation-langchain, langgraph), `langsmith` (langsmith, langgraph). The story is the same in all:
a researcher asks for a city that is not there, asks again, and the last word turns 420 EUR into 420 USD. Only what
names the machine is left out: stack traces, and LangSmith's description of the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

QUESTION = "Fare to Oslo in USD?"
WRONG = "It is 420 USD."


def get_fare(city: str) -> str:
    """The fare to a city."""
    if city != "Oslo":
        raise LookupError(f"no city {city}")
    return "420 EUR"


def provider(path: Path) -> Any:
    """A tracer provider whose spans are written to a file, one per line."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    def line(span: Any) -> str:
        found = json.loads(span.to_json())
        for event in found["events"]:
            event["attributes"].pop("exception.stacktrace", None)
        scope = span.instrumentation_scope
        return json.dumps({**found, "instrumentation_scope": {"name": scope.name, "version": scope.version}}) + "\n"

    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=path.open("w"), formatter=line)))
    trace.set_tracer_provider(made)
    return made


def pydantic_ai(path: Path) -> list[str]:
    """One agent; version 1 of its instrumentation where the release still has it, else its default."""
    from pydantic_ai import Agent, ModelRetry
    from pydantic_ai import messages as said
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.models.instrumented import InstrumentationSettings

    turns = iter(
        [
            [
                said.ThinkingPart("I need the fare."),
                said.ToolCallPart("get_fare", {"city": "Osloo"}, tool_call_id="c1"),
            ],
            [said.TextPart("Again."), said.ToolCallPart("get_fare", {"city": "Oslo"}, tool_call_id="c2")],
            [said.TextPart(WRONG)],
        ]
    )

    def fare(city: str) -> str:
        try:
            return get_fare(city)
        except LookupError as error:
            raise ModelRetry(str(error)) from None

    old = version("pydantic-ai-slim").startswith("1.")
    settings = {"version": 1} if old else {}
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider(path), **settings))
    agent = Agent(
        FunctionModel(lambda *_: said.ModelResponse(next(turns))), name="researcher", instructions="Be brief."
    )
    agent.tool_plain(name="get_fare")(fare)
    agent.run_sync(QUESTION)
    return ["pydantic-ai-slim", "opentelemetry-sdk"]


def adk(path: Path) -> list[str]:
    """A triage agent that hands over to the researcher; contents are captured in the spans."""
    os.environ |= {
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        "ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS": "true",
    }
    provider(path)
    from google.adk.agents import LlmAgent
    from google.adk.models import BaseLlm, LlmResponse
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    class Script(BaseLlm):
        model: str = "script"
        turns: list[Any] = []  # noqa: RUF012 - a field of a pydantic model

        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
            usage = {"prompt_token_count": 10, "candidates_token_count": 5, "total_token_count": 15}
            content = types.Content(role="model", parts=self.turns.pop(0))
            yield LlmResponse(content=content, usage_metadata=usage)

    def fare(city: str) -> dict[str, str]:
        try:
            return {"status": "success", "fare": get_fare(city)}
        except LookupError as error:
            return {"status": "error", "error_message": str(error)}

    def call(key: str, name: str, **args: str) -> Any:
        return types.Part(function_call=types.FunctionCall(id=key, name=name, args=args))

    fare.__name__ = "get_fare"
    again = [types.Part(text="Again."), call("c2", "get_fare", city="Oslo")]
    turns = [[call("c1", "get_fare", city="Osloo")], again, [types.Part(text=WRONG)]]
    researcher = LlmAgent(name="researcher", model=Script(turns=turns), instruction="Be brief.", tools=[fare])
    handed = Script(turns=[[call("h1", "transfer_to_agent", agent_name="researcher")]])
    triage = LlmAgent(name="triage", model=handed, instruction="Hand over.", sub_agents=[researcher])

    async def run() -> None:
        runner = InMemoryRunner(agent=triage, app_name="fares")
        session = await runner.session_service.create_session(app_name="fares", user_id="u")
        asked = types.Content(role="user", parts=[types.Part(text=QUESTION)])
        async for _ in runner.run_async(user_id="u", session_id=session.id, new_message=asked):
            pass

    asyncio.run(run())
    return ["google-adk", "opentelemetry-sdk"]


def graph() -> None:
    """A LangGraph of a researcher, its tools, and an accountant who has the last word."""
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    def message(text: str, city: str | None = None, key: str = "") -> AIMessage:
        calls: list[Any] = [{"name": "get_fare", "args": {"city": city}, "id": key}] if city else []
        return AIMessage(
            text, tool_calls=calls, usage_metadata={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        )

    turns = [message("", "Osloo", "c1"), message("Again.", "Oslo", "c2"), message("420 EUR.")]
    first, last = GenericFakeChatModel(messages=iter(turns)), GenericFakeChatModel(messages=iter([message(WRONG)]))
    built = StateGraph(MessagesState)
    built.add_node("researcher", lambda state: {"messages": [first.invoke(state["messages"])]})
    built.add_node("tools", ToolNode([tool(get_fare)], handle_tool_errors=True))
    built.add_node("accountant", lambda state: {"messages": [last.invoke(state["messages"])]})
    built.add_edge(START, "researcher")
    built.add_conditional_edges(
        "researcher", lambda state: "tools" if state["messages"][-1].tool_calls else "accountant"
    )
    built.add_edge("tools", "researcher")
    built.add_edge("accountant", END)
    built.compile().invoke({"messages": [("user", QUESTION)]})


def openllmetry(path: Path) -> list[str]:
    """The graph under OpenLLMetry's instrumentation of LangChain."""
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument(tracer_provider=provider(path))
    graph()
    return ["opentelemetry-instrumentation-langchain", "langgraph", "langchain-core", "opentelemetry-sdk"]


LIMITS = {
    "use_multipart_endpoint": False,
    "size_limit": 100,
    "size_limit_bytes": 20_000_000,
    "scale_up_nthreads_limit": 1,
    "scale_up_qsize_trigger": 1000,
    "scale_down_nempty_trigger": 4,
}
"""What a LangSmith server tells its clients about bodies."""


def langsmith(path: Path) -> list[str]:
    """The bodies that LangSmith's SDK sends to a local server, one per line."""
    bodies: list[bytes] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Say that bodies are wanted whole."""
            self._answer(json.dumps({"version": "0", "batch_ingest_config": LIMITS}).encode())

        def do_POST(self) -> None:
            """Keep a body."""
            bodies.append(self.rfile.read(int(self.headers.get("content-length") or 0)))
            self._answer(b"{}")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "LANGSMITH_API_KEY": "none",
        "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
    }
    graph()
    from langchain_core.tracers.langchain import wait_for_all_tracers

    wait_for_all_tracers()
    server.shutdown()
    with path.open("w") as file:
        for body in map(json.loads, bodies):
            for run in [*body.get("post", []), *body.get("patch", [])]:
                extra = run.get("extra") or {}
                extra["runtime"] = {key: extra.get("runtime", {}).get(key) for key in ("library", "sdk")}
                if run.get("error"):
                    run["error"] = run["error"].partition("Traceback")[0]
            file.write(json.dumps(body) + "\n")
    return ["langsmith", "langgraph", "langchain-core"]


FRAMEWORKS: dict[str, Callable[[Path], list[str]]] = {
    "pydantic_ai": pydantic_ai,
    "adk": adk,
    "openllmetry": openllmetry,
    "langsmith": langsmith,
}


if __name__ == "__main__":
    framework, path = sys.argv[1], Path(sys.argv[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    used = FRAMEWORKS[framework](path)
    note = path.parent / "versions.json"
    versions = json.loads(note.read_text()) if note.exists() else {}
    versions[path.name] = {name: version(name) for name in used}
    note.write_text(json.dumps(versions, indent=1, sort_keys=True) + "\n")
