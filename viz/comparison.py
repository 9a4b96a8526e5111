"""Two runs side by side, row by row, as the page and Markdown show them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tracer.divergence import Divergence, Pairing, Slice, said
from tracer.records import Run
from tracer.reported import Reported
from tracer.text import clean, one_line
from tracer.viz import wording
from tracer.viz.page import deflated, page
from tracer.viz.run_data import part, run_data

SHOWN: Final = 900
"""Characters of a step in a row that differs; the step itself, one click away, has all."""
BRIEF: Final = 200
"""The same, of a row that does not differ."""
BEFORE: Final = 200
"""Characters shown before the first word that differs, when that stands far behind."""


class Window(NamedTuple):
    """A piece of a text."""

    text: str
    words: list[Slice]
    """The words that differ, in the piece."""
    cut_before: bool
    cut_behind: bool


def names(left: Run, right: Run) -> tuple[str, str]:
    """What to call the two: "good run" and "failed run" where exactly one succeeded."""
    if (left.outcome == "success") == (right.outcome == "success"):
        return "first run", "second run"
    other = {"failure": "failed run", "unknown": "run of unknown outcome", "success": "good run"}
    return other[left.outcome], other[right.outcome]


def html_comparison(left: Reported, right: Reported, found: Divergence) -> str:
    """The two runs in one page: side by side, and each one's report."""
    contents = {"kind": "pair", "pair": comparison(left, right, found)}
    title = summary(left, right, found)
    heads = [_line(side, name) for side, name in zip((left, right), names(left.run, right.run), strict=True)]
    told = [title, *parting(left, right, found), *heads, *notes(left, right, found)]
    return page(f"{title} · tracer", contents, [run_data(*left), run_data(*right)], lines=told)


def comparison(left: Reported, right: Reported, found: Divergence) -> dict[str, Any]:
    """The data of the comparison; its rows are deflated, for they hold text."""
    called = names(left.run, right.run)
    return {
        "sides": [_head(side, name) for side, name in zip((left, right), called, strict=True)],
        "first": found.first,
        "sum": summary(left, right, found),
        "parting": parting(left, right, found),
        "notes": notes(left, right, found),
        "rows": deflated({"rows": [_row(pairing, left, right) for pairing in found.rows]}),
    }


def summary(left: Reported, right: Reported, found: Divergence) -> str:
    """Where the two runs part, in one sentence."""
    if found.first is None:
        return f"The two runs say the same in all {wording.count(len(found.rows), 'step')}"
    if found.first == 0:
        return "The two runs differ from their first step on"
    row = found.rows[found.first]
    side, index, name = _owner(row, left, right)
    who = wording.agent(side.steps[index].agent)
    if row.how == "changed":
        other = "" if row.left == row.right else f" (step {row.right} of the other)"
        return f"The two runs part at step {index}{other} · {who}"
    return f"The two runs part at step {index} · {who}, which only the {name} has"


def parting(left: Reported, right: Reported, found: Divergence) -> list[str]:
    """How far the two agree before they part, and the first words that differ there."""
    if found.first is None:
        return []
    row = found.rows[found.first]
    same = {0: [], 1: ["The step before it is the same"]}
    lines = same.get(found.first, [f"The {found.first:,} steps before it are the same"])
    if row.left is None or row.right is None:
        return lines
    ours = _words(said(left.steps[row.left]), row.left_words)
    theirs = _words(said(right.steps[row.right]), row.right_words)
    if not ours or not theirs:
        return lines
    first, second = names(left.run, right.run)
    return [*lines, f"the {first} says “{ours}”, the {second} “{theirs}”"]


def _words(text: str, words: Sequence[Slice]) -> str:
    """The first words that differ, where they are few enough to tell the difference."""
    few = sum(end - start for start, end in words) <= 0.6 * len(text)
    return one_line(text[slice(*words[0])], 60) if words and few else ""


def _owner(row: Pairing, left: Reported, right: Reported) -> tuple[Reported, int, str]:
    """A run that has a step in the row, the step, and what the run is called; the left one where both have."""
    first, second = names(left.run, right.run)
    if row.left is not None:
        return left, row.left, first
    assert row.right is not None  # a row has a step on at least one side
    return right, row.right, second


def notes(left: Reported, right: Reported, found: Divergence) -> list[str]:
    """What to know before reading the rows."""
    counts = Counter(row.how for row in found.rows)
    first, second = names(left.run, right.run)
    told = [
        f"{counts['same']:,} the same",
        f"{counts['changed']:,} changed",
        f"{counts['left']:,} only in the {first}",
        f"{counts['right']:,} only in the {second}",
    ]
    lines = [f"{wording.count(len(found.rows), 'row')}: {', '.join(told)}."]
    if " ".join(left.run.task.split()) != " ".join(right.run.task.split()):
        lines.append("The two runs had different tasks.")
    if found.rows and not counts["same"] and not counts["changed"]:
        lines.append("No agent takes part in both runs, so no step of one stands beside a step of the other.")
    return [*lines, "That runs part at a step does not prove that the step is wrong: compare it with the ranking."]


def shown(text: str, words: Sequence[Slice], width: int) -> Window:
    """A window of at most `width` characters on a text, placed so that the first of the words is in it."""
    start = 0
    if len(text) > width and words and words[0][0] > width // 2:
        start = text.rfind(" ", 0, max(0, words[0][0] - min(BEFORE, width // 3))) + 1
    end = start + width
    inside = [(max(a, start) - start, min(b, end) - start) for a, b in words if a < end and b > start]
    return Window(text[start:end], inside, start > 0, end < len(text))


def _line(side: Reported, name: str) -> str:
    """One run for a reader whose browser runs no script."""
    first = wording.leading(side.finding)
    leads = f"; first candidate: step {first.step}, {wording.agent(first.agent)}" if first else ""
    ended = wording.outcome(side.run, side.finding)
    return f"The {name}, {wording.run_id(side.run)}: {wording.headline(side.finding)}{leads}; {ended}"


def _head(side: Reported, name: str) -> dict[str, Any]:
    first = wording.leading(side.finding)
    return {
        "run": wording.run_id(side.run),
        "name": name,
        "verdict": side.finding.verdict,
        "headline": wording.headline(side.finding),
        "figure": wording.figure(first, side.finding) if first else "",
        "about": wording.about(first, side.finding) if first else "",
        "step": first.step if first else None,
        "agent": wording.agent(first.agent) if first else "",
        "facts": [wording.size(side.steps), wording.outcome(side.run, side.finding)],
        "answer": one_line(side.run.answer or "", BRIEF),
        "task": one_line(side.run.task, BRIEF),
    }


def _row(pairing: Pairing, left: Reported, right: Reported) -> dict[str, Any]:
    return {
        "how": pairing.how,
        "left": _step(left, pairing.left, pairing.left_words, pairing.how),
        "right": _step(right, pairing.right, pairing.right_words, pairing.how),
    }


def _step(side: Reported, index: int | None, words: Sequence[Slice], how: str) -> dict[str, Any] | None:
    if index is None:
        return None
    step = side.steps[index]
    window = shown(said(step), words, BRIEF if how == "same" else SHOWN)
    call = f"{clean(step.tool)}:" if step.tool and step.kind == "tool_call" else ""
    return {
        "step": index,
        "agent": wording.agent(step.agent),
        "kind": wording.KINDS[step.kind],
        "tool": call,
        "status": step.tool_status if step.tool_status in ("error", "empty") else "",
        "part": part(index, side.finding),
        "text": window.text,
        "spans": _units(window.text, window.words),
        "cut": [window.cut_before, window.cut_behind],
    }


def _units(text: str, spans: Sequence[Slice]) -> list[Slice]:
    """Python counts code points, the browser counts UTF-16 units: the same slices in the browser's count."""
    if not spans or text.isascii():
        return list(spans)
    wide = [place for place, character in enumerate(text) if character > "\uffff"]
    return [(start + bisect_left(wide, start), end + bisect_left(wide, end)) for start, end in spans]
