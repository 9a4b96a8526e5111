"""An audit of published figures in a terminal: what is reproduced, what is possible, and every deviation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.text import clean


def audit_report(found: Mapping[str, Any]) -> RenderableType:
    """The figures that are computed again, those held against others, the deviations with the rule behind each."""
    head = f"{found['traces']} traces, {found['sentences']} sentences, encoder {clean(found['encoder'])}"
    rules = "\n".join(f"{rule}: {meaning}" for rule, meaning in found["rules"].items())
    parts: list[RenderableType] = [Text(head, style="bold"), _fields(found), Text(), _possible(found)]
    return Group(*parts, Text(), _deviations(found), Text("\n" + rules, style="dim"))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name)
    return table


def _fields(found: Mapping[str, Any]) -> Table:
    table = _table("figure", "n", "exact", "within", "tolerance", "explained", "unexplained")
    for name, row in found["fields"].items():
        explained = ", ".join(f"{rule} {count}" for rule, count in row["explained"].items()) or "-"
        cells = [row["n"], row["exact"], row["reproduced"], row["tolerance"], explained, row["unexplained"]]
        table.add_row(name, *map(str, cells))
    return table


def _possible(found: Mapping[str, Any]) -> Table:
    table = _table("rollouts not published", "n", "possible")
    for name, row in found["consistent"].items():
        table.add_row(name, str(row["n"]), str(row["consistent"]))
    return table


def _deviations(found: Mapping[str, Any]) -> Table:
    table = _table("deviation", "trace", "sentence", "stored", "computed", "rule", "detail")
    for name, row in found["fields"].items():
        for each in row["deviations"]:
            values = [clean(v) if isinstance(v, str) else f"{v:.6g}" for v in (each["stored"], each["computed"])]
            rule = each["rule"] or ("within tolerance" if each["deviation"] <= row["tolerance"] else "unexplained")
            table.add_row(name, clean(each["trace"]), str(each["sentence"]), *values, rule, clean(each["detail"]))
    return table
