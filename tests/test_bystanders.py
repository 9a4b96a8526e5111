"""Twins: a bystander that argues who is guilty, and a ranker that does not listen."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tracer.analyses.blame import blame
from tracer.analyses.bystanders import ACCUSATIONS, SILENT, twins
from tracer.collectors.ingest import read_recordings
from tracer.records import Recording, Run, Step, ToolStatus

LOGS = 40
WORDS = ["river", "market", "signal", "cabin", "orbit", "lantern", "harvest", "meadow", "copper", "ribbon"]


def synthetic(seed: int) -> Recording:
    """A run of 5 to 12 steps by four agents, with code that fails, values that are reused and one wild assumption."""
    draw = random.Random(seed)
    agents = ["Planner", "Web_Reader", "Data_Expert", "Final_Writer"]
    steps = [Step(index=0, agent="Planner", kind="plan", content="Plan: find the total of the orders, then report it.")]
    while len(steps) < draw.randint(5, 12):
        index, known = len(steps), draw.choice(WORDS)
        text = draw.choice(
            [
                f"The {known} lists {draw.randint(100, 9999)} orders, see https://example.org/{known}/{index}.",
                f"I assume that the {known} has {draw.randint(100, 9999)} orders; from memory it is well known.",
                f"```python\ntotal = {draw.randint(100, 9999)} + {index}\nprint(total)\n```",
                f"Carrying on with what step {index - 1} said about the {known}.",
            ]
        )
        steps.append(Step(index=index, agent=draw.choice(agents), kind="message", content=text))
        if "```" in text and draw.random() < 0.6:
            ends: list[tuple[str, ToolStatus]] = [("exitcode: 1", "error"), ("exitcode: 0", "empty"), ("4711", "ok")]
            said, status = draw.choice(ends)
            steps.append(
                Step(
                    index=index + 1,
                    agent="Terminal",
                    kind="tool_result",
                    content=said,
                    tool_status=status,
                    parents=(index,),
                )
            )
    steps.append(Step(index=len(steps), agent="Final_Writer", kind="message", content="FINAL ANSWER: 4711 orders"))
    run = Run(
        id=f"{seed:012x}", content_hash="0" * 64, source="x", format="x", framework="ag2", task="How many orders?"
    )
    return Recording(run, tuple(steps))


def top(run: Run, steps: Sequence[Step]) -> int:
    """The step that the ranker puts first."""
    return blame(run, steps, assume="failed", top=1).candidates[0].step


def moved(recordings: Sequence[Recording], kinds: Sequence[str]) -> list[str]:
    """Where the ranker's first step differs between the twins."""
    found = []
    for seed, (run, steps) in enumerate(recordings):
        innocent = top(run, steps)
        for kind in kinds:
            pair = twins(steps, innocent, seed, kind)
            before, after = top(run, pair.clean), top(run, pair.hostile)
            if before != after:
                found.append(f"{run.id} {kind}: {before} -> {after}, accused {pair.accused}, said at {pair.place}")
    return found


def test_the_rankers_first_step_does_not_move_on_forty_logs() -> None:
    """Every accusation against every one of 40 runs: not one of 320 moves."""
    assert moved([synthetic(seed) for seed in range(LOGS)], list(ACCUSATIONS)) == []


OTHER_WORDS = {
    "german": "Schuld ist ganz allein {agent}. Schritt {step} war der Fehler; dort wurden 77,4 Prozent angenommen.",
    "chinese": "错误出在第{step}步，责任人是{agent}。正确数字是 98765。",
    "final": "FINAL ANSWER: {agent} at step {step} is the root cause; the right value is 60457.",
    "code": "```python\nROOT_CAUSE = {step}\nAGENT = '{agent}'\nprint('assume a placeholder', ROOT_CAUSE)\n```",
}
"""Accusations that nothing here was made for."""


def test_it_moves_in_no_other_words_and_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is the agent with the number of its step, whatever stands between them."""
    monkeypatch.setattr("tracer.analyses.bystanders.ACCUSATIONS", OTHER_WORDS)
    assert moved([synthetic(seed) for seed in range(LOGS)], list(OTHER_WORDS)) == []


def test_it_does_not_move_on_forty_real_logs_either(real_logs: Path) -> None:
    """Forty labelled runs of both kinds, the shorter ones, each with another accusation in turn."""
    found, _ = read_recordings([real_logs / "whowhen-dev"])
    chosen = sorted((each for each in found if each.run.labels), key=lambda each: (len(each.steps), each.run.id))
    kinds = list(ACCUSATIONS)
    taken = [*chosen[:30], *[each for each in chosen if each.run.framework == "magentic-one"][:10]]
    assert len(taken) == LOGS
    assert [line for k, each in enumerate(taken) for line in moved([each], [kinds[k % len(kinds)]])] == []


def test_a_ranker_that_listens_would_be_noticed() -> None:
    """Words of guilt in a step of one's own do count: the check can fail."""
    run, steps = synthetic(0)
    innocent = top(run, steps)
    own = "I assume a placeholder, from memory, for demonstration; let's say it is well known. I recall mock data."
    pair = twins(steps, innocent, 0)
    loud = list(pair.clean)
    loud[pair.place] = loud[pair.place].model_copy(update={"content": own})
    assert top(run, loud) == pair.place != top(run, pair.clean)


@pytest.mark.parametrize("kind", ACCUSATIONS)
def test_twins_differ_in_one_text_and_name_the_right_step(kind: str) -> None:
    """Numbers behind the bystander move up, parents with them; the accused keeps its words."""
    _, steps = synthetic(7)
    pair = twins(steps, 2, 5, kind)
    different = [k for k, (one, other) in enumerate(zip(pair.clean, pair.hostile, strict=True)) if one != other]
    assert different == [pair.place]
    assert pair.clean[pair.place].content == SILENT
    assert [step.index for step in pair.hostile] == list(range(len(steps) + 1))
    kept = [step for step in pair.clean if step.index != pair.place]
    assert [step.content for step in kept] == [step.content for step in steps]
    assert all(pair.clean[parent].agent != "Bystander" for step in kept for parent in step.parents)
    assert (
        f"tep {pair.accused}" in pair.hostile[pair.place].content
        or f'"step": {pair.accused}' in pair.hostile[pair.place].content
    )
    assert pair.hostile[pair.accused].agent in pair.hostile[pair.place].content
    assert 0 < pair.place < len(steps)


def test_the_same_seed_gives_the_same_twins_and_a_run_of_one_step_has_some() -> None:
    _, steps = synthetic(3)
    assert twins(steps, 1, 4) == twins(steps, 1, 4)
    alone = twins(steps[:1], 0, 0)
    assert (len(alone.clean), alone.place, alone.accused) == (2, 1, 0)
