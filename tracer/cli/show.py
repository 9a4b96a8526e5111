"""`tracer show`: one run, step by step."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AsJson, Db, parse_address
from tracer.cli.output import hint, print_json, print_report

if TYPE_CHECKING:
    from tracer.records import Step


class Format(StrEnum):
    """Forms of a run for other tools."""

    atif = "atif"


def show(
    address: Annotated[
        str,
        typer.Argument(metavar="RUN[:STEP]", help="A run, or one step of it counted from 0; @last is the last run."),
    ] = "@last",
    full: Annotated[bool, typer.Option("--full", help="Print every step whole, with its reasoning.")] = False,
    format: Annotated[  # noqa: A002
        Format | None,
        typer.Option("--format", help="Print the run for other tools: atif is a trajectory of Harbor's ATIF 1.7."),
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Print a run, step by step.

    Each step with its agent, its kind, how its tool call ended, and its first words.

    \b
    Example: tracer show @last:3
    """
    from tracer.config import database_path
    from tracer.errors import TracerError
    from tracer.schemas import RunReport
    from tracer.store import Store
    from tracer.viz.terminal import run_report

    ref, index = parse_address(address)
    if format and (index is not None or full or as_json):
        raise TracerError("--format prints a whole run: leave out the step, --full and --json")
    with Store.open(database_path(db), read_only=True) as store:
        run = store.run(ref)
        steps = store.steps(run.id)
    if format:
        from tracer.text import safe_json
        from tracer.viz.trajectory import trajectory

        print(safe_json(json.dumps(trajectory(run, steps), indent=2, ensure_ascii=False)))
        return
    shown = steps if index is None else [_step(steps, run.id, index)]
    if as_json:
        print_json(RunReport.of(run, steps, shown))
        return
    if index is None and not full:
        print_report(run_report(run, steps))
    else:
        for step in shown:
            _print_whole(step)
    hint(f"`tracer blame {run.id}` ranks the steps that could be the cause")


def _step(steps: list[Step], run_id: str, index: int) -> Step:
    from tracer.errors import NoSuchRunError

    if index >= len(steps):
        raise NoSuchRunError(f"run {run_id} has no step {index}: its last is {len(steps) - 1}")
    return steps[index]


def _print_whole(step: Step) -> None:
    """A step with everything that the log holds of it."""
    from tracer.text import clean
    from tracer.viz.wording import tool_outcome

    print(f"── step {step.index} · {clean(step.agent)} · {step.kind.replace('_', ' ')}")
    facts = {
        "to": step.recipient,
        "tool": step.tool,
        "tool outcome": tool_outcome(step),
        "marks": ", ".join(step.marks),
        "model": step.model,
        "uses steps": ", ".join(map(str, step.parents)),
    }
    for name, value in facts.items():
        if value:
            print(f"{name}: {clean(value)}")
    texts = {"arguments": step.arguments, "reasoning": step.reasoning, "": step.content}
    for name, text in texts.items():
        if text:
            print(f"{name}:\n{clean(text, lines=True)}" if name else clean(text, lines=True))
    print()
