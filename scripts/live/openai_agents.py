"""The OpenAI Agents SDK: four agents that hand over to one another, on the responses API.

Usage: python -m live.openai_agents openinference|openllmetry
"""

from __future__ import annotations

import asyncio
import sys

from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_trace_processors
from openai import AsyncOpenAI
from opentelemetry.sdk.trace import TracerProvider

from live import team
from live.model import Say, Script, serve
from live.telemetry import record


def script() -> Script:
    """The team's words: each agent says them as it hands over to the next, the last one ends the run."""
    said = team.SCENARIO
    turns = [Say(calls=(call,)) for call in said.lookups]
    report = Say(said.report, calls=(("transfer_to_clerk", {}),))
    if team.NAME == "wrong-key":  # the mistake is the last call
        turns[-1] = turns[-1]._replace(thought=said.thought)
    else:
        report = report._replace(thought=said.thought)
    return {
        "planner": [Say(team.PLAN, calls=(("transfer_to_buyer", {}),))],
        "buyer": [*turns, report],
        "clerk": [
            Say(calls=(("add_up", {"products": said.sum}),)),
            Say(said.total, calls=(("transfer_to_reviewer", {}),)),
        ],
        "reviewer": [Say(said.answer)],
    }


def instrument(convention: str, provider: TracerProvider) -> None:
    """Switch one of the two instrumentors on; the SDK's own tracing, which would send to OpenAI, stays off."""
    set_trace_processors([])
    if convention == "openinference":
        from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    else:
        from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)


def work() -> str:
    """Run the planner, and whoever it hands over to."""
    client = AsyncOpenAI(base_url=serve(script()), api_key="none", max_retries=0)
    following: list[Agent] = []
    for name in reversed(team.AGENTS):
        agent = Agent(
            name=name,
            instructions=team.DUTIES[name],
            model=OpenAIResponsesModel(f"scripted-{name}", client),
            tools=[function_tool(each) for each in team.TOOLS.get(name, [])],
            handoffs=following,
        )
        following = [agent]
    return str(asyncio.run(Runner.run(following[0], team.TASK)).final_output)


if __name__ == "__main__":
    record("office-openai-agents", lambda provider: instrument(sys.argv[1], provider), work)
