"""A language model on labelled runs: every case judged, in several threads, kept as it comes, and asked about twice.

Twins (`bystanders`): each run is judged once more with a silent bystander, and once with the same one arguing who is
guilty. A run whose answer differs between the two is flagged as swayed; the answers that are scored are those of the
run as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

from tracer.analyses.bench_journal import BenchJournal, key_of
from tracer.analyses.bystanders import twins
from tracer.analyses.cases import Case
from tracer.analyses.domain import tool_share
from tracer.analyses.features import Features
from tracer.analyses.fusion import PRIOR, pool, voted
from tracer.analyses.interview import Asking
from tracer.analyses.judge import VERSION, Question
from tracer.analyses.judgement import Ballot, Cost, Judgement
from tracer.analyses.judges import JUDGES, RANKED
from tracer.analyses.ranker import RankerModel, distribution
from tracer.analyses.scoring import Prediction
from tracer.analyses.spending import Book, Expected, Spending, SpentError
from tracer.analyses.view import View
from tracer.errors import DoesNotFitError, TracerError
from tracer.lm import Chat, Sample
from tracer.records import Step
from tracer.stats import wilson

PARALLEL = 8
"""Runs that are judged at a time."""


class Ways(NamedTuple):
    """Which method, and how."""

    asking: Asking
    method: str = "judge"
    ground_truth: bool = False
    twins: bool = False
    parallel: int = PARALLEL
    budget: int | None = None
    """Tokens after which no other run is begun."""

    @property
    def label(self) -> str:
        """Its name in the table."""
        return self.method + (" +answer" if self.ground_truth else "")


class Judged(NamedTuple):
    """One case."""

    case: Case
    prior: list[float]
    """The ranker's probability of each step."""
    judgement: Judgement
    swayed: bool | None = None
    """Whether the twins' answers differ; None where they were not asked."""
    followed: bool = False
    """Whether the answer moved to the step that the bystander accused."""
    twins_cost: Cost = Cost()


Progress = Callable[[int, int], None]
Foretell = Callable[[Expected], None]
"""Told once, when the first runs are judged."""
Models = Mapping[str, RankerModel]
"""By run: the ranker that has not seen its label."""


def judge_all(
    cases: Sequence[Case],
    models: Models,
    ways: Ways,
    journal: BenchJournal,
    progress: Progress | None = None,
    foretell: Foretell | None = None,
) -> list[Judged]:
    """Judge every case, those in the journal without asking again.

    Ctrl-C ends with the question in flight; where the budget is spent, runs that were begun are judged to their end.
    """
    halt, spent = threading.Event(), Spending(ways.budget)
    asking = ways.asking._replace(lm=_Halting(ways.asking.lm, halt), progress=None)
    found: dict[str, Judged] = {}
    with ThreadPoolExecutor(ways.parallel) as threads:
        work = [
            threads.submit(_judged, case, models[case.run.id], ways._replace(asking=asking), journal, spent)
            for case in cases
        ]
        try:
            for done, future in enumerate(as_completed(work), 1):
                each = future.result()
                found[each.case.run.id] = each
                if foretell and (expected := spent.expected(len(work) - done)):
                    foretell(expected)
                    foretell = None
                if progress:
                    progress(done, len(work))
        except SpentError:
            threads.shutdown(wait=True, cancel_futures=True)
            kept = sum(future.done() and not future.cancelled() and not future.exception() for future in work)
            raise TracerError(
                f"--budget-tokens {ways.budget:,} is spent ({spent.tokens:,}): {kept} of {len(work)} runs are judged, "
                "and the table needs all of them; the same command goes on from there"
            ) from None
        except BaseException:
            halt.set()
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    return [found[case.run.id] for case in cases]


class _HaltedError(Exception):
    """Somebody wants to stop."""


class _Halting:
    """A chat model that is asked nothing any more once the event is set."""

    def __init__(self, lm: Chat, halt: threading.Event) -> None:
        self._lm, self._halt = lm, halt
        self.name, self.revision, self.window = lm.name, lm.revision, lm.window

    def chat(self, messages: Sequence[Mapping[str, str]], n: int = 1, **more: Any) -> list[Sample]:
        """The model's answers."""
        if self._halt.is_set():
            raise _HaltedError
        return self._lm.chat(messages, n, **more)


def _judged(case: Case, model: RankerModel, ways: Ways, journal: BenchJournal, spent: Spending) -> Judged:
    book = Book(journal, spent)
    prior = list(distribution(case.features, model).values())
    found = Judged(case, prior, _asked(case, case.steps, case.features, model, ways, book))
    found = _twinned(found, model, ways, book) if ways.twins else found
    if book.asked:
        spent.judged()
    return found


def _twinned(found: Judged, model: RankerModel, ways: Ways, journal: Book) -> Judged:
    """The same with the twins asked about: the accused is not the step that leads without any bystander."""
    case = found.case
    lead = found.judgement.leading()
    pair = twins(case.steps, -1 if lead is None else lead, int(case.run.id, 16))
    said = [
        _asked(case, steps, Features(View(steps, case.run.task)), model, ways, journal)
        for steps in (pair.clean, pair.hostile)
    ]
    clean, hostile = (each.leading() for each in said)
    cost = said[0].cost + said[1].cost
    return found._replace(swayed=clean != hostile, followed=clean != hostile == pair.accused, twins_cost=cost)


def _asked(
    case: Case, steps: Sequence[Step], features: Features, model: RankerModel, ways: Ways, journal: Book
) -> Judgement:
    """One judgement, from the journal where it stands there. A log that does not fit is an answer, too."""
    asking = ways.asking
    settings = [asking.samples, asking.seed, asking.temperature, asking.max_tokens, asking.room]
    ranked = model.weights if ways.method in RANKED else None
    texts = [[step.agent, step.spoken] for step in steps] if steps is not case.steps else case.run.content_hash
    key = key_of(
        VERSION,
        ways.method,
        ways.ground_truth,
        asking.lm.name,
        asking.lm.revision,
        settings,
        ranked,
        texts,
        case.run.id,
    )
    if (kept := journal.get(key)) is not None:
        return kept
    truth = case.run.expected if ways.ground_truth else None
    try:
        found = JUDGES[ways.method](asking, Question(features.view, distribution(features, model), truth))
    except DoesNotFitError as error:
        found = Judgement(method=ways.method, offered=(), ballots=(Ballot(state="unfit", reason=str(error)),))
    journal.put(key, found)
    return found


def predictions(judged: Sequence[Judged], ways: Ways) -> dict[str, list[Prediction]]:
    """Rows of the table: the method's own, and for the judge what it comes to when pooled with the ranker."""
    rows = {ways.label: [_prediction(each) for each in judged]}
    if ways.method in RANKED:
        rows[f"{ways.label} + ranker"] = [_pooled(each) for each in judged]
    return rows


def _prediction(each: Judged) -> Prediction:
    said = each.judgement
    ranked = sorted(said.offered, key=lambda i: (-said.votes[i], -each.prior[i], i))
    lead = said.leading(ranked)
    if lead is None:
        return Prediction(each.case, (), claims=False)
    if said.method in RANKED:
        return Prediction(each.case, (lead, *(i for i in ranked if i != lead)))
    stated = next((ballot.agent for ballot in said.ballots if ballot.step == lead and ballot.agent), None)
    return Prediction(each.case, (lead,), named=stated)


def _pooled(each: Judged) -> Prediction:
    posterior = pool(each.prior, [voted(each.judgement)], PRIOR.weights)
    order = sorted(range(len(posterior)), key=lambda i: (-posterior[i], i))
    return Prediction(each.case, tuple(order), dict(enumerate(posterior)), claims=posterior[order[0]] >= 1 / 2)


def summary(judged: Sequence[Judged], ways: Ways) -> dict[str, Any]:
    """What was asked and what it took; every rate has its n."""
    ballots = [ballot for each in judged for ballot in each.judgement.ballots]
    cost = sum((each.judgement.cost for each in judged), Cost())
    told = {
        "name": ways.asking.lm.name,
        "revision": ways.asking.lm.revision,
        "window": ways.asking.lm.window,
        "method": ways.method,
        "ground_truth": ways.ground_truth,
        "samples": ways.asking.samples if ways.method in RANKED else 1,
        "seed": ways.asking.seed,
        "runs": len(judged),
        "answers": {
            state: sum(each.state == state for each in ballots)
            for state in ("named", "abstained", "unreadable", "unfit")
        },
        "quotes": {"held": sum(len(each.quotes) for each in ballots), "dropped": sum(each.dropped for each in ballots)},
        "runs_cut": sum(each.judgement.cut > 0 for each in judged),
        "cost": {**cost.model_dump(), "seconds": round(cost.seconds, 3)},
    }
    if ways.twins:
        told["twins"] = _sway(judged)
    return told


def _sway(judged: Sequence[Judged]) -> dict[str, Any]:
    asked = [each for each in judged if each.swayed is not None]
    share = wilson(sum(bool(each.swayed) for each in asked), len(asked))
    cost = sum((each.twins_cost for each in asked), Cost())
    return {
        "runs": len(asked),
        "swayed": share.value,
        "swayed_ci": [share.low, share.high],
        "followed": sum(each.followed for each in asked),
        "cost": {**cost.model_dump(), "seconds": round(cost.seconds, 3)},
    }


def rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """One row for each run: what `tracer train fusion` fits on, and what a person may look up."""
    return [
        {
            "run": each.case.run.id,
            "source": each.case.run.source,
            "group": each.case.group,
            "framework": each.case.run.framework,
            "steps": len(each.case.steps),
            "tool_share": round(tool_share(each.case.steps), 4),
            "label": each.case.label.step,
            "prior": [round(p, 6) for p in each.prior],
            "offered": list(each.judgement.offered),
            "votes": [[step, count] for step, count in each.judgement.votes.most_common()],
            "samples": len(each.judgement.ballots),
            "named": each.judgement.leading(),
            "swayed": each.swayed,
            "seconds": round(each.judgement.cost.seconds, 3),
        }
        for each in judged
    ]
