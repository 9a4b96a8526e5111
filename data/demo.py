"""The demo runs: which files ship, and which fault was planted where.

`demo_langgraph.py`, `demo_ag2.py` and `demo_pocket.py` made the files; nothing that analyses a run reads what stands
here about faults.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from tracer.records import Outcome


class DemoRun(NamedTuple):
    """A shipped run and the truth about it."""

    file: str
    title: str
    framework: str
    agents: tuple[str, ...]
    """Everyone who acts in the run, in order of appearance, without the user and the tools."""
    outcome: Outcome
    """How the run really ended."""
    outcome_in_log: bool
    """Whether the file says so itself."""
    planted_agent: str | None = None
    """Who makes the mistake; None where nobody does. In the run of the pocket model it came about by itself."""
    planted_step: str = ""
    """The mistake, in words."""
    planted_fragment: str = ""
    """Text that stands in the planted agent's faulty step and in no other step of that agent."""
    why: str = ""
    """Why this step, and no other, broke the run."""


DEMO_RUNS: tuple[DemoRun, ...] = (
    DemoRun(
        file="box-count.messages.json",
        title="A solver that thinks aloud gets one sum wrong",
        framework="AG2",
        agents=("planner", "clerk", "solver", "checker", "reporter"),
        outcome="failure",
        outcome_in_log=False,
        planted_agent="solver",
        planted_step="gets a sum wrong in its reasoning and answers with it",
        planted_fragment="boxed{ ",
        why="The sheet is read out rightly; checker and reporter only pass on what the solver said.",
    ),
    DemoRun(
        file="bike-sales.ag2.json",
        title="A coder counts in made-up data",
        framework="AG2",
        agents=("planner", "coder", "executor", "critic"),
        outcome="failure",
        outcome_in_log=False,
        planted_agent="coder",
        planted_step="counts in sample data instead of the file",
        planted_fragment="With sample data for the first half of the year",
        why="The program runs, so that nothing fails; critic and planner only pass its number on.",
    ),
    DemoRun(
        file="quarterly-report.otlp.jsonl",
        title="A researcher reads the wrong row",
        framework="LangGraph",
        agents=("supervisor", "researcher", "analyst", "writer"),
        outcome="failure",
        outcome_in_log=True,
        planted_agent="researcher",
        planted_step="reports the revenue of Q4 2023 as that of Q3 2023",
        planted_fragment="in Q3 2023 it was 471.1 kEUR",
        why="The table is right and every later step computes correctly with the figure that it was given.",
    ),
    DemoRun(
        file="freight-quote.otlp.jsonl",
        title="An analyst invents what the lookup did not find",
        framework="LangGraph",
        agents=("planner", "researcher", "analyst", "reviewer"),
        outcome="failure",
        outcome_in_log=True,
        planted_agent="analyst",
        planted_step="takes a usual rate for the contract's rate",
        planted_fragment="The contract rate is 2.35 EUR per kg, so I compute",
        why="The researcher reported truthfully that there is no rate; the reviewer checked only the arithmetic.",
    ),
    DemoRun(
        file="rail-orders.ag2.json",
        title="A coder filters the wrong column",
        framework="AG2",
        agents=("planner", "coder", "executor", "critic"),
        outcome="failure",
        outcome_in_log=False,
        planted_agent="coder",
        planted_step="selects shipments by the carrier's name instead of by the column mode",
        planted_fragment='if "rail" in row["carrier"].lower()',
        why="The program runs and prints a plausible number. The failed first try is harmless: it was mended.",
    ),
    DemoRun(
        file="quarterly-report-ok.spans.json",
        title="The same report without the mistake",
        framework="LangGraph",
        agents=("supervisor", "researcher", "analyst", "writer"),
        outcome="success",
        outcome_in_log=True,
    ),
)


def demo_files() -> list[Path]:
    """The shipped log files, in the order of DEMO_RUNS."""
    folder = Path(str(files("tracer.data").joinpath("demo")))
    return [folder / run.file for run in DEMO_RUNS]
