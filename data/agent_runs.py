"""Runs of the agent world in number: world after world, in the order of their seeds, until there are enough.

A run is kept when it has 8 to 40 steps; a failed one when its team ends well in most of its other lives, and when its
kind of fault and its topology are not frequent enough yet: else three of four would be about sums and old files. Which
kind it is of is guessed by rule (`agent_faults.suspect`), not measured; how the run went is as it came.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from itertools import islice
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

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
    "tool": 0.24,
    "old file": 0.09,
    "slip": 0.13,
    "check": 0.14,
    "rumour": 0.15,
    "misread": 0.15,
    "hand-off": 0.13,
    "unknown": 0.02,
    **dict.fromkeys(TOPOLOGIES, 0.4),
}
"""Largest share of the failed runs of one kind of fault, of those in which no rule sees any, and of one topology."""
LIVES, ABLE = 10, 6
"""A failed run is kept of a team that ends well in so many of ten other lives: where most fail, nothing broke it."""
FIRST_LIFE = 1 << 40
"""The seed of the first of these other lives."""
CHUNK, AHEAD = 64, 3
"""Lives that are lived side by side, and chunks of them that are lived before they are asked for."""
Progress = Callable[[str, int, int], None]
T = TypeVar("T")


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

    def fits(told: Told) -> bool:
        right = solved(told.world, told.turns)
        frequent = not right and any(have[kind] >= ceil(MOST[kind] * failed) for kind in _kinds(told))
        return wanted[right] > 0 and steps(told) in lengths and not frequent

    with _workers(jobs or len(os.sched_getaffinity(0))) as give:
        for lived in _all(seed, give) if failed + successful else ():
            fitting = [told for told in lived if fits(told)]
            asked = {told.world.seed: give(able, told.world.seed) for told in fitting if not solved(*told)}
            able_ones = {world_seed for world_seed, answer in asked.items() if answer()}
            for told in fitting:
                right = solved(*told)
                if not (right or told.world.seed in able_ones) or not fits(told):
                    continue
                wanted[right] -= 1
                have.update(() if right else _kinds(told))
                kept.append(told)
                progress("runs", len(kept), failed + successful)
            if not any(wanted.values()):
                break
    return kept


def _kinds(told: Told) -> tuple[str, str]:
    """Under which keys of MOST a failed run counts."""
    place = suspect(told.world, told.turns)
    kind = "unknown" if place is None else fault(told.world, told.turns, place)
    old = place is not None and told.turns[place].speaker == "Files"
    return "old file" if old else kind, told.world.team.topology


def steps(told: Told) -> int:
    """How many steps a run has, the roster and notes included."""
    last = places(told.world, told.turns)[-1]
    return 0 if last is None else last + 1


@contextmanager
def _workers(jobs: int) -> Iterator[Any]:
    """Something that gives work away, to other processes where there are several; work that nobody wants is dropped."""
    if jobs == 1:
        yield partial
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=alone) as pool:
        try:
            yield lambda work, given: pool.submit(work, given).result
        finally:
            pool.shutdown(cancel_futures=True)


def _all(seed: int, give: Any) -> Iterator[list[Told]]:
    """Every run from a seed on, chunk by chunk; some chunks are under way while one is looked at."""
    source = worlds(seed)
    waiting: list[Callable[[], list[Told]]] = []
    while chunk := list(islice(source, CHUNK)):
        waiting.append(give(first_lives, chunk))
        if len(waiting) > AHEAD:
            yield waiting.pop(0)()
    yield from (each() for each in waiting)


def mapped(work: Callable[..., T], jobs: int, *cases: Sequence[Any]) -> Iterator[T]:
    """The work on each, in processes of one thread; 0 jobs: as many as there are cores."""
    jobs = min(jobs or len(os.sched_getaffinity(0)), len(cases[0]))
    if jobs <= 1:
        yield from map(work, *cases)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=alone) as pool:
        try:
            yield from pool.map(work, *cases)
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


def able(seed: int) -> bool:
    """Whether at least ABLE of LIVES other lives in a world end well."""
    from tracer.data.agent_replay import voices

    made = world(seed)
    talks = live([Life(made, begun(made), FIRST_LIFE + number) for number in range(LIVES)], voices())
    return sum(solved(made, talk) for talk in talks) >= ABLE
