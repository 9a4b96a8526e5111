"""Joint suppression: what several sentences do together that none does alone.

Where two sentences carry the same content, hiding one of them moves nothing, for the other suffices; single suppression
is blind there. With E(t, R) the effect on t of hiding all of R (`removal`):

    interaction(t, R) = E(t, R) - sum over s in R of E(t, {s})
    score(t, s)       = max over R that hold s, {s} among them, of  E(t, R) - E(t, R without s)

The score is what s contributes once its copies are gone. A sentence beside one that matters scores nothing for it, for
E(t, R without s) is then as large as E(t, R).

Which groups to try: those the caller knows (sources that share a value), and the top pairs by search. A pair ranks by
the content its sentences share, and by how much later sentences look at both:

    rank(r, s) = idf mass of shared tokens / smaller idf mass of the two
               + sum over t of min(M[t, r], M[t, s]), divided by its largest value over pairs

with idf(x) = ln((n + 1) / (df(x) + 1)) over the n sentences of the text. When all pairs are few, all are tried.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from tracer.analyses.removal import Array, Settings, Span, Trace, effects
from tracer.analyses.sentence_attention import sentence_attention

Group = tuple[int, ...]

PAIRS_PER_SENTENCE = 3
"""Pairs tried, per sentence of the text: the cost of a joint run over that of a single one, plus one."""
LARGEST_GROUP = 4
"""Each group needs as many runs as it has members, beside its own."""
MIN_EFFECT = 0.05
"""Nats. Below, a group does nothing that could be shared."""
ALONE = 0.25
"""Members of a redundant group have at most this part of the group's effect when hidden alone."""


class Joint(NamedTuple):
    """Effects in nats, as mean KL; rows are the n targets, 0 unless a source comes before."""

    groups: tuple[Group, ...]
    single: Array
    """(n, n) hiding each sentence"""
    joint: Array
    """(n, groups) hiding a whole group"""
    interaction: Array
    """(n, groups) what the group does beyond the sum of its members: positive where members stand in for each other"""
    score: Array
    """(n, n) what each source contributes once its copies are gone"""


class Redundancy(NamedTuple):
    """Any one member of the group suffices for the target."""

    target: int
    group: Group
    effect: float
    """nats, all members hidden"""
    alone: float
    """nats, the largest effect of a member hidden alone"""


def joint(
    model: Any, ids: Tensor, spans: Sequence[Span], groups: Iterable[Sequence[int]], settings: Settings | None = None
) -> Joint:
    """Hide each sentence of one text, and each group: ids (T,), spans [a, b) in tokens."""
    return joint_all(model, [Trace(ids, spans)], [groups], settings)[0]


def joint_all(
    model: Any,
    traces: Sequence[Trace],
    groups: Sequence[Iterable[Sequence[int]]],
    settings: Settings | None = None,
) -> list[Joint]:
    """The same for several texts side by side, each with its own groups."""
    wanted = [_tidy(each) for each in groups]
    removals = [_removals(len(trace.spans), each) for trace, each in zip(traces, wanted, strict=True)]
    found = effects(model, traces, removals, settings)
    return [
        combined(len(trace.spans), own, dict(zip(rows, each.kl, strict=True)))
        for trace, own, rows, each in zip(traces, wanted, removals, found, strict=True)
    ]


def _tidy(groups: Iterable[Sequence[int]]) -> list[Group]:
    """Groups of at least two, each once, ascending; a larger one than LARGEST_GROUP keeps its first members."""
    tidied = (tuple(sorted(set(group)))[:LARGEST_GROUP] for group in groups)
    return list(dict.fromkeys(group for group in tidied if len(group) > 1))


def _without(group: Group, source: int) -> Group:
    return tuple(member for member in group if member != source)


def _removals(sentences: int, groups: Sequence[Group]) -> list[Group]:
    """Each sentence, each group, and each group without one of its members; each once."""
    singles = [(source,) for source in range(sentences)]
    parts = [_without(group, source) for group in groups for source in group]
    return list(dict.fromkeys([*singles, *groups, *parts]))


def combined(sentences: int, groups: Sequence[Group], effect: dict[Group, Array]) -> Joint:
    """Put single and joint effects together: `effect` has (n,) for each sentence, group and group less a member."""
    single = np.stack([effect[source,] for source in range(sentences)], axis=1) if sentences else np.zeros((0, 0))
    score = single.copy()
    both = np.zeros((sentences, len(groups)))
    interaction = np.zeros((sentences, len(groups)))
    for column, group in enumerate(groups):
        both[:, column] = effect[group]
        interaction[:, column] = effect[group] - single[:, list(group)].sum(axis=1)
        for source in group:
            score[:, source] = np.maximum(score[:, source], effect[group] - effect[_without(group, source)])
    return Joint(tuple(groups), single, both, interaction, np.tril(score, -1))


def redundant(found: Joint, least: float = MIN_EFFECT, alone: float = ALONE) -> list[Redundancy]:
    """Where any one of a group suffices: together it matters, and no member does alone; the largest effect first.

    A group counts for targets that come after all its members.
    """
    listed = [
        Redundancy(target, group, float(found.joint[target, column]), float(found.single[target, list(group)].max()))
        for column, group in enumerate(found.groups)
        for target in range(max(group) + 1, len(found.single))
    ]
    kept = [each for each in listed if each.effect >= least and each.alone <= alone * each.effect]
    return sorted(kept, key=lambda each: -each.effect)


def search(model: Any, ids: Tensor, spans: Sequence[Span], pairs: int | None = None) -> list[Group]:
    """The pairs of sentences that likeliest stand in for each other, best first; PAIRS_PER_SENTENCE * n by default."""
    pairs = PAIRS_PER_SENTENCE * len(spans) if pairs is None else pairs
    every: list[Group] = list(combinations(range(len(spans)), 2))
    if len(every) <= pairs:
        return every
    shared = shared_content(ids, spans)
    looked = _looked_at_together(sentence_attention(model, ids, spans, (), shifted=True).mean)
    rank = shared + looked / max(looked.max(), 1e-12)
    return sorted(every, key=lambda pair: -rank[pair])[:pairs]


def shared_content(ids: Tensor, spans: Sequence[Span]) -> Array:
    """The part of the lighter sentence's idf mass whose tokens both have, (n, n) in [0, 1]; 0 for empty sentences."""
    tokens, column = np.unique(np.asarray(ids.cpu()), return_inverse=True)
    has = np.zeros((len(spans), len(tokens)))
    for row, (start, end) in enumerate(spans):
        has[row, column[start:end]] = 1
    idf = np.log((len(spans) + 1) / (has.sum(axis=0) + 1))
    both, mass = (has * idf) @ has.T, has @ idf
    lighter = np.minimum(mass[:, None], mass[None])
    part: Array = np.divide(both, lighter, out=np.zeros_like(both), where=lighter > 0)
    return part


def _looked_at_together(mean: Array) -> Array:
    """For each pair of sentences the attention that later sentences pay to both, (n, n)."""
    before = np.tril(mean, -1)
    return np.asarray([np.minimum(before, before[:, [source]]).sum(axis=0) for source in range(len(before))])
