"""Runs of the agent world in number: world after world, in the order of their seeds, until there are enough.

A run is kept when it has 8 to 40 steps, and a failed one when its kind of fault and its topology are not frequent
enough yet: else three of four would be about sums and old files. Which kind it is of is guessed by rule
(`agent_faults.suspect`), not measured; how the run went is as it came.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from itertools import count, islice
from math import ceil
from multiprocessing import get_context
from pathlib import Path

from tracer.data.agent_faults import fault, suspect
from tracer.data.agent_steps import places
from tracer.data.agent_telemetry import Told
from tracer.data.agents import Life, begun, live, solved, world
from tracer.data.team_script import TOPOLOGIES
from tracer.data.world import TEST

FIRST = 2 * 10**6
"""Worlds before this seed were looked at while the world was made."""
APART = 10**4
"""Worlds between the first ones of two seeds."""
STEPS = range(8, 41)
MOST = {
    "tool": 0.3,
    "slip": 0.18,
    "check": 0.15,
    "rumour": 0.15,
    "misread": 0.13,
    "hand-off": 0.13,
    "unknown": 0.03,
    **dict.fromkeys(TOPOLOGIES, 0.4),
}
"""Largest share of the failed runs of one kind of fault, of those in which no rule sees any, and of one topology."""
CHUNK = 96
"""Lives that are lived side by side."""
Progress = Callable[[str, int, int], None]


def shipped() -> tuple[Path, Path]:
    """The file of the 40 failed and 10 successful runs that come with the package, and that of their labels."""
    folder = Path(str(files("tracer.data").joinpath("worlds")))
    return folder / "runs.jsonl.gz", folder / "runs.labels.jsonl"


def worlds(seed: int) -> Iterator[int]:
    """The seeds of the worlds, from the first one of a seed on."""
    return iter(range(FIRST + seed * APART, TEST.stop))


def runs(
    seed: int,
    failed: int,
    successful: int,
    jobs: int = 0,
    progress: Progress = lambda *_: None,
    lengths: range = STEPS,
) -> list[Told]:
    """The first so many failed and successful runs of these lengths from a seed on, in the order of their worlds."""
    wanted = {False: failed, True: successful}
    kept: list[Told] = []
    have: Counter[str] = Counter()
    for told in _all(seed, jobs or len(os.sched_getaffinity(0))) if failed + successful else ():
        right = solved(told.world, told.turns)
        kinds = () if right else _kinds(told)
        frequent = any(have[kind] >= ceil(MOST[kind] * failed) for kind in kinds)
        if wanted[right] and steps(told) in lengths and not frequent:
            wanted[right] -= 1
            have.update(kinds)
            kept.append(told)
            progress("runs", len(kept), failed + successful)
        if not any(wanted.values()):
            break
    return kept


def _kinds(told: Told) -> tuple[str, str]:
    """Under which keys of MOST a failed run counts."""
    place = suspect(told.world, told.turns)
    kind = "unknown" if place is None else fault(told.world, told.turns, place)
    return kind, told.world.team.topology


def steps(told: Told) -> int:
    """How many steps a run has, the roster and notes included."""
    last = places(told.world, told.turns)[-1]
    return 0 if last is None else last + 1


def _all(seed: int, jobs: int) -> Iterator[Told]:
    """Every run from a seed on."""
    chunks = (list(islice(source, CHUNK)) for source in [worlds(seed)] for _ in count())
    if jobs == 1:
        for chunk in chunks:
            yield from first_lives(chunk)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=alone) as pool:
        waiting = [pool.submit(first_lives, chunk) for chunk in islice(chunks, jobs)]
        try:
            for chunk in chunks:
                yield from waiting.pop(0).result()
                waiting.append(pool.submit(first_lives, chunk))
        finally:
            pool.shutdown(cancel_futures=True)


def alone() -> None:
    """One thread for each process: they are as many as there are cores."""
    import torch

    torch.set_num_threads(1)


def first_lives(seeds: list[int]) -> list[Told]:
    """The run of each of these worlds: its life has the world's own seed."""
    from tracer.data.agent_replay import voices

    made = [world(seed) for seed in seeds]
    talks = live([Life(each, begun(each), each.seed) for each in made], voices())
    return [Told(each, talk) for each, talk in zip(made, talks, strict=True)]
