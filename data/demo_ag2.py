"""Make the AG2 demo runs: real group chats whose coder's programs really run; only the models are scripted.

Usage: python -m tracer.data.demo_ag2 [FOLDER]
Needs data/demo/requirements.txt; docs/demo-runs.md says what is planted where.
A chat is saved as AG2 holds it, `groupchat.messages`, and says nothing of how the run ended.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from autogen import Agent, ConversableAgent, GroupChat, GroupChatManager
from autogen.coding import LocalCommandLineCodeExecutor

ORDERS = """\
order,carrier,mode,days
A01,RailRunner,road,2
A02,RailRunner,road,3
A03,Nordcargo,rail,8
A04,Baltrail,rail,7
A05,RailRunner,rail,6
A06,Nordcargo,road,4
A07,Baltrail,rail,9
A08,RailRunner,road,3
A09,Nordcargo,sea,15
A10,Baltrail,road,4
"""
"""By rail went A03, A04, A05 and A07, which took 7.5 days on average. Carriers with rail in their name took 4.9."""

TASK = "orders.csv lists our shipments. How many days did the shipments that went by rail take on average? One decimal."
PLAN = (
    "Plan: the coder looks at the columns and computes the average, the executor runs it, the critic checks the result."
)
FIRST_TRY = """\
I expect a column that says how a shipment was transported.
```python
import csv
rows = list(csv.DictReader(open("orders.csv")))
if "transport" not in rows[0]:
    raise SystemExit(f"no column 'transport'; there are: {', '.join(rows[0])}")
```"""
LOOK = """\
Let me look at the first rows.
```python
print("".join(open("orders.csv").readlines()[:5]))
```"""
FAULT = """\
The carriers tell us who runs trains, so I keep the rows whose carrier has rail in its name.
```python
import csv
rows = [row for row in csv.DictReader(open("orders.csv")) if "rail" in row["carrier"].lower()]
days = [int(row["days"]) for row in rows]
print(f"{len(days)} shipments by rail, {sum(days) / len(days):.1f} days on average")
```"""
CHECK = "The program ran without an error, and 4.9 days are plausible for rail. I see nothing to change: approved."
ANSWER = "The shipments that went by rail took 4.9 days on average. TERMINATE"
SALES = """\
month,shop,bikes
April,Bergen,41
May,Bergen,57
May,Oslo,88
May,Tromso,12
June,Oslo,93
"""
"""In May 157 bikes were sold."""
MADE_UP = """\
I assume that the table has one row a month. With sample data for the first half of the year:
```python
sample = {"January": 22, "February": 31, "March": 64, "April": 97, "May": 128, "June": 140}
print(f"May: {sample['May']} bikes")
```"""


class Scenario(NamedTuple):
    """One group chat: what stands in the folder, what is asked, what each model says, who speaks when."""

    table: tuple[str, str]
    task: str
    script: dict[str, list[str]]
    turns: list[str]


SCENARIOS = {
    "rail-orders.ag2.json": Scenario(
        table=("orders.csv", ORDERS),
        task=TASK,
        script={"planner": [PLAN, ANSWER], "coder": [FIRST_TRY, LOOK, FAULT], "critic": [CHECK]},
        turns=["planner", "coder", "executor", "coder", "executor", "coder", "executor", "critic", "planner"],
    ),
    "bike-sales.ag2.json": Scenario(
        table=("sales.csv", SALES),
        task="sales.csv lists our bike sales by month and shop. How many bikes did we sell in May?",
        script={
            "planner": [
                "Plan: the coder reads sales.csv and adds up the bikes sold in May, "
                "the executor runs it, the critic checks.",
                "We sold 128 bikes in May. TERMINATE",
            ],
            "coder": [MADE_UP],
            "critic": ["The program ran and printed 128 bikes for May, between April and June: approved."],
        },
        turns=["planner", "coder", "executor", "critic", "planner"],
    ),
}
"""File name -> the chat that is saved in it."""


class ScriptedClient:
    """An AG2 model client that gives prepared replies in order."""

    def __init__(self, config: dict[str, Any], replies: list[str]) -> None:
        self._model = config["model"]
        self._replies = iter(replies)

    def create(self, params: dict[str, Any]) -> SimpleNamespace:
        message = SimpleNamespace(content=next(self._replies), function_call=None, tool_calls=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model=self._model)

    def message_retrieval(self, response: SimpleNamespace) -> list[str]:
        return [choice.message.content for choice in response.choices]

    def cost(self, response: SimpleNamespace) -> float:
        return 0.0

    @staticmethod
    def get_usage(response: SimpleNamespace) -> dict[str, Any]:
        return {}


def speaker(name: str, replies: list[str]) -> ConversableAgent:
    """An agent that speaks its part of the script."""
    model = {"model": "scripted-1", "model_client_cls": "ScriptedClient"}
    agent = ConversableAgent(
        name, system_message=f"You are the {name}.", llm_config={"config_list": [model]}, human_input_mode="NEVER"
    )
    agent.register_model_client(model_client_cls=ScriptedClient, replies=replies)
    return agent


def chat(folder: Path, scenario: Scenario) -> list[dict[str, Any]]:
    """Hold the group chat in a folder with the table and return its messages."""
    name, table = scenario.table
    (folder / name).write_text(table, encoding="utf-8")
    code = {"executor": LocalCommandLineCodeExecutor(work_dir=folder)}
    agents: dict[str, Agent] = {name: speaker(name, part) for name, part in scenario.script.items()}
    agents["executor"] = ConversableAgent(
        "executor", llm_config=False, code_execution_config=code, human_input_mode="NEVER"
    )
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    turns = iter(scenario.turns)
    group = GroupChat(
        agents=[user, *agents.values()],
        speaker_selection_method=lambda last, chat: agents[next(turns)],
        max_round=len(scenario.turns) + 1,
    )
    manager = GroupChatManager(group, is_termination_msg=lambda message: "TERMINATE" in (message["content"] or ""))
    user.initiate_chat(manager, message=scenario.task, silent=True)
    return group.messages


def main() -> None:
    """Write the files into the folder given, else beside this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "demo"
    for name, scenario in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as workplace:
            messages = chat(Path(workplace), scenario)
        text = json.dumps(messages, indent=2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
