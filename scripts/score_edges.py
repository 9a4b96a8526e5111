"""Score the edges of the agent world by origin: `python scripts/score_edges.py [RUNS] [--choose]`.

RUNS is a file of `tracer bench world-runs`; without it the shipped runs are taken. The true edges follow from the
construction, so no label is needed. Precision, recall and F1 with 95 % intervals: 2,000 draws of as many runs, with
replacement; where all edges are right, Wilson's over the edges. --choose looks for the least of CHOICES nats at which
measured edges are right often enough, on all runs and in five folds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracer.analyses.hiding import NATS, moved
from tracer.analyses.world_labels import true_edges
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_replay import voices
from tracer.data.agent_runs import shipped
from tracer.data.agent_steps import seed_of, turns_of
from tracer.data.agents import world
from tracer.graph import dependency_graph
from tracer.records import Recording
from tracer.stats import wilson

CHOICES = (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0)
RIGHT = 0.95
FOLDS, DRAWS = 5, 2000
Pairs = set[tuple[int, int]]


class Scored(NamedTuple):
    """One run: its true edges, those found by origin, and what hiding moves."""

    true: Pairs
    found: dict[str, Pairs]
    moved: np.ndarray

    def measured(self, nats: float) -> Pairs:
        """The measured edges at a threshold."""
        return {(int(source), int(target)) for target, source in np.argwhere(self.moved >= nats)}


def scored(recording: Recording) -> Scored:
    """The edges of one run."""
    run, steps = recording
    made = world(seed_of(steps) or 0)
    graph = dependency_graph(steps, run.task)
    found = {name: {(e.source, e.target) for e in graph if e.origin == name} for name in ("declared", "reused")}
    one = Scored({(a, b) for a, b in true_edges(made, turns_of(made, steps))}, found, moved(voices().lm, steps))
    found["measured"] = one.measured(NATS)
    found["declared + reused"] = found["declared"] | found["reused"]
    found["together"] = found["declared + reused"] | found["measured"]
    return one


def figures(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 from (..., [right, found, true])."""
    right, found, true = np.moveaxis(counts, -1, 0)
    return np.stack(
        [right / np.maximum(found, 1), right / np.maximum(true, 1), 2 * right / np.maximum(found + true, 1)]
    )


def rows(runs: Sequence[Scored]) -> Iterator[str]:
    """A line for each origin."""
    draws = np.random.default_rng(0).integers(len(runs), size=(DRAWS, len(runs)))
    for name in ("declared", "reused", "measured", "declared + reused", "together"):
        counts = np.array([[len(r.found[name] & r.true), len(r.found[name]), len(r.true)] for r in runs])
        low, high = np.percentile(figures(counts[draws].sum(axis=1)), (2.5, 97.5), axis=1)
        if counts[:, 0].sum() == counts[:, 1].sum():  # no draw can be less than perfect
            low[0] = wilson(counts[:, 0].sum(), counts[:, 1].sum()).low
        told = zip(("precision", "recall", "f1"), figures(counts.sum(axis=0)), low, high, strict=True)
        cells = (f"{what} {value:.3f} [{least:.3f}, {most:.3f}]" for what, value, least, most in told)
        yield f"{name:18}{counts[:, 1].sum():5} edges  " + "  ".join(cells)


def chosen(runs: Sequence[Scored]) -> float:
    """The least threshold at which RIGHT of the measured edges are true ones."""
    for nats in CHOICES:
        found = [(run.measured(nats), run.true) for run in runs]
        if sum(len(one & true) for one, true in found) >= RIGHT * sum(len(one) for one, _ in found):
            return nats
    return CHOICES[-1]


def main(words: Sequence[str]) -> int:
    """Print the table."""
    paths = [Path(word) for word in words if word != "--choose"] or [shipped()[0]]
    runs = [scored(recording) for recording in read_recordings(paths)[0]]
    print(f"{len(runs)} runs, {sum(len(run.true) for run in runs)} true edges, measured from {NATS} nats")
    print(*rows(runs), sep="\n")
    if "--choose" in words:
        print(_choice(runs))
    return 0


def _choice(runs: Sequence[Scored]) -> str:
    folds = [chosen([run for k, run in enumerate(runs) if k % FOLDS != fold]) for fold in range(FOLDS)]
    held = [(run.measured(nats), run.true) for fold, nats in enumerate(folds) for run in runs[fold::FOLDS]]
    share = wilson(sum(len(one & true) for one, true in held), sum(len(one) for one, _ in held))
    return (
        f"least nats with {RIGHT:.0%} right: {chosen(runs)} on all runs, {folds} without each fifth; "
        f"held out {share.value:.3f} [{share.low:.3f}, {share.high:.3f}] right"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
