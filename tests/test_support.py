"""What nothing before a claim accounts for."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.support import RAISED, UNLIKELY, Value, said_before


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
