"""Batched continuation of many different prompts: measures the pocket model as it learns, and in its benchmark."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tracer.data.chains import prompt_of
from tracer.data.examples import tokenizer
from tracer.data.problems import Problem
from tracer.data.team_script import Team, answer_of, play_many
from tracer.data.world_words import PAD, vocabulary

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

Complete = Callable[[Sequence[str]], list[str]]
"""Continues each of many prompts."""

LONGEST_REPLY = 220
"""Tokens; a chain of thought that takes longer has gone astray."""
BATCH = 250
"""Prompts continued at a time."""


def completer(
    model: LlamaForCausalLM, stop: str, temperature: float = 0.0, seed: int = 0, longest: int = LONGEST_REPLY
) -> Complete:
    """Continues prompts up to and with the `stop` token, greedily at temperature 0."""
    import torch

    loose: Any = model  # generate() declares a self that no model's type meets
    words = vocabulary()
    pad, end = words.index(PAD), words.index(stop)
    how = (
        {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if temperature
        else {"do_sample": False}
    )

    def several(prompts: Sequence[str]) -> list[str]:
        ids = [tokenizer().encode(text).ids for text in prompts]
        width = max(map(len, ids))
        padded = torch.tensor([[pad] * (width - len(row)) + row for row in ids])
        made = loose.generate(
            padded,
            attention_mask=torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids]),
            max_new_tokens=longest,
            eos_token_id=end,
            pad_token_id=pad,
            **how,
        )[:, width:].tolist()
        return ["".join(words[token] for token in row if token != pad) for row in made]

    def complete(prompts: Sequence[str]) -> list[str]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return [reply for k in range(0, len(prompts), BATCH) for reply in several(prompts[k : k + BATCH])]

    return complete


_BOXED = re.compile(r"\\boxed\{ (\d+)\}")


def answers(problems: Sequence[Problem], complete: Complete) -> list[int | None]:
    """The number each reply puts into the box; None without one."""
    found = [_BOXED.search(reply) for reply in complete([prompt_of(problem) for problem in problems])]
    return [int(match[1]) if match else None for match in found]


def accuracy(problems: Sequence[Problem], complete: Complete) -> float:
    """Share of right answers. `complete` must stop at END."""
    given = answers(problems, complete)
    return sum(a == p.answer for a, p in zip(given, problems, strict=True)) / len(problems)


def team_answers(teams: Sequence[Team], complete: Complete) -> list[int | None]:
    """What each team tells the user, every agent driven by the model. `complete` must stop at the end of a line."""
    return [answer_of(turns) for turns in play_many(teams, complete)]


def team_accuracy(teams: Sequence[Team], complete: Complete) -> float:
    """Share of teams that answer right."""
    given = team_answers(teams, complete)
    return sum(a == made.problem.answer for a, made in zip(given, teams, strict=True)) / len(teams)
