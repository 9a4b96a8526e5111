"""What the white-box analyses and rollouts cost on a GPU: `make bench-gpu` writes the table, or that there was no GPU.

The model has the shape of an 8B Llama and random weights in bfloat16: what it says is noise, what it costs is not. For
each work: tokens that pass through the model a second; the share of this device's own matrix-multiply speed that this
comes to, counting 2 operations per weight and token (attention scores left out, so a lower bound); peak memory above
the model. Every function takes the device, so that the tests run them on the CPU in a miniature shape.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent.parent / "tests" / "benchmarks" / "results" / "gpu.md"
TITLE = "# White-box analyses and rollouts on a GPU\n\n`make bench-gpu` writes this file.\n\n"
NOT_RUN = "not run: no GPU"


class Shape(NamedTuple):
    """A Llama's shape, and how much it is given to do."""

    vocabulary: int
    width: int
    inner: int
    layers: int
    heads: int
    shared_heads: int
    """Key-value heads."""
    length: int
    """Tokens of the text."""
    sentences: int
    samples: int
    """Rollouts of each of the prefixes."""
    prefixes: int
    drawn: int
    """Tokens of a rollout."""
    square: int
    """Width of the matrices that are multiplied to measure the peak."""


EIGHT_B = Shape(128_256, 4096, 14_336, 32, 32, 8, 4096, 64, 32, 8, 256, 8192)
MINIATURE = Shape(96, 32, 48, 2, 4, 2, 64, 8, 3, 2, 5, 64)


class Measured(NamedTuple):
    """One line of the table."""

    work: str
    tokens: int
    """Through the model."""
    seconds: float
    share: float
    """Of the matrix-multiply peak."""
    memory: int | None
    """Peak bytes above the model; None where the device does not tell."""


def random_lm(shape: Shape, device: Any, dtype: Any) -> Any:
    """A LocalLM of the shape with random weights, made on the device."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tracer.lm.local import LocalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.shared_heads,
        max_position_embeddings=2 * (shape.length + shape.drawn),
        eos_token_id=None,  # no rollout ends early
        bos_token_id=None,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return LocalLM(model, _tokenizer(shape.vocabulary), name="random", revision="0")


def _tokenizer(vocabulary: int) -> Any:
    """One token for each of the words w0, w1, ..., with the blank behind it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({f"w{k} ": k for k in range(vocabulary)}, unk_token="w0 "))  # noqa: S106
    made.pre_tokenizer = pre_tokenizers.Split(Regex("w[0-9]+ "), behavior="isolated")
    made.decoder = decoders.Fuse()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=made, unk_token="w0 ")  # noqa: S106


def measure(shape: Shape, device: Any, dtype: Any, rounds: int = 2) -> list[Measured]:
    """Every work, the best of so many rounds after one that is not counted."""
    import torch

    lm = random_lm(shape, device, dtype)
    peak = matrix_multiply_peak(shape.square, device, dtype)
    weights = sum(each.numel() for each in lm.model.parameters()) - lm.model.get_input_embeddings().weight.numel()
    found = []
    for name, (tokens, work) in works(lm, shape).items():
        held = _memory(device, reset=True)
        with torch.inference_mode():
            seconds = min(_seconds(work, device) for _ in range(rounds + 1))
        most = _memory(device)
        memory = None if most is None or held is None else most - held
        found.append(Measured(name, tokens, seconds, 2 * weights * tokens / seconds / peak, memory))
    return found


def works(lm: Any, shape: Shape) -> dict[str, tuple[int, Callable[[], object]]]:
    """Every work with the tokens that no method could spare it."""
    import torch

    from tracer.analyses.sentence_attention import sentence_attention
    from tracer.analyses.suppression import suppress
    from tracer.lm.rollouts import Engine, Request, Sampling

    size = shape.length // shape.sentences
    spans = [(start, start + size) for start in range(0, size * shape.sentences, size)]
    ids = torch.randint(0, shape.vocabulary, (size * shape.sentences,), generator=torch.Generator().manual_seed(0))
    text = "".join(f"w{token} " for token in ids.tolist())
    ends = [shape.length * (k + 1) // shape.prefixes for k in range(shape.prefixes)]
    prefixes = ["".join(f"w{token} " for token in ids[:end].tolist()) for end in ends]
    wanted = [Request(prefix, k) for prefix in prefixes for k in range(shape.samples)]
    sampling = Sampling(max_tokens=shape.drawn)
    return {
        "plain pass": (len(ids), lambda: lm.model(input_ids=ids[None].to(lm.device), use_cache=False)),
        "suppression": (
            len(ids) + sum(len(ids) - end for _, end in spans),
            lambda: suppress(lm.model, ids.to(lm.device), spans),
        ),
        "sentence attention": (len(ids), lambda: sentence_attention(lm.model, ids.to(lm.device), spans)),
        "rollouts": (
            len(ids) + len(wanted) * shape.drawn,
            lambda: list(Engine(lm, text, sampling, follow=False).rollouts(wanted)),
        ),
    }


def matrix_multiply_peak(square: int, device: Any, dtype: Any) -> float:
    """Operations a second in products of square matrices, the best of ten."""
    import torch

    one, other = (torch.randn(square, square, device=device, dtype=dtype) for _ in range(2))
    return 2 * square**3 / min(_seconds(lambda: one @ other, device) for _ in range(10))


def _seconds(work: Callable[[], object], device: Any) -> float:
    """Wall time, the device's queue emptied before and after."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: Any) -> None:
    import torch

    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _memory(device: Any, reset: bool = False) -> int | None:
    """Peak bytes since the last reset; with `reset` those that are held now."""
    import torch

    if torch.device(device).type != "cuda":
        return None
    if reset:
        torch.cuda.reset_peak_memory_stats(device)
        return int(torch.cuda.memory_allocated(device))
    return int(torch.cuda.max_memory_allocated(device))


def table(found: list[Measured], shape: Shape, hardware: str, today: str) -> str:
    """The file's text."""
    head = (
        f"{today}, {hardware}\n\nA random Llama of {shape.layers} layers, {shape.width} wide; {shape.length:,} tokens "
    )
    head += f"in {shape.sentences} sentences; {shape.samples} rollouts of {shape.drawn} tokens of each of "
    head += f"{shape.prefixes} prefixes.\n\n"
    lines = ["| work | tokens/s | share of the matrix-multiply peak | memory above the model |", "|---|---|---|---|"]
    for each in found:
        memory = "–" if each.memory is None else f"{each.memory / 2**30:.2f} GiB"
        lines.append(f"| {each.work} | {each.tokens / each.seconds:,.0f} | {each.share:.1%} | {memory} |")
    return TITLE + head + "\n".join(lines) + "\n"


def not_run(hardware: str, today: str) -> str:
    """The file's text where there is nothing to measure on."""
    return f"{TITLE}{NOT_RUN} ({today}, {hardware})\n"


def hardware(device: str) -> str:
    """The device and the versions that matter, in words."""
    import torch

    cuda = torch.device(device).type == "cuda"
    name = torch.cuda.get_device_name(device) if cuda else f"CPU {platform.machine()}"
    return f"{name}, torch {torch.__version__}" + (f", CUDA {torch.version.cuda}" if cuda else "")


def main(path: Path = RESULTS) -> int:
    """Measure and write; without a GPU a table that stands there is left as it is."""
    import torch

    today = datetime.now(UTC).date().isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        found = measure(EIGHT_B, "cuda", torch.bfloat16)
        path.write_text(table(found, EIGHT_B, hardware("cuda"), today), encoding="utf-8")
        print(path.read_text(encoding="utf-8"))
        return 0
    if not path.exists() or NOT_RUN in path.read_text(encoding="utf-8"):
        path.write_text(not_run(hardware("cpu"), today), encoding="utf-8")
    print(f"{NOT_RUN}; {path.name} says when it was measured, if ever")
    return 0


if __name__ == "__main__":
    sys.exit(main())
