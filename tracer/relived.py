"""A shipped run whose cause is known, and what replay says of it: the last part of `tracer demo`.

Which run is shown follows a rule that looks at no finding: the first, in the order of the file, whose label names a
step of an agent's and a sentence in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracer.records import Finding, Recording


class Relived(NamedTuple):
    """One run by two ways."""

    recording: Recording
    label: Mapping[str, Any]
    """What intervention found, with some hundred lives."""
    finding: Finding
    """What the search by replay says, which never sees the label."""
    labelled: int
    """Failed runs that come with the package and have a label."""


def relived(progress: Callable[[str, int, int], None] | None = None) -> Relived:
    """Live the shown run again; needs torch."""
    from tracer.lm import require

    require()
    from tracer.analyses.replay_blame import replay_blame, stated
    from tracer.analyses.world_labels import read_labels
    from tracer.collectors.ingest import read_recordings
    from tracer.data.agent_replay import make
    from tracer.data.agent_runs import shipped

    runs, labels = shipped()
    found = read_labels(labels)
    label = next(each for each in found if each["sentence"] and each["kind"] == "agent")
    recording = next(each for each in read_recordings([runs])[0] if each.run.id == label["run"])
    told = replay_blame(recording.run, recording.steps, make(recording), stated, progress=progress)
    return Relived(recording, label, told.finding, len(found))


def words(shown: Relived) -> str:
    """The two ways side by side, as plain lines."""
    from tracer.viz.wording import percent

    (run, steps), label, finding, labelled = shown
    first = finding.candidates[0]
    at = next(k for k, point in enumerate(label["curve"]) if point["step"] == label["step"])
    before, after = (label["curve"][k]["p"] for k in (at - 1, at))
    return "\n".join(
        (
            f"With the cause known: one of {labelled} failed runs that come with the package, {len(steps)} steps by "
            f"{len({step.agent for step in steps})} agents ({run.id}).",
            "",
            f"  blame by replay   step {first.step} · {first.agent}, {percent(first.probability or 0.0)}, "
            f"{finding.evidence['replay']['forks']} forks lived",
            f"  the truth         step {label['step']} · {label['agent']}: the success rate falls from {before:.2f} to "
            f"{after:.2f} behind it, {label['forks']} lives",
        )
    )
