"""A gate in a terminal, and as Markdown for the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tracer.fleet import Blamed, Gate, Worse
from tracer.text import clean, one_line
from tracer.viz import wording
from tracer.viz.markdown import code, escaped

SHOWN = 10


def headline(gate: Gate) -> str:
    """Whether it is open, and why not, in one line."""
    above = sum(each.above for each in gate.failures)
    blamed = f"{above:,} of {wording.count(gate.failed, 'failed run')} blamed above {gate.limit:.2g}"
    reasons = [blamed] if above else []
    reasons += [f"{wording.count(len(gate.worse), 'figure')} worse than in the baseline"] if gate.worse else []
    if reasons:
        return "gate closed: " + "; ".join(reasons)
    return "gate open" if gate.failed or gate.succeeded else "gate open, but no run says how it ended"


def gate_report(gate: Gate) -> RenderableType:
    """The verdict, what is above the limit, what is worse, and what was left out."""
    parts: list[RenderableType] = [Text(headline(gate), style="bold" if gate.passed else "bold red"), Text(_size(gate))]
    if gate.failures:
        lines = [line for each in _ordered(gate)[:SHOWN] for line in _failure(each)]
        parts += [_heading("Failed runs"), Padding(Group(*lines), (0, 0, 0, 2)), *_more(len(gate.failures) - SHOWN)]
    if gate.worse:
        lines = [Text(_worse(each)) for each in gate.worse[:SHOWN]]
        parts += [_heading("Worse than in the baseline"), Padding(Group(*lines), (0, 0, 0, 2))]
        parts += _more(len(gate.worse) - SHOWN)
    notes = [Text(note, style="dim") for note in _notes(gate)]
    return Group(*parts, Text(), *notes) if notes else Group(*parts)


def gate_markdown(gate: Gate) -> str:
    """The same as Markdown; log text is escaped."""
    parts = [f"### {escaped('tracer: ' + headline(gate))}", escaped(_size(gate))]
    if gate.failures:
        rows = [_row(each) for each in _ordered(gate)[:SHOWN]]
        parts.append("\n".join(["| run | step | agent | probability | why |", "|---|---|---|---|---|", *rows]))
        rest = len(gate.failures) - SHOWN
        parts += [f"and {rest:,} more"] if rest > 0 else []
    if gate.worse:
        parts.append("**Worse than in the baseline**")
        parts.append("\n".join(f"- {escaped(_worse(each))}" for each in gate.worse[:SHOWN]))
    parts += [escaped(note) for note in _notes(gate)]
    return "\n\n".join(parts) + "\n"


def _size(gate: Gate) -> str:
    known = f"{gate.failed:,} failed, {gate.succeeded:,} succeeded"
    return f"{wording.count(gate.runs, 'run')}: {known}, {gate.unknown:,} unknown"


def _ordered(gate: Gate) -> list[Blamed]:
    """The surest first; those of one probability in the order of the logs."""
    return sorted(gate.failures, key=lambda each: -(each.probability or 0.0))


def _failure(each: Blamed) -> Iterator[RenderableType]:
    mark, style = ("×", "red") if each.above else (" ", "dim")
    run = (f"{clean(each.run)}  ", "bold")
    yield Text.assemble((f"{mark} ", style), run, _place(each), no_wrap=True, overflow="ellipsis")
    if each.above:
        told = [*map(clean, each.why), one_line(each.source, 100)]
        yield Padding(Text("; ".join(told), style="dim"), (0, 0, 0, 2))


def _place(each: Blamed) -> str:
    if each.step is None:
        return "no step can be blamed"
    return f"step {each.step}  {_figure(each)}  {wording.agent(each.agent or '')}"


def _figure(each: Blamed) -> str:
    if each.probability is None:
        return "rank only"
    return f"{wording.percent(each.probability)} ({(each.basis or 'basis unknown').replace('-', ' ')})"


def _row(each: Blamed) -> str:
    mark = "❌ " if each.above else ""
    cells = [mark + code(each.run, cell=True), str(each.step) if each.step is not None else "–"]
    why = escaped("; ".join(each.why) or wording.NO_CUE)
    cells += [code(each.agent or "–", 60, cell=True), escaped(_figure(each)), why]
    return "| " + " | ".join(cells) + " |"


def _worse(each: Worse) -> str:
    (before, of), (now, of_now) = each.before, each.now
    return f"{one_line(each.words, 140)}: {now:,} of {of_now:,} runs, before {before:,} of {of:,} (q {each.q:.2g})"


def _notes(gate: Gate) -> list[str]:
    notes = []
    if gate.unknown:
        notes.append(
            f"{wording.count(gate.unknown, 'run')} of unknown outcome passed unread: --assume failed blames them, too"
        )
    if gate.skipped:
        source, reason = gate.skipped[0]
        first = f"{one_line(source, 80)}: {one_line(reason, 120)}"
        notes.append(f"{wording.count(len(gate.skipped), 'file')} not read; {first}")
    if gate.compared is not None and not gate.worse:
        figures = wording.count(gate.compared, "figure")
        notes.append(f"{figures} compared with the baseline: none is worse by more than chance")
    return notes


def _more(rest: int) -> list[RenderableType]:
    return [Padding(Text(f"and {rest:,} more", style="dim"), (0, 0, 0, 2))] if rest > 0 else []


def _heading(words: str) -> RenderableType:
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))
