"""How well the pocket model solves problems of its own world: `tracer bench pocket`.

Fresh problems and teams are drawn from the seeds that training never sees. Greedy: the likeliest word at every place.
Sampled: one draw for each problem at TEMPERATURE, so that slips and beliefs happen. Team: every agent of a team is
driven by the model, greedily, through what that agent sees; the tools answer by rule.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracer.data.problems import Problem, problem
from tracer.data.world import TEST
from tracer.stats import wilson

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

TEMPERATURE = 0.8
"""Of the sampled figure."""
GATES = {"greedy": (0.95, 1.0), "sampled": (0.6, 0.9), "team_greedy": (0.9, 1.0)}
"""The shares between which a shipped model lies, on 500 problems."""


def bench(n: int, seed: int, model: LlamaForCausalLM | None = None) -> dict[str, Any]:
    """Shares of n fresh problems and n fresh teams solved, each with its 95 % interval; the shipped model by default.

    `by_operations` tells the greedy share by the number of computations that the problem needs, {"3": [right, of]}.
    """
    from tracer.data.greedy import answers, completer, team_answers
    from tracer.data.pocket_model import load
    from tracer.data.team_script import team
    from tracer.data.world_words import END

    model = load() if model is None else model
    seeds = random.Random(f"bench pocket {seed}").sample(TEST, n)
    problems, teams = [problem(each) for each in seeds], [team(each) for each in seeds]
    greedy = _right(problems, answers(problems, completer(model, END)))
    sampled = _right(problems, answers(problems, completer(model, END, TEMPERATURE, seed)))
    together = _right([made.problem for made in teams], team_answers(teams, completer(model, "\n")))
    shares = {"greedy": greedy, "sampled": sampled, "team_greedy": together}
    return {
        "n": n,
        **{name: sum(right) / n for name, right in shares.items()},
        "intervals": {name: list(wilson(sum(right), n)[1:3]) for name, right in shares.items()},
        "by_operations": _by_operations(problems, greedy),
    }


def _right(problems: Sequence[Problem], given: Sequence[int | None]) -> list[bool]:
    return [asked.answer == answer for asked, answer in zip(problems, given, strict=True)]


def _by_operations(problems: Sequence[Problem], right: Sequence[bool]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for asked, hit in zip(problems, right, strict=True):
        booked = found.setdefault(str(operations(asked)), [0, 0])
        booked[0] += hit
        booked[1] += 1
    return dict(sorted(found.items()))


def operations(asked: Problem) -> int:
    """Computations on the way to the answer, along the first fact about each person."""
    needed, frontier = set[str](), [asked.target]
    while frontier:
        name = frontier.pop()
        if name not in needed:
            needed.add(name)
            frontier += asked.facts[asked.of(name)[0]].operands
    return sum(bool(asked.facts[asked.of(name)[0]].operands) for name in needed)
