"""A conversation -> one run: task, outcome and steps, with repeated history counted once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from tracer.collectors.message import Message
from tracer.collectors.messages import merge_reasoning
from tracer.collectors.steps import steps_from_messages
from tracer.records import Outcome, Recording, Run, content_hash, run_id

_STARTED = attrgetter("started")
_OUTCOME_KEYS = ("reward", "success", "is_correct", "correct", "resolved", "passed")


class Conversation(NamedTuple):
    """The messages of one run, and what stood beside them."""

    raw: Any
    """The value that gives the run its address."""
    messages: tuple[Message, ...]
    facts: Mapping[str, Any] = {}
    """The keys beside the messages: where a log says how the run ended."""
    notes: tuple[str, ...] = ()


def collapse(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Drop each conversation that the next one repeats and continues.

    A log of model calls holds the whole history once per call; read as runs, step counts would grow quadratically.
    Histories that are sent back often leave earlier reasoning out, so what the dropped one held of it is kept.
    """
    kept: list[Conversation] = []
    for conversation in conversations:
        if kept and _continues(kept[-1], conversation):
            kept.append(_remembering(kept.pop(), conversation))
        else:
            kept.append(conversation)
    return kept


def _remembering(before: Conversation, after: Conversation) -> Conversation:
    """The longer conversation, with the reasoning that only the shorter one states."""
    messages = list(after.messages)
    for position, (old, new) in enumerate(zip(before.messages, after.messages, strict=False)):
        if new.reasoning_state == "absent":
            thought = {key: getattr(old, key) for key in ("reasoning", "reasoning_state", "reasoning_origin")}
            messages[position] = new._replace(**thought)
    return after._replace(messages=tuple(messages))


def _continues(before: Conversation, after: Conversation) -> bool:
    if len(before.messages) > len(after.messages):
        return False
    pairs = zip(before.messages, after.messages, strict=False)
    return all((a.role, a.text, a.calls, a.results) == (b.role, b.text, b.calls, b.results) for a, b in pairs)


def recordings(
    conversations: Iterable[Conversation], source: str, format_name: str, **facts: Any
) -> tuple[Recording, ...]:
    """One recording per conversation; the same conversation twice is one run. `facts` go into each run."""
    found: dict[str, Recording] = {}
    for conversation in conversations:
        made = recording(conversation, source, format_name, **facts)
        found.setdefault(made.run.id, made)
    return tuple(found.values())


def recording(conversation: Conversation, source: str, format_name: str, **facts: Any) -> Recording:
    """The run and its steps. `facts` are fields of Run that the format knows."""
    messages = conversation.messages
    digest = content_hash(conversation.raw)
    outcome, outcome_source = stated_outcome(conversation.facts)
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=source,
        format=format_name,
        task=next((each.text for each in messages if each.role in {"user", "human"} and each.text), ""),
        outcome=outcome,
        outcome_source=outcome_source,
        started=next(filter(None, map(_STARTED, messages)), None),
        notes=conversation.notes,
        **facts,
    )
    return Recording(run, steps_from_messages(merge_reasoning(messages)))


def stated_outcome(facts: Mapping[str, Any]) -> tuple[Outcome, str | None]:
    """A verdict that stands beside the messages: a truth value, or a score of 0 or 1. Anything between says nothing."""
    for key in _OUTCOME_KEYS:
        value = facts.get(key)
        if isinstance(value, (bool, int, float)):
            if value >= 1:
                return "success", key
            if value <= 0:
                return "failure", key
    return "unknown", None
