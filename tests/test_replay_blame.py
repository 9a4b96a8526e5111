"""Blame by replay, on a toy system that is really run: three agents that add, of whom one slips by chance."""

from collections.abc import Sequence
from random import Random

import pytest

from tracer.analyses.replay_blame import (
    Ways,
    blamed,
    differs,
    expects,
    given,
    judged,
    opening,
    repeated,
    replay_blame,
    stated,
)
from tracer.errors import BadInputError, TracerError
from tracer.records import Run, Step
from tracer.replaying import Fork, Lived

AGENTS = ("reader", "doubler", "adder", "teller", "closer")


def step(index: int, agent: str, content: str, **more: object) -> Step:
    return Step(index=index, agent=agent, kind="message", content=content, **more)  # type: ignore[arg-type]


def system(slips: dict[str, float]) -> object:
    """A replayer: each agent passes the number on, plus one where it slips; the right answer is 7."""

    def live(forks: Sequence[Fork]) -> list[Lived]:
        found = []
        for fork in forks:
            rng, steps = Random(fork.seed), list(fork.prefix)
            for agent in AGENTS[len(steps) - 1 :]:
                number = int(steps[-1].content.split()[-1]) + (rng.random() < slips.get(agent, 0.0))
                steps.append(step(len(steps), agent, f"{agent} says {number}"))
            answer = steps[-1].content.split()[-1]
            found.append(Lived(tuple(steps), "success" if answer == "7" else "failure", answer))
        return found

    return live


def failed(slip: str) -> tuple[Run, list[Step]]:
    """A record in which one agent slipped: 7 becomes 8 there and stays 8."""
    steps, number = [step(0, "user", "take 7")], 7
    for agent in AGENTS:
        number += agent == slip
        steps.append(step(len(steps), agent, f"{agent} says {number}"))
    return Run(id="0" * 12, content_hash="0" * 64, source="t", format="test", outcome="failure", answer="8"), steps


@pytest.mark.parametrize("slip", ["reader", "adder", "closer"])
def test_the_agent_that_slipped_is_named(slip: str) -> None:
    """Each slips in 15 of 100 lives; in the record one did, so that nothing behind it helps."""
    run, steps = failed(slip)
    found = replay_blame(run, steps, system(dict.fromkeys(AGENTS, 0.04)), stated)  # type: ignore[arg-type]
    assert found.finding.verdict == "root_cause"
    assert found.finding.candidates[0].agent == slip
    assert found.finding.evidence["replay"]["forks"] <= 40
    assert [tier["tier"] for tier in found.finding.evidence["tiers"]] == ["structure", "replay"]


def test_without_the_truth_agreement_with_the_recorded_answer_takes_its_place() -> None:
    """Behind the slip all lives say 8; before it hardly any does."""
    run, steps = failed("adder")
    found = replay_blame(run, steps, system(dict.fromkeys(AGENTS, 0.04)), differs("8"))  # type: ignore[arg-type]
    assert found.finding.candidates[0].step == 3


def test_the_measured_fall_is_an_edge_to_the_symptom() -> None:
    run, steps = failed("doubler")
    [edge] = replay_blame(run, steps, system({}), stated).edges  # type: ignore[arg-type]
    assert (edge.source, edge.target, edge.origin) == (2, 5, "measured")
    assert edge.weight > 0.5


def test_a_system_that_always_fails_has_no_decisive_step() -> None:
    """Whatever is kept, the closer adds one: living again from scratch fails as well."""
    run, steps = failed("closer")
    finding = replay_blame(run, steps, system({"closer": 1.0}), stated).finding  # type: ignore[arg-type]
    assert finding.verdict == "inconclusive"
    assert "from scratch it fails as well" in finding.verdict_reason


def test_a_spent_budget_says_what_would_settle_it() -> None:
    run, steps = failed("adder")
    found = replay_blame(run, steps, system({}), stated, ways=Ways(budget=2))  # type: ignore[arg-type]
    assert found.finding.verdict == "inconclusive"
    assert "--budget 20" in found.finding.verdict_reason
    assert found.found.forks == 2
    assert judged(found.found)[0] == "inconclusive"


def test_a_replayer_that_cannot_tell_the_outcome_says_what_to_do() -> None:
    with pytest.raises(BadInputError, match="--expected"):
        stated(Lived((), "unknown", "8"))


def test_a_replayer_that_loses_forks_is_told_so() -> None:
    run, steps = failed("adder")
    with pytest.raises(TracerError, match="given 6 forks and returned 0"):
        replay_blame(run, steps, lambda forks: [], stated)


def test_answers_are_compared_as_values() -> None:
    """7.0 is 7; no answer is neither the right one nor the recorded one avoided."""
    assert expects("7")(Lived((), "unknown", "7.0"))
    assert not expects("7")(Lived((), "unknown", None))
    assert not differs("8")(Lived((), "unknown", "8.0"))
    assert not differs("8")(Lived((), "unknown", None))
    assert differs(None)(Lived((), "unknown", "8"))


def test_forks_are_compared_with_the_record_word_for_word() -> None:
    """Behind one kept step two are the same; new steps may come with the prefix or without it."""
    _, steps = failed("adder")
    other = [*steps[1:3], step(3, "adder", "adder says 9")]
    fork = Fork(tuple(steps[:1]), None, 0)
    assert repeated(steps, fork, Lived((steps[0], *other), "failure", None)) == 2
    assert repeated(steps, fork, Lived(tuple(other), "failure", None)) == 2
    assert repeated(steps, fork, Lived(tuple(steps), "failure", None)) == 5


def test_what_the_user_and_the_system_said_is_not_lived_again() -> None:
    _, steps = failed("adder")
    head = Step(index=0, agent="system", kind="system", content="be kind")
    assert given(head)
    assert opening([head, *steps]) == 2
    assert opening([head]) == 1


def test_a_tool_result_is_blamed_on_its_caller() -> None:
    call = Step(index=0, agent="North", kind="tool_call", tool="Files", call_id="c")
    result = Step(index=1, agent="Files", kind="tool_result", content="Error.", call_id="c")
    assert blamed([call, result], 1) == "North"
    assert blamed([call, result.model_copy(update={"call_id": None, "recipient": "North"})], 1) == "North"
