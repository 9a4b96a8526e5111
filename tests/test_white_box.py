"""What a language model makes of steps, and how it is weighed: on a talk in which one number is off."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.drill_rewriting import rewriting
from tracer.analyses.step_signals import Signals, heard, is_public, signals, told
from tracer.analyses.surprisal import log_probs
from tracer.analyses.white_box import FEATURES, Case, Known, candidates, first, matrix, probabilities, shipped, train
from tracer.errors import BadInputError, MissingExtraError
from tracer.lm import load
from tracer.lm.local import LocalLM
from tracer.lm.offsets import begun
from tracer.records import Step


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    """The shipped model."""
    return load()


def talk(result: int = 8, said: int | None = None) -> list[Step]:
    """Ana is 3 + 5; the solver says `result` in its thought, and `said` in the end."""
    said = result if said is None else said
    handed = "Ana: Hal +5. Hal: 3. What is Ana?"
    return [
        Step(index=0, agent="user", kind="message", content="What is Ana?"),
        Step(
            index=1,
            agent="West",
            kind="handoff",
            content=f"to Solver: {handed}",
            reasoning="Hal: 3. All facts are here.",
        ),
        Step(
            index=2,
            agent="Solver",
            kind="handoff",
            content=f"to Checker: {handed} Ana is {said}.",
            reasoning=f"We need Ana. Ana: Hal +5. Hal: 3. Ana = 3 +5 = {result}. So Ana is {result}.",
        ),
    ]


def test_a_wrong_sum_costs_more_than_a_right_one(lm: LocalLM) -> None:
    """3 + 5 = 9 instead of 8: the solver's thought strays, and nobody else's words change."""
    right, wrong = signals(lm, talk(8)), signals(lm, talk(9))
    assert wrong.cost[2, 0] > right.cost[2, 0] + 3
    assert wrong.stray[2, 0] > 3 > right.stray[2, 0]
    np.testing.assert_allclose(wrong.cost[1], right.cost[1], atol=1e-4)


def test_costs_are_sums_of_log_probabilities_of_the_own_view(lm: LocalLM) -> None:
    """Of the solver's view, encoded by hand: the words behind `Solver:`."""
    steps = talk(8)
    handed = "to Solver: Ana: Hal +5. Hal: 3. What is Ana?"
    text = f"West: {handed}\nSolver: <think> {steps[2].reasoning} </think> {steps[2].content}\n"
    encoded = lm.encode(text)
    import torch

    chosen = log_probs(lm.model, torch.tensor(encoded.ids))
    begin = len(f"West: {handed}\nSolver:")
    span = slice(*begun(encoded.offsets, [(begin, len(text))])[0])
    assert signals(lm, steps).cost[2].sum() == pytest.approx(-chosen[span].sum(), abs=1e-3)
    np.testing.assert_allclose(told(lm, encoded)[0], chosen, atol=1e-5)
    assert is_public(lm, steps) in {True, False}


def test_probabilities_are_over_the_steps_of_agents_and_tools(lm: LocalLM) -> None:
    """The user is no candidate; with a wrong sum the solver is likelier than with the right one."""
    right, wrong = (probabilities(Known(steps, signals(lm, steps), [0.0, 0.5, 0.5])) for steps in (talk(8), talk(9)))
    assert candidates(talk()) == [1, 2]
    assert wrong[0] == 0
    assert sum(wrong) == pytest.approx(1)
    assert wrong[2] > right[2]


def test_every_weight_has_the_sign_of_its_reason() -> None:
    for name, weight in shipped().weights.items():
        assert FEATURES[name].sign * weight >= 0


def test_training_learns_what_tells_the_steps_apart() -> None:
    """In ten runs the step whose words stray is the label: that is what gets the weight."""
    steps = [Step(index=k, agent="a", kind="message", content="x") for k in range(4)]
    runs = []
    for label in [0, 1, 2, 3, 1, 2, 0, 3, 2, 1]:
        stray = np.zeros((4, 3))
        stray[label, 2] = 5.0
        zeros = np.zeros(4)
        signals_ = Signals(stray, stray, zeros, zeros, zeros, zeros)
        runs.append(Case(Known(steps, signals_, [0.25] * 4), label))
    model = train(runs, "none")
    assert model.weights["said_stray"] > 0
    assert (model.cross_validated, model.runs) == (1.0, 10)
    assert all(first(known, model) == label for known, label in runs)


def test_a_run_without_agents_has_no_candidates() -> None:
    steps = [Step(index=0, agent="user", kind="message", content="hello")]
    nothing = Signals(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1))
    assert probabilities(Known(steps, nothing, [1.0])) == [0.0]
    assert matrix(Known(steps, nothing, [1.0])).shape == (0, len(FEATURES))


def test_the_drill_names_the_sentence_with_the_wrong_sum(lm: LocalLM) -> None:
    """Before `Ana = 3 +5 = 9.` the model says 8; behind it, 9."""
    found = rewriting(lm, talk(9), 2)
    assert found.text == "Ana = 3 +5 = 9."
    assert talk(9)[2].reasoning is not None
    assert (talk(9)[2].reasoning or "")[found.start : found.end] == found.text
    assert found.rise.low > 0.5


def test_where_only_the_saying_is_off_no_sentence_is_named(lm: LocalLM) -> None:
    """The thought comes to 8 and the solver says 9."""
    found = rewriting(lm, talk(8, said=9), 2)
    assert (found.sentence, found.text) == (None, "")


def test_a_step_without_reasoning_cannot_be_drilled(lm: LocalLM) -> None:
    with pytest.raises(BadInputError, match="no reasoning"):
        rewriting(lm, talk(), 0)


def call(answer: str) -> list[Step]:
    """The solver asks the calculator for 3 + 5, and hands on what it says."""
    asks = Step(
        index=2,
        agent="Solver",
        kind="tool_call",
        tool="Calc",
        arguments='{"query":"Ana = 3 +5?"}',
        call_id="1",
        reasoning="We need Ana. Ana: Hal +5. Hal: 3.",
    )
    gives = Step(index=3, agent="Calc", kind="tool_result", content=answer, recipient="Solver", call_id="1")
    return [*talk()[:2], asks, gives.model_copy(update={"tool": "Calc", "tool_status": "ok"})]


def test_a_tool_that_reckons_wrong_is_noticed_by_a_model_that_can(lm: LocalLM) -> None:
    """3 + 5 = 8: of the answer only what the question does not hold counts, so the right sum costs nothing."""
    right, wrong = signals(lm, call("Ana = 3 +5 = 8.")), signals(lm, call("Ana = 3 +5 = 9."))
    assert right.answered[3] < 0.5
    assert wrong.answered[3] > 2
    assert right.answered[:3].tolist() == [0, 0, 0]
    odd = list(FEATURES).index("tool_odd")
    assert matrix(Known(call(""), wrong, [0.25] * 4))[-1, odd] > matrix(Known(call(""), right, [0.25] * 4))[-1, odd]


def test_a_tool_whose_call_the_log_does_not_hold_has_no_opinion(lm: LocalLM) -> None:
    steps = [step for step in call("Ana = 3 +5 = 9.") if step.kind != "tool_call"]
    assert signals(lm, [step.model_copy(update={"index": k}) for k, step in enumerate(steps)]).answered.max() == 0


def test_a_run_that_ends_with_words_to_oneself_has_gone_astray(lm: LocalLM) -> None:
    """The solver hands on to itself, or to the user; what stands before the end is looked at by nobody."""
    names = list(FEATURES)
    for to, astray in (("User", 0.0), ("Solver", 1.0)):
        steps = talk()
        steps[2] = steps[2].model_copy(update={"content": steps[2].content.replace("to Checker", f"to {to}")})
        assert matrix(Known(steps, signals(lm, steps), [0.0, 0.5, 0.5]))[-1, names.index("astray")] == astray


def test_of_words_that_it_does_not_know_a_model_has_no_opinion(lm: LocalLM) -> None:
    """`signals` refuses such a run, as a user is told; where many runs are read, it counts for nothing."""
    steps = [Step(index=0, agent="Ana", kind="message", content="Quarterly revenue shrank, whatever.")]
    with pytest.raises(MissingExtraError, match="does not know"):
        signals(lm, steps)
    assert all(not np.any(each) for each in heard(lm, steps))


def test_a_thought_that_goes_round_in_a_circle_points_at_what_it_was_given(lm: LocalLM) -> None:
    """Ana rests on Hal, and Hal on Ana: whoever was told that says it again without end."""
    names = list(FEATURES)
    circle = "Ana: Hal +5. Hal: Ana +1. " * 8
    for thought, into in ((circle, 1.0), ("Ana: Hal +5. Hal: 3.", 0.0)):
        steps = talk()
        steps[2] = steps[2].model_copy(update={"content": "", "kind": "thought", "reasoning": thought.strip()})
        rows = matrix(Known(steps, heard(lm, steps), [0.0, 0.5, 0.5]))
        assert rows[0, names.index("into_circle")] == into
        assert rows[1, names.index("into_circle")] == 0
