"""Measured edges: what hiding a step does to what its reader says, on talks of a few lines."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tracer.analyses.hiding import NATS, measured_edges, moved
from tracer.lm import load
from tracer.lm.local import LocalLM
from tracer.lm.offsets import begun
from tracer.records import Step

HANDED = "Ana: Hal +5. Hal: 3. What is Ana?"


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    """The shipped model."""
    return load()


def talk() -> list[Step]:
    """West hands the facts on; the solver uses them, and the reporter what the solver found."""
    return [
        Step(index=0, agent="user", kind="message", content="What is Ana?"),
        Step(index=1, agent="West", kind="handoff", content=f"to Solver: {HANDED}", reasoning="All facts are here."),
        Step(
            index=2,
            agent="Solver",
            kind="handoff",
            content=f"to Reporter: {HANDED} Ana is 8.",
            reasoning="We need Ana. Ana: Hal +5. Hal: 3. Ana = 3 +5 = 8. So Ana is 8.",
        ),
        Step(index=3, agent="Reporter", kind="message", content="to User: \\boxed{ 8}", reasoning="So Ana is 8."),
    ]


def test_hiding_what_an_agent_was_told_moves_what_it_says(lm: LocalLM) -> None:
    """The solver rests on West's words, the reporter on the solver's; forward in time alone."""
    found = moved(lm, talk())
    assert found[2, 1] > NATS
    assert found[3, 2] > NATS
    assert np.triu(found).max() == 0
    edges = measured_edges(lm, talk())
    assert {(1, 2), (2, 3)} <= {(each.source, each.target) for each in edges}
    assert all(each.origin == "measured" and 0 < each.weight <= 1 for each in edges)


def test_what_an_agent_never_saw_moves_nothing(lm: LocalLM) -> None:
    """In a private talk the reporter saw nothing of West's; a second copy of the facts makes the first one idle."""
    found = moved(lm, talk())
    assert found[3, 1] == 0
    again = Step(index=2, agent="East", kind="handoff", content=f"to Solver: {HANDED}")
    twice = [*talk()[:2], again, talk()[2].model_copy(update={"index": 3})]
    assert moved(lm, twice)[3, 1] < found[2, 1]


def test_the_nats_are_those_of_a_plain_forward_pass(lm: LocalLM) -> None:
    """By hand: the reporter's view with the solver's line masked, all but its line break; KL over the reporter's words.

    Deletion that keeps the other positions is the same as a mask, so one line is left out and positions are kept.
    """
    line = f"Solver: to Reporter: {HANDED} Ana is 8.\n"
    text = f"{line}Reporter: <think> So Ana is 8. </think> to User: \\boxed{{ 8}}\n"
    encoded = lm.encode(text)
    ids = torch.tensor([encoded.ids])
    spans = [(0, len(line)), (len(line) + len("Reporter:"), len(text))]
    (_, end), (start, stop) = begun(encoded.offsets, spans)
    end -= 1  # the line break is run again without the rest of its line
    kept = torch.arange(end, ids.shape[1])
    with torch.inference_mode():
        whole = torch.log_softmax(lm.model(ids).logits[0], -1)
        rest = torch.log_softmax(lm.model(ids[:, end:], position_ids=kept[None]).logits[0], -1)
    places = torch.arange(start - 1, stop - 1)
    one, other = whole[places], rest[places - end]
    by_hand = float((one.exp() * (one - other)).sum())
    assert moved(lm, talk())[3, 2] == pytest.approx(by_hand, rel=1e-3)


@pytest.mark.parametrize("steps", [[], talk()[:1]])
def test_where_nobody_was_told_anything_nothing_is_measured(lm: LocalLM, steps: list[Step]) -> None:
    """No step, and the user alone."""
    assert measured_edges(lm, steps) == []


def test_notes_count_for_the_prompt_that_holds_them(lm: LocalLM) -> None:
    """North says on what stands in its notes."""
    steps = [
        Step(index=0, agent="Planner", kind="message", content="to North: Ana?", reasoning="We need Ana. Ana: North."),
        Step(index=1, agent="North", kind="system", role="system", content="Team 1. Notes: Hal: 3. Ana: Hal +5."),
        Step(index=2, agent="North", kind="message", content="to Planner: Ana: Hal +5.", reasoning="Ana: Hal +5."),
    ]
    assert (1, 2) in {(each.source, each.target) for each in measured_edges(lm, steps)}
