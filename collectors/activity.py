"""What a span did, in no convention's words: the shape between telemetry and a conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import json_text
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Outcome, Span


class Verdict(NamedTuple):
    """What an evaluation says of a run, or of a part of it."""

    name: str
    outcome: Outcome


class Activity(NamedTuple):
    """One call of a model or a tool, the work of an agent, or an evaluation (whose own calls are none of the run's)."""

    kind: Literal["llm", "tool", "agent", "evaluator"]
    agent: str | None = None
    """Who acted, when the span itself says so."""
    inputs: tuple[Message, ...] = ()
    """What it was given: of a model, the whole history."""
    outputs: tuple[Message, ...] = ()
    call: Call | None = None
    result: Result | None = None
    """Of a tool: None while the call has not ended."""
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    unreadable: bool = False
    """Messages stand on the span but cannot be read (cut off by an attribute limit, most often)."""


def as_text(value: Any) -> str:
    """A value as a log shows it: text as it is, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


def exception_text(span: Span) -> str | None:
    """`Type: message` of the span's last exception event; else its error message; None where it did not fail."""
    for event in reversed(span.events):
        found = event.get("attributes") or {}
        if event.get("name") == "exception":
            parts = [str(found[key]) for key in ("exception.type", "exception.message") if found.get(key)]
            return ": ".join(parts) or "exception"
    if span.status == "error":
        return span.status_message or str(span.attributes.get("error.type") or "error")
    return None


def tool_result(
    span: Span, content: str | None, call_id: str | None, name: str | None, status: str | None = None
) -> Result | None:
    """How a tool's span ended. None while it runs; a result that was not recorded is unknown, never empty.

    `status` is the answer's own; it counts where the span does not say that the call failed.
    """
    if span.ended_ns is None and content is None and span.status != "error":
        return None
    error = exception_text(span)
    if error is not None and span.status != "error":
        return Result(content if content is not None else error, call_id, name, "error", "exception event")
    stated = status if status and span.status != "error" else span.status if span.status != "unset" else None
    error_type = text_of(span.attributes.get("error.type"))
    if content is None and error is None and error_type is None and stated != "error":
        known = stated == "ok"
        return Result("", call_id, name, "ok" if known else "unknown", "status: ok" if known else "result not recorded")
    text = content if content is not None else error or error_type or ""
    return Result(text, call_id, name, *tool_outcome(text, status=stated, error_type=error_type))


def whole(value: Any) -> int | None:
    """A token count."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = int(value)
    except (ValueError, OverflowError):
        return None
    return count if 0 <= count < 1 << 62 else None


def first(attributes: Mapping[str, Any], *names: str) -> Any:
    """The first of these attributes that says something."""
    for name in names:
        if (found := attributes.get(name)) not in (None, "", [], {}):
            return found
    return None


def text_of(value: Any) -> str | None:
    """A name, or None."""
    return value.strip() if isinstance(value, str) and value.strip() else None


_GOOD = frozenset(
    {"pass", "passed", "success", "successful", "succeeded", "correct", "true", "yes", "resolved", "completed"}
)
_BAD = frozenset({"fail", "failed", "failure", "incorrect", "wrong", "false", "no", "unresolved", "not_completed"})


_LESS_IS_BETTER = re.compile(
    r"(?<![a-z])(toxic|harm|bias|hallucinat|violen|hate|sexual|risk|inject|jailbreak|refus|leak|pii|error|loss|perplex"
    r"|distance|latency|duration|cost|tokens|length|count)",
    re.IGNORECASE,
)
"""Names of measures of which 0 is no failure, and 1 no success."""


def verdict(name: str, label: Any, score: Any) -> Verdict:
    """What an evaluation says: its label, else a score that is exactly 0 or 1, where more is better.

    A score between says neither.
    """
    word = str(label).strip().lower().replace(" ", "_") if label is not None else ""
    told = None if isinstance(score, str) or _LESS_IS_BETTER.search(name) else score
    if word in _GOOD or (word not in _BAD and told == 1):
        return Verdict(name, "success")
    if word in _BAD or (told is not None and told == 0):
        return Verdict(name, "failure")
    return Verdict(name, "unknown")
