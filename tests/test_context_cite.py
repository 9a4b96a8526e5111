"""Our ContextCite against the published one (PyPI `context-cite`), on the same model, sources and choices.

Skips where it is not installed. When imported it downloads data for splitting sentences, which nothing here needs:
the sources are ours, token by token.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.citing import ALPHA, CHOICES, KEEP, context_cite
from tracer.analyses.faithfulness import keep
from tracer.analyses.log_odds import together
from tracer.analyses.reading import Reading
from tracer.analyses.statement import statement
from tracer.lm.local import LocalLM
from tracer.records import Step

SAID = [
    ("user", "to Desk: How many bikes were rented in May?"),
    ("Shop", "to Desk: We rented 157 bikes in May. It rained."),
    ("Web", "to Desk: The site says 90 bikes."),
    ("Shop", "to Desk: In June it was 201."),
    ("Desk", "to User: 157 bikes were rented in May."),
]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package's functions, imported without its download."""
    nltk = pytest.importorskip("nltk", reason="context-cite is not installed")
    monkeypatch.setattr(nltk, "download", lambda *_, **__: True)
    pytest.importorskip("context_cite", reason="context-cite is not installed")
    from importlib import import_module

    return import_module("context_cite.utils")


def test_weights_and_log_odds_agree_to_1e_4(published: Any, tiny_lm: Callable[..., LocalLM]) -> None:
    """Its own masks, its own passes over what each leaves, its own aggregate, and its own solver."""
    from importlib import import_module

    lm = tiny_lm("llama", "bytes")
    steps = [Step(index=k, agent=who, kind="message", content=said) for k, (who, said) in enumerate(SAID)]
    reading = Reading(lm, statement(steps, 4))
    ids, told = reading.text.ids.tolist(), reading.text.told

    def prompt(mask: Any) -> list[int]:
        gone = {token for part, kept in enumerate(mask) if not kept for token in range(*reading.text.parts[part])}
        return [ids[k] for k in range(told) if k not in gone]

    masks, odds = published.get_masks_and_logit_probs(
        lm.model, lm.tokenizer, CHOICES, reading.count, prompt, ids[told:], KEEP, 1
    )
    outcome = published.aggregate_logit_probs(odds)
    solver = import_module("context_cite.solver").LassoRegression(ALPHA)
    weights, _ = solver.fit(masks, outcome, len(ids) - told)

    np.testing.assert_array_equal(masks, [keep(reading.count, KEEP, seed) for seed in range(CHOICES)])
    ours = reading.erased([np.flatnonzero(~mask).tolist() for mask in masks])
    np.testing.assert_allclose(together(ours), outcome, atol=1e-3, rtol=1e-6)
    whole = np.ones(len(ids) - told, dtype=np.bool_)
    found = context_cite(reading, [whole]).scores[0]
    assert np.abs(weights).max() > 1e-2
    np.testing.assert_allclose(found, weights, atol=1e-4)
