"""Whether `tracer cite` finds the true sources of steps, and what was made up: figures of the docs, on fresh runs."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.bench_cite import bench_cite
from tracer.lm import load

RUNS = 100


def test_true_sources_are_found_and_made_up_claims_are_listed() -> None:
    """On 100 runs, and 100 planted claims of each sort, that nothing was chosen on."""
    found = bench_cite(load(), RUNS, seed=4001)
    for group in ("plain", "all"):
        area = {name: figures["auroc"] for name, figures in found["sources"][group].items()}
        assert area["leave-one-out"] >= 0.95, area
        assert area["leave-one-out"] > area["reach"] > 0.5
    listed = found["unsupported"]
    assert listed["planted"]["n"] == listed["changed"]["n"] == RUNS
    assert listed["planted"]["share"] >= 0.9, listed
    assert listed["changed"]["share"] >= 0.9, listed
    assert found["false_listings"]["n"] > 5 * RUNS
    assert found["false_listings"]["share"] <= 0.05
