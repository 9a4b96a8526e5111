"""A chain of thought in a terminal: each sentence tinted by how much the rest depends on it; the matrix as blocks."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.records import Anchors, AnchorSentence
from tracer.text import clean

BAR = 8
"""Columns of a weight's bar; the heaviest sentence fills it."""
MATRIX = 64
"""Sentences at most for which the matrix is drawn; above, it is only in the JSON."""
_SHADES = " ░▒▓█"
_TINTS = ("", "on grey15", "on grey23", "on dark_red", "on red3")
_TOP = 5


def anchors_report(found: Anchors, *, width: int) -> RenderableType:
    """The sentences with their weights, the heaviest named first, then the matrix and what is redundant."""
    parts: list[RenderableType] = [_headline(found), _facts(found), Text(), _sentences(found)]
    if found.matrix and 1 < len(found.sentences) <= min(MATRIX, width - 6):
        parts += [Text("\nEffect of each sentence (column) on each later one (row)", style="bold"), _matrix(found)]
    if found.redundant:
        parts += [
            Text("\nEither of these suffices (effect in nats)", style="bold"),
            *(_either(found, group) for group in found.redundant[:_TOP]),
        ]
    parts += [Text(), *(Text(clean(note), style="dim") for note in found.notes)]
    return Group(*parts)


def _headline(found: Anchors) -> Text:
    top = [str(sentence.index) for sentence in _heaviest(found)]
    if not found.sentences:
        return Text("no sentences: the chain of thought is empty", style="bold")
    return Text(f"anchors: sentences {', '.join(top)}" if top else "no sentence stands out", style="bold")


def _heaviest(found: Anchors) -> list[AnchorSentence]:
    weighed = [s for s in found.sentences if s.part == "chain" and s.weight is not None and s.weight > 0]
    return sorted(weighed, key=lambda sentence: -(sentence.weight or 0.0))[:_TOP]


def _facts(found: Anchors) -> Text:
    chain = sum(sentence.part == "chain" for sentence in found.sentences)
    words = f"{clean(found.target)} · {chain} sentences · method {clean(found.method)} · model {clean(found.model)}"
    return Text(f"{words}\nweight: {clean(found.score)}", style="dim")


def _sentences(found: Anchors) -> Table:
    heaviest = max((sentence.weight or 0.0 for sentence in found.sentences), default=0.0) or 1.0
    table = Table(box=None, pad_edge=False, show_header=False)
    for ratio in (None, None, None, 1):
        table.add_column(ratio=ratio, no_wrap=ratio is None)
    for sentence in found.sentences:
        share = (sentence.weight or 0.0) / heaviest
        weight = "–" if sentence.weight is None else f"{sentence.weight:.3f}"
        table.add_row(
            Text(str(sentence.index), justify="right", style="dim"),
            Text(weight, justify="right"),
            Text("█" * round(BAR * max(0.0, share)) or "·", style="red" if share > 0.5 else "dim"),
            Text(clean(sentence.text).strip(), style="dim" if sentence.part == "prompt" else _tint(share)),
        )
    return table


def _tint(share: float) -> str:
    return _TINTS[min(len(_TINTS) - 1, int(max(0.0, share) * len(_TINTS)))]


def _matrix(found: Anchors) -> Text:
    rows = [(t, row) for t, row in enumerate(found.matrix or ()) if t and found.sentences[t].part == "chain"]
    highest = max((value for _, row in rows for value in row), default=0.0) or 1.0
    lines = [f"{t:>4}  " + "".join(_shade(value / highest) for value in row[:t]) for t, row in rows]
    return Text("\n".join(lines), no_wrap=True)


def _shade(share: float) -> str:
    return _SHADES[min(len(_SHADES) - 1, int(max(0.0, share) ** 0.5 * len(_SHADES)))]


def _either(found: Anchors, group: dict[str, object]) -> Text:
    """The square root above and the words here only order; the figures are in the JSON."""
    texts = [clean(found.sentences[index].text).strip() for index in group["sentences"]]  # type: ignore[attr-defined]
    target = found.sentences[group["target"]]  # type: ignore[call-overload]
    words = " / ".join(f"{index} “{text}”" for index, text in zip(group["sentences"], texts, strict=True))  # type: ignore[call-overload]
    return Text(
        f"  {words} → {target.index} “{clean(target.text).strip()}”: "
        f"{group['joint']:.3f} together, {group['single']:.3f} at most alone"
    )
