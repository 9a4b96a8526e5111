"""Every method on runs whose true cause was measured: `tracer bench world`.

Fresh runs of the agent world are lived, written as telemetry, and read like anybody's. Each failed one is labelled by
living it again (`world_labels`), which no method sees. Then every method names a step:

    ranker, rules     from the log alone
    surprisal         the step that its agent's own words make least likely, by what the agent saw
    white-box         a language model reads the run (`white_box`)
    replay            the search (`replay_blame`), with the white-box tier as its prior
    bisection         LOOK forks at the middle of what is left, and on with the half that holds the change
    exhaustive        EVERY forks at every prefix, and the largest difference

step, agent: the label's. source: the label's step, or the call behind a tool's answer that is the label's. path: the
step is right, it reaches the symptom, and every hop of the way is a true dependency or a chain of them. sentence: of
the steps named rightly whose label has a place in the reasoning. Runs without a decisive step count in a row of their
own. Nothing replayed: forks are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tracer.analyses.blame import METHODS, blame
from tracer.analyses.drill import drill
from tracer.analyses.fall_search import LEAST, Found
from tracer.analyses.replay_blame import blamed, differs, opening, prior_of, replay_blame, stated
from tracer.data.agent_runs import mapped
from tracer.graph import dependency_graph, propagation_path
from tracer.records import Edge, Recording, Step
from tracer.replaying import Fork, Replayer
from tracer.stats import wilson

LENGTHS = range(8, 25)
LOOK, EVERY = 8, 16
BUDGETS = (10, 20, 30, 40, 50, 75, 90)
FIRST_SEED = 1 << 30
RULES = tuple(name for name in METHODS if name != "ranker")
NAMES = ("ranker", "white-box", "replay", "exhaustive", "bisection", "surprisal", *RULES)
LEVELS = ("agent", "step", "sentence", "source", "path")
ORIGINS = ("declared", "reused", "similar", "measured")
Progress = Callable[[str, int, int], None]
T = TypeVar("T")


class Named(NamedTuple):
    """What a method said of a run, and what it cost."""

    step: int
    """The first of its order, also where the method is not sure of it."""
    forks: int = 0
    sentence: bool | None = None
    """Whether the sentence is the label's; None where the level does not apply."""
    sure: bool = True
    """False where the method finds that no step is decisive."""


def bench_world(
    failed: Sequence[Recording], good: Sequence[Recording], jobs: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Every method's figures on failed and on successful runs of the world, as JSON."""
    rows = list(_mapped(case, failed, jobs, "run", progress))
    accused = list(_mapped(accuses, good, jobs, "successful run", progress))
    return {"n": len(failed), **summary(rows), "passing": _passing(accused)}


def case(recording: Recording) -> dict[str, Any]:
    """The label of one failed run, and what every method says of it."""
    from tracer.analyses.world_labels import label
    from tracer.data.agent_replay import make

    run, steps = recording
    found = label(recording)
    edges = dependency_graph(steps, run.task)
    replayer = make(recording)
    named, levels, measured = _measured(recording, replayer, edges, found)
    named |= {name: Named(blame(run, steps, edges=edges, method=name, assume="failed", top=1).candidates[0].step)
              for name in ("ranker", *RULES)}  # fmt: skip
    named |= {"bisection": _bisected(steps, replayer), "exhaustive": _exhausted(steps, replayer)}
    graph = [*edges, *measured]
    return {
        **{key: found[key] for key in ("run", "status", "topology", "fault", "kind", "forks")},
        "steps": len(steps),
        "methods": {name: _scored(each, steps, graph, found) for name, each in named.items()},
        "curve": [[forks, step == found["step"]] for forks, step in levels],
        "edges": _edges(graph, found["edges"]),
    }


def _measured(
    recording: Recording, replayer: Replayer, edges: Sequence[Edge], label: Mapping[str, Any]
) -> tuple[dict[str, Named], list[tuple[int, int | None]], list[Edge]]:
    """The methods with a language model or with forks; how the search went; the edges that were measured."""
    from tracer.analyses.hiding import measured_edges
    from tracer.analyses.step_signals import heard
    from tracer.analyses.white_box import Known, probabilities
    from tracer.data.agent_replay import voices

    run, steps = recording
    lm = voices().lm
    seen = heard(lm, steps)
    white = probabilities(Known(steps, seen, prior_of(run, steps, edges)[1]))
    path: list[tuple[int, int | None]] = []

    def watch(found: Found) -> None:
        path.append((found.forks, found.step))

    told = replay_blame(run, steps, replayer, stated, edges=edges, sharpened=white, watch=watch)
    step = told.finding.candidates[0].step
    inside = _drilled(recording, replayer, label) if label["status"] == "decisive" and step == label["step"] else None
    return (
        {
            "surprisal": Named(int(np.argmax(seen.cost.sum(axis=1)))),
            "white-box": Named(int(np.argmax(white))),
            "replay": Named(step, told.found.forks, inside, sure=told.found.decisive >= 0.5),
        },
        path,
        [*measured_edges(lm, steps), *told.edges],
    )


def _drilled(recording: Recording, replayer: Replayer, label: Mapping[str, Any]) -> bool | None:
    """Whether the drill finds the labelled place; None where the label has none, as at a tool."""
    if label["sentence"] is None:
        return None
    found = drill(recording.steps, label["step"], replayer, stated)
    return found.where != "later" and (found.start, found.end) == (label["sentence"]["start"], label["sentence"]["end"])


def _bisected(steps: Sequence[Step], replayer: Replayer) -> Named:
    low, high, forks = opening(steps), len(steps), 0
    while high - low > 1:
        middle = (low + high) // 2
        hits = _hits(steps, replayer, [middle], LOOK)[0]
        low, high, forks = (middle, high, forks + LOOK) if 2 * hits > LOOK else (low, middle, forks + LOOK)
    return Named(low, forks)


def _exhausted(steps: Sequence[Step], replayer: Replayer) -> Named:
    places = range(opening(steps), len(steps))
    rates = [*(hits / EVERY for hits in _hits(steps, replayer, places, EVERY)), 0.0]
    falls = [before - after for before, after in pairwise(rates)]
    largest = int(np.argmax(falls))
    return Named(places[largest], EVERY * len(places), sure=falls[largest] >= LEAST)


def _hits(steps: Sequence[Step], replayer: Replayer, places: Sequence[int], each: int) -> list[int]:
    """Successes among so many forks at each place."""
    forks = [Fork(tuple(steps[:j]), None, FIRST_SEED + j * EVERY + k) for j in places for k in range(each)]
    ended = [stated(lived) for lived in replayer(forks)]
    return [sum(ended[k : k + each]) for k in range(0, len(ended), each)]


def _scored(named: Named, steps: Sequence[Step], edges: Sequence[Edge], label: Mapping[str, Any]) -> dict[str, Any]:
    """Right or wrong at each level; `named`: whether the method holds any step to be decisive."""
    step, forks, sentence, sure = named
    right = step == label["step"]
    return {
        "named": sure,
        "agent": blamed(steps, step) == label["agent"],
        "step": right,
        "sentence": sentence,
        "source": right or _call_behind(steps, step, label["step"]),
        "path": right and _travels(steps, edges, label),
        "forks": forks,
    }


def _call_behind(steps: Sequence[Step], step: int, labelled: int) -> bool:
    one, other = steps[step], steps[labelled]
    return one.kind == "tool_call" and other.kind == "tool_result" and one.call_id == other.call_id


def _travels(steps: Sequence[Step], edges: Sequence[Edge], label: Mapping[str, Any]) -> bool:
    """Whether the way from the labelled step to the last one goes along true dependencies only."""
    last = len(steps) - 1
    used: dict[int, set[int]] = {}
    for source, target in label["edges"]:
        used.setdefault(target, set()).add(source)
    links = propagation_path(steps, edges, label["step"], last)
    way = [link.step for link in links] or [label["step"]]
    linked = all(link.origin is not None for link in links[1:])
    return way[-1] == last and linked and all(one in _behind(used, other) for one, other in pairwise(way))


def _behind(used: Mapping[int, set[int]], step: int) -> set[int]:
    """All that a step rests on, directly or through others."""
    found: set[int] = set()
    open_ = [step]
    while open_:
        new = used.get(open_.pop(), set()) - found
        found |= new
        open_ += new
    return found


def _edges(edges: Sequence[Edge], true: Sequence[Sequence[int]]) -> dict[str, list[int]]:
    """{origin: [found and true, found, true, found and true through others]}; `together` is all but `similar`."""
    truth = {(source, target) for source, target in true}
    used: dict[int, set[int]] = {}
    for source, target in truth:
        used.setdefault(target, set()).add(source)
    sets = {origin: {(e.source, e.target) for e in edges if e.origin == origin} for origin in ORIGINS}
    sets["together"] = sets["declared"] | sets["reused"] | sets["measured"]
    behind = {target: _behind(used, target) for target in {pair[1] for pairs in sets.values() for pair in pairs}}
    return {
        name: [len(pairs & truth), len(pairs), len(truth), sum(one in behind[other] for one, other in pairs)]
        for name, pairs in sets.items()
    }


def accuses(recording: Recording) -> bool:
    """Whether a successful run whose outcome is hidden is given a root cause, by replay and with no truth at all."""
    from tracer.data.agent_replay import make

    run = recording.run.model_copy(update={"outcome": "unknown", "outcome_source": None, "expected": None})
    told = replay_blame(run, recording.steps, make(recording), differs(run.answer))
    return told.finding.verdict == "root_cause"


def _mapped(
    work: Callable[[Recording], T], cases: Sequence[Recording], jobs: int, words: str, progress: Progress | None
) -> Iterator[T]:
    """The work on each, and how far it is."""
    for number, found in enumerate(mapped(work, jobs, cases), 1):
        if progress:
            progress(words, number, len(cases))
        yield found


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares over the runs that have a decisive step, with Wilson's intervals; and the others in a row of their own."""
    decisive = [row for row in rows if row["status"] == "decisive"]
    diffuse = [row for row in rows if row["status"] != "decisive"]
    return {
        "methods": {name: _method(decisive, name) for name in NAMES},
        "intervals": {name: _intervals(decisive, name) for name in NAMES},
        "edges": {name: _prf(rows, name) for name in (*ORIGINS, "together")},
        "diffuse": {"n": len(diffuse), "named": sum(row["methods"]["replay"]["named"] for row in diffuse)},
        "label_forks": _mean([row["forks"] for row in decisive]),
        "by": {
            key: {group: _group(decisive, key, group) for group in sorted({_of(row, key) for row in decisive})}
            for key in ("topology", "length", "fault", "kind")
        },
        "budget": [{"forks": most, "step": _mean([_upto(row["curve"], most) for row in decisive])} for most in BUDGETS],
    }


def _method(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | None]:
    return {level: _mean(_values(rows, name, level)) for level in (*LEVELS, "forks")}


def _values(rows: Sequence[Mapping[str, Any]], name: str, level: str) -> list[float]:
    return [float(value) for row in rows if (value := row["methods"][name][level]) is not None]


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _intervals(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, list[float] | None]:
    found: dict[str, list[float] | None] = {}
    for level in LEVELS:
        values = _values(rows, name, level)
        share = wilson(sum(values), len(values))
        found[level] = [round(share.low, 4), round(share.high, 4)] if values else None
    return found


def _of(row: Mapping[str, Any], key: str) -> str:
    if key == "length":
        return "8-15" if row["steps"] < 16 else "16-24"
    return str(row[key])


def _group(rows: Sequence[Mapping[str, Any]], key: str, group: str) -> dict[str, Any]:
    inside = [row for row in rows if _of(row, key) == group]
    return {"n": len(inside), **{name: _mean(_values(inside, name, "step")) for name in NAMES}}


def _upto(curve: Sequence[Sequence[Any]], most: int) -> float:
    """Whether the leader was right when so many forks had been lived; none before the first round."""
    return float(next((right for forks, right in reversed(curve) if forks <= most), False))


def _prf(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Against the direct dependencies; `through` is the precision where those through other steps count as well."""
    both, found, true, through = (sum(row["edges"][name][k] for row in rows) for k in range(4))
    figures = {
        "precision": both / found if found else None,
        "recall": both / true if true else None,
        "f1": 2 * both / (found + true) if found + true else None,
        "through": through / found if found else None,
    }
    rounded: dict[str, Any] = {key: None if value is None else round(value, 4) for key, value in figures.items()}
    for key, n in (("precision", found), ("recall", true)):
        share = wilson(both, n)
        rounded[f"{key}_interval"] = [round(share.low, 4), round(share.high, 4)] if n else None
    return rounded


def _passing(accused: Sequence[bool]) -> dict[str, Any]:
    share = wilson(sum(accused), len(accused))
    return {
        "n": len(accused),
        "false_root_cause": round(share.value, 4) if accused else None,
        "interval": [round(share.low, 4), round(share.high, 4)],
    }
