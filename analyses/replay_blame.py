"""Blame by replay: live the run again from where it tells most, until one step is left to blame.

The ranker's probabilities are the prior, mixed with even ones; a white-box tier may sharpen it; `fall_search` asks for
forks, a replayer lives them, and only their outcome is looked at. Neither a label nor a correction is ever read.

What counts as success is the caller's: the replayer's own word (`stated`), the answer that was expected (`expects`),
or, where nobody knows what is right, that the wrong answer of the record is not given again (`differs`): then a fall is
a step behind which the runs come to the recorded answer.

What stands before the first agent speaks is given, and no part of the search: from there on is from scratch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tracer.analyses.blame import blame
from tracer.analyses.fall_search import LEAST, RULE, Found, Outcome, Rule, Search
from tracer.analyses.view import USER_ROLES
from tracer.equivalence import same
from tracer.errors import BadInputError, TracerError
from tracer.graph import dependency_graph, propagation_path
from tracer.records import Candidate, Edge, Finding, Run, Step, Verdict
from tracer.replaying import Fork, Lived, Replayer
from tracer.stats.proportions import Estimate

VERSION = 1
BUDGET = 90
"""Forks; an eighth of what it takes to measure the whole curve of a run of twenty steps."""
FIRST_SEED = 1 << 31
SEEDS = 1 << 12
"""Seeds for each prefix: no fork draws the numbers of another one, or of the recorded run."""
SHOWN = 0.1
"""A fall is an edge of the graph when its interval lies above."""
Check = Callable[[Lived], bool]
Progress = Callable[[str, int, int], None]


class Ways(NamedTuple):
    """How to search."""

    budget: int = BUDGET
    rule: Rule = RULE
    top: int = 5
    """Candidates listed."""
    tracked: bool = True
    """Whether a fork that makes a step again as recorded counts for the next prefix, too."""


WAYS = Ways()


class Blamed(NamedTuple):
    """What replay says of a run."""

    finding: Finding
    edges: tuple[Edge, ...]
    """From each step that costs something to the symptom, with the interval in words."""
    found: Found


def stated(lived: Lived) -> bool:
    """Success is what the replayer says; one that cannot tell is of no use here."""
    if lived.outcome == "unknown":
        raise BadInputError(
            "the replayer does not say how a fork ended: name the right answer with `tracer mark RUN --expected`, "
            "or compare with the recorded one, `--truth agreement`"
        )
    return lived.outcome == "success"


def expects(expected: str) -> Check:
    """Success is this answer."""
    return lambda lived: lived.answer is not None and same(lived.answer, expected)


def differs(recorded: str | None) -> Check:
    """Success is any other answer than the recorded one; none is no answer, either."""
    if recorded is None:
        return lambda lived: lived.answer is not None
    return lambda lived: lived.answer is not None and not same(lived.answer, recorded)


def opening(steps: Sequence[Step]) -> int:
    """How many steps are given before the first that an agent made."""
    return next((k for k, step in enumerate(steps) if not given(step)), len(steps))


def given(step: Step) -> bool:
    """Whether a step is none of the agents': a system prompt, or what the user said."""
    return step.kind == "system" or step.agent.lower() in USER_ROLES


def repeated(recorded: Sequence[Step], fork: Fork, lived: Lived) -> int:
    """How many of the recorded steps behind its prefix a fork made again, word for word."""
    kept = len(fork.prefix)
    new = lived.steps[kept:] if lived.steps[:kept] == fork.prefix else lived.steps
    pairs = zip(recorded[kept:], new, strict=False)
    return next((k for k, pair in enumerate(pairs) if not same_words(*pair)), min(len(recorded) - kept, len(new)))


def same_words(one: Step, other: Step) -> bool:
    """Whether two steps say the same to the same, and think the same."""
    return _words(one) == _words(other)


def _words(step: Step) -> tuple[str | None, ...]:
    return step.agent, step.kind, step.content, step.reasoning, step.recipient, step.tool, step.arguments


def search(
    steps: Sequence[Step],
    replayer: Replayer,
    check: Check,
    prior: Sequence[float],
    ways: Ways,
    progress: Progress | None = None,
    watch: Callable[[Found], None] | None = None,
) -> Found:
    """Live forks until the search ends; the same replayer and prior give the same forks. `watch` sees each round."""
    first = opening(steps)
    state = Search(len(steps) - first, shared(prior[first:]), budget=ways.budget, rule=ways.rule, tracked=ways.tracked)
    drawn = dict.fromkeys(range(first, len(steps)), 0)
    while wanted := state.wanted():
        forks = _forks(steps, {first + place: count for place, count in wanted.items()}, drawn)
        lives = replayer(forks)
        if len(lives) != len(forks):
            raise TracerError(f"the replayer was given {len(forks)} forks and returned {len(lives)}")
        for fork, lived in zip(forks, lives, strict=True):
            state.add(len(fork.prefix) - first, [Outcome(check(lived), repeated(steps, fork, lived))])
        if progress:
            progress("forks", state.forks, ways.budget)
        if watch:
            watch(_padded(state.found(), first))
    return _padded(state.found(), first)


def shared(weights: Sequence[float]) -> list[float] | None:
    """Weights as a distribution; None where there is none."""
    total = math.fsum(weights)
    return [each / total for each in weights] if total > 0 else None


def _padded(found: Found, first: int) -> Found:
    """The same for all steps: what is given costs nothing."""
    start = found.levels[:1] * first
    return found._replace(
        step=None if found.step is None else found.step + first,
        posterior=(0.0,) * first + found.posterior,
        falls=(Estimate(0.0, 0.0, 0.0, 0),) * first + found.falls,
        levels=start + found.levels,
    )


def _forks(steps: Sequence[Step], wanted: Mapping[int, int], drawn: dict[int, int]) -> list[Fork]:
    found = []
    for place, count in wanted.items():
        found += [Fork(tuple(steps[:place]), None, FIRST_SEED + place * SEEDS + drawn[place] + k) for k in range(count)]
        drawn[place] += count
    return found


def prior_of(run: Run, steps: Sequence[Step], edges: Sequence[Edge] | None) -> tuple[Finding, list[float]]:
    """The ranker's finding, and its probability of each step; the run is taken as failed."""
    finding = blame(run, steps, edges=edges, assume="failed", top=len(steps))
    told = {each.step: each.probability or 0.0 for each in finding.candidates}
    return finding, [told.get(index, 0.0) for index in range(len(steps))]


def replay_blame(
    run: Run,
    steps: Sequence[Step],
    replayer: Replayer,
    check: Check,
    *,
    edges: Sequence[Edge] | None = None,
    sharpened: Sequence[float] | None = None,
    ways: Ways = WAYS,
    progress: Progress | None = None,
    watch: Callable[[Found], None] | None = None,
) -> Blamed:
    """The finding of one run. `sharpened` is the white-box tier's probability of each step, where it was asked."""
    edges = dependency_graph(steps, run.task) if edges is None else edges
    ranked, prior = prior_of(run, steps, edges)
    found = search(steps, replayer, check, sharpened or prior, ways, progress, watch)
    symptom = ranked.symptom if ranked.symptom is not None else len(steps) - 1
    measured = tuple(_edges(found, symptom))
    verdict, reason = judged(found)
    tiers = {"structure": prior, **({"white-box": sharpened} if sharpened else {}), "replay": found.posterior}
    finding = ranked.model_copy(
        update={
            "method": "replay",
            "analysis": "blame",
            "version": VERSION,
            "parameters": {"budget": ways.budget, "top": ways.top, "sure": ways.rule.sure, "tracked": ways.tracked},
            "verdict": verdict,
            "verdict_reason": reason,
            "probability_basis": "measured",
            "basis_reason": "the run was lived again from its own steps",
            "outcome": run.outcome,
            "candidates": tuple(_candidates(steps, [*edges, *measured], found, ranked, ways.top)),
            "evidence": {**ranked.evidence, "tiers": _tiers(tiers), "replay": _evidence(found)},
        }
    )
    return Blamed(finding, measured, found)


def judged(found: Found) -> tuple[Verdict, str]:
    """The verdict, and why it is inconclusive and what would settle it."""
    if found.step is None:
        return "inconclusive", "the run has no step"
    fall = found.falls[found.step]
    told = f"step {found.step} costs {_told(fall)} of the success rate"
    if found.state == "decisive":
        return "root_cause", ""
    if found.state == "diffuse":
        start = found.levels[0]
        if start.high < LEAST:
            return (
                "inconclusive",
                f"lived again from scratch it fails as well ({_told(start)}): no single step broke it",
            )
        return "inconclusive", f"no single step broke it: {told}, the largest fall there is"
    others = sorted((k for k in range(len(found.posterior)) if k != found.step), key=lambda k: -found.posterior[k])
    rival = f", or step {others[0]} does ({found.posterior[others[0]]:.0%})" if others else ""
    more = max(20, 2 * found.forks)
    return "inconclusive", f"{told}{rival}: about {more} forks (`--budget {more}`) would settle it"


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _candidates(
    steps: Sequence[Step], edges: Sequence[Edge], found: Found, ranked: Finding, top: int
) -> list[Candidate]:
    """The likeliest steps: what each costs, measured, and then what the ranker says of it."""
    inside = [k for k, step in enumerate(steps) if not given(step)]
    order = sorted(inside, key=lambda k: (-found.posterior[k], k))[:top]
    symptom = len(steps) - 1 if ranked.symptom is None else ranked.symptom
    cues = {each.step: each.cues for each in ranked.candidates}
    return [
        Candidate(
            rank=rank,
            step=k,
            agent=blamed(steps, k),
            probability=found.posterior[k],
            cues=(
                f"costs {_told(found.falls[k])} of the success rate (forks on the smaller side: {found.falls[k].n})",
                *cues.get(k, ()),
            ),
            path=propagation_path(steps, edges, k, symptom) if k <= symptom else (),
        )
        for rank, k in enumerate(order, 1)
    ]


def sharpened(
    run: Run, steps: Sequence[Step], edges: Sequence[Edge], probability: Sequence[float], top: int
) -> Finding:
    """The finding of the white-box tier alone: the same candidates by its own probabilities; nothing is replayed."""
    finding, prior = prior_of(run, steps, edges)
    by_step = {each.step: each for each in finding.candidates}
    inside = [k for k, step in enumerate(steps) if not given(step)]
    order = sorted(inside, key=lambda k: (-probability[k], k))[:top]
    symptom = len(steps) - 1 if finding.symptom is None else finding.symptom
    candidates = tuple(
        Candidate(
            rank=rank,
            step=k,
            agent=blamed(steps, k),
            probability=probability[k],
            cues=by_step[k].cues if k in by_step else (),
            path=propagation_path(steps, edges, k, symptom) if k <= symptom else (),
        )
        for rank, k in enumerate(order, 1)
    )
    sure = bool(candidates) and probability[order[0]] > 0.5
    return finding.model_copy(
        update={
            "method": "white-box",
            "verdict": "root_cause" if sure else "inconclusive",
            "verdict_reason": "" if sure else "no step stands out: `--replay` settles it",
            "outcome": run.outcome,
            "probability_basis": "out-of-domain",
            "basis_reason": "fitted on runs of the agent world",
            "parameters": {"top": top},
            "candidates": candidates,
            "evidence": {**finding.evidence, "tiers": _tiers({"structure": prior, "white-box": probability})},
        }
    )


def blamed(steps: Sequence[Step], index: int) -> str:
    """Who answers for a step: a tool's result is its caller's, of the environment's kind."""
    step = steps[index]
    if step.kind != "tool_result":
        return step.agent
    call = call_of(steps, index)
    return step.recipient or step.agent if call is None else steps[call].agent


def call_of(steps: Sequence[Step], index: int) -> int | None:
    """The call that a tool's answer belongs to; None where the log does not tell."""
    named = steps[index].call_id
    calls = (k for k in reversed(range(index)) if steps[k].kind == "tool_call" and steps[k].call_id == named)
    return next(calls, None) if named else None


def _edges(found: Found, symptom: int) -> list[Edge]:
    return [
        Edge(
            source=k,
            target=symptom,
            origin="measured",
            weight=min(1.0, max(0.0, fall.value)),
            reason=f"with it the run succeeds less often by {_told(fall)}, {fall.n} forks",
        )
        for k, fall in enumerate(found.falls)
        if fall.low > SHOWN and k < symptom
    ]


def _tiers(tiers: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """What each tier said, cheapest first: its leading step, and how likely it held it."""
    told = []
    for name, probability in tiers.items():
        if probability:
            step = max(range(len(probability)), key=lambda k: (probability[k], -k))
            told.append({"tier": name, "step": step, "probability": round(probability[step], 4)})
    return told


def _evidence(found: Found) -> dict[str, Any]:
    return {
        "state": found.state,
        "forks": found.forks,
        "decisive": round(found.decisive, 4),
        "falls": [_numbers(each) for each in found.falls],
        "levels": [_numbers(each) for each in found.levels],
    }


def _numbers(estimate: Estimate) -> list[float]:
    return [*(round(each, 4) for each in estimate[:3]), estimate.n]
