"""Forks of a real LangGraph thread: real graphs, real checkpointers; only the models are scripted."""

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langgraph", reason="langgraph is not installed: the LangGraph replayer is not tested")

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from tracer.analyses.blame import blame
from tracer.analyses.replay import Change, Setting, replay
from tracer.forking import StoreKeeper
from tracer.records import Step
from tracer.replayers.langgraph import LangGraph
from tracer.replaying import Fork, ReplayError
from tracer.store import Store

TABLE = "whales seen: reef 12, bay 7"
RAN: list[str] = []
"""Every node that was executed, in order."""


def said(state: MessagesState, name: str) -> str:
    """The last words of a node."""
    return str([m.content for m in state["messages"] if m.name == name][-1])


def planner(state: MessagesState) -> dict[str, Any]:
    """Says who does what."""
    RAN.append("planner")
    return {"messages": [AIMessage("The reader counts, the solver adds, the reporter answers.", name="planner")]}


def reader(state: MessagesState) -> dict[str, Any]:
    """Calls the table."""
    RAN.append("reader")
    call = {"name": "table", "args": {"of": "whales"}, "id": "c1"}
    return {"messages": [AIMessage("", name="reader", tool_calls=[call])]}


def table(state: MessagesState) -> dict[str, Any]:
    """The tool, which really reads."""
    RAN.append("table")
    return {"messages": [ToolMessage(TABLE, tool_call_id="c1", name="table")]}


def solver(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
    """The planted fault: unless told otherwise by its seed, it assumes a number in place of the one it read."""
    RAN.append("solver")
    seed = config["configurable"].get("seed")
    reef = 12 if seed is not None and random.Random(seed).random() < 0.5 else 41
    words = f"I assume that the reef has {reef}." if reef == 41 else "The table says 12 for the reef."
    return {"messages": [AIMessage(f"{words} With 7 in the bay that makes {reef + 7}.", name="solver")]}


def checker(state: MessagesState) -> dict[str, Any]:
    """Waves it through, whatever it is."""
    RAN.append("checker")
    return {"messages": [AIMessage("The sum is right.", name="checker")]}


def reporter(state: MessagesState) -> dict[str, Any]:
    """Passes the solver's number on."""
    RAN.append("reporter")
    number = said(state, "solver").split()[-1].rstrip(".")
    return {"messages": [AIMessage(f"Answer: {number}", name="reporter")]}


def after_solver(state: MessagesState) -> str:
    """Where to go: without a sum there is nothing to check."""
    return "checker" if "makes" in said(state, "solver") else END


def graph(checkpointer: Any) -> Any:
    """A chain of six nodes; the solver's successor is chosen by a conditional edge."""
    builder = StateGraph(MessagesState)
    for node in (planner, reader, table, solver, checker, reporter):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "planner")
    for before, after in (("planner", "reader"), ("reader", "table"), ("table", "solver"), ("checker", "reporter")):
        builder.add_edge(before, after)
    builder.add_conditional_edges("solver", after_solver, ["checker", END])
    builder.add_edge("reporter", END)
    return builder.compile(checkpointer=checkpointer)


def right(state: dict[str, Any]) -> bool:
    """The user's own check."""
    return str(state["messages"][-1].content).endswith("19")


@pytest.fixture(name="system")
def _system(tmp_path: Path) -> Iterator[LangGraph]:
    """A thread that was recorded once, in a real SQLite checkpointer."""
    connection = sqlite3.connect(tmp_path / "threads.sqlite", check_same_thread=False)
    app = graph(SqliteSaver(connection))
    app.invoke({"messages": [HumanMessage("How many whales are there?")]}, {"configurable": {"thread_id": "whales"}})
    RAN.clear()
    yield LangGraph(app, judge=right)
    connection.close()


def test_a_thread_is_told_by_the_nodes_that_wrote_it(system: LangGraph) -> None:
    """Seven messages, one step each; the result answers its call; the run failed, says the judge."""
    run, steps = system.recording(expected="19")
    assert [step.agent for step in steps] == ["user", "planner", "reader", "table", "solver", "checker", "reporter"]
    assert [step.kind for step in steps][2:4] == ["tool_call", "tool_result"]
    assert steps[3].parents == (2,)
    assert (run.outcome, run.answer, run.task) == ("failure", "48", "How many whales are there?")


@pytest.mark.parametrize(
    ("kept", "ran"), [(4, ["solver", "checker", "reporter"]), (6, ["reporter"]), (5, ["checker", "reporter"])]
)
def test_no_step_before_the_fork_runs_again(system: LangGraph, kept: int, ran: list[str]) -> None:
    """It goes on from the checkpoint: of the six nodes only those after the kept steps are executed, each once."""
    steps = system.recording().steps
    [lived] = system([Fork(steps[:kept], None, 1)])
    assert ran == RAN
    assert [step.agent for step in lived.steps] == ran


def test_an_edited_step_is_not_executed_and_leads_on(system: LangGraph) -> None:
    """The solver's node does not run; what comes after it sees the edited words, and the judge the new end."""
    steps = system.recording().steps
    mended = steps[4].model_copy(update={"content": "The table says 12 for the reef. With 7 that makes 19."})
    [lived] = system([Fork(steps[:4], mended, 0)])
    assert RAN == ["checker", "reporter"]
    assert ([step.content for step in lived.steps], lived.outcome) == (["The sum is right.", "Answer: 19"], "success")


def test_a_conditional_edge_is_asked_again_about_the_edit(system: LangGraph) -> None:
    """An edit that the edge sends to the end ends the run there: nothing runs, nothing is new."""
    steps = system.recording().steps
    [lived] = system([Fork(steps[:4], steps[4].model_copy(update={"content": "I give up."}), 0)])
    assert (RAN, lived.steps, lived.outcome) == ([], (), "failure")


def test_a_tool_call_and_a_result_can_be_edited(system: LangGraph) -> None:
    """The call's arguments, so that the tool runs anew; or what it brought, so that it does not."""
    steps = system.recording().steps
    [called] = system([Fork(steps[:2], steps[2].model_copy(update={"arguments": '{"of": "seals"}'}), 1)])
    assert RAN[0] == "table"
    assert called.steps[0].parents == () or called.steps[0].kind == "tool_result"
    RAN.clear()
    [brought] = system([Fork(steps[:3], steps[3].model_copy(update={"content": "reef 0, bay 7"}), 1)])
    assert RAN[0] == "solver"
    assert brought.steps[0].agent == "solver"


def test_the_recorded_thread_stays_as_it_is(system: LangGraph) -> None:
    """Forks are threads of their own, and none of them counts as the thread to fork."""
    before = [snapshot.config for snapshot in system.history]
    steps = system.recording().steps
    system([Fork(steps[:4], None, seed) for seed in range(3)])
    again = LangGraph(system.graph, judge=right)
    assert again.thread == "whales"
    assert [snapshot.config for snapshot in again.history] == before


def test_the_planted_fault_is_named_by_replay_and_ranked_first_by_blame(system: LangGraph, tmp_path: Path) -> None:
    """Said anew, only the solver's step changes the end; its forks are runs in the store."""
    of = system.recording(expected="19")
    path = tmp_path / "t.duckdb"
    with Store.open(path) as store:
        store.add("threads.sqlite", "d" * 64, "langgraph", [of], [], lambda spans: [])
    setting = Setting(of, "langgraph", system, StoreKeeper(path, "langgraph", None))
    found = {at: replay(setting, at, Change("resample"), forks=12) for at in (2, 4, 5)}
    assert {at: each.verdict for at, each in found.items() if each.verdict == "cause"} == {4: "cause"}
    assert found[4].kept is not None
    assert found[4].kept.flips == 0
    assert found[2].kept is not None
    assert found[2].changed.flips == found[2].kept.flips > 0
    finding = blame(of.run, of.steps)
    assert (finding.candidates[0].step, finding.candidates[0].agent) == (4, "solver")
    with Store.open(path, read_only=True) as store:
        assert {run.parent for run in store.forks(of.run.id)} == {of.run.id}
        assert [run.id for run in store.runs()] == [of.run.id]
        assert store.verify() == []


def test_a_node_that_names_the_next_one_itself_keeps_what_it_named(tmp_path: Path) -> None:
    """Command(goto=...) is not asked again: the edited step leads where its own words had led."""
    ran: list[str] = []

    def first(state: MessagesState) -> Command[Any]:
        ran.append("first")
        return Command(goto="second", update={"messages": [AIMessage("a", name="first")]})

    def second(state: MessagesState) -> dict[str, Any]:
        ran.append("second")
        return {"messages": [AIMessage(f"Answer: {state['messages'][-1].content}", name="second")]}

    builder = StateGraph(MessagesState)
    builder.add_node("first", first, destinations=("second",))
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    app = builder.compile(checkpointer=InMemorySaver())
    app.invoke({"messages": [HumanMessage("?")]}, {"configurable": {"thread_id": "1"}})
    ran.clear()
    system = LangGraph(app)
    steps = system.recording().steps
    [lived] = system([Fork(steps[:1], steps[1].model_copy(update={"content": "b"}), 0)])
    assert ran == ["second"]
    assert (lived.steps[0].content, lived.answer, lived.outcome) == ("Answer: b", "b", "unknown")


def test_what_a_trace_tells_beside_the_messages_is_passed_over(system: LangGraph) -> None:
    """A run read from spans has no user's step, and steps of its own; it may word a tool's answer as the tool did."""
    steps = system.recording().steps
    inner = Step(index=3, agent="table", kind="thought", content="looking it up")
    raw = steps[3].model_copy(update={"content": "{'reef': 12, 'bay': 7}"})
    [lived] = system([Fork((*steps[1:3], inner, raw), None, 1)])
    assert RAN == ["solver", "checker", "reporter"]
    assert lived.steps[0].agent == "solver"


def test_what_cannot_be_forked_is_told(system: LangGraph) -> None:
    """Words that no checkpoint holds; a graph without a checkpointer; threads of which none is named."""
    nowhere = Step(index=0, agent="x", kind="message", content="never said")
    with pytest.raises(ReplayError, match="has no checkpoint after step 0"):
        system([Fork((nowhere,), None, 0)])
    with pytest.raises(ReplayError, match="no checkpointer"):
        LangGraph(graph(None))
    with pytest.raises(ReplayError, match=r"holds 0 threads: name one behind @ \(run it first\)"):
        LangGraph(graph(InMemorySaver()))
    with pytest.raises(ReplayError, match=r"holds no thread 'seals': name one of \['whales'\]"):
        LangGraph(system.graph, "seals")


MODULE = """
import sqlite3
from typing import Annotated

from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

def reader(state):
    return {"messages": [AIMessage("I assume that it saw 4711.", name="reader")]}

def writer(state):
    with open("ran", "a") as file:
        file.write("writer\\n")
    return {"messages": [AIMessage("Answer: " + state["messages"][-1].content.split()[-1].rstrip("."), name="writer")]}

builder = StateGraph(MessagesState)
builder.add_node("reader", reader)
builder.add_node("writer", writer)
builder.add_edge(START, "reader")
builder.add_edge("reader", "writer")
builder.add_edge("writer", END)
connection = sqlite3.connect("threads.sqlite", check_same_thread=False)
app = builder.compile(checkpointer=SqliteSaver(connection))
"""


def test_a_recorded_thread_is_replayed_from_the_command_line(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is a list of messages that the application wrote; the thread is on disk, and the graph is its own."""
    (tmp_path / "whale_graph.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    app = importlib.import_module("whale_graph").app
    state = app.invoke({"messages": [HumanMessage("How many?")]}, {"configurable": {"thread_id": "a thread"}})
    log = [
        {"role": m.type.replace("human", "user").replace("ai", "assistant"), "content": m.content}
        for m in state["messages"]
    ]
    named = [{**entry, **({"name": m.name} if m.name else {})} for entry, m in zip(log, state["messages"], strict=True)]
    (tmp_path / "log.json").write_text(json.dumps({"messages": named}), encoding="utf-8")
    (tmp_path / "right.txt").write_text("It saw 12.", encoding="utf-8")
    assert call("ingest", "log.json").code == 0
    assert call("mark", "@last", "--failed", "--expected", "12").code == 0
    (tmp_path / "ran").unlink()
    command = ("replay", "@last", "--at", 1, "--edit", "right.txt", "--forks", 3, "--with")
    done = call(*command, "langgraph:whale_graph:app@a thread")
    assert done.out.startswith("step 1 · reader: cause")
    assert (tmp_path / "ran").read_text() == 6 * "writer\n"
    assert call(*command, "langgraph:whale_graph:app", "--json").json["verdict"] == "cause"
    importlib.import_module("whale_graph").connection.close()
