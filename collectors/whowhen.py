"""Who&When: failed multi-agent runs with a human's label of the decisive step (arXiv 2505.00212, section 3).

Both subsets (`name` speaks in the algorithm-generated one, `role` in the hand-crafted one), as JSON files, JSON Lines,
an array, or rows of the Parquet form. Other data sets in the same schema (TracerTraj) are read the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.collectors.ag2 import history_steps
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.history import text_of
from tracer.collectors.magentic import is_magentic, magentic_steps
from tracer.errors import BadInputError
from tracer.records import Label, Recording, Run, Step, content_hash, run_id

KEYS = ("mistake_agent", "mistake_step", "history")


def _values(container: Container) -> list[Any]:
    """The candidate records of a container: an array is a list of records."""
    values = [document.value for document in container.documents]
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def detect(container: Container) -> str | None:
    """Ours when the first record has the label and the history."""
    values = _values(container)
    first = values[0] if values else None
    if not isinstance(first, dict):
        return "no JSON object"
    missing = [key for key in KEYS if key not in first]
    return f"no key {missing[0]!r}" if missing else None


def read(container: Container) -> Batch:
    """One run for each record."""
    values = _values(container)
    many = len(values) > 1
    return Batch(
        recordings=tuple(_recording(value, container.source, f"/{i}" if many else "") for i, value in enumerate(values))
    )


def _recording(value: Any, source: str, root: str) -> Recording:
    where = f"{source}{root}"
    if not isinstance(value, dict) or not isinstance(value.get("history"), list):
        raise BadInputError(f"{where}: 'history' is not a list of messages")
    if not all(isinstance(entry, dict) for entry in value["history"]):
        raise BadInputError(f"{where}: 'history' holds something that is not a message object")
    steps = steps_of(value["history"], source, f"{root}/history")
    digest = content_hash(value)
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=source,
        format="whowhen",
        framework="magentic-one" if is_magentic(value["history"]) else _framework(value["history"]),
        task=str(value.get("question") or ""),
        outcome=_outcome(value),
        outcome_source="label",
        expected=_text_or_none(value.get("ground_truth", value.get("groundtruth"))),
        group=_text_or_none(value.get("question_ID")) or _text_or_none(value.get("question")),
        labels=() if _unspoilt(value) else (_label(value, where),),
    )
    return Recording(run, steps)


def steps_of(history: list[dict[str, Any]], file: str, root: str) -> tuple[Step, ...]:
    """Exactly one step for each entry of the history: labels count entries."""
    if is_magentic(history):
        return magentic_steps(history, file, root)
    return history_steps(history, file, root, one_each=True)


def _framework(history: list[dict[str, Any]]) -> str | None:
    """Named speakers are AG2's mark in Who&When itself; data sets in its schema number their entries."""
    if any("step" in entry for entry in history):
        return None
    return "ag2" if any(entry.get("name") for entry in history) else None


def _outcome(value: Mapping[str, Any]) -> Any:
    """A labelled mistake means failure unless the record says that the run was right after all."""
    return "success" if value.get("is_correct") is True else "failure"


def _unspoilt(value: Mapping[str, Any]) -> bool:
    """A run that was right and in which no mistake is named: those who look for failures only need such ones, too."""
    return value.get("is_correct") is True and value["mistake_step"] in (None, "")


def _text_or_none(value: Any) -> str | None:
    text = text_of(value).strip()
    return text or None


def _label(value: Mapping[str, Any], where: str) -> Label:
    step = value["mistake_step"]
    if isinstance(step, float) and step.is_integer():  # a Parquet column of numbers with a gap holds floats
        step = int(step)
    stated = str(step).strip()
    if not (stated.isascii() and stated.isdigit() and len(stated) < 10):
        raise BadInputError(f"{where}: mistake_step is {stated!r}, not a step number counted from 0")
    return Label(
        team="whowhen",
        agent=str(value["mistake_agent"]),
        step=int(stated),
        stated=stated,
        reason=str(value.get("mistake_reason") or ""),
    )


COLLECTOR = Collector("whowhen", detect, read)
