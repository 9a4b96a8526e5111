"""The agent world as a system that can be lived again: forks as `tracer.replaying` has them, lived by the agents.

All that it takes is in the log: the roster tells the seed of the world, the steps tell the talk so far. Nothing here
knows a label. `correct` does know how a step should have been; who blames by replay does not ask for it.

    replay = AgentReplay(7)
    replay([Fork(steps[:9], None, seed) for seed in range(16)])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tracer.data.agent_faults import correct
from tracer.data.agent_steps import places, seed_of, stated, steps_of, turns_of
from tracer.data.agents import REVISION, Life, World, live, solved, world
from tracer.data.teams import Turn
from tracer.data.voices import Voices
from tracer.errors import BadInputError
from tracer.records import Recording, Step
from tracer.replaying import Fork, Lived

BATCH = 256
"""Forks that are lived side by side: what they say alike is asked for once."""


@lru_cache(maxsize=1)
def voices() -> Voices:
    """The pocket model's voices, with what it was asked before."""
    from tracer.lm import load

    return Voices(load())


def relive(made: World, turns: Sequence[Turn], keep: Sequence[int], seeds: Sequence[int]) -> list[list[Turn]]:
    """The talks of a run that go on anew behind its first keep[k] turns, each with seeds[k]; tools are drawn anew."""
    return live([Life(made, turns[:kept], seed) for kept, seed in zip(keep, seeds, strict=True)], voices())


class AgentReplay:
    """A Replayer of one world."""

    batch = BATCH
    continues = True

    def __init__(self, seed: int) -> None:
        self.world = world(seed)
        self.revision = f"{REVISION}/{voices().lm.revision}"

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """Each fork lived to its end."""
        lives = [Life(self.world, turns_of(self.world, fork.kept), fork.seed, thinking(fork.begun)) for fork in forks]
        return [self._lived(fork, turns) for fork, turns in zip(forks, live(lives, voices()), strict=True)]

    def _lived(self, fork: Fork, turns: Sequence[Turn]) -> Lived:
        steps = (*fork.kept, *steps_of(self.world, turns)[len(fork.kept) :])
        return Lived(steps, "success" if solved(self.world, turns) else "failure", stated(turns))

    def correct(self, prefix: Sequence[Step], step: Step) -> Step | None:
        """The step as it should have been; None where the talk had lost its way before."""
        turns = turns_of(self.world, (*prefix, step))
        place = next((k for k, index in enumerate(places(self.world, turns)) if index == step.index), None)
        right = None if place is None else correct(self.world, turns, place)
        return None if right is None else steps_of(self.world, [*turns[:place], right])[-1]


def thinking(begun: Step | None) -> str:
    """How the next turn begins, of which a part of the thought is kept."""
    return "" if begun is None else f" <think> {(begun.reasoning or '').strip()}".rstrip()


def make(recording: Recording, rest: str = "") -> AgentReplay:
    """The replayer of a run of the agent world."""
    seed = seed_of(recording.steps)
    if seed is None:
        raise BadInputError(f"run {recording.run.id} is none of the agent world: no step says `Team N: ...`")
    return AgentReplay(seed)
