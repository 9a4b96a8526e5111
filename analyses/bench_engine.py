"""The engine's part of `tracer bench resampling`: rollouts per second against `transformers.generate`.

All do the same work in one process: the same model, threads and type, temperature and top_p, and n rollouts of every
sentence's prefix of one fresh chain of thought of the pocket world. `generate` gets the prefixes in its own best way:
sorted by length, so that padding is small, and in batches of the size that is fastest on a part of the work. Times are
processor times of this process, each the best of ROUNDS, taken in turn.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tracer.data.world import TEST, problem, trace
from tracer.lm.rollouts import Engine, Request, Sampling

if TYPE_CHECKING:
    from tracer.data.world import Trace
    from tracer.lm.local import LocalLM

BATCHES = (16, 32, 64, 128)
"""Sizes that `generate` is tried with."""
ROUNDS = 2
TRIED = 256
"""Rollouts on which its batch sizes are compared, spread over all prefixes."""
LONGEST = 256
"""Tokens of a rollout at most: no chain of thought of the pocket world is longer by much."""


def speedup(lm: LocalLM, n: int = 50, seed: int = 0) -> dict[str, Any]:
    """Rollouts per second of the engine over those of `generate`, for n rollouts of each prefix of one trace.

    `speedup_vs_generate` compares with every saving off: nothing is skipped, nothing handed on. `following` skips what
    repeats the text. `valid_speedup_vs_generate` counts valid rollouts, fresh or handed on, n of each prefix and no
    more, per second.
    """
    made = fresh_trace(seed)
    borders = prefix_ends(made)
    sampling = Sampling(max_tokens=LONGEST, seed=seed)
    wanted = [Request(made.text[:end], k) for end in borders for k in range(n)]
    some = wanted[:: len(wanted) // TRIED or 1]
    size = min(BATCHES, key=lambda size: _seconds(lambda: generate(lm, some, size, sampling)))
    actions: dict[str, Callable[[], int]] = {
        "generate": lambda: generate(lm, wanted, size, sampling),
        "plain": lambda: _count(Engine(lm, made.text, sampling, follow=False), wanted),
        "following": lambda: _count(Engine(lm, made.text, sampling), wanted),
        "handed_on": lambda: _swept(Engine(lm, made.text, sampling, borders=borders), n),
    }
    rates = dict.fromkeys(actions, 0.0)
    for _ in range(ROUNDS):
        for name, action in actions.items():
            start = time.process_time()
            rates[name] = max(rates[name], action() / (time.process_time() - start))
    return {
        "n": len(wanted),
        "prefixes": len(borders),
        "generate_batch": size,
        "rollouts_per_second": rates,
        "speedup_vs_generate": rates["plain"] / rates["generate"],
        "following_speedup_vs_generate": rates["following"] / rates["generate"],
        "valid_speedup_vs_generate": rates["handed_on"] / rates["generate"],
    }


def fresh_trace(seed: int) -> Trace:
    """A trace of the seeds that training never sees."""
    drawn = random.Random(f"bench engine {seed}").choice(TEST)
    return trace(problem(drawn), drawn)


def prefix_ends(made: Trace) -> list[int]:
    """Where the prefixes R_0, R_1, ... of a trace end in its text: before the first sentence, then after each."""
    ends = [len(made.prompt)]
    for sentence in made.sentences:
        ends.append(ends[-1] + len(sentence.text))
    return ends


def generate(lm: LocalLM, wanted: Sequence[Request], batch: int, sampling: Sampling) -> int:
    """The same rollouts by `transformers.generate`, `batch` at a time, padded on the left; gives how many."""
    import torch

    prompts = sorted((lm.prompt(request.prefix) for request in wanted), key=len)
    pad, device = lm.model.config.get_text_config().pad_token_id or 0, lm.device
    torch.manual_seed(sampling.seed)
    for start in range(0, len(prompts), batch):
        part = prompts[start : start + batch]
        width = max(map(len, part))
        made = lm.model.generate(
            torch.tensor([[pad] * (width - len(ids)) + list(ids) for ids in part], device=device),
            attention_mask=torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in part], device=device),
            max_new_tokens=sampling.max_tokens,
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=0,
            eos_token_id=sorted(lm.ends),
            pad_token_id=pad,
        )
        lm.tokenizer.batch_decode(made[:, width:])
    return len(prompts)


def _count(engine: Engine, wanted: Sequence[Request]) -> int:
    return sum(1 for _ in engine.rollouts(wanted))


def _swept(engine: Engine, n: int) -> int:
    """Valid rollouts, but of each prefix n at most: what lies beyond was not asked for."""
    return min(n * len(engine.marks), _count(engine, engine.sweep(n)))


def _seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start
