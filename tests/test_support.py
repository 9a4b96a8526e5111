"""What nothing before a claim accounts for."""

from collections.abc import Callable

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.reading import Reading
from tracer.analyses.statement import statement
from tracer.analyses.support import RAISED, UNLIKELY, Support, Value, said_before
from tracer.lm.local import LocalLM
from tracer.records import Step


@pytest.mark.parametrize(
    ("logprob", "raised", "known", "made_up"),
    [
        (-UNLIKELY + 0.1, 0.0, False, False),  # the model would write it by itself
        (-UNLIKELY - 0.1, RAISED + 1, False, True),  # it stands nowhere, whatever the sources do
        (-UNLIKELY - 0.1, RAISED - 1, True, True),  # it stands in a source that does not bring it up
        (-UNLIKELY - 0.1, RAISED, True, False),  # unlikely, and yet from a source
    ],
)
def test_a_value_is_made_up_if_neither_the_model_nor_a_source_has_it(
    logprob: float, raised: float, known: bool, made_up: bool
) -> None:
    assert Value("33", logprob, raised, known).made_up is made_up


def test_the_first_own_step_that_has_all_values_said_it_before() -> None:
    """Whole words only: 133 holds no 33; marks in a value are no pattern."""
    earlier = [(1, "Mia: 133."), (4, "Mia: 33."), (6, "Mia: 33. Eva: 7.")]
    assert said_before(["33"], earlier) == 4
    assert said_before(["33", "7"], earlier) == 6
    assert said_before(["9"], earlier) is None
    assert said_before(["3.*"], earlier) is None


def test_the_number_of_one_said_of_another_stands_nowhere(tiny_lm: Callable[..., LocalLM]) -> None:
    """3 is Hal's and 9 is Kim's; case is no difference, and a number alone needs no company."""
    said = [
        ("East", "to Planner: Hal: 3. KIM: 9."),
        ("Planner", "to Solver: Hal: 3. Kim: 3. Kim: 9. Hal: 9. What is Hal? 9."),
    ]
    steps = [Step(index=k, agent=who, kind="message", content=text) for k, (who, text) in enumerate(said)]
    reading = Reading(tiny_lm("llama", "bytes"), statement(steps, 1))
    whole, nothing = reading.erased([(), range(reading.count)])
    values = Support(reading, whole, nothing).values
    numbers = [value.known for claim in values for value in claim if value.text.isdigit()]
    assert numbers == [True, False, True, False, True]
