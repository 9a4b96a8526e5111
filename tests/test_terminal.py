"""What a person reads in the terminal, at 80 and at 120 columns, and what a hostile log cannot do there."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console, RenderableType

from tracer.records import Candidate, Edge, Finding, PathStep, Run, Step, TextSpan
from tracer.viz import terminal

RUN = Run(
    id="a1b2c3d4e5f6",
    content_hash="a1b2c3d4e5f6",
    source="logs/whales.json",
    format="whowhen",
    framework="AG2",
    task="How many whales were seen?",
    outcome="failure",
    outcome_source="label",
)
STEPS = (
    Step(
        index=0,
        agent="Manager",
        kind="plan",
        content="Count the whales in the log of the ship, then report the number.",
    ),
    Step(
        index=1,
        agent="Counter",
        kind="message",
        content="The log is long, so I assume that 42 whales were seen that day.",
    ),
    Step(
        index=2, agent="Terminal", kind="tool_result", content="exitcode: 1", tool_status="error", tool_rule="exit code"
    ),
    Step(index=3, agent="Writer", kind="message", content="The answer is 42 whales."),
)
PATH = (PathStep(step=1, agent="Counter", text=""), PathStep(step=3, agent="Writer", text="42 whales", origin="reused"))
CANDIDATES = (
    Candidate(
        rank=1,
        step=1,
        agent="Counter",
        probability=0.41,
        cues=("states a guess as a fact", "no tool stands behind 42"),
        path=PATH,
    ),
    Candidate(rank=2, step=0, agent="Manager", probability=0.05),
)
FINDING = Finding(
    run=RUN.id,
    analysis="blame",
    version=1,
    verdict="root_cause",
    method="ranker",
    probability_basis="out-of-domain",
    basis_reason="those had more agents",
    outcome="failure",
    symptom=3,
    candidates=CANDIDATES,
)
EDGES = (
    Edge(source=0, target=1, origin="declared", weight=1, reason="the next speaker answers"),
    Edge(
        source=1,
        target=3,
        origin="reused",
        weight=0.5,
        reason="reuses 42 whales",
        target_spans=(TextSpan(start=14, end=23, text="42 whales"),),
    ),
)


def shown(renderable: RenderableType, width: int = 80, *, colour: bool = False) -> str:
    """The text as it arrives in a pipe (no colour), without the blanks that pad the lines."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None).print(
        renderable
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def blamed(finding: Finding, *, run: Run = RUN, steps: Sequence[Step] = STEPS, width: int = 80) -> str:
    return shown(terminal.blame_report(run, steps, finding, width=width), width)


AT_80 = """\
step 1 · Counter · 41 % (out of domain)
4 steps by 4 agents · outcome failure (says the label)
run a1b2c3d4e5f6 · AG2 · method ranker

  The log is long, so I assume that 42 whales were seen that day.

Candidates
  1  step 1  ████▏       41 % (out of domain)  Counter
             states a guess as a fact; no tool stands behind 42
  2  step 0  ▌            5 % (out of domain)  Manager
             no cue fired

From step 1 to the symptom
  step 1 · Counter
  └─ reused: “42 whales”
     step 3 · Writer  (symptom)

A percentage is the estimated chance that a step is the decisive one, given that
the run failed.
This run is unlike those the figures were fitted on: trust their order more than
their size (those had more agents).
The graph explains how an error travelled; it is not where the accuracy of the
ranking comes from.
Nothing was replayed or changed: a step that ranks low is not thereby proven
innocent."""
AT_120 = """\
step 1 · Counter · 41 % (out of domain)
4 steps by 4 agents · outcome failure (says the label)
run a1b2c3d4e5f6 · AG2 · method ranker

  The log is long, so I assume that 42 whales were seen that day.

Candidates
  1  step 1  ████▏       41 % (out of domain)  Counter
             states a guess as a fact; no tool stands behind 42
  2  step 0  ▌            5 % (out of domain)  Manager
             no cue fired

From step 1 to the symptom
  step 1 · Counter
  └─ reused: “42 whales”
     step 3 · Writer  (symptom)

A percentage is the estimated chance that a step is the decisive one, given that the run failed.
This run is unlike those the figures were fitted on: trust their order more than their size (those had more agents).
The graph explains how an error travelled; it is not where the accuracy of the ranking comes from.
Nothing was replayed or changed: a step that ranks low is not thereby proven innocent."""


@pytest.mark.parametrize(("width", "expected"), [(80, AT_80), (120, AT_120)])
def test_a_blame_reads_verdict_first(width: int, expected: str) -> None:
    """The whole report, letter by letter."""
    assert blamed(FINDING, width=width) == expected


def test_every_percentage_says_where_it_comes_from() -> None:
    """Out of domain, in domain, or unknown: each figure carries it, the headline's too."""
    for basis, words in (("out-of-domain", "out of domain"), ("in-domain", "in domain"), (None, "basis unknown")):
        text = blamed(FINDING.model_copy(update={"probability_basis": basis}))
        assert text.count(f"41 % ({words})") == 2
        assert text.count(f"5 % ({words})") == 1
        assert text.count("%") == 3


@pytest.mark.parametrize(
    ("value", "words"), [(0.0, "<1 %"), (0.009, "<1 %"), (0.01, "1 %"), (0.99, "99 %"), (1.0, ">99 %")]
)
def test_an_estimate_is_never_certain(value: float, words: str) -> None:
    """Below 1 % and above 99 % the figure says so instead of rounding to 0 or 100."""
    first = CANDIDATES[0].model_copy(update={"probability": value})
    assert f"· {words} (out of domain)" in blamed(FINDING.model_copy(update={"candidates": (first,)}))


def test_a_method_that_only_ranks_gives_no_percentage() -> None:
    """No bar, no figure, and the note says so."""
    only = tuple(candidate.model_copy(update={"probability": None}) for candidate in CANDIDATES)
    text = blamed(FINDING.model_copy(update={"candidates": only, "method": "first-error", "probability_basis": None}))
    assert "step 1 · Counter · rank only" in text
    assert "The method first-error only ranks: it gives no probabilities." in text
    assert "%" not in text


def test_an_unknown_outcome_shows_how_likely_the_failure_is() -> None:
    """0.734 is printed to two places."""
    run = RUN.model_copy(update={"outcome": "unknown", "outcome_source": None})
    text = blamed(FINDING.model_copy(update={"outcome": "unknown", "p_failed": 0.734}), run=run)
    assert "outcome unknown: P(failed) = 0.73" in text


def test_an_inconclusive_verdict_says_what_would_settle_it() -> None:
    """The candidates stay visible, but none of them is the headline."""
    reason = "The first two are within 1 point; replay step 1 to settle it."
    text = blamed(FINDING.model_copy(update={"verdict": "inconclusive", "verdict_reason": reason}))
    assert text.splitlines()[0] == "inconclusive"
    assert reason in text
    assert "step 1  ████" in text


def test_a_run_that_succeeded_has_nothing_to_blame() -> None:
    """No candidate is shown, even when the finding holds some."""
    run = RUN.model_copy(update={"outcome": "success", "outcome_source": "reward"})
    text = blamed(FINDING.model_copy(update={"verdict": "no_failure", "verdict_reason": "The reward is 1."}), run=run)
    assert text.splitlines()[0] == "no failure"
    assert "outcome success (says the reward)" in text
    assert "Candidates" not in text


def test_a_cause_whose_words_never_reach_the_symptom_says_so() -> None:
    """The path holds the cause alone."""
    alone = CANDIDATES[0].model_copy(update={"path": PATH[:1]})
    assert "No words of step 1 reach the symptom, step 3." in blamed(
        FINDING.model_copy(update={"candidates": (alone,)})
    )


def test_only_five_candidates_are_printed() -> None:
    """Of seven, two are counted."""
    seven = tuple(Candidate(rank=i + 1, step=i % 4, agent="a", probability=0.1) for i in range(7))
    assert "and 2 more" in blamed(FINDING.model_copy(update={"candidates": seven}))


HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07\x1b]8;;https://example.com\x1b\\[bold red]x[/bold red]\r\u202egnp.exe\u2066\x9b31m\x00"
)


def test_a_hostile_log_can_neither_drive_the_terminal_nor_style_it() -> None:
    """Markup is printed as it is, control and reordering characters are gone, in every view."""
    steps = [
        Step(
            index=i,
            agent=HOSTILE,
            kind="tool_result",
            content=HOSTILE if i else "",
            reasoning=HOSTILE,
            tool=HOSTILE,
            arguments=HOSTILE,
            tool_status="error",
            tool_rule=HOSTILE,
        )
        for i in range(4)
    ]
    span = TextSpan(start=0, end=1, text=HOSTILE)
    edges = [
        Edge(source=0, target=1, origin="reused", weight=1, reason=HOSTILE, target_spans=(span,)),
        Edge(source=0, target=2, origin="declared", weight=1, reason=HOSTILE),
    ]
    path = tuple(PathStep(step=i, agent=HOSTILE, text=HOSTILE, origin="reused") for i in range(3))
    candidate = Candidate(rank=1, step=1, agent=HOSTILE, probability=0.5, cues=(HOSTILE,), path=path)
    words = {
        "id": HOSTILE,
        "task": HOSTILE,
        "framework": HOSTILE,
        "format": HOSTILE,
        "outcome_source": HOSTILE,
        "notes": (HOSTILE,),
    }
    run = RUN.model_copy(update=words)
    finding = FINDING.model_copy(
        update={
            "candidates": (candidate,),
            "verdict_reason": HOSTILE,
            "basis_reason": HOSTILE,
            "method": HOSTILE,
            "probability_basis": HOSTILE,
        }
    )
    views = (
        terminal.blame_report(run, steps, finding, width=80),
        terminal.run_report(run, steps),
        terminal.graph_report(run, steps, edges, {1: 0.5}),
        terminal.run_table([terminal.RunRow(run, 4, 1)]),
    )
    for view in views:
        text = shown(view, 400)
        assert not set(text) & set("\x1b\x07\x9b\x00\r\u202e\u2066")
        assert "[bold red]x" in text


def test_a_newline_in_a_name_forges_no_line() -> None:
    """An agent that calls itself "Counter", then on a new line something else, stays on one line."""
    first = CANDIDATES[0].model_copy(update={"agent": "Counter\nstep 9 · Innocent · 99 %"})
    lines = blamed(FINDING.model_copy(update={"candidates": (first,), "symptom": None})).splitlines()
    assert not any(line.startswith("step 9") for line in lines)


def test_colour_reaches_a_terminal_only() -> None:
    """The same report, with and without a terminal."""
    report = terminal.blame_report(RUN, STEPS, FINDING, width=80)
    assert "\x1b[" in shown(report, colour=True)
    assert "\x1b[" not in shown(report)


def test_runs_are_listed_one_a_line() -> None:
    """The task is cut to the width that is left."""
    assert (
        shown(terminal.run_table([terminal.RunRow(RUN, 4, 4)]))
        == """\
run           outcome  steps  agents  format   task
a1b2c3d4e5f6  failure      4       4  whowhen  How many whales were seen?"""
    )


def test_a_run_is_shown_step_by_step() -> None:
    """The failed tool call is marked in words, not by colour alone."""
    assert (
        shown(terminal.run_report(RUN, STEPS))
        == """\
run a1b2c3d4e5f6
4 steps by 4 agents · outcome failure (says the label) · AG2
task: How many whales were seen?

step  agent     kind                what was said
   0  Manager   plan                Count the whales in the log of the ship, th…
   1  Counter   message             The log is long, so I assume that 42 whales…
   2  Terminal  tool result: error  exitcode: 1
   3  Writer    message             The answer is 42 whales."""
    )


def test_a_graph_is_listed_by_what_each_step_uses() -> None:
    """Impact 0.5 fills half of five columns; the legend explains the origins that occur."""
    assert (
        shown(terminal.graph_report(RUN, STEPS, EDGES, {1: 0.5}))
        == """\
run a1b2c3d4e5f6
4 steps by 4 agents · outcome failure (says the label) · AG2

step  agent     impact      uses
   0  Manager         0.00  –
   1  Counter   ██▌   0.50  ← 0 declared 1.00  the next speaker answers
   2  Terminal        0.00  –
   3  Writer          0.00  ← 1 reused 0.50  “42 whales”

declared: the log says so (call id, reply, hand-off, mention)
reused: words told there stand here again"""
    )


def test_a_run_without_steps_is_shown_without_an_error() -> None:
    """0 steps by 0 agents, in every view."""
    finding = FINDING.model_copy(update={"candidates": (), "verdict": "inconclusive", "symptom": None})
    assert "0 steps by 0 agents" in blamed(finding, steps=())
    assert "0 steps by 0 agents" in shown(terminal.run_report(RUN, ()))
    assert "0 steps by 0 agents" in shown(terminal.graph_report(RUN, (), (), {}))


@pytest.mark.parametrize("width", [20, 40, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Narrow windows wrap or cut; nothing overflows."""
    long = [Step(index=0, agent="A" * 300, kind="message", content="word " * 5_000)]
    views = (terminal.blame_report(RUN, STEPS, FINDING, width=width), terminal.run_report(RUN, long))
    assert all(len(line) <= width for view in views for line in shown(view, width).splitlines())


def test_a_narrow_table_of_many_runs_keeps_figures_whole_and_leaves_the_reasons_out() -> None:
    """80 columns hold no reason beside run, agent and figure; a wide terminal shows it."""
    narrow = shown(terminal.blame_table([(RUN, FINDING)], width=80), 80)
    assert "why" not in narrow
    assert "(out of domain)" in narrow
    assert len(narrow.splitlines()) == 2
    assert "why" in shown(terminal.blame_table([(RUN, FINDING)], width=160), 160)
