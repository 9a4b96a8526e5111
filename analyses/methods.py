"""Every way to look for thought anchors, white box and by resampling, behind one call.

Those that read a model from inside need torch and transformers, which load with their first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.analyses import resample_anchors
from tracer.analyses.allocation import Budget
from tracer.analyses.pools import Pools
from tracer.analyses.resampling import Watch, Ways
from tracer.anchor_options import Announce, Options, Progress
from tracer.answers import Extraction
from tracer.chain import Chain
from tracer.errors import MissingExtraError
from tracer.lm.ledger import Ledger
from tracer.lm.local import LocalLM
from tracer.lm.rollouts import Sampling
from tracer.records import Anchors

if TYPE_CHECKING:
    from tracer.lm.endpoint import Endpoint

NEEDS = {
    "suppress": "the model's keys and values, to hide a sentence from them",
    "receivers": "the model's attention",
    "surprisal": "the probability of every token",
    "forced": "the probability of every candidate answer",
}
NEEDS_INSIDE = (
    "--method {method} needs {needs}, which no server gives out whole: use --method resample, or a model in this "
    "process (--lm FOLDER)"
)
TOP = 3
"""Sentences that lead so far are told while rollouts are drawn."""


class Asked(NamedTuple):
    """A question."""

    lm: LocalLM | Endpoint
    chain: Chain
    options: Options
    database: Path
    """Where rollouts are kept; made where there is none."""
    progress: Progress | None = None
    announce: Announce | None = None

    def inside(self, method: str) -> LocalLM:
        """The model, for a method that reads it from inside; one behind a server cannot be read so."""
        if isinstance(self.lm, LocalLM):
            return self.lm
        raise MissingExtraError(NEEDS_INSIDE.format(method=method, needs=NEEDS[method]))


class Method(NamedTuple):
    """A way to answer it."""

    parameters: Callable[[Asked], Mapping[str, Any]]
    """What the answer depends on beside text and model; the answer is kept under it."""
    find: Callable[[Asked, Mapping[str, Any]], Anchors]


def _white_box(name: str) -> Method:
    def parameters(asked: Asked) -> Mapping[str, Any]:
        dtype = asked.inside(name).model.dtype
        from tracer.analyses import anchors

        return {**anchors.METHODS[name].parameters, **_dtype(dtype)}

    def find(asked: Asked, parameters: Mapping[str, Any]) -> Anchors:
        lm = asked.inside(name)
        from tracer.analyses import anchors

        return anchors.find(lm, asked.chain, name, parameters, asked.progress)

    return Method(parameters, find)


def _dtype(dtype: Any) -> dict[str, str]:
    return {"dtype": str(dtype).removeprefix("torch.")}


def _forced_parameters(asked: Asked) -> Mapping[str, Any]:
    outcome = asked.options.resampling.outcome
    return {"outcome": outcome, "version": 1, **_dtype(asked.inside("forced").model.dtype)}


def _forced(asked: Asked, parameters: Mapping[str, Any]) -> Anchors:
    lm = asked.inside("forced")
    from tracer.analyses import forced_anchors

    return forced_anchors.find(lm, asked.chain, asked.options.resampling.outcome, parameters)


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
    with Ledger.open(asked.database, asked.lm.name, _drawn_by(asked.lm), ways.sampling) as ledger:
        return resample_anchors.find(
            asked.lm, asked.chain, ledger, ways, parameters, _watch(asked.progress), asked.announce
        )


def _resample_parameters(asked: Asked) -> Mapping[str, Any]:
    lm = asked.lm
    how = _dtype(lm.model.dtype) if isinstance(lm, LocalLM) else {"drawn": _drawn_by(lm).partition(" ")[2]}
    return {**asked.options.resampling._asdict(), "version": 3, **how}


def _drawn_by(lm: LocalLM | Endpoint) -> str:
    """What draws depend on beside the weights: rounding, and from which tokens a server draws."""
    if isinstance(lm, LocalLM):
        return f"{lm.revision} {lm.model.dtype}"
    lm.server["sampling"]
    return f"{lm.revision} {lm.server.sampling}"


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
    **{name: _white_box(name) for name in ("suppress", "receivers", "surprisal")},
    "forced": Method(_forced_parameters, _forced),
    "resample": Method(_resample_parameters, _resample),
}
"""Every method of `tracer anchors`; the first is the default."""
