"""AG2: a group chat of four agents and one that executes their tool calls.

Usage: python -m live.ag2 openinference|native
"""

from __future__ import annotations

import sys
from typing import Any

from autogen import Agent, ConversableAgent, GroupChat, GroupChatManager, register_function
from opentelemetry.sdk.trace import TracerProvider

from live import team
from live.model import chat_script, serve
from live.telemetry import record


def group() -> tuple[ConversableAgent, GroupChatManager]:
    """The user, and the manager of the others."""
    url = serve(chat_script())
    agents = {name: speaker(name, url) for name in team.AGENTS}
    executor = ConversableAgent("executor", llm_config=False, human_input_mode="NEVER")
    for name, tools in team.TOOLS.items():
        for tool in tools:
            register_function(tool, caller=agents[name], executor=executor, description=(tool.__doc__ or "").strip())
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    order = iter(team.AGENTS)
    caller: list[Agent] = []

    def following(last: Agent, chat: GroupChat) -> Agent | None:
        """Calls go to the executor, and their results back to the caller; else the next agent speaks."""
        if chat.messages[-1].get("tool_calls"):
            caller[:] = [last]
            return executor
        if last is executor:
            return caller[0]
        name = next(order, None)
        return agents[name] if name else None

    chat = GroupChat([user, *agents.values(), executor], speaker_selection_method=following, max_round=20)
    return user, GroupChatManager(chat, name="manager")


def speaker(name: str, url: str) -> ConversableAgent:
    """An agent with a model of its own."""
    model = {"model": f"scripted-{name}", "base_url": url, "api_key": "none", "price": [0, 0]}
    return ConversableAgent(
        name, system_message=team.DUTIES[name], llm_config={"config_list": [model]}, human_input_mode="NEVER"
    )


def main(convention: str) -> None:
    """Instrumentation of one's own comes as an instrumentor, AG2's is asked to watch each agent."""
    user, manager = group()

    def instrument(provider: TracerProvider) -> None:
        if convention == "native":
            from autogen.opentelemetry import instrument_agent, instrument_llm_wrapper

            instrument_llm_wrapper(tracer_provider=provider, capture_messages=True)
            for agent in (user, manager, *manager.groupchat.agents):
                instrument_agent(agent, tracer_provider=provider)
            return
        from openinference.instrumentation.ag2 import AG2Instrumentor
        from openinference.instrumentation.openai import OpenAIInstrumentor

        AG2Instrumentor().instrument(tracer_provider=provider)
        OpenAIInstrumentor().instrument(tracer_provider=provider)

    def work() -> str:
        result: Any = user.initiate_chat(manager, message=team.TASK, silent=True)
        return str(result.chat_history[-1]["content"])

    record("office-ag2", instrument, work)


if __name__ == "__main__":
    main(sys.argv[1])
