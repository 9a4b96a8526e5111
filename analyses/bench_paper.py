"""Audit the published figures of Thought Anchors (arXiv 2506.19143) with the formulas of `paper`.

What the published files allow is computed again: resampling importance from the stored accuracies, overdeterminedness
and the fraction of different trajectories from the stored replacements, the sentences from the stored chain of
thought. A figure that comes out otherwise is reproduced by a rule of RULES or counted as unexplained. The other
figures need answers and whole rollouts, which are not stored; `implications` holds three of them against what the
stored ones imply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

from tracer.analyses.implications import ACCURACY, FRACTION, IMPLIED, OVERDETERMINED, RESAMPLING, rollouts
from tracer.analyses.paper import THRESHOLD
from tracer.analyses.published import Sentence, Trace, traces
from tracer.analyses.similarity import Encoder, encoder
from tracer.sentences import chunks

EXACT = 1e-9
CLOSE = 0.02
"""For what depends on an encoder."""
SHIFTS = (1, -1, 2, -2, 3, -3)
Count = Callable[[int, int], int]
"""(sentence, sentence) -> how many replacements listed for the second count, beside the text of the first."""

RULES = {
    "last": "no rollouts start after the last sentence, so that every figure but its accuracy is stored as 0",
    "hole": "the sentence or the next one has no rollouts: stored as 0",
    "dropped": "the sentence after it, by its first number, was dropped: stored as 0",
    "absolute": "stored without its sign",
    "unanswered": "the figure leaves out rollouts without an answer, whose sentences are in the stored list",
    "incomplete": "the figure counts more rollouts than the stored list holds",
    "shifted": "computed for a neighbour: a sentence was dropped, and figures and lists are numbered differently",
    "elsewhere": "its text is not in the stored chain of thought",
}
"""Why a stored figure may differ from the formula: each gives the stored value (`unanswered` and `incomplete`, one of
the values possible, for it is not stored which rollouts they are)."""


class Finding(NamedTuple):
    """One stored figure, computed again."""

    trace: str
    sentence: int
    """Its place among the labels."""
    stored: float | str
    computed: float | str
    deviation: float
    """Absolute; 1 for another text."""
    rule: str | None = None
    """A key of RULES; None where it is reproduced, or unexplained."""
    detail: str = ""


def audit(folder: Path, by: Encoder | None = None) -> dict[str, Any]:
    """Every figure that can be checked, over all problem folders in and below a folder.

    `fields`: for each figure n, how many are `reproduced` within `tolerance` (`exact`: to 1e-9), how many others are
    `explained` by which rule and how many `unexplained`, the largest deviations, and all deviations one by one.
    `consistent`: for each figure n and how many agree with what other stored figures imply. `lists`: how many
    rollouts the stored replacements and the figures count. Raises BadInputError for a damaged or foreign folder.
    """
    found, by = traces(folder), by or encoder()
    checks: dict[str, tuple[float, Callable[[Trace], Iterator[Finding]]]] = {
        RESAMPLING: (EXACT, _resampling),
        OVERDETERMINED: (EXACT, _overdeterminedness),
        FRACTION: (CLOSE, lambda trace: _fraction(trace, by)),
        "chunk": (EXACT, _chunks),
    }
    return {
        "traces": len(found),
        "sentences": sum(len(trace.sentences) for trace in found),
        "encoder": by.name,
        "fields": {
            name: _summary([each for trace in found for each in check(trace)], tolerance)
            for name, (tolerance, check) in checks.items()
        },
        "consistent": {name: _tally(found, holds) for name, holds in IMPLIED.items()},
        "lists": _lists(found),
        "rules": RULES,
    }


def _summary(findings: Sequence[Finding], tolerance: float) -> dict[str, Any]:
    beyond = [each for each in findings if each.deviation > tolerance]
    unexplained = [each for each in beyond if each.rule is None]
    return {
        "n": len(findings),
        "tolerance": tolerance,
        "exact": sum(each.deviation <= EXACT for each in findings),
        "reproduced": len(findings) - len(beyond),
        "explained": dict(Counter(each.rule for each in beyond if each.rule)),
        "unexplained": len(unexplained),
        "largest_deviation": max((each.deviation for each in findings), default=0.0),
        "largest_unexplained": max((each.deviation for each in unexplained), default=0.0),
        "deviations": [each._asdict() for each in findings if each.deviation > EXACT],
    }


def _tally(found: Sequence[Trace], holds: Callable[[Trace], Iterator[bool]]) -> dict[str, int]:
    cases = [each for trace in found for each in holds(trace)]
    return {"n": len(cases), "consistent": sum(cases)}


def _lists(found: Sequence[Trace]) -> dict[str, Any]:
    """How long the stored lists are, and how many rollouts the figures beside them count."""
    rows = [row for trace in found for row in trace.sentences if row.replacements is not None]
    lengths = Counter(len(row.replacements or ()) for row in rows)
    counted = [(len(row.replacements or ()), next(iter(rollouts(row)), 0)) for row in rows]
    return {
        "n": len(rows),
        "lengths": {str(length): lengths[length] for length in sorted(lengths)},
        "counts_fewer": sum(0 < n < length for length, n in counted),
        "counts_more": sum(n > length for length, n in counted),
        "no_count_fits": sum(n == 0 for _, n in counted),
    }


def _resampling(trace: Trace) -> Iterator[Finding]:
    """acc(R_{i+1}) - acc(R_i), of the stored accuracies."""
    rows = trace.sentences
    for i, row in enumerate(rows):
        stored, here = row.figures.get(RESAMPLING), row.figures.get(ACCURACY)
        after = rows[i + 1].figures.get(ACCURACY) if i + 1 < len(rows) else here
        if stored is None or here is None or after is None:
            continue
        computed = after - here  # 0 for the last sentence, as the released code has it
        rule = _edge(rows, i, stored)
        if rule is None and stored == abs(computed):
            rule = "absolute"
        yield Finding(trace.name, i, stored, computed, abs(stored - computed), rule)


def _edge(rows: Sequence[Sentence], i: int, stored: float) -> str | None:
    """Whether the figure is 0 because there are no rollouts on one side."""
    if stored != 0:
        return None
    if i + 1 == len(rows):
        return "last"
    if rows[i + 1].number != rows[i].number + 1:
        return "dropped"
    return "hole" if () in (rows[i].replacements, rows[i + 1].replacements) else None


def _overdeterminedness(trace: Trace) -> Iterator[Finding]:
    """1 - distinct / all, of the stored replacements."""
    lists = [row.replacements or () for row in trace.sentences]
    distinct = [len(set(each)) for each in lists]
    return _of_lists(trace, Listed(OVERDETERMINED, lambda _, k: distinct[k], lambda count, n: 1 - count / n, EXACT))


def _fraction(trace: Trace, by: Encoder) -> Iterator[Finding]:
    """|D_i| / |R_i|, of the stored replacements."""
    rows = trace.sentences
    by.similarity([text for row in rows for text in (row.text, *(row.replacements or ()))], [])  # in one go: faster

    def different(sentence: int, listed: int) -> int:
        return int((by.similarity([rows[sentence].text], rows[listed].replacements or ()) < THRESHOLD).sum())

    return _of_lists(trace, Listed(FRACTION, different, lambda count, n: count / n, CLOSE))


class Listed(NamedTuple):
    """A figure that follows from a list of replacements."""

    name: str
    counted: Count
    value: Callable[[int, int], float]
    """(count, rollouts) -> the figure"""
    tolerance: float


def _of_lists(trace: Trace, figure: Listed) -> Iterator[Finding]:
    rows = trace.sentences
    for i, row in enumerate(rows):
        stored = row.figures.get(figure.name)
        if stored is None or row.replacements is None:
            continue
        count, size = figure.counted(i, i), len(row.replacements)
        computed = figure.value(count, size) if size else 0.0
        found = Finding(trace.name, i, stored, computed, abs(stored - computed))
        yield found if found.deviation <= EXACT else _explained(trace, figure, found, count)


def _explained(trace: Trace, figure: Listed, found: Finding, count: int) -> Finding:
    """With the first rule that gives the stored value."""
    row = trace.sentences[found.sentence]
    size, fitting = len(row.replacements or ()), rollouts(row)
    if edge := _edge(trace.sentences, found.sentence, float(found.stored)):
        return found._replace(rule=edge)
    if detail := _recounted(figure, found, (count, size), [n for n in fitting if n < size]):
        return found._replace(rule="unanswered", detail=detail)
    for shift in SHIFTS:
        if _shifted(trace, figure, found.sentence, shift):
            return found._replace(rule="shifted", detail=f"the list is {shift:+d} sentences away")
    if detail := _recounted(figure, found, (count, size), [n for n in fitting if n > size]):
        return found._replace(rule="incomplete", detail=detail)
    return found


def _recounted(figure: Listed, found: Finding, listed: tuple[int, int], fitting: Sequence[int]) -> str:
    """How the figure comes out with another number of rollouts than are listed; "" where it cannot."""
    count, size = listed
    for n in fitting:
        low, high = max(0, count - max(0, size - n)), min(count + max(0, n - size), n)
        for u in range(low, high + 1):
            if abs(figure.value(u, n) - float(found.stored)) <= EXACT:
                return f"{u} of {n} where the list has {count} of {size}: {low} to {high} are possible"
    return ""


def _shifted(trace: Trace, figure: Listed, i: int, shift: int) -> bool:
    """Whether this figure and a neighbour's both come out with lists so many sentences away."""
    return _matches(trace, figure, i, shift) and any(_matches(trace, figure, k, shift) for k in (i - 1, i + 1))


def _matches(trace: Trace, figure: Listed, i: int, shift: int) -> bool:
    """The figures 0 and 1 match too easily to count."""
    rows = trace.sentences
    if not (0 <= i < len(rows) and 0 <= i + shift < len(rows)):
        return False
    stored, listed = rows[i].figures.get(figure.name, 0.0), rows[i + shift].replacements
    if not listed or stored in (0.0, 1.0):
        return False
    return abs(figure.value(figure.counted(i, i + shift), len(listed)) - stored) <= figure.tolerance


def _chunks(trace: Trace) -> Iterator[Finding]:
    """The sentences of the stored text by the rule `paper`, lined up with the stored ones."""
    if trace.text is None:
        return
    ours, theirs = chunks(trace.text, "paper"), [row.text for row in trace.sentences]
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    same = {b + k: a + k for a, b, size in blocks for k in range(size)}
    words = " ".join(trace.text.split())
    for i, text in enumerate(theirs):
        if i in same:
            yield Finding(trace.name, i, text, ours[same[i]], 0.0)
        else:
            rule = None if " ".join(text.split()) in words else "elsewhere"
            yield Finding(trace.name, i, text, "", 1.0, rule)
