"""Measured edges: what hiding a step from an agent's eyes does to each later step of that agent.

    moved(u, v) = sum over the words of v, its reasoning included, of
                  KL( p(word | all that v's agent had seen) || p(word | the same without u) )          in nats

Each agent reads the talk as it saw it: what it was told, and its own steps with their reasoning. So a step that an
agent never saw moves nothing, and no other agent's thought stands in for it. u is hidden whole, in every layer
(`removal`); the agent's own earlier steps are never hidden, for they are not what it was told. A step that was told
twice moves little either time: then the other copy is enough, and no edge is measured.

NATS was chosen on the 50 shipped runs of the agent world: the least of 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2, 3 at which 95 %
of the edges found are true ones (`scripts/score_edges.py --choose`). Chosen on four fifths of them, it is 1 four times
and 0.5 once, and 95 % of the edges found in the other fifth are true. On another model it has not been tried.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tracer.analyses.removal import Array, Span, Trace, effects
from tracer.analyses.replay_blame import given
from tracer.analyses.step_signals import is_public
from tracer.analyses.transcript import Line, lines
from tracer.lm.offsets import begun
from tracer.records import Edge, Step

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

NATS = 1.0
PUBLIC = 3.0
"""Odds of 20 to 1. A talk wrongly taken for public gives edges that are not there; the other mistake costs few."""


def measured_edges(lm: LocalLM, steps: Sequence[Step]) -> list[Edge]:
    """An edge wherever hiding a step moves what a later one says and thinks by NATS or more."""
    found = moved(lm, steps)
    return [
        Edge(
            source=int(source),
            target=int(target),
            origin="measured",
            weight=float(1 - np.exp(-found[target, source])),
            reason=f"hiding step {source} moves what is said here by {found[target, source]:.1f} nats",
        )
        for target, source in np.argwhere(found >= NATS)
    ]


def moved(lm: LocalLM, steps: Sequence[Step]) -> Array:
    """(n, n) nats that hiding a step (column) moves a later one (row) by; 0 for the steps of tools and of the user."""
    found = np.zeros((len(steps), len(steps)))
    public = is_public(lm, steps, PUBLIC)
    acting = [step for step in steps if step.kind != "tool_result" and not given(step)]
    for agent in dict.fromkeys(step.agent for step in acting):
        for source, target, nats in _moved(lm, _pieces(steps, agent, public=public)):
            found[target, source] = max(found[target, source], nats)
    return found


class _Piece(NamedTuple):
    """A line of the talk as an agent sees it."""

    step: int
    text: str
    name: int
    """Characters of the speaker's name and its colon."""
    own: bool


def _pieces(steps: Sequence[Step], agent: str, *, public: bool) -> list[_Piece]:
    """What an agent saw by the end; notes stand at the prompt that holds them."""
    seen = [line for line in lines(steps) if agent in {line.speaker, line.to} or (public and line.step >= 0)]
    return [_Piece(_step(steps, line), line.text(agent), len(line.speaker) + 1, line.speaker == agent) for line in seen]


def _step(steps: Sequence[Step], line: Line) -> int:
    if line.step >= 0:
        return line.step
    prompts = (
        step.index for step in steps if step.kind == "system" and step.agent == line.to and "Notes:" in step.content
    )
    return next(prompts)


def _moved(lm: LocalLM, pieces: Sequence[_Piece]) -> Iterator[tuple[int, int, float]]:
    """(source, target, nats) for every line that others said and every later one of the agent's own."""
    encoded = lm.encode("".join(piece.text for piece in pieces))
    lm.require_room(len(encoded.ids))
    characters, at = list[Span](), 0
    for piece in pieces:
        characters.append((at + piece.name * piece.own, at + len(piece.text)))
        at += len(piece.text)
    spans = begun(encoded.offsets, characters)
    told = [k for k, piece in enumerate(pieces) if not piece.own]
    [found] = effects(lm.model, [Trace(torch.tensor(encoded.ids), spans)], [[(k,) for k in told]])
    for row, k in enumerate(told):
        for place, piece in enumerate(pieces):
            if piece.own and pieces[k].step < piece.step:
                start, end = spans[place]
                yield pieces[k].step, piece.step, float(found.kl[row, place]) * (end - start)
