"""Ours and published ways to cite, on the same questions in one run: what they cost, how faithful, how alike.

A call is one of the model's decoder, a row a sequence in it, tokens all that it is given, padding included; passes are
tokens over those of the text, so one is a plain pass over it, however it is cut into calls. Time is processor time of
one thread, for everything that gives the scores (ours: the intervals, too). Published code is given its quickest way:
ContextCite one row at a time and eight, Captum one call for each prompt. Faithfulness is of whole steps, by
`tracer.analyses.faithfulness`. Intervals draw runs again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.bench_cite import cases
from tracer.analyses.citing import context_cite, leave_one_out
from tracer.analyses.faithfulness import faithfulness
from tracer.analyses.reading import Reading, heard
from tracer.analyses.statement import Hearing, statement
from tracer.lm import load
from tracer.lm.local import LocalLM
from tracer.records import Step
from tracer.stats import Estimate, bootstrap_mean, spearman

SEED = 57
QUESTIONS = 40
LEAST = 4
"""Sources of a question: a rank correlation over fewer says nothing."""
STEPS = 40
"""Of the long text."""
FIGURES = ("drop", "lds", "deletion", "insertion")
Array = npt.NDArray[np.float64]
Citer = Callable[[Reading], Array]


class Cost:
    """What a model is given to read while this lasts."""

    def __init__(self, model: Any) -> None:
        self.decoder, self.text = model.get_decoder(), 1
        self.calls = self.rows = self.tokens = 0
        self.passes = 0.0
        self.seconds = 0.0

    def of(self, text: int) -> Self:
        """For a text of so many tokens."""
        self.text = text
        return self

    def __enter__(self) -> Self:
        self._handle = self.decoder.register_forward_pre_hook(self._count, with_kwargs=True)
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._start
        self._handle.remove()

    def _count(self, _: Any, args: Any, given: dict[str, Any]) -> None:
        ids = given["input_ids"]
        self.calls, self.rows, self.tokens = self.calls + 1, self.rows + len(ids), self.tokens + ids.numel()
        self.passes += ids.numel() / self.text


class Asked(NamedTuple):
    """The questions of one run of the bench, answered by every citer."""

    costs: dict[str, Cost]
    scores: dict[str, list[Array]]
    """Of each question, (sources,)."""
    figures: dict[str, dict[str, list[float]]]
    """Citer -> figure -> of each question; NaN where there is none."""


def ours(score: Any) -> Citer:
    """Of all of the step's own words."""
    return lambda reading: np.asarray(
        score(reading, [np.ones(len(reading.text.ids) - reading.text.told, dtype=np.bool_)]).scores[0]
    )


def citers(published: Any, orders: int) -> dict[str, Citer]:
    """By name; Captum's Shapley values from so many random orders of the sources."""
    return {
        "leave-one-out": ours(leave_one_out),
        "Captum, ablation": published.ablation,
        "context-cite": ours(context_cite),
        "published": lambda reading: np.asarray(published.weights(published.context_cite(reading))),
        "published, 8 rows": lambda reading: np.asarray(published.weights(published.context_cite(reading, 8))),
        f"Captum, Shapley x {orders}": lambda reading: np.asarray(published.shapley(reading, orders)),
    }


def questions() -> Iterator[Reading]:
    """A step with LEAST sources or more of each run of the agent world that has one."""
    lm = load()
    for case in islice(cases(SEED), 4 * QUESTIONS):
        for step in (step for step in case.sources if case.steps[step].kind != "tool_result"):
            reading = Reading(lm, statement(case.steps, step, heard(lm, case.steps, step)))
            if reading.count >= LEAST:
                yield reading
                break


def ask(readings: Sequence[Reading], asked: dict[str, Citer], check: bool = True) -> Asked:
    """All questions by every citer, in turn; on the first one each is warmed up."""
    costs = {name: Cost(readings[0].lm.model) for name in asked}
    found = Asked(costs, {name: [] for name in asked}, {name: {each: [] for each in FIGURES} for name in asked})
    for citer in asked.values():
        citer(readings[0])
    for reading in readings:
        words = np.ones(len(reading.text.ids) - reading.text.told, dtype=np.bool_)
        for name, citer in asked.items():
            with costs[name].of(len(reading.text.ids)):
                scores = citer(reading)
            found.scores[name].append(scores)
            checked = faithfulness(reading, words, scores) if check else None
            for figure in FIGURES:
                value = getattr(checked, figure, None)
                found.figures[name][figure].append(np.nan if value is None else value)
    return found


def mean(values: Sequence[float]) -> Estimate:
    """Over the questions that have a value; each is of another run."""
    known = [value for value in values if not np.isnan(value)]
    return bootstrap_mean(known, range(len(known)))


def agreement(one: Sequence[Array], two: Sequence[Array]) -> Estimate:
    """The mean rank correlation of two citers' scores."""
    return mean([spearman(a.tolist(), b.tolist()).value for a, b in zip(one, two, strict=True)])


def shown(found: Estimate, digits: int = 3) -> str:
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def table(found: Asked) -> Iterator[str]:
    """A line for each citer."""
    yield f"{'':>28}{'calls':>8}{'rows':>8}{'tokens':>10}{'passes':>9}{'seconds':>9}  " + "".join(
        f"{f:<24}" for f in FIGURES
    )
    for name, cost in found.costs.items():
        figures = [mean(found.figures[name][figure]) for figure in FIGURES]
        told = "".join(f"{shown(each):<24}" for each in figures if each.n)
        yield f"{name:>28}{cost.calls:>8}{cost.rows:>8}{cost.tokens:>10}{cost.passes:>9.1f}{cost.seconds:>9.2f}  {told}"


def differences(found: Asked, one: str, two: str) -> str:
    """What `one` has more of each figure than `two`."""
    pairs = {each: zip(found.figures[one][each], found.figures[two][each], strict=True) for each in FIGURES}
    return f"{one} less {two}: " + ", ".join(
        f"{each} {shown(mean([a - b for a, b in pair]))}" for each, pair in pairs.items()
    )


def keep(benchmark: BenchmarkFixture, found: Asked, lines: Sequence[str]) -> None:
    """Print the lines, and put the costs into the benchmark's file."""
    print("", *table(found), *lines, sep="\n")
    benchmark.extra_info.update(
        {name: [cost.calls, cost.rows, cost.tokens, cost.passes, cost.seconds] for name, cost in found.costs.items()}
    )
    benchmark.pedantic(lambda: None)  # type: ignore[no-untyped-call]


def no_less_faithful(found: Asked, one: str, two: str) -> bool:
    """Whether in none of the figures `one` is worse than `two` beyond the interval of their difference."""
    for figure in FIGURES:
        pairs = zip(found.figures[one][figure], found.figures[two][figure], strict=True)
        better = mean([(a - b) * (-1 if figure == "deletion" else 1) for a, b in pairs])
        if better.high < 0:
            return False
    return True


def cheaper(found: Asked, one: str, *others: str) -> bool:
    """Fewer passes and less time than each of the others."""
    mine = found.costs[one]
    return all(
        mine.passes < each.passes and mine.seconds < each.seconds for each in map(found.costs.__getitem__, others)
    )


def test_citers_on_runs_of_the_agent_world(published: Any, benchmark: BenchmarkFixture) -> None:
    """The shipped model, QUESTIONS questions: the same scores as the published code for less, and no less faithful."""
    readings = [reading for reading, _ in zip(questions(), range(QUESTIONS), strict=False)]
    assert len(readings) >= 30
    found = ask(readings, citers(published, 25))
    scores, shapley = found.scores, "Captum, Shapley x 25"
    pairs = [("leave-one-out", "Captum, ablation"), ("context-cite", "published"), ("leave-one-out", shapley)]
    pairs += [("context-cite", shapley), ("leave-one-out", "context-cite")]
    ranks = {pair: agreement(scores[pair[0]], scores[pair[1]]) for pair in pairs}
    count = f"{len(readings)} questions, {sum(reading.count for reading in readings)} sources"
    lines = [count, *(f"{a} and {b}: rank {shown(each)}" for (a, b), each in ranks.items())]
    keep(benchmark, found, [*lines, *(differences(found, *pair) for pair in pairs)])
    for one, two in zip(scores["leave-one-out"], scores["Captum, ablation"], strict=True):
        np.testing.assert_allclose(one, two, atol=2e-4)
    for one, two in zip(scores["context-cite"], scores["published"], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4 * max(1.0, np.abs(two).max()))
    assert no_less_faithful(found, "context-cite", "published")
    assert no_less_faithful(found, "leave-one-out", "Captum, ablation")
    assert cheaper(found, "context-cite", "published", "published, 8 rows")
    assert cheaper(found, "leave-one-out", "Captum, ablation")


def test_citers_on_a_long_text(published: Any, tiny_lm: Callable[..., LocalLM], benchmark: BenchmarkFixture) -> None:
    """A random Llama of which the head is a quarter, as in small open models: the same scores, for less."""
    shape: dict[str, Any] = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4, "head_dim": 64}
    lm = tiny_lm("llama", "bytes", **shape, vocab_size=4096, max_position_embeddings=8192, initializer_range=0.05)
    steps = [
        Step(index=k, agent=f"Agent{k % 7}", kind="message", content=f"Step {k} found {k * k} bikes.")
        for k in range(STEPS)
    ]
    reading = Reading(lm, statement(steps, STEPS - 1, Hearing(public=True, own=True)))
    found = ask([reading], citers(published, 1), check=False)
    keep(benchmark, found, [f"{reading.count} sources, {len(reading.text.ids)} tokens"])
    scores = {name: of[0] for name, of in found.scores.items()}
    np.testing.assert_allclose(scores["leave-one-out"], scores["Captum, ablation"], atol=1e-3)
    np.testing.assert_allclose(scores["context-cite"], scores["published"], atol=1e-2)
    assert cheaper(found, "context-cite", "published", "published, 8 rows")
    assert cheaper(found, "leave-one-out", "Captum, ablation")
