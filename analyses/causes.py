"""Where failed runs broke: those that blame names the same place in, in the same way, stand together.

The key is what the leading candidate is: its agent, kind and tool, and how its action failed. Failures are compared
by `signatures`: the most frequent one stands for a cluster, and others join the first that they are alike. A step whose
action did not fail goes by the cue that speaks most for it. Nothing is drawn at random, and every key can be read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from tracer.analyses.signatures import ALIKE, alike, signature
from tracer.analyses.view import View
from tracer.fleet import Cause, Figure
from tracer.records import Candidate, Finding, Run, Step, StepKind
from tracer.stats import wilson

EXAMPLES = 5


class Key(NamedTuple):
    """What ties failed runs together, but for the words of the failure."""

    agent: str
    kind: StepKind
    tool: str | None
    failed: bool
    """Whether the blamed action failed or brought nothing."""


class Case(NamedTuple):
    """One failed run, as blame sees it."""

    run: str
    candidate: Candidate
    key: Key
    words: str
    """The failure's signature, else the leading cue."""
    inconclusive: bool

    @property
    def weight(self) -> float:
        """How much blame expects this step to be the right one."""
        return 1.0 if self.candidate.probability is None else self.candidate.probability


def case(run: Run, steps: Sequence[Step], finding: Finding) -> Case | None:
    """The leading candidate of a failed run; None where there is none."""
    if not finding.candidates:
        return None
    candidate = finding.candidates[0]
    step = steps[candidate.step]
    result = View(steps).results.get(step.index)
    failed = result is not None and result.tool_status in {"error", "empty"}
    tool = step.tool or (result.tool if failed and result else None)
    words = _failure(result) if failed and result else next(iter(candidate.cues), "")
    return Case(run.id, candidate, Key(step.agent, step.kind, tool, failed), words, finding.verdict == "inconclusive")


def _failure(result: Step) -> str:
    """The signature; what brings nothing has none that says a word."""
    told = signature(result.content)
    return told if any(map(str.isalpha, told)) else "fails" if result.tool_status == "error" else "brings nothing"


def causes(cases: Sequence[Case], failures: int, holders: Mapping[int, Set[str]] | None = None) -> list[Cause]:
    """The clusters of the cases, by impact; `holders` are the runs that have each pattern, by its rank."""
    by_key: dict[Key, list[Case]] = defaultdict(list)
    for each in cases:
        by_key[each.key].append(each)
    clusters = [cluster for held in by_key.values() for cluster in _alike(held)]
    made = [_cause(cluster, failures, holders or {}) for cluster in clusters]
    made.sort(key=lambda cause: (-cause.impact, -cause.runs, cause.agent, cause.kind, cause.tool or "", cause.sign))
    return [cause.model_copy(update={"rank": place + 1}) for place, cause in enumerate(made)]


def _alike(cases: Sequence[Case]) -> list[list[Case]]:
    """Cases of one key, by their words: the most frequent first, each with those that are like it."""
    leaders: dict[str, list[Case]] = {}
    home: dict[str, str] = {}
    for words in _wordings(cases):
        leader = next((each for each in leaders if alike(each, words) >= ALIKE), words)
        leaders.setdefault(leader, [])
        home[words] = leader
    for each in cases:
        leaders[home[each.words]].append(each)
    return list(leaders.values())


def _wordings(cases: Sequence[Case]) -> list[str]:
    """The words of the cases, the most frequent first."""
    counts = Counter(each.words for each in cases)
    return sorted(counts, key=lambda words: (-counts[words], words))


def _cause(cases: Sequence[Case], failures: int, holders: Mapping[int, Set[str]]) -> Cause:
    agent, kind, tool, _ = cases[0].key
    wordings = _wordings(cases)
    share = wilson(len(cases), failures)
    sure = sorted(cases, key=lambda each: -each.weight)
    runs = {each.run for each in cases}
    return Cause(
        rank=0,
        agent=agent,
        kind=kind,
        tool=tool,
        sign=wordings[0],
        variants=tuple(wordings[1:]),
        runs=len(cases),
        share=Figure(value=round(share.value, 4), low=round(share.low, 4), high=round(share.high, 4)),
        impact=round(sum(each.weight for each in cases) / failures, 4),
        inconclusive=sum(each.inconclusive for each in cases),
        patterns=tuple(rank for rank, held in holders.items() if 2 * len(runs & held) > len(runs)),
        examples=tuple(f"{each.run}:{each.candidate.step}" for each in sure[:EXAMPLES]),
    )
