"""What it does to each sentence of a text to remove some of the earlier ones from sight.

    effect(t, R) = mean over the tokens x of sentence t of  KL( p(x | all before) || p(x | all before but R) )

in nats and over the whole vocabulary. R is hidden in every layer and head from every later query, which is deletion
with original position ids: what follows is run over the cached keys and values of what precedes, so that no query
before R is run twice (`blocks`). Of the undisturbed pass its keys, values and hidden states are kept, (T, width);
logits are made for a few positions at a time and reduced at once, so nothing of size T x T or T x V is held.

A token is predicted from the token before it, so the first token of sentence s+1 is predicted from inside s. Hence the
last token of s, its full stop or line break, is not hidden: it is run again without the rest of its sentence
(`kept_end`), and what it predicts then counts for s+1. A sentence of one token is hidden whole, and its effect on the
very next token is not measured.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers.cache_utils import Cache

from tracer.analyses.blocks import BLOCK_TOKENS, Block, Interval, Room, blocks
from tracer.analyses.causal import Causal
from tracer.analyses.grouped_attention import grouped
from tracer.analyses.suppression_mask import Sight, Where

Array = npt.NDArray[np.float64]
Span = tuple[int, int]
Removal = Sequence[int]
"""Sentences, by index, that are removed together."""

FLOOR = 1e-9
"""Added before the logarithm of the KL, as in the paper's code."""
ROWS = 32
"""Removals run side by side, at most."""
LONG_BLOCK = 128
"""On long texts fewer run side by side, so that each has so many queries per pass: attention is slow on less."""
ROOM_BYTES = 1 << 30
"""Memory for the keys and values of removals that run side by side."""
BATCH_TOKENS = 4096
"""Texts are taken together up to so many tokens, padding counted."""


class Trace(NamedTuple):
    """A text as the model reads it."""

    ids: Tensor
    """(T,) token ids"""
    spans: Sequence[Span]
    """Tokens [a, b) of each sentence, ascending and disjoint; tokens may lie outside, and a span may be empty."""


class Effects(NamedTuple):
    """What m removals do to n sentences; 0 where a sentence stands before all that was removed, or has no token."""

    kl: Array
    """(m, n) mean KL in nats"""
    log_kl: Array
    """(m, n) mean of ln(KL + floor)"""
    drop: Array
    """(m, n) mean loss of log-probability of the actual tokens, in nats, at temperature 1"""
    notes: tuple[str, ...] = ()
    """How tokens were hidden, where it was not by plain deletion."""


class Settings(NamedTuple):
    """How effects are measured."""

    temperature: float = 1.0
    """Both distributions of the KL are taken at it."""
    floor: float = FLOOR
    hide: Callable[[Span], Interval] | None = None
    """What is hidden of a sentence; None is `kept_end`."""
    where: Where | None = None
    """Layers and heads in which it is hidden; None is everywhere."""
    tokens: int = BLOCK_TOKENS
    """Queries per pass."""
    rows: int = ROWS
    """Removals side by side, at most."""
    progress: Callable[[int, int], None] | None = None
    """Told the queries run and the queries to run, after each pass."""


class _Row(NamedTuple):
    """One removal in one text."""

    trace: int
    removal: int
    hidden: tuple[Interval, ...]

    @property
    def start(self) -> int:
        """The first query that is run again."""
        return self.hidden[0].end


def kept_end(span: Span) -> Interval:
    """What is hidden of a sentence [a, b): all but its last token, which predicts the next sentence's first one."""
    start, end = span
    return Interval(start, end - 1 if end - start > 1 else end)


def whole(span: Span) -> Interval:
    """The sentence [a, b) with its last token: what it does to the very next token is then not measured."""
    return Interval(*span)


@torch.inference_mode()
def effects(
    model: Any, traces: Sequence[Trace], removals: Sequence[Sequence[Removal]], settings: Settings | None = None
) -> list[Effects]:
    """The effects of each text's removals on its sentences; texts of like length are run together."""
    settings = settings or Settings()
    found: dict[int, Effects] = {}
    for batch in _batches(traces):
        run = _Run(Causal(model), [traces[i] for i in batch], [removals[i] for i in batch], settings)
        found |= zip(batch, run.effects(), strict=True)
    return [found[i] for i in range(len(traces))]


def _batches(traces: Sequence[Trace]) -> Iterator[list[int]]:
    """Texts by length, the longest first, so many at a time that their rows have at most BATCH_TOKENS tokens."""
    order = sorted(range(len(traces)), key=lambda i: -len(traces[i].ids))
    while order:
        count = max(1, BATCH_TOKENS // max(1, len(traces[order[0]].ids)))
        yield order[:count]
        order = order[count:]


class _Group(NamedTuple):
    """Removals that are run side by side."""

    rows: list[_Row]
    sources: list[int]
    """The text of each row,"""
    ids: Tensor
    """and its tokens, (rows, T)."""
    room: Cache
    blocks: list[Block]
    total: Tensor
    """(4, rows, sentences + 1): sums over tokens of KL, ln(KL + floor), drop and 1."""


class _Plain(NamedTuple):
    """What the undisturbed texts predict at the positions of a cell."""

    start: int
    log: Tensor
    """(texts, positions, V) log-probabilities at the temperature of the KL"""
    share: Tensor
    """(texts, positions, V) their exponentials"""
    told: Tensor
    """(texts, positions) log-probabilities of the actual next tokens at temperature 1"""


class _Run:
    """The removals of a few texts, side by side."""

    def __init__(
        self, causal: Causal, traces: Sequence[Trace], removals: Sequence[Sequence[Removal]], settings: Settings
    ) -> None:
        self.causal, self.traces, self.removals, self.settings = causal, traces, removals, settings
        self.ids = causal.rows([trace.ids for trace in traces])  # (traces, T)
        self.sight = Sight(causal.model, self.ids.shape[1], settings.where)
        self.owner = _owners(traces, self.ids)  # (traces, T)
        self.tokens = causal.block_tokens(self.ids.shape[1], settings.tokens)
        self.rows = sorted(self._rows(), key=lambda row: row.start)
        self.sentences = max((len(trace.spans) for trace in traces), default=0)
        least = max(1, self.tokens // LONG_BLOCK)
        self.side_by_side = min(settings.rows, max(least, least * self.tokens // max(1, self.ids.shape[1])))
        fit = causal.positions_at_once(self.side_by_side + 3 * len(traces))
        self.cell = max(1, min(fit, self.tokens // self.side_by_side))
        self.queries, self.done = sum(len(traces[row.trace].ids) - row.start for row in self.rows), 0

    def effects(self) -> list[Effects]:
        """The effects, text by text."""
        sums = [torch.zeros(4, len(found), self.sentences + 1, device=self.causal.device) for found in self.removals]
        if self.rows:
            with self.sight.applied():
                room, plain = self._plain()
            self.causal.check(self.traces[0].ids.to(self.causal.device), plain[0], self.sight)
            with self.sight.applied(), grouped(self.causal.model):
                for rows in self._together(room):
                    self._measure([self._group(some, room) for some in rows], plain, sums)
        return [self._means(each, trace) for each, trace in zip(sums, self.traces, strict=True)]

    def _rows(self) -> Iterator[_Row]:
        hide = self.settings.hide or kept_end
        for index, (trace, removals) in enumerate(zip(self.traces, self.removals, strict=True)):
            for number, removal in enumerate(removals):
                spans = [trace.spans[i] for i in sorted(set(removal))]
                hidden = tuple(hide(span) for span in spans if span[0] < span[1])
                if hidden and hidden[0].end < len(trace.ids):
                    yield _Row(index, number, hidden)

    def _plain(self) -> tuple[Cache, Tensor]:
        """The undisturbed pass: its cache, and its hidden states (traces, T, width)."""
        room = self.causal.room(len(self.ids), self.ids.shape[1], self.sight)
        states = [state for _, state in self.causal.plain(self.ids, self.sight, room, self.tokens)]
        return room, torch.cat(states, dim=1)

    def _together(self, room: Cache) -> Iterator[list[list[_Row]]]:
        """Groups of rows, as many at a time as there is room for: what is made of the plain text serves them all."""
        bytes_per_row = room.bytes_per_row if isinstance(room, Room) else ROOM_BYTES
        size = max(1, min(self.side_by_side, ROOM_BYTES // max(1, bytes_per_row)))
        groups = [self.rows[start : start + size] for start in range(0, len(self.rows), size)]
        count = max(1, ROOM_BYTES // max(1, size * bytes_per_row))
        for start in range(0, len(groups), count):
            yield groups[start : start + count]

    def _group(self, rows: list[_Row], room: Cache) -> _Group:
        sources, starts = [row.trace for row in rows], [row.start for row in rows]
        end = max(len(self.traces[i].ids) for i in sources)
        if isinstance(room, Room):
            own: Cache = room.copied(sources, starts)
        else:  # a state cannot be taken up in the middle: the rows are run from the first token on
            own, starts = self.causal.room(len(rows), end, self.sight), [0] * len(rows)
        total = torch.zeros(4, len(rows), self.sentences + 1, device=self.causal.device)
        return _Group(rows, sources, self.ids[sources], own, list(blocks(starts, end, self.tokens, self.cell)), total)

    def _measure(self, groups: list[_Group], plain: Tensor, sums: list[Tensor]) -> None:
        """Run groups of removals over the texts' ends, cell by cell, and add what they do to the sums."""
        schedule = sorted(
            (block.start // self.cell, k, block) for k, group in enumerate(groups) for block in group.blocks
        )
        before = None
        for cell, k, block in schedule:
            if before is None or before.start != cell * self.cell:
                before = self._before(plain, cell * self.cell)
            self._advance(groups[k], block, before)
        for group in groups:
            for index, row in enumerate(group.rows):
                sums[row.trace][:, row.removal] = group.total[:, index]

    def _before(self, plain: Tensor, start: int) -> _Plain:
        logits = self.causal.logits(plain[:, start : start + self.cell])
        log = _log_softmax(logits, self.settings.temperature)
        tokens = self.ids[:, 1:][:, start : start + self.cell]
        return _Plain(start, log, log.exp(), _log_prob(logits[:, : tokens.shape[1]], tokens))

    def _advance(self, group: _Group, block: Block, before: _Plain) -> None:
        """Run a block of a group, score its predictions, and add them to the group's total."""
        rows = group.rows[: block.rows]
        mask = self.sight.mask([row.hidden for row in rows], block)
        state = self.causal.hidden(group.ids, group.room, block, None if self.sight.stateful else mask)
        last = self.ids.shape[1] - 1  # the text's last token predicts nothing that is there
        if block.start < last:
            self._add(group, Block(block.start, min(block.end, last), block.rows), state, before)
        self._tell(rows, block)

    def _add(self, group: _Group, block: Block, state: Tensor, before: _Plain) -> None:
        """Add the scores of the predictions that are made in a block, state (rows, positions, width)."""
        sources = torch.tensor(group.sources[: block.rows], device=self.causal.device)
        starts = torch.tensor([row.start for row in group.rows[: block.rows]], device=self.causal.device)
        positions = torch.arange(block.start, block.end, device=self.causal.device)
        owner = self.owner[sources, block.start : block.end]  # (rows, positions)
        owner = owner.masked_fill(positions < starts[:, None], group.total.shape[2] - 1)
        tokens = self.ids[sources, block.start + 1 : block.end + 1]
        kl, drop = self._compare(before, block, state[:, : len(positions)], sources, tokens)
        scores = torch.stack([kl, torch.log(kl + self.settings.floor), drop, torch.ones_like(kl)])
        group.total[:, : block.rows].scatter_add_(2, owner.expand(4, -1, -1), scores)

    def _compare(
        self, before: _Plain, block: Block, state: Tensor, sources: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """KL and loss of log-probability at each position, (rows, positions), of rows of the texts `sources`."""
        part = slice(block.start - before.start, block.end - before.start)
        log, share = before.log[:, part], before.share[:, part]
        if len(log) > 1:
            log, share = log[sources], share[sources]
        logits, heat = self.causal.logits(state), self.settings.temperature
        after = _log_softmax(logits, heat)
        told = _log_prob(logits, tokens) if heat != 1 else after.gather(2, tokens[..., None])[..., 0]
        kl = after.neg_().add_(log).mul_(share).sum(dim=2)  # after is not needed again: it is overwritten
        return kl.clamp_(min=0), before.told[sources, part] - told

    def _tell(self, rows: Sequence[_Row], block: Block) -> None:
        if self.settings.progress:
            self.done += sum(
                max(0, min(block.end, len(self.traces[row.trace].ids)) - max(block.start, row.start)) for row in rows
            )
            self.settings.progress(self.done, self.queries)

    def _means(self, sums: Tensor, trace: Trace) -> Effects:
        """Means over the tokens of each sentence, from sums (4, removals, sentences + 1)."""
        kl, log_kl, drop, count = sums[:, :, : len(trace.spans)].double().cpu().numpy()
        scale = 1 / np.maximum(count, 1)
        return Effects(kl * scale, log_kl * scale, drop * scale, self.sight.notes)


def _owners(traces: Sequence[Trace], ids: Tensor) -> Tensor:
    """For each query the sentence of the token it predicts, (traces, T); the largest number of sentences if none."""
    nobody = max((len(trace.spans) for trace in traces), default=0)
    owner = torch.full_like(ids, nobody)
    for row, trace in enumerate(traces):
        for index, (start, end) in enumerate(trace.spans):
            owner[row, max(0, start - 1) : max(0, end - 1)] = index
    return owner


def _log_softmax(logits: Tensor, temperature: float) -> Tensor:
    return torch.log_softmax(logits if temperature == 1 else logits / temperature, dim=-1)


def _log_prob(logits: Tensor, tokens: Tensor) -> Tensor:
    """The log-probability of the tokens (rows, positions) under logits (rows, positions, V), at temperature 1."""
    chosen: Tensor = logits.gather(2, tokens[..., None])[..., 0]
    return chosen - logits.logsumexp(dim=2)
