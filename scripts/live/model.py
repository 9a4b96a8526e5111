"""A model that says what it is told to: an OpenAI-compatible server on loopback, chat completions and responses.

Every agent asks for a model of its own, `scripted-NAME`, and gets the next of that agent's replies. So the frameworks
run with their own clients, and nothing but the model is made up.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from live import team

HEAD = "scripted-"


class Say(NamedTuple):
    """One reply: text, calls of tools by name and arguments, or both."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    thought: str = ""


Script = Mapping[str, Sequence[Say]]
"""Agent -> what it says, in order."""


def chat_script() -> dict[str, list[Say]]:
    """The team's words, where an agent calls tools and then says what it found; thoughts stand between tags."""
    said = team.SCENARIO
    turns = [Say(calls=(call,)) for call in said.lookups]
    thought = f"<think>{said.thought}</think>"
    if team.NAME == "wrong-key":  # the mistake is the last call
        turns[-1] = turns[-1]._replace(text=thought)
    report = said.report if team.NAME == "wrong-key" else thought + said.report
    return {
        "planner": [Say(team.PLAN)],
        "buyer": [*turns, Say(report)],
        "clerk": [Say(calls=(("add_up", {"products": said.sum}),)), Say(said.total)],
        "reviewer": [Say(said.answer)],
    }


def serve(script: Script) -> str:
    """Serve the script on a free port for as long as the process lives; the base URL."""
    left = {name: list(replies) for name, replies in script.items()}
    lock, numbers = threading.Lock(), iter(range(1, 10_000))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                said, number = left[request["model"].rpartition(HEAD)[2]].pop(0), next(numbers)
            make = chat_reply if self.path.endswith("/chat/completions") else response_reply
            body = json.dumps(make(number, request, said)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


def chat_reply(number: int, request: dict[str, Any], said: Say) -> dict[str, Any]:
    """The reply of the chat completions API; a thought stands where servers of open models put it."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
    if said.thought:
        message["reasoning_content"] = said.thought
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_{number}_{k}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for k, (name, given) in enumerate(said.calls)
        ]
    choice = {"index": 0, "finish_reason": "tool_calls" if said.calls else "stop", "message": message}
    usage = {"prompt_tokens": 100 + number, "completion_tokens": 10 + number, "total_tokens": 110 + 2 * number}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": request["model"]}
    return {**head, "choices": [choice], "usage": usage}


def response_reply(number: int, request: dict[str, Any], said: Say) -> dict[str, Any]:
    """The reply of the responses API, with the thought as the summary of a reasoning item."""
    output: list[dict[str, Any]] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        output.append({"type": "reasoning", "id": f"rs_{number}", "summary": summary})
    if said.text:
        content = [{"type": "output_text", "text": said.text, "annotations": []}]
        output.append(
            {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": content}
        )
    for k, (name, given) in enumerate(said.calls):
        made = {"call_id": f"call_{number}_{k}", "name": name, "arguments": json.dumps(given)}
        output.append({"type": "function_call", "id": f"fc_{number}_{k}", "status": "completed", **made})
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 100 + number, "output_tokens": 10 + number, "total_tokens": 110 + 2 * number, **details}
    asked = {key: request.get(key) for key in ("model", "instructions")}  # the API repeats them, and more
    head = {"id": f"resp_{number}", "object": "response", "created_at": 1, **asked, "output": output}
    return {**head, "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "usage": usage}
