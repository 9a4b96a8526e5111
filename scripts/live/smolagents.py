"""smolagents: a manager that asks three agents of its own, each with the tools that it needs.

Usage: python -m live.smolagents openinference

The manager is the planner and the reviewer in one. All of them call tools; none writes code.
"""

from __future__ import annotations

import sys

from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from smolagents import OpenAIServerModel, ToolCallingAgent, tool

from live import team
from live.model import Say, Script, serve
from live.telemetry import record

WORKERS = ("buyer", "clerk")


def script() -> Script:
    """The team's words: the manager asks in a call of the worker's name, an answer is a call of `final_answer`."""
    said = team.SCENARIO
    turns = [Say(calls=(call,)) for call in said.lookups]
    report = Say(calls=(("final_answer", {"answer": said.report}),))
    thought = f"<think>{said.thought}</think>"
    if team.NAME == "wrong-key":  # the mistake is the last call
        turns[-1] = turns[-1]._replace(text=thought)
    else:
        report = report._replace(text=thought)
    return {
        "planner": [
            Say(team.PLAN, calls=(("buyer", {"task": "Look up what a desk and a lamp cost."}),)),
            Say(calls=(("clerk", {"task": f"Add up. {said.report}"}),)),
            Say(calls=(("final_answer", {"answer": said.answer}),)),
        ],
        "buyer": [*turns, report],
        "clerk": [
            Say(calls=(("add_up", {"products": said.sum}),)),
            Say(calls=(("final_answer", {"answer": said.total}),)),
        ],
    }


def work() -> str:
    """Run the manager."""
    url = serve(script())

    def model(name: str) -> OpenAIServerModel:
        return OpenAIServerModel(f"scripted-{name}", api_base=url, api_key="none")

    workers = [
        ToolCallingAgent(
            tools=[tool(each) for each in team.TOOLS[name]],
            model=model(name),
            name=name,
            description=team.DUTIES[name],
            instructions=team.DUTIES[name],
            verbosity_level=0,
        )
        for name in WORKERS
    ]
    manager = ToolCallingAgent(
        tools=[],
        model=model("planner"),
        managed_agents=workers,
        name="planner",
        instructions=team.DUTIES["planner"],
        verbosity_level=0,
    )
    return str(manager.run(team.TASK))


def instrument(provider: TracerProvider) -> None:
    """The only instrumentor that there is."""
    SmolagentsInstrumentor().instrument(tracer_provider=provider)


if __name__ == "__main__":
    if sys.argv[1] != "openinference":
        raise SystemExit(f"no instrumentation {sys.argv[1]!r} for smolagents")
    record("office-smolagents", instrument, work)
