"""How much memory a run takes, how much there is, and what to do when it was not enough after all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tracer.errors import DoesNotFitError

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

HEADROOM = 0.8
"""Share of the free memory that a run may plan with: allocators round up, and other programs grow."""
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def row_bytes(config: Any, length: int, item_bytes: int, *, scored: int = 1) -> int:
    """Bytes that one row of a batch takes when it has grown to `length` tokens.

        2 * layers * key-value heads * head width * length * item_bytes  +  32 * vocabulary * scored

    Keys and values, and for each of the `scored` positions whose logits are held at once: float32 logits and float64
    probabilities with their order and sums. An upper bound for layers that keep a window only; activations, which are
    freed layer by layer, are in the headroom.
    """
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * width * length * item_bytes + 32 * text.vocab_size * scored)


def rows_that_fit(needed: int, free: int | None, at_most: int) -> int:
    """How many rows of `needed` bytes fit into `free` (None: not known), up to `at_most`; 0 when not even one does."""
    return at_most if free is None else min(at_most, int(HEADROOM * free) // max(1, needed))


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a device, or None where it cannot be told.

    On a GPU what the driver has plus what torch holds in reserve; on the CPU what the kernel calls available, or what
    the container's limit leaves where that is less.
    """
    import torch

    if device.type == "cuda":
        reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + reserve)
    known = [free for free in (_available(), _left_in_container()) if free is not None]
    return min(known, default=None) if device.type == "cpu" else None


def _available() -> int | None:
    if not _MEMINFO.exists():
        return None
    fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def _left_in_container() -> int | None:
    """The container's limit less what it uses; pages that only cache files are free. None without a limit."""
    limit, current, stat = (_CGROUP / name for name in ("memory.max", "memory.current", "memory.stat"))
    if not (limit.exists() and current.exists() and stat.exists()):
        return None
    if not (allowed := limit.read_text().strip()).isdecimal():
        return None
    fields = dict(line.split() for line in stat.read_text().splitlines())
    return max(0, int(allowed) - int(current.read_text()) + int(fields.get("inactive_file", 0)))


def human(count: float) -> str:
    """1500000000 -> '1.5 GB'."""
    power = min(4, max(0, int(math.log10(max(count, 1)) // 3)))
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


class Batches:
    """Runs rows in batches. When memory runs out the batch is halved, for good, and the same rows are run again."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        """The largest batch that is tried."""

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], list[Result]], rows: int) -> list[Result]:
        """The results of `work` for each item, in order; `work` gets at most `rows` items at once."""
        done: list[Result] = []
        while len(done) < len(items):
            batch = items[len(done) : len(done) + min(rows, self.rows)]
            results = self._attempt(batch, work)
            if results is None:
                self.rows = len(batch) // 2
            else:
                done += results
        return done

    def _attempt(self, batch: Sequence[Item], work: Callable[[Sequence[Item]], list[Result]]) -> list[Result] | None:
        """None when memory ran out and the batch can be made smaller."""
        try:
            return work(batch)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if len(batch) == 1:
                raise DoesNotFitError(
                    "memory ran out on a single text: take a shorter text, a smaller --lm, or --dtype bfloat16"
                ) from error
        # Only here, where the error is gone, do its frames no longer hold the tensors.
        release()
        return None


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out: a GPU's has its own class, the CPU allocator only its words."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def release() -> None:
    """Give a GPU's unused memory back."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
