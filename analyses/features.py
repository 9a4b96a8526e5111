"""What betrays a decisive step, measured for each candidate of a run. No agent names, no ground truth.

Each feature is one function of (features of the run, step index) to a number, and stands in FEATURES with the sign that
its weight may have: +1 makes a step more suspect, -1 less, 0 either. The words are what a person reads when it fires.
Which were tried and dropped, and why, is in docs/lab-notes.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.analyses.others import PARAGRAPHS
from tracer.analyses.view import View
from tracer.graph import pagerank_back
from tracer.records import Step
from tracer.values import values

_ASSUMES = re.compile(
    r"\b(?:assum(?:e|ed|es|ing|ption|ptions)|placeholder|hypothetical(?:ly)?|mock(?:ed|-up)?|simulat(?:e|ed|ing|ion)|"
    r"dummy|fictional|for the sake of|for demonstration|sample data|example data|let'?s say|suppose|made[- ]up)\b",
    re.IGNORECASE,
)
_FROM_MEMORY = re.compile(
    r"\b(?:manual(?:ly)?|from memory|my knowledge|general knowledge|well[- ]known|commonly known|"
    r"is known (?:to|for|that)|based on (?:the )?(?:known|available|previous|historical|provided|given) "
    r"(?:data|information|knowledge|records)|"
    r"as of my|i recall)\b",
    re.IGNORECASE,
)
_TROUBLE = frozenset({"no_progress", "loop", "stall"})
_CLAIMS = frozenset({"number", "name", "url"})
_PLACES = 12
"""A number of more decimal places is no figure that somebody rounded."""
_SCANNED = 20_000
"""Characters of a step that the word cues look at: enough for any message, and a bound for pages and files."""


class Features:
    """Facts about one run that several features share, each computed once."""

    def __init__(self, view: View) -> None:
        self.view = view

    @cached_property
    def rows(self) -> npt.NDArray[np.float64]:
        """The ranker's matrix, shape (candidates, FEATURES)."""
        return matrix(self)

    @cached_property
    def turn(self) -> dict[int, int]:
        """Each candidate's position among its own agent's candidates, from 0."""
        seen: dict[str, int] = {}
        turns: dict[int, int] = {}
        for index in self.view.candidates:
            agent = self.view.steps[index].agent
            turns[index] = seen.get(agent, 0)
            seen[agent] = turns[index] + 1
        return turns

    @cached_property
    def agents(self) -> int:
        """How many agents have candidates."""
        return len({self.view.steps[index].agent for index in self.view.candidates})

    @cached_property
    def first_code(self) -> int | None:
        """The first candidate that holds code."""
        return next((i for i in self.view.candidates if self.view.has_code(i)), None)

    @cached_property
    def first_failing(self) -> int | None:
        """The first candidate whose action failed or brought nothing."""
        return next((i for i in self.view.candidates if self.view.result_status(i) in {"error", "empty"}), None)

    @cached_property
    def pagerank(self) -> list[float]:
        """Personalised PageRank backwards from the symptom."""
        return pagerank_back(self.view.steps, self.view.origins, {self.view.symptom: 1.0})

    @cached_property
    def task_keys(self) -> set[str]:
        """Values that stand in the task."""
        return {value.key for value in values(self.view.task)}

    @cached_property
    def keys(self) -> dict[int, set[str]]:
        """The values of each step, plain words left out, and what it tells of others' steps."""
        return {step.index: _keys(step.spoken) for step in self.view.own}

    @cached_property
    def unsupported(self) -> dict[int, float]:
        """ln(1 + count) of the numbers, names and links of a step that neither the task nor any step before it holds.

        The arguments of a call count, code does not, for what a program names is no claim; a tool's result brings new
        values by right and counts 0. A paragraph that names another agent and the number of its step quotes that step.
        """
        seen, rounded, found = set(self.task_keys), _Rounded(self.task_keys), dict[int, float]()
        for step in self.view.steps:
            claimed = {key for key in _keys(_claimed(self.view.own[step.index])) if key.partition(" ")[0] in _CLAIMS}
            new = {key for key in claimed - seen if key not in rounded}
            found[step.index] = math.log1p(len(new)) if step.kind != "tool_result" else 0.0
            rounded.add(self.keys[step.index] - seen)
            seen |= self.keys[step.index]
        return found

    @cached_property
    def introduced_answer(self) -> dict[int, float]:
        """The share of the symptom's own values (not the task's) that each step was the first to write."""
        answer = self.keys[self.view.symptom] - self.task_keys
        seen, share = set[str](), dict[int, float]()
        for step in self.view.steps:
            new = (self.keys[step.index] & answer) - seen
            share[step.index] = len(new) / len(answer) if answer else 0.0
            seen |= new
        return share

    @cached_property
    def first_trouble(self) -> int | None:
        """The first ledger or notice that says: no progress, a loop, or stalled."""
        return next((step.index for step in self.view.steps if _TROUBLE & set(step.marks)), None)

    @cached_property
    def before_trouble(self) -> int | None:
        """The last acting step before the first trouble."""
        if self.first_trouble is None:
            return None
        return max((i for i in self.view.actors if i < self.first_trouble), default=None)

    def plan_strays(self, index: int) -> float:
        """Share of the task's words (5 letters or more) that a plan does not repeat; 0 for a step that is no plan."""
        step = self.view.steps[index]
        words = _words(self.view.task)
        if step.kind != "plan" or not words:
            return 0.0
        return len(words - _words(_plan_part(step.content))) / len(words)

    def claims(self, index: int) -> float:
        """Unsupported values that a message states, or a call passes on, with neither code nor a result behind them."""
        step = self.view.steps[index]
        stated = step.kind == "message" and index not in self.view.results
        passed_on = step.kind == "tool_call" and (step.tool != "code" or index not in self.view.results)
        return self.unsupported[index] if (stated or passed_on) and not self.view.has_code(index) else 0.0

    @cached_property
    def last_result(self) -> dict[int, str | None]:
        """How the last tool before each step ended; None where there was none."""
        status: str | None = None
        found: dict[int, str | None] = {}
        for step in self.view.steps:
            found[step.index] = status
            status = step.tool_status or status
        return found

    def goes_on(self, index: int) -> bool:
        """After a failed or empty result a step only talks, or acts on values that stand nowhere before."""
        step = self.view.steps[index]
        talks = step.kind == "message" and index not in self.view.results
        after_failure = self.last_result[index] in {"error", "empty"}
        return after_failure and step.kind != "plan" and (talks or self.claims(index) > 0)

    def cue(self, pattern: re.Pattern[str], index: int) -> float:
        """How often a word cue stands in the prose of a step, 3 at most.

        A paragraph that names another agent, or a step by its number, tells of what others did: who says that somebody
        assumed something assumes nothing, and who argues about guilt is not made a suspect by the words of it.
        """
        step = self.view.steps[index]
        paragraphs = PARAGRAPHS.split(_prose(step.content)[:_SCANNED])
        if not any(pattern.search(each) for each in paragraphs):  # most steps
            return 0.0
        others = self.view.others
        own = [each for each in paragraphs if not (others.numbered(each) or others.named(each, step.agent))]
        return min(3.0, float(sum(len(pattern.findall(each)) for each in own)))


def _keys(text: str) -> set[str]:
    return {value.key for value in values(text, words=False)}


class _Rounded:
    """The decimal numbers of the steps so far, to as many places as somebody asks for: 14.2 is 14.2338, rounded.

    A table may hold thousands of numbers, so each is rounded once for each number of places, never once for each pair.
    """

    def __init__(self, keys: set[str]) -> None:
        self._decimals: list[float] = []
        self._texts: dict[int, set[str]] = {}
        self._done: dict[int, int] = {}
        self.add(keys)

    def add(self, keys: set[str]) -> None:
        """Take in the decimal numbers among some values."""
        self._decimals += [float(key.partition(" ")[2]) for key in keys if key.startswith("number ") and "." in key]

    def __contains__(self, key: str) -> bool:
        kind, _, text = key.partition(" ")
        places = len(text.partition(".")[2])
        if kind != "number" or places > _PLACES:
            return False
        texts = self._texts.setdefault(places, set())
        texts.update(f"{number:.{places}f}" for number in self._decimals[self._done.get(places, 0) :])
        self._done[places] = len(self._decimals)
        return text in texts


def _claimed(step: Step) -> str:
    """What a step states in words, and what it passes to a tool that runs no code."""
    return _prose(step.content) if step.tool == "code" else _prose(step.spoken)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{5,}", text.casefold()))


def _prose(text: str) -> str:
    return re.sub(r"```.*?(?:```|\Z)", " ", text, flags=re.DOTALL)


def _plan_part(text: str) -> str:
    """What the planner wrote, without the task that it quotes before it."""
    found = re.search(r"^#+ *(?:task description|task and suggestions|plan)", text, re.IGNORECASE | re.MULTILINE)
    return text[found.start() :] if found else text


class Feature(NamedTuple):
    """One column of the matrix."""

    sign: int
    words: str
    value: Callable[[Features, int], float]


FEATURES: dict[str, Feature] = {
    # what the step is
    "plan": Feature(0, "is a plan", lambda f, i: float(f.view.steps[i].kind == "plan")),
    "plan_strays": Feature(1, "the plan leaves out much of the task", Features.plan_strays),
    "ledger": Feature(-1, "is an orchestrator's ledger", lambda f, i: float("ledger" in f.view.steps[i].marks)),
    "first_turn": Feature(1, "the agent's first turn", lambda f, i: float(f.agents > 1 and f.turn[i] == 0)),
    # code and results
    "code": Feature(1, "holds code", lambda f, i: float(f.view.has_code(i))),
    "first_code": Feature(1, "the first code of the run", lambda f, i: float(i == f.first_code)),
    "empty": Feature(1, "its action brought nothing", lambda f, i: float(f.view.result_status(i) == "empty")),
    "first_failing": Feature(
        1, "the first action that failed or brought nothing", lambda f, i: float(i == f.first_failing)
    ),
    "goes_on": Feature(1, "goes on after a failed result without mending it", lambda f, i: float(f.goes_on(i))),
    # what it claims
    "unsupported": Feature(1, "brings values that stand nowhere before", lambda f, i: f.unsupported[i]),
    "claims": Feature(1, "states values with nothing behind them", Features.claims),
    "assumes": Feature(1, "assumes something or uses made-up data", lambda f, i: f.cue(_ASSUMES, i)),
    "from_memory": Feature(1, "answers from memory or by hand", lambda f, i: f.cue(_FROM_MEMORY, i)),
    # information
    "pagerank": Feature(1, "much of what reached the symptom came through it", lambda f, i: f.pagerank[i]),
    # an orchestrator's trouble
    "before_trouble": Feature(1, "the last action before the run stalled", lambda f, i: float(i == f.before_trouble)),
    "after_trouble": Feature(
        -1, "comes after the run had stalled", lambda f, i: float(f.first_trouble is not None and i > f.first_trouble)
    ),
}
"""The ranker's features."""


def _order(features: Features, index: int) -> int:
    return features.view.candidates.index(index)


POSITION: dict[str, Feature] = {
    "first": Feature(0, "first step", lambda f, i: float(_order(f, i) == 0)),
    "second": Feature(0, "second step", lambda f, i: float(_order(f, i) == 1)),
    "third": Feature(0, "third step", lambda f, i: float(_order(f, i) == 2)),
    "late": Feature(0, "late in the run", lambda f, i: math.log1p(_order(f, i))),
    "relative": Feature(0, "near the end", lambda f, i: _order(f, i) / max(1, len(f.view.candidates) - 1)),
    "last": Feature(0, "last step", lambda f, i: float(_order(f, i) == len(f.view.candidates) - 1)),
}
"""Where a step stands and nothing else: the baseline that a ranker must beat to have learned anything about runs."""


def matrix(features: Features, columns: Mapping[str, Feature] = FEATURES) -> npt.NDArray[np.float64]:
    """The candidates' features, shape (candidates, columns); the ranker's are at hand as `Features.rows`."""
    rows = [[column.value(features, index) for column in columns.values()] for index in features.view.candidates]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(columns))
