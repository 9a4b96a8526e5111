"""Orchestrators' bookkeeping, read alike in every format: plans, progress ledgers, stall notices, next speakers."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from tracer.records import Mark, StepKind


class Bookkeeping(NamedTuple):
    """What a text is in an orchestrator's books."""

    kind: StepKind | None = None
    """plan or thought, or None for an ordinary text."""
    marks: tuple[Mark, ...] = ()
    next_agent: str | None = None


_PLAN = re.compile(
    r"\A\W{0,4}(?:(?:initial|updated|new|revised|overall|our|the) plan\b|plan\s*:)|"
    r"^#{1,4}\s*(?:plan\b|step-by-step plan|task and suggestions from manager)",
    re.IGNORECASE | re.MULTILINE,
)
_REPLAN = re.compile(r"\A\W{0,4}(?:new|updated|revised) plan\b", re.IGNORECASE)
_STALL = re.compile(r"\A\W{0,4}(?:stall(?:ed|ing)\b|replanning\b|replan counter exceeded|no progress\b)", re.IGNORECASE)
_SATISFIED = re.compile(r"\A\W{0,4}request satisfied\b", re.IGNORECASE)
_NEXT_SPEAKER = re.compile(r"\A\W{0,4}next speaker\W{1,3}(\w+(?:[.-]\w+)*)", re.IGNORECASE)
_LEDGER_KEYS = {
    "is_request_satisfied",
    "is_in_loop",
    "is_progress_being_made",
    "next_speaker",
    "instruction_or_question",
}
_LEDGER_HEAD = re.compile(r"\A[^{\n]{0,40}ledger[^{\n]{0,20}\s*(?=\{)", re.IGNORECASE)


def bookkeeping(content: str) -> Bookkeeping:
    """Read one text as plan, ledger, stall notice or next-speaker notice; anything else gives an empty Bookkeeping."""
    if ledger := ledger_of(content):
        return _from_ledger(ledger)
    if found := _NEXT_SPEAKER.match(content):
        return Bookkeeping("thought", ("next_speaker",), found[1])
    if _STALL.match(content):
        return Bookkeeping("thought", ("stall",))
    if _SATISFIED.match(content):
        return Bookkeeping("thought", ("satisfied",))
    if _PLAN.search(content[:4_000]):
        return Bookkeeping("plan", ("replan",) if _REPLAN.match(content) else ())
    return Bookkeeping()


def ledger_of(content: str) -> dict[str, Any] | None:
    """The progress ledger that a text holds as a JSON object, or None."""
    head = _LEDGER_HEAD.match(content)
    body = content[head.end() :] if head else content.lstrip()
    if not body.startswith("{"):
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(body)
    except (json.JSONDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) and len(_LEDGER_KEYS & value.keys()) >= 2 else None


def _answer(ledger: dict[str, Any], key: str) -> Any:
    """Ledger entries are {"reason", "answer"} or the bare answer."""
    entry = ledger.get(key)
    return entry.get("answer") if isinstance(entry, dict) else entry


def _from_ledger(ledger: dict[str, Any]) -> Bookkeeping:
    marks: list[Mark] = ["ledger"]
    if _answer(ledger, "is_in_loop") is True:
        marks.append("loop")
    if _answer(ledger, "is_progress_being_made") is False:
        marks.append("no_progress")
    if _answer(ledger, "is_request_satisfied") is True:
        marks.append("satisfied")
    speaker = _answer(ledger, "next_speaker")
    return Bookkeeping("thought", tuple(marks), speaker if isinstance(speaker, str) else None)
