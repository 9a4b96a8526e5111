"""The agent world lived again through the replayer's signature, from steps as they are read from its telemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("opentelemetry.sdk")

from tracer.analyses.drill import Sentences, begun_step
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_replay import AgentReplay, make, relive, voices
from tracer.data.agent_runs import first_lives, steps
from tracer.data.agent_steps import places, steps_of, turns_of
from tracer.data.agent_telemetry import Told, write
from tracer.data.agents import solved, world
from tracer.errors import BadInputError
from tracer.records import Recording, Run, Step
from tracer.replaying import Fork, continues

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = [2_000_055, 2_000_298, 2_000_025, 2_000_303]
"""A group that works from its notes; a chain whose first look-up gives an old figure; a group; a star."""
FOREIGN = ("model", "started", "ended", "span_id", "pointer", "tool_rule", "input_tokens", "output_tokens")


@pytest.fixture(scope="module")
def lived() -> list[Told]:
    """Four runs."""
    return first_lives(SEEDS)


@pytest.fixture(scope="module")
def read(lived: list[Told], tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    """The same runs, written as telemetry and read like anybody's."""
    path: Path = tmp_path_factory.mktemp("world") / "runs.jsonl.gz"
    write(lived, path)
    recordings, skipped = read_recordings([path])
    assert not skipped
    order = {f"Team {seed}:": place for place, seed in enumerate(SEEDS)}
    return sorted(recordings, key=lambda each: order[each.steps[0].content.partition(":")[0] + ":"])


def bare(step: Step) -> Step:
    """A step without what telemetry adds."""
    return step.model_copy(update=dict.fromkeys((*FOREIGN, "reasoning_origin")))


def test_a_run_comes_back_from_its_telemetry_turn_by_turn(lived: list[Told], read: list[Recording]) -> None:
    """Steps and turns are two ways to say the same; the outcome and the answer are the world's."""
    for told, recording in zip(lived, read, strict=True):
        assert [bare(step) for step in recording.steps] == steps_of(told.world, told.turns)
        assert [turn[:4] for turn in turns_of(told.world, recording.steps)] == [turn[:4] for turn in told.turns]
        assert (recording.run.outcome == "success") == solved(told.world, told.turns)
        assert len(recording.steps) == steps(told)


def test_no_label_and_no_right_answer_stands_in_the_log(lived: list[Told], tmp_path: Path) -> None:
    """The problem's answer may be said by an agent, but nothing calls it right, and nobody is called to blame."""
    write(lived, tmp_path / "runs.jsonl")
    text = (tmp_path / "runs.jsonl").read_text(encoding="utf-8")
    assert not any(
        word in text for word in ("expected", 'label": "decisive', "fault", "heat", "temperature", "correct")
    )
    assert text.count('"gen_ai.evaluation.score.label"') == len(lived)


def test_the_kept_steps_stay_and_all_behind_them_is_lived_again(read: list[Recording]) -> None:
    """Six seeds from the middle of each run: the steps kept come back untouched, the numbering goes on."""
    for recording in read:
        replay = make(recording)
        kept = recording.steps[: len(recording.steps) // 2]
        found = replay([Fork(kept, None, seed) for seed in range(6)])
        assert all(each.steps[: len(kept)] == kept for each in found)
        assert all([step.index for step in each.steps] == list(range(len(each.steps))) for each in found)
        assert {each.outcome for each in found} <= {"success", "failure"}
        assert all((each.answer is not None) == each.steps[-1].content.startswith("\\boxed") for each in found)


def test_the_same_fork_is_lived_the_same_way(read: list[Recording]) -> None:
    """In a batch, alone, and through `relive`."""
    recording = read[1]
    replay = make(recording)
    forks = [Fork(recording.steps[:6], None, seed) for seed in range(4)]
    together = replay(forks)
    assert [replay([fork])[0] for fork in forks] == together
    turns = turns_of(replay.world, recording.steps)
    talks = relive(replay.world, turns, [places(replay.world, turns).index(5) + 1] * 4, range(4))
    assert [steps_of(replay.world, talk)[6:] for talk in talks] == [list(each.steps[6:]) for each in together]


def test_from_scratch_is_a_fork_without_a_prefix(read: list[Recording]) -> None:
    """The run's own seed gives the run itself."""
    for recording, seed in zip(read, SEEDS, strict=True):
        [found] = make(recording)([Fork((), None, seed)])
        assert [bare(step) for step in recording.steps] == list(found.steps)
        assert found.outcome == recording.run.outcome


def test_an_agent_goes_on_from_the_middle_of_its_thought(read: list[Recording]) -> None:
    """The solver's first three sentences stay as they are, what follows them is its own; nothing before is changed."""
    recording = read[1]
    place, step = next((k, each) for k, each in enumerate(recording.steps) if each.agent == "Solver")
    sentences = Sentences.of(step.reasoning, place)
    begun = begun_step(step, sentences.kept(3))
    replay = make(recording)
    assert continues(replay)
    found = replay([Fork(recording.steps[:place], None, seed, begun) for seed in range(4)])
    assert all(each.steps[:place] == recording.steps[:place] for each in found)
    assert all(sentences.repeated(each.steps[place].reasoning) >= 3 for each in found)
    assert all(each.steps[place].agent == "Solver" and each.steps[place].spoken for each in found)


def test_an_edited_step_takes_its_place_and_is_acted_on(read: list[Recording]) -> None:
    """In the chain the solver is handed other facts, and most lives compute from them: 20 - 9 - 3 = 8."""
    recording = read[1]
    handed = next(step for step in recording.steps if step.kind == "handoff" and step.recipient == "Solver")
    edited = handed.model_copy(update={"content": "to Solver: Cal: Fay -3. Fay: Ben -9. Ben: 20. What is Cal?"})
    found = make(recording)([Fork(recording.steps[: handed.index], edited, seed) for seed in range(3)])
    assert all(each.steps[handed.index] == edited for each in found)
    assert [each.answer for each in found].count("\\boxed{ 8}") >= 2


def test_the_correct_step_is_known_and_mends_an_old_figure(read: list[Recording]) -> None:
    """The chain's look-up of Cal gave an old figure: with the right one most lives end well, with the old one none."""
    recording = read[1]
    replay = make(recording)
    wrong = next(step for step in recording.steps if step.content == "Cal: Fay -4.")
    right = replay.correct(recording.steps[: wrong.index], wrong)
    assert right is not None
    assert (right.index, right.kind, right.content) == (wrong.index, "tool_result", "Cal: Fay -3.")
    kept = recording.steps[: wrong.index]
    well = [each.outcome for each in replay([Fork(kept, right, seed) for seed in range(8)])].count("success")
    ill = [each.outcome for each in replay([Fork(kept, wrong, seed) for seed in range(8)])].count("success")
    assert (well >= 6, ill) == (True, 0)


def test_a_run_of_somebody_else_is_refused_in_one_line() -> None:
    """No roster, no world."""
    run = Run(id="0123456789ab", content_hash="0", source="", format="chat")
    with pytest.raises(BadInputError, match="none of the agent world"):
        make(Recording(run, (Step(index=0, agent="user", kind="message", content="Team 7: hello"),)))


def test_the_revision_tells_the_world_and_the_model() -> None:
    """Both may change what a fork comes to."""
    revision = AgentReplay(7).revision
    assert revision.endswith(voices().lm.revision)
    assert world(7).seed == 7
