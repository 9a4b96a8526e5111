"""Runs as they come in, at a terminal."""

from rich.console import Console

from tracer.records import Run, content_hash, run_id
from tracer.viz.live import LiveRow, live_table


def test_a_long_task_gives_way_to_the_address_and_the_state() -> None:
    """At 80 columns the task is cut, and nothing else."""
    digest = content_hash("x")
    run = Run(id=run_id(digest), content_hash=digest, source="s", format="tau_bench", task="word " * 40)
    console = Console(width=80)
    with console.capture() as captured:
        console.print(live_table([LiveRow(run, "running", 12, 3)]))
    row = captured.get().splitlines()[1].split()
    assert row[:5] == [run.id, "running", "12", "3", "tau_bench"]
    assert row[-1] == "…"
