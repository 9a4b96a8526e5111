"""The rows of the run list."""

from datetime import UTC, datetime, timedelta, timezone

from tracer.records import Candidate, Finding, Run, Step
from tracer.viz.listing import listed, tally

RUN = Run(id="a1b2c3d4e5f6", content_hash="0", source="x.json", format="chat", task="Count\nthe whales.")
FINDING = Finding(run=RUN.id, analysis="blame", version=1, verdict="no_failure", method="ranker")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def step(index: int, agent: str = "a", **fields: object) -> Step:
    return Step.model_validate({"index": index, "agent": agent, "kind": "message"} | fields)


def test_a_row_says_what_broke_the_run_and_what_it_cost() -> None:
    """The leading candidate with its figure and basis; steps, agents, tokens, seconds."""
    cause = Candidate(rank=1, step=1, agent="b", probability=0.41)
    finding = FINDING.model_copy(
        update={"verdict": "root_cause", "candidates": (cause,), "probability_basis": "out-of-domain"}
    )
    steps = [
        step(0, started=NOON, input_tokens=10, output_tokens=5),
        step(1, "b", started=NOON, ended=NOON + timedelta(seconds=90), output_tokens=7),
    ]
    row = listed(RUN, steps, finding)
    assert (row.step, row.agent, row.probability, row.basis) == (1, "b", 0.41, "out of domain")
    assert (row.steps, row.agents, row.tokens, row.duration) == (2, 2, 22, 90)
    assert (row.started, row.task, row.format) == ("2026-01-05 12:00:00", "Count the whales.", "chat")
    assert "0.41" in row.about


def test_what_a_log_does_not_say_is_not_made_up() -> None:
    """No zero for a number that nobody counted."""
    row = listed(RUN, [step(0)], FINDING)
    assert (row.tokens, row.started, row.duration) == (None, "", None)
    assert (row.step, row.agent, row.probability, row.figure, row.basis) == (None, "", None, "", "")


def test_what_the_run_says_of_its_times_goes_before_its_steps() -> None:
    """In UTC, whatever the zone; a time without one is UTC; an end before the beginning gives no duration."""
    berlin = timezone(timedelta(hours=1))
    run = RUN.model_copy(update={"started": NOON.astimezone(berlin), "ended": datetime(2026, 1, 5, 12, 0, 30)})
    row = listed(run, [step(0, started=NOON - timedelta(days=1))], FINDING)
    assert (row.started, row.duration) == ("2026-01-05 12:00:00", 30)
    backwards = run.model_copy(update={"ended": NOON - timedelta(seconds=1)})
    assert listed(backwards, [], FINDING).duration is None


def test_a_list_is_told_in_one_line() -> None:
    """Only of verdicts that occur."""
    row = listed(RUN, [step(0)], FINDING)
    assert tally([row]) == "1 run: 1 no failure"
    assert tally([row, row._replace(verdict="root_cause")]) == "2 runs: 1 root cause, 1 no failure"
    assert tally([]) == "no runs"
