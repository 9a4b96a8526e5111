"""What failed runs have in common, in a terminal: the patterns, what they explain, and where the runs broke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tracer.fleet import Cause, Figure, Patterns, Suspect
from tracer.text import clean, one_line
from tracer.viz import wording

_CALL = {"tool_call": "calls", "handoff": "hands on by"}


def patterns_report(found: Patterns, *, top: int) -> RenderableType:
    """At most `top` suspects of each kind, and `top` causes."""
    parts: list[RenderableType] = [_size(found)]
    parts += _patterns(found, top) if found.succeeded else _troubles(found, top)
    parts += [_heading("Where they broke"), *_causes(found, top), Text()]
    parts += [Text(clean(note), style="dim") for note in (*found.notes, *_claims(found))]
    return Group(*parts)


def _size(found: Patterns) -> Text:
    line = Text(f"{wording.count(found.failed, 'run')} failed, {found.succeeded:,} succeeded", style="bold")
    tested = f" · {wording.count(found.tested, 'trait')} compared" if found.tested else ""
    return line.append(tested, style="dim")


def _patterns(found: Patterns, top: int) -> list[RenderableType]:
    held = [each for each in found.suspects if each.status == "pattern"]
    parts: list[RenderableType] = [_heading("What failed runs have and others have not")]
    if not held:
        return [*parts, *_nothing(found, top)]
    lines = [line for each in held[:top] for line in _pattern(each, found)]
    return [*parts, Padding(Group(*lines), (0, 0, 0, 2)), *_more(len(held) - top), *_explained(found, top)]


def _pattern(each: Suspect, found: Patterns) -> Iterator[RenderableType]:
    yield Text.assemble((f"{each.rank:>2}  ", "bold"), (one_line(each.words, 160), "red"))
    explains = each.measures.get("explained")
    figures = [f"{each.failed:,} of {found.failed:,} failed", f"{each.succeeded:,} of {found.succeeded:,} others"]
    figures += [f"explains {_interval(explains)}"] if explains else []
    yield Padding(Text(" · ".join(figures)), (0, 0, 0, 4))
    yield Padding(Text(_measures(each), style="dim"), (0, 0, 0, 4))
    if each.same:
        yield Padding(Text("the same runs: " + _listed(each.same, 4), style="dim"), (0, 0, 0, 4))
    yield Padding(Text("for example " + ", ".join(map(clean, each.examples[:3])), style="dim"), (0, 0, 0, 4))


def _measures(each: Suspect) -> str:
    """The suspiciousness by every measure, with intervals."""
    held = [(name, figure) for name, figure in each.measures.items() if figure and name != "explained"]
    return " · ".join(f"{name} {_figure(figure)}" for name, figure in held)


def _figure(figure: Figure) -> str:
    places = 0 if figure.high > 10 else 2
    return f"{figure.value:.{places}f} [{figure.low:.{places}f}, {figure.high:.{places}f}]"


def _nothing(found: Patterns, top: int) -> list[RenderableType]:
    """Nothing stands the test: that, and what comes nearest."""
    words = "Nothing is so much more frequent in failed runs that chance does not explain it. Nearest to it:"
    near = [each for each in found.suspects if each.p is not None and each.p < 1][:top]
    if not near:
        return [Padding(Text("Nothing is more frequent in failed runs."), (0, 2, 0, 2))]
    lines = [_short(each, found, f"q {each.q:.2f}") for each in near[: min(top, 3)]]
    return [Padding(Text(words), (0, 2, 0, 2)), Padding(Group(*lines), (0, 0, 0, 2))]


def _explained(found: Patterns, top: int) -> list[RenderableType]:
    """What only goes along with a pattern."""
    held = [each for each in found.suspects if each.status == "explained"]
    if not held:
        return []
    lines = [_short(each, found, f"see {each.explained_by}") for each in held[:top]]
    return [
        _heading("Also more frequent in failed runs, but not beyond these"),
        Padding(Group(*lines), (0, 0, 0, 2)),
        *_more(len(held) - top),
    ]


def _troubles(found: Patterns, top: int) -> list[RenderableType]:
    """Without successful runs: what is frequent."""
    held = [each for each in found.suspects if each.status == "untested"][:top]
    lines = [_short(each, found, "") for each in held]
    return [_heading("What is frequent in them"), Padding(Group(*lines), (0, 0, 0, 2))] if held else []


def _short(each: Suspect, found: Patterns, why: str) -> Text:
    counts = f"{each.failed:>4} of {found.failed:,} failed"
    counts += f", {each.succeeded:>4} of {found.succeeded:,} others" if found.succeeded else ""
    line = Text.assemble((counts, "dim"), f"  {one_line(each.words, 120)}", no_wrap=True, overflow="ellipsis")
    return Text.assemble((f"{why:<7}", "dim"), line, no_wrap=True, overflow="ellipsis") if why else line


def _causes(found: Patterns, top: int) -> list[RenderableType]:
    lines = [line for each in found.causes[:top] for line in _cause(each)]
    return [Padding(Group(*lines), (0, 0, 0, 2)), *_more(len(found.causes) - top)]


def _cause(each: Cause) -> Iterator[RenderableType]:
    yield Text.assemble((f"{each.rank:>2}  ", "bold"), _place(each), no_wrap=True, overflow="ellipsis")
    if each.sign:
        more = f" (and {len(each.variants)} alike)" if each.variants else ""
        yield Padding(Text(f"{one_line(each.sign, 140)}{more}"), (0, 0, 0, 4))
    figures = [f"{wording.count(each.runs, 'run')}, {_interval(each.share)}", f"impact {wording.percent(each.impact)}"]
    figures += [f"pattern {', '.join(map(str, each.patterns))}"] if each.patterns else []
    figures += [f"no step stands out in {each.inconclusive:,}"] if each.inconclusive else []
    figures += [", ".join(map(clean, each.examples[:2]))]
    yield Padding(Text(" · ".join(figures), style="dim"), (0, 0, 0, 4))


def _place(each: Cause) -> str:
    verb = _CALL.get(each.kind)
    what = f"{verb} {one_line(each.tool, 60)}" if verb and each.tool else wording.KINDS[each.kind]
    return f"{wording.agent(each.agent)} · {what}"


def _claims(found: Patterns) -> list[str]:
    """What the figures claim, one sentence per line."""
    lines = []
    if found.tested:
        lines = [
            "explains: the share of failures that would be gone if all runs failed as those without it do. What goes "
            "along with failing need not cause it: `tracer replay` tests that.",
            "Of all that is told as a pattern, 5 % at most are expected to be chance (Benjamini-Hochberg).",
        ]
    return [*lines, "impact: the share of failures in which blame expects this place to be the decisive one."]


def _interval(figure: Figure) -> str:
    return f"{100 * figure.value:.0f} % [{100 * max(0.0, figure.low):.0f}, {100 * figure.high:.0f}]"


def _listed(words: Sequence[str], most: int) -> str:
    shown = "; ".join(one_line(each, 80) for each in words[:most])
    return shown + (f"; and {len(words) - most} more" if len(words) > most else "")


def _more(rest: int) -> list[RenderableType]:
    return [Padding(Text(f"and {rest:,} more", style="dim"), (0, 0, 0, 2))] if rest > 0 else []


def _heading(words: str) -> RenderableType:
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))
