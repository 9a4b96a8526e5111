"""What a model behind a server can do, in a terminal: what was proven, and what is done where something is lacking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.text import clean


def check_report(result: Mapping[str, Any]) -> RenderableType:
    """The model, a line for each capability, and below those that are lacking what it means."""
    lacking = [each for each in result["capabilities"] if not each["has"]]
    parts: list[RenderableType] = [_head(result), Text(), _table(result["capabilities"])]
    if lacking:
        parts.append(Text("\nWhere it is lacking", style="bold"))
        parts += [Text(f"  {clean(each['name'])}: {clean(each['instead'])}") for each in lacking]
    return Group(*parts)


def _head(result: Mapping[str, Any]) -> Text:
    window = f"{result['window']:,} tokens" if result["window"] else "a window that it does not tell"
    has = sum(each["has"] for each in result["capabilities"])
    words = (
        f"{clean(result['model'])} at {clean(', '.join(result['urls']))}\n"
        f"revision {result['revision']} · {window} · {has} of {len(result['capabilities'])} capabilities · "
        f"{result['concurrency']} requests at a time"
    )
    return Text(words, style="bold")


def _table(capabilities: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for each in capabilities:
        sign = Text("yes", style="green") if each["has"] else Text("no", style="yellow")
        table.add_row(Text(clean(each["name"])), sign, Text(clean(each["found"])))
    return table
