"""Whatever a log holds, a terminal only prints it: nothing moves, colours, links, answers, or is read as markup."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console, RenderableType

from tracer.analyses.agreement import compare
from tracer.cli import main
from tracer.records import (
    Alternative,
    Anchors,
    AnchorSentence,
    Candidate,
    Cited,
    CitedSource,
    Claim,
    Edge,
    Faithfulness,
    Finding,
    PathStep,
    Pointer,
    Resampled,
    Run,
    Step,
    TextSpan,
)
from tracer.viz import terminal
from tracer.viz.agreement import agreement_report
from tracer.viz.anchors import anchors_report
from tracer.viz.cite import cite_report
from tracer.viz.lm import check_report
from tracer.viz.resampling import resampling_report

ESC, BELL, ST = "\x1b", "\x07", "\x1b\\"
SEQUENCES: Final = (
    f"{ESC}[2J{ESC}[H",  # clears the screen
    f"{ESC}[3J",  # and what was scrolled away
    f"{ESC}c",  # resets the terminal
    f"{ESC}]0;owned{BELL}",  # sets the title
    f"{ESC}]2;owned{ST}",
    f"{ESC}[21t",  # makes it type the title as input
    f"{ESC}]8;;https://example.com{ST}step 1{ESC}]8;;{ST}",  # a link that says something else
    f"{ESC}]52;c;cm0gLXJm{BELL}",  # fills the clipboard
    f"{ESC}]50;?{BELL}",  # asks for the font, which is typed as input
    f"{ESC}]1337;File=inline=1:AAAA{BELL}",  # draws a picture
    f"{ESC}]9;4;1;50{BELL}",
    f"{ESC}P$q\"p{ST}",  # asks for a setting
    f"{ESC}P1;0;0q#0;2;0;0;0~{ST}",  # sixel
    f"{ESC}_Ga=T;AAAA{ST}",  # kitty's pictures
    f"{ESC}^private{ST}",
    f"{ESC}X string {ST}",
    f"{ESC}[6n{ESC}[c{ESC}[>c",  # asks where and who it is
    f"{ESC}[?1049h{ESC}[?25l{ESC}[?2004h{ESC}[?1000h",  # other screen, no cursor, pastes, mouse
    f"{ESC}[8m{ESC}[31;1mred{ESC}[0m",
    f"{ESC}[38;2;1;2;3m{ESC}[48:5:200m",
    f"{ESC}[1A{ESC}[2K{ESC}[1G",  # overwrites the line above
    f"{ESC}[4;1H{ESC}7{ESC}8{ESC}[s{ESC}[u",
    f"{ESC}(0lqqk{ESC}(B",  # line drawing letters
    f"{ESC}[5;20r{ESC}#8",
    f"{ESC}[?5h",
    f"{ESC}[ q{ESC}[!p",
    ESC, f"a{ESC}", f"{ESC}[", f"{ESC}]", f"{ESC}]0;", f"{ESC}P", f"{ESC}[1;2;3",  # cut off: would swallow what follows
    "\x9b2J", "\x9d0;owned\x9c", "\x90q\x9c", "\x9f\x9e\x98\x9c", "\x85\x84\x8d",  # the same in one byte
    "\r99 % certain", "\x08" * 40 + "innocent", "\x7f\x7f", "\x0b\x0c", "\x00\x05\x0e\x0f\x11\x13\x1a", BELL * 9,
    "\u202egnp.exe", "\u2066\u2067\u2068\u2069\u061c\u200e\u200f", "\u202a\u202b\u202c\u202d", "\u2028\u2029",
    "\ud83d", "\udc9b[2J", "\ufffe",
)  # fmt: skip
MARKUP: Final = (
    "[/x]", "[/]", "[bold red]x[/bold red]", "[link=https://example.com]y[/link]", "[", "]", "[[", "\\[bold]", "[/][/]",
    "[@click=app.bell]x[/]", "[blink]", "[rgb(1,2,3)]", "[not a style]", ":smiley:", "[red", "[on red]", "[/red",
    "[#fff]", "{x} %s %n {0.__class__}",
)  # fmt: skip
ATTACKS: Final = (*SEQUENCES, *MARKUP)
FORBIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
OURS: Final = re.compile("\x1b\\[[0-9;]*m")
"""The colours that rich writes into a terminal."""
WIDTHS: Final = (20, 80, 200)


def printed(view: RenderableType, width: int, *, colour: bool) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None).print(view)
    return out.getvalue()


def steps_of(attack: str) -> list[Step]:
    return [
        Step(
            index=index, agent=attack, kind="tool_result", role=attack, content=attack if index else "",
            recipient=attack, reasoning=attack, reasoning_state="present", tool=attack, arguments=attack,
            tool_status="error", tool_rule=attack, model=attack, raw_time=attack, span_id=attack,
            pointer=Pointer(file=attack, member=attack, path=attack),
        )
        for index in range(3)
    ]  # fmt: skip


def finding_of(attack: str) -> Finding:
    path = tuple(PathStep(step=index, agent=attack, text=attack, origin="reused") for index in range(3))
    cause = Candidate(rank=1, step=1, agent=attack, probability=0.5, cues=(attack,), path=path)
    return Finding(
        run=attack, analysis=attack, version=1, verdict="root_cause", verdict_reason=attack, method=attack,
        probability_basis=attack, basis_reason=attack, symptom=2, candidates=(cause,),
    )  # fmt: skip


def anchors_of(attack: str, method: str) -> Anchors:
    other = Alternative(text=attack, count=3, similarity=0.1, similar=False, share=0.5, answers={attack: 3})
    told = Resampled(
        before=0.2, after=0.8, effect=0.6, low=0.3, high=0.8, n_before=20, n_after=20, q=0.01, verdict="anchor",
        different=12, instead=((attack, 3, 0.5),), alternatives=(other,), divergences={attack: (0.1, 0.0, 0.2)},
    )  # fmt: skip
    sentences = tuple(
        AnchorSentence(
            index=k, start=10 * k, end=10 * k + 9, text=attack, part="chain" if k else "prompt", kind=attack,
            weight=0.1 * k, resampled=told if k and method == "resample" else None,
        )
        for k in range(6)
    )  # fmt: skip
    return Anchors(
        content="c", target=attack, method=method, score=attack, model=attack, revision=attack,
        parameters={attack: attack, "temperature": 0.6, "top_p": 0.9}, sentences=sentences, notes=(attack,),
        matrix=tuple(tuple(0.5 * (s < t) for s in range(6)) for t in range(6)),
        redundant=({"sentences": [1, 2], "target": 3, "single": 0.1, "joint": 0.5, "interaction": 0.4},),
        evidence={
            "target": attack, "answers": [attack, "x"], "distribution": [[0.5, 0.5]] * 6, "encoder": attack,
            "rollouts": 9, "tokens": 9, "computed": 9, "sweep": {"rollouts": 9, "tokens": 9}, "extraction": attack,
             "mass": [0.9] * 6,
        },
    )  # fmt: skip


def cited_of(attack: str) -> Cited:
    sources = tuple(
        CitedSource(step=k - 1, agent=attack, score=5.0, low=4.0, high=6.0, share=0.5, quote=attack) for k in range(3)
    )
    claim = Claim(text=attack, logprob=-3.0, alone=-9.0, rests_on=(attack,), sources=sources)
    claims = (claim, claim.model_copy(update={"unsupported": (attack, attack)}))
    before = claim.model_copy(update={"unsupported": (attack,), "said_before": 1})
    return Cited(
        run=attack, step=3, agent=attack, method=attack, score=attack, model=attack, revision=attack,
        parameters={"span": attack}, whole=claim, claims=(*claims, before), notes=(attack,),
        cost={"rows": 9, "tokens": 9},
        check=Faithfulness(
            k=3, drop=5.0, all=6.0, lds=0.5, lds_low=0.2, lds_high=0.7, choices=32, deletion=0.1, insertion=0.9
        ),
    )  # fmt: skip


def server_of(attack: str) -> dict[str, Any]:
    told = {"name": attack, "has": False, "found": attack, "instead": attack}
    facts = {"model": attack, "urls": [attack], "revision": "1", "window": None, "concurrency": 1}
    return facts | {"capabilities": [told, told | {"has": True}]}


def views(attack: str, width: int) -> Iterator[RenderableType]:
    """Each view of a log's words, with the attack in every field."""
    steps, finding = steps_of(attack), finding_of(attack)
    run = Run(
        id=attack, content_hash=attack, source=attack, format=attack, framework=attack, task=attack, outcome="failure",
        outcome_source=attack, answer=attack, expected=attack, notes=(attack,),
    )  # fmt: skip
    span = (TextSpan(start=0, end=len(attack), text=attack),)
    edges = [
        Edge(source=1, target=2, origin="reused", weight=1, reason=attack, source_spans=span, target_spans=span),
        Edge(source=0, target=1, origin="declared", weight=1, reason=attack),
    ]
    found = [anchors_of(attack, method) for method in ("suppress", "resample", attack)]
    yield terminal.blame_report(run, steps, finding, width=width)
    yield terminal.blame_table([(run, finding)], width=width)
    yield terminal.run_report(run, steps)
    yield terminal.run_table([terminal.RunRow(run, 3, 1)])
    yield terminal.graph_report(run, steps, edges, {1: 0.5})
    yield anchors_report(found[0], width=width)
    yield resampling_report(found[1], width=width)
    yield agreement_report(compare(found))
    yield cite_report(cited_of(attack), width=width)
    yield check_report(server_of(attack))


def test_the_attacks_are_many_and_different() -> None:
    """Sequences for the terminal, and markup for the library that prints."""
    assert len(set(ATTACKS)) == len(ATTACKS) >= 60


@pytest.mark.parametrize("width", WIDTHS)
def test_no_attack_in_any_field_reaches_a_terminal(width: int) -> None:
    """In a terminal only our own colours do, in a pipe no escape byte at all; no markup is read."""
    for attack in ATTACKS:
        for number, view in enumerate(views(attack, width)):
            in_terminal, in_pipe = (printed(view, width, colour=colour) for colour in (True, False))
            where = (number, attack)
            assert not FORBIDDEN.search(OURS.sub("", in_terminal)), where
            assert not FORBIDDEN.search(in_pipe), where
            assert OURS.sub("", in_terminal) == in_pipe, where


@pytest.mark.parametrize("attack", MARKUP)
def test_markup_is_printed_as_it_stands(attack: str) -> None:
    """Letter by letter, wherever it is printed, and in no style of its own."""
    for view in views(attack, 200):
        assert attack in printed(view, 200, colour=False)


@pytest.fixture(scope="module", name="db")
def _db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in which every name and text is an attack, in a file whose name is one."""
    folder = tmp_path_factory.mktemp("hostile")
    log = folder / f"{ESC}[2J[red]\u202e.json"
    said = [
        {"role": "user", "name": attack or "x", "content": f"42 {attack}", attack: {attack: attack}}
        for attack in ATTACKS
        if attack.encode("utf-8", "replace").decode() == attack
    ]
    log.write_text(json.dumps(said), encoding="utf-8")
    assert main(["ingest", str(log), "--db", str(folder / "runs.duckdb")]) == 0
    assert main(["mark", "@last", "--failed", "--db", str(folder / "runs.duckdb")]) == 0
    return folder / "runs.duckdb"


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["runs", "--json"],
        ["show", "@last"],
        ["show", "@last", "--full"],
        ["show", "@last:3"],
        ["show", "@last", "--json"],
        ["graph", "@last"],
        ["graph", "@last", "--json"],
        ["blame"],
        ["blame", "--all"],
        ["blame", "--json"],
        ["cite", "@last:3", "--method", "reuse"],
        ["cite", "@last:3", "--method", "reuse", "--json"],
        ["report", "--format", "markdown"],
        ["report", "--all", "--format", "markdown"],
    ],
)
def test_no_command_lets_one_through(
    db: Path, capfdbinary: pytest.CaptureFixture[bytes], arguments: Sequence[str]
) -> None:
    """What the user types, on a log that a stranger wrote: neither output nor messages hold a byte of control."""
    assert main([*arguments, "--db", str(db)]) == 0
    out, err = capfdbinary.readouterr()
    assert out.strip()
    assert not FORBIDDEN.search(out.decode())
    assert not FORBIDDEN.search(err.decode())


def test_a_mistake_with_a_hostile_name_is_told_harmlessly(db: Path, tmp_path: Path) -> None:
    """A file name, an address and an option come from strangers, too, in scripts and in archives."""
    odd = tmp_path / f"{ESC}]0;owned{BELL}[red]\u202e.json"
    odd.write_bytes(b"\x1b[2J not json")
    for arguments in (
        ["ingest", str(odd)],
        ["show", f"{ESC}[2J[/x]"],
        ["blame", f"[/x]{BELL}"],
        ["report", f"[/x]{ESC}c"],
    ):
        call = [sys.executable, "-m", "tracer", *arguments, "--db", str(db)]
        done = subprocess.run(call, capture_output=True, check=False, env={**os.environ, "COLUMNS": "100"})
        assert done.returncode in (2, 3)
        assert b"Traceback" not in done.stderr
        assert not FORBIDDEN.search((done.stdout + done.stderr).decode())
