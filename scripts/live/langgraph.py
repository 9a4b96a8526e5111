"""LangGraph: four prebuilt agents in a row on one shared history, their tools in the agents' own loops.

Usage: python -m live.langgraph openinference|openllmetry
"""

from __future__ import annotations

import sys

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry.sdk.trace import TracerProvider

from live import team
from live.model import chat_script, serve
from live.telemetry import record

TOOLS = {name: [tool(each) for each in own] for name, own in team.TOOLS.items()}


def instrument(convention: str, provider: TracerProvider) -> None:
    """Switch one of the two instrumentors on."""
    if convention == "openinference":
        from openinference.instrumentation.langchain import LangChainInstrumentor
    else:
        from opentelemetry.instrumentation.langchain import LangchainInstrumentor as LangChainInstrumentor
    LangChainInstrumentor().instrument(tracer_provider=provider)


def work() -> str:
    """Run the graph; the last message is the answer."""
    url = serve(chat_script())
    graph = StateGraph(MessagesState)
    for name in team.AGENTS:
        model = ChatOpenAI(model=f"scripted-{name}", base_url=url, api_key="none", max_retries=0)
        agent = create_agent(model, TOOLS.get(name, []), system_prompt=team.DUTIES[name], name=name)
        graph.add_node(name, agent)
    for before, after in zip([START, *team.AGENTS], team.AGENTS, strict=False):
        graph.add_edge(before, after)
    found = graph.compile(name="office").invoke({"messages": [HumanMessage(team.TASK)]})
    return str(found["messages"][-1].content)


if __name__ == "__main__":
    record("office-langgraph", lambda provider: instrument(sys.argv[1], provider), work)
