"""The sources of a step in a terminal: each claim, its sources with what they give, and the check."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.records import Cited, CitedSource, Claim, Faithfulness
from tracer.text import clean, one_line
from tracer.viz.wording import agent, count

_TOP = 3
_SHOWN = 12
"""Claims, those that are unsupported before all others; the rest is only in the JSON."""
_LEAST = 0.02
"""Of all that sources do to a claim; what does less is only in the JSON."""
_NATS = 0.1
"""What a source must give at least, where scores are in nats."""
BAR = 8


def cite_report(found: Cited, *, width: int) -> RenderableType:
    """What is unsupported first, then every claim with its sources, then the check."""
    parts: list[RenderableType] = [_headline(found), _facts(found)]
    shown = sorted(found.claims, key=lambda claim: not claim.unsupported)[:_SHOWN]
    for claim in sorted(shown, key=found.claims.index):
        parts += [Text(), *_claim(claim, found, width)]
    if len(found.claims) > _SHOWN:
        parts += [Text(), Text(f"and {count(len(found.claims) - _SHOWN, 'claim')} more", style="dim")]
    if len(found.claims) > 1:
        parts += [
            Text(),
            Text("The whole step, with what it thought", style="bold"),
            _sources(found.whole, found, width),
        ]
    parts += [Text(), *(_check(found.check, found) if found.check else ())]
    return Group(*parts, *(Text(clean(note), style="dim") for note in found.notes))


def _headline(found: Cited) -> Text:
    listed = [claim for claim in found.claims if claim.unsupported and claim.said_before is None]
    told = f"{count(len(listed), 'claim')} unsupported" if listed else f"{count(len(found.claims), 'claim')}"
    return Text(f"step {found.step} · {agent(found.agent)}: {told}", style="bold red" if listed else "bold")


def _facts(found: Cited) -> Text:
    model = f" · model {one_line(found.model, 40)}" if found.model else ""
    cost = f" · {found.cost['rows']:,} rows, {found.cost['tokens']:,} tokens" if "rows" in found.cost else ""
    bar = "\nbar: of the words that hang on sources, the part that hangs on this one" if found.model else ""
    return Text(
        f"run {clean(found.run)} · {clean(found.method)}{model}{cost}\nscore: {clean(found.score)}{bar}", style="dim"
    )


def _claim(claim: Claim, found: Cited, width: int) -> Iterator[RenderableType]:
    yield Text(f"“{one_line(claim.text, max(20, width - 2))}”", style="bold")
    if claim.unsupported:
        values = ", ".join(f"“{one_line(value, 40)}”" for value in claim.unsupported)
        if claim.said_before is None:
            yield Text(f"  unsupported: no source and nothing it thought accounts for {values}", style="red")
        else:
            yield Text(f"  {values}: only what it said itself in step {claim.said_before}", style="yellow")
    if claim.rests_on and found.model:
        yield Text(f"  rests on its thought “{one_line(claim.rests_on[-1], max(20, width - 26))}”", style="dim")
    yield _sources(claim, found, width)


def _sources(claim: Claim, found: Cited, width: int) -> RenderableType:
    least = _NATS if found.model else 0.0
    shown = [each for each in claim.sources if each.share >= _LEAST and each.score >= least][:_TOP]
    if not shown:
        return Text("  no source moves it", style="dim")
    rows = [(*_cells(each), f"“{one_line(each.quote, width)}”") for each in shown]
    used = sum(max(cell_len(row[k]) for row in rows) + 1 for k in range(len(rows[0]) - 1))
    table = Table.grid(padding=(0, 1, 0, 0))
    for *cells, quote in rows:
        room = max(12, width - used)
        quote = quote if cell_len(quote) <= room else f"{set_cell_size(quote, room - 2).rstrip()}…”"
        table.add_row(*map(Text, (*cells, quote)))  # as text: a string would be read as markup
    return table


def _cells(each: CitedSource) -> tuple[str, ...]:
    where = "task" if each.step < 0 else f"step {each.step}"
    bar = "█" * max(1, round(BAR * each.share))
    return " ", where, f"{bar:<{BAR}}", _score(each), agent(each.agent, 14)


def _score(each: CitedSource) -> str:
    interval = "" if each.low is None or each.high is None else f" [{each.low:.1f}, {each.high:.1f}]"
    return f"{each.score:.2f}{interval}"


def _check(check: Faithfulness, found: Cited) -> Iterator[Text]:
    """Taking away what the scores name should take away the words."""
    of = "the span" if found.parameters.get("span") else "the whole step"
    yield Text(f"Check on {of}", style="bold")
    yield Text(
        f"  without the {check.k} highest scores it loses {check.drop:.1f} nats, without any source {check.all:.1f}"
    )
    if check.lds is None or check.deletion is None or check.insertion is None:
        yield Text("  the sources move it too little for more")
        return
    yield Text(
        f"  over {check.choices} fresh choices of sources, predicted and true log-odds agree with "
        f"rho\n  {check.lds:.2f} [{check.lds_low:.2f}, {check.lds_high:.2f}]"
    )
    yield Text(f"  deletion area {check.deletion:.2f} (small is good), insertion area {check.insertion:.2f} (large is)")
