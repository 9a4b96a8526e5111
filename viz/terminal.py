"""Findings in a terminal: the verdict first, then the ranking, then the way from the cause to the symptom.

Log text enters a `Text` only through `clean`, and never through Rich's markup, so that a log can neither move the
cursor nor style the page. Everything reads at 80 columns and without colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tracer.records import Candidate, Edge, Finding, PathStep, Run, Step
from tracer.text import clean, one_line
from tracer.viz import wording

BAR = 10
"""Columns of a probability bar; it is full at 100 %."""
_SHOWN = 5
_ROOM_FOR_WHY = 110
"""Columns from which on a table has room for reasons beside the figures."""
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STYLES = {"failure": "red", "success": "green", "error": "red", "empty": "yellow"}


class RunRow(NamedTuple):
    """A run as `tracer runs` lists it, with the two counts that the run itself does not hold."""

    run: Run
    steps: int
    agents: int


def blame_report(run: Run, steps: Sequence[Step], finding: Finding, *, width: int) -> RenderableType:
    """What one analysis says of one run, laid out for `width` columns.

    Probabilities are P(this step is the decisive one | the run failed), in percent, each with its basis.
    """
    first = wording.leading(finding)
    parts: list[RenderableType] = [_verdict(finding), _facts(run, steps, finding)]
    if finding.verdict_reason:
        parts.append(_block(clean(finding.verdict_reason)))
    if first and finding.verdict == "root_cause":
        parts.append(_quote(steps, first.step, width))
    if first:
        parts += [_heading("Candidates"), _candidates(finding), *_path(first, finding.symptom)]
    parts += _tiers(finding)
    parts += [Text(), *(Text(line, style="dim") for line in wording.claims(finding))]
    return Group(*parts)


def run_table(rows: Iterable[RunRow]) -> Table:
    """The runs of a database, one a line."""
    table = _table("run", "outcome", "steps", "agents", "format", "task", ratio="task")
    for run, steps, agents in rows:
        table.add_row(
            Text(wording.run_id(run)),
            Text(run.outcome, style=_STYLES.get(run.outcome, "dim")),
            Text(str(steps), justify="right"),
            Text(str(agents), justify="right"),
            Text(one_line(run.format, 20)),
            _cut(run.task or run.source),
        )
    return table


def blame_table(rows: Iterable[tuple[Run, Finding]], *, width: int) -> Table:
    """What one analysis says of many runs, one a line: the verdict and the leading step, and why if there is room."""
    headings = ("run", "verdict", "step", "agent", "probability", "why")
    has_room = width >= _ROOM_FOR_WHY
    table = _table(*headings, ratio="why") if has_room else _table(*headings[:-1], ratio="agent")
    for run, finding in rows:
        first = wording.leading(finding)
        cells = (
            Text(wording.run_id(run)),
            Text(finding.verdict.replace("_", " "), style="red" if finding.verdict == "root_cause" else "dim"),
            Text(str(first.step) if first else "–", justify="right"),
            Text(wording.agent(first.agent, 24) if first else "–"),
            Text(wording.figure(first, finding) if first else "–", no_wrap=True),
            _cut(wording.cues(first) if first else clean(finding.verdict_reason)),
        )
        table.add_row(*(cells if has_room else cells[:-1]))
    return table


def run_report(run: Run, steps: Sequence[Step]) -> RenderableType:
    """A run with one line per step: who, what kind, how a tool ended, and the first words."""
    table = _table("step", "agent", "kind", "what was said", ratio="what was said")
    for step in steps:
        kind = Text(wording.KINDS[step.kind])
        if step.tool_status in ("error", "empty"):
            kind = Text(f"{wording.KINDS[step.kind]}: {step.tool_status}", style=_STYLES[step.tool_status])
        table.add_row(Text(str(step.index), justify="right"), Text(wording.agent(step.agent, 24)), kind, _said(step))
    said = (
        ("task", run.task),
        ("answer", run.answer),
        ("expected", run.expected),
        *(("note", note) for note in run.notes),
    )
    about = [_cut(f"{name}: {text}") for name, text in said if text]
    return Group(Text(f"run {wording.run_id(run)}", style="bold"), _facts(run, steps), *about, Text(), table)


def graph_report(run: Run, steps: Sequence[Step], edges: Sequence[Edge], impact: Mapping[int, float]) -> RenderableType:
    """The dependency graph as a list: each step with its impact (0-1) and, below it, what came in from where."""
    incoming: dict[int, list[Edge]] = {}
    for edge in edges:
        incoming.setdefault(edge.target, []).append(edge)
    table = _table("step", "agent", "impact", "uses", ratio="uses")
    for step in steps:
        sources = sorted(incoming.get(step.index, ()), key=lambda edge: (-edge.weight, edge.source))
        value = impact.get(step.index, 0.0)
        table.add_row(
            Text(str(step.index), justify="right"),
            Text(wording.agent(step.agent, 24)),
            Text(f"{_bar(value, 5)} {value:.2f}"),
            _sources(sources, step),
        )
    origins = [f"{name}: {words}" for name, words in wording.origins(edges)] or ["no step is seen to use another"]
    legend = Text("\n".join(origins), style="dim")
    return Group(Text(f"run {wording.run_id(run)}", style="bold"), _facts(run, steps), Text(), table, Text(), legend)


def _sources(edges: Sequence[Edge], target: Step) -> Text:
    lines = Text("\n").join(_source(edge, target) for edge in edges) if edges else Text("–", style="dim")
    lines.no_wrap, lines.overflow = True, "ellipsis"
    return lines


def _source(edge: Edge, target: Step) -> Text:
    how = f"{edge.origin} {edge.weight:.2f}  "
    return Text.assemble((f"← {edge.source} ", "bold"), (how, "dim"), wording.carried(edge, target))


def _verdict(finding: Finding) -> Text:
    first = wording.leading(finding)
    line = Text(wording.headline(finding), style="bold red" if finding.verdict == "root_cause" else "bold")
    if first and finding.verdict == "root_cause":
        line.append(f" · {wording.figure(first, finding)}", style="bold")
    return line


def _facts(run: Run, steps: Sequence[Step], finding: Finding | None = None) -> Text:
    lines = [f"{wording.size(steps)} · {wording.outcome(run, finding)}"]
    if finding is None:
        lines[0] += f" · {clean(run.framework or run.format)}"
    else:
        lines.append(
            f"run {wording.run_id(run)} · {clean(run.framework or run.format)} · method {clean(finding.method)}"
        )
    return Text("\n".join(lines), style="dim")


def _quote(steps: Sequence[Step], index: int, width: int) -> RenderableType:
    said = wording.excerpt(steps[index], 2 * (width - 4)) if index < len(steps) else "(no such step)"
    return Padding(Text(said, style="italic"), (1, 2, 0, 2))


def _candidates(finding: Finding) -> RenderableType:
    shown = finding.candidates[:_SHOWN]
    digits = max(len(str(candidate.step)) for candidate in shown)
    figures = max(len(wording.figure(candidate, finding)) for candidate in shown)
    lines: list[RenderableType] = []
    for candidate in shown:
        label = f"{candidate.rank}  step {candidate.step:<{digits}}  "
        lines.append(_candidate(candidate, label, wording.figure(candidate, finding).rjust(figures)))
        lines.append(Padding(Text(wording.cues(candidate), style="dim"), (0, 0, 0, len(label))))
    rest = len(finding.candidates) - _SHOWN
    lines += [Text(f"and {rest} more", style="dim")] if rest > 0 else []
    return Padding(Group(*lines), (0, 0, 0, 2))


def _candidate(candidate: Candidate, label: str, figure: str) -> Text:
    bar = "" if candidate.probability is None else _bar(candidate.probability, BAR) + "  "
    style = "red" if candidate.rank == 1 else "dim"
    return Text.assemble(
        (label, "bold"), (bar, style), f"{figure}  ", wording.agent(candidate.agent), no_wrap=True, overflow="ellipsis"
    )


def _path(cause: Candidate, symptom: int | None) -> list[RenderableType]:
    lines = [line for depth, link in enumerate(cause.path) for line in _hop(depth, link, symptom)]
    if gap := wording.unreached(cause, symptom):
        lines.append(Text(gap, style="dim"))
    return [_heading(f"From step {cause.step} to the symptom"), Padding(Group(*lines), (0, 0, 0, 2))] if lines else []


def _tiers(finding: Finding) -> list[RenderableType]:
    """What each tier changed, and the sentence inside the step where it was looked for."""
    parts: list[RenderableType] = []
    if lines := wording.tier_lines(finding):
        parts += [_heading("Tiers"), Padding(Group(*map(Text, lines)), (0, 0, 0, 2))]
    if drilled := finding.evidence.get("drill"):
        parts += [_heading("Inside the step"), Padding(Text(clean(str(drilled["words"]))), (0, 2, 0, 2))]
    return parts


def _hop(depth: int, link: PathStep, symptom: int | None) -> Iterator[Text]:
    indent = "   " * min(depth, 8)
    if depth:
        yield Text(f"{indent[3:]}└─ {wording.hop(link)}", style="dim", no_wrap=True, overflow="ellipsis")
    line = Text(f"{indent}step {link.step} · {wording.agent(link.agent)}", no_wrap=True, overflow="ellipsis")
    yield line.append("  (symptom)" if link.step == symptom else "", style="dim")


def _bar(value: float, columns: int) -> str:
    """A fraction as a bar of block characters, exact to an eighth of a column, padded with blanks."""
    eighths = round(max(0.0, min(1.0, value)) * columns * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest].strip()).ljust(columns)


def _said(step: Step) -> Text:
    return _cut(wording.excerpt(step, 400))


def _cut(text: str) -> Text:
    return Text(one_line(text, 400), no_wrap=True, overflow="ellipsis")


def _heading(words: str) -> RenderableType:
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))


def _block(words: str) -> RenderableType:
    return Padding(Text(words), (1, 2, 0, 2))


def _table(*headings: str, ratio: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="dim", pad_edge=False)
    for heading in headings:
        table.add_column(heading, ratio=1 if heading == ratio else None, overflow="ellipsis")
    return table
