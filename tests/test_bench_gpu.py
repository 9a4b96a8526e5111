"""The GPU benchmark on the CPU in a miniature shape: the same functions, so that they run where a GPU is."""

import runpy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SCRIPT = Path(__file__).parent.parent / "scripts" / "bench_gpu.py"


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_work_runs_in_a_miniature_shape(bench: dict[str, Any], dtype: Any) -> None:
    """Tokens by hand: 64 in 8 sentences of 8; behind each 56, 48, ... 0; 2 x 3 rollouts of 5."""
    torch.set_num_threads(1)
    found = bench["measure"](bench["MINIATURE"], "cpu", dtype, rounds=1)
    assert [(each.work, each.tokens) for each in found] == [
        ("plain pass", 64),
        ("suppression", 64 + 56 + 48 + 40 + 32 + 24 + 16 + 8),
        ("sentence attention", 64),
        ("rollouts", 64 + 6 * 5),
    ]
    assert all(each.seconds > 0 and each.share > 0 and each.memory is None for each in found)
    text = bench["table"](found, bench["MINIATURE"], "a machine", "2026-01-02")
    assert "2026-01-02, a machine" in text
    assert text.count("\n| ") == 5


def test_rollouts_are_as_many_and_as_long_as_asked(bench: dict[str, Any]) -> None:
    """No token ends them, and each word of the tokenizer is one token."""
    shape = bench["MINIATURE"]
    lm = bench["random_lm"](shape, "cpu", torch.float32)
    rollouts = bench["works"](lm, shape)["rollouts"][1]()
    assert [each.tokens for each in rollouts] == [5] * 6
    assert lm.prompt("w3 w95 ") == (3, 95)


def test_the_shape_is_that_of_8_billion_weights(bench: dict[str, Any]) -> None:
    """Counted from the shape by hand: attention, the three matrices of the inner layer, both embeddings."""
    s = bench["EIGHT_B"]
    kept = s.width // s.heads * s.shared_heads
    layer = 2 * s.width * s.width + 2 * s.width * kept + 3 * s.width * s.inner
    assert 7.9e9 < s.layers * layer + 2 * s.vocabulary * s.width < 8.1e9


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: it would be measured for minutes")
def test_without_a_gpu_the_file_says_so_and_a_table_is_not_lost(bench: dict[str, Any], tmp_path: Path) -> None:
    """With the date; what was measured elsewhere stays."""
    path = tmp_path / "results" / "gpu.md"
    for _ in range(2):
        assert bench["main"](path) == 0
        assert "not run: no GPU (20" in path.read_text()
    path.write_text("| a table |\n")
    assert bench["main"](path) == 0
    assert path.read_text() == "| a table |\n"
