"""A frozen log that a language model goes on with: what is written, and that every figure says whose it is."""

import io
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra [lm] is not installed: no stand-in to ask")

from tracer.analyses.replay import Change, Setting, Shelf, replay
from tracer.errors import TracerError
from tracer.lm.local import LocalLM
from tracer.records import Recording, Run, Step, content_hash, run_id
from tracer.replayers.stand_in import StandIn, make
from tracer.replaying import Fork
from tracer.viz.replay import replay_report


def recording(*told: tuple[str, str], answer: str = "4711", expected: str = "12") -> Recording:
    """A failed run of these agents and texts."""
    said = told or (
        ("planner", "Count the whales."), ("reader", "It saw 4711."), ("checker", "Fine."), ("writer", "Answer: 4711"),
    )  # fmt: skip
    steps = tuple(Step(index=i, agent=who, kind="message", content=text) for i, (who, text) in enumerate(said))
    digest = content_hash(said)
    run = Run(
        id=run_id(digest), content_hash=digest, source="x", format="chat", outcome="failure", answer=answer,
        expected=expected,
    )  # fmt: skip
    return Recording(run, steps)


def test_the_model_writes_in_the_name_of_those_who_spoke(lm: LocalLM) -> None:
    """As many steps as are left, each by the agent of that place, with the tokens that were drawn."""
    of = recording()
    [lived] = StandIn(lm, of, tokens=8)([Fork(of.steps[:2], None, 0)])
    assert [step.agent for step in lived.steps] == ["checker", "writer"]
    assert all(step.model == lm.name and 0 < (step.output_tokens or 0) <= 8 for step in lived.steps)
    assert lived.outcome == "unknown"


def test_the_same_seed_writes_the_same(lm: LocalLM) -> None:
    """And another one something else."""
    of = recording()
    stand_in = StandIn(lm, of, tokens=8)
    first, again, other = stand_in([Fork(of.steps[:2], None, seed) for seed in (0, 0, 1)])
    assert first == again
    assert first != other


def test_a_text_that_the_pocket_model_does_not_know_is_refused() -> None:
    """In one line that says what to do."""
    of = recording()
    with pytest.raises(TracerError, match=r"does not know .* of this text .*: name another stand-in:MODEL"):
        make(of, "")([Fork(of.steps[:2], None, 0)])


def test_a_log_that_is_too_long_for_the_model_is_refused(lm: LocalLM) -> None:
    """In one line, too; nothing is cut silently."""
    of = recording(("a", "word " * 2000), ("b", "Answer: 4711"))
    with pytest.raises(TracerError, match=r"the text has .* tokens, .* reads 512: .* name another stand-in:MODEL"):
        StandIn(lm, of)([Fork(of.steps[:1], None, 0)])


def pocket_run() -> Recording:
    """A problem of the pocket model's world, which the planner got wrong: Ana is 3, Hal is 5, so Cal is 8."""
    return recording(
        ("User", "Cal: Ana plus Hal. Ana: 3. Hal: 5. What is Cal?"), ("Planner", "Cal is 9."), answer="9", expected="8"
    )


def test_every_figure_of_a_stand_in_says_so(lm: LocalLM) -> None:
    """The record, its notes, each fork as a run, and each line with a figure in the report."""
    shelf, of = Shelf(), recording()
    found = replay(Setting(of, "stand-in", StandIn(lm, of, tokens=4), shelf), 1, Change("resample"), forks=2)
    assert found.stand_in == f"{lm.name} ({lm.revision[:12]})"
    assert found.notes[0].startswith("stand-in: ")
    assert {each.run.outcome_source for each in shelf.values()} == {"replay, stand-in"}
    assert all(any("stand-in" in note for note in each.run.notes) for each in shelf.values())
    lines = text_of(found).splitlines()
    figures = [line for line in lines if "[" in line]
    assert len(figures) == 3
    assert all("(stand-in)" in line for line in [lines[0], *figures])


def test_the_pocket_model_goes_on_with_a_run_of_its_own_world() -> None:
    """It reads the transcript, and what it says is a step of the fork."""
    of = pocket_run()
    [lived] = make(of, "")([Fork(of.steps[:1], None, 0)])
    assert [step.agent for step in lived.steps] == ["Planner"]


def text_of(found: Any) -> str:
    """The report as it is printed."""
    from rich.console import Console

    console = Console(width=120, record=True, file=io.StringIO())
    console.print(replay_report(found, width=120))
    return console.export_text()
