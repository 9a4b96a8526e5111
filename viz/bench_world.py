"""The tables of `tracer bench world` and `tracer bench falls`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_DRAWN = ("bisection", "exhaustive")
"""Beside replay in the curve."""
_CELLS = 30
_LEVELS = ("step", "agent", "sentence", "source", "path")


def world_report(result: Mapping[str, Any]) -> RenderableType:
    """Every method with its levels, the edges by origin, and what came of the other runs."""
    methods = _table("method", *_LEVELS, "forks")
    for name, figures in result["methods"].items():
        step = _between(figures["step"], result["intervals"][name]["step"])
        methods.add_row(name, step, *(_share(figures[level]) for level in _LEVELS[1:]), _forks(figures["forks"]))
    edges = _table("edges", "precision", "recall", "F1", "precision, indirect ones too")
    for origin, figures in result["edges"].items():
        held = (_between(figures[key], figures[f"{key}_interval"]) for key in ("precision", "recall"))
        edges.add_row(origin, *held, *(_share(figures[key]) for key in ("f1", "through")))
    passing, diffuse = result["passing"], result["diffuse"]
    words = [
        f"{result['n']} failed runs; a label took {_forks(result['label_forks'])} forks on average",
        f"{diffuse['n']} runs have no decisive step: replay named one in {diffuse['named']}",
        f"{passing['n']} successful runs, outcome hidden: false root cause {_share(passing['false_root_cause'])} "
        f"[{_share(passing['interval'][0])}, {_share(passing['interval'][1])}]",
    ]
    return Group(methods, Text(), _curve(result), Text(), edges, Text(), Text("\n".join(words)))


def _curve(result: Mapping[str, Any]) -> Table:
    """The exact step over forks: replay when it may live so many at most, the others at what they took on average."""
    table = _table("exact step by forks", "forks", "")
    points = [("replay, at most", point["forks"], point["step"]) for point in result["budget"]]
    points += [(name, each["forks"], each["step"]) for name in _DRAWN if (each := result["methods"][name])]
    for name, forks, step in points:
        bar = "" if step is None else "█" * round(step * _CELLS)
        table.add_row(name, _forks(forks), Text(f"{bar:<{_CELLS}} {_share(step):>5}"))
    return table


def _between(value: float | None, interval: Sequence[float] | None) -> str:
    return f"{_share(value)} [{_share(interval[0])}, {_share(interval[1])}]" if interval else "–"


def falls_report(result: Mapping[str, Any]) -> RenderableType:
    """Each method's accuracy over its forks, one profile after another."""
    table = _table("planted run", "method", "steps named rightly, at so many forks on average")
    for profile, methods in result.items():
        for method, points in methods.items():
            told = ", ".join(f"{_share(point['step'])} at {_forks(point['forks'])}" for point in points)
            table.add_row(profile, method, told)
    return table


def cite_bench_report(result: Mapping[str, Any]) -> RenderableType:
    """AUROC of every way to cite, then planted claims and false listings."""
    table = _table("method", "AUROC, sources that say what no other says", "all sources")
    for name, figures in result["sources"]["plain"].items():
        table.add_row(name, *(_area(each) for each in (figures, result["sources"]["all"][name])))
    lines = [f"planted, {kind}: listed {_listed(found)}" for kind, found in result["unsupported"].items()]
    return Group(table, Text(), Text("\n".join([*lines, f"other claims listed: {_listed(result['false_listings'])}"])))


def _area(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['auroc']:.3f} [{low:.3f}, {high:.3f}]"


def _listed(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{_share(found['share'])} [{_share(low)}, {_share(high)}] of {found['n']}"


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _forks(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
