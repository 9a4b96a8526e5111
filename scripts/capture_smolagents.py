"""Make the smolagents logs of the tests: a real manager of a real searching agent, their models scripted.

Usage: python scripts/capture_smolagents.py FOLDER, with smolagents alone installed (1.26.0 made the committed files).
The manager writes code, plans first, asks the searcher (whose tool fails once), slips in a program and then answers
wrongly. Written are both agents' `memory.get_full_steps()`, and the manager's RunResult.
"""

import json
import sys
from pathlib import Path
from typing import Any

from smolagents import ChatMessage, CodeAgent, Model, ToolCallingAgent, tool
from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction, MessageRole
from smolagents.monitoring import TokenUsage

TASK = "What do three widgets cost, in EUR?"


@tool
def price(article: str) -> str:
    """Look up the price of an article.

    Args:
        article: The article's number.
    """
    if article != "W-7":
        raise ValueError(f"no article {article!r}")
    return "12.5 EUR"


def call(name: str, number: int, **arguments: str) -> list[ChatMessageToolCall]:
    function = ChatMessageToolCallFunction(name=name, arguments=arguments)
    return [ChatMessageToolCall(function=function, id=f"call_{number}", type="function")]


class ScriptedModel(Model):
    """A model that gives prepared replies in order, each of 100 tokens in and 10 out."""

    def __init__(self, *replies: Any) -> None:
        super().__init__(model_id="scripted-1")
        self.replies = list(replies)

    def generate(self, messages: Any, **kwargs: Any) -> ChatMessage:
        reply = self.replies.pop(0)
        said = {"content": reply} if isinstance(reply, str) else {"content": "", "tool_calls": reply}
        return ChatMessage(role=MessageRole.ASSISTANT, token_usage=TokenUsage(100, 10), **said)


def team() -> tuple[CodeAgent, ToolCallingAgent]:
    searcher = ToolCallingAgent(
        [price],
        ScriptedModel(
            call("price", 1, article="widget"),
            call("price", 2, article="W-7"),
            call("final_answer", 3, answer="A widget (W-7) costs 12.5 EUR."),
        ),
        name="searcher",
        description="Finds prices.",
        verbosity_level=0,
    )
    manager = CodeAgent(
        [],
        ScriptedModel(
            "1. Ask the searcher. 2. Multiply.<end_plan>",
            "Thought: I ask for the price.\n<code>\nprint(searcher('What does a widget cost?'))\n</code>",
            "Thought: twice is 25, so thrice is 35.\n<code>\nprint(total)\n</code>",
            "Thought: I know it.\n<code>\nfinal_answer('Three widgets cost 35 EUR.')\n</code>",
        ),
        managed_agents=[searcher],
        planning_interval=5,
        return_full_result=True,
        verbosity_level=0,
    )
    return manager, searcher


def main() -> None:
    folder = Path(sys.argv[1])
    manager, searcher = team()
    result = manager.run(TASK)
    found = {
        "manager.json": manager.memory.get_full_steps(),
        "searcher.json": searcher.memory.get_full_steps(),
        "result.json": {**result.dict(), "steps": manager.memory.get_succinct_steps()},
    }
    for name, value in found.items():
        for step in value if isinstance(value, list) else value["steps"]:  # the prompts are the library's, and long
            for message in step.get("model_input_messages") or []:
                message["content"] = [{"type": "text", "text": part["text"][:200]} for part in message["content"]]
        (folder / name).write_text(json.dumps(value, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
