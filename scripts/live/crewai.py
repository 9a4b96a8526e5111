"""CrewAI: a sequential crew of four agents with one task each; every task is given what the one before brought.

Usage: python -m live.crewai openinference|openllmetry
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", CREWAI_STORAGE_DIR=str(Path.cwd()))

from crewai import LLM, Agent, Crew, Process, Task
from crewai.tools import tool
from opentelemetry.sdk.trace import TracerProvider

from live import team
from live.model import chat_script, serve
from live.telemetry import record

DUTIES = {
    "planner": f"Say who does what to answer this: {team.TASK}",
    "buyer": f"Look up the prices that are needed to answer this: {team.TASK}",
    "clerk": "Add up.",
    "reviewer": f"Check the result, and answer: {team.TASK}",
}


def instrument(convention: str, provider: TracerProvider) -> None:
    """Switch one of the two instrumentors on, and the same family's for the client that CrewAI uses."""
    if convention == "openinference":
        from openinference.instrumentation.crewai import CrewAIInstrumentor
    else:
        from opentelemetry.instrumentation.crewai import CrewAIInstrumentor
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider)
    CrewAIInstrumentor().instrument(tracer_provider=provider)


def work() -> str:
    """Run the crew; the last task's output is the answer."""
    url = serve(chat_script())
    agents, tasks = [], []
    for name in team.AGENTS:
        model = LLM(model=f"openai/scripted-{name}", base_url=url, api_key="none")
        agent = Agent(
            role=name,
            goal=team.DUTIES[name],
            backstory=team.DUTIES[name],
            llm=model,
            tools=[tool(each.__name__)(each) for each in team.TOOLS.get(name, [])],
        )
        agents.append(agent)
        tasks.append(Task(name=f"{name}'s task", description=DUTIES[name], expected_output="One line.", agent=agent))
    return str(Crew(agents=agents, tasks=tasks, process=Process.sequential, name="office").kickoff())


if __name__ == "__main__":
    record("office-crewai", lambda provider: instrument(sys.argv[1], provider), work)
