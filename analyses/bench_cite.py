"""Every way to cite, on runs of the agent world: does it find the true sources, and what was made up?

**Sources.** Of TARGETS random agents' steps a run, the steps whose words it used are known where its agent did what its
rule does (`agent_faults.parents`, notes included; a call that is made again has those of the first one, too). Pairs
(step, earlier step that its agent was told, or that is true) are ranked by how many words hang on the source (`reuse`:
by its score); `plain` leaves out sources that only say what another one says, too: there, which of them was used is a
matter of definition. `reach`: the later, the likelier.

**Made-up claims.** In successful runs, as many as it takes for n of each sort, a claim is planted in what one agent
says: a fact about somebody whom nobody named, with a number that stands nowhere (`said`); the same where the agent
thinks it first (`thought`); or another number in a fact that it was told (`changed`). Listed is a planted claim that
`cite` calls unsupported; a false listing is any other claim of these steps, or of the TARGETS steps of those of the n
runs that were successful.

Intervals: AUROC by drawing runs again, shares by Wilson.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracer.analyses.cite import Question, cite, cite_reuse
from tracer.analyses.citing import METHODS
from tracer.data.agent_faults import correct, parents
from tracer.data.agent_runs import STEPS, first_lives, worlds
from tracer.data.agent_runs import steps as length
from tracer.data.agent_steps import places, steps_of
from tracer.data.agent_telemetry import Told
from tracer.data.agents import begun, solved
from tracer.data.team_script import equations, facts_in
from tracer.data.world_words import LARGEST, NAMES
from tracer.errors import BadInputError
from tracer.graph import dependency_graph
from tracer.records import Cited, CitedSource, Run, Step
from tracer.sentences import split
from tracer.stats import auroc, wilson

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

TARGETS = 3
DRAWS = 500
CHUNK = 32
NAMES_OF = (*METHODS, "reach")
SORTS = (("said", "thought"), ("changed",))
"""Facts that are made up, and facts that are told otherwise."""
KINDS = tuple(kind for sort in SORTS for kind in sort)
Progress = Callable[[str, int, int], None]
_ASKED = re.compile(r"([A-Z][a-z]+)\?")
_CLAIM = re.compile(r"[A-Z][a-z]+ is \d+\.")
_FACT = re.compile(r"[A-Z][a-z]+: .+\.")


class Case(NamedTuple):
    """A run, and what is known of it."""

    told: Told
    steps: list[Step]
    sources: dict[int, set[int]]
    """The steps that each step used, notes by the system message that holds them; only steps that follow a rule."""
    items: dict[int, set[str]]
    """What each step says, piece by piece."""


def cases(seed: int) -> Iterator[Case]:
    """The runs of 8 to 40 steps from a seed on, however they ended."""
    source = worlds(seed)
    while chunk := list(islice(source, CHUNK)):
        yield from (known(told) for told in first_lives(chunk) if length(told) in STEPS)
    raise BadInputError(f"there are not so many runs from seed {seed} on: take a smaller seed")


def known(told: Told) -> Case:
    """What a run's steps rest on."""
    made, turns = told
    steps = steps_of(made, turns)
    index: dict[int, int] = {k: step for k, step in enumerate(places(made, turns)) if step is not None}
    for k, turn in enumerate(turns):
        if turn.speaker == "Notes":
            holders = [s.index for s in steps if s.kind == "system" and s.agent == turn.to and "Notes:" in s.content]
            index |= dict.fromkeys([k], holders[0]) if holders else {}
    sources = {
        index[k]: {index[source] for source in _used(told, k) if source in index}
        for k in range(len(begun(made)), len(turns))
        if k in index and _follows(told, k)
    }
    return Case(told, steps, sources, {step: items(turns[k].content) for k, step in index.items()})


def _used(told: Told, place: int) -> frozenset[int]:
    """The turns that a turn rests on; one that makes its speaker's last call again rests on what that call did, too."""
    made, turns = told
    own = [k for k in range(place) if turns[k].speaker == turns[place].speaker]
    again = [k for k in own[-1:] if (turns[k].to, turns[k].content) == (turns[place].to, turns[place].content)]
    return parents(made, turns, place).union(*(_used(told, k) for k in again))


def _follows(told: Told, place: int) -> bool:
    """Whether a turn is what its speaker's rule says; else what it used is a guess."""
    right = correct(told.world, told.turns, place)
    turn = told.turns[place]
    return right is not None and (right.to, right.content) == (turn.to, turn.content)


def items(text: str) -> set[str]:
    """The facts, sums, questions and claims of a text."""
    found = {fact.text for fact in facts_in(text)} | {match[0].strip() for match in equations(text)}
    found |= {match[0] for match in (*_ASKED.finditer(text), *_CLAIM.finditer(text))}
    return found or {text.strip()}


def bench_cite(lm: LocalLM, n: int, seed: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """The figures of n runs, and of n planted claims of either sort, as JSON."""
    pairs: list[list[Mapping[str, Any]]] = []
    planted: list[tuple[str, bool]] = []
    others: list[bool] = []
    told = progress or (lambda _words, _done, _total: None)
    for number, case in enumerate(cases(seed), 1):
        rng = random.Random(f"cite {seed} {case.told.world.seed}")
        success = solved(*case.told)
        if number <= n:
            rows, listed = _sources(lm, case, rng)
            pairs.append(rows)
            others += listed if success else []
            told("run", number, n)
        for found, kind, false in _planted(lm, case, rng, _wanted(planted, n)) if success else ():
            planted.append((kind, found))
            others += false
        if number >= n:
            told("claim", len(planted), len(SORTS) * n)
            if len(planted) == len(SORTS) * n:
                break
    return {"seed": seed, "n": n, "model": {"name": lm.name, "revision": lm.revision}} | _summary(
        pairs, planted, others
    )


def _wanted(planted: Sequence[tuple[str, bool]], n: int) -> dict[tuple[str, ...], int]:
    """How many claims of each sort are still to be planted."""
    return {sort: n - sum(kind in sort for kind, _ in planted) for sort in SORTS}


def _run(case: Case) -> Run:
    digest = f"{case.told.world.seed:064x}"
    return Run(id=digest[-12:], content_hash=digest, source="world", format="world")


def _sources(lm: LocalLM, case: Case, rng: random.Random) -> tuple[list[Mapping[str, Any]], list[bool]]:
    """A row for each pair of a step and something its agent was told, and whether each claim was listed."""
    run, edges = _run(case), dependency_graph(case.steps)
    able = [step for step in case.sources if case.steps[step].kind != "tool_result" and case.sources[step]]
    rows: list[Mapping[str, Any]] = []
    listed: list[bool] = []
    for step in rng.sample(able, min(TARGETS, len(able))):
        asked = {name: Question(run, case.steps, step, name, check=False) for name in METHODS}
        found = {name: cite(lm, each) for name, each in asked.items() if METHODS[name].score}
        found |= {name: cite_reuse(each, edges) for name, each in asked.items() if not METHODS[name].score}
        rows += _pairs(case, step, found)
        listed += [bool(claim.unsupported) for claim in found["leave-one-out"].claims]
    return rows, listed


def _pairs(case: Case, step: int, found: Mapping[str, Cited]) -> Iterator[Mapping[str, Any]]:
    told = sorted({source.step for source in found["leave-one-out"].whole.sources} | case.sources[step])
    strength = {name: {each.step: _strength(each) for each in cited.whole.sources} for name, cited in found.items()}
    for source in told:
        elsewhere = set().union(*(case.items.get(other, set()) for other in told if other != source))
        yield {
            "true": source in case.sources[step],
            "plain": not case.items.get(source, set()) <= elsewhere,
            **{name: of.get(source, 0.0) for name, of in strength.items()},
            "reach": float(source - step),
        }


def _strength(source: CitedSource) -> float:
    """What a source is ranked by: how many words hang on it, else its score."""
    return source.score if source.words is None else source.words


def _planted(
    lm: LocalLM, case: Case, rng: random.Random, wanted: Mapping[tuple[str, ...], int]
) -> Iterator[tuple[bool, str, list[bool]]]:
    """Whether a planted claim is listed, of which kind it is, and whether each other claim of the step is listed."""
    for sort, number in wanted.items():
        kind = rng.choice(sort)
        made = plant(case.steps, kind, rng) if number else None
        if made is None:
            continue
        steps, step, claim = made
        found = cite(lm, Question(_run(case), steps, step, "leave-one-out", check=False)).claims
        own = [bool(each.unsupported) for each in found if each.text == claim]
        yield any(own), kind, [bool(each.unsupported) for each in found if each.text != claim]


def plant(steps: Sequence[Step], kind: str, rng: random.Random) -> tuple[list[Step], int, str] | None:
    """A run in which a step claims something made up: its steps, that step, the claim; None where there is no room."""
    said = " ".join(f"{step.content} {step.reasoning or ''} {step.arguments or ''}" for step in steps)
    names = [name for name in NAMES if not re.search(rf"\b{name}\b", said)]
    numbers = [number for number in range(LARGEST + 1) if not re.search(rf"\b{number}\b", said)]
    able = [(step, spots) for step in steps if (spots := _spots(step, kind))]
    if not able or not names or not numbers:
        return None
    step, spots = rng.choice(able)
    head, _, body = step.content.partition(": ")
    parts, spot = _parts(body), rng.choice(spots)
    name = parts[spot].partition(":")[0] if kind == "changed" else rng.choice(names)
    claim = f"{name}: {rng.choice(numbers)}."
    parts[spot : spot + (kind == "changed")] = [claim]
    thought = _parts(step.reasoning or "")
    if kind == "thought":
        thought.insert(rng.randrange(len(thought) + 1), claim)
    changed = {"content": f"{head}: {' '.join(parts)}", "reasoning": " ".join(thought) or None}
    return [*steps[: step.index], step.model_copy(update=changed), *steps[step.index + 1 :]], step.index, claim


def _spots(step: Step, kind: str) -> list[int]:
    """Where among its sentences a step states facts; for another number only those that state one."""
    if step.kind not in {"message", "handoff"} or not step.content.startswith("to "):
        return []
    parts = _parts(step.content.partition(": ")[2])
    facts = [k for k, part in enumerate(parts) if _FACT.fullmatch(part)]
    return [
        k
        for k in facts
        if kind != "changed" or (parts[k].rstrip(".").rpartition(" ")[2].isdigit() and parts[k].count(" ") == 1)
    ]


def _parts(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in split(text)]


def _summary(
    pairs: Sequence[Sequence[Mapping[str, Any]]], planted: Sequence[tuple[str, bool]], others: Sequence[bool]
) -> dict[str, Any]:
    listed = {kind: [found for each, found in planted if each == kind] for kind in KINDS}
    made_up = [*listed["said"], *listed["thought"]]
    false = sum(others)
    return {
        "sources": {
            group: {name: _area([[row for row in rows if group == "all" or row["plain"]] for rows in pairs], name)
                    for name in NAMES_OF}
            for group in ("plain", "all")
        },
        "pairs": {group: _count(pairs, group) for group in ("plain", "all")},
        "unsupported": {"planted": _share(made_up), **{kind: _share(found) for kind, found in listed.items()}},
        "false_listings": _share(others),
        "false_among_listed": round(false / max(1, false + sum(found for _, found in planted)), 4),
    }  # fmt: skip


def _count(pairs: Sequence[Sequence[Mapping[str, Any]]], group: str) -> dict[str, int]:
    rows = [row for of in pairs for row in of if group == "all" or row["plain"]]
    return {"n": len(rows), "true": sum(row["true"] for row in rows)}


def _area(runs: Sequence[Sequence[Mapping[str, Any]]], name: str) -> dict[str, Any]:
    """AUROC over the pairs of all runs, with an interval."""
    scores = [np.array([row[name] for row in rows], dtype=np.float64) for rows in runs]
    true = [np.array([row["true"] for row in rows], dtype=np.bool_) for rows in runs]
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(runs), len(runs)) for _ in range(DRAWS)]
    areas = [
        auroc(np.concatenate([scores[k] for k in which]), np.concatenate([true[k] for k in which])) for which in drawn
    ]
    low, high = np.nanquantile(areas, [0.025, 0.975])
    whole = auroc(np.concatenate(scores), np.concatenate(true))
    return {"auroc": round(whole, 4), "interval": [round(float(low), 4), round(float(high), 4)]}


def _share(found: Sequence[bool]) -> dict[str, Any]:
    share = wilson(sum(found), len(found))
    return {
        "share": round(share.value, 4) if found else None,
        "interval": [round(share.low, 4), round(share.high, 4)],
        "n": len(found),
    }
