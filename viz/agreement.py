"""How far the methods of `tracer anchors` agree, in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.text import clean, one_line

NAME = 15
"""Columns of a method's name, at most: two of them and the figures stand on one line of 80."""


def agreement_report(result: Mapping[str, Any]) -> RenderableType:
    """Sentences, then links, then what qualifies the figures; the intervals are 95 %."""
    parts: list[RenderableType] = [_head(result), Text(), _sentences(result), _concordance(result["concordance"])]
    if result["links"]:
        parts += [Text("\nLinks (source, target): rank correlation by distance in sentences", style="bold")]
        parts += [_links(result)]
    if result["notes"]:
        parts += [Text(), *(Text(clean(note), style="dim") for note in result["notes"])]
    return Group(*parts)


def _head(result: Mapping[str, Any]) -> Text:
    words = f"{clean(str(result['target']))} · {result['sentences']} sentences · {len(result['methods'])} methods"
    return Text(words, style="bold")


def _sentences(result: Mapping[str, Any]) -> Table:
    table = _table("sentences", "rank correlation", "n", "top 1", "top 3", "top 5")
    for pair in result["pairs"]:
        table.add_row(_names(pair), _rho(pair), str(pair["n"]), *(_share(pair["top"][k]) for k in ("1", "3", "5")))
    chance = _chances(result["pairs"])
    table.add_row(Text("by chance", style="dim"), "", "", *(Text(each, style="dim") for each in chance))
    return table


def _links(result: Mapping[str, Any]) -> Table:
    table = _table("", "all", "< 5 apart", ">= 5 apart")
    for pair in result["links"]:
        table.add_row(_names(pair, " /\n"), *(_rho(pair[name]) for name in ("all", "near", "far")))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=place > 0)
    return table


def _names(pair: Mapping[str, Any], between: str = " / ") -> Text:
    return Text(between.join(one_line(name, NAME) for name in pair["methods"]))


def _rho(found: Mapping[str, Any]) -> str:
    if found["rho"] is None:
        return "–"
    return f"{found['rho']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"


def _share(found: Mapping[str, Any]) -> str:
    return "–" if found["overlap"] is None else f"{found['overlap']:.0%}"


def _chances(pairs: list[Mapping[str, Any]]) -> list[str]:
    """The range over the pairs, which may have different numbers of sentences."""
    told = []
    for k in ("1", "3", "5"):
        known = [pair["top"][k]["chance"] for pair in pairs if pair["top"][k]["chance"] is not None]
        low, high = (f"{min(known):.0%}", f"{max(known):.0%}") if known else ("–", "–")
        told.append(low if low == high else f"{low[:-1]}-{high}")
    return told


def _concordance(found: Mapping[str, Any]) -> Text:
    if found["w"] is None:
        return Text("Kendall's W of all: –")
    return Text(
        f"Kendall's W of {len(found['methods'])} methods on {found['n']} sentences: {found['w']:.2f} "
        f"(1: one order; {found['chance']:.2f}: chance)"
    )
