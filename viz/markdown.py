"""Findings as Markdown, for an issue or a pull request.

Where a log's words stand in the text they stand in a code span or a fence, longer than any in the words: there nothing
is read as markup, HTML, a link, a mention or the number of an issue. What our own sentences quote is escaped, and what
could become a mention or a link is broken by an invisible space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from tracer.divergence import Divergence, Pairing, said
from tracer.records import Anchors, AnchorSentence, Edge, Finding, Run, Step
from tracer.reported import Reported
from tracer.text import clean, one_line
from tracer.viz import wording
from tracer.viz.comparison import names, notes, parting, shown, summary
from tracer.viz.listing import Listed, tally

QUOTED: Final = 3_000
"""Characters of a quoted step."""
ROWS: Final = 200
"""Rows of a table: an issue holds 65,536 characters."""
TOP: Final = 3
"""Sentences named of each chain of thought."""
_MARKUP = re.compile(r"[\\`*_{}\[\]#+!~^$=-]")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
_LIVE = re.compile(
    r"""(?<=[@#!~%&$^])(?=[\w"])|(?<=\w)(?=@)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\bGH-)(?=\d)""", re.IGNORECASE
)
"""Where a mention, an address, or the number of an issue would come alive."""
_VERDICTS = {"root_cause": "root cause", "inconclusive": "inconclusive", "no_failure": "no failure"}


def markdown_report(
    run: Run,
    steps: Sequence[Step],
    edges: Sequence[Edge],
    finding: Finding,
    anchors: Mapping[int, Sequence[Anchors]] | None = None,
) -> str:
    """The verdict, the candidates, the quoted cause, the path, the top sentences, and what the numbers do not claim."""
    first = wording.leading(finding)
    parts = [f"## {_headline(finding)}", _facts(run, steps, finding), escaped(finding.verdict_reason)]
    parts += [f"Task: {code(run.task, 300)}"] if run.task else []
    if first:
        parts += ["### Candidates", _candidates(finding), *_quoted(steps, first.step), *_path(finding)]
    parts += [*_sentences(anchors or {}), *_claims(wording.claims(finding))]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_list(rows: Sequence[Listed]) -> str:
    """The runs as a table, one a line."""
    head = ("run", "outcome", "verdict", "step", "agent", "probability", "steps", "task")
    lines = (
        (
            code(row.run, cell=True),
            row.outcome,
            _VERDICTS[row.verdict],
            "" if row.step is None else str(row.step),
            code(row.agent, cell=True) if row.agent else "",
            escaped(row.figure),
            str(row.steps),
            code(row.task, 80, cell=True) if row.task else "",
        )
        for row in rows
    )
    return f"## {tally(rows).capitalize()}\n\n{_table(head, lines, len(rows))}\n"


def markdown_comparison(left: Reported, right: Reported, found: Divergence) -> str:
    """Two runs: the verdict of each, where they part, and every row that is not the same."""
    called = names(left.run, right.run)
    heads = [
        (
            name,
            code(side.run.id, cell=True),
            _headline(side.finding, cell=True),
            escaped(wording.outcome(side.run, side.finding)),
        )
        for side, name in zip((left, right), called, strict=True)
    ]
    different = [row for row in found.rows if row.how != "same"]
    parts = [
        f"## {escaped(summary(left, right, found))}",
        escaped("; ".join(parting(left, right, found))),
        _table(("", "run", "verdict", "outcome"), heads),
        *_parting(left, right, found),
        *(["### What differs", _rows(different, left, right, called)] if different else []),
        *_claims(notes(left, right, found)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def code(text: str, width: int = 120, *, cell: bool = False) -> str:
    """The text on one line in a code span that it cannot close.

    In a table's `cell` a bar would end the cell, in code too, so there it becomes the box-drawing bar, its look-alike.
    """
    words = one_line(text, width) or "(empty)"
    if cell:
        words = words.replace("|", "│")
    fence = "`" * (_longest(words) + 1)
    gap = " " if words[0] == "`" or words[-1] == "`" else ""
    return f"{fence}{gap}{words}{gap}{fence}"


def fenced(text: str, width: int = QUOTED) -> str:
    """The text as a block that it cannot close; a cut is told below."""
    words = clean(text[:width], lines=True)
    fence = "`" * max(3, _longest(words) + 1)
    told = f"\n\n(the first {width:,} of {len(text):,} characters)" if len(text) > width else ""
    return f"{fence}text\n{words}\n{fence}{told}"


def escaped(text: str) -> str:
    """A sentence of ours, whatever it quotes, as plain text on one line."""
    words = " ".join(clean(text).split())
    marked = _MARKUP.sub(r"\\\g<0>", _LIVE.sub("\u200b", words))
    return "".join(_HTML.get(character, character) for character in marked)


def _longest(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _headline(finding: Finding, *, cell: bool = False) -> str:
    first = wording.leading(finding)
    if finding.verdict == "root_cause" and first:
        who = code(first.agent, 60, cell=cell)
        return f"Root cause: step {first.step} by {who}, {escaped(wording.figure(first, finding))}"
    return escaped(wording.headline(finding).capitalize())


def _facts(run: Run, steps: Sequence[Step], finding: Finding) -> str:
    framework = code(run.framework or run.format, 40)
    told = f"{wording.size(steps)} · {escaped(wording.outcome(run, finding))} · {framework}"
    return f"Run {code(run.id)} · {told} · method {code(finding.method, 40)}, version {finding.version}"


def _candidates(finding: Finding) -> str:
    rows = (
        (
            str(each.rank),
            str(each.step),
            code(each.agent, 48, cell=True),
            escaped(wording.figure(each, finding)),
            escaped(wording.cues(each)),
        )
        for each in finding.candidates
    )
    return _table(("", "step", "agent", "probability", "what speaks for it"), rows)


def _quoted(steps: Sequence[Step], index: int) -> list[str]:
    if index >= len(steps):
        return []
    step = steps[index]
    return [f"### Step {index}, {code(step.agent, 48)}, {wording.KINDS[step.kind]}", fenced(said(step) or "(no text)")]


def _path(finding: Finding) -> list[str]:
    first = wording.leading(finding)
    if first is None or not first.path:
        return []
    lines = []
    for place, hop in enumerate(first.path):
        how = f": {hop.origin or 'linked'} {code(hop.text, 90)}" if place and hop.text.strip() else ""
        mark = " (symptom)" if hop.step == finding.symptom else ""
        lines.append(f"{place + 1}. step {hop.step}, {code(hop.agent, 48)}{mark}{how}")
    gap = wording.unreached(first, finding.symptom)
    return [f"### From step {first.step} to the symptom", "\n".join(lines), *([gap] if gap else [])]


def _sentences(anchors: Mapping[int, Sequence[Anchors]]) -> list[str]:
    """The heaviest sentences of each step's reasoning, method by method."""
    lines = [line for index in sorted(anchors) for found in anchors[index] for line in _answer(index, found)]
    return ["### Which sentences of the reasoning carried it", "\n".join(lines)] if lines else []


def _answer(index: int, found: Anchors) -> Iterator[str]:
    weighed = [each for each in found.sentences if each.part == "chain" and each.weight is not None]
    chain = sum(each.part == "chain" for each in found.sentences)
    yield (
        f"- Step {index}, {wording.count(chain, 'sentence')}, method {code(found.method, 40)}, "
        f"model {code(found.model, 60)} ({code(found.revision, 20)}); weight: {escaped(found.score)}"
    )
    for each in sorted(weighed, key=lambda sentence: -abs(sentence.weight or 0.0))[:TOP]:
        yield f"  - {each.index}: {_weight(each)} {code(each.text, 200)}"


def _weight(sentence: AnchorSentence) -> str:
    if (told := sentence.resampled) is None:
        return f"{sentence.weight:+.3f}"
    return (
        f"{told.effect:+.2f} [{told.low:+.2f}, {told.high:+.2f}] (n {told.n_before} and {told.n_after}, "
        f"q {told.q:.3f}, {told.verdict})"
    )


def _claims(lines: Iterable[str]) -> list[str]:
    return ["### What the numbers claim, and what not", "\n".join(f"- {escaped(line)}" for line in lines)]


def _parting(left: Reported, right: Reported, found: Divergence) -> list[str]:
    """The two steps at which the runs part, quoted."""
    if found.first is None:
        return []
    row = found.rows[found.first]
    quotes = []
    for side, index, name in zip((left, right), (row.left, row.right), names(left.run, right.run), strict=True):
        if index is not None:
            step = side.steps[index]
            words = fenced(said(step) or "(no text)", QUOTED // 2)
            quotes += [f"The {name}, step {index}, {code(step.agent, 48)}, {wording.KINDS[step.kind]}:", words]
    return quotes


def _rows(rows: Sequence[Pairing], left: Reported, right: Reported, called: tuple[str, str]) -> str:
    how = {"changed": "changed", "left": f"only {called[0]}", "right": f"only {called[1]}"}
    lines = ((how[row.how], _cell(left, row, 0), _cell(right, row, 1)) for row in rows)
    return _table(("", *called), lines, len(rows))


def _cell(side: Reported, row: Pairing, place: int) -> str:
    index, words = (row.left, row.right)[place], (row.left_words, row.right_words)[place]
    if index is None:
        return ""
    step = side.steps[index]
    piece = shown(said(step), words, 120)
    text = ("…" if piece.cut_before else "") + piece.text + ("…" if piece.cut_behind else "")
    return f"{index} {code(step.agent, 32, cell=True)} {code(text, 130, cell=True)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], count: int = 0) -> str:
    """A table of at most ROWS rows; of `count` rows it says how many it leaves out."""
    lines = [" | ".join(row) for row, _ in zip(rows, range(ROWS), strict=False)]
    body = "\n".join(f"| {line} |" for line in [" | ".join(head), " | ".join("---" for _ in head), *lines])
    return f"{body}\n\n({ROWS} of {count:,} rows; the HTML report has all)" if count > ROWS else body
