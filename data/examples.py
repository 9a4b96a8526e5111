"""Training examples: token ids, and for each token whether it is learned and as what kind of token it is counted.

recall   many facts, then all of them again in another order: only what a subject settles is learned
drill    computations, one after the other: only the results are learned
easy     short problems without a shared person
full     problems as in `problems.FULL`, and some with one computation more
rare     the same with the rare structure made frequent: sums, shared persons, deep chains
deep     of these only the deepest
mend     the same, most slips checked and mended: else a slip, a check and their meeting are too rare to be learned;
         where the noise has no slips, these and beliefs are read but not learned
team     a talk as one agent sees it: the agent's own turns are learned; who acts more often is seen more often
role     the same, every agent equally often: a checker acts once or twice in a talk, and must be as sure as a planner
proof    the same for those who compute and check: they act once or twice, and think the longest
talk     a talk as a whole, everybody's thoughts shown: all agents' turns are learned
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tracer.data.chains import CLEAN, Noise, ending, equation, result, trace
from tracer.data.problems import FULL, Fact, Shape, problem
from tracer.data.team_script import TEAM_SHAPE, equations, solved, team, transcript
from tracer.data.teams import Turn, visible
from tracer.data.world_words import AGENTS, END, LARGEST, NAMES, RESEARCHERS, STEPS, tokenizer_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WIDE = FULL._replace(operations=(*FULL.operations, 5))
EASY = Shape(operations=(1, 2, 3), facts=(4, 6), shared=0, detours=0, rumors=0.3)
RARE = Shape(operations=(1, 2, 3, 4, 5, 5), sums=0.85, shared=0.75, detours=0.3, rumors=0.5)
CHECKING = CLEAN._replace(check=0.1, late=0.15)
"""Checks are rare in a clean chain of thought; so they are made frequent while it is learned."""

MENDING = {"slip": 0.2, "slip_carry": 0.2, "trust": 0.4, "check_wrong": 0.5, "late_wrong": 0.8}

GATED = ("restated", "plan", "retrieve", "recall", "compute")
"""Kinds whose tokens, but for the first of a sentence, follow from the text before: a perfect model has them right."""
KINDS = (
    "unlearned", "first", *GATED, "trust", "redo", "recheck", "check", "verdict", "backtrack", "consolidation",
    "goal", "filler", "answer", "thought", "to", "content", "drilled",
)  # fmt: skip


class Example(NamedTuple):
    """One text."""

    ids: list[int]
    kinds: list[int]
    """For each token its place in KINDS; 0 where it is not learned."""


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """The world's own tokenizer."""
    import json

    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(tokenizer_json()))


@lru_cache(maxsize=1 << 16)
def encode(text: str) -> tuple[int, ...]:
    """Token ids; sentences recur, so they are kept."""
    return tuple(tokenizer().encode(text).ids)


def joined(pieces: Iterable[tuple[str, str]]) -> Example:
    """An example from texts and their kinds; the first token of a sentence is a choice, so it is counted apart."""
    ids: list[int] = []
    kinds: list[int] = []
    for text, kind in pieces:
        found = encode(text)
        place = KINDS.index(kind)
        ids += found
        kinds += [KINDS.index("first") if place else 0, *[place] * (len(found) - 1)]
    return Example(ids, kinds)


def recall(rng: random.Random, _noise: Noise) -> Example:
    """Random facts about different persons, rumours and holders among them, then all of them in another order."""
    names = rng.sample(NAMES, rng.randint(5, 12))
    facts = [_any_fact(rng, name) for name in names]
    again = rng.sample(facts, len(facts))
    told = "Q:" + "".join(f" {text}" for text in facts) + "\n<think>"
    ids, kinds = list(encode(told)), [0] * len(encode(told))
    for text in again:
        found = encode(f" {text}")
        known = 3 if text.startswith("They") else 1  # whom it is about is a free choice
        ids += found
        kinds += [0] * known + [KINDS.index("restated")] * (len(found) - known)
    return Example(ids, kinds)


def _any_fact(rng: random.Random, name: str) -> str:
    draw = rng.random()
    others = rng.sample([other for other in NAMES if other != name], 2)
    if draw < 0.3:
        return Fact(name, 0, (others[0],), rng.choice(STEPS)).text
    if draw < 0.5:
        return Fact(name, 0, (others[0], others[1])).text
    if draw < 0.6:
        return f"{name}: {rng.choice(RESEARCHERS)}."
    return Fact(name, rng.randint(0, LARGEST), rumor=draw > 0.9).text


def drill(rng: random.Random, _noise: Noise) -> Example:
    """Sums and steps, mostly sums: a problem has one at most, and there are hundreds to know by heart."""
    ids, kinds = list(encode("Q:\n<think>")), [0] * len(encode("Q:\n<think>"))
    for name in rng.sample(NAMES, 10):
        first, second = rng.randint(0, LARGEST // 2 + 4), rng.randint(0, LARGEST // 2)
        sums = rng.random() < 0.75 and first + second <= LARGEST
        fact = Fact(name, 0, NAMES[:2]) if sums else Fact(name, 0, NAMES[:1], rng.choice(STEPS))
        numbers = [first, second] if sums else [first]
        found = encode(equation(fact, numbers, result(fact, numbers)))
        ids += found
        kinds += [0] * (len(found) - 2) + [KINDS.index("drilled"), 0]
    return Example(ids, kinds)


def chain(rng: random.Random, noise: Noise, shape: Shape, clean: bool = False) -> Example:
    """A problem with its chain of thought; when clean, slips and beliefs in it are read but not learned."""
    made = trace(problem(rng.getrandbits(48), shape), 0, noise)
    kinds = ["unlearned" if clean and (s.kind == "trust" or _slipped(s.text)) else s.kind for s in made.sentences]
    pieces = [(made.prompt, "unlearned"), *zip((s.text for s in made.sentences), kinds, strict=True)]
    return joined([*pieces, (ending(made.answer) + END, "answer")])


def _slipped(text: str) -> bool:
    return any(found[0] != solved(found) for found in equations(text))


def talk(rng: random.Random, noise: Noise, viewers: Callable[[list[str]], Sequence[str | None]]) -> Example:
    """A team's talk as one of the viewers sees it, drawn from those who act in it, one for each turn; None sees all."""
    made = team(rng.getrandbits(48), TEAM_SHAPE._replace(sums=0.6))
    turns = transcript(made, 0, noise)
    viewer = rng.choice(viewers([turn.speaker for turn in turns if turn.speaker in AGENTS]))
    return joined(piece for turn in turns for piece in _pieces(turn, viewer, made.public))


def _pieces(turn: Turn, viewer: str | None, public: bool) -> Sequence[tuple[str, str]]:
    if not visible(turn, viewer, public):
        return ()
    if turn.speaker not in AGENTS or viewer not in {None, turn.speaker}:
        return ((turn.text, "unlearned"),)
    return (
        (f"{turn.speaker}:", "unlearned"),
        (f" <think>{turn.thought} </think>", "thought"),
        (f" to {turn.to}:", "to"),
        (f"{turn.content}\n", "content"),
    )


SOURCES: dict[str, Callable[[random.Random, Noise], Example]] = {
    "recall": recall,
    "drill": drill,
    "easy": lambda rng, noise: chain(rng, noise, EASY),
    "full": lambda rng, noise: chain(rng, noise, WIDE),
    "rare": lambda rng, noise: chain(rng, noise, RARE),
    "deep": lambda rng, noise: chain(rng, noise, RARE._replace(operations=RARE.operations[-1:])),
    "mend": lambda rng, noise: chain(rng, noise._replace(**MENDING), RARE, clean=not noise.slip),
    "team": lambda rng, noise: talk(rng, noise, lambda speakers: speakers),
    "role": lambda rng, noise: talk(rng, noise, lambda speakers: sorted(set(speakers))),
    "proof": lambda rng, noise: talk(rng, noise, lambda _: ["Solver", "Checker"]),
    "talk": lambda rng, noise: talk(rng, noise, lambda _: [None]),
}
"""Where examples come from, by name."""
