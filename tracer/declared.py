"""Declared edges: the log itself says that a step used another.

    parents     a result answers its call, a reply follows its instruction, a model was given these messages
    hand-offs   from a step that is for an agent to that agent's next one
    requests    from what an agent was asked to every step of its work on it (`requests`)
    mentions    from the latest step of an agent to a later one, of another agent, that names it

A system prompt is nobody's work: nothing is handed on to it, and it mentions nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tracer.records import Edge, Step
from tracer.requests import requests
from tracer.tellers import is_prompt

_ADDRESS = re.compile(r"to ([^\s:]{1,64}):")
"""To speak to somebody is not to speak of them."""


def declared_edges(steps: Sequence[Step]) -> list[Edge]:
    """All edges that the log states; of two between the same steps, the surer one."""
    return _edges(*_parents(steps), *_handoffs(steps), *_mentions(steps), *_requests(steps))


def next_to_each_other(steps: Sequence[Step]) -> list[Edge]:
    """The declared edges without the requests: from each step to what followed from it at once, or named its agent."""
    return _edges(*_parents(steps), *_handoffs(steps), *_mentions(steps))


def _edges(*told: tuple[int, int, float, str]) -> list[Edge]:
    found: dict[tuple[int, int], Edge] = {}
    for source, target, weight, reason in told:
        found.setdefault(
            (source, target), Edge(source=source, target=target, origin="declared", weight=weight, reason=reason)
        )
    return list(found.values())


def _parents(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """A step that was given a whole history declares many parents; they share its weight."""
    for step in steps:
        for parent in step.parents:
            if 0 <= parent < step.index:
                yield parent, step.index, 1 / len(step.parents), _why_parent(step)


def _why_parent(step: Step) -> str:
    if step.call_id and step.kind not in {"tool_call", "handoff"}:  # a call names itself, and answers none
        return f"answers call {step.call_id}"
    return "is its result" if step.kind == "tool_result" else "was given it, says the log"


def _handoffs(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """From a step that addresses an agent to that agent's next step."""
    waiting: dict[str, int] = {}
    for step in steps:
        if is_prompt(step):
            continue
        if (source := waiting.pop(step.agent.casefold(), None)) is not None:
            yield source, step.index, 1.0, f"hands on to {step.agent}"
        if step.recipient and step.recipient.casefold() != step.agent.casefold():
            waiting[step.recipient.casefold()] = step.index


def _requests(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """From the request that an agent works on to every step of that work."""
    for step, request in zip(steps, requests(steps), strict=True):
        if request is not None:
            yield request, step.index, 0.5, f"works on what {steps[request].agent} asked"


def _mentions(steps: Sequence[Step]) -> Iterable[tuple[int, int, float, str]]:
    """From the latest step of an agent to a later step of another agent that names it."""
    names = {step.agent for step in steps if len(step.agent) >= 4 and not step.agent.islower()}
    if not names:
        return
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")(?!\w)")
    latest: dict[str, int] = {}
    for step in steps:
        if is_prompt(step):
            continue
        address = _ADDRESS.match(step.content)  # to speak to somebody is not to speak of them
        start = address.end() if address else 0
        for name in {found[0] for found in pattern.finditer(step.content, start)} - {step.agent}:
            if name in latest:
                yield latest[name], step.index, 0.5, f"mentions {name}"
        latest[step.agent] = step.index
