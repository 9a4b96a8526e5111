"""Traces of the pocket world whose decisive sentence is known, and where each method ranks it.

The decisive sentence is the one at which a chain leaves the right way: its only slip, or the rumour that it believes,
whether that is mended later or not. So what is explained is P(the right answer), and a method that has a sign ranks
sentences by how far they lower it. Written by the world, the sentence is known by construction; a check of some hundred
rollouts on both sides of it says where the model contradicts that. Written by the model itself, the sentence follows
from the one lapse in the chain.

Slips are the measure. A rumour that is believed at even odds has a row of its own: by construction the sentence that
tells it lowers P(right) by those odds only, and the next one, which does not take it back, by the rest. So has what the
model wrote itself. Nothing is left out of both.
All are fresh: their seeds are neither trained on nor watched while training. Needs torch and transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracer.analyses.anchors import outgoing, read
from tracer.analyses.bench_anchors import Hits, rates
from tracer.analyses.bench_engine import prefix_ends
from tracer.analyses.effects import SCALE
from tracer.analyses.forced import candidates_of, forced
from tracer.analyses.pools import Drawn
from tracer.analyses.resampling import Sweep, Ways, resample
from tracer.analyses.resampling import Trace as Text
from tracer.analyses.sampler import Outcomes, Sampler
from tracer.analyses.suppression import share, suppress
from tracer.analyses.surprisal import surprisal
from tracer.answers import Extraction
from tracer.data.reread import reread
from tracer.data.world import NOISY, TEST, Trace, ending, problem, prompt_of, trace
from tracer.equivalence import classes
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling
from tracer.stats import Count, Estimate, difference, shrunken

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

SAMPLING = Sampling(max_tokens=220)
WRITING = SAMPLING._replace(temperature=0.8, top_p=1.0)
"""As the model is measured: at this temperature slips and beliefs happen."""
BOXED = Extraction("boxed")
TRIED, BLOCK = 40, 64
"""Problems that the model is given at most for each chain that is wanted, and at a time."""


class Found(NamedTuple):
    """One trace, and what every method says of its sentences."""

    made: Trace
    decisive: int
    sweep: Sweep
    scores: Mapping[str, Sequence[float]]
    contradicted: bool


def drawn(n: int, seed: int) -> list[Trace]:
    """Fresh traces of the world."""
    return [_nth(seed, k) for k in range(n)]


def decided(n: int, seed: int, event: str) -> list[Trace]:
    """Fresh traces whose one decisive sentence is a "slip" or a "trust", from the other end of the seeds' range."""
    found: list[Trace] = []
    k = 0
    while len(found) < n:
        k += 1
        made = _nth(seed, 10**6 + k)
        if made.event.startswith(event) and sum(sentence.decisive for sentence in made.sentences) == 1:
            found.append(made)
    return found


def written(lm: LocalLM, n: int, seed: int) -> list[Trace]:
    """Chains that the model wrote itself on fresh problems, in which one lapse decided; fewer where it errs too rarely.

    Their event begins with "sampled".
    """
    found: list[Trace] = []
    for first in range(0, TRIED * n, BLOCK):
        asked = [problem(_number(seed, 2 * 10**6 + first + k)) for k in range(BLOCK)]
        how = WRITING._replace(seed=seed)._asdict()
        replies = lm.sample_each([prompt_of(each) for each in asked], 1, **how)
        made = [reread(each, reply.text) for each, (reply,) in zip(asked, replies, strict=True)]
        found += [each._replace(event=f"sampled {each.event}") for each in made if each is not None]
        if len(found) >= n:
            break
    return found[:n]


def _nth(seed: int, k: int) -> Trace:
    return trace(problem(_number(seed, k)), seed, NOISY)


def _number(seed: int, k: int) -> int:
    return TEST.start + (seed * 2_000_003 + 31 * k) % (TEST.stop - TEST.start)


def text_of(made: Trace) -> Text:
    """A trace of the world as one to be resampled; what is to be explained is the right answer."""
    return Text(made.prompt + made.cot, tuple(prefix_ends(made)), ending(made.problem.answer))


def decide(lm: LocalLM, made: Trace, database: Path, seed: int, check: int) -> Found:
    """What every method says of a trace, and whether `check` rollouts on both sides contradict its construction."""
    text = text_of(made)
    place = next(k for k, sentence in enumerate(made.sentences) if sentence.decisive)
    sweep = swept(lm, text, database, seed)
    checked = rollouts(lm, text, sweep.target, database, seed, {place: check, place + 1: check})
    before, after = (hits(row, sweep.target) for row in checked.values())
    return Found(made, place, sweep, _scores(lm, text, sweep), difference(before, after).high >= 0)


def swept(lm: LocalLM, text: Text, database: Path, seed: int) -> Sweep:
    """A trace resampled under the default budget."""
    ways = Ways(SAMPLING._replace(seed=seed), how=BOXED, similarity="words")
    with Ledger.open(database, lm.name, lm.revision, ways.sampling) as ledger:
        return resample(lm, text, ledger, ways)


def rollouts(
    lm: LocalLM, text: Text, target: str, database: Path, seed: int, wanted: Mapping[int, int]
) -> dict[int, list[Drawn]]:
    """The first so many rollouts of each prefix."""
    sampling = SAMPLING._replace(seed=seed)
    with Ledger.open(database, lm.name, lm.revision, sampling) as ledger:
        return Sampler(lm, text.text, text.borders, sampling, ledger, Outcomes(BOXED, target))(wanted)


def hits(drawn: Sequence[Drawn], target: str) -> Count:
    """How many rollouts come to the target."""
    return Count(sum(each.label == target for each in drawn), len(drawn))


def _scores(lm: LocalLM, text: Text, sweep: Sweep) -> dict[str, Sequence[float]]:
    """What each method says of each sentence of the chain: where it has a sign, how far it speaks against the outcome.

    In a chain that is mended both the slip and the check move P(the right answer) far; only the slip lowers it.
    """
    ids, spans, _ = read(lm, text.text, list(pairwise(text.borders)))
    candidates = candidates_of(text.text, sweep.target)
    answers = forced(lm, text.text, text.borders, " </think>\n\\boxed{ ", candidates, "}")
    return {
        "resample": [-shrunken(Estimate(e.effect, e.low, e.high, e.n_before), SCALE) for e in sweep.sentences],
        "counterfactual": [-each.counterfactual[0] if each.counterfactual else 0.0 for each in sweep.sentences],
        "forced": (-answers.merged(classes(candidates, sweep.target)).effects).tolist(),
        "surprisal": np.nan_to_num(surprisal(lm.model, ids, spans).mean).tolist(),
        "suppress": np.nan_to_num(outgoing(share(suppress(lm.model, ids, spans).kl))).tolist(),
        "position": [float(k) for k in range(len(spans))],
    }


def ranks(each: Found) -> Hits:
    """The decisive sentence's place by each method, from 1; ties count against the method."""
    return {
        name: 1 + sum(value >= scores[each.decisive] for k, value in enumerate(scores) if k != each.decisive)
        for name, scores in each.scores.items()
    }


def by_event(found: Sequence[Found]) -> dict[str, Any]:
    """The rates for each event by itself, for all rumours, for all that the world wrote, and all that the model did."""
    events = {each.made.event: [other for other in found if other.made.event == each.made.event] for each in found}
    events["rumours"] = [each for each in found if each.made.event.startswith("trust")]
    events["sampled"] = [each for each in found if each.made.event.startswith("sampled")]
    events["slips and rumours"] = [each for each in found if not each.made.event.startswith("sampled")]
    return {
        event: {
            "n": len(some),
            "contradicted": sum(each.contradicted for each in some),
            **rates([ranks(each) for each in some]),
        }
        for event, some in sorted(events.items())
        if some
    }
