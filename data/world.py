"""The pocket world in one place: problems and chains of thought whose true dependencies are known by construction.

`problem(seed)` and `trace(problem, seed)` give the same text in every process. What may be trained on, what is watched
while training, and what tests and benchmarks draw from are disjoint ranges of seeds.
"""

from __future__ import annotations

from tracer.data.chains import CLEAN, NOISY, PAPER_KINDS, Noise, Sentence, Trace, ending, prompt_of, trace
from tracer.data.problems import FULL, Fact, Problem, Shape, problem

__all__ = [
    "CLEAN",
    "FULL",
    "NOISY",
    "PAPER_KINDS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Fact",
    "Noise",
    "Problem",
    "Sentence",
    "Shape",
    "Trace",
    "ending",
    "problem",
    "prompt_of",
    "trace",
]

VALIDATION = range(0, 10**6)
"""Seeds of the problems watched while training."""
TEST = range(10**6, 10**8)
"""Seeds for tests and benchmarks."""
TRAIN = range(10**8, 2**53)
"""Seeds of the problems trained on."""
