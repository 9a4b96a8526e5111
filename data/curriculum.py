"""What the pocket model learns when: look-ups first, rare structure often, teams after plain problems, noise last.

A phase ends when the model has its gated tokens right (an average over the last pools of examples), or its tokens are
spent. The learning rate stands still until the plain problems are learned, and then falls to zero; slips and beliefs
come only in the last phases, at a low rate, so that they are learned as what may happen and not as what is right.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tracer.data.chains import NOISY, Noise
from tracer.data.examples import CHECKING, SOURCES, Example
from tracer.data.greedy import LONGEST_REPLY

BATCH_TOKENS = 3500
"""Padding included."""


class Phase(NamedTuple):
    """A part of the training."""

    name: str
    mix: Mapping[str, float]
    """Share of the examples from each source."""
    millions: float
    """Most tokens, padding left out."""
    rate: tuple[float, float] = (1.0, 1.0)
    """Learning rate at the start and the end, as shares of the peak; a straight line between them."""
    gate: float | None = None
    """The phase ends early when every gated kind of token is right this often."""
    noise: Noise = CHECKING


EASY = {"easy": 0.75, "recall": 0.25}
ALONE = {"full": 0.1, "rare": 0.75, "drill": 0.08, "recall": 0.07}
MIXED = {
    "full": 0.1,
    "rare": 0.24,
    "mend": 0.1,
    "drill": 0.02,
    "team": 0.18,
    "role": 0.22,
    "talk": 0.03,
    "recall": 0.11,
}
"""With look-ups rehearsed all the while: without that, two names come to be taken for each other. Mending comes in only
now: learned with the plain problems, it taught counting computations instead of following who needs the last result."""
SETTLING = {
    "full": 0.1,
    "deep": 0.06,
    "rare": 0.12,
    "mend": 0.1,
    "team": 0.2,
    "role": 0.24,
    "proof": 0.08,
    "talk": 0.03,
    "recall": 0.07,
}
"""Plain problems are ahead by now, and teams behind."""
SLIPPING = {
    "full": 0.16,
    "deep": 0.05,
    "rare": 0.06,
    "mend": 0.16,
    "team": 0.18,
    "role": 0.2,
    "proof": 0.08,
    "talk": 0.03,
    "recall": 0.07,
}
STEADY = {
    "full": 0.3,
    "mend": 0.2,
    "deep": 0.06,
    "rare": 0.06,
    "team": 0.13,
    "role": 0.14,
    "proof": 0.05,
    "recall": 0.06,
}
"""What still derails a chain of thought is a filler or a rumour in the middle of it."""

PHASES = (
    Phase("recall", {"recall": 1.0}, 2.5, gate=0.97),
    Phase("easy", EASY, 2.0, gate=0.98),
    Phase("full", ALONE, 8.0, (1.0, 0.45), gate=0.995),
    Phase("teams", MIXED, 5.0, (0.4, 0.25)),
    Phase("settle", SETTLING, 9.0, (0.25, 0.06)),
    Phase("noise", SLIPPING, 6.0, (0.06, 0.0), noise=NOISY),
    Phase("steady", STEADY, 5.0, (0.1, 0.0), noise=NOISY._replace(filler=0.15, so_far=0.15)),
)


class Recipe(NamedTuple):
    """All that a training run is made of, but for its seed."""

    phases: Sequence[Phase] = PHASES
    pool: int = 512
    """Examples drawn, sorted by length and cut into batches at a time."""
    look_every: float = 0.75
    """Million tokens between two looks at the validation problems."""
    problems: int = 200
    teams: int = 25
    """How many are looked at."""
    longest: int = LONGEST_REPLY
    """Tokens of a reply that is looked at."""


def learning_rate(phase: Phase, spent: float) -> float:
    """Share of the peak rate after `spent` million tokens of a phase."""
    first, last = phase.rate
    return first + (last - first) * min(1.0, spent / phase.millions)


def pool(phase: Phase, seed: int, index: int, size: int) -> list[list[Example]]:
    """The batches of one pool, in random order; the same for the same seed and index, so that training can resume."""
    rng = random.Random(f"pool {seed} {index}")
    names = rng.choices(list(phase.mix), list(phase.mix.values()), k=size)
    examples = sorted((SOURCES[name](rng, phase.noise) for name in names), key=lambda example: len(example.ids))
    batches = list(_packed(examples))
    rng.shuffle(batches)
    return batches


def _packed(examples: list[Example]) -> Iterator[list[Example]]:
    """Neighbours in length together, as many as fit into BATCH_TOKENS once padded to the longest."""
    batch: list[Example] = []
    for example in examples:
        if batch and (len(batch) + 1) * len(example.ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(example)
    yield batch
