"""`tracer bench whowhen`: every method on labelled runs, by subset, with intervals and baselines.

Protocols. `shipped`: the shipped ranker; runs of its training record are marked in-sample and left out of the score.
`cv`: the ranker is trained anew in 10 folds grouped by question, 5 seeds, all choices (strength, threshold) made inside
the training folds; the untrained methods are scored once, being the same in each fold. `transfer`: each subset is
scored by a ranker trained on the others only; runs whose question stands in the training runs are left out.

A language model's row stands beside them where one is asked. The judge looks at what a ranker proposes, so that ranker
must not know the labels either: under `cv` it is the one of the first seed's fold. The other ways of asking use none,
so every run counts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import PurePath
from typing import Any, Literal, NamedTuple

from tracer.analyses.bench_journal import BenchJournal
from tracer.analyses.bench_judge import Foretell, Judged, Ways, judge_all, summary
from tracer.analyses.bench_judge import predictions as judged_predictions
from tracer.analyses.bench_judge import rows as judged_rows
from tracer.analyses.blame import METHODS
from tracer.analyses.cases import Case, folds, prepare
from tracer.analyses.judges import RANKED
from tracer.analyses.ranker import RankerModel, shipped
from tracer.analyses.scoring import Prediction, score
from tracer.analyses.train_ranker import MIN_RUNS, group_hash, predict, predict_position, train
from tracer.errors import BadInputError
from tracer.records import Recording
from tracer.stats import bootstrap_mean

Protocol = Literal["shipped", "cv", "transfer"]
SUBSETS = ("Algorithm-Generated", "Hand-Crafted")
FOLDS, SEEDS = 10, 5
DRAWS = 50
"""Orders drawn for the uniform baseline."""
COMPARED = ("first-code", "rule-r")
Progress = Callable[[int, int], None]

TRIVIAL: dict[str, Callable[[Case], int]] = {
    "step-0": lambda case: 0,
    "step-1": lambda case: min(1, len(case.steps) - 1),
    "last-step": lambda case: len(case.steps) - 1,
}
"""Rules that look at nothing."""


def subset_of(case: Case) -> str:
    """From the path where it says so, else from the framework."""
    named = next((name for name in SUBSETS if name in PurePath(case.run.source).as_posix()), None)
    return named or {"ag2": SUBSETS[0], "magentic-one": SUBSETS[1]}.get(case.run.framework or "", "Other")


def bench(
    recordings: Iterable[Recording],
    protocol: Protocol = "shipped",
    second_labels: str | None = None,
    progress: Progress | None = None,
    judging: Judging | None = None,
) -> dict[str, Any]:
    """The whole benchmark; the shape is published as the schema `bench-whowhen`."""
    labelled = {recording.run.id: recording for recording in recordings if recording.run.labels}  # each run once
    cases = [prepare(recording) for recording in labelled.values()]
    if not cases:
        raise BadInputError("no labelled run here; give a folder of Who&When files")
    if judging is not None:  # first, for what cannot be asked should not cost a cross-validation
        models = models_for(cases, protocol, judging.ways.method)
    predictions = _PROTOCOLS[protocol](cases, progress)
    result: dict[str, Any] = {"schema": "urn:blametrace:schema:bench-whowhen:1", "protocol": protocol, "subsets": {}}
    judged: list[Judged] = []
    if judging is not None:
        asked = [case for case in cases if case.run.id in models]
        judged = judge_all(asked, models, *judging)
        predictions |= judged_predictions(judged, judging.ways)
    for name in sorted({subset_of(case) for case in cases}):
        members = [case for case in cases if subset_of(case) == name]
        result["subsets"][name] = _subset(members, predictions, protocol)
        if judging is not None:
            result["subsets"][name] |= _lm(members, predictions, judged, judging.ways)
    if judging is not None:
        result["lm"] = {**summary(judged, judging.ways), "rows": judged_rows(judged)}
    if second_labels is not None:
        result["second_labels"] = _second(cases, predictions, second_labels)
    return result


Rows = dict[str, list[Prediction]]


class Judging(NamedTuple):
    """A language model to be asked about every case."""

    ways: Ways
    journal: BenchJournal
    progress: Progress | None = None
    foretell: Foretell | None = None


def models_for(cases: Sequence[Case], protocol: Protocol, method: str) -> dict[str, RankerModel]:
    """For each run that may be judged, a ranker that has not seen its label; any, where none is looked at."""
    if method not in RANKED:
        return {case.run.id: shipped() for case in cases}
    if protocol == "shipped":
        found = {case.run.id: shipped() for case in cases if not in_sample(case)}
        if not found:
            raise BadInputError(
                "every run here was used to train the shipped ranker, which proposes what the judge compares: "
                "`--protocol cv` trains one anew for each fold"
            )
        return found
    if protocol == "transfer":
        return _transferred(cases)
    parts = folds(cases, FOLDS, seed=0)
    _require_enough(cases, [parts])
    found = {}
    for held in parts:
        model = train([case for i, case in enumerate(cases) if i not in set(held)]).model
        found |= {cases[i].run.id: model for i in held}
    return found


def _transferred(cases: Sequence[Case]) -> dict[str, RankerModel]:
    """A ranker trained on the other subsets, for every run whose question is not among theirs."""
    found: dict[str, RankerModel] = {}
    for name in sorted({subset_of(case) for case in cases}):
        others = [case for case in cases if subset_of(case) != name]
        if len(others) < MIN_RUNS:
            raise BadInputError(
                f"{len(others)} labelled runs that are not {name} are too few to train on; give at least {MIN_RUNS}"
            )
        asked, model = {case.group for case in others}, train(others).model
        found |= {case.run.id: model for case in cases if subset_of(case) == name and case.group not in asked}
    return found


def _lm(members: Sequence[Case], predictions: Rows, judged: Sequence[Judged], ways: Ways) -> dict[str, Any]:
    """What asking took on a subset, and the model's row against the short rules and the ranker, paired."""
    names = {case.run.id for case in members}
    here = [each for each in judged if each.case.run.id in names]
    ours = [p for p in predictions[ways.label] if p.case.run.id in names]
    rivals = {name: {p.case.run.id for p in predictions[name]} for name in (*COMPARED, "ranker")}
    compared = {
        name: _difference(ours, predictions[name])
        for name, runs in rivals.items()
        if ours and runs >= {p.case.run.id for p in ours}
    }
    return {"lm": summary(here, ways), "lm_minus": compared}


def _untrained(cases: Sequence[Case]) -> Rows:
    rows: Rows = {name: [] for name in METHODS if name != "ranker"}
    for case in cases:
        for name in rows:
            ranking = METHODS[name](case.features)
            rows[name].append(Prediction(case, ranking.order))
    for name, rule in TRIVIAL.items():
        rows[name] = [
            Prediction(case, (rule(case), *(i for i in range(len(case.steps)) if i != rule(case)))) for case in cases
        ]
    return rows


def _ranked(case: Case, probability: dict[int, float], threshold: float = 0.0) -> Prediction:
    order = tuple(sorted(case.features.view.candidates, key=lambda i: (-probability[i], i)))
    return Prediction(case, order, probability, claims=probability[order[0]] >= threshold)


def _uniform(case: Case, seed: int) -> Prediction:
    """Every step alike, in an order drawn by lot."""
    steps = range(len(case.steps))
    order = random.Random(f"{seed} {case.run.id}").sample(steps, len(steps))
    return Prediction(case, tuple(order), dict.fromkeys(steps, 1 / len(steps)))


def _shipped(cases: Sequence[Case], _: Progress | None) -> Rows:
    model = shipped()
    fresh = [case for case in cases if not in_sample(case)]
    return {"ranker": [_ranked(case, predict(case, model), model.threshold) for case in fresh], **_untrained(fresh)}


def _cv(cases: Sequence[Case], progress: Progress | None) -> Rows:
    rows: Rows = {"ranker": [], "position-only": []}
    divided = [folds(cases, FOLDS, seed) for seed in range(SEEDS)]
    _require_enough(cases, divided)
    for seed, parts in enumerate(divided):
        for k, held in enumerate(parts):
            others = [case for i, case in enumerate(cases) if i not in set(held)]
            model: RankerModel = train(others).model
            # each subset has its own cadence, so the position baseline may know it, too: it gets the better chance
            for i in held:
                rows["ranker"].append(_ranked(cases[i], predict(cases[i], model), model.threshold))
                alike = [case for case in others if subset_of(case) == subset_of(cases[i])]
                rows["position-only"].append(_ranked(cases[i], predict_position(alike or others, cases[i])))
            if progress:
                progress(seed * FOLDS + k + 1, SEEDS * FOLDS)
    uniform = [_uniform(case, seed) for seed in range(DRAWS) for case in cases]
    return {**rows, "uniform": uniform, **_untrained(cases)}


def _require_enough(cases: Sequence[Case], divided: Sequence[Sequence[Sequence[int]]]) -> None:
    if len(cases) - max(len(held) for parts in divided for held in parts) < MIN_RUNS:
        raise BadInputError(
            f"{len(cases)} labelled runs are too few to cross-validate: {MIN_RUNS} must be left to train on when the "
            "runs of some questions are held out; `--protocol shipped` scores any number"
        )


def _transfer(cases: Sequence[Case], _: Progress | None) -> Rows:
    models = _transferred(cases)
    fresh = [case for case in cases if case.run.id in models]
    ranked = [_ranked(case, predict(case, model), model.threshold) for case in fresh if (model := models[case.run.id])]
    return {"ranker": ranked, **_untrained(fresh)}


_PROTOCOLS: dict[Protocol, Callable[[Sequence[Case], Progress | None], Rows]] = {
    "shipped": _shipped,
    "cv": _cv,
    "transfer": _transfer,
}


def in_sample(case: Case) -> bool:
    """True when the run, or another run of its question, was used to train the shipped ranker."""
    record = json.loads(files("tracer.analyses").joinpath("ranker.training.json").read_bytes())
    return case.run.content_hash in record["content_hashes"] or group_hash(case) in record["groups"]


def _subset(members: Sequence[Case], predictions: Rows, protocol: Protocol) -> dict[str, Any]:
    names = {case.run.id for case in members}
    rows = {name: [p for p in found if p.case.run.id in names] for name, found in predictions.items()}
    scored = {p.case.run.id for p in rows["ranker"]}
    result: dict[str, Any] = {
        "n": len(scored),
        "in_sample": len(members) - len(scored),
        "label_defects": [defect for case in members for defect in label_defects(case)],
        "methods": {name: score(found) for name, found in rows.items() if found},
    }
    if scored:
        result["ranker_minus"] = {name: _difference(rows["ranker"], rows[name]) for name in COMPARED}
    return result


class Defect(NamedTuple):
    """A label that cannot be right as it stands."""

    source: str
    step: int
    defect: str


def label_defects(case: Case) -> list[dict[str, Any]]:
    """Label past the end; labelled agent is not the speaker; the step is an executor's."""
    label, found = case.label, []
    if label.step >= len(case.steps):
        found.append("past the end of the log")
    else:
        speaker = case.steps[label.step].agent
        if speaker.casefold() != label.agent.casefold():
            found.append(f"names {label.agent}, but {speaker} speaks at that step")
        if speaker in case.features.view.executors:
            found.append("points at an executor's output")
    return [Defect(PurePath(case.run.source).name, label.step, text)._asdict() for text in found]


def _difference(ours: Sequence[Prediction], theirs: Sequence[Prediction]) -> dict[str, Any]:
    """Paired bootstrap over questions of ours minus theirs: exact step, agent, top 3."""
    other = {p.case.run.id: p for p in theirs}
    pairs = [(p, other[p.case.run.id]) for p in ours]
    groups = [p.case.group for p in ours]
    measures: dict[str, Callable[[Prediction], bool]] = {
        "step": lambda p: p.step_right,
        "agent": lambda p: p.agent_right,
        "top3": lambda p: p.rank <= 3,
    }
    return {
        name: list(bootstrap_mean([float(right(a)) - float(right(b)) for a, b in pairs], groups)[:3])
        for name, right in measures.items()
    }


def _second(cases: Sequence[Case], predictions: Rows, text: str) -> dict[str, Any]:
    """A second team's labels (AgentRx: steps from 1, several failures and one root cause for a run).

    Agreement of the teams, and how often each method points at a step that either team called a failure.
    """
    try:
        second = {item["whowhen_file"]: item for item in json.loads(text)}
        roots = {name: _root(item) for name, item in second.items()}
        failures = {name: _failures(item) for name, item in second.items()}
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise BadInputError("second labels: expected a JSON array of {whowhen_file, failures, root_cause}") from error
    both = [case for case in cases if subset_of(case) == "Hand-Crafted" and PurePath(case.run.source).name in second]
    if not both:
        raise BadInputError("second labels: none of their files is among the hand-crafted runs here")
    pairs = [(case, *roots[PurePath(case.run.source).name]) for case in both]
    anyone = {case.run.id: {case.label.step, *failures[PurePath(case.run.source).name]} for case in both}
    return {
        "n": len(both),
        "step_agreement": sum(case.label.step == step for case, step, _ in pairs) / len(both),
        "agent_agreement": sum(case.label.agent.casefold() == agent.casefold() for case, _, agent in pairs) / len(both),
        "points_at_a_failure": {
            name: sum(p.step in anyone[p.case.run.id] for p in hits) / len(hits)
            for name, found in predictions.items()
            if (hits := [p for p in found if p.case.run.id in anyone])
        },
    }


def _root(item: dict[str, Any]) -> tuple[int, str]:
    """Step from 0, and agent, of the root cause."""
    failure = next(f for f in item["failures"] if f["failure_id"] == item["root_cause"]["failure_id"])
    return int(failure["step_number"]) - 1, str(failure["failed_agent"])


def _failures(item: dict[str, Any]) -> set[int]:
    return {int(failure["step_number"]) - 1 for failure in item["failures"]}
