"""How patterns look in a terminal: at 80 columns, of hostile logs, and where there is little to tell."""

import io
from typing import Any

import pytest
from rich.console import Console

from tracer.fleet import Cause, Figure, Patterns, Suspect
from tracer.viz.patterns import patterns_report

FIGURE = Figure(value=0.5, low=0.4, high=0.6)
MEASURES: dict[str, Figure | None] = {"ochiai": FIGURE, "tarantula": None, "dstar": Figure(value=59, low=31, high=110)}


def suspect(**fields: Any) -> Suspect:
    blank = {"kind": "tool", "failed": 4, "succeeded": 0, "measures": MEASURES, "p": 0.001, "q": 0.01, "rank": None}
    return Suspect.model_validate(blank | fields)


def cause(**fields: Any) -> Cause:
    blank = {"rank": 1, "agent": "a", "kind": "message", "tool": None, "sign": "", "runs": 2, "share": FIGURE}
    return Cause.model_validate(blank | {"impact": 0.2, "inconclusive": 0, "examples": ("0123456789ab:3",)} | fields)


def shown(suspects: list[Suspect], causes: list[Cause], *, succeeded: int = 5, top: int = 5) -> str:
    found = Patterns(
        failed=4, succeeded=succeeded, unknown=0, tested=len(suspects) if succeeded else 0, method="ranker",
        measure="ochiai", suspects=tuple(suspects), causes=tuple(causes), notes=("a note",),
    )  # fmt: skip
    out = io.StringIO()
    Console(file=out, width=80, markup=False, emoji=False, highlight=False).print(patterns_report(found, top=top))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_pattern_is_told_with_its_counts_and_its_measures() -> None:
    """A measure without a value is left out; what is explained stands below."""
    pattern = suspect(words="lookup fails", status="pattern", rank=1, same=("x takes part",), examples=("r1", "r2"))
    text = shown([pattern, suspect(words="y takes part", status="explained", explained_by=1)], [cause()])
    assert "1  lookup fails\n" in text
    assert "4 of 4 failed · 0 of 5 others" in text
    assert "ochiai 0.50 [0.40, 0.60] · dstar 59 [31, 110]" in text
    assert "the same runs: x takes part" in text
    assert "see 1     4 of 4 failed,    0 of 5 others  y takes part" in text
    assert "2 runs, 50 % [40, 60] · impact 20 % · 0123456789ab:3" in text
    assert "a note" in text


def test_without_a_pattern_it_says_so_and_names_the_nearest() -> None:
    """Chance explains it; nothing is claimed."""
    text = shown([suspect(words="lookup fails", status="undecided", q=0.31)], [])
    assert "Nothing is so much more frequent in failed runs that chance does not explain it" in " ".join(text.split())
    assert "q 0.31" in text
    assert "Nothing is more frequent in failed runs." in shown([suspect(words="x", status="undecided", p=1.0)], [])


def test_without_successful_runs_it_only_counts() -> None:
    """What is frequent, no measure and no claim of a rate of false ones."""
    text = shown([suspect(words="lookup fails", status="untested", p=None, q=None)], [cause()], succeeded=0)
    assert "What is frequent in them" in text
    assert "Benjamini" not in text


def test_long_lists_are_cut_and_counted() -> None:
    """So that a screen holds what matters."""
    many = [suspect(words=f"tool {k}", status="pattern", rank=k + 1) for k in range(9)]
    text = shown(many, [cause(rank=k + 1, agent=f"agent{k}") for k in range(7)], top=3)
    assert text.count("and 6 more") == 1
    assert text.count("and 4 more") == 1
    assert "tool 3" not in text


@pytest.mark.parametrize("hostile", ["\x1b[2J\x1b]0;owned\x07", "[red]x[/red]", "a\nb\u202e", "x" * 5000, ""])
def test_log_text_reaches_the_terminal_as_text(hostile: str) -> None:
    """No control characters, no markup, no line longer than the screen."""
    pattern = suspect(words=f"{hostile} fails", status="pattern", rank=1, same=(hostile,), examples=(hostile,))
    text = shown([pattern], [cause(agent=hostile, tool=hostile, kind="tool_call", sign=hostile, examples=(hostile,))])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) <= 80
    if "[red]" in hostile:
        assert "[red]x[/red] fails" in text
