"""Leave-one-out against Captum's ablation: the same quantity, from a package that knows nothing of ours."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.citing import leave_one_out
from tracer.analyses.reading import Reading
from tracer.analyses.statement import Unit, statement
from tracer.lm import load
from tracer.lm.local import LocalLM
from tracer.records import Step

FACTS = [
    ("user", "to Planner: Ana: West. Hal: East. What is Ana?"),
    ("West", "to Planner: Ana: Hal +5."),
    ("East", "to Planner: Hal: 3. Kim: 9."),
    ("Planner", "to Solver: Ana: Hal +5. Hal: 3. What is Ana?"),
]


@pytest.mark.parametrize("unit", ["step", "sentence"])
@pytest.mark.parametrize("model", ["pocket", "llama", "gemma2"])
def test_leave_one_out_is_captums_ablation(
    published: Any, tiny_lm: Callable[..., LocalLM], model: str, unit: Unit
) -> None:
    """To 1e-4 nats, in a model with a sliding window, too; had a source's neighbour been erased it would be .1 off."""
    lm = load() if model == "pocket" else tiny_lm(model, "bytes")
    steps = [Step(index=k, agent=who, kind="message", content=said) for k, (who, said) in enumerate(FACTS)]
    reading = Reading(lm, statement(steps, 3, unit=unit))
    found = leave_one_out(reading, [np.ones(len(reading.text.ids) - reading.text.told, dtype=np.bool_)]).scores[0]
    theirs = published.ablation(reading)
    np.testing.assert_allclose(found, theirs, atol=1e-4, rtol=0)
    assert np.abs(found - np.roll(theirs, 1)).max() > 0.1
