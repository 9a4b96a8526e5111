"""tau-bench results: an agent with tools, a simulated user, and a reward (arXiv 2406.12045).

The simulated user speaks as role `user` and errs like any other agent, so it is one. The reward compares the final
database with the right one: 1 is success and anything less is failure. Trials of one task share a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.collectors.chat import child, listed, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recording
from tracer.errors import BadInputError
from tracer.records import Outcome, Pointer, Recording

KEYS = ("task_id", "reward", "traj")


def _items(container: Container) -> list[tuple[Any, Pointer]]:
    """The results with their places: an array, or one per line."""
    found = []
    for document in container.documents:
        at = Pointer(file=container.source, line=document.line)
        many = isinstance(document.value, list)
        for position, item in enumerate(document.value if many else [document.value]):
            found.append((item, child(at, str(position)) if many else at))
    return found


def detect(container: Container) -> str | None:
    """Ours when the first result has a reward and a trajectory."""
    if not container.documents:
        return "not JSON"
    first = container.documents[0].value
    if isinstance(first, list):
        first = first[0] if first else None
    if not isinstance(first, Mapping):
        return "no list of objects"
    missing = [key for key in KEYS if key not in first]
    return f"no key {missing[0]!r}" if missing else None


def read(container: Container) -> Batch:
    """One run per result."""
    return Batch(tuple(_recording(item, at) for item, at in _items(container)))


def _recording(item: Any, at: Pointer) -> Recording:
    if not isinstance(item, Mapping) or not isinstance(item.get("traj"), list):
        raise BadInputError(f"{where(at)}: a result without a list 'traj'")
    conversation = Conversation(item, tuple(listed(item["traj"], child(at, "traj"))))
    task = item.get("task_id")
    made = recording(
        conversation, at.file, "tau_bench", framework="tau-bench", group=None if task is None else str(task)
    )
    outcome = _outcome(item.get("reward"))
    stated = {"outcome": outcome, "outcome_source": None if outcome == "unknown" else "reward"}
    return Recording(made.run.model_copy(update=stated), made.steps)


def _outcome(reward: Any) -> Outcome:
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        return "unknown"
    return "success" if reward >= 1 else "failure"


COLLECTOR = Collector("tau_bench", detect, read)
