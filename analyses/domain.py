"""Is a run like those that the ranker was trained on? Its probabilities are calibrated there and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tracer.records import Record, Run, Step

Basis = Literal["in-domain", "out-of-domain"]


class Family(Record):
    """The training runs of one framework."""

    runs: int
    steps: tuple[int, int]
    """Shortest and longest run."""
    tool_share: tuple[float, float]
    """Smallest and largest share of steps that report a tool's outcome."""


def tool_share(steps: Sequence[Step]) -> float:
    """Share of steps that report how a tool ended."""
    return sum(step.tool_status is not None for step in steps) / len(steps)


def family_of(runs: Sequence[Sequence[Step]]) -> Family:
    """Describe the training runs of one framework."""
    lengths, shares = [len(steps) for steps in runs], [tool_share(steps) for steps in runs]
    return Family(
        runs=len(runs),
        steps=(min(lengths), max(lengths)),
        tool_share=(round(min(shares), 4), round(max(shares), 4)),
    )


def basis(run: Run, steps: Sequence[Step], families: dict[str, Family]) -> tuple[Basis, str]:
    """Whether the run lies inside one of the families, and if not, why not in words."""
    family = families.get(run.framework or "")
    if family is None:
        known = ", ".join(sorted(families))
        return "out-of-domain", f"trained on {known} runs; this one is {run.framework or run.format}"
    if not family.steps[0] <= len(steps) <= family.steps[1]:
        return (
            "out-of-domain",
            f"trained on runs of {family.steps[0]}-{family.steps[1]} steps; this one has {len(steps)}",
        )
    share = tool_share(steps)
    if not family.tool_share[0] <= round(share, 4) <= family.tool_share[1]:
        low, high = (f"{100 * bound:.0f}" for bound in family.tool_share)
        return "out-of-domain", f"trained on runs with {low}-{high} % tool results; this one has {100 * share:.0f} %"
    return "in-domain", f"like the {family.runs} {run.framework} runs of the training record"
