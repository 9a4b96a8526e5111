"""Rollouts per second against `transformers.generate`, as ratios within one run, on the shipped model."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.bench_engine import speedup  # noqa: E402
from tracer.lm import load  # noqa: E402
from tracer.lm.pocket import FOLDER  # noqa: E402

PLAIN_LIMIT = 2.0
VALID_LIMIT = 2.5
SAMPLES = 20
"""Of each prefix."""


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no pocket model is shipped with this version")
def test_rollouts_are_faster_than_generate(benchmark: BenchmarkFixture) -> None:
    """With every saving off, and in valid rollouts with what is handed on."""
    torch.set_num_threads(1)
    found = speedup(load(), SAMPLES, 0)
    benchmark.extra_info.update(found)
    benchmark.pedantic(lambda: None)  # type: ignore[no-untyped-call]
    print(found)
    assert found["speedup_vs_generate"] >= PLAIN_LIMIT
    assert found["valid_speedup_vs_generate"] >= VALID_LIMIT
