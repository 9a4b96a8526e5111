"""A synthesis in a terminal: what was planted, what failed of it, and where the runs are."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.schemas import PlantedRun, SynthReport
from tracer.text import clean, one_line
from tracer.viz.wording import agent, count

_SHOWN = 20


def synthesis_report(found: SynthReport) -> RenderableType:
    """Headline, one line for each kind of fault, then the failures; every figure of a stand-in says so."""
    label = " (stand-in)" if found.stand_in else ""
    head = f"{count(found.failures, 'failure')} and {found.negatives} that survived their fault{label}"
    ended = {"enough": "", "no more places": "; no step is left to plant in", "budget": "; the budget ended"}
    facts = f"{count(len(found.planted), 'fault')} planted, {found.unconfirmed} unconfirmed · {found.forks} forks lived"
    lines: list[RenderableType] = [
        Text(head, style="bold"),
        Text(f"{facts}{ended[found.ended]}", style="dim"),
        Text(),
        _kinds(found, label),
        Text(),
        _failures([each for each in found.planted if each.fate == "failure"], label),
    ]
    if found.files:
        lines.append(Text(f"\n{len(found.files) - 1} runs as JSON, and all as one table: {clean(found.files[-1])}"))
    if found.stand_in:
        lines.append(Text(f"stand-in: {clean(found.stand_in)} spoke in the place of the system", style="dim"))
    return Group(*lines)


def _kinds(found: SynthReport, label: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in (f"fault{label}", "planted", "failures", "survived", "unconfirmed"):
        table.add_column(heading, justify="left" if heading.startswith("fault") else "right")
    for kind, fates in found.kinds.items():
        told = [fates[fate] for fate in ("failure", "survived", "unconfirmed")]
        table.add_row(kind, *(str(each) for each in (sum(told), *told)))
    return table


def _failures(failures: list[PlantedRun], label: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("run", "step", "agent", "fault", f"effect{label}"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for each in failures[:_SHOWN]:
        effect = f"{each.effect:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"
        table.add_row(each.run, str(each.step), Text(agent(each.agent, 24)), one_line(each.fault, 24), effect)
    if len(failures) > _SHOWN:
        table.add_row(Text(f"and {len(failures) - _SHOWN} more", style="dim"))
    return table
