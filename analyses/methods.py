"""Every way to look for thought anchors, white box and by resampling, behind one call.

Needs torch and transformers; imported on use only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.analyses import anchors, forced_anchors, resample_anchors
from tracer.analyses.allocation import Budget
from tracer.analyses.pools import Pools
from tracer.analyses.resampling import Watch, Ways
from tracer.anchor_options import Options, Progress
from tracer.answers import Extraction
from tracer.chain import Chain
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling
from tracer.records import Anchors

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

TOP = 3
"""Sentences that lead so far are told while rollouts are drawn."""


class Asked(NamedTuple):
    """A question."""

    lm: LocalLM
    chain: Chain
    options: Options
    database: Path
    """Where rollouts are kept; made where there is none."""
    progress: Progress | None = None


class Method(NamedTuple):
    """A way to answer it."""

    parameters: Callable[[Options], Mapping[str, Any]]
    """What the answer depends on beside text and model; the answer is kept under it."""
    find: Callable[[Asked, Mapping[str, Any]], Anchors]


def _white_box(name: str) -> Method:
    return Method(
        lambda _: anchors.METHODS[name].parameters,
        lambda asked, parameters: anchors.find(asked.lm, asked.chain, name, parameters, asked.progress),
    )


def _ways(options: Options) -> Ways:
    given = options.resampling
    budget = Budget(given.rollouts, given.tokens, given.width) if given.limited else None
    return Ways(
        sampling=Sampling(given.temperature, given.top_p, given.max_tokens, given.seed),
        budget=budget,
        how=Extraction("pattern", given.pattern) if given.pattern else None,
        target=given.outcome,
        similarity=given.similarity,
        paper=given.paper,
    )


def _resample(asked: Asked, parameters: Mapping[str, Any]) -> Anchors:
    ways = _ways(asked.options)
    revision = f"{asked.lm.revision} {asked.lm.model.dtype}"  # other rounding, other draws
    with Ledger.open(asked.database, asked.lm.name, revision, ways.sampling) as ledger:
        return resample_anchors.find(asked.lm, asked.chain, ledger, ways, parameters, _watch(asked.progress))


def _watch(progress: Progress | None) -> Watch | None:
    if progress is None:
        return None

    def told(pools: Pools, most: int) -> None:
        shares = pools.shares()
        moved = [pools.effect(k, after).value for k, after in enumerate(shares[1:])]
        lead = sorted(range(len(moved)), key=lambda k: -abs(moved[k]))[:TOP]
        progress(f"rollouts, sentences {', '.join(map(str, lead))} lead", sum(pools.fresh), most)

    return told


METHODS: dict[str, Method] = {
    **{name: _white_box(name) for name in anchors.METHODS},
    "forced": Method(
        lambda options: {"outcome": options.resampling.outcome, "version": 1},
        lambda asked, parameters: forced_anchors.find(
            asked.lm, asked.chain, asked.options.resampling.outcome, parameters
        ),
    ),
    "resample": Method(lambda options: {**options.resampling._asdict(), "version": 3}, _resample),
}
"""Every method of `tracer anchors`; the first is the default."""
