"""A resampled chain of thought in a terminal: the chance of the outcome along it, and the sentences that move it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.records import Anchors, AnchorSentence, Resampled
from tracer.text import clean

_BARS = "▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
_TOP = 5
_LINKS = 8
_STYLES = {"anchor": "bold red", "overdetermined": "yellow", "undecided": "dim", "no effect": "dim"}


def resampling_report(found: Anchors, *, width: int) -> RenderableType:
    """The anchors with intervals, P(outcome) as a sparkline, then every sentence, and what stands in its place."""
    told = [(s, s.resampled) for s in found.sentences if s.resampled is not None]
    if not told:
        return Text("no sentences: the chain of thought is empty", style="bold")
    parts: list[RenderableType] = [_headline(told), _facts(found, len(told)), Text(), _along(found, width), Text()]
    parts += [
        _sentences(told),
        *_instead(told),
        *_links(found),
        Text(),
        *(Text(clean(note), style="dim") for note in found.notes),
    ]
    return Group(*parts)


def _headline(told: list[tuple[AnchorSentence, Resampled]]) -> Text:
    """What brought the outcome about comes first, what worked against it last."""
    anchors = sorted((pair for pair in told if pair[1].verdict == "anchor"), key=lambda pair: -pair[1].low)
    if not anchors:
        return Text("no sentence moves the outcome for certain", style="bold")
    listed = ", ".join(f"{s.index} ({_effect(r.effect, r.low, r.high)})" for s, r in anchors[:_TOP])
    return Text(f"anchors: sentence{'s' if len(anchors) > 1 else ''} {listed}", style="bold")


def _facts(found: Anchors, sentences: int) -> Text:
    evidence, given = found.evidence, found.parameters
    sweep = evidence["sweep"]
    lines = [
        f"{clean(found.target)} · {sentences} sentences · model {clean(found.model)}",
        f"outcome {clean(evidence['target'])}, found as {clean(str(evidence['extraction']))} · "
        f"T {given['temperature']:g}, top_p {given['top_p']:g} · sentences compared by {clean(evidence['encoder'])}",
        f"{evidence['rollouts']:,} rollouts, {evidence['tokens']:,} tokens, {evidence['computed']:,} drawn now; "
        f"100 for each prefix would be {sweep['rollouts']:,} and {sweep['tokens']:,}",
    ]
    return Text("\n".join(lines), style="dim")


def _along(found: Anchors, width: int) -> Text:
    """One column for each prefix, from the prompt alone to the whole chain, as far as the width goes."""
    answers, rows = found.evidence["answers"], found.evidence["distribution"]
    shown = max(1, width - 20)
    lines = []
    for place, answer in enumerate(answers[:3]):
        marks = [_UNKNOWN if row is None else _BARS[round(row[place] * (len(_BARS) - 1))] for row in rows[:shown]]
        lines.append(f"{clean(str(answer))[:14]:>14}  {''.join(marks)}")
    return Text("P(answer) from each prefix on\n" + "\n".join(lines), no_wrap=True)


def _sentences(told: list[tuple[AnchorSentence, Resampled]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "P(outcome)", "effect [95 %]", "", "sentence"):
        table.add_column(name, no_wrap=name != "sentence", ratio=1 if name == "sentence" else None)
    for sentence, each in told:
        table.add_row(
            Text(str(sentence.index), justify="right"),
            f"{_share(each.before, each.told or each.n_before)} → {_share(each.after, each.told or each.n_after)}",
            _effect(each.effect, each.low, each.high) if each.told else "not drawn",
            Text(each.verdict, style=_STYLES[each.verdict]),
            Text(clean(sentence.text).strip(), style="bold" if each.verdict == "anchor" else ""),
        )
    return table


def _instead(told: list[tuple[AnchorSentence, Resampled]]) -> list[Text]:
    """For each anchor, what else the model writes there, and how the outcome fares then."""
    lines = [
        Text(f"  {s.index} “{clean(s.text).strip()}” (P {r.after:.2f}) → {_listed(r)}")
        for s, r in told
        if r.verdict == "anchor" and r.instead
    ]
    return [Text("\nWhat else stands there, and P(outcome) then", style="bold"), *lines] if lines else []


def _links(found: Anchors) -> list[Text]:
    """The later sentences that are written because of an earlier one, or in spite of it."""
    lines = [
        Text(
            f"  {each['source']} → {each['target']} “{clean(found.sentences[each['target']].text).strip()}” "
            f"{_effect(each['effect'], each['low'], each['high'])}"
        )
        for each in found.evidence.get("links", [])[:_LINKS]
    ]
    return [Text("\nWhat is written because of it: change of P(later sentence)", style="bold"), *lines] if lines else []


def _listed(each: Resampled) -> str:
    return "; ".join(f"“{clean(text)}” {count}x, P {share:.2f}" for text, count, share in each.instead)


def _share(value: float, told: bool | int) -> str:
    return f"{value:.2f}" if told else f"{'–':^4}"


def _effect(value: float, low: float, high: float) -> str:
    """With its interval; what rounds to nothing has no sign to show, so it gets a plus."""
    value, low, high = (round(each, 2) + 0.0 for each in (value, low, high))
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
