"""Make the LangGraph demo runs: real graphs, real tools, real OpenTelemetry spans; only the models are scripted.

Usage: python -m tracer.data.demo_langgraph [FOLDER]
Needs data/demo/requirements.txt; docs/demo-runs.md says what is planted where.
"""

from __future__ import annotations

import ast
import csv
import io
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import Command, Send
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from tracer.data.demo_telemetry import SeededIds, SteadySpans

FINANCE = """\
quarter,revenue_keur,costs_keur
2022 Q4,402.0,338.9
2023 Q1,395.2,341.7
2023 Q2,412.4,350.3
2023 Q3,446.8,371.5
2023 Q4,471.1,390.2
"""
CONTRACT = {("PTLIS", "NLRTM"): 1.45, ("PTOPO", "NOOSL"): 1.95, ("DEHAM", "NOOSL"): 0.88}
"""EUR per kg and lane. Lisbon to Oslo is missing, so the right answer to the freight question is that there is none."""


class ScriptedModel(BaseChatModel):
    """A chat model that gives prepared replies in order. It reads no tokens, so it reports none."""

    replies: list[AIMessage]
    said: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "scripted", "ls_model_name": "scripted-1", "ls_model_type": "chat"}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        reply = self.replies[self.said]
        self.said += 1
        return ChatResult(generations=[ChatGeneration(message=reply)])


def say(text: str, *calls: ToolCall, reasoning: str | None = None) -> AIMessage:
    """One prepared reply; its reasoning stands where OpenAI-compatible servers put it."""
    extra = {"reasoning_content": reasoning} if reasoning else {}
    return AIMessage(content=text, tool_calls=list(calls), additional_kwargs=extra)


def call(name: str, number: int, /, **arguments: Any) -> ToolCall:
    """A tool call with a readable id."""
    return ToolCall(name=name, args=arguments, id=f"call_{name}_{number}")


# The tools really run, and really fail.

_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _value(node: ast.expr) -> float:
    """The number that an arithmetic expression stands for."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError(f"not arithmetic: {ast.unparse(node)}")


@tool
def calculator(expression: str) -> str:
    """Evaluate an arithmetic expression."""
    return str(round(_value(ast.parse(expression, mode="eval").body), 4))


@tool
def read_table(name: str, first: str, last: str) -> str:
    """Read a table's rows from one quarter to another, as CSV."""
    if name != "finance":
        raise ValueError(f"no table {name!r}; there is: finance")
    rows = [row for row in csv.reader(io.StringIO(FINANCE)) if row[0] == "quarter" or first <= row[0] <= last]
    return "\n".join(",".join(row) for row in rows)


@tool
def freight_rate(origin: str, destination: str) -> list[dict[str, Any]]:
    """Look up the contract's rates for a lane; ports are UN/LOCODEs."""
    for port in (origin, destination):
        if not re.fullmatch(r"[A-Z]{5}", port):
            raise ValueError(f"unknown port {port!r}: use a UN/LOCODE such as PTLIS")
    return [{"lane": lane, "eur_per_kg": rate} for lane, rate in CONTRACT.items() if lane == (origin, destination)]


# The quarterly report: a supervisor hands tasks to three prebuilt agents.

REPORT_TASK = "By how many percent did our revenue grow from Q2 to Q3 2023? Use the finance table; one decimal."
REPORT_EXPECTED = "8.3 %"


def report_script(q3: str, thought: str) -> dict[str, list[AIMessage]]:
    """Every reply of the report's team, given the figure that the researcher takes for Q3 and why it does."""
    growth = f"({q3} - 412.4) / 412.4 * 100"
    percent = f"{(float(q3) - 412.4) / 412.4 * 100:.1f} %"
    return {
        "supervisor": [
            say(
                "Plan: the researcher reads both figures, the analyst computes the growth, the writer answers.",
                call("transfer_to_researcher", 1, task="Read the revenue of Q2 2023 and Q3 2023 in the finance table."),
            ),
            say(
                "The figures are in; now the growth rate.",
                call("transfer_to_analyst", 2, task=f"Compute the growth in percent from 412.4 to {q3}, one decimal."),
            ),
            say(
                "The growth rate is in; now the sentence.",
                call(
                    "transfer_to_writer", 3, task=f"Write one sentence: revenue grew by {percent} from Q2 to Q3 2023."
                ),
            ),
        ],
        "researcher": [
            say("", call("read_table", 4, name="finance", first="2023 Q1", last="2023 Q4")),
            say(f"Revenue in Q2 2023 was 412.4 kEUR and in Q3 2023 it was {q3} kEUR.", reasoning=thought),
        ],
        "analyst": [
            say("", call("calculator", 5, expression=growth)),
            say(f"From 412.4 to {q3} kEUR the growth is {percent}."),
        ],
        "writer": [say(f"Final answer: from Q2 to Q3 2023 our revenue grew by {percent}.")],
    }


REPORT_FAULTY = report_script(
    "471.1",
    "The table has one line per quarter and I need Q2 and Q3 of 2023. Q2 is 412.4. Q3 is the last line, so 471.1.",
)
REPORT_SOUND = report_script(
    "446.8",
    "The table has one line per quarter and I need Q2 and Q3 of 2023. Q2 is 412.4. The line 2023 Q3 says 446.8.",
)


def hand_over_to(agent: str) -> BaseTool:
    """The supervisor's tool that passes control, with one task in words, to an agent."""

    @tool(f"transfer_to_{agent}", description=f"Hand a task to the {agent}.")
    def transfer(task: str, runtime: ToolRuntime) -> Command[Any]:
        done = ToolMessage(f"Handed over to {agent}.", tool_call_id=runtime.tool_call_id)
        turn = Send(agent, {"messages": [HumanMessage(task, name="supervisor")]})
        return Command(goto=turn, update={"messages": [done]})

    return transfer


def report_graph(script: Mapping[str, list[AIMessage]]) -> Any:
    """Supervisor in the middle; a worker sees its task and gives back its last message; the writer's ends the run."""
    tools = {"researcher": [read_table], "analyst": [calculator], "writer": []}
    graph = StateGraph(MessagesState)
    graph.add_node("supervisor", _speaker("supervisor", script["supervisor"], "handover", END))
    graph.add_node("handover", ToolNode([hand_over_to(name) for name in tools], name="handover"))
    for name, own in tools.items():
        prompt = f"You are the {name}. Do your task and report in one sentence."
        agent = create_agent(ScriptedModel(replies=script[name]), own, system_prompt=prompt, name=name)
        graph.add_node(name, _worker(agent))
        graph.add_edge(name, END if name == "writer" else "supervisor")
    graph.add_edge(START, "supervisor")
    return graph.compile(name="quarterly-report")


def _worker(agent: Any) -> Callable[[MessagesState], Any]:
    """A node that answers with the last message of its agent, not with all of them."""

    def work(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": agent.invoke(state)["messages"][-1:]}

    return work


# The freight quote: a hand-written chain of four agents; a lookup fails, then comes back empty.

FREIGHT_TASK = (
    "What does our contract charge for shipping 480 kg from Lisbon to Oslo, in EUR? "
    "Say 'no contract rate' if there is none."
)
FREIGHT_EXPECTED = "no contract rate"
FREIGHT_SCRIPT = {
    "planner": [
        say("Steps: the researcher looks up the rate, the analyst multiplies, the reviewer checks and answers.")
    ],
    "researcher": [
        say("", call("freight_rate", 1, origin="Lisbon", destination="Oslo")),
        say("The table wants port codes.", call("freight_rate", 2, origin="PTLIS", destination="NOOSL")),
        say("The rate lookup for PTLIS to NOOSL came back without any entry."),
    ],
    "analyst": [
        say(
            "<think>I need weight times rate. The lookup gave no entry for this lane. Freight to Scandinavia usually "
            "costs around 2.35 EUR per kg. I will use that as the rate.</think>"
            "The contract rate is 2.35 EUR per kg, so I compute 480 * 2.35.",
            call("calculator", 3, expression="480 * 2.35"),
        ),
        say("480 kg at the contract rate of 2.35 EUR per kg come to 1128.00 EUR."),
    ],
    "reviewer": [
        say(
            "480 * 2.35 = 1128.00, so the arithmetic holds and the unit is EUR. Approved. "
            "Final answer: our contract charges 1128.00 EUR."
        )
    ],
}


def freight_graph(script: Mapping[str, list[AIMessage]]) -> Any:
    """planner -> researcher (with tools) -> analyst (with a calculator) -> reviewer, on one shared history."""
    tools = {"researcher": [freight_rate], "analyst": [calculator]}
    graph = StateGraph(MessagesState)
    for name, following in zip(script, [*list(script)[1:], END], strict=True):
        graph.add_node(name, _speaker(name, script[name], f"{name}_tools", following))
    for name, own in tools.items():
        graph.add_node(f"{name}_tools", ToolNode(own, name=f"{name}_tools", handle_tool_errors=True))
        graph.add_edge(f"{name}_tools", name)
    graph.add_edge(START, "planner")
    return graph.compile(name="freight-quote")


def _speaker(name: str, replies: list[AIMessage], tools: str, following: str) -> Callable[[MessagesState], Any]:
    """A node that asks its model, then goes to the tools while the reply calls one, else to the next agent."""
    model = ScriptedModel(replies=replies)

    def speak(state: MessagesState) -> Command[Any]:
        reply = model.invoke([SystemMessage(f"You are the {name}."), *state["messages"]])
        return Command(goto=tools if reply.tool_calls else following, update={"messages": [reply]})

    return speak


def record(seed: str, graph: Any, task: str, expected: str, exporter: SpanExporter) -> None:
    """Run a graph under the SDK and export its spans; the root span says whether the answer was right."""
    name = graph.name
    provider = TracerProvider(resource=Resource({"service.name": name}), id_generator=SeededIds(seed))
    provider.add_span_processor(SteadySpans(exporter, seed))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    with provider.get_tracer("demo").start_as_current_span(f"invoke_workflow {name}") as span:
        span.set_attributes({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name})
        answer = graph.invoke({"messages": [HumanMessage(task)]})["messages"][-1].content
        span.add_event("gen_ai.evaluation.result", evaluation(answer, expected))
    LangChainInstrumentor().uninstrument()
    provider.shutdown()


def evaluation(answer: str, expected: str) -> dict[str, Any]:
    """The checker's verdict, as OpenTelemetry's GenAI conventions put it into an event."""
    right = expected in answer
    return {
        "gen_ai.evaluation.name": "answer_check",
        "gen_ai.evaluation.score.value": float(right),
        "gen_ai.evaluation.score.label": "pass" if right else "fail",
        "gen_ai.evaluation.explanation": f"expected '{expected}', got '{answer}'",
    }


def main() -> None:
    """Write the three files into the folder given, else beside this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "demo"
    report, freight = folder / "quarterly-report.otlp.jsonl", folder / "freight-quote.otlp.jsonl"
    for path in (report, freight):
        path.unlink(missing_ok=True)  # the exporter appends
    record("quarterly-report", report_graph(REPORT_FAULTY), REPORT_TASK, REPORT_EXPECTED, FileSpanExporter(report))
    record("freight-quote", freight_graph(FREIGHT_SCRIPT), FREIGHT_TASK, FREIGHT_EXPECTED, FileSpanExporter(freight))
    with (folder / "quarterly-report-ok.spans.json").open("w", encoding="utf-8") as out:
        console = ConsoleSpanExporter(out=out)
        record("quarterly-report-ok", report_graph(REPORT_SOUND), REPORT_TASK, REPORT_EXPECTED, console)


if __name__ == "__main__":
    main()
