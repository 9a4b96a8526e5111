"""The sources of a step in a terminal of 80 columns: what is shown, in which order, and what is left to the JSON."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from tracer.records import Cited, CitedSource, Claim, Faithfulness
from tracer.viz.cite import cite_report

LONG = "The quarterly figure of the northern office, as told by the clerk who keeps the books there, " * 40


def source(step: int, score: float, share: float, quote: str = "Hal: 3.", agent: str = "East") -> CitedSource:
    return CitedSource(step=step, agent=agent, score=score, share=share, quote=quote)


def answer(*claims: Claim, **more: Any) -> Cited:
    """An answer about step 5 by a model."""
    named: dict[str, Any] = {"agent": "Planner", "method": "leave-one-out", "score": "nats", "model": "m"}
    told = {"run": "0" * 12, "step": 5, "revision": "r", "whole": Claim(text="all of it")}
    return Cited(**{**told, **named, **more}, claims=claims)


def printed(found: Cited, width: int = 80) -> list[str]:
    """The lines of the report."""
    console = Console(width=width, no_color=True, markup=False)
    with console.capture() as captured:
        console.print(cite_report(found, width=width))
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [72, 80, 120])
def test_however_long_the_sentences_every_line_fits_and_every_claim_and_source_is_one_line(width: int) -> None:
    """A claim, two made-up values, the thought that it rests on, and two sources, each with an interval."""
    sources = [source(k, 112.3, 0.5, LONG, LONG).model_copy(update={"low": -10.1, "high": 114.2}) for k in (1234, 1235)]
    claim = Claim(text=LONG, sources=tuple(sources), rests_on=(LONG,), unsupported=("4711",))
    lines = printed(answer(claim, agent=LONG), width)
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("“The quarterly") for line in lines) == 1
    assert sum("step 123" in line for line in lines) == 2
    assert all(line.endswith("…”") for line in lines if "step 123" in line)


def test_sources_stand_below_their_claim_the_strongest_first() -> None:
    """At most three; what gives less than 2 % of all or a tenth of a nat is left out, and the task has no number."""
    told = [
        source(2, 8.0, 0.6),
        source(-1, 3.0, 0.2, "What is Ana?", "user"),
        source(0, 2.0, 0.15),
        source(1, 1.0, 0.05),
    ]
    weak = Claim(text="Well then.", sources=(source(2, 0.05, 1.0), source(0, 0.0, 0.0)))
    lines = printed(answer(Claim(text="Ana: Hal +5.", sources=tuple(told)), weak))
    at = lines.index("“Ana: Hal +5.”")
    assert [line.split("█")[0].split() for line in lines[at + 1 : at + 4]] == [["step", "2"], ["task"], ["step", "0"]]
    assert lines[at + 4] == ""
    assert lines[lines.index("“Well then.”") + 1] == "  no source moves it"


def test_what_is_unsupported_is_told_first_and_never_cut_off() -> None:
    """Of twenty claims twelve are shown, the two made-up ones among them, in the order of the step."""
    claims = [Claim(text=f"Claim {k}.") for k in range(20)]
    claims[17] = Claim(text="Kim: 27.", unsupported=("27",))
    claims[18] = Claim(text="Leo: 9.", unsupported=("9",), said_before=2)
    lines = printed(answer(*claims))
    assert lines[0] == "step 5 · Planner: 1 claim unsupported"
    assert "  unsupported: no source and nothing it thought accounts for “27”" in lines
    assert "  “9”: only what it said itself in step 2" in lines
    shown = [line for line in lines if line.startswith("“")]
    assert shown == [*(f"“Claim {k}.”" for k in range(10)), "“Kim: 27.”", "“Leo: 9.”"]
    assert "and 8 claims more" in lines


def test_the_check_says_what_it_could_not_tell() -> None:
    """Sources that move nothing leave a drop, and no more."""
    told = Faithfulness(
        k=3, drop=4.2, all=5.1, lds=0.5, lds_low=0.2, lds_high=0.7, choices=32, deletion=0.11, insertion=0.92
    )
    whole = "\n".join(printed(answer(Claim(text="a"), check=told)))
    assert "4.2 nats" in whole
    assert "0.50 [0.20, 0.70]" in whole
    assert "deletion area 0.11 (small is good), insertion area 0.92 (large is)" in whole
    none = told.model_copy(update={"lds": None, "deletion": None, "insertion": None})
    assert "  the sources move it too little for more" in printed(answer(Claim(text="a"), check=none))


def test_without_a_model_scores_are_parts_and_no_thought_is_named() -> None:
    """`reuse` knows no nats, so a twentieth is no noise; and its notes stand at the end."""
    claim = Claim(text="Hal: 3.", rests_on=("Hal: 3.",), sources=(source(4, 0.05, 0.05),))
    lines = printed(answer(claim, model=None, method="reuse", notes=("no language model was asked",)))
    assert any(line.startswith("  step 4") for line in lines)
    assert not any("rests on" in line for line in lines)
    assert lines[-1] == "no language model was asked"
