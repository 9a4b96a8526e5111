"""Make the LangChain logs of the tests: a real LangGraph run, its models scripted.

Usage: python scripts/capture_langchain.py FOLDER, with langchain and langgraph alone installed.
A planner hands over to a researcher (an agent with a tool that fails once), then a writer answers wrongly. Written are
the state as `dumpd` serialises it, the same as plain message dicts, and the event stream of `astream_events`, v2.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolCall, messages_to_dict
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph

TASK = "What do three widgets cost, in EUR?"
SCRIPT = {
    "planner": [("Plan: the researcher finds the price, the writer multiplies.", None, [])],
    "researcher": [
        ("", None, [("price", {"article": "widget"})]),
        ("The catalogue wants a number.", None, [("price", {"article": "W-7"})]),
        ("A widget (W-7) costs 12.5 EUR.", None, []),
    ],
    "writer": [("Three widgets cost 35 EUR.", "Three times 12.5: twice is 25, so thrice is 35.", [])],
}


class ScriptedModel(BaseChatModel):
    """A chat model that gives prepared replies in order, each of 100 tokens in and 10 out."""

    who: str
    said: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        text, thought, calls = SCRIPT[self.who][self.said]
        self.said += 1
        reply = AIMessage(
            content=text,
            name=self.who,
            tool_calls=[ToolCall(name=name, args=args, id=f"call_{self.said}") for name, args in calls],
            additional_kwargs={"reasoning_content": thought} if thought else {},
            usage_metadata={"input_tokens": 100, "output_tokens": 10, "total_tokens": 110},
            response_metadata={"model_name": "scripted-1"},
        )
        return ChatResult(generations=[ChatGeneration(message=reply)])


@tool
def price(article: str) -> str:
    """Look up the price of an article."""
    if article != "W-7":
        raise ValueError(f"no article {article!r}")
    return "12.5 EUR"


price.handle_tool_error = True


def graph() -> Any:
    def speaker(name: str) -> Any:
        def speak(state: MessagesState) -> dict[str, Any]:
            reply = ScriptedModel(who=name).invoke([SystemMessage(f"You are the {name}."), *state["messages"]])
            return {"messages": [reply]}

        return speak

    from langchain.agents.middleware import ToolRetryMiddleware

    retry = ToolRetryMiddleware(max_retries=0, on_failure="continue")
    researcher = create_agent(ScriptedModel(who="researcher"), [price], name="researcher", middleware=[retry])
    made = StateGraph(MessagesState)
    made.add_node("planner", speaker("planner"))
    made.add_node("researcher", researcher)
    made.add_node("writer", speaker("writer"))
    for before, after in ((START, "planner"), ("planner", "researcher"), ("researcher", "writer"), ("writer", END)):
        made.add_edge(before, after)
    return made.compile(name="widget-price")


async def events() -> list[dict[str, Any]]:
    return [event async for event in graph().astream_events({"messages": [HumanMessage(TASK)]}, version="v2")]


def main() -> None:
    folder = Path(sys.argv[1])
    state = graph().invoke({"messages": [HumanMessage(TASK)]})
    (folder / "state.dumpd.json").write_text(json.dumps(dumpd(state), indent=1) + "\n")
    plain = {"messages": messages_to_dict(state["messages"])}
    (folder / "state.messages.json").write_text(json.dumps(plain, indent=1) + "\n")
    lines = [json.dumps(dumpd(event)) + "\n" for event in asyncio.run(events())]
    (folder / "events.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
