"""What a score says of a run, when it says anything: traces carry many, and most of them judge something else.

A toxicity of 0 is no failure. So a truth value or a bare number speaks of the outcome only under a name that does, and
of the labels only those that speak for themselves.
"""

from __future__ import annotations

import re
from typing import Any

from tracer.collectors.activity import text_of

_NAMES = frozenset(
    {"correct", "correctness", "success", "successful", "resolved", "solved", "pass", "passed", "reward", "completed"}
)
_LABELS = frozenset(
    {"pass", "passed", "fail", "failed", "success", "failure", "correct", "incorrect", "resolved", "unresolved"}
)


def evaluation(name: Any, label: Any, value: Any) -> dict[str, Any] | None:
    """A score as an evaluation event of the GenAI conventions; None where it says nothing of the outcome."""
    called = text_of(name) or "score"
    names = set(re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", called).lower()))
    spoken = label if isinstance(label, str) and label.strip().lower() in _LABELS else None
    if spoken is None and not (names & _NAMES and isinstance(value, bool | int | float)):
        return None
    said = {"gen_ai.evaluation.score.label": spoken} if spoken else {"gen_ai.evaluation.score.value": float(value)}
    return {
        "name": "gen_ai.evaluation.result",
        "time_ns": None,
        "attributes": {"gen_ai.evaluation.name": called, **said},
    }
