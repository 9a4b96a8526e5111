"""Memory: what a run takes, worked out by hand; and real allocations that fail."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tracer.errors import DoesNotFitError
from tracer.lm import memory
from tracer.lm.memory import Batches, free_bytes, human, ran_out, row_bytes, rows_that_fit

torch = pytest.importorskip("torch")

TOO_MUCH = 1 << 60


def doubled(at_most: int, seen: list[int]) -> Callable[[Sequence[int]], list[int]]:
    """Work that doubles numbers and, like a GPU, has room for so many of them."""

    def work(batch: Sequence[int]) -> list[int]:
        seen.append(len(batch))
        if len(batch) > at_most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return [2 * each for each in batch]

    return work


def test_a_row_takes_its_keys_values_and_logits(tiny_model: Callable[..., Any]) -> None:
    """3 layers, 2 key-value heads of 8, float32: 384 bytes a token; 32 for each of 96 tokens of the vocabulary."""
    config = tiny_model("llama").config
    assert row_bytes(config, 100, 4) == 38_400 + 3_072
    assert row_bytes(config, 100, 2) == 19_200 + 3_072
    assert row_bytes(config, 100, 4, scored=10) == 38_400 + 30_720


def test_heads_that_the_config_leaves_out_are_derived(tiny_model: Callable[..., Any]) -> None:
    """GPT-NeoX names neither grouped heads nor their width: 4 heads of 32 / 4, 768 bytes a token."""
    assert row_bytes(tiny_model("gpt_neox").config, 10, 4) == 7_680 + 3_072


def test_four_fifths_of_the_free_memory_are_planned_with() -> None:
    """1,000 bytes have room for 8 rows of 100, for none of 900, and for any number where nothing is known."""
    assert rows_that_fit(100, 1000, 64) == 8
    assert rows_that_fit(100, 1000, 5) == 5
    assert rows_that_fit(900, 1000, 64) == 0
    assert rows_that_fit(900, None, 64) == 64


def test_memory_runs_out_and_the_batch_is_halved() -> None:
    """Ten numbers with room for three at once: 10, 5, 2 and then twos, in order, nothing lost and nothing twice."""
    seen: list[int] = []
    batches = Batches(64)
    assert batches.run(range(10), doubled(3, seen), 64) == [2 * each for each in range(10)]
    assert seen == [10, 5, 2, 2, 2, 2, 2]
    assert batches.run(range(3), doubled(3, seen), 64) == [0, 2, 4]
    assert seen[7:] == [2, 1]


def test_a_batch_is_as_large_as_asked_for_at_most() -> None:
    """An empty list is not work."""
    seen: list[int] = []
    assert Batches(64).run(range(5), doubled(9, seen), 2) == [0, 2, 4, 6, 8]
    assert seen == [2, 2, 1]
    assert Batches(64).run([], doubled(9, seen), 2) == []


def test_memory_that_runs_out_on_a_single_row_is_the_end() -> None:
    """In one line that says what to do."""
    with pytest.raises(DoesNotFitError, match="memory ran out on a single text: take a shorter text"):
        Batches(4).run(range(4), doubled(0, []), 4)


def test_the_cpus_own_allocator_is_understood() -> None:
    """torch has no class for it; a real allocation that cannot succeed."""

    def work(batch: Sequence[int]) -> list[int]:
        if len(batch) > 1:
            torch.empty(TOO_MUCH, dtype=torch.uint8)
        return list(batch)

    assert Batches(4).run(range(4), work, 4) == [0, 1, 2, 3]


def test_other_errors_are_not_swallowed() -> None:
    """A shape that does not match is ours to mend."""

    def work(batch: Sequence[int]) -> list[int]:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    with pytest.raises(RuntimeError, match="must match"):
        Batches(4).run(range(4), work, 4)
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_sampling_goes_on_with_smaller_batches_and_the_same_samples(tiny_lm: Callable[..., Any]) -> None:
    """A model whose every pass over more than three rows allocates what no machine has."""
    lm = tiny_lm()
    wanted = lm.sample("What is Kim?", 8, max_tokens=10)

    def greedy_for_memory(module: Any, given: tuple[Any, ...]) -> None:
        if len(given[0]) > 3:
            torch.empty(TOO_MUCH, dtype=torch.uint8)

    handle = lm.model.register_forward_pre_hook(greedy_for_memory)
    assert lm.sample("What is Kim?", 8, max_tokens=10) == wanted
    assert lm.batches.rows == 2
    assert len(lm.logprobs("What is Kim?", [" Kim", " Leo", ".", " is"])) == 4
    handle.remove()


def test_a_run_that_will_not_fit_is_told_before_it_begins(tiny_lm: Callable[..., Any]) -> None:
    """A context of 10^12 tokens of 384 bytes is more than any machine has."""
    lm = tiny_lm(max_position_embeddings=10**12 + 10)
    with pytest.raises(DoesNotFitError, match=r"takes about 384 TB and .*B are free on cpu: take a shorter text"):
        lm.sample("Hello", 1, max_tokens=10**12)


def test_the_machines_free_memory_is_known_or_not_but_never_wrong() -> None:
    """More than a megabyte, less than a petabyte."""
    free = free_bytes(torch.device("cpu"))
    assert free is None or 10**6 < free < 10**15


def test_a_containers_limit_counts_where_it_is_the_lesser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 allowed, 700 in use, of which 200 only cache files: 500 are left. Without a limit the machine decides."""
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert free_bytes(torch.device("cpu")) == 500
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert free_bytes(torch.device("cpu")) is None


def test_sizes_are_written_for_people() -> None:
    """Powers of a thousand, three digits."""
    sizes = (0, 999, 1500, 16_400_000_000, 3e15)
    assert [human(each) for each in sizes] == ["0 B", "999 B", "1.5 kB", "16.4 GB", "3e+03 TB"]
