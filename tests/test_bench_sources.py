"""Which labelled runs teach the ranker: on two sources in which quite other things give the step away."""

from __future__ import annotations

from tracer.analyses.bench_sources import bench_sources
from tracer.analyses.cases import Case, prepare
from tracer.records import Label, Recording, Run, Step


def case(number: int, decisive: int, words: str) -> Case:
    """Six messages of six agents, of which the decisive one holds the words."""
    said = [words if k == decisive else "so be it" for k in range(6)]
    steps = tuple(Step(index=k, agent=f"A{k}", kind="message", content=text) for k, text in enumerate(said))
    label = Label(team="t", agent=f"A{decisive}", step=decisive, stated=str(decisive))
    name = f"{words[:3]}{number}"
    run = Run(id=name, content_hash=name, source="x", format="y", outcome="failure", labels=(label,), group=name)
    return prepare(Recording(run, steps))


def test_what_one_source_teaches_is_known_there_and_not_elsewhere() -> None:
    """First: the step that assumes something; second: the last step, whatever it says. Both know both."""
    first = [case(k, k % 5, "I assume so") for k in range(25)]
    second = [case(k, 5, "well then") for k in range(25)]
    rows = {(row["trained_on"], row["tested_on"]): row for row in bench_sources(first, second)}
    assert len(rows) == 6
    assert rows["first", "first"]["step"] == rows["second", "second"]["step"] == 1
    assert rows["second", "first"]["step"] < 0.3
    assert rows["both", "first"]["step"] > 0.9
    assert all(row["n"] == 25 and row["interval"][0] <= row["step"] <= row["interval"][1] for row in rows.values())
