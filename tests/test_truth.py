"""Runs of the agent world as labelled runs: the label is what an intervention found, and only where it found one."""

from __future__ import annotations

from pathlib import Path

from tracer.analyses.truth import beside, labelled
from tracer.records import Recording, Run, Step


def recording(name: str) -> Recording:
    run = Run(id=name, content_hash=name, source="world.jsonl", format="otlp", outcome="failure")
    return Recording(run, (Step(index=0, agent="Solver", kind="message", content="So Ana is 9."),))


def found(name: str, status: str) -> dict[str, object]:
    return {"run": name, "status": status, "step": 0, "agent": "Solver", "fault": "slip"}


def test_labels_lie_beside_the_runs() -> None:
    assert beside(Path("a/world.jsonl.gz")) == Path("a/world.labels.jsonl")
    assert beside(Path("world.jsonl")) == Path("world.labels.jsonl")


def test_only_runs_with_a_decisive_step_are_labelled() -> None:
    """Of three runs one is decisive, one diffuse, and of one nothing is known."""
    runs = [recording("one"), recording("two"), recording("three")]
    [only] = labelled(runs, [found("two", "diffuse"), found("three", "decisive"), found("four", "decisive")])
    [label] = only.run.labels
    assert (only.run.id, label.team, label.agent, label.step, label.reason) == (
        "three",
        "intervention",
        "Solver",
        0,
        "slip",
    )
    assert runs[2].run.labels == ()
