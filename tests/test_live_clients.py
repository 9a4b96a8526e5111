"""What real frameworks sent to a live `tracer collect`: the captures in tests/data/live, and, on demand, fresh runs.

`scripts/live/run.py` made the captures; docs/live-runs.md says how. What is expected here is what the scripts let the
models say and what the tools returned, written down by hand; the file's own text is searched for what it does not hold.
"""

import gzip
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tracer.analyses.blame import blame
from tracer.collectors.ingest import read_recordings
from tracer.graph import dependency_graph
from tracer.records import Recording, Step

REPOSITORY = Path(__file__).parent.parent
LIVE = REPOSITORY / "tests/data/live"
CAPTURES = {f"{path.parent.name}-{path.name.partition('.')[0]}": path for path in sorted(LIVE.glob("*/*.gz"))}
frameworks = pytest.mark.parametrize("framework", sorted({path.parent.name for path in CAPTURES.values()}))
every = pytest.mark.parametrize("name", CAPTURES)

PLAN = "Plan: the buyer looks up both prices, the clerk adds up, the reviewer checks and answers."
THOUGHT = "I have the desk. The task says lamps, so I look up lamps."
REPORT = "A desk costs 249.50 EUR. There is no entry for the lamps."
TOTAL = "24 desks cost 5988.00 EUR; the lamps have no price."
ANSWER = "24 * 249.50 is 5988.00, but the lamps have no price. Final answer: not listed."
TEAM = [
    ("planner", "message", PLAN),
    ("buyer", "tool_call", "price desk"),
    ("price", "tool_result", "249.5"),
    ("buyer", "tool_call", "price lamps"),
    ("price", "tool_result", ""),
    ("buyer", "message", REPORT),
    ("clerk", "tool_call", "add_up 24 * 249.50"),
    ("add_up", "tool_result", "5988.00"),
    ("clerk", "message", TOTAL),
    ("reviewer", "message", ANSWER),
]
"""Every agent's words, calls and results, in the order in which the frameworks that pass them on in a row log them."""
MANAGED = [
    ("planner", "tool_call", "buyer Look up what a desk and a lamp cost."),
    *TEAM[1:5],
    ("buyer", "tool_call", f"final_answer {REPORT}"),
    ("final_answer", "tool_result", REPORT),
    ("buyer", "tool_result", f"Here is the final answer from your managed agent 'buyer':\n{REPORT}"),
    ("planner", "tool_call", f"clerk Add up. {REPORT}"),
    *TEAM[6:8],
    ("clerk", "tool_call", f"final_answer {TOTAL}"),
    ("final_answer", "tool_result", TOTAL),
    ("clerk", "tool_result", f"Here is the final answer from your managed agent 'clerk':\n{TOTAL}"),
    ("planner", "tool_call", f"final_answer {ANSWER}"),
    ("final_answer", "tool_result", ANSWER),
]
"""smolagents: the planner calls the others as tools and answers itself."""
REASONED = {
    "ag2-openinference",
    "crewai-openllmetry",
    "langgraph-openinference",
    "langgraph-openllmetry",
    "openai_agents-openinference",
    "smolagents-openinference",
}
"""Where the telemetry holds the buyer's thought; the others drop a reasoning item, or what is said beside a call."""
TOKENLESS = {"crewai-openinference"}
"""Logs no model call, so no tokens."""


def text(name: str) -> str:
    """A capture as it is."""
    return gzip.decompress(CAPTURES[name].read_bytes()).decode()


@cache
def read(name: str) -> Recording:
    """The one run of a capture."""
    ((recording,), skipped) = read_recordings([CAPTURES[name]])
    assert skipped == []
    return recording


def told(step: Step) -> tuple[str, str, str]:
    """A step as (agent, kind, what): of a call the tool and what it is given, of a lookup only the figures."""
    what = step.content
    if step.kind == "tool_call":
        what = " ".join([str(step.tool), *map(str, json.loads(step.arguments or "{}").values())])
    elif step.kind == "tool_result" and step.agent in {"price", "add_up"}:
        what = " ".join(re.findall(r"\d+\.\d+", step.content))
    return step.agent, step.kind, what


def acts(recording: Recording) -> list[Step]:
    """The steps without what the agents were told at the outset, and without hand-offs."""
    asked = ("system", "user")
    moves = {index for index, step in enumerate(recording.steps) if step.kind == "handoff"}
    return [
        step
        for step in recording.steps
        if step.role not in asked and step.index not in moves and not step.agent.startswith("transfer_to_")
    ]


@every
def test_every_word_call_and_result_is_one_step_of_its_agent(name: str) -> None:
    """None is missing, none stands twice, however often the spans repeat it."""
    expected = MANAGED if name.startswith("smolagents") else TEAM
    assert list(map(told, acts(read(name)))) == expected


@every
def test_every_result_names_the_call_it_answers(name: str) -> None:
    """A result has one parent, the call with its tool, and the lookup of the lamps came back empty."""
    steps = read(name).steps
    results = [step for step in steps if step.agent in {"price", "add_up", "final_answer"}]
    assert [steps[step.parents[0]].tool for step in results] == [step.agent for step in results]
    assert [step.tool_status for step in results if step.agent == "price"] == ["ok", "empty"]


@every
def test_reasoning_and_tokens_are_those_that_the_telemetry_holds(name: str) -> None:
    """The n-th reply cost 100 + n and 10 + n tokens; the thought belongs to the second lookup, or is not sent."""
    recording = read(name)
    replies = 8 if name.startswith("smolagents") else 7
    spent = 0 if name in TOKENLESS else sum(range(1, replies + 1))
    assert sum(step.input_tokens or 0 for step in recording.steps) == (spent and 100 * replies + spent)
    assert sum(step.output_tokens or 0 for step in recording.steps) == (spent and 10 * replies + spent)
    thoughts = [(step.arguments, step.reasoning) for step in recording.steps if step.reasoning]
    assert (THOUGHT in text(name)) == (name in REASONED)
    assert [thought for _, thought in thoughts] == ([THOUGHT] if name in REASONED else [])
    assert all("lamps" in (arguments or "") for arguments, _ in thoughts)


@every
def test_the_run_is_known_for_what_it_is(name: str) -> None:
    """Framework, question, answer, and that the checker failed it."""
    run, _ = read(name)
    framework = name.partition("-")[0].replace("_", "-")
    assert (run.framework, run.outcome, run.outcome_source) == (framework, "failure", "evaluation")
    assert "What do 24 desks and 24 lamps" in run.task
    assert run.answer == ANSWER


@every
def test_the_planted_fault_is_ranked_first_and_reaches_the_answer(name: str) -> None:
    """The lookup of `lamps` in a list that goes by the singular; blame is told nothing of it."""
    run, steps = read(name)
    first = blame(run, steps, edges=dependency_graph(steps, run.task)).candidates[0]
    assert told(steps[first.step]) == ("buyer", "tool_call", "price lamps")
    assert first.path[0].step == first.step


@frameworks
def test_a_manifest_says_what_made_a_capture(framework: str) -> None:
    """The versions are those that the requirements pin; every capture has its entry."""
    manifest = json.loads((LIVE / framework / "manifest.json").read_text())
    assert {f"{framework}-{convention}" for convention in manifest} == {
        name for name in CAPTURES if name.startswith(f"{framework}-")
    }
    pinned = (REPOSITORY / f"scripts/live/requirements/{framework}.txt").read_text().lower().splitlines()
    for made in manifest.values():
        versions = {package: version for package, version in made["versions"].items() if package != "python"}
        assert {f"{package}=={version}".lower() for package, version in versions.items()} <= set(pinned)


@every
def test_a_capture_holds_no_trace_of_the_machine_that_made_it(name: str) -> None:
    """No folder, no host, no key."""
    assert re.search(r"/(?:home|root|tmp|usr|Users)/|host\.name|api_key\W+\w{12}", text(name)) is None


@pytest.mark.live
@frameworks
def test_fresh_runs_against_a_live_receiver(framework: str) -> None:
    """The framework is installed in an environment of its own, its runs are collected, the fault is ranked first."""
    names = [name for name in CAPTURES if name.startswith(f"{framework}-")]
    command = [sys.executable, str(REPOSITORY / "scripts/live/run.py"), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(re.findall(r": rank 1 ", done.stdout)) == len(names)
