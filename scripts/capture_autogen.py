"""Make the AutoGen 0.4 logs of the tests: a real team, its model a server that gives prepared replies.

Usage: python scripts/capture_autogen.py FOLDER, with autogen-agentchat and autogen-ext[openai] alone installed
(0.7.5 made the committed files). A planner hands over to a researcher, whose tool fails once; a writer thinks, and
answers wrongly. Written are the team's TaskResult, and what the event logger of autogen_core told meanwhile.
"""

import asyncio
import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Handoff
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import Swarm
from autogen_core import EVENT_LOGGER_NAME
from autogen_core.models import ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

TASK = "What do three widgets cost, in EUR?"


def call(name: str, number: int, **arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}]}


SCRIPT = {
    "planner": [call("transfer_to_researcher", 1)],
    "researcher": [
        call("price", 2, article="widget"),
        call("price", 3, article="W-7"),
        call("transfer_to_writer", 4),
    ],
    "writer": [
        {
            "content": "<think>Three times 12.5: twice is 25, so thrice is 35.</think>"
            "Three widgets cost 35 EUR. TERMINATE"
        }
    ],
}


class Model(BaseHTTPRequestHandler):
    """Whose turn it is stands in the system message."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        who = asked["messages"][0]["content"].split()[-1].rstrip(".")
        message = {"role": "assistant", **SCRIPT[who].pop(0)}
        choice = {
            "index": 0,
            "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            "message": message,
        }
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        reply = {"id": "r", "object": "chat.completion", "created": 1767603600, "model": "scripted-1"}
        body = json.dumps(reply | {"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


async def price(article: str) -> str:
    """Look up the price of an article."""
    if article != "W-7":
        raise ValueError(f"no article {article!r}")
    return "12.5 EUR"


def team(port: int) -> Swarm:
    info = ModelInfo(vision=False, function_calling=True, json_output=False, family="r1", structured_output=False)

    def agent(name: str, **fields: Any) -> AssistantAgent:
        client = OpenAIChatCompletionClient(
            model="scripted-1", api_key="none", base_url=f"http://127.0.0.1:{port}/v1", model_info=info
        )
        prompt = f"You are the {name}."
        return AssistantAgent(name, client, system_message=prompt, reflect_on_tool_use=False, **fields)

    return Swarm(
        [
            agent("planner", handoffs=[Handoff(target="researcher")]),
            agent("researcher", tools=[price], handoffs=[Handoff(target="writer")]),
            agent("writer"),
        ],
        termination_condition=TextMentionTermination("TERMINATE"),
    )


def main() -> None:
    folder = Path(sys.argv[1])
    server = HTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    logger = logging.getLogger(EVENT_LOGGER_NAME)
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.FileHandler(folder / "core_events.jsonl", mode="w"))
    result = asyncio.run(team(server.server_port).run(task=TASK))
    (folder / "task_result.json").write_text(result.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    main()
