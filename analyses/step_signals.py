"""What a language model makes of each step of a run, without living any of it again.

    cost(t)    = sum over the words x of what step t says, or thinks, of  -ln p(x | what its agent saw before)
    stray(t)   = max over the same words of  ln max_y p(y | ...) - ln p(x | ...):  0 where each is the likeliest one
    reach(t)   = what hiding step t takes from ln p(the last step | the whole talk), as a share of what all steps take
    onward(t)  = the same through all others: with W[u, t] the share of t in what hiding steps does to u,
                 row of the last step in W + W^2 + ...

All in nats or shares. A step that costs the run p of its successes is one that its agent makes otherwise with
probability p or more (`fall_levels`), so a step whose every word is the likeliest one is none. Whether a talk was
public, no log says: the reading under which the agents' own words are likelier is taken. A tool's words are no agent's:
how far they stray is read as if its caller had thought them, for a calculator may err, and a model may know better.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tracer.analyses.blocks import BLOCK_TOKENS
from tracer.analyses.causal import Causal
from tracer.analyses.removal import Array, Span, Trace
from tracer.analyses.replay_blame import call_of, given
from tracer.analyses.suppression import Suppression, share, suppress_all
from tracer.analyses.suppression_mask import Sight
from tracer.analyses.transcript import Read, asked, view, whole
from tracer.errors import MissingExtraError
from tracer.lm.offsets import Encoded, begun
from tracer.records import Step

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

THOUGHT_END = "</think>"


class Signals(NamedTuple):
    """One row for each of n steps; 0 where a step has no such words."""

    cost: Array
    """(n, 3): of the thought, of whom the step is for, and of what it says"""
    stray: Array
    """(n, 3)"""
    values: Array
    """(n,): stray(t) over those words of the thought that carry something, by a digit or a capital letter"""
    answered: Array
    """(n,): the same of what a tool answered"""
    reach: Array
    onward: Array


def signals(lm: LocalLM, steps: Sequence[Step]) -> Signals:
    """The signals of one run."""
    private, public = _readings(lm, steps)
    heard_by_all = _likelihood(public) > _likelihood(private)
    n = len(steps)
    cost, stray, values = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros(n)
    for each in public if heard_by_all else private:
        cost[each.step], stray[each.step], values[each.step] = each.cost, each.stray, each.values
    return Signals(cost, stray, values, _answered(lm, steps, public=heard_by_all), *_influence(lm, steps))


def heard(lm: LocalLM, steps: Sequence[Step]) -> Signals:
    """The same, all 0 for a run whose words the model does not know: it has no opinion of them."""
    try:
        return signals(lm, steps)
    except MissingExtraError:
        none, wide = np.zeros(len(steps)), np.zeros((len(steps), 3))
        return Signals(wide, wide, none, none, none, none)


def is_public(lm: LocalLM, steps: Sequence[Step], nats: float = 0.0) -> bool:
    """Whether the agents' words are likelier, by more than so many nats, if everybody heard everything."""
    private, public = map(_likelihood, _readings(lm, steps))
    return public - private > nats


def _readings(lm: LocalLM, steps: Sequence[Step]) -> tuple[list[_Words], list[_Words]]:
    """The agents' words if each heard what it was told, and if everybody heard everything."""
    return _words(lm, steps, public=False), _words(lm, steps, public=True)


class _Words(NamedTuple):
    """An agent's step: what it thinks, whom it is for, what it says."""

    step: int
    cost: tuple[float, ...]
    stray: tuple[float, ...]
    values: float
    """The largest stray of the thought's words that carry something."""


def _likelihood(words: Sequence[_Words]) -> float:
    return -sum(sum(each.cost) for each in words)


def _words(lm: LocalLM, steps: Sequence[Step], *, public: bool) -> list[_Words]:
    """The steps of every agent, under what it saw."""
    acting = [step for step in steps if step.kind != "tool_result" and not given(step)]
    return [
        each
        for agent in dict.fromkeys(step.agent for step in acting)
        for each in _own(lm, view(steps, agent, public=public))
    ]


def _carries(character: str) -> bool:
    """Whether a word that holds this character says a number or a name."""
    return character.isdigit() or character.isupper()


def _own(lm: LocalLM, read: Read) -> Iterator[_Words]:
    encoded = lm.encode(read.text)
    lm.require_room(len(encoded.ids))
    chosen, best = told(lm, encoded)
    for place in read.places:
        spans = [slice(*each) for each in begun(encoded.offsets, pairwise(place[1:]))]
        gaps = best - chosen
        yield _Words(
            place.step,
            tuple(float(-chosen[span].sum()) for span in spans),
            tuple(float(gaps[span].max(initial=0.0)) for span in spans),
            _largest(gaps, read.text, encoded, (place.start, place.said)),
        )


def _answered(lm: LocalLM, steps: Sequence[Step], *, public: bool) -> Array:
    """How far the words of each tool's answer stray that carry something, read as if its caller had thought them.

    No agent says a tool's words, so a model has no opinion of them where they stand; it has one of a sum. What the
    answer says again of the question does not count.
    """
    found = np.zeros(len(steps))
    for index, step in enumerate(steps):
        call = call_of(steps, index)
        if step.kind != "tool_result" or call is None:
            continue
        read = view(steps[: call + 1], steps[call].agent, public=public)
        thought = read.text[: read.places[-1].said].removesuffix(THOUGHT_END).rstrip()
        answer = " ".join(step.content.split())
        text = f"{thought} {answer}"
        try:
            encoded = lm.encode(text)
        except MissingExtraError:  # so short a text is refused for one word that the model does not know
            continue
        lm.require_room(len(encoded.ids))
        chosen, best = told(lm, encoded)
        new = len(thought) + 1 + _shared(asked(steps[call]), answer)
        found[index] = _largest(best - chosen, text, encoded, (new, len(text)))
    return found


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common before they part."""
    pairs = zip(one, other, strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _largest(gaps: Array, text: str, encoded: Encoded, characters: Span) -> float:
    """The largest gap of those words in a stretch of the text that say a number or a name."""
    [span] = begun(encoded.offsets, [characters])
    held = [k for k in range(*span) if any(map(_carries, text[slice(*encoded.offsets[k])]))]
    return float(gaps[held].max(initial=0.0))


@torch.inference_mode()
def told(lm: LocalLM, encoded: Encoded) -> tuple[Array, Array]:
    """ln p of each token given all before it, and that of the likeliest one there, (T,) each; 0 for the first token."""
    causal = Causal(lm.model)
    rows = causal.rows([torch.tensor(encoded.ids)])  # (1, T)
    length = rows.shape[1]
    found = torch.zeros(2, length, device=causal.device)
    sight = Sight(lm.model, length)
    with sight.applied():
        for block, hidden in causal.plain(rows, sight, causal.room(1, length, sight), BLOCK_TOKENS):
            size = causal.positions_at_once(1)
            for start in range(block.start, min(block.end, length - 1), size):
                end = min(start + size, block.end, length - 1)
                logits = causal.logits(hidden[0, start - block.start : end - block.start])  # (positions, V)
                chosen = logits.gather(1, rows[0, start + 1 : end + 1, None])[:, 0]
                found[:, start + 1 : end + 1] = torch.stack([chosen, logits.amax(dim=1)]) - logits.logsumexp(dim=1)
    both = found.double().cpu().numpy()
    return both[0], both[1]


def _influence(lm: LocalLM, steps: Sequence[Step]) -> tuple[Array, Array]:
    """(reach, onward): what hiding each step does to the last one in the whole talk."""
    read, n = whole(steps), len(steps)
    reach, onward = np.zeros(n), np.zeros(n)
    if len(read.places) < 2:
        return reach, onward
    encoded = lm.encode(read.text)
    lm.require_room(len(encoded.ids))
    spans = begun(encoded.offsets, [(place.start, place.end) for place in read.places])
    [found] = suppress_all(lm.model, [Trace(torch.tensor(encoded.ids), spans)])
    index = [place.step for place in read.places]
    reach[index], onward[index] = _last(found)
    return reach, onward


def _last(found: Suppression) -> tuple[Array, Array]:
    """The share of each step in the last one, directly and through all others."""
    drop = np.maximum(found.drop[-1], 0.0)
    total = drop.sum()
    shares = share(found.kl)
    through = np.linalg.solve(np.eye(len(shares)) - shares.T, shares[-1])  # (I - W)^-1, and W is strictly triangular
    return drop / total if total > 0 else drop, through
