"""A replay in a terminal: the verdict, both shares with their intervals, and how every fork ended."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.records import Arm, ForkRow, Replayed
from tracer.text import clean, one_line
from tracer.viz.wording import agent, count

_SHOWN = 12
"""Forks of each kind that are listed."""
_STYLES = {"cause": "bold red", "not a cause": "bold", "inconclusive": "bold yellow"}
_DONE = {"edit": "edited", "correct": "corrected", "resample": "said anew"}


def replay_report(found: Replayed, *, width: int) -> RenderableType:
    """Verdict, shares, forks, notes; every figure of a stand-in says so."""
    label = " (stand-in)" if found.stand_in else ""
    return Group(
        Text(f"step {found.step} · {agent(found.agent)}: {found.verdict}{label}", style=_STYLES[found.verdict]),
        _facts(found),
        Text(),
        _shares(found, label),
        *_settling(found),
        Text(),
        _forks(found, width),
        *(Text(clean(note), style="dim") for note in found.notes),
    )


def _facts(found: Replayed) -> Text:
    spent = "" if found.tokens is None else f" · {found.tokens:,} tokens"
    lines = [
        f"run {clean(found.run)} · step {_DONE[found.intervention]} · by {one_line(found.replayer, 80)}",
        f"a flip is another {found.basis} than {one_line(found.recorded, 60)} · "
        f"{count(len(found.forks), 'fork')}, {found.drawn} lived now{spent}",
    ]
    return Text("\n".join(lines), style="dim")


def _shares(found: Replayed, label: str) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    rows = [(f"step {_DONE[found.intervention]}", found.changed)]
    rows += [("step as it was", found.kept)] if found.kept else []
    for name, arm in rows:
        rate = f"{arm.rate:.2f}" if arm.n else "–"
        table.add_row(name, _share(arm), f"{rate} [{arm.low:.2f}, {arm.high:.2f}]{label}")
    compared = f"margin {found.margin:g}" + ("" if found.kept else "; nothing to compare with")
    table.add_row("effect", "", f"{found.effect:+.2f} [{found.low:+.2f}, {found.high:+.2f}]{label}  {compared}")
    return table


def _share(arm: Arm) -> str:
    return f"{arm.flips} of {arm.n} flipped" + (f", {arm.unknown} of unknown end" if arm.unknown else "")


def _settling(found: Replayed) -> list[Text]:
    if found.verdict != "inconclusive":
        return []
    if not found.changed.n or (found.kept is not None and not found.kept.n):
        advice = "let the replayer say it, or give the right answer: tracer mark RUN --expected"
        return [Text(f"how these forks ended is not known: {advice}")]
    if found.settles is None:
        return [Text("no number of forks up to 10,000 of each kind would settle it at these rates")]
    return [Text(f"about {found.settles} forks of each kind would settle it, if the rates stay")]


def _forks(found: Replayed, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("fork", "step", "seed", "outcome", "answer", ""):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for kind in ("changed", "kept"):
        rows = [row for row in found.forks if row.arm == kind]
        for row in rows[:_SHOWN]:
            table.add_row(*_fork(row, max(12, width - 64)))
        if len(rows) > _SHOWN:
            table.add_row(Text(f"and {len(rows) - _SHOWN} more", style="dim"), kind)
    return table


def _fork(row: ForkRow, width: int) -> tuple[Text, ...]:
    flipped = {True: "flipped", False: "", None: "not counted"}[row.flipped]
    said = one_line(row.answer, width) if row.answer else "–"
    return Text(clean(row.run)), Text(row.arm), Text(str(row.seed)), Text(row.outcome), Text(said), Text(flipped)
