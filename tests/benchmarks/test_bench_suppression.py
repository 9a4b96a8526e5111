"""What white-box anchors cost, as ratios within one run: processor time of one thread, the best of a few rounds.

The floor of suppression is the forward passes that no method can spare: plain passes of the same model, logits and all,
over as many tokens as stand behind each sentence. The model is random and wide for its depth, as large models are: each
later token looks at the whole text and in the floor at a part of it only, which shows where attention is costly beside
the rest.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.sentence_attention import sentence_attention  # noqa: E402
from tracer.analyses.suppression import suppress  # noqa: E402

FLOOR_LIMIT = 1.25
MASKED_LIMIT = 0.65
ATTENTION_LIMIT = 1.4
EXPONENT_LIMIT = 1.1
WIDTH = {1024: 1024, 2048: 1536, 4096: 2048}
"""Width of the model for each length of the text."""
SENTENCES = 32

Action = Callable[[], object]
Ratios = Callable[[dict[str, Action], int], dict[str, float]]


@pytest.fixture
def ratios(benchmark: BenchmarkFixture) -> Ratios:
    """Runs actions in turn, so many rounds, and gives the best time of each over that of the first."""

    def measure(actions: dict[str, Action], rounds: int) -> dict[str, float]:
        best = dict.fromkeys(actions, float("inf"))
        for _ in range(rounds):
            for name, action in actions.items():
                best[name] = min(best[name], seconds(action))
        found = {name: best[name] / next(iter(best.values())) for name in actions}
        benchmark.extra_info.update(best_seconds=best, ratios=found)
        benchmark.pedantic(lambda: None)  # type: ignore[no-untyped-call]
        print({name: round(value, 3) for name, value in found.items()})
        return found

    return measure


def seconds(action: Action) -> float:
    """Processor time of an action."""
    start = time.process_time()
    with torch.inference_mode():
        action()
    return time.process_time() - start


def random_model(width: int, layers: int, vocabulary: int = 4096) -> Any:
    """A Llama of this width, with heads 64 wide."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=width * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=max(1, width // 256),
        max_position_embeddings=1 << 15,
    )
    return LlamaForCausalLM(config)


def text(length: int, sentences: int) -> tuple[Any, list[tuple[int, int]]]:
    """Random tokens in sentences of equal length."""
    size = length // sentences
    ids = torch.randint(0, 4096, (length,), generator=torch.Generator().manual_seed(0))
    return ids, [(start, start + size) for start in range(0, size * sentences, size)]


def suffixes(model: Any, ids: Any, spans: Sequence[tuple[int, int]]) -> None:
    """Plain passes over what stands behind each sentence, its last token included."""
    for _, end in spans[:-1]:
        model(input_ids=ids[None, end - 1 :], use_cache=False)


def masked(model: Any, ids: Any, spans: Sequence[tuple[int, int]]) -> None:
    """One pass over the whole text for each sentence, under a T x T mask."""
    length, lowest = len(ids), torch.finfo(torch.float32).min
    causal = torch.full((length, length), lowest).triu(1)[None, None]
    for start, end in spans[:-1]:
        mask = causal.clone()
        mask[..., end - 1 :, start : end - 1] = lowest
        model(input_ids=ids[None], attention_mask=mask, use_cache=False)


@pytest.mark.parametrize("length", list(WIDTH))
def test_suppression_costs_little_more_than_its_floor(length: int, ratios: Ratios) -> None:
    """All sentences of a text, against the floor and against one masked pass per sentence."""
    model = random_model(WIDTH[length], layers=1)
    ids, spans = text(length, SENTENCES)
    few = spans[:: SENTENCES // 4]  # a sample: masked passes all cost the same
    found = ratios(
        {
            "floor": lambda: suffixes(model, ids, spans),
            "suppression": lambda: suppress(model, ids, spans),
            "masked passes": lambda: masked(model, ids, [*few, spans[-1]]),
        },
        2,
    )
    passes = found["masked passes"] * (SENTENCES - 1) / len(few)
    assert found["suppression"] <= FLOOR_LIMIT
    assert found["suppression"] <= MASKED_LIMIT * passes


def test_sentence_attention_costs_little_more_than_a_plain_pass(ratios: Ratios) -> None:
    """Every head of every layer over 2,048 tokens in 100 sentences, against one plain pass."""
    model = random_model(768, layers=4)
    ids, spans = text(2048, 100)
    found = ratios(
        {
            "plain pass": lambda: model(input_ids=ids[None], use_cache=False),
            "sentence attention": lambda: sentence_attention(model, ids, spans),
        },
        5,
    )
    assert found["sentence attention"] <= ATTENTION_LIMIT


PEAK = """
import json, sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
from tracer.analyses.removal import Settings, Trace, effects
from tracer.analyses.sentence_attention import sentence_attention
torch.set_num_threads(1)
config = LlamaConfig(vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                     num_key_value_heads=2, max_position_embeddings=1 << 15)
model = LlamaForCausalLM(config).eval()
def run(length):
    ids, size = torch.randint(0, 512, (length,)), length // 16
    spans = [(k, k + size) for k in range(0, length, size)]
    if sys.argv[1] == "suppression":
        effects(model, [Trace(ids, spans)], [[(source,) for source in range(16)]])
    else:
        sentence_attention(model, ids, spans)
def peak():  # not ru_maxrss: a child process begins with its parent's
    held = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(held.split()[1]) * 1024
run(64)
before = peak()
run(int(sys.argv[2]))
print(json.dumps(peak() - before))
"""


@pytest.mark.parametrize("method", ["suppression", "sentence attention"])
def test_memory_grows_linearly(method: str, benchmark: BenchmarkFixture) -> None:
    """The process's peak above what a short text needs, for texts up to 16,384 tokens in 16 sentences."""
    lengths = [2048, 4096, 8192, 16384]
    peaks = [peak(method, length) for length in lengths]
    exponent = float(np.polyfit(np.log(lengths), np.log(peaks), 1)[0])
    benchmark.extra_info.update(bytes=dict(zip(lengths, peaks, strict=True)), exponent=exponent)
    benchmark.pedantic(lambda: None)  # type: ignore[no-untyped-call]
    print(method, [round(each / 2**20) for each in peaks], "MiB, exponent", round(exponent, 3))
    assert exponent <= EXPONENT_LIMIT


def peak(method: str, length: int) -> int:
    """Bytes, in a process of its own."""
    command = [sys.executable, "-c", PEAK, method, str(length)]
    return int(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
